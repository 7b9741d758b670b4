/* arena.h - memory that is given out piece by piece and freed at once. What a compiled schema is
 * made of lives here. Pieces are zeroed, aligned for any type, and never freed alone. Allocation
 * dies rather than fails: sizes are bounded by LIMIT_SCHEMA_*. */
#ifndef SCHEMA_ARENA_H
#define SCHEMA_ARENA_H

#include "base/compiler.h"
#include "base/span.h"

#include <stddef.h>

struct arena {
	struct arena_chunk *chunks;
	char *at;
	size_t left;
};

void *arena_get(struct arena *a, size_t bytes) __attribute__((returns_nonnull));
void *arena_copy(struct arena *a, const void *p, size_t bytes); /* NULL for 0 bytes */
char *arena_string(struct arena *a, struct span s);             /* terminated */
void arena_done(struct arena *a);

#endif
