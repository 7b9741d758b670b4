/* duplicates.h - the last LIMIT_DUPLICATES records by what makes one a repetition: feed, thing,
 * time, payload.
 *
 * 96 bits of keyed hash stand for the content: two different messages fall together once in 2^78.
 * First in, first out. Memory: 40 bytes each, 10 MB
 * for the daemon's, in pages of 2 MB where the kernel has them. Records that were abandoned are
 * taken out again. */
#ifndef INGEST_DUPLICATES_H
#define INGEST_DUPLICATES_H

#include "base/compiler.h"
#include "base/span.h"

#include <stdint.h>

struct duplicates;
struct duplicate_key {
	uint64_t a;
	uint32_t b;
};

struct duplicates *duplicates_new(unsigned max); /* max: a power of two */
void duplicates_free(struct duplicates *d);
struct duplicate_key duplicates_key(const struct duplicates *d, uint32_t feed, struct span thing,
                                    int64_t time_ms, struct span payload);
/* Fetches where duplicates_find() will look: a cache miss, unless something is done in between. */
void duplicates_expect(const struct duplicates *d, struct duplicate_key k);
/* The sequence of the record with this key, or 0. */
uint64_t duplicates_find(const struct duplicates *d, struct duplicate_key k, uint32_t feed);
void duplicates_add(struct duplicates *d, struct duplicate_key k, uint32_t feed, uint64_t sequence);
void duplicates_remove(struct duplicates *d, struct duplicate_key k, uint32_t feed,
                       uint64_t sequence);

#endif
