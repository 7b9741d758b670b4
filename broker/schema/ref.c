/* ref.c - who is who in a document ($id, $anchor, $dynamicAnchor, $schema), and where a $ref leads.
 * JSON Schema 2020-12 core sections 8 and 9; draft-07 core section 8. */
#include "schema/build.h"
#include "schema/uri.h"

#include <stdlib.h>

enum kind { ONE, MANY, MAP, ONE_OR_MANY, MAP_MIXED };

/* Where subschemas stand. */
static const struct {
	const char *name;
	enum draft drafts;
	enum kind kind;
} PLACES[] = {
    {"properties", DRAFT_BOTH, MAP},
    {"patternProperties", DRAFT_BOTH, MAP},
    {"additionalProperties", DRAFT_BOTH, ONE},
    {"propertyNames", DRAFT_BOTH, ONE},
    {"items", DRAFT_BOTH, ONE_OR_MANY},
    {"prefixItems", DRAFT_2020, MANY},
    {"additionalItems", DRAFT_07, ONE},
    {"contains", DRAFT_BOTH, ONE},
    {"allOf", DRAFT_BOTH, MANY},
    {"anyOf", DRAFT_BOTH, MANY},
    {"oneOf", DRAFT_BOTH, MANY},
    {"not", DRAFT_BOTH, ONE},
    {"if", DRAFT_BOTH, ONE},
    {"then", DRAFT_BOTH, ONE},
    {"else", DRAFT_BOTH, ONE},
    {"$defs", DRAFT_2020, MAP},
    {"definitions", DRAFT_BOTH, MAP},
    {"dependencies", DRAFT_BOTH, MAP_MIXED},
    {"dependentSchemas", DRAFT_2020, MAP},
    {"unevaluatedItems", DRAFT_2020, ONE},
    {"unevaluatedProperties", DRAFT_2020, ONE},
    {"contentSchema", DRAFT_2020, ONE},
};

static void scan_schema(struct build *b, struct document *d, uint32_t tok, unsigned resource);

static void scan_children(struct build *b, struct document *d, uint32_t tok, enum kind kind,
                          unsigned resource)
{
	const struct json_token *t = d->tape.tok;
	bool many = kind == MANY || (kind == ONE_OR_MANY && t[tok].type == JSON_ARRAY);
	bool map = kind == MAP || kind == MAP_MIXED;
	if (!many && !map) {
		scan_schema(b, d, tok, resource);
		return;
	}
	if (t[tok].type != (map ? JSON_OBJECT : JSON_ARRAY))
		return; /* whoever builds it will complain */
	uint32_t child = tok + 1;
	for (uint32_t k = 0; k < t[tok].size; k++) {
		uint32_t value = map ? child + 1 : child;
		if (kind != MAP_MIXED || t[value].type != JSON_ARRAY)
			scan_schema(b, d, value, resource);
		child = t[value].next;
	}
}

static uint32_t string_member(const struct document *d, uint32_t tok, const char *name)
{
	uint32_t i = json_member(&d->tape, tok, span_str(name));
	return i && d->tape.tok[i].type == JSON_STRING ? i : 0;
}

/* A metaschema of somebody's own says by $vocabulary whether assertions assert (core 8.1.2). */
static void read_vocabulary(struct build *b, struct resource *r, struct document *meta,
                            struct place from)
{
	static const char VOCABULARIES[] = "https://json-schema.org/draft/2020-12/vocab/";
	const struct json_tape *t = &meta->tape;
	uint32_t v = t->tok[0].type == JSON_OBJECT ? json_member(t, 0, SPAN("$vocabulary")) : 0;
	r->draft = DRAFT_2020;
	if (!v || t->tok[v].type != JSON_OBJECT)
		return;
	r->assertions = false;
	uint32_t name = v + 1;
	for (uint32_t k = 0; k < t->tok[v].size; k++, name = t->tok[name + 1].next) {
		struct span s = json_text(t, name);
		size_t n = sizeof(VOCABULARIES) - 1;
		bool known = s.n > n && memcmp(s.p, VOCABULARIES, n) == 0;
		if (known && span_is(span_of(s.p + n, s.n - n), "validation"))
			r->assertions = true;
		else if (!known && t->tok[name + 1].type == JSON_TRUE)
			build_fail(b, from, "asks for a vocabulary that is not supported: %.*s",
			           (int)MIN_OF(s.n, (size_t)120), s.p);
	}
}

static bool starts(struct span s, const char *prefix)
{
	size_t n = strlen(prefix);
	return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

static void read_draft(struct build *b, struct document *d, uint32_t tok, struct resource *r)
{
	uint32_t i = string_member(d, tok, "$schema");
	if (!i)
		return;
	struct place from = {d, i};
	struct span s = json_text(&d->tape, i);
	if (s.n > 0 && s.p[s.n - 1] == '#')
		s.n--;
	r->assertions = true;
	if (span_is(s, "https://json-schema.org/draft/2020-12/schema")) {
		r->draft = DRAFT_2020;
	} else if (span_is(s, "http://json-schema.org/draft-07/schema") ||
	           span_is(s, "https://json-schema.org/draft-07/schema")) {
		r->draft = DRAFT_07;
	} else if (starts(s, "http://json-schema.org/") || starts(s, "https://json-schema.org/")) {
		build_fail(b, from, "not supported: this is for 2020-12 and draft-07");
	} else {
		unsigned index = (unsigned)(r - b->resources);
		struct document *meta = document_find(b, s, from);
		if (meta) /* resources may have moved */
			read_vocabulary(b, &b->resources[index], meta, from);
	}
}

static unsigned add_resource(struct build *b, struct document *d, uint32_t tok, const char *uri,
                             const struct resource *parent)
{
	struct resource r = {
	    .uri = uri, .doc = d, .tok = tok, .draft = DRAFT_2020, .assertions = true};
	if (b->opt.draft)
		r.draft = b->opt.draft;
	if (parent) {
		r.draft = parent->draft;
		r.assertions = parent->assertions;
	}
	if (b->n_resources >= UINT16_MAX - 1) {
		build_fail(b, (struct place){d, tok}, "too many $id");
		return 0;
	}
	b->resources = build_more(b->resources, b->n_resources, &b->cap_resources, sizeof(r));
	b->resources[b->n_resources] = r;
	return b->n_resources++;
}

static void add_anchor(struct build *b, unsigned resource, struct span name, uint32_t tok,
                       bool dynamic)
{
	b->anchors = build_more(b->anchors, b->n_anchors, &b->cap_anchors, sizeof(*b->anchors));
	b->anchors[b->n_anchors++] = (struct anchor){(uint16_t)resource, dynamic, name, tok};
}

/* $id: a new resource, or in draft-07 "#name" an anchor. Returns the resource the schema is in. */
static unsigned read_id(struct build *b, struct document *d, uint32_t tok, unsigned resource)
{
	uint32_t i = string_member(d, tok, "$id");
	if (!i)
		return resource;
	const struct resource *r = &b->resources[resource];
	struct span id = build_string(b, d, i);
	struct uri u = uri_split(id);
	if (u.fragment.n > 0 && r->draft == DRAFT_2020) {
		build_fail(b, (struct place){d, i}, "must not have a fragment");
		return resource;
	}
	if (id.n > 0 && id.p[0] == '#') {
		add_anchor(b, resource, u.fragment, tok, false);
		return resource;
	}
	struct buf abs;
	buf_init(&abs, LIMIT_SCHEMA_BYTES);
	uri_resolve(span_str(r->uri), id, &abs);
	char *uri = arena_string(&b->sc->arena, span_of(abs.p, abs.len));
	buf_done(&abs);
	if (tok == 0) {
		b->resources[resource].uri = uri;
		return resource;
	}
	unsigned own = add_resource(b, d, tok, uri, r);
	read_draft(b, d, tok, &b->resources[own]);
	return own;
}

static void scan_schema(struct build *b, struct document *d, uint32_t tok, unsigned resource)
{
	if (b->err || d->resource[tok])
		return;
	d->resource[tok] = (uint16_t)(resource + 1);
	if (d->tape.tok[tok].type != JSON_OBJECT)
		return;
	/* draft-07 8.3: what stands beside $ref is ignored, $id too */
	bool alone = b->resources[resource].draft == DRAFT_07 && string_member(d, tok, "$ref");
	if (!alone || tok == 0)
		resource = read_id(b, d, tok, resource);
	if (b->err)
		return;
	d->resource[tok] = (uint16_t)(resource + 1);
	enum draft draft = b->resources[resource].draft;
	if (draft == DRAFT_2020) {
		uint32_t i = string_member(d, tok, "$anchor");
		if (i)
			add_anchor(b, resource, build_string(b, d, i), tok, false);
		i = string_member(d, tok, "$dynamicAnchor");
		if (i)
			add_anchor(b, resource, build_string(b, d, i), tok, true);
	}
	for (size_t k = 0; k < ARRAY_LEN(PLACES); k++) {
		uint32_t value = json_member(&d->tape, tok, span_str(PLACES[k].name));
		if (value && (PLACES[k].drafts & draft))
			scan_children(b, d, value, PLACES[k].kind, resource);
	}
}

void build_scan(struct build *b, struct document *d)
{
	char *uri = arena_string(&b->sc->arena, span_str(d->uri));
	unsigned resource = add_resource(b, d, 0, uri, NULL);
	if (b->err)
		return;
	if (d->tape.tok[0].type == JSON_OBJECT)
		read_draft(b, d, 0, &b->resources[resource]);
	scan_schema(b, d, 0, resource);
}

const struct anchor *build_anchor(const struct build *b, unsigned resource, struct span name)
{
	for (unsigned i = 0; i < b->n_anchors; i++)
		if (b->anchors[i].resource == resource && span_eq(b->anchors[i].name, name))
			return &b->anchors[i];
	return NULL;
}

/* The next token of a pointer (RFC 6901 section 4), unescaped in place of buf. */
static struct span next_token(struct span *pointer, char *buf)
{
	size_t n = 0, i = 1; /* behind the slash */
	while (i < pointer->n && pointer->p[i] != '/') {
		char c = pointer->p[i++];
		if (c == '~' && i < pointer->n && (pointer->p[i] == '0' || pointer->p[i] == '1'))
			c = pointer->p[i++] == '0' ? '~' : '/';
		buf[n++] = c;
	}
	*pointer = span_of(pointer->p + i, pointer->n - i);
	return span_of(buf, n);
}

static uint32_t array_element(const struct json_tape *t, uint32_t at, struct span index)
{
	uint64_t k;
	if (span_to_u64(index, &k) != 0 || k >= t->tok[at].size)
		return 0;
	uint32_t child = at + 1;
	while (k-- > 0)
		child = t->tok[child].next;
	return child;
}

/* Follows a pointer from a resource's root; the place reached belongs to the last resource met. */
static struct place follow(struct build *b, unsigned resource, struct span pointer,
                           struct place from)
{
	struct document *d = b->resources[resource].doc;
	uint32_t at = b->resources[resource].tok;
	char *name = arena_get(&b->sc->arena, pointer.n + 1);
	while (pointer.n > 0) {
		struct span token = next_token(&pointer, name);
		const struct json_token *t = &d->tape.tok[at];
		if (t->type == JSON_OBJECT)
			at = json_member(&d->tape, at, token);
		else
			at = t->type == JSON_ARRAY ? array_element(&d->tape, at, token) : 0;
		if (at == 0) {
			build_fail(b, from, "cannot be resolved: nothing is there");
			return (struct place){0};
		}
		if (d->resource[at])
			resource = d->resource[at] - 1u;
	}
	scan_schema(b, d, at, resource);
	return (struct place){b->err ? NULL : d, at};
}

static int find_resource(struct build *b, struct span uri, struct place from)
{
	for (unsigned i = 0; i < b->n_resources; i++)
		if (span_is(uri, b->resources[i].uri))
			return (int)i;
	struct document *d = document_find(b, uri, from);
	return d ? d->resource[0] - 1 : -1;
}

struct place build_resolve(struct build *b, struct place at, struct span ref)
{
	/* at is a keyword's value: its schema is the nearest token before that is in a resource */
	struct place none = {0};
	uint32_t schema = at.tok;
	while (!at.doc->resource[schema] || place_token(place_at(at, schema))->next <= at.tok)
		schema--;
	struct buf abs, frag;
	buf_init(&abs, LIMIT_SCHEMA_BYTES);
	buf_init(&frag, LIMIT_SCHEMA_BYTES);
	uri_resolve(span_str(b->resources[at.doc->resource[schema] - 1].uri), ref, &abs);
	int resource = abs.err ? -1 : find_resource(b, span_of(abs.p, abs.len), at);
	struct place ret = none;
	struct uri u = uri_split(ref);
	if (resource < 0)
		goto out;
	if (!uri_decode(u.fragment, &frag)) {
		build_fail(b, at, "its fragment is malformed");
	} else if (frag.len == 0) {
		ret = (struct place){b->resources[resource].doc, b->resources[resource].tok};
	} else if (frag.p[0] == '/') {
		ret = follow(b, (unsigned)resource, span_of(frag.p, frag.len), at);
	} else {
		const struct anchor *a =
		    build_anchor(b, (unsigned)resource, span_of(frag.p, frag.len));
		if (a)
			ret = (struct place){b->resources[resource].doc, a->tok};
		else
			build_fail(b, at, "cannot be resolved: there is no such anchor");
	}
out:
	buf_done(&abs);
	buf_done(&frag);
	return b->err ? none : ret;
}
