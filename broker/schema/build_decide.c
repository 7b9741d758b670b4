/* build_decide.c - many branches, one of them meant: where the branches of an allOf of if/then, of
 * an anyOf or a oneOf each ask for another value of the same member ("type", "kind"), a table from
 * value to branches is made, so that a message tries those that its value leaves and no others.
 *
 * A branch is decided by a member when it requires it and allows it strings only, by enum or const:
 * with another value it cannot hold. For an if that means that its then is not looked at. */
#include "schema/build.h"

#include <stdlib.h>

enum { BRANCHES_MAX = 64, VALUES_MAX = 1024 };

/* The schema that must hold for branch k to matter; NULL when it cannot be left out. */
static const struct node *condition(const struct apply *a, uint32_t k)
{
	const struct node *n = a->nodes[k];
	if (a->kind != APPLY_ALL)
		return n;
	bool lone = n->types == TYPES_ALL && !n->number && !n->string && !n->values[0] &&
	            !n->values[1] && !n->object && !n->array && !n->note &&
	            !n->unevaluated_members && !n->unevaluated_items;
	if (!lone || n->n_apply != 1 || n->apply[0].kind != APPLY_IF || n->apply[0].nodes[2])
		return NULL;
	return n->apply[0].nodes[0];
}

/* Its list of strings for the member, or NULL when the member does not decide it. */
static const struct values *deciding(const struct node *n, struct span name)
{
	const struct object_rule *r = n ? n->object : NULL;
	for (uint32_t i = 0; r && i <= r->mask; i++) {
		const struct member *m = &r->slots[i];
		if (!m->name.p || !span_eq(m->name, name))
			continue;
		if (!m->node || m->bit == NO_BIT ||
		    !(r->required.word[m->bit / 64] >> (m->bit % 64) & 1))
			return NULL;
		const struct values *v =
		    m->node->values[1] ? m->node->values[1] : m->node->values[0];
		for (uint32_t k = 0; v && k < v->n; k++)
			if (v->v[k].type != JSON_STRING)
				return NULL;
		return v;
	}
	return NULL;
}

static unsigned count_decided(const struct apply *a, struct span name, unsigned *ret_values)
{
	unsigned n = 0;
	*ret_values = 0;
	for (uint32_t k = 0; k < a->n; k++) {
		const struct values *v = deciding(condition(a, k), name);
		n += v != NULL;
		*ret_values += v ? v->n : 0;
	}
	return n;
}

/* The member that decides most branches, two at least. */
static struct span find_member(const struct apply *a, unsigned *ret_values)
{
	struct span best = {0};
	unsigned most = 1;
	for (uint32_t k = 0; k < a->n; k++) {
		const struct node *n = condition(a, k);
		const struct object_rule *r = n ? n->object : NULL;
		for (uint32_t i = 0; r && i <= r->mask; i++) {
			unsigned values, decided;
			struct span name = r->slots[i].name;
			if (!name.p || !deciding(n, name))
				continue;
			decided = count_decided(a, name, &values);
			if (decided > most && values <= VALUES_MAX) {
				most = decided;
				best = name;
				*ret_values = values;
			}
		}
		if (best.p)
			break; /* those of the first such branch are enough to look at */
	}
	return best;
}

static void add_value(struct decided *slots, uint32_t mask, struct span text, uint64_t branch)
{
	uint32_t at = json_name_hash(text) & mask;
	while (slots[at].text.p && !span_eq(slots[at].text, text))
		at = (at + 1) & mask;
	slots[at].text = text;
	slots[at].branches |= branch;
}

static const struct decide *make(struct build *b, const struct apply *a)
{
	unsigned n_values = 0;
	uint32_t cap = 4;
	bool fit = a->kind == APPLY_ALL || a->kind == APPLY_ANY || a->kind == APPLY_ONE;
	if (!fit || a->n < 2 || a->n > BRANCHES_MAX)
		return NULL;
	struct span name = find_member(a, &n_values);
	if (!name.p)
		return NULL;
	while (cap < n_values * 2)
		cap *= 2;
	struct decided *slots = arena_get(&b->sc->arena, cap * sizeof(*slots));
	struct decide d = {
	    .member = name, .hash = json_name_hash(name), .slots = slots, .mask = cap - 1};
	for (uint32_t k = 0; k < a->n; k++) {
		const struct values *v = deciding(condition(a, k), name);
		if (!v)
			d.always |= (uint64_t)1 << k;
		for (uint32_t i = 0; v && i < v->n; i++)
			add_value(slots, d.mask, v->v[i].text, (uint64_t)1 << k);
	}
	return arena_copy(&b->sc->arena, &d, sizeof(d));
}

/* Branches that are tried in vain, counted: those of anyOf and oneOf, not, if; less those that a
 * member decides. */
static void count_branches(struct slow *slow, const struct apply *a)
{
	unsigned tried = a->n;
	if (a->kind == APPLY_NOT || a->kind == APPLY_IF)
		tried = 1;
	else if (a->kind != APPLY_ANY && a->kind != APPLY_ONE)
		tried = 0;
	unsigned decided = a->decide ? a->n - (unsigned)__builtin_popcountll(a->decide->always) : 0;
	slow->branches += tried - decided; /* of allOf: the ifs, which were or will be counted */
	slow->dynamic += a->kind == APPLY_DYNAMIC;
}

static void count_node(struct slow *slow, const struct node *n)
{
	slow->patterns += n->string && n->string->pattern;
	slow->patterns += n->object ? n->object->n_matches : 0;
	slow->unique += n->array && n->array->unique;
	slow->contains += n->array && n->array->contains;
	slow->unevaluated += n->unevaluated_members || n->unevaluated_items;
}

void build_decides(struct build *b)
{
	for (unsigned i = 0; i < b->n_made; i++) {
		const struct node *n = b->made[i].node;
		for (unsigned k = 0; k < n->n_apply; k++) {
			((struct apply *)n->apply)[k].decide = make(b, &n->apply[k]);
			count_branches(&b->sc->slow, &n->apply[k]);
		}
		count_node(&b->sc->slow, n);
	}
}
