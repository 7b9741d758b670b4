/* refused.h - what was refused, as far as who asks may know: the source itself, who administers the
 * feed, the administrator. For /v1/refusals and the page. Loop thread. */
#ifndef WEB_REFUSED_H
#define WEB_REFUSED_H

#include "ingest/refusals.h"
#include "web/private.h"

struct refused_walk { /* {0} to begin */
	const struct refusal_source *at;
	/* All of one's own about feeds that one does not see, which is one source as it would be if
	 * they were not there: without feed and thing. */
	struct refusal_source nowhere;
	bool was_nowhere;
};

/* The one that was refused last, then those before it; NULL: there are no more. Good until the
 * next one. */
const struct refusal_source *refused_next(const struct req *r, struct refused_walk *w);

#endif
