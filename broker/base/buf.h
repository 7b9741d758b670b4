/* buf.h - a growable byte buffer with a maximum set at init and a sticky error.
 *
 * Writers are straight lines: append as you like, look at b->err once at the end. After an error
 * the content is what it was before the failing append and further appends do nothing. The memory
 * is the buffer's own; buf_done() accepts a zeroed buffer. buf_str() adds a terminator that does
 * not count. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/compiler.h"
#include "base/span.h"

#include <stddef.h>
#include <stdint.h>

struct buf {
	char *p;
	size_t len, cap, max;
	int err; /* 0, ERR_TOO_LARGE or -ENOMEM */
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_done(struct buf *b);
void buf_clear(struct buf *b); /* empties, forgets the error, keeps the memory */

/* Makes room for n more bytes and returns where they go, or NULL with b->err set. Add to b->len
 * what was used. The pointer is valid until the next append. */
char *buf_room(struct buf *b, size_t n) MUSTCHECK;

void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_str(struct buf *b, const char *s);
void buf_add_span(struct buf *b, struct span s);
void buf_add_char(struct buf *b, char c);
void buf_add_u64(struct buf *b, uint64_t v); /* decimal */
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
/* Removes the first n bytes. */
void buf_drop(struct buf *b, size_t n);
const char *buf_str(struct buf *b);

#endif
