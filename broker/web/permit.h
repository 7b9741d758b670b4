/* permit.h - the feeds, and the things of feeds, that who asks may read, as a list for other
 * threads: the engine asks while the loop may take a new configuration into force. */
#ifndef WEB_PERMIT_H
#define WEB_PERMIT_H

#include "access/access.h"

struct permit { /* counted: a question that nobody waits for any more has it to its end */
	unsigned users;
	bool all; /* of feeds that are no longer configured too */
	unsigned n;
	struct permit_feed *feeds; /* sorted by name */
};

struct permit *permit_new(const struct identity *who, const struct hub *h);
void permit_done(void *permit); /* accepts NULL */
struct series_filter;
/* Into the filter of a question. */
void permit_put(struct permit *p, struct series_filter *f);
bool permit_may(void *permit, struct span feed, struct span organisation, struct span thing);

#endif
