/* chunk.h - a piece of one datastream: up to CHUNK_POINTS_MAX observations in time order, packed
 * into at most CHUNK_BYTES. Pure.
 *
 * Exact: every number comes back as the same double. Numbers that are whole multiples of 10^-d
 * (d <= 9) are kept as whole numbers; single others beside them as they are, and a chunk with many
 * others keeps all as doubles. Texts go through a dictionary of the chunk.
 *
 * Layout, little endian: u8 version, u8 bits (enum chunk_bits), u8 kind (3: mixed), u8 d, u32
 * CRC-32C of all other bytes, u16 points, then varints: first time, last - first, and of numbers
 * and truth values: how many, min, max, sum, first, last (scaled whole numbers, or f64 unless
 * CHUNK_EXACT). Then groups of up to COLUMN_BLOCK points: u8 points - 1, times, [kinds], [flags],
 * values, [exceptions: varint how many, each u8 at, f64], [new texts: varint how many, each varint
 * length, bytes], [when each was stored: varint length, column; length 0: all are as the one
 * before].
 *
 * When a point was stored is a whole second, rounded down. It is kept as what it is behind the
 * second of its time where that moves less (CHUNK_LAG: live data), else as it is (data loaded
 * later). A second of 0 is not known: so it is with all points of version 1.
 *
 * Size: a value of LMDB above 2,036 bytes takes whole pages, whose first has room for 4,080; four
 * of them are for the row that a chunk stands in. */
#ifndef SERIES_CHUNK_H
#define SERIES_CHUNK_H

#include "series/column.h"
#include "series/points.h"

enum { CHUNK_VERSION = 2, CHUNK_BYTES = 4076, CHUNK_POINTS_MAX = 8000, CHUNK_CHECKSUM_AT = 4 };

enum chunk_bits {
	CHUNK_EXACT = 1, /* the head's figures are scaled whole numbers */
	CHUNK_RAW = 2,   /* numbers are doubles */
	CHUNK_EXCEPTIONS = 4,
	CHUNK_TEXTS = 8,
	CHUNK_HAS_FLAGS = 16,
	CHUNK_STORED = 32, /* since version 2, as the next one */
	CHUNK_LAG = 64,
	CHUNK_BITS = 127,
	CHUNK_BITS_1 = 31 /* of version 1 */
};

struct figures { /* of numbers and truth values; count 0: the rest means nothing */
	uint64_t count;
	double min, max, sum, first, last;
};

struct chunk_head {
	unsigned n;
	uint8_t bits, kind, decimals;
	int64_t first_ms, last_ms;
	struct figures figures;
	size_t groups; /* where they begin */
};

/* Packs points s->p[from..from + n), sorted by time, n >= 1, as many as fit, into out
 * (CHUNK_BYTES). Returns how many. */
size_t chunk_encode(const struct points *s, size_t from, size_t n, uint8_t *out, size_t *ret_bytes);
/* 0 or ERR_STORE_DAMAGED; ERR_STORE_FORMAT: of a newer version. The checksum is looked at. */
int chunk_read_head(struct span bytes, struct chunk_head *ret) MUSTCHECK;
/* Appends its points to ret, without the seconds in which they were stored. Also ERR_TOO_LARGE,
 * -ENOMEM of ret. */
int chunk_decode(struct span bytes, struct points *ret) MUSTCHECK;
/* The same with them. */
int chunk_decode_stored(struct span bytes, struct points *ret) MUSTCHECK;

/* What is kept of a point that was stored in stored_s where CHUNK_LAG is set. */
static inline int64_t chunk_lag(int64_t time_ms, uint32_t stored_s)
{
	return (int64_t)stored_s - (time_ms / 1000 - (time_ms % 1000 < 0));
}

#endif
