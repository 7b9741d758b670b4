/* published.h - a version that is in use does not change in meaning: its digest is kept in the
 * store when a feed first takes it, and compared at each start and reload. */
#ifndef FEED_PUBLISHED_H
#define FEED_PUBLISHED_H

#include "feed/hub.h"

/* Appends to why a line for each schema of c's feeds that has changed since it was taken into use,
 * unless its feed is a draft. 0, ERR_CONFIG after such lines, or the store's error. */
int published_check(struct hub *h, const struct config *c, const struct catalog *schemas,
                    struct buf *why) MUSTCHECK;
/* After that: the digests of what is new go into the next commit; of a changed draft it is
 * forgotten, so that it is taken anew when it is a draft no longer. */
int published_keep(struct hub *h, const struct config *c, const struct catalog *schemas) MUSTCHECK;
void published_done(struct hub *h); /* frees what is remembered */

#endif
