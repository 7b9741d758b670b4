/* build_apply.c - keywords that apply schemas to the value itself: $ref, $dynamicRef, allOf, anyOf,
 * oneOf, not, if/then/else. JSON Schema 2020-12 core 8.2.3 and 10.2; draft-07 8.3 and 6.6, 6.7. */
#include "schema/build.h"
#include "schema/uri.h"

enum { APPLY_MAX = 8 };

struct applies {
	struct apply list[APPLY_MAX];
	unsigned n;
};

static void add(struct applies *a, enum apply_kind kind, const struct node *const *nodes,
                uint32_t n)
{
	assert(a->n < APPLY_MAX);
	a->list[a->n++] = (struct apply){.kind = kind, .nodes = nodes, .n = n};
}

static void add_one(struct build *b, struct applies *a, enum apply_kind kind,
                    const struct node *node)
{
	add(a, kind, arena_copy(&b->sc->arena, &node, sizeof(node)), 1);
}

static void apply_ref(struct build *b, struct applies *a, struct place at)
{
	struct place k = build_keyword(b, at, "$ref");
	if (!k.tok)
		return;
	struct place to = build_resolve(b, k, build_text(b, k));
	if (to.doc)
		add_one(b, a, APPLY_REF, build_node(b, to));
}

/* Dynamic only when it first leads to a $dynamicAnchor of its own name (core 8.2.3.2). */
static void apply_dynamic(struct build *b, struct node *n, struct applies *a, struct place at)
{
	struct place k = build_keyword(b, at, "$dynamicRef");
	if (!k.tok)
		return;
	struct span ref = build_text(b, k);
	struct place to = build_resolve(b, k, ref);
	if (!to.doc)
		return;
	const struct node *first = build_node(b, to);
	struct span name = uri_split(ref).fragment;
	const struct anchor *anchor = NULL;
	if (name.n > 0 && name.p[0] != '/')
		anchor = build_anchor(b, to.doc->resource[to.tok] - 1u, name);
	if (!anchor || !anchor->dynamic || b->err) {
		add_one(b, a, APPLY_REF, first);
		return;
	}
	b->sc->dynamic = true;
	b->dynamics =
	    build_more(b->dynamics, b->n_dynamics, &b->cap_dynamics, sizeof(*b->dynamics));
	b->dynamics[b->n_dynamics++] = (struct dynamic_ref){n, a->n, name};
	add_one(b, a, APPLY_DYNAMIC, first);
}

static void apply_many(struct build *b, struct applies *a, struct place at, const char *name,
                       enum apply_kind kind)
{
	uint32_t count = 0;
	struct place k = build_keyword(b, at, name);
	if (!k.tok)
		return;
	const struct node *const *nodes = build_nodes(b, k, &count);
	if (count == 0)
		build_fail(b, k, "must hold a schema");
	add(a, kind, nodes, count);
}

static void apply_if(struct build *b, struct applies *a, struct place at)
{
	static const char *const NAMES[] = {"if", "then", "else"};
	const struct node **nodes = arena_get(&b->sc->arena, 3 * sizeof(*nodes));
	for (int i = 0; i < 3; i++) {
		struct place k = build_keyword(b, at, NAMES[i]);
		nodes[i] = k.tok ? build_node(b, k) : NULL;
	}
	if (nodes[0]) /* then and else mean nothing alone */
		add(a, APPLY_IF, nodes, 3);
}

void build_apply(struct build *b, struct node *n, struct place at)
{
	struct applies a = {0};
	bool alone = build_draft(b, at) == DRAFT_07 && build_keyword(b, at, "$ref").tok;
	apply_ref(b, &a, at);
	if (!alone) {
		apply_dynamic(b, n, &a, at);
		/* some ask only for members: build_object.c has done them */
		if (!n->object || !n->object->all_lowered)
			apply_many(b, &a, at, "allOf", APPLY_ALL);
		if (!n->object || !n->object->any_lowered)
			apply_many(b, &a, at, "anyOf", APPLY_ANY);
		apply_many(b, &a, at, "oneOf", APPLY_ONE);
		struct place k = build_keyword(b, at, "not");
		if (k.tok)
			add_one(b, &a, APPLY_NOT, build_node(b, k));
		apply_if(b, &a, at);
	}
	if (b->err)
		return;
	n->n_apply = (uint16_t)a.n;
	n->apply = arena_copy(&b->sc->arena, a.list, a.n * sizeof(a.list[0]));
}
