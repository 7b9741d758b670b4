/* name.c - see name.h. */
#include "json/name.h"

#include "base/limits.h"
#include "json/json.h"
#include "json/scan.h"

#include <errno.h>
#include <stdlib.h>

uint16_t json_name_hash(struct span text)
{
	return name_hash(text.p, text.n, false);
}

uint16_t name_hash_escaped(struct span raw)
{
	char first[NAME_ENDS] = {0}, ring[NAME_ENDS] = {0}, last[NAME_ENDS];
	struct scan_text t = scan_text(raw);
	size_t n = 0;
	int c;
	while ((c = scan_text_next(&t)) >= 0) {
		if (n < NAME_ENDS)
			first[n] = (char)c;
		ring[n++ % NAME_ENDS] = (char)c;
	}
	for (size_t k = 0; k < NAME_ENDS; k++)
		last[k] = ring[(n + k) % NAME_ENDS];
	assert(n <= raw.n);
	return name_hash_ends(first, last, n);
}

enum { TABLE_FIRST = 256 }; /* slots; half of them stay free */

static bool same_name(const struct json_tape *t, uint32_t a, uint32_t b)
{
	const struct json_token *x = &t->tok[a], *y = &t->tok[b];
	if (x->hash != y->hash)
		return false;
	struct span tx = {t->src + x->pos, x->len}, ty = {t->src + y->pos, y->len};
	if ((x->flags | y->flags) & JSON_ESCAPED)
		return scan_text_eq(tx, ty);
	return span_eq(tx, ty);
}

uint8_t name_met_again(const struct json_tape *t, uint32_t object, uint32_t n, unsigned *chances)
{
	for (uint32_t k = object + 1; k < n; k = t->tok[k + 1].next) {
		if (same_name(t, k, n))
			return JSON_DUPLICATE;
		if (++*chances > LIMIT_JSON_CHANCES)
			return OBJECT_BIG;
	}
	return 0;
}

/* Puts a name in the table; true when it is there already. */
static bool table_add(struct json_tape *t, uint32_t mask, uint32_t k, char *unescaped)
{
	const struct json_token *name = &t->tok[k];
	struct span text = {t->src + name->pos, name->len};
	if (name->flags & JSON_ESCAPED) {
		text.n = json_unescape(text, unescaped);
		text.p = unescaped;
	}
	assert(k > 0);
	uint64_t h = hash64(&t->key, text.p, text.n);
	uint32_t at = (uint32_t)h & mask;
	uint64_t entry = (h & ~(uint64_t)UINT32_MAX) | k; /* k > 0: never 0 */
	for (; t->table[at]; at = (at + 1) & mask)
		if ((t->table[at] ^ entry) >> 32 == 0 && same_name(t, (uint32_t)t->table[at], k))
			return true;
	t->table[at] = entry;
	return false;
}

int name_check_all(struct json_tape *t, uint32_t object, bool *ret_twice)
{
	const struct json_token *o = &t->tok[object];
	uint32_t cap = TABLE_FIRST, longest = 0;
	while (cap / 2 < o->size)
		cap *= 2;
	for (uint32_t k = object + 1; k < o->next; k = t->tok[k + 1].next)
		if (t->tok[k].flags & JSON_ESCAPED && t->tok[k].len > longest)
			longest = t->tok[k].len;
	uint32_t words = cap + longest / (uint32_t)sizeof(*t->table) + 1; /* and room to unescape */
	if (words > t->table_words) {
		free(t->table);
		t->table = malloc(words * sizeof(*t->table));
		t->table_words = t->table ? words : 0;
	}
	if (!t->table)
		return -ENOMEM;
	memset(t->table, 0, cap * sizeof(*t->table));
	bool twice = false;
	for (uint32_t k = object + 1; k < o->next && !twice; k = t->tok[k + 1].next)
		twice = table_add(t, cap - 1, k, (char *)(t->table + cap));
	*ret_twice = twice;
	return 0;
}
