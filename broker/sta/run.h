/* run.h - answers one query of SensorThings from a source. Blocks as long as the source does: run
 * it on a thread that may. Bounded: LIMIT_STA_PAGE entities of the set, LIMIT_STA_ENTITIES in the
 * whole answer, LIMIT_STA_EXAMINED looked at, the buffer's own bound in bytes; where a bound ends a
 * page early there is an @iot.nextLink, which SensorThings clients follow anyway.
 *
 * Links to the next page name the last entity of this one, not a number to skip: entities that come
 * and go meanwhile repeat and hide nothing. */
#ifndef STA_RUN_H
#define STA_RUN_H

#include "base/buf.h"
#include "sta/query.h"
#include "sta/source.h"

struct sta_request {
	const struct sta_query *q;
	const struct sta_source *source;
	const char *root;          /* URL of the service, without a slash at its end */
	struct span path, options; /* as they came, percent-encoded: for links */
	int64_t now_ms;
};

/* Percent-encoded as the links of answers have it, and as sta_query_read() reads it. */
void write_encoded(struct buf *b, struct span s);

/* Appends the body; none: a property that the entity does not have now, a 204. 0; ERR_NOT_FOUND: no
 * such entity; ERR_MALFORMED, ERR_TOO_LARGE: the question, error says what to do; ERR_AGAIN and the
 * store's errors from the source. *ret_type: static. */
int sta_run(const struct sta_request *r, struct buf *out, const char **ret_type,
            char error[200]) MUSTCHECK;

/* Appends one entity of the type that the query's path ends in, or the property that it names, as
 * the query's options want it; whether the path leads there is the caller's affair. ERR_NOT_FOUND:
 * it is not there, or $filter does not hold. */
int sta_run_entity(const struct sta_request *r, int64_t id, struct buf *out) MUSTCHECK;

/* The entity at the end of a path that leads to one. The store's errors, ERR_NOT_FOUND. */
int sta_path_end(const struct sta_request *r, int64_t *ret_id) MUSTCHECK;
/* 0: the path leads to this entity of the type that it ends in, which may be one of a set;
 * ERR_NOT_FOUND: it does not. */
int sta_path_leads_to(const struct sta_request *r, int64_t id) MUSTCHECK;

#endif
