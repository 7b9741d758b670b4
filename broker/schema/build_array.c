/* build_array.c - what is asserted of arrays. JSON Schema 2020-12 core 10.3.1 and 11.2, validation
 * 6.4; in draft-07 "items" may be an array and "additionalItems" what follows it (6.4.1, 6.4.2). */
#include "schema/build.h"

static void build_items(struct build *b, struct array_rule *r, struct place at)
{
	struct place prefix = build_keyword(b, at, "prefixItems");
	struct place items = build_keyword(b, at, "items");
	struct place rest = items;
	bool many = items.tok && place_token(items)->type == JSON_ARRAY;
	if (build_draft(b, at) == DRAFT_07 && many) {
		prefix = items;
		rest = build_keyword(b, at, "additionalItems");
	} else if (many) {
		build_fail(b, items,
		           "must be a schema: an array of them is prefixItems in 2020-12");
	}
	if (prefix.tok)
		r->prefix = build_nodes(b, prefix, &r->n_prefix);
	if (rest.tok)
		r->rest = build_node(b, rest);
}

static void build_unique(struct build *b, struct array_rule *r, struct place at)
{
	struct place k = build_keyword(b, at, "uniqueItems");
	if (!k.tok)
		return;
	r->unique = place_token(k)->type == JSON_TRUE;
	b->sc->sets |= r->unique;
	if (!r->unique && place_token(k)->type != JSON_FALSE)
		build_fail(b, k, "must be true or false");
}

void build_array(struct build *b, struct node *n, struct place at)
{
	struct array_rule r = {0};
	build_items(b, &r, at);
	build_unique(b, &r, at);
	r.min = build_count(b, at, "minItems", 0);
	r.max = build_count(b, at, "maxItems", UINT32_MAX);
	struct place k = build_keyword(b, at, "contains");
	if (k.tok)
		r.contains = build_node(b, k);
	r.min_contains = build_count(b, at, "minContains", 1);
	r.max_contains = build_count(b, at, "maxContains", UINT32_MAX);
	r.contains_evaluates = build_draft(b, at) == DRAFT_2020;
	k = build_keyword(b, at, "unevaluatedItems");
	if (k.tok) {
		n->unevaluated_items = build_node(b, k);
		b->sc->sets = true;
	}
	if (r.prefix || r.rest || r.unique || r.contains || r.min > 0 || r.max != UINT32_MAX ||
	    n->unevaluated_items)
		n->array = arena_copy(&b->sc->arena, &r, sizeof(r));
}
