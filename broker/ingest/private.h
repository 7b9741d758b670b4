/* private.h - one message on its way through admission, which ingest.c leads.
 *
 *   ingest.c   the order, and what its sender may
 *   read.c     what it says, and whether its feed takes that
 *   keep.c     what is kept of it
 *   refuse.c   what its sender is told
 *
 * Loop thread; nothing allocates per message. */
#ifndef INGEST_PRIVATE_H
#define INGEST_PRIVATE_H

#include "ingest/ingest.h"

#include "base/limits.h"
#include "ingest/duplicates.h"
#include "ingest/fit.h"
#include "ingest/reduce.h"
#include "ingest/refusals.h"

struct ingest {
	struct hub *hub;
	struct audit *audit;         /* NULL: nothing is told */
	const struct access *access; /* NULL: nobody has a name */
	uint8_t marked[LIMIT_USER_PROPERTIES_BYTES];
	struct schema_scratch scratch;
	struct privacy_scratch reduced;
	char reduced_topic[REDUCED_TOPIC_BYTES];
	struct extract extract;
	struct verdict verdict;
	struct duplicates *duplicates;
	const struct things *things; /* NULL: nothing is registered */
	struct refusals *refusals;
	struct ingest_stats stats;
};

/* What is known of the message on its way. */
struct way {
	const struct ingest_message *m;
	struct feed *feed;
	struct span thing;
	struct span topic, payload, properties; /* as they are kept: less than came, where the
	                                           feed has privacy steps */
	int64_t now_ms, received_ms, time_ms;
	const struct schema *schema; /* that it fits; NULL: none asked */
	const struct extract *extract;
	uint8_t flags;
};

static inline struct fit way_fitting(struct ingest *in)
{
	return (struct fit){&in->scratch, &in->extract, &in->verdict};
}

/* ---- read.c: false: it was refused ---- */

/* Does it fit, and which thing is it about? */
bool way_read(struct ingest *in, struct way *w);
/* registration = required: only of things with an entry that is valid now. */
bool way_is_registered(struct ingest *in, struct way *w);
/* Sets w->time_ms: the message's, or when it came. */
bool way_find_time(struct ingest *in, struct way *w);

/* ---- keep.c ---- */

/* Everything was checked of what came; this is what is kept of it. false: it was refused. */
bool way_reduce(struct ingest *in, struct way *w, struct span topic_thing);
/* Into the batch, with its answer; or the answer that it is there already. */
void way_keep(struct ingest *in, struct way *w);

/* ---- refuse.c ---- */

/* reason: NULL, or text that is copied. */
void way_answer(struct ingest *in, const struct way *w, enum verdict_code verdict,
                uint64_t sequence, const char *reason);
/* v goes to the quarantine and to its sender; values are left out of it where the feed has privacy
 * steps. */
void way_refuse(struct ingest *in, const struct way *w, struct verdict *v);
/* The same for a rule that no schema states; pointer: RFC 6901, "" for the whole. */
void way_refuse_text(struct ingest *in, const struct way *w, const char *rule, const char *pointer,
                     const char *text);
void way_deny(struct ingest *in, const struct way *w, const char *why);
void way_unrouted(struct ingest *in, const struct way *w);
/* No grant that fits has room; err is not ERR_SLOW. */
void way_no_room(struct ingest *in, const struct way *w, int err);

#endif
