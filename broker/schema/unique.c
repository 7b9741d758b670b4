/* unique.c - are all items of an array different (validation 6.4.3)? A few are compared with each
 * other; many are hashed first, so that only those with the same hash are. Equal values have equal
 * hashes: numbers by their double, objects whatever their order. */
#include "schema/walk.h"

#include "base/hash.h"

enum { FEW = 8 };

static const struct hash_key KEY = {0x9e3779b97f4a7c15u, 0xc2b2ae3d27d4eb4fu};

static uint64_t mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

static uint64_t hash_value(struct walk *w, uint32_t i)
{
	const struct json_token *t = &w->tok[i];
	uint64_t h = t->type;
	if (t->type == JSON_NUMBER) {
		double v = json_double(json_text(w->tape, i)) + 0.0; /* -0 is 0 */
		uint64_t bits;
		memcpy(&bits, &v, sizeof(bits));
		return mix(h ^ bits);
	}
	if (t->type == JSON_STRING) {
		struct span s = walk_text(w, i);
		return hash64(&KEY, s.p, s.n);
	}
	uint32_t at = i + 1;
	for (uint32_t k = 0; k < t->size && t->type >= JSON_ARRAY; k++) {
		bool object = t->type == JSON_OBJECT;
		if (object) {
			struct span s = walk_text(w, at);
			uint64_t name = hash64(&KEY, s.p, s.n);
			h += mix(name ^ hash_value(w, at + 1)); /* without order */
			at = w->tok[at + 1].next;
		} else {
			h = mix(h * 31 + hash_value(w, at));
			at = w->tok[at].next;
		}
	}
	return mix(h + t->type);
}

/* What comparing with this value may cost: an object's names are looked for in the other. */
static int64_t cost(const struct walk *w, uint32_t i)
{
	int64_t c = 1;
	for (uint32_t k = i; k < w->tok[i].next; k++) {
		int64_t n = w->tok[k].type == JSON_OBJECT ? w->tok[k].size : 0;
		c += 1 + n * n / 16;
	}
	return c;
}

static bool equal(struct walk *w, uint32_t a, uint32_t b)
{
	if (w->tok[a].type != w->tok[b].type || w->tok[a].size != w->tok[b].size)
		return false;
	if (w->tok[a].type >= JSON_ARRAY)
		w->steps -= cost(w, a);
	else
		w->steps--;
	if (w->steps < 0) {
		walk_give_up(w);
		return true;
	}
	return json_equal(w->tape, a, w->tape, b);
}

static uint32_t pair_of(uint32_t a, uint32_t b)
{
	return a < 0x10000 && b < 0x10000 ? a << 16 | b : 0;
}

static bool few_unique(struct walk *w, uint32_t i, uint32_t *ret_pair)
{
	uint32_t item[FEW], n = 0;
	for (uint32_t at = i + 1; at < w->tok[i].next; at = w->tok[at].next, n++) {
		assert(n < FEW);
		item[n] = at;
		for (uint32_t k = 0; k < n; k++) {
			if (equal(w, item[k], at)) {
				*ret_pair = pair_of(k, n);
				return false;
			}
		}
	}
	return true;
}

/* table: open addressing, 1 + index of an item each; hashes and tokens by index. */
bool walk_unique(struct walk *w, uint32_t i, uint32_t *ret_pair)
{
	struct stacks *st = w->st;
	uint32_t size = w->tok[i].size, cap = 16, index = 0;
	if (size <= FEW)
		return few_unique(w, i, ret_pair);
	while (cap < size * 2)
		cap *= 2;
	assert(size <= st->tokens_cap && cap <= st->tokens_cap * 4);
	uint32_t *slots = st->table, *tokens = st->table + cap;
	memset(slots, 0, cap * sizeof(*slots));
	w->steps -= (w->tok[i].next - i) / 4;
	for (uint32_t at = i + 1; at < w->tok[i].next; at = w->tok[at].next, index++) {
		uint64_t h = hash_value(w, at);
		st->hashes[index] = h;
		tokens[index] = at;
		uint32_t s = (uint32_t)h & (cap - 1);
		for (; slots[s]; s = (s + 1) & (cap - 1)) {
			uint32_t other = slots[s] - 1;
			if (st->hashes[other] == h && equal(w, tokens[other], at)) {
				*ret_pair = pair_of(other, index);
				return false;
			}
		}
		slots[s] = index + 1;
	}
	return true;
}
