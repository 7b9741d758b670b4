/* permit.h - the feeds, and the things of feeds, that who asks may read, as a list for other
 * threads: the engine asks while the loop may take a new configuration into force. */
#ifndef WEB_PERMIT_H
#define WEB_PERMIT_H

#include "access/access.h"

struct audit;
struct req;

struct permit { /* counted: a question that nobody waits for any more has it to its end */
	unsigned users;
	struct series *series;
	bool some; /* of a feed some things only */
	bool all;  /* of feeds that are no longer configured too */
	unsigned n;
	struct permit_feed *feeds; /* sorted by name; of all: those with personal data */
	/* who asks, for the audit of what was seen of feeds with personal data */
	struct audit *audit;
	struct span name; /* lives as long as the process */
	char organisation[ACCESS_NAME_BYTES], origin[64];
};

struct permit *permit_new(const struct req *r);
/* For somebody who made no request; origin: where from, for the audit. */
struct web;
struct permit *permit_to(enum access_right right, const struct identity *who, const struct web *w,
                         const char *origin);
/* On the loop; accepts NULL. The last one tells the audit which personal data was seen. */
void permit_done(void *permit);
struct series_filter;
/* Into the filter of a question. */
void permit_put(struct permit *p, struct series_filter *f);
struct series_spot;
bool permit_may(void *permit, struct span feed, struct span organisation, struct span thing,
                const struct series_spot *spot);
/* The same of what is no thing of the series: it is where its thing is. */
bool permit_may_named(struct permit *p, struct span feed, struct span organisation,
                      struct span thing);

#endif
