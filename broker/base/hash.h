/* hash.h - keyed hashing, and a map from byte strings to pointers.
 *
 * hash64() is SipHash-1-3 with a key drawn at process start by whoever owns the table: a peer who
 * picks topics cannot pick collisions. hash128() is XXH3 (libxxhash), ten times faster on a
 * message, for what is compared and not looked up: who makes two of its own messages alike has
 * only itself deceived.
 * struct map copies its keys and does not own its values. Load is kept under 3/4; growth doubles.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/compiler.h"
#include "base/span.h"

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

struct hash_key hash_key_random(void); /* from getrandom(2) */
uint64_t hash64(const struct hash_key *key, const void *p, size_t n);
void hash128(const struct hash_key *key, const void *p, size_t n, uint64_t out[2]);

struct map_slot {
	uint64_t hash; /* 0: free */
	char *key;
	uint32_t key_len;
	void *value;
};

struct map {
	struct hash_key key;
	struct map_slot *slots;
	size_t n, cap; /* cap: 0 or a power of two */
};

void map_init(struct map *m);
void map_done(struct map *m);
void *map_get(const struct map *m, struct span key); /* NULL when absent */
/* Sets or replaces; returns the former value or NULL. value is not NULL. */
void *map_set(struct map *m, struct span key, void *value);
void *map_remove(struct map *m, struct span key); /* the value removed, or NULL */
/* Walks in no order: start with *at = 0; returns the next value or NULL at the end. The map must
 * not change meanwhile. ret_key may be NULL. */
void *map_next(const struct map *m, size_t *at, struct span *ret_key);

#endif
