/* buf.c - see buf.h. */
#include "base/buf.h"

#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST_BYTES = 256 };

void buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){.max = max_bytes};
}

void buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->err = 0;
}

char *buf_room(struct buf *b, size_t n)
{
	if (b->err)
		return NULL;
	if (likely(b->cap - b->len >= n))
		return b->p ? b->p + b->len : (char *)""; /* n is 0 */
	if (n > b->max - b->len) {
		b->err = ERR_TOO_LARGE;
		return NULL;
	}
	size_t cap = b->cap ? b->cap : BUF_FIRST_BYTES;
	while (cap < b->len + n)
		cap *= 2;
	if (cap > b->max)
		cap = b->max;
	char *p = realloc(b->p, cap);
	if (!p) {
		b->err = -ENOMEM;
		return NULL;
	}
	b->p = p;
	b->cap = cap;
	return p + b->len;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	char *to = buf_room(b, n);
	if (!to)
		return;
	memcpy(to, p, n);
	b->len += n;
}

void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}
void buf_add_span(struct buf *b, struct span s)
{
	buf_add(b, s.p, s.n);
}
void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_add_u64(struct buf *b, uint64_t v)
{
	char d[20];
	size_t at = sizeof(d);
	do {
		d[--at] = (char)('0' + v % 10);
	} while (v /= 10);
	buf_add(b, d + at, sizeof(d) - at);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	char small[512];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n < sizeof(small)) {
		buf_add(b, small, (size_t)n);
		return;
	}
	char *to = buf_room(b, (size_t)n + 1);
	if (!to)
		return;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void buf_drop(struct buf *b, size_t n)
{
	assert(n <= b->len);
	memmove(b->p, b->p + n, b->len - n);
	b->len -= n;
}

const char *buf_str(struct buf *b)
{
	if (b->cap == b->len) {
		char *p = realloc(b->p, b->cap + 1);
		if (!p) {
			b->err = -ENOMEM;
			return "";
		}
		b->p = p;
		b->cap++;
	}
	b->p[b->len] = '\0';
	return b->p;
}
