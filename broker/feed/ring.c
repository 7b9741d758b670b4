/* ring.c - recent records in memory: one FIFO of slabs for all feeds, and per feed an index by
 * sequence. A slab goes when the bound is met and all its records are committed; the feeds' indexes
 * move past it. */
#include "base/mem.h"
#include "feed/hub_private.h"
#include "feed/record_build.h"

#include <stdlib.h>

enum { FREE_SLABS = 8, RING_FIRST = 16, AHEAD_LINES = 8, AHEAD_HEADS = 24 };

static size_t room_for(size_t bytes)
{
	return (sizeof(struct slab_head) + bytes + 7) & ~(size_t)7;
}

static uint32_t *place_of(struct slab *s, uint32_t i)
{
	return (uint32_t *)(void *)(s->mem + s->size) - 1 - i;
}

static struct slab_head *head_of(struct slab *s, uint32_t i)
{
	return (struct slab_head *)(void *)(s->mem + *place_of(s, i));
}

static void forget_records(struct hub *h, struct slab *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		const struct slab_head *head = head_of(s, i);
		if (i + AHEAD_HEADS < s->n)
			__builtin_prefetch(head_of(s, i + AHEAD_HEADS));
		if (head->feed == UINT32_MAX)
			continue;
		struct feed *f = h->feeds[head->feed];
		uint64_t seq = record_sequence((const uint8_t *)(head + 1));
		if (seq >= f->ring_first)
			f->ring_first = seq + 1;
	}
}

static void evict(struct hub *h, size_t wanted)
{
	while (!list_empty(&h->slabs) && h->slab_bytes + wanted > LIMIT_RING_BYTES) {
		struct slab *s = list_entry(h->slabs.next, struct slab, node);
		if (s->last_batch > h->done_number)
			return; /* not committed yet: the batches' own bounds hold the memory */
		forget_records(h, s);
		list_remove(&s->node);
		h->slab_bytes -= s->size;
		if (s->size == LIMIT_SLAB_BYTES && h->n_free_slabs < FREE_SLABS) {
			list_append(&h->free_slabs, &s->node);
			h->n_free_slabs++;
		} else {
			free(s);
		}
	}
}

static struct slab *slab_new(struct hub *h, size_t room)
{
	size_t size = MAX_OF((room + sizeof(uint32_t) + 7) & ~(size_t)7, (size_t)LIMIT_SLAB_BYTES);
	struct slab *s;
	evict(h, size);
	if (size == LIMIT_SLAB_BYTES && !list_empty(&h->free_slabs)) {
		s = list_entry(h->free_slabs.next, struct slab, node);
		list_remove(&s->node);
		h->n_free_slabs--;
	} else {
		s = xmalloc(sizeof(*s) + size);
		s->size = (uint32_t)size;
		list_init(&s->node);
	}
	s->used = s->n = 0;
	h->slab_bytes += s->size;
	list_append(&h->slabs, &s->node);
	return s;
}

uint8_t *ring_alloc(struct hub *h, size_t bytes)
{
	size_t room = room_for(bytes);
	struct slab *s =
	    list_empty(&h->slabs) ? NULL : list_entry(h->slabs.prev, struct slab, node);
	if (!s || s->size - s->used < room + (s->n + 1) * sizeof(uint32_t))
		s = slab_new(h, room);
	struct slab_head *head = (struct slab_head *)(void *)(s->mem + s->used);
	*head = (struct slab_head){(uint32_t)bytes, UINT32_MAX};
	*place_of(s, s->n++) = s->used;
	s->used += (uint32_t)room;
	s->last_batch = h->filling->number;
	for (unsigned i = 0; i < AHEAD_LINES; i++) /* where the next record will be written */
		__builtin_prefetch(s->mem + s->used + (size_t)i * 64, 1);
	return (uint8_t *)(head + 1);
}

void ring_alloc_undo(struct hub *h, const uint8_t *bytes, size_t n)
{
	struct slab *s = list_entry(h->slabs.prev, struct slab, node);
	s->used -= (uint32_t)room_for(n);
	s->n--;
	assert(bytes == s->mem + s->used + sizeof(struct slab_head));
}

void ring_own(uint8_t *bytes, uint32_t feed)
{
	((struct slab_head *)(void *)bytes - 1)->feed = feed;
}

static void ring_grow(struct feed *f)
{
	uint32_t cap = f->ring ? (f->ring_mask + 1) * 2 : RING_FIRST;
	const uint8_t **ring = xcalloc(cap, sizeof(*ring));
	for (uint64_t s = f->ring_first; s < f->last; s++)
		ring[s & (cap - 1)] = f->ring[s & f->ring_mask];
	free(f->ring);
	f->ring = ring;
	f->ring_mask = cap - 1;
}

void ring_push(struct feed *f, const uint8_t *bytes)
{
	assert(record_sequence(bytes) == f->last && f->ring_first <= f->last);
	if (!f->ring || f->last - f->ring_first > f->ring_mask) {
		if (f->ring && f->ring_mask + 1 >= LIMIT_RING_RECORDS)
			f->ring_first = f->last - f->ring_mask;
		else
			ring_grow(f);
	}
	f->ring[f->last & f->ring_mask] = bytes;
}

void ring_free(struct hub *h)
{
	list_for_each_safe (it, &h->slabs)
		free(list_entry(it, struct slab, node));
	list_for_each_safe (it, &h->free_slabs)
		free(list_entry(it, struct slab, node));
	list_init(&h->slabs);
	list_init(&h->free_slabs);
}
