/* refusals.h - how much of whom was refused, and why the last time: a source is an identity with
 * the feed and thing that it was about. Counted since the start, in memory; the texts stand in the
 * quarantine. At most LIMIT_REFUSED_SOURCES: the longest silent one goes. Only refusals pay. Loop
 * thread. */
#ifndef INGEST_REFUSALS_H
#define INGEST_REFUSALS_H

#include "access/access.h"
#include "feed/hub.h"

enum refusal_kind {
	REFUSAL_UNFIT,    /* schema, time, thing */
	REFUSAL_DENIED,   /* no right */
	REFUSAL_UNROUTED, /* no feed takes the topic */
	REFUSAL_LIMIT,    /* larger or more than granted */
	REFUSAL_CONFLICT, /* SensorThings: there is another one */
	REFUSAL_KINDS
};

enum { REFUSAL_REASON_BYTES = 160, REFUSAL_RULE_BYTES = 32 };

struct refusal_source {                                  /* texts are views */
	struct span organisation, identity, feed, thing; /* n 0: none */
	uint64_t count[REFUSAL_KINDS];
	int64_t first_ms, last_ms;
	char rule[REFUSAL_RULE_BYTES], reason[REFUSAL_REASON_BYTES]; /* of the last one */
};

struct refusals;
struct refusals *refusals_new(void);
void refusals_free(struct refusals *t); /* accepts NULL */
/* feed NULL: none. Of a feed with privacy steps the thing is not kept, nor one that is very long.
 */
void refusals_count(struct refusals *t, const struct identity *who, const struct feed *feed,
                    struct span thing, enum refusal_kind kind, const char *rule, const char *reason,
                    int64_t now_ms);
/* A thing was erased: nothing names it any more. */
struct erasure;
void refusals_erased(struct refusals *t, const struct erasure *e);
/* The one that was refused last, then those before it; NULL: there are no more. */
const struct refusal_source *refusals_next(const struct refusals *t,
                                           const struct refusal_source *former);
unsigned refusals_sources(const struct refusals *t);
const uint64_t *
refusals_total(const struct refusals *t);              /* of each kind, also of those that went */
extern const char *const refusal_names[REFUSAL_KINDS]; /* as metrics and the API say them */

#endif
