/* span.h - a view of bytes that somebody else owns. p is never dereferenced when n is 0. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *p;
	size_t n;
};

#define SPAN(lit) ((struct span){(lit), sizeof(lit) - 1})

static inline struct span span_of(const char *p, size_t n)
{
	return (struct span){p, n};
}
static inline struct span span_str(const char *s)
{
	return (struct span){s, s ? strlen(s) : 0};
}
static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool span_is(struct span a, const char *s)
{
	return span_eq(a, span_str(s));
}

/* Decimal digits only, 1 to 20 of them, no sign. 0 or ERR_MALFORMED / ERR_TOO_LARGE. */
int span_to_u64(struct span s, uint64_t *ret) MUSTCHECK;

#endif
