/* frames.c - see frames.h. */
#include "web/frames.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stdlib.h>

enum {
	PRE_BYTES = 32, /* before the first frame of a block: LWS_PRE and more */
	HEAD_BYTES = 4, /* of a frame of 126 to 65,535 bytes: nearly all are */
	HEAD_MAX_BYTES = 10,
	BLOCK_FRAMES = 512 /* more only when events were shorter than 128 bytes; they are not */
};

struct block {
	struct list node;
	uint64_t first; /* sequence */
	unsigned n;
	size_t len, cap;
	uint32_t end[BLOCK_FRAMES]; /* of each frame; a record that expired has an empty one */
	uint8_t pre[PRE_BYTES];
	uint8_t mem[];
};

struct frames {
	struct list node, members, blocks; /* blocks: oldest first */
	struct frames_set *set;
	struct cursor cursor; /* its next is the first sequence that is not in a block yet */
	size_t bytes;
};

/* ---- one frame ---- */

size_t frame_begin(struct buf *b)
{
	size_t start = b->len;
	if (buf_room(b, HEAD_BYTES))
		b->len += HEAD_BYTES;
	return start;
}

void frame_end(struct buf *b, size_t start)
{
	if (b->err)
		return;
	size_t n = b->len - start - HEAD_BYTES;
	size_t head = n < 126 ? 2 : n < 65536 ? HEAD_BYTES : HEAD_MAX_BYTES;
	if (head > HEAD_BYTES && !buf_room(b, head - HEAD_BYTES))
		return;
	uint8_t *p = (uint8_t *)b->p + start;
	if (head != HEAD_BYTES)
		memmove(p + head, p + HEAD_BYTES, n);
	p[0] = 0x81; /* the whole message, text, not masked */
	if (head == 2)
		p[1] = (uint8_t)n;
	else
		p[1] = head == HEAD_BYTES ? 126 : 127;
	for (size_t i = 0; head > 2 && i < head - 2; i++)
		p[2 + i] = (uint8_t)(n >> 8 * (head - 3 - i));
	b->len = start + head + n;
}

/* ---- blocks ---- */

static struct block *block_at(const struct list *node)
{
	return list_entry(node, struct block, node);
}

static void block_drop(struct frames *f, struct block *b)
{
	list_remove(&b->node);
	f->bytes -= b->cap;
	f->set->bytes -= b->cap;
	free(b);
}

static uint64_t window_first(const struct frames *f)
{
	return list_empty(&f->blocks) ? f->cursor.next : block_at(f->blocks.next)->first;
}

static bool too_much(const struct frames *f, size_t more)
{
	return f->bytes + more > f->set->window_max || f->set->bytes + more > f->set->bytes_max;
}

/* A block for frames from `first` on; the oldest ones go when it is too much. */
static struct block *block_add(struct frames *f, uint64_t first, size_t cap)
{
	while (!list_empty(&f->blocks) && too_much(f, cap))
		block_drop(f, block_at(f->blocks.next));
	struct block *b = xmalloc(sizeof(*b) + cap);
	b->first = first;
	b->n = 0;
	b->len = 0;
	b->cap = cap;
	list_append(&f->blocks, &b->node);
	f->bytes += cap;
	f->set->bytes += cap;
	return b;
}

/* Renders r at the end of b. False: it does not fit. */
static bool block_render(struct frames *f, struct block *b, const struct record *r)
{
	assert(r->sequence == b->first + b->n);
	if (b->n == BLOCK_FRAMES)
		return false;
	const struct clock *clock = hub_clock(f->set->hub);
	if (!r->expiry_s || clock_wall_ms(clock) / 1000 < r->expiry_s) {
		/* cap is max: the buffer never moves */
		struct buf out = {(char *)b->mem, b->len, b->cap, b->cap, 0};
		size_t start = frame_begin(&out);
		event_write(&out, f->set->event, f->cursor.feed, r);
		frame_end(&out, start);
		if (out.err)
			return false;
		b->len = out.len;
		f->set->rendered++;
	}
	b->end[b->n++] = (uint32_t)b->len;
	return true;
}

static void render(struct frames *f, const struct record *r)
{
	struct block *b = list_empty(&f->blocks) ? NULL : block_at(f->blocks.prev);
	size_t cap = LIMIT_WEB_WRITE_BYTES;
	if (b && block_render(f, b, r))
		return;
	for (b = block_add(f, r->sequence, cap); !block_render(f, b, r);
	     b = block_add(f, r->sequence, cap)) { /* larger than a block is: one of its own */
		assert(b->n == 0 && cap <= LIMIT_WEB_EVENT_BYTES);
		block_drop(f, b);
		cap = MAX_OF(cap * 2, r->payload.n * 2);
	}
}

/* ---- windows ---- */

void frames_init(struct frames_set *s, struct hub *h, const struct event_context *event)
{
	*s = (struct frames_set){.hub = h,
	                         .event = event,
	                         .bytes_max = LIMIT_WEB_FRAMES_TOTAL_BYTES,
	                         .window_max = LIMIT_WEB_FRAMES_BYTES};
	list_init(&s->windows);
}

void frames_done(struct frames_set *s)
{
	assert(list_empty(&s->windows) && s->bytes == 0);
	free(s->by_feed);
}

static struct frames *window_of(const struct frames_set *s, const struct feed *feed)
{
	return feed->index < s->n_feeds ? s->by_feed[feed->index] : NULL;
}

static void window_free(struct frames *f)
{
	assert(list_empty(&f->members));
	while (!list_empty(&f->blocks))
		block_drop(f, block_at(f->blocks.next));
	f->set->by_feed[f->cursor.feed->index] = NULL;
	cursor_close(&f->cursor);
	list_remove(&f->node);
	free(f);
}

static void on_wake(struct cursor *c)
{
	struct frames *f = c->owner;
	list_for_each (it, &f->members) {
		struct frames_member *m = list_entry(it, struct frames_member, node);
		if (m->waiting)
			m->wake(m, false);
		m->waiting = false;
	}
}

static struct frames *window_open(struct frames_set *s, struct feed *feed)
{
	struct frames *f = xcalloc(1, sizeof(*f));
	if (feed->index >= s->n_feeds) {
		unsigned n = hub_feed_count(s->hub);
		s->by_feed = xrealloc(s->by_feed, n * sizeof(struct frames *));
		while (s->n_feeds < n)
			s->by_feed[s->n_feeds++] = NULL;
	}
	s->by_feed[feed->index] = f;
	f->set = s;
	list_init(&f->members);
	list_init(&f->blocks);
	cursor_open_live(&f->cursor, s->hub, feed);
	f->cursor.wake = on_wake;
	f->cursor.owner = f;
	list_append(&s->windows, &f->node);
	return f;
}

bool frames_join(struct frames_set *s, struct frames_member *m, struct feed *feed, uint64_t next,
                 bool head)
{
	assert(!m->frames && m->wake);
	struct frames *f = window_of(s, feed);
	if (!f && head)
		f = window_open(s, feed);
	if (!f || next < window_first(f) || (next > f->cursor.next && !head))
		return false;
	m->frames = f;
	m->next = next;
	m->waiting = false;
	list_append(&f->members, &m->node);
	return true;
}

void frames_leave(struct frames_member *m)
{
	struct frames *f = m->frames;
	if (!f)
		return;
	list_remove(&m->node);
	m->frames = NULL;
	m->waiting = false;
	if (list_empty(&f->members))
		window_free(f);
}

/* A gap, the end of the feed: every member finds out for itself. */
static void dissolve(struct frames *f)
{
	while (!list_empty(&f->members)) {
		struct frames_member *m = list_entry(f->members.next, struct frames_member, node);
		list_remove(&m->node);
		m->frames = NULL;
		m->waiting = false;
		m->wake(m, true);
	}
	window_free(f);
}

/* Renders on until there is a frame for `want`, and then as much as one write takes. */
static enum frames_state fill(struct frames *f, uint64_t want)
{
	size_t written = 0;
	struct record r;
	while (f->cursor.next <= want || written < LIMIT_WEB_WRITE_BYTES / 2) {
		switch (cursor_next(&f->cursor, &r)) {
		case CURSOR_RECORD:
			render(f, &r);
			written += r.payload.n + RECORD_HEAD_BYTES;
			continue;
		case CURSOR_HEAD: return f->cursor.next > want ? FRAMES_SOME : FRAMES_HEAD;
		case CURSOR_WAIT: return f->cursor.next > want ? FRAMES_SOME : FRAMES_WAIT;
		default: return FRAMES_BEHIND;
		}
	}
	return FRAMES_SOME;
}

static struct block *find(const struct frames *f, uint64_t sequence)
{
	for (struct list *it = f->blocks.prev; it != &f->blocks; it = it->prev)
		if (block_at(it)->first <= sequence)
			return sequence < block_at(it)->first + block_at(it)->n ? block_at(it)
			                                                        : NULL;
	return NULL;
}

enum frames_state frames_take(struct frames_member *m, struct span *ret, unsigned *ret_records)
{
	struct frames *f = m->frames;
	assert(f);
	for (;;) {
		enum frames_state state = FRAMES_SOME;
		if (m->next < window_first(f)) {
			frames_leave(m);
			return FRAMES_BEHIND;
		}
		if (m->next >= f->cursor.next)
			state = fill(f, m->next);
		if (state == FRAMES_BEHIND) {
			dissolve(f);
			return FRAMES_BEHIND;
		}
		if (state != FRAMES_SOME) {
			m->waiting = true;
			return state;
		}
		struct block *b = find(f, m->next);
		if (!b) /* rendering went on past it: the window is smaller than one write */
			continue;
		unsigned i = (unsigned)(m->next - b->first);
		size_t from = i ? b->end[i - 1] : 0;
		m->next = b->first + b->n;
		if (b->len == from) /* all of them expired */
			continue;
		*ret = span_of((const char *)b->mem + from, b->len - from);
		*ret_records = b->n - i;
		return FRAMES_SOME;
	}
}

bool frames_wait(struct frames_member *m)
{
	const struct frames *f = m->frames;
	m->waiting =
	    m->next >= f->cursor.next && cursor_at_head(&f->cursor) && !list_empty(&f->cursor.node);
	return m->waiting;
}

bool frames_find(const struct frames_set *s, const struct feed *feed, uint64_t sequence,
                 struct span *ret)
{
	const struct frames *f = window_of(s, feed);
	struct block *b = f ? find(f, sequence) : NULL;
	if (!b)
		return false;
	unsigned i = (unsigned)(sequence - b->first);
	size_t from = i ? b->end[i - 1] : 0;
	*ret = span_of((const char *)b->mem + from, b->end[i] - from);
	return true;
}

void frames_forget(struct frames_set *s, const struct feed *feed)
{
	struct frames *f = window_of(s, feed);
	while (f && !list_empty(&f->blocks))
		block_drop(f, block_at(f->blocks.next));
}

void frames_tick(struct frames_set *s)
{
	list_for_each (it, &s->windows) {
		struct frames *f = list_entry(it, struct frames, node);
		uint64_t least = UINT64_MAX;
		list_for_each (at, &f->members)
			least = MIN_OF(least, list_entry(at, struct frames_member, node)->next);
		while (!list_empty(&f->blocks)) {
			struct block *b = block_at(f->blocks.next);
			if (b->first + b->n > least)
				break;
			block_drop(f, b);
		}
	}
}
