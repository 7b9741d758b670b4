/* query.h - the query string of a URL: name=value pairs, percent-decoded. Pure, bounded. */
#ifndef WEB_QUERY_H
#define WEB_QUERY_H

#include "base/span.h"

enum { QUERY_PAIRS = 16, QUERY_BYTES = 2048 };

struct query {
	unsigned n;
	struct {
		struct span name, value; /* in text */
	} pair[QUERY_PAIRS];
	char text[QUERY_BYTES];
};

/* 0; ERR_MALFORMED (bad % escape, a name twice or empty), ERR_TOO_LARGE. */
int query_parse(struct span raw, struct query *ret) MUSTCHECK;
/* True and *ret when the name was given. */
bool query_get(const struct query *q, const char *name, struct span *ret);

/* The first name that is not among names (space separated), or NULL. */
const struct span *query_unknown(const struct query *q, const char *names);

#endif
