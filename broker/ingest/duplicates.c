/* duplicates.c - a ring of entries and a hash index over it (linear probing, half full at most). */
#include "ingest/duplicates.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>

struct entry {
	uint64_t a, sequence; /* sequence 0: free, or taken out */
	uint32_t b, feed;
};

struct duplicates {
	struct hash_key key, key2;
	unsigned max, at;    /* at: where the next entry goes */
	struct entry *entry; /* zeroed pages cost nothing until used */
	uint32_t *index;     /* entry number + 1, 0: free */
};

static unsigned index_mask(const struct duplicates *d)
{
	return d->max * 2 - 1;
}

struct duplicates *duplicates_new(unsigned max)
{
	assert(max && (max & (max - 1)) == 0);
	struct duplicates *d = xcalloc(1, sizeof(*d));
	d->key = hash_key_random();
	d->key2 = hash_key_random();
	d->max = max;
	d->entry = xcalloc(max, sizeof(*d->entry));
	d->index = xcalloc((size_t)max * 2, sizeof(*d->index));
	return d;
}

void duplicates_free(struct duplicates *d)
{
	if (!d)
		return;
	free(d->entry);
	free(d->index);
	free(d);
}

struct duplicate_key duplicates_key(const struct duplicates *d, uint32_t feed, struct span thing,
                                    int64_t time_ms, struct span payload)
{
	struct {
		uint64_t payload, payload2, thing;
		int64_t time_ms;
		uint64_t feed;
	} all = {hash64(&d->key, payload.p, payload.n), hash64(&d->key2, payload.p, payload.n),
	         hash64(&d->key, thing.p, thing.n), time_ms, feed};
	return (struct duplicate_key){hash64(&d->key, &all, sizeof(all)),
	                              (uint32_t)hash64(&d->key2, &all, sizeof(all))};
}

/* The index slot of the entry with this key, or the free slot where the search ended. */
static uint32_t *find_slot(const struct duplicates *d, struct duplicate_key k, uint32_t feed)
{
	for (unsigned i = (unsigned)k.a & index_mask(d);; i = (i + 1) & index_mask(d)) {
		uint32_t *slot = &d->index[i];
		if (!*slot)
			return slot;
		const struct entry *e = &d->entry[*slot - 1];
		if (e->a == k.a && e->b == k.b && e->feed == feed)
			return slot;
	}
}

uint64_t duplicates_find(const struct duplicates *d, struct duplicate_key k, uint32_t feed)
{
	uint32_t *slot = find_slot(d, k, feed);
	return *slot ? d->entry[*slot - 1].sequence : 0;
}

static void drop_slot(struct duplicates *d, uint32_t *slot)
{
	d->entry[*slot - 1].sequence = 0;
	*slot = 0;
	unsigned hole = (unsigned)(slot - d->index);
	for (unsigned i = (hole + 1) & index_mask(d); d->index[i]; i = (i + 1) & index_mask(d)) {
		unsigned home = (unsigned)d->entry[d->index[i] - 1].a & index_mask(d);
		if (((i - home) & index_mask(d)) >= ((i - hole) & index_mask(d))) {
			d->index[hole] = d->index[i];
			d->index[i] = 0;
			hole = i;
		}
	}
}

void duplicates_add(struct duplicates *d, struct duplicate_key k, uint32_t feed, uint64_t sequence)
{
	assert(sequence);
	uint32_t *slot = find_slot(d, k, feed);
	if (*slot) { /* kept on purpose (duplicates = keep was just changed): the newer one counts
		      */
		d->entry[*slot - 1].sequence = sequence;
		return;
	}
	struct entry *e = &d->entry[d->at];
	if (e->sequence) {
		drop_slot(d, find_slot(d, (struct duplicate_key){e->a, e->b}, e->feed));
		slot = find_slot(d, k, feed);
	}
	*e = (struct entry){k.a, sequence, k.b, feed};
	*slot = d->at + 1;
	d->at = (d->at + 1) & (d->max - 1);
}

void duplicates_remove(struct duplicates *d, struct duplicate_key k, uint32_t feed,
                       uint64_t sequence)
{
	uint32_t *slot = find_slot(d, k, feed);
	if (*slot && d->entry[*slot - 1].sequence == sequence)
		drop_slot(d, slot);
}
