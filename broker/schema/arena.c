/* arena.c - chunks of 8 KB, larger pieces in a chunk of their own. */
#include "schema/arena.h"

#include "base/mem.h"

#include <stdalign.h>
#include <stdlib.h>

enum { CHUNK_BYTES = 8 << 10 };

struct arena_chunk {
	struct arena_chunk *next;
	alignas(max_align_t) char bytes[];
};

void *arena_get(struct arena *a, size_t bytes)
{
	assert(bytes <= SIZE_MAX / 2);
	bytes = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (bytes > a->left) {
		size_t size = MAX_OF(bytes, (size_t)CHUNK_BYTES);
		struct arena_chunk *c = xcalloc(1, sizeof(*c) + size);
		c->next = a->chunks;
		a->chunks = c;
		a->at = c->bytes;
		a->left = size;
	}
	void *p = a->at;
	a->at += bytes;
	a->left -= bytes;
	return p;
}

void *arena_copy(struct arena *a, const void *p, size_t bytes)
{
	if (bytes == 0)
		return NULL;
	return memcpy(arena_get(a, bytes), p, bytes);
}

char *arena_string(struct arena *a, struct span s)
{
	char *p = arena_get(a, s.n + 1);
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p;
}

void arena_done(struct arena *a)
{
	while (a->chunks) {
		struct arena_chunk *c = a->chunks;
		a->chunks = c->next;
		free(c);
	}
	*a = (struct arena){0};
}
