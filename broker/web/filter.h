/* filter.h - which records a subscriber wants: thing, property, place. Pure. */
#ifndef WEB_FILTER_H
#define WEB_FILTER_H

#include "base/buf.h"
#include "base/shape.h"
#include "feed/record.h"
#include "web/query.h"

enum { FILTER_THING_BYTES = 256, FILTER_PROPERTY_BYTES = 128 };

struct filter {
	uint16_t thing_n, property_n; /* 0: any */
	struct shape area;            /* bbox; what has no place is not in it */
	char thing[FILTER_THING_BYTES], property[FILTER_PROPERTY_BYTES];
};

/* Reads thing=, property= and bbox=minlon,minlat,maxlon,maxlat. NULL, or the first that is wrong
 * (static text, and its parameter). */
const char *filter_read(const struct query *q, struct filter *ret, struct span *ret_parameter);
static inline bool filter_any(const struct filter *f) /* everything passes */
{
	return !f->thing_n && !f->property_n && f->area.kind == SHAPE_EVERYWHERE;
}
bool filter_match(const struct filter *f, const struct record *r);

/* Appends "&name=value" for each of names (space separated) that q has, percent-encoded: what the
 * link to the next page must ask for too. */
void filter_write_query(struct buf *b, const struct query *q, const char *names);

#endif
