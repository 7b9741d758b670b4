/* reduce.h - a message of a feed with privacy steps, between the checks and the single copy: what
 * is kept of it, and what is extracted from that. Pure but for the scratch. */
#ifndef INGEST_REDUCE_H
#define INGEST_REDUCE_H

#include "base/limits.h"
#include "feed/hub.h"
#include "privacy/privacy.h"
#include "schema/schema.h"

struct reduction {
	/* in */
	const struct feed *feed;
	const struct schema *schema; /* that it fits; NULL: none */
	struct span topic_thing;     /* what the topic names, as it came; n == 0: nothing */
	struct span time_pointer;    /* of the schema's time; "" */
	int64_t received_ms;
	/* in and out */
	struct span payload;
	struct extract *extract; /* NULL: nothing is extracted */
	/* out */
	struct span thing; /* of the payload; n == 0: it names none */
};

/* 0, or ERR_INVALID with a verdict without values. payload and extract are views into the scratches
 * afterwards. */
int reduce_message(struct reduction *r, struct privacy_scratch *ps, struct schema_scratch *ss,
                   struct verdict *ret_verdict) MUSTCHECK;

/* The topic as it is kept: what stands at {thing} (a view into topic, n == 0: nothing) is renamed
 * where the steps say so. *thing becomes what it is called then. */
enum { REDUCED_TOPIC_BYTES = LIMIT_TOPIC_BYTES + PRIVACY_PSEUDONYM_BYTES };
struct span reduce_topic(const struct feed *f, struct privacy_scratch *ps, struct span topic,
                         struct span *thing, int64_t received_ms, char out[REDUCED_TOPIC_BYTES]);

#endif
