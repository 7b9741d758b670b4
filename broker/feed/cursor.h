/* cursor.h - a subscriber is a cursor: a feed and the next sequence it wants.
 *
 * It reads from the ring while it can, else from disk in blocks that all cursors in range share; it
 * never holds a transaction and costs no memory but itself (and a share of a block). Loop thread
 * only.
 *
 * cursor_next() gives records in sequence order until it says why it stops: */
#ifndef FEED_CURSOR_H
#define FEED_CURSOR_H

#include "feed/hub.h"

enum cursor_state {
	CURSOR_RECORD = 1, /* *ret is the record; valid until the next cursor_next() on any cursor,
	                      or the turn's end */
	CURSOR_HEAD =
	    2, /* nothing newer; wake() is called once after the next commit of this feed */
	CURSOR_WAIT = 3, /* being read from disk; wake() is called once when it is there */
	CURSOR_GAP =
	    4, /* records gap_from..gap_to are gone; next stands after them. Call again to go on */
	CURSOR_ENDED = 5, /* the feed is no longer configured */
	CURSOR_ERROR = 6  /* the disk would not give it; the subscriber must come back later */
};

enum cursor_gap { CURSOR_GAP_EXPIRED, CURSOR_GAP_REWOUND, CURSOR_GAP_RECREATED };

struct cursor {
	struct hub *hub;
	struct feed *feed;
	uint64_t next;                  /* sequence to give next */
	struct list node;               /* on feed->waiting, a block's list, or on none */
	void (*wake)(struct cursor *c); /* may call cursor_next(); must not close other cursors */
	void *owner;
	void *lookup; /* of cursor_open_since(), while it runs */
	enum cursor_gap gap_why;
	uint64_t gap_from, gap_to;
	bool gap_pending;
};

/* Where to start. */
void cursor_open_live(struct cursor *c, struct hub *h,
                      struct feed *f); /* after the last committed */
/* After sequence `after` of `epoch` (0: the current one). Works out gaps: a sequence beyond what
 * exists, or of an epoch that went further than the restored log, is "rewound"; an unknown epoch is
 * "recreated". */
void cursor_open_after(struct cursor *c, struct hub *h, struct feed *f, uint32_t epoch,
                       uint64_t after);
/* The first record with storedTime >= since_ms: looked up on the pool, so the cursor first says
 * CURSOR_WAIT. */
void cursor_open_since(struct cursor *c, struct hub *h, struct feed *f, int64_t since_ms);
/* c->wake and c->owner are set by the caller after opening and before cursor_next(). */

enum cursor_state cursor_next(struct cursor *c, struct record *ret);
void cursor_close(struct cursor *c); /* safe on a zeroed cursor; takes it off every list */

static inline bool cursor_at_head(const struct cursor *c)
{
	return c->next > c->feed->last;
}
const char *cursor_gap_text(enum cursor_gap why); /* "expired", "rewound", "recreated" */

/* The record of that number while it is in memory; false when it is not, whether the log has it or
 * no longer. Views as cursor_next() gives them: until the loop's turn ends. */
bool feed_recent(const struct feed *f, uint64_t sequence, struct record *ret);

#endif
