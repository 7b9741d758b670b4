/* latest.c - see latest.h. */
#include "web/latest.h"

#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"

#include <stdlib.h>

struct entry {
	struct list node;
	size_t n, thing_n;
	char *frame;
	char thing[];
};

struct latest {
	struct list entries;
	struct map by_thing;
	size_t bytes, max;
};

struct latest *latest_new(size_t max_bytes)
{
	struct latest *l = xcalloc(1, sizeof(*l));
	list_init(&l->entries);
	map_init(&l->by_thing);
	l->max = max_bytes;
	return l;
}

static size_t cost(const struct entry *e)
{
	return sizeof(*e) + sizeof(struct map_slot) + 2 * e->thing_n + e->n;
}

static void drop(struct latest *l, struct entry *e)
{
	map_remove(&l->by_thing, span_of(e->thing, e->thing_n));
	list_remove(&e->node);
	l->bytes -= cost(e);
	free(e->frame);
	free(e);
}

void latest_free(struct latest *l)
{
	if (!l)
		return;
	while (!list_empty(&l->entries))
		drop(l, list_entry(l->entries.next, struct entry, node));
	map_done(&l->by_thing);
	free(l);
}

bool latest_full(const struct latest *l)
{
	return l->bytes >= l->max;
}

bool latest_empty(const struct latest *l)
{
	return list_empty(&l->entries);
}

void latest_put(struct latest *l, struct span thing, struct span frame)
{
	struct entry *e = map_get(&l->by_thing, thing);
	if (!e) {
		e = xcalloc(1, sizeof(*e) + thing.n);
		e->thing_n = thing.n;
		if (thing.n)
			memcpy(e->thing, thing.p, thing.n);
		map_set(&l->by_thing, thing, e);
		list_append(&l->entries, &e->node);
	} else { /* it goes to the end: sequences only grow on the wire */
		l->bytes -= cost(e);
		list_remove(&e->node);
		list_append(&l->entries, &e->node);
		free(e->frame);
	}
	e->frame = xmalloc(frame.n);
	e->n = frame.n;
	memcpy(e->frame, frame.p, frame.n);
	l->bytes += cost(e);
}

unsigned latest_take(struct latest *l, struct buf *out, size_t max_bytes)
{
	unsigned n = 0;
	while (!list_empty(&l->entries)) {
		struct entry *e = list_entry(l->entries.next, struct entry, node);
		if (n && out->len + e->n > max_bytes)
			break;
		buf_add(out, e->frame, e->n);
		drop(l, e);
		n++;
	}
	return n;
}
