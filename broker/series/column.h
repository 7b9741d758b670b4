/* column.h - whole numbers of one column of a chunk, bit-packed. Pure.
 *
 * A block holds up to COLUMN_BLOCK numbers in the cheapest of these forms, tried in full:
 *
 *   LINE   v[i] = first + i * step + low + (0 .. 2^width - 1)   regular times with or without
 * jitter FLAT   the same with step 0                                  noisy values DELTA  v[i] -
 * v[i-1] = low + (0 .. 2^width - 1)              counters, trends RICE   the differences, zigzag,
 * in Golomb-Rice code          values that mostly stand still HALVES two blocks of half the size
 * where something changes in between
 *
 * All arithmetic wraps at 64 bits, so any number whatever comes back. */
#ifndef SERIES_COLUMN_H
#define SERIES_COLUMN_H

#include "base/compiler.h"

#include <stddef.h>
#include <stdint.h>

enum {
	COLUMN_BLOCK = 128,
	COLUMN_BYTES_MAX = 32 + COLUMN_BLOCK * 9 /* of one block, in the worst case */
};

struct column { /* what is carried from block to block; zeroed at the start of a chunk */
	int64_t last, step;
};

/* Writes v[0..n) at out (COLUMN_BYTES_MAX there); returns how many bytes. n is 1..COLUMN_BLOCK. */
size_t column_write(struct column *c, const int64_t *v, unsigned n, uint8_t *out);
/* Reads n numbers; returns how many bytes of in they took, or ERR_STORE_DAMAGED. */
int64_t column_read(struct column *c, const uint8_t *in, size_t size, int64_t *v,
                    unsigned n) MUSTCHECK;

/* LEB128, as used in the heads of chunks. */
size_t varint_write(uint64_t v, uint8_t *out); /* at most 10 bytes */
/* Bytes taken, or 0: cut off or too long. */
size_t varint_read(const uint8_t *in, size_t size, uint64_t *ret) MUSTCHECK;

static inline uint64_t zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}
static inline int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

#endif
