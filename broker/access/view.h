/* view.h - what one identity may do, worked out beforehand: a row for each feed on which it has any
 * right, sorted by the feed's index. Inside the room only. */
#ifndef ACCESS_VIEW_H
#define ACCESS_VIEW_H

#include "access/access.h"

struct grant;
enum { FEED_THING_BYTES = 257 };

struct rights_row {
	uint32_t feed;     /* index */
	uint8_t all, some; /* bits 1 << right: on all things; on at least some */
	uint16_t n;        /* grants that say something about this feed */
	uint32_t first;    /* in view.grants */
};

struct rights {
	struct rights_row *rows;
	uint32_t n;
	struct grant **grants;
	uint32_t n_grants;
	uint8_t some; /* of all rows together */
};

void view_done(struct rights *v);
/* Works out p's view at now_ms. True: it may do less than before. *next_ms becomes the time of the
 * first grant that begins or ends later, when that is earlier. */
bool view_make(struct principal *p, const struct hub *h, int64_t now_ms,
               int64_t *next_ms) MUSTCHECK;
bool grant_in_force(const struct grant *g, int64_t now_ms);
bool pattern_fits(const char *pattern, struct span text); /* equal, or a beginning and '*' */

#endif
