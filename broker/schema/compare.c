/* compare.c - two compiled schemas side by side. See compare.h; what x-oudp and values say is in
 * compare_value.c. */
#include "schema/compare_private.h"

#include "json/write.h"

#include <stdarg.h>
#include <stdio.h>

enum { VISITS_MAX = 100000, ROLES_DEPTH = 32 };

static const struct object_rule NO_OBJECT = {.max = UINT32_MAX};
static const struct array_rule NO_ARRAY = {.max = UINT32_MAX, .max_contains = UINT32_MAX};

void compare_add(struct compare *c, bool breaks, const char *rule, const char *fmt, ...)
{
	c->n_breaking += breaks;
	if (c->n++ >= c->max)
		return;
	struct schema_change *ch = &c->out[c->n - 1];
	*ch = (struct schema_change){.breaks = breaks};
	struct text t = text_in(ch->pointer, sizeof(ch->pointer));
	text_add_safe(&t, span_of(c->path.p, c->path.len), sizeof(ch->pointer));
	snprintf(ch->rule, sizeof(ch->rule), "%s", rule);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(ch->text, sizeof(ch->text), fmt, ap);
	va_end(ap);
}

/* A $ref with nothing beside it is where it leads to. */
static const struct node *through_refs(const struct node *n)
{
	for (unsigned hops = 0; hops < LIMIT_SCHEMA_NESTING; hops++) {
		bool plain = n->types == TYPES_ALL && !n->number && !n->string && !n->values[0] &&
		             !n->values[1] && !n->object && !n->array && !n->note &&
		             !n->unevaluated_members && !n->unevaluated_items;
		if (!plain || n->n_apply != 1 || n->apply[0].kind != APPLY_REF)
			break;
		n = n->apply[0].nodes[0];
	}
	return n;
}

static void compare_nodes(struct compare *c, const struct node *from, const struct node *to);

static void compare_child(struct compare *c, struct span name, const struct node *a,
                          const struct node *b)
{
	size_t len = c->path.len;
	json_write_pointer_token(&c->path, name);
	compare_nodes(c, a, b);
	c->path.len = len;
}

/* Whether anything in there is something to the broker. */
static bool has_role(const struct node *n, unsigned depth)
{
	if (n->note)
		return true;
	if (depth == 0)
		return false;
	const struct object_rule *o = n->object;
	for (uint32_t i = 0; o && o->slots && i <= o->mask; i++)
		if (o->slots[i].node && has_role(o->slots[i].node, depth - 1))
			return true;
	if (n->array && n->array->rest && has_role(n->array->rest, depth - 1))
		return true;
	for (unsigned i = 0; i < n->n_apply; i++)
		for (uint32_t k = 0; k < n->apply[i].n; k++)
			if (n->apply[i].nodes[k] && has_role(n->apply[i].nodes[k], depth - 1))
				return true;
	return false;
}

/* ---- objects ---- */

static const struct member *member_of(const struct object_rule *r, struct span name)
{
	for (uint32_t i = 0; r->slots && i <= r->mask; i++)
		if (r->slots[i].name.p && span_eq(r->slots[i].name, name))
			return &r->slots[i];
	return NULL;
}

static bool in_set(const struct names *set, const struct member *m)
{
	return m && m->bit != NO_BIT && set->word[m->bit / 64] >> (m->bit % 64) & 1;
}

static bool forbids(const struct node *n)
{
	return n && n->types == 0;
}

static void member_gone(struct compare *c, const struct object_rule *to, const struct node *was)
{
	if (forbids(to->additional))
		compare_add(c, true, "additionalProperties", "is no longer allowed");
	else if (to->additional)
		compare_nodes(c, was, to->additional);
	else if (c->closed)
		compare_add(c, true, "unevaluatedProperties", "is no longer described here");
	else if (has_role(was, ROLES_DEPTH))
		compare_add(c, true, "properties", "is gone, and what was read from it");
	else
		compare_add(c, false, "properties", "is no longer described");
}

static void compare_members(struct compare *c, const struct object_rule *from,
                            const struct object_rule *to)
{
	for (uint32_t i = 0; from->slots && i <= from->mask; i++) {
		const struct member *a = &from->slots[i];
		if (!a->name.p)
			continue;
		const struct member *b = member_of(to, a->name);
		size_t len = c->path.len;
		json_write_pointer_token(&c->path, a->name);
		if (in_set(&from->required, a) && !in_set(&to->required, b))
			compare_add(c, false, "required", "is no longer required");
		if (a->node && b && b->node)
			compare_nodes(c, a->node, b->node);
		else if (a->node)
			member_gone(c, to, a->node);
		c->path.len = len;
	}
	for (uint32_t i = 0; to->slots && i <= to->mask; i++) {
		const struct member *b = &to->slots[i];
		if (!b->name.p)
			continue;
		const struct member *a = member_of(from, b->name);
		size_t len = c->path.len;
		json_write_pointer_token(&c->path, b->name);
		if (in_set(&to->required, b) && !in_set(&from->required, a))
			compare_add(c, true, "required", "is required now");
		else if (b->node && !(a && a->node))
			compare_add(c, false, "properties", "is new and optional");
		c->path.len = len;
	}
}

/* Sets of names of which one must be there; the same sets in the same order, or it is told. */
static bool same_any(const struct object_rule *a, const struct object_rule *b)
{
	if (a->n_any != b->n_any)
		return false;
	for (uint32_t s = 0; s < a->n_any; s++) {
		for (unsigned bit = 0; bit < a->n_bits; bit++) {
			const struct member *m = member_of(a, a->bit_names[bit]);
			if (in_set(&a->any[s], m) && !in_set(&b->any[s], member_of(b, m->name)))
				return false;
		}
		for (unsigned bit = 0; bit < b->n_bits; bit++) {
			const struct member *m = member_of(b, b->bit_names[bit]);
			if (in_set(&b->any[s], m) && !in_set(&a->any[s], member_of(a, m->name)))
				return false;
		}
	}
	return true;
}

/* true: every set of b still holds all names of a's. */
static bool wider_any(const struct object_rule *a, const struct object_rule *b)
{
	if (b->n_any > a->n_any)
		return false;
	for (uint32_t s = 0; s < b->n_any; s++)
		for (unsigned bit = 0; bit < a->n_bits; bit++) {
			const struct member *m = member_of(a, a->bit_names[bit]);
			if (in_set(&a->any[s], m) && !in_set(&b->any[s], member_of(b, m->name)))
				return false;
		}
	return true;
}

static void compare_rest(struct compare *c, const char *rule, const struct node *a,
                         const struct node *b)
{
	static const struct node ANYTHING = {.types = TYPES_ALL};
	if (!a && !b)
		return;
	if (a && !b && !forbids(a) && c->closed)
		compare_add(c, true, rule, "is gone, and with it what was allowed by it");
	else if (forbids(b) && !forbids(a))
		compare_add(c, true, rule, "nothing more is allowed now");
	else if (forbids(a) && !forbids(b))
		compare_add(c, false, rule, "more is allowed now");
	else
		compare_child(c, SPAN("*"), a ? a : &ANYTHING, b ? b : &ANYTHING);
}

static void compare_patterns(struct compare *c, const struct object_rule *a,
                             const struct object_rule *b)
{
	bool same = a->n_matches == b->n_matches;
	for (uint32_t i = 0; same && i < a->n_matches; i++)
		same = span_eq(a->matches[i].pattern->text, b->matches[i].pattern->text);
	if (!same) {
		compare_add(c, true, "patternProperties", "has changed");
		return;
	}
	for (uint32_t i = 0; i < a->n_matches; i++)
		compare_child(c, SPAN("*"), a->matches[i].node, b->matches[i].node);
}

static bool same_dependent(const struct object_rule *a, const struct object_rule *b, uint32_t i)
{
	const struct dependent *x = &a->dependents[i], *y = &b->dependents[i];
	if (!span_eq(a->bit_names[x->bit], b->bit_names[y->bit]) || !x->node != !y->node)
		return false;
	for (unsigned bit = 0; bit < b->n_bits; bit++) {
		const struct member *m = member_of(b, b->bit_names[bit]);
		if (in_set(&y->needs, m) && !in_set(&x->needs, member_of(a, m->name)))
			return false;
	}
	return true;
}

static void compare_dependents(struct compare *c, const struct object_rule *a,
                               const struct object_rule *b)
{
	bool same = b->n_dependents <= a->n_dependents;
	for (uint32_t i = 0; same && i < b->n_dependents; i++)
		same = same_dependent(a, b, i);
	if (!same) {
		compare_add(c, true, "dependentRequired", "asks for other members now");
		return;
	}
	for (uint32_t i = 0; i < b->n_dependents; i++)
		if (b->dependents[i].node)
			compare_nodes(c, a->dependents[i].node, b->dependents[i].node);
}

static void compare_objects(struct compare *c, const struct object_rule *a,
                            const struct object_rule *b)
{
	compare_members(c, a, b);
	if (!same_any(a, b))
		compare_add(c, !wider_any(a, b), "anyOf",
		            "one of other members must be there than before");
	compare_rest(c, "additionalProperties", a->additional, b->additional);
	compare_patterns(c, a, b);
	compare_dependents(c, a, b);
	if (a->name || b->name)
		compare_rest(c, "propertyNames", a->name, b->name);
	compare_count(c, "minProperties", b->min, a->min, b->min > a->min);
	compare_count(c, "maxProperties", b->max, a->max, b->max < a->max);
}

/* ---- arrays ---- */

static void compare_contains(struct compare *c, const struct array_rule *a,
                             const struct array_rule *b)
{
	if (!a->contains && !b->contains)
		return;
	if (!a->contains || !b->contains) {
		compare_add(c, b->contains != NULL || c->closed, "contains",
		            b->contains ? "asks for an item now" : "asks for no item now");
		return;
	}
	unsigned changes = c->n, breaking = c->n_breaking;
	compare_child(c, SPAN("*"), a->contains, b->contains);
	if (b->max_contains != UINT32_MAX && c->n > changes && c->n_breaking == breaking)
		compare_add(c, true, "maxContains", "more items fit what at most %u may fit",
		            b->max_contains);
	compare_count(c, "minContains", b->min_contains, a->min_contains,
	              b->min_contains > a->min_contains);
	compare_count(c, "maxContains", b->max_contains, a->max_contains,
	              b->max_contains < a->max_contains);
}

static void compare_arrays(struct compare *c, const struct array_rule *a,
                           const struct array_rule *b)
{
	compare_count(c, "minItems", b->min, a->min, b->min > a->min);
	compare_count(c, "maxItems", b->max, a->max, b->max < a->max);
	if (a->unique != b->unique)
		compare_add(c, b->unique, "uniqueItems",
		            b->unique ? "items must differ now" : "items may be equal now");
	compare_contains(c, a, b);
	if (a->n_prefix != b->n_prefix)
		compare_add(c, true, "prefixItems", "has %u items now, had %u", b->n_prefix,
		            a->n_prefix);
	for (uint32_t i = 0; i < a->n_prefix && i < b->n_prefix; i++) {
		char index[12];
		int n = snprintf(index, sizeof(index), "%u", i);
		compare_child(c, span_of(index, (size_t)n), a->prefix[i], b->prefix[i]);
	}
	compare_rest(c, "items", a->rest, b->rest);
}

/* ---- in place ---- */

/* Branches are compared one by one; only an anyOf or oneOf with more of them than before can still
 * be judged. */
static void compare_branches(struct compare *c, const struct apply *a, const struct apply *b)
{
	static const char *const NAMES[] = {"allOf", "anyOf", "oneOf",      "not",
	                                    "if",    "$ref",  "$dynamicRef"};
	const char *name = NAMES[b->kind];
	unsigned before = c->n;
	for (uint32_t k = 0; k < a->n && k < b->n; k++) {
		if (!a->nodes[k] != !b->nodes[k])
			compare_add(c, true, name, "has another branch now");
		else if (a->nodes[k])
			compare_nodes(c, a->nodes[k], b->nodes[k]);
	}
	bool turns = b->kind == APPLY_NOT || b->kind == APPLY_IF || b->kind == APPLY_ONE;
	if (turns && c->n > before && c->n_breaking == c->breaking_before) /* wider inside */
		compare_add(c, true, name,
		            "has changed inside, which turns more against a message");
	if (a->n == b->n)
		return;
	bool wider = b->kind == APPLY_ANY   ? b->n > a->n
	             : b->kind == APPLY_ALL ? b->n < a->n && !c->closed
	                                    : false;
	compare_add(c, !wider, name, "has %u branches now, had %u", b->n, a->n);
}

static void compare_applies(struct compare *c, const struct node *a, const struct node *b)
{
	bool same = a->n_apply == b->n_apply;
	for (unsigned i = 0; same && i < a->n_apply; i++)
		same = a->apply[i].kind == b->apply[i].kind;
	if (!same) {
		bool wider = b->n_apply == 0 && !c->closed;
		compare_add(c, !wider, "allOf", "other schemas are applied here than before");
		if (wider && has_role(a, ROLES_DEPTH))
			compare_add(c, true, "allOf", "what they read is gone");
		return;
	}
	for (unsigned i = 0; i < a->n_apply; i++) {
		unsigned outer = c->breaking_before;
		c->breaking_before = c->n_breaking;
		compare_branches(c, &a->apply[i], &b->apply[i]);
		c->breaking_before = outer;
	}
}

static void compare_nodes(struct compare *c, const struct node *from, const struct node *to)
{
	const struct node *a = through_refs(from), *b = through_refs(to);
	for (unsigned i = 0; i < c->depth; i++)
		if (c->open[i].a == a && c->open[i].b == b)
			return; /* leads back to itself: it is being compared */
	if (c->depth == LIMIT_SCHEMA_NESTING || c->visits++ == VISITS_MAX) {
		compare_add(c, true, "limit", "too much to compare");
		return;
	}
	if (c->visits > VISITS_MAX)
		return;
	c->open[c->depth].a = a;
	c->open[c->depth++].b = b;
	bool closed = b->unevaluated_members || b->unevaluated_items;
	c->closed += closed;
	compare_values(c, a, b);
	if (a->object || b->object)
		compare_objects(c, a->object ? a->object : &NO_OBJECT,
		                b->object ? b->object : &NO_OBJECT);
	if (a->array || b->array)
		compare_arrays(c, a->array ? a->array : &NO_ARRAY, b->array ? b->array : &NO_ARRAY);
	compare_applies(c, a, b);
	if (a->unevaluated_members || b->unevaluated_members)
		compare_rest(c, "unevaluatedProperties", a->unevaluated_members,
		             b->unevaluated_members);
	if (a->unevaluated_items || b->unevaluated_items)
		compare_rest(c, "unevaluatedItems", a->unevaluated_items, b->unevaluated_items);
	c->closed -= closed;
	compare_notes(c, a, b);
	c->depth--;
}

unsigned schema_compare(const struct schema *from, const struct schema *to,
                        struct schema_change *ret, unsigned max, unsigned *ret_breaking)
{
	struct compare c = {.out = ret, .max = max};
	buf_init(&c.path, COMPARE_PATH_BYTES);
	compare_nodes(&c, from->root, to->root);
	buf_done(&c.path);
	*ret_breaking = c.n_breaking;
	return c.n;
}
