/* cursor.c - see cursor.h. Decides where the next record comes from; block.c fetches from disk. */
#include "feed/cursor.h"

#include "base/err.h"
#include "base/mem.h"
#include "feed/hub_private.h"

#include <stdlib.h>

static void cursor_init(struct cursor *c, struct hub *h, struct feed *f)
{
	*c = (struct cursor){.hub = h, .feed = f};
	list_init(&c->node);
}

void cursor_open_live(struct cursor *c, struct hub *h, struct feed *f)
{
	cursor_init(c, h, f);
	c->next = f->last + 1;
}

static void set_gap(struct cursor *c, enum cursor_gap why, uint64_t from, uint64_t to,
                    uint64_t next)
{
	c->gap_pending = true;
	c->gap_why = why;
	c->gap_from = from;
	c->gap_to = MAX_OF(to, from);
	c->next = next;
}

void cursor_open_after(struct cursor *c, struct hub *h, struct feed *f, uint32_t epoch,
                       uint64_t after)
{
	cursor_init(c, h, f);
	uint64_t end =
	    f->last; /* the last sequence that a reader of that epoch can have in common with us */
	if (epoch && epoch != f->epoch) {
		unsigned i = 0;
		while (i < f->n_epochs && f->epochs[i].epoch != epoch)
			i++;
		if (i + 1 >= f->n_epochs) {
			set_gap(c, CURSOR_GAP_RECREATED, 1, MAX_OF(after, (uint64_t)1), f->first);
			return;
		}
		end = f->epochs[i + 1].first - 1;
	}
	if (after > end)
		set_gap(c, CURSOR_GAP_REWOUND, end + 1, after, end + 1);
	else
		c->next = after + 1;
}

/* ---- since: a binary search by storedTime, which never goes back ---- */

struct lookup {
	struct job job;
	struct cursor *cursor; /* NULL: closed meanwhile */
	struct store *store;
	uint32_t feed_id;
	int64_t since_ms;
	uint64_t low, high, found;
	int err;
};

struct probe {
	uint64_t sequence;
	int64_t stored_ms;
	bool is;
};

static int look(void *arg, uint64_t sequence, struct span record)
{
	struct probe *p = arg;
	struct record r;
	int err = record_read(record, false, &r);
	if (err)
		return err;
	*p = (struct probe){sequence, r.stored_ms, true};
	return 1;
}

static void lookup_work(struct job *j)
{
	struct lookup *l = container_of(j, struct lookup, job);
	uint64_t low = l->low, high = l->high + 1; /* the answer is in low..high */
	while (low < high) {
		uint64_t mid = low + (high - low) / 2, next;
		struct probe p = {0};
		l->err = store_read(l->store, l->feed_id, mid, SIZE_MAX, look, &p, &next);
		if (l->err)
			return;
		if (!p.is || p.stored_ms >= l->since_ms)
			high = mid;
		else
			low = p.sequence + 1;
	}
	l->found = low;
}

static void lookup_done(struct job *j)
{
	struct lookup *l = container_of(j, struct lookup, job);
	struct cursor *c = l->cursor;
	if (c) {
		c->lookup = NULL;
		/* On an error the start is the whole log: more than was asked for, never less. */
		c->next = l->err ? l->low : l->found;
		if (c->wake)
			c->wake(c);
	}
	free(l);
}

void cursor_open_since(struct cursor *c, struct hub *h, struct feed *f, int64_t since_ms)
{
	cursor_init(c, h, f);
	c->next = f->last + 1;
	if (f->first > f->last)
		return;
	struct lookup *l = xcalloc(1, sizeof(*l));
	*l = (struct lookup){.job = {.work = lookup_work, .done = lookup_done},
	                     .cursor = c,
	                     .store = h->store,
	                     .feed_id = f->id,
	                     .since_ms = since_ms,
	                     .low = f->first,
	                     .high = f->last};
	c->lookup = l;
	h->runner.pool(h->runner.arg, &l->job);
}

/* ---- reading ---- */

static enum cursor_state give(struct cursor *c, const uint8_t *bytes, size_t n, bool check,
                              struct record *ret)
{
	if (record_read(span_of((const char *)bytes, n), check, ret) || ret->sequence != c->next)
		return CURSOR_ERROR;
	c->next++;
	return CURSOR_RECORD;
}

/* The size of a record in memory stands in front of it. */
static size_t ring_bytes(const uint8_t *bytes)
{
	return ((const struct slab_head *)(const void *)bytes - 1)->bytes;
}

static enum cursor_state from_disk(struct cursor *c, struct record *ret)
{
	for (;;) {
		int err;
		struct block *b = block_get(c->hub, c, &err);
		if (err)
			return CURSOR_ERROR;
		if (!b) {
			/* An inline runner has woken nobody yet who was not there: look again at
			 * once. */
			return CURSOR_WAIT;
		}
		uint64_t seq;
		size_t n;
		const uint8_t *bytes = block_record(b, c->next, &seq, &n);
		if (!bytes) { /* the log's head moved past all of it */
			block_forget(c->hub, c->feed);
			if (c->next >= c->feed->first)
				return CURSOR_ERROR;
			return CURSOR_WAIT;
		}
		if (seq != c->next) {
			set_gap(c, CURSOR_GAP_EXPIRED, c->next, seq - 1, seq);
			c->gap_pending = false;
			return CURSOR_GAP;
		}
		return give(c, bytes, n, true, ret);
	}
}

enum cursor_state cursor_next(struct cursor *c, struct record *ret)
{
	struct feed *f = c->feed;
	if (f->ended)
		return CURSOR_ENDED;
	if (c->lookup)
		return CURSOR_WAIT;
	if (!list_empty(&c->node)) /* waiting already: for the next commit, or for a block */
		return c->next > f->last ? CURSOR_HEAD : CURSOR_WAIT;
	if (c->gap_pending) {
		c->gap_pending = false;
		return CURSOR_GAP;
	}
	if (c->next < f->first) {
		uint64_t from = c->next;
		set_gap(c, CURSOR_GAP_EXPIRED, from, f->first - 1, f->first);
		c->gap_pending = false;
		if (f->first > f->last) /* all of it is gone */
			c->next = f->last + 1;
		return CURSOR_GAP;
	}
	if (c->next > f->last) {
		list_append(&f->waiting, &c->node);
		return CURSOR_HEAD;
	}
	if (c->next >= f->ring_first) {
		const uint8_t *bytes = f->ring[c->next & f->ring_mask];
		return give(c, bytes, ring_bytes(bytes), false, ret);
	}
	return from_disk(c, ret);
}

bool feed_recent(const struct feed *f, uint64_t sequence, struct record *ret)
{
	if (sequence < f->first || sequence < f->ring_first || sequence > f->last)
		return false;
	const uint8_t *bytes = f->ring[sequence & f->ring_mask];
	return record_read(span_of((const char *)bytes, ring_bytes(bytes)), false, ret) == 0;
}

void cursor_wake_all(struct list *waiting)
{
	struct list woken;
	list_init(&woken);
	list_splice(&woken, waiting);
	while (!list_empty(&woken)) {
		struct cursor *c = list_entry(woken.next, struct cursor, node);
		list_remove(&c->node);
		c->wake(c);
	}
}

void cursor_close(struct cursor *c)
{
	if (!c->feed)
		return;
	if (c->lookup)
		((struct lookup *)c->lookup)->cursor = NULL;
	list_remove(&c->node);
	*c = (struct cursor){0};
}

const char *cursor_gap_text(enum cursor_gap why)
{
	static const char *const text[] = {"expired", "rewound", "recreated"};
	return text[why];
}
