/* walk_object.c - the members of an object, once, in the order they came. */
#include "schema/walk.h"

static inline bool same_8(const char *a, const char *b)
{
	uint64_t x, y;
	memcpy(&x, a, 8);
	memcpy(&y, b, 8);
	return x == y;
}

static inline bool same_4(const char *a, const char *b)
{
	uint32_t x, y;
	memcpy(&x, a, 4);
	memcpy(&y, b, 4);
	return x == y;
}

/* Member names are short: two loads that overlap, not a call. */
static inline bool same_text(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	if (a.n > 16)
		return memcmp(a.p, b.p, a.n) == 0;
	if (a.n >= 8)
		return same_8(a.p, b.p) && same_8(a.p + a.n - 8, b.p + a.n - 8);
	if (a.n >= 4)
		return same_4(a.p, b.p) && same_4(a.p + a.n - 4, b.p + a.n - 4);
	return a.n == 0 ||
	       (a.p[0] == b.p[0] && a.p[a.n / 2] == b.p[a.n / 2] && a.p[a.n - 1] == b.p[a.n - 1]);
}

static const struct member *find_member(const struct walk *w, const struct object_rule *r,
                                        uint32_t name)
{
	const struct json_token *t = &w->tok[name];
	struct span text = json_text(w->tape, name);
	for (uint32_t at = t->hash & r->mask;; at = (at + 1) & r->mask) {
		const struct member *m = &r->slots[at];
		if (!m->name.p)
			return NULL;
		if (m->hash != t->hash)
			continue;
		if (t->flags & JSON_ESCAPED ? json_string_is(w->tape, name, m->name)
		                            : same_text(text, m->name))
			return m;
	}
}

/* A member's value against a schema; its path is the member. */
static bool walk_child(struct walk *w, const struct node *n, uint32_t name)
{
	bool collect = w->collect;
	w->collect = false;
	w->st->path[w->depth++] = name;
	bool ok = walk_value(w, n, name + 1);
	w->depth--;
	w->collect = collect;
	return ok;
}

/* Patterns, additionalProperties, propertyNames: what few schemas have. known: properties names
 * it. */
static bool walk_other(struct walk *w, const struct node *n, uint32_t i, uint32_t name, bool known)
{
	const struct object_rule *r = n->object;
	for (uint32_t k = 0; k < r->n_matches; k++) {
		if (!walk_match(w, r->matches[k].pattern, name))
			continue;
		known = true;
		if (!walk_child(w, r->matches[k].node, name) && !w->report)
			return false;
	}
	if (!known && r->additional) {
		known = true;
		if (r->additional->types == 0) {
			if (walk_stop(w, i, RULE_ADDITIONAL, n, name))
				return false;
		} else if (!walk_child(w, r->additional, name) && !w->report) {
			return false;
		}
	}
	if (known && w->collect)
		walk_evaluated(w, name);
	if (!r->name)
		return !w->exhausted;
	struct extract *ret = w->ret;
	bool naming = w->naming;
	w->ret = NULL;
	w->naming = true;
	bool ok = walk_value(w, r->name, name);
	w->naming = naming;
	w->ret = ret;
	return ok || w->report;
}

static bool walk_members(struct walk *w, const struct node *n, uint32_t i, struct names *seen)
{
	const struct object_rule *r = n->object;
	bool other = r->n_matches > 0 || r->additional || r->name || w->collect;
	uint32_t end = w->tok[i].next;
	for (uint32_t name = i + 1; name < end; name = w->tok[name + 1].next) {
		const struct member *m = find_member(w, r, name);
		if (m && m->bit != NO_BIT)
			seen->word[m->bit / 64] |= (uint64_t)1 << (m->bit % 64);
		if (m && m->node && !walk_child(w, m->node, name) && !w->report)
			return false;
		if (unlikely(other) && !walk_other(w, n, i, name, m && m->node))
			return false;
	}
	return true;
}

static bool walk_required(struct walk *w, const struct node *n, uint32_t i,
                          const struct names *seen)
{
	const struct object_rule *r = n->object;
	for (unsigned k = 0; k < r->n_words; k++) {
		uint64_t missing = r->required.word[k] & ~seen->word[k];
		for (; missing; missing &= missing - 1) {
			uint32_t bit = k * 64 + (uint32_t)__builtin_ctzll(missing);
			if (walk_stop(w, i, RULE_REQUIRED, n, bit))
				return false;
		}
	}
	for (uint32_t a = 0; a < r->n_any; a++) {
		uint64_t there = 0;
		for (unsigned k = 0; k < r->n_words; k++)
			there |= r->any[a].word[k] & seen->word[k];
		if (!there && walk_stop(w, i, RULE_ANY_REQUIRED, n, a))
			return false;
	}
	return true;
}

static bool walk_dependents(struct walk *w, const struct node *n, uint32_t i,
                            const struct names *seen)
{
	const struct object_rule *r = n->object;
	for (uint32_t d = 0; d < r->n_dependents; d++) {
		const struct dependent *dep = &r->dependents[d];
		if (!(seen->word[dep->bit / 64] >> (dep->bit % 64) & 1))
			continue;
		for (unsigned k = 0; k < r->n_words; k++) {
			uint64_t missing = dep->needs.word[k] & ~seen->word[k];
			for (; missing; missing &= missing - 1) {
				uint32_t bit = k * 64 + (uint32_t)__builtin_ctzll(missing);
				if (walk_stop(w, i, RULE_DEPENDENT, n,
				              bit | (uint32_t)dep->bit << 16))
					return false;
			}
		}
		if (dep->node && !walk_value(w, dep->node, i) && !w->report)
			return false;
	}
	return true;
}

bool walk_object(struct walk *w, const struct node *n, uint32_t i)
{
	const struct object_rule *r = n->object;
	uint32_t size = w->tok[i].size;
	if (size < r->min && walk_stop(w, i, RULE_MIN_PROPERTIES, n, 0))
		return false;
	if (size > r->max && walk_stop(w, i, RULE_MAX_PROPERTIES, n, 0))
		return false;
	if (r->n_bits == 0 && !r->properties && !r->name)
		return true;
	struct names seen = {0};
	w->steps -= size / 4;
	if (!walk_members(w, n, i, &seen))
		return false;
	if (r->n_bits == 0)
		return true;
	return walk_required(w, n, i, &seen) &&
	       (r->n_dependents == 0 || walk_dependents(w, n, i, &seen));
}

static bool rest_member(struct walk *w, const struct node *n, uint32_t i, uint32_t name)
{
	if (n->unevaluated_members->types == 0)
		return !walk_stop(w, i, RULE_UNEVALUATED_MEMBER, n, name);
	return walk_child(w, n->unevaluated_members, name) || w->report;
}

static bool rest_item(struct walk *w, const struct node *n, uint32_t i, uint32_t item,
                      uint32_t index)
{
	if (n->unevaluated_items->types == 0)
		return !walk_stop(w, i, RULE_UNEVALUATED_ITEM, n, index);
	bool collect = w->collect;
	w->collect = false;
	w->st->path[w->depth++] = PATH_INDEX | index;
	bool ok = walk_value(w, n->unevaluated_items, item);
	w->depth--;
	w->collect = collect;
	return ok || w->report;
}

/* 2020-12 core 11.2, 11.3: what nothing beside or below in place has evaluated. A member is marked
 * by its name's token, an item by its own. */
bool walk_unevaluated(struct walk *w, const struct node *n, uint32_t i, uint32_t mark)
{
	struct stacks *st = w->st;
	bool object = w->tok[i].type == JSON_OBJECT && n->unevaluated_members;
	if (!object && !(w->tok[i].type == JSON_ARRAY && n->unevaluated_items))
		return true;
	uint32_t generation = ++st->generation, end = w->tok[i].next, index = 0;
	for (uint32_t k = mark; k < w->n_evaluated; k++)
		st->stamp[st->evaluated[k]] = generation;
	w->steps -= (w->n_evaluated - mark) / 4;
	for (uint32_t at = i + 1; at < end; index++) {
		uint32_t value = object ? at + 1 : at;
		if (st->stamp[at] != generation) {
			if (!(object ? rest_member(w, n, i, at) : rest_item(w, n, i, at, index)))
				return false;
			walk_evaluated(w, at);
		}
		at = w->tok[value].next;
	}
	return !w->exhausted;
}
