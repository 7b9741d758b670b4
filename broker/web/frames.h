/* frames.h - records as WebSocket text frames, rendered once per feed and sent to many.
 *
 * A window of the latest frames of a feed, back to back in blocks, so that one write takes many. It
 * exists while somebody stands in it and is filled by a cursor of its own, on demand: the fastest
 * member pulls it forward, the others find their frames there. A member that falls out of the
 * window goes on with a cursor of its own. Each member is told by wake() that there is more, or,
 * with out set, that the window is gone (a gap, the end of the feed): it then needs a cursor of its
 * own.
 *
 * Bounded by LIMIT_WEB_FRAMES_BYTES a feed and LIMIT_WEB_FRAMES_TOTAL_BYTES in all. Loop thread
 * only. Knows no socket. */
#ifndef WEB_FRAMES_H
#define WEB_FRAMES_H

#include "base/list.h"
#include "feed/cursor.h"
#include "feed/event.h"

struct frames; /* the window of one feed */

struct frames_set { /* all windows of one web room */
	struct list windows;
	struct frames **by_feed; /* the same by index of the feed; NULL: none */
	unsigned n_feeds;
	struct hub *hub;
	const struct event_context *event;
	size_t bytes, bytes_max, window_max;
	uint64_t rendered;
};

struct frames_member {
	struct list node;
	struct frames *frames; /* NULL: stands in no window */
	uint64_t next;         /* sequence it wants next */
	bool waiting;          /* it has all there is and wants to be woken */
	void (*wake)(struct frames_member *m, bool out);
};

void frames_init(struct frames_set *s, struct hub *h, const struct event_context *event);
void frames_done(struct frames_set *s); /* nobody may stand in a window */

/* Whether a member that wants `next` may stand in the window of f, and then it does. head: next is
 * what comes after the last committed record, so a window may be opened for it. */
bool frames_join(struct frames_set *s, struct frames_member *m, struct feed *f, uint64_t next,
                 bool head);
void frames_leave(struct frames_member *m); /* safe for one that stands in none */

enum frames_state { FRAMES_SOME = 1, FRAMES_HEAD, FRAMES_WAIT, FRAMES_BEHIND };
/* What the member sends next: whole frames, at most LIMIT_WEB_WRITE_BYTES of them or one larger
 * frame. The bytes stay until the next call for any member, and have LWS_PRE bytes of room before
 * them. Moves m->next past them. FRAMES_HEAD and FRAMES_WAIT: wake() comes. FRAMES_BEHIND: fell out
 * of the window, stands in none now. *ret_records: how many there are in it. */
enum frames_state frames_take(struct frames_member *m, struct span *ret, unsigned *ret_records);

/* After FRAMES_SOME: true when that was all and wake() will tell of more, so that it need not be
 * asked for. */
bool frames_wait(struct frames_member *m);

/* The frame of one record, when a window has it: for subscribers with a filter. */
bool frames_find(const struct frames_set *s, const struct feed *f, uint64_t sequence,
                 struct span *ret);

/* What was rendered of f is forgotten: records of it were erased. Members stand behind, then. */
void frames_forget(struct frames_set *s, const struct feed *f);

/* Four times a second: gives back what every member has passed. */
void frames_tick(struct frames_set *s);

/* Appends the record, or a control event that the caller wrote from *ret_start on, as one text
 * frame [RFC 6455, 5.2]: begin, write JSON, end. */
size_t frame_begin(struct buf *b);
void frame_end(struct buf *b, size_t start);

#endif
