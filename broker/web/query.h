/* query.h - the query string of a URL: name=value pairs. Cutting at '&' and percent-decoding are
 * the server library's; this keeps the pairs, bounded, and knows which were given. The library cuts
 * at ';' too, which SensorThings has inside of brackets ($expand=A($top=1;$select=name)): such a
 * piece is put back. Pure. */
#ifndef WEB_QUERY_H
#define WEB_QUERY_H

#include "base/span.h"

enum { QUERY_PAIRS = 16, QUERY_BYTES = 2048 };

struct query { /* not to be copied: the spans point into it */
	unsigned n;
	size_t used; /* of text */
	struct {
		struct span name, value; /* in text */
	} pair[QUERY_PAIRS];
	char text[QUERY_BYTES];
};

void query_init(struct query *q);
/* One "name=value" that was decoded already, to the end of q, or what belongs to a bracket that the
 * one before it left open. 0; ERR_MALFORMED (a
 * name twice or empty), ERR_TOO_LARGE. */
int query_add(struct query *q, struct span pair) MUSTCHECK;
/* True and *ret when the name was given. */
bool query_get(const struct query *q, const char *name, struct span *ret);

bool query_is_among(struct span name, const char *names); /* names: space separated */

#endif
