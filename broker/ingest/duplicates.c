/* duplicates.c - a ring of entries and a hash index over it (linear probing, half full at most). */
#include "ingest/duplicates.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>

struct entry {
	uint64_t a, sequence; /* sequence 0: free, or taken out */
	uint32_t b, feed;
};

/* The low half of the key beside the number tells strangers apart, and where a slot belongs,
 * without looking at the entry: that is a cache miss each time. */
struct slot {
	uint32_t at; /* entry number + 1, 0: free */
	uint32_t low;
};

struct duplicates {
	struct hash_key key;
	unsigned max, at;    /* at: where the next entry goes */
	struct entry *entry; /* in the table of the index, behind it */
	struct slot *index;
};

enum { AHEAD = 4 }; /* so many entries before one is forgotten its slot is fetched */

static unsigned index_mask(const struct duplicates *d)
{
	return d->max * 2 - 1;
}

static size_t table_bytes(const struct duplicates *d)
{
	size_t bytes = d->max * (2 * sizeof(struct slot) + sizeof(struct entry));
	return (bytes + 4095) & ~(size_t)4095; /* whole pages */
}

struct duplicates *duplicates_new(unsigned max)
{
	assert(max && (max & (max - 1)) == 0);
	struct duplicates *d = xcalloc(1, sizeof(*d));
	d->key = hash_key_random();
	d->max = max;
	d->index = xtable(table_bytes(d));
	d->entry = (struct entry *)(void *)(d->index + (size_t)max * 2);
	return d;
}

void duplicates_free(struct duplicates *d)
{
	if (!d)
		return;
	xtable_free(d->index, table_bytes(d));
	free(d);
}

struct duplicate_key duplicates_key(const struct duplicates *d, uint32_t feed, struct span thing,
                                    int64_t time_ms, struct span payload)
{
	struct {
		uint64_t payload[2], thing;
		int64_t time_ms;
		uint64_t feed;
	} all = {.thing = hash64(&d->key, thing.p, thing.n), .time_ms = time_ms, .feed = feed};
	uint64_t h[2];
	hash128(&d->key, payload.p, payload.n, all.payload);
	hash128(&d->key, &all, sizeof(all), h);
	return (struct duplicate_key){h[0], (uint32_t)h[1]};
}

/* The index slot of the entry with this key, or the free slot where the search ended. */
static struct slot *find_slot(const struct duplicates *d, struct duplicate_key k, uint32_t feed)
{
	for (unsigned i = (unsigned)k.a & index_mask(d);; i = (i + 1) & index_mask(d)) {
		struct slot *slot = &d->index[i];
		if (!slot->at)
			return slot;
		if (slot->low != (uint32_t)k.a)
			continue;
		const struct entry *e = &d->entry[slot->at - 1];
		if (e->a == k.a && e->b == k.b && e->feed == feed)
			return slot;
	}
}

void duplicates_expect(const struct duplicates *d, struct duplicate_key k)
{
	__builtin_prefetch(&d->index[k.a & index_mask(d)], 1);
}

uint64_t duplicates_find(const struct duplicates *d, struct duplicate_key k, uint32_t feed)
{
	const struct slot *slot = find_slot(d, k, feed);
	return slot->at ? d->entry[slot->at - 1].sequence : 0;
}

static void drop_slot(struct duplicates *d, struct slot *slot)
{
	d->entry[slot->at - 1].sequence = 0;
	slot->at = 0;
	unsigned hole = (unsigned)(slot - d->index);
	for (unsigned i = (hole + 1) & index_mask(d); d->index[i].at; i = (i + 1) & index_mask(d)) {
		unsigned home = d->index[i].low & index_mask(d);
		if (((i - home) & index_mask(d)) >= ((i - hole) & index_mask(d))) {
			d->index[hole] = d->index[i];
			d->index[i].at = 0;
			hole = i;
		}
	}
}

void duplicates_add(struct duplicates *d, struct duplicate_key k, uint32_t feed, uint64_t sequence)
{
	assert(sequence);
	struct slot *slot = find_slot(d, k, feed);
	if (slot->at) { /* kept on purpose (duplicates = keep was just changed): the newer counts */
		d->entry[slot->at - 1].sequence = sequence;
		return;
	}
	struct entry *e = &d->entry[d->at];
	if (e->sequence) {
		drop_slot(d, find_slot(d, (struct duplicate_key){e->a, e->b}, e->feed));
		slot = find_slot(d, k, feed);
	}
	*e = (struct entry){k.a, sequence, k.b, feed};
	*slot = (struct slot){d->at + 1, (uint32_t)k.a};
	d->at = (d->at + 1) & (d->max - 1);
	__builtin_prefetch(&d->index[d->entry[(d->at + AHEAD) & (d->max - 1)].a & index_mask(d)]);
}

void duplicates_remove(struct duplicates *d, struct duplicate_key k, uint32_t feed,
                       uint64_t sequence)
{
	struct slot *slot = find_slot(d, k, feed);
	if (slot->at && d->entry[slot->at - 1].sequence == sequence)
		drop_slot(d, slot);
}
