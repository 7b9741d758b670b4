/* compile.c - from bytes to nodes: the work list, the helpers the keywords share, the last checks.
 * What a keyword means stands in build_*.c. */
#include "base/err.h"
#include "base/mem.h"
#include "schema/build.h"
#include "schema/ecma.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct node STAND_IN = {.types = TYPES_ALL};

void build_fail(struct build *b, struct place at, const char *fmt, ...)
{
	if (b->err)
		return;
	b->err = ERR_CONFIG;
	struct buf text;
	buf_init(&text, 4096);
	if (at.doc && at.doc != b->sc->documents[0]) {
		buf_add_str(&text, at.doc->uri);
		buf_add_str(&text, "#");
	}
	if (at.doc && at.doc->tape.src) {
		document_pointer(at.doc, at.tok, &text);
		if (at.tok == 0)
			buf_add_char(&text, '/');
		buf_add_str(&text, ": ");
	}
	char what[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (b->why_size > 0)
		snprintf(b->why, b->why_size, "%s%s", text.len ? buf_str(&text) : "", what);
	buf_done(&text);
}

void *build_more(void *p, unsigned n, unsigned *cap, size_t size)
{
	if (n < *cap)
		return p;
	*cap = *cap ? *cap * 2 : 16;
	return xrealloc(p, *cap * size);
}

static const struct resource *resource_of(const struct build *b, struct place at)
{
	assert(at.doc->resource[at.tok] > 0);
	return &b->resources[at.doc->resource[at.tok] - 1];
}

enum draft build_draft(const struct build *b, struct place at)
{
	return resource_of(b, at)->draft;
}

const struct node *build_node(struct build *b, struct place at)
{
	if (b->err)
		return &STAND_IN;
	struct node **slot = &at.doc->nodes[at.tok];
	if (*slot)
		return *slot;
	uint8_t type = place_token(at)->type;
	if (type != JSON_OBJECT && type != JSON_TRUE && type != JSON_FALSE) {
		build_fail(b, at, "must be a schema: an object, true or false");
		return &STAND_IN;
	}
	if (b->n_made == LIMIT_SCHEMA_NODES) {
		build_fail(b, at, "more than %d subschemas", LIMIT_SCHEMA_NODES);
		return &STAND_IN;
	}
	struct node *n = arena_get(&b->sc->arena, sizeof(*n));
	n->types = TYPES_ALL;
	n->index = b->n_made;
	n->resource = (uint16_t)(at.doc->resource[at.tok] - 1);
	b->made = build_more(b->made, b->n_made, &b->cap_made, sizeof(*b->made));
	b->made[b->n_made++] = (struct made){n, at};
	*slot = n;
	return n;
}

const struct node *const *build_nodes(struct build *b, struct place at, uint32_t *ret_n)
{
	const struct json_token *t = place_token(at);
	*ret_n = 0;
	if (t->type != JSON_ARRAY) {
		build_fail(b, at, "must be an array of schemas");
		return NULL;
	}
	const struct node **nodes = arena_get(&b->sc->arena, t->size * sizeof(*nodes));
	uint32_t child = at.tok + 1, n = t->size;
	for (uint32_t i = 0; i < n; i++) {
		nodes[i] = build_node(b, place_at(at, child));
		child = at.doc->tape.tok[child].next;
	}
	*ret_n = n;
	return nodes;
}

static bool named(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, list[i]) == 0)
			return true;
	return false;
}

/* Keywords of one draft only; in the other they are unknown, thus annotations. */
static bool keyword_applies(const struct resource *r, const char *name)
{
	static const char *const NEW[] = {
	    "prefixItems", "dependentRequired", "dependentSchemas",      "minContains",
	    "maxContains", "unevaluatedItems",  "unevaluatedProperties", "$dynamicRef",
	};
	static const char *const ASSERTIONS[] = {
	    "type",          "enum",
	    "const",         "multipleOf",
	    "maximum",       "exclusiveMaximum",
	    "minimum",       "exclusiveMinimum",
	    "maxLength",     "minLength",
	    "pattern",       "maxItems",
	    "minItems",      "uniqueItems",
	    "maxContains",   "minContains",
	    "required",      "maxProperties",
	    "minProperties", "dependentRequired",
	};
	if (r->draft == DRAFT_07 && named(name, NEW, ARRAY_LEN(NEW)))
		return false;
	if (r->draft == DRAFT_2020 && strcmp(name, "additionalItems") == 0)
		return false;
	return r->assertions || !named(name, ASSERTIONS, ARRAY_LEN(ASSERTIONS));
}

struct place build_keyword(const struct build *b, struct place at, const char *name)
{
	uint32_t i = json_member(&at.doc->tape, at.tok, span_str(name));
	if (i && !keyword_applies(resource_of(b, at), name))
		i = 0;
	return place_at(at, i);
}

uint32_t build_count(struct build *b, struct place at, const char *name, uint32_t fallback)
{
	struct place k = build_keyword(b, at, name);
	int64_t v;
	if (!k.tok)
		return fallback;
	if (place_token(k)->type != JSON_NUMBER ||
	    json_int64(json_text(&k.doc->tape, k.tok), &v) != 0 || v < 0) {
		build_fail(b, k, "must be a whole number that is not negative");
		return fallback;
	}
	return (uint32_t)MIN_OF(v, (int64_t)UINT32_MAX - 1);
}

struct span build_string(struct build *b, struct document *d, uint32_t tok)
{
	struct span raw = json_text(&d->tape, tok);
	assert(d->tape.tok[tok].type == JSON_STRING);
	if (!(d->tape.tok[tok].flags & JSON_ESCAPED))
		return raw;
	char *p = arena_get(&b->sc->arena, raw.n + 1);
	return span_of(p, json_unescape(raw, p));
}

struct span build_text(struct build *b, struct place at)
{
	if (place_token(at)->type != JSON_STRING) {
		build_fail(b, at, "must be a string");
		return span_of("", 0);
	}
	return build_string(b, at.doc, at.tok);
}

const struct pattern *build_pattern(struct build *b, struct place at, struct span text)
{
	char why[200] = "";
	struct schema *sc = b->sc;
	if (b->err)
		return NULL;
	pcre2_code *code = ecma_compile(text, why, sizeof(why));
	if (!code) {
		build_fail(b, at, "is not a regular expression: %s", why);
		return NULL;
	}
	sc->codes = build_more(sc->codes, sc->n_codes, &sc->cap_codes, sizeof(*sc->codes));
	sc->codes[sc->n_codes++] = code;
	struct pattern *p = arena_get(&sc->arena, sizeof(*p));
	*p = (struct pattern){code, text};
	return p;
}

static void fill(struct build *b, struct node *n, struct place at)
{
	uint8_t type = place_token(at)->type;
	if (type == JSON_FALSE)
		n->types = 0;
	if (type != JSON_OBJECT)
		return;
	struct place ref = build_keyword(b, at, "$ref");
	bool alone = build_draft(b, at) == DRAFT_07 && ref.tok;
	struct place note = build_keyword(b, at, "x-oudp");
	if (alone && note.tok)
		build_fail(b, note, "stands beside $ref, which draft-07 ignores: use allOf");
	if (!alone) {
		build_scalars(b, n, at);
		build_object(b, n, at);
		build_array(b, n, at);
		build_note(b, n, at);
	}
	build_apply(b, n, at);
	n->deep = n->n_apply > 0;
}

/* What a $dynamicRef may mean, resource by resource: each that has such a $dynamicAnchor. */
static void fill_dynamics(struct build *b, const struct node ***tables)
{
	for (unsigned i = 0; i < b->n_dynamics; i++) {
		for (unsigned r = 0; r < b->n_resources && !b->err; r++) {
			const struct anchor *a = build_anchor(b, r, b->dynamics[i].anchor);
			if (a && a->dynamic)
				tables[i][r] =
				    build_node(b, (struct place){b->resources[r].doc, a->tok});
		}
	}
}

static void fill_all(struct build *b)
{
	while (!b->err && b->n_filled < b->n_made) {
		struct made m = b->made[b->n_filled++];
		fill(b, m.node, m.at);
	}
}

/* Nodes and resources draw in more of each other; the tables are made when nothing is new. */
static void fill_until_still(struct build *b)
{
	unsigned resources;
	do {
		fill_all(b);
		resources = b->n_resources;
		const struct node ***tables = xcalloc(b->n_dynamics + 1, sizeof(*tables));
		for (unsigned i = 0; i < b->n_dynamics; i++)
			tables[i] = arena_get(&b->sc->arena, (resources + 1) * sizeof(**tables));
		unsigned dynamics = b->n_dynamics;
		fill_dynamics(b, tables);
		for (unsigned i = 0; i < dynamics; i++) {
			struct apply *a = (struct apply *)b->dynamics[i].node->apply;
			a[b->dynamics[i].apply].by_resource = tables[i];
		}
		free(tables);
	} while (!b->err && (b->n_filled < b->n_made || resources != b->n_resources));
}

/* Schemas that lead back to themselves without going into the value would never end. Depth first
 * over the schemas that are applied in place, on a stack of our own. */
enum { WHITE, GREY, BLACK };

static const struct node *in_place_child(const struct node *n, unsigned k)
{
	for (unsigned i = 0; i < n->n_apply; i++) {
		if (k < n->apply[i].n)
			return n->apply[i].nodes[k] ? n->apply[i].nodes[k] : &STAND_IN;
		k -= n->apply[i].n;
	}
	if (n->object && k < n->object->n_dependents)
		return n->object->dependents[k].node ? n->object->dependents[k].node : &STAND_IN;
	return NULL;
}

static void find_loops(struct build *b)
{
	struct visit {
		const struct node *n;
		unsigned k;
	} *stack = xcalloc(b->n_made + 1, sizeof(*stack));
	uint8_t *colour = xcalloc(b->n_made + 1, 1);
	for (unsigned i = 0; i < b->n_made && !b->err; i++) {
		size_t depth = 0;
		if (colour[i] == WHITE)
			stack[depth++] = (struct visit){b->made[i].node, 0};
		colour[i] = colour[i] == WHITE ? GREY : colour[i];
		while (depth > 0 && !b->err) {
			struct visit *v = &stack[depth - 1];
			const struct node *child = in_place_child(v->n, v->k++);
			if (!child) {
				colour[v->n->index] = BLACK;
				depth--;
			} else if (child == &STAND_IN || colour[child->index] == BLACK) {
				continue;
			} else if (colour[child->index] == GREY) {
				build_fail(b, b->made[child->index].at,
				           "leads back to itself without an end");
			} else {
				colour[child->index] = GREY;
				stack[depth++] = (struct visit){child, 0};
			}
		}
	}
	free(colour);
	free(stack);
}

static void build_done(struct build *b)
{
	for (unsigned i = 0; i < b->sc->n_documents; i++) {
		struct document *d = b->sc->documents[i];
		free(d->nodes);
		free(d->resource);
		d->nodes = NULL;
		d->resource = NULL;
	}
	free(b->resources);
	free(b->anchors);
	free(b->made);
	free(b->dynamics);
}

int schema_build(struct span source, const char *name, unsigned version,
                 const struct schema_options *opt, struct schema **ret, char *why, size_t why_size)
{
	assert(name && opt && opt->uri && ret);
	struct schema *sc = xcalloc(1, sizeof(*sc));
	struct build b = {.sc = sc, .opt = *opt, .why = why, .why_size = why ? why_size : 0};
	if (strlen(name) >= sizeof(sc->name))
		build_fail(&b, (struct place){0}, "its name is longer than %zu bytes",
		           sizeof(sc->name) - 1);
	snprintf(sc->name, sizeof(sc->name), "%s", name);
	snprintf(sc->id, sizeof(sc->id), "%s/%u", sc->name, version);
	sc->version = version;
	struct document *d = b.err ? NULL : document_add(&b, opt->uri, source, (struct place){0});
	if (d) {
		sc->root = build_node(&b, (struct place){d, 0});
		fill_until_still(&b);
	}
	if (!b.err)
		find_loops(&b);
	if (!b.err)
		build_results(&b);
	if (!b.err)
		build_decides(&b);
	sc->n_nodes = b.n_made;
	build_done(&b);
	if (b.err)
		schema_free(sc);
	else
		*ret = sc;
	assert(b.err || sc->root);
	return b.err;
}

void schema_set_path(struct schema *sc, const char *dir, const char *file)
{
	size_t size = strlen(dir) + strlen(file) + 2;
	sc->path = arena_get(&sc->arena, size);
	snprintf(sc->path, size, "%s/%s", dir, file);
}

void schema_free(struct schema *sc)
{
	if (!sc)
		return;
	for (unsigned i = 0; i < sc->n_documents; i++)
		document_free(sc->documents[i]);
	for (unsigned i = 0; i < sc->n_codes; i++)
		pcre2_code_free(sc->codes[i]);
	free(sc->codes);
	free(sc->results);
	arena_done(&sc->arena);
	free(sc);
}
