/* results.c - what a schema can yield, for catalogues: every result that can be reached, by the
 * member name it will have. An array's index is told as "*", and so is a member that only a pattern
 * names. Members of an item are named from the item. */
#include "base/mem.h"
#include "schema/build.h"
#include "json/write.h"

#include <stdlib.h>

enum { VISITS_MAX = 100000, RESULTS_MAX = 1024, PATH_MAX_BYTES = 1024 };

struct gather {
	struct build *b;
	uint8_t *open; /* by node: on the way here */
	struct buf path;
	unsigned visits, depth, cap;
};

static void add_result(struct gather *g, const struct node *node)
{
	struct schema *sc = g->b->sc;
	const struct note *n = node->note;
	struct span path = n->name.n ? n->name : span_of(g->path.p, g->path.len);
	if (path.n == 0)
		path = SPAN("value"); /* the payload, or the item, is the result itself */
	else if (n->name.n == 0)
		path = span_of(path.p + 1, path.n - 1); /* less the first slash */
	for (unsigned i = 0; i < sc->n_results; i++) {
		const struct schema_result_info *r = &sc->results[i];
		if (!span_is(path, r->member))
			continue;
		sc->repeats = true;
		if (strcmp(r->unit, n->unit) != 0 || strcmp(r->observed_property, n->property) != 0)
			build_fail(g->b, g->b->made[node->index].at,
			           "result \"%s\" has another unit or observedProperty elsewhere",
			           r->member);
		return;
	}
	if (sc->n_results == RESULTS_MAX)
		return;
	sc->results = build_more(sc->results, sc->n_results, &g->cap, sizeof(*sc->results));
	sc->results[sc->n_results++] =
	    (struct schema_result_info){arena_string(&sc->arena, path),
	                                n->property,
	                                n->unit,
	                                n->scale != 1 || n->offset != 0 || n->name.n > 0,
	                                n->has_plausible,
	                                n->low,
	                                n->high,
	                                n->spike,
	                                n->stuck_s};
}

static void visit(struct gather *g, const struct node *n);

static void visit_named(struct gather *g, const struct node *n, struct span name)
{
	size_t len = g->path.len;
	if (!n || len + name.n > PATH_MAX_BYTES)
		return;
	json_write_pointer_token(&g->path, name);
	visit(g, n);
	g->path.len = len;
}

static void visit_object(struct gather *g, const struct object_rule *r)
{
	for (uint32_t i = 0; i <= r->mask; i++)
		if (r->slots[i].name.p)
			visit_named(g, r->slots[i].node, r->slots[i].name);
	for (uint32_t i = 0; i < r->n_matches; i++)
		visit_named(g, r->matches[i].node, SPAN("*"));
	visit_named(g, r->additional, SPAN("*"));
	for (uint32_t i = 0; i < r->n_dependents; i++)
		if (r->dependents[i].node)
			visit(g, r->dependents[i].node);
}

static void visit_elements(struct gather *g, const struct node *n)
{
	const struct array_rule *r = n->array;
	bool item = n->note && n->note->role == ROLE_ITEM;
	struct buf outer = g->path;
	if (item)
		buf_init(&g->path, PATH_MAX_BYTES * 2);
	for (uint32_t i = 0; i <= r->n_prefix; i++) {
		const struct node *child = i < r->n_prefix ? r->prefix[i] : r->rest;
		if (item && child)
			visit(g, child);
		else
			visit_named(g, child, SPAN("*"));
	}
	if (item) {
		buf_done(&g->path);
		g->path = outer;
	}
}

static void visit(struct gather *g, const struct node *n)
{
	if (g->open[n->index] || g->visits++ >= VISITS_MAX || g->b->err ||
	    g->depth == LIMIT_SCHEMA_NESTING)
		return;
	g->depth++;
	g->open[n->index] = 1;
	if (n->note && n->note->role == ROLE_RESULT)
		add_result(g, n);
	if (n->object)
		visit_object(g, n->object);
	if (n->array)
		visit_elements(g, n);
	for (unsigned i = 0; i < n->n_apply; i++)
		for (uint32_t k = 0; k < n->apply[i].n && n->apply[i].kind != APPLY_NOT; k++)
			if (n->apply[i].nodes[k])
				visit(g, n->apply[i].nodes[k]);
	g->open[n->index] = 0;
	g->depth--;
}

static int by_member(const void *a, const void *b)
{
	const struct schema_result_info *x = a, *y = b;
	return strcmp(x->member, y->member);
}

void build_results(struct build *b)
{
	struct gather g = {.b = b, .open = xcalloc(b->n_made + 1, 1)};
	struct schema *sc = b->sc;
	buf_init(&g.path, PATH_MAX_BYTES * 2);
	visit(&g, sc->root);
	if (sc->n_results > 0)
		qsort(sc->results, sc->n_results, sizeof(*sc->results), by_member);
	buf_done(&g.path);
	free(g.open);
}
