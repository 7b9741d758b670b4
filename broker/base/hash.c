/* hash.c - see hash.h. SipHash-1-3 after the paper's reference (Aumasson, Bernstein 2012). */
#include "base/hash.h"

#include "base/log.h"
#include "base/mem.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

struct hash_key hash_key_random(void)
{
	struct hash_key k;
	if (getrandom(&k, sizeof(k), 0) != (ssize_t)sizeof(k))
		fatal("getrandom failed");
	return k;
}

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define SIPROUND                                                                                   \
	do {                                                                                       \
		v0 += v1, v1 = ROTL(v1, 13), v1 ^= v0, v0 = ROTL(v0, 32);                          \
		v2 += v3, v3 = ROTL(v3, 16), v3 ^= v2;                                             \
		v0 += v3, v3 = ROTL(v3, 21), v3 ^= v0;                                             \
		v2 += v1, v1 = ROTL(v1, 17), v1 ^= v2, v2 = ROTL(v2, 32);                          \
	} while (0)

uint64_t hash64(const struct hash_key *key, const void *p, size_t n)
{
	uint64_t v0 = 0x736f6d6570736575u ^ key->k0, v1 = 0x646f72616e646f6du ^ key->k1;
	uint64_t v2 = 0x6c7967656e657261u ^ key->k0, v3 = 0x7465646279746573u ^ key->k1;
	const unsigned char *s = p;
	uint64_t last = (uint64_t)n << 56, m;
	for (; n >= 8; n -= 8, s += 8) {
		memcpy(&m, s, 8);
		v3 ^= m;
		SIPROUND;
		v0 ^= m;
	}
	m = 0;
	if (n) /* s may be NULL when nothing is left */
		memcpy(&m, s, n);
	last |= m;
	v3 ^= last;
	SIPROUND;
	v0 ^= last;
	v2 ^= 0xff;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

void hash128(const struct hash_key *key, const void *p, size_t n, uint64_t out[2])
{
	XXH128_hash_t h = XXH3_128bits_withSeed(p, n, key->k0 ^ ROTL(key->k1, 32));
	out[0] = h.low64;
	out[1] = h.high64;
}

void map_init(struct map *m)
{
	*m = (struct map){.key = hash_key_random()};
}

void map_done(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		free(m->slots[i].key);
	free(m->slots);
	m->slots = NULL;
	m->n = m->cap = 0;
}

static uint64_t map_hash(const struct map *m, struct span key)
{
	uint64_t h = hash64(&m->key, key.p, key.n);
	return h ? h : 1;
}

/* The slot that holds key, or the free slot where it would go. */
static struct map_slot *map_find(const struct map *m, struct span key, uint64_t h)
{
	for (size_t i = h & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct map_slot *s = &m->slots[i];
		if (!s->hash ||
		    (s->hash == h && s->key_len == key.n && memcmp(s->key, key.p, key.n) == 0))
			return s;
	}
}

void *map_get(const struct map *m, struct span key)
{
	if (m->n == 0)
		return NULL;
	return map_find(m, key, map_hash(m, key))->value;
}

static void map_grow(struct map *m)
{
	struct map_slot *old = m->slots;
	size_t old_cap = m->cap;
	m->cap = old_cap ? old_cap * 2 : 16;
	m->slots = xcalloc(m->cap, sizeof(*m->slots));
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].hash)
			*map_find(m, span_of(old[i].key, old[i].key_len), old[i].hash) = old[i];
	free(old);
}

void *map_set(struct map *m, struct span key, void *value)
{
	assert(value && key.n <= UINT32_MAX);
	if ((m->n + 1) * 4 > m->cap * 3)
		map_grow(m);
	uint64_t h = map_hash(m, key);
	struct map_slot *s = map_find(m, key, h);
	void *former = s->value;
	if (!s->hash) {
		*s = (struct map_slot){.hash = h, .key_len = (uint32_t)key.n};
		s->key = xstrndup(key.n ? key.p : "", key.n);
		m->n++;
	}
	s->value = value;
	return former;
}

void *map_remove(struct map *m, struct span key)
{
	if (m->n == 0)
		return NULL;
	struct map_slot *s = map_find(m, key, map_hash(m, key));
	if (!s->hash)
		return NULL;
	void *value = s->value;
	free(s->key);
	*s = (struct map_slot){0};
	m->n--;
	/* Linear probing: move back what would no longer be found past the hole. */
	size_t hole = (size_t)(s - m->slots);
	for (size_t i = (hole + 1) & (m->cap - 1); m->slots[i].hash; i = (i + 1) & (m->cap - 1)) {
		size_t home = m->slots[i].hash & (m->cap - 1);
		if (((i - home) & (m->cap - 1)) >= ((i - hole) & (m->cap - 1))) {
			m->slots[hole] = m->slots[i];
			m->slots[i] = (struct map_slot){0};
			hole = i;
		}
	}
	return value;
}

void *map_next(const struct map *m, size_t *at, struct span *ret_key)
{
	while (*at < m->cap) {
		const struct map_slot *s = &m->slots[(*at)++];
		if (!s->hash)
			continue;
		if (ret_key)
			*ret_key = span_of(s->key, s->key_len);
		return s->value;
	}
	return NULL;
}
