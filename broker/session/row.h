/* row.h - the bytes of rows in the store: numbers little endian one after the other, keys big
 * endian so that they sort. */
#ifndef SESSION_ROW_H
#define SESSION_ROW_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline void add_u8(struct buf *b, unsigned v)
{
	uint8_t x = (uint8_t)v;
	buf_add(b, &x, 1);
}
static inline void add_u16(struct buf *b, unsigned v)
{
	uint16_t x = (uint16_t)v;
	buf_add(b, &x, 2);
}
static inline void add_u32(struct buf *b, uint32_t v)
{
	buf_add(b, &v, 4);
}
static inline void add_u64(struct buf *b, uint64_t v)
{
	buf_add(b, &v, 8);
}

struct row_reader {
	const char *p, *end;
	bool bad; /* stays: look once at the end */
};

static inline uint64_t take(struct row_reader *r, unsigned bytes)
{
	uint64_t v = 0;
	if ((size_t)(r->end - r->p) < bytes) {
		r->bad = true;
		return 0;
	}
	memcpy(&v, r->p, bytes);
	r->p += bytes;
	return v;
}

static inline size_t put_be(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
	return bytes;
}

static inline uint64_t get_be(const char *p, unsigned bytes)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | (uint8_t)p[i];
	return v;
}

#endif
