/* build_object.c - what is asserted of objects. JSON Schema 2020-12 core 10.2.2.4, 10.3.2, 11.3,
 * validation 6.5; draft-07 6.5 with "dependencies".
 *
 * All names the schema speaks of go into one table. Those that are asked for by required and its
 * kin get a bit, so that one walk over the members answers all such questions. */
#include "base/hash.h"
#include "base/mem.h"
#include "schema/build.h"

#include <stdlib.h>

struct collector {
	struct build *b;
	struct place at;
	struct map by_name; /* 1 + index in list */
	struct member *list;
	unsigned n, cap;
	unsigned n_bits;
	struct names *any;
	unsigned n_any, cap_any;
	struct dependent *dependents;
	unsigned n_dependents, cap_dependents;
};

static unsigned name_index(struct collector *c, struct span name)
{
	uintptr_t found = (uintptr_t)map_get(&c->by_name, name);
	if (found)
		return (unsigned)found - 1;
	c->list = build_more(c->list, c->n, &c->cap, sizeof(*c->list));
	c->list[c->n] = (struct member){.name = name, .hash = json_name_hash(name), .bit = NO_BIT};
	map_set(&c->by_name, name, (void *)(uintptr_t)(c->n + 1));
	return c->n++;
}

static uint16_t name_bit(struct collector *c, struct span name, struct place from)
{
	unsigned i = name_index(c, name); /* may move the list */
	struct member *m = &c->list[i];
	if (m->bit == NO_BIT && c->n_bits == LIMIT_SCHEMA_NAMES) {
		build_fail(c->b, from, "more than %d members are asked for", LIMIT_SCHEMA_NAMES);
		return 0;
	}
	if (m->bit == NO_BIT)
		m->bit = (uint16_t)c->n_bits++;
	return m->bit;
}

static void add_bit(struct names *set, uint16_t bit)
{
	assert(bit < LIMIT_SCHEMA_NAMES);
	set->word[bit / 64] |= (uint64_t)1 << (bit % 64);
}

static void add_names(struct collector *c, struct names *set, struct place k)
{
	if (place_token(k)->type != JSON_ARRAY) {
		build_fail(c->b, k, "must be an array of member names");
		return;
	}
	uint32_t child = k.tok + 1;
	for (uint32_t i = 0; i < place_token(k)->size && !c->b->err; i++) {
		struct place p = place_at(k, child);
		add_bit(set, name_bit(c, build_text(c->b, p), p));
		child = k.doc->tape.tok[child].next;
	}
}

/* Calls fn for each member of the object at k. */
static void each_member(struct collector *c, struct place k,
                        void (*fn)(struct collector *, struct place name, struct place value))
{
	if (!k.tok)
		return;
	if (place_token(k)->type != JSON_OBJECT) {
		build_fail(c->b, k, "must be an object");
		return;
	}
	uint32_t name = k.tok + 1, n = place_token(k)->size;
	for (uint32_t i = 0; i < n && !c->b->err; i++) {
		fn(c, place_at(k, name), place_at(k, name + 1));
		name = k.doc->tape.tok[name + 1].next;
	}
}

static void on_property(struct collector *c, struct place name, struct place value)
{
	struct span text = build_text(c->b, name);
	unsigned i = name_index(c, text);
	c->b->sc->odd_names |= memchr(text.p, '~', text.n) || memchr(text.p, '/', text.n);
	c->list[i].node = build_node(c->b, value);
}

static struct dependent *add_dependent(struct collector *c, struct place name)
{
	uint16_t bit = name_bit(c, build_text(c->b, name), name);
	c->dependents =
	    build_more(c->dependents, c->n_dependents, &c->cap_dependents, sizeof(*c->dependents));
	struct dependent *d = &c->dependents[c->n_dependents++];
	*d = (struct dependent){.bit = bit};
	return d;
}

static void on_dependent_names(struct collector *c, struct place name, struct place value)
{
	struct names needs = {0};
	add_names(c, &needs, value);
	add_dependent(c, name)->needs = needs;
}

static void on_dependent_schema(struct collector *c, struct place name, struct place value)
{
	const struct node *n = build_node(c->b, value);
	add_dependent(c, name)->node = n;
}

static void on_dependency(struct collector *c, struct place name, struct place value)
{
	if (place_token(value)->type == JSON_ARRAY)
		on_dependent_names(c, name, value);
	else
		on_dependent_schema(c, name, value);
}

/* The name if the schema at a place is {"required": [one]} and nothing more, else .tok 0. */
static struct place lone_required(struct collector *c, struct place branch)
{
	struct place none = place_at(branch, 0);
	if (place_token(branch)->type != JSON_OBJECT || place_token(branch)->size != 1)
		return none;
	struct place k = build_keyword(c->b, branch, "required");
	if (!k.tok || place_token(k)->type != JSON_ARRAY || place_token(k)->size != 1)
		return none;
	struct place name = place_at(k, k.tok + 1);
	return place_token(name)->type == JSON_STRING ? name : none;
}

/* anyOf of nothing but lone requireds becomes a set of names, one of which must be there. */
static bool lower_any(struct collector *c, struct place at)
{
	struct place k = build_keyword(c->b, at, "anyOf");
	if (!k.tok || place_token(k)->type != JSON_ARRAY || place_token(k)->size == 0)
		return false;
	struct names set = {0};
	uint32_t child = k.tok + 1, n = place_token(k)->size;
	for (uint32_t i = 0; i < n; i++) {
		if (!lone_required(c, place_at(k, child)).tok)
			return false;
		child = k.doc->tape.tok[child].next;
	}
	if (n > LIMIT_SCHEMA_NAMES - c->n_bits)
		return false;
	child = k.tok + 1;
	for (uint32_t i = 0; i < n; i++) {
		struct place name = lone_required(c, place_at(k, child));
		add_bit(&set, name_bit(c, build_text(c->b, name), name));
		child = k.doc->tape.tok[child].next;
	}
	c->any = build_more(c->any, c->n_any, &c->cap_any, sizeof(*c->any));
	c->any[c->n_any++] = set;
	return true;
}

/* allOf of nothing but such anyOfs becomes as many sets. */
static bool lower_all(struct collector *c)
{
	struct place k = build_keyword(c->b, c->at, "allOf");
	if (!k.tok || place_token(k)->type != JSON_ARRAY || place_token(k)->size == 0)
		return false;
	unsigned n_any = c->n_any;
	uint32_t child = k.tok + 1, n = place_token(k)->size;
	for (uint32_t i = 0; i < n; i++) {
		struct place branch = place_at(k, child);
		if (place_token(branch)->type != JSON_OBJECT || place_token(branch)->size != 1 ||
		    !lower_any(c, branch)) {
			c->n_any = n_any; /* bits given out do no harm */
			return false;
		}
		child = k.doc->tape.tok[child].next;
	}
	return true;
}

static void build_matches(struct collector *c, struct object_rule *r)
{
	struct build *b = c->b;
	struct place k = build_keyword(b, c->at, "patternProperties");
	if (!k.tok)
		return;
	if (place_token(k)->type != JSON_OBJECT) {
		build_fail(b, k, "must be an object");
		return;
	}
	uint32_t name = k.tok + 1, n = place_token(k)->size;
	struct match_rule *m = arena_get(&b->sc->arena, n * sizeof(*m));
	for (uint32_t i = 0; i < n; i++) {
		struct place p = place_at(k, name);
		m[i].pattern = build_pattern(b, p, build_text(b, p));
		m[i].node = build_node(b, place_at(k, name + 1));
		name = k.doc->tape.tok[name + 1].next;
	}
	r->matches = m;
	r->n_matches = n;
}

static void build_table(struct collector *c, struct object_rule *r)
{
	struct arena *a = &c->b->sc->arena;
	uint32_t cap = 2;
	while (cap < c->n * 2)
		cap *= 2;
	struct member *slots = arena_get(a, cap * sizeof(*slots));
	struct span *bit_names = arena_get(a, c->n_bits * sizeof(*bit_names));
	for (unsigned i = 0; i < c->n; i++) {
		uint32_t at = c->list[i].hash & (cap - 1);
		while (slots[at].name.p)
			at = (at + 1) & (cap - 1);
		slots[at] = c->list[i];
		if (c->list[i].bit != NO_BIT)
			bit_names[c->list[i].bit] = c->list[i].name;
	}
	r->slots = slots;
	r->mask = cap - 1;
	r->bit_names = bit_names;
	r->n_bits = (uint16_t)c->n_bits;
	r->n_words = (uint16_t)((c->n_bits + 63) / 64);
	r->any = arena_copy(a, c->any, c->n_any * sizeof(*c->any));
	r->n_any = c->n_any;
	r->dependents = arena_copy(a, c->dependents, c->n_dependents * sizeof(*c->dependents));
	r->n_dependents = c->n_dependents;
}

static void build_members(struct collector *c, struct object_rule *r)
{
	struct build *b = c->b;
	struct place k = build_keyword(b, c->at, "properties");
	each_member(c, k, on_property);
	build_matches(c, r);
	struct place additional = build_keyword(b, c->at, "additionalProperties");
	if (additional.tok)
		r->additional = build_node(b, additional);
	r->properties = k.tok || r->matches || additional.tok;
	b->sc->odd_names |= r->matches || additional.tok; /* names of any kind */
	k = build_keyword(b, c->at, "propertyNames");
	if (k.tok)
		r->name = build_node(b, k);
}

void build_object(struct build *b, struct node *n, struct place at)
{
	struct collector c = {.b = b, .at = at};
	struct object_rule r = {0};
	map_init(&c.by_name);
	build_members(&c, &r);
	struct place k = build_keyword(b, at, "required");
	if (k.tok)
		add_names(&c, &r.required, k);
	each_member(&c, build_keyword(b, at, "dependentRequired"), on_dependent_names);
	each_member(&c, build_keyword(b, at, "dependentSchemas"), on_dependent_schema);
	each_member(&c, build_keyword(b, at, "dependencies"), on_dependency);
	r.any_lowered = lower_any(&c, at);
	r.all_lowered = lower_all(&c);
	r.min = build_count(b, at, "minProperties", 0);
	r.max = build_count(b, at, "maxProperties", UINT32_MAX);
	k = build_keyword(b, at, "unevaluatedProperties");
	if (k.tok) {
		n->unevaluated_members = build_node(b, k);
		b->sc->sets = b->sc->odd_names = true;
	}
	if (!b->err && (c.n > 0 || r.properties || r.name || r.min > 0 || r.max != UINT32_MAX ||
	                n->unevaluated_members)) {
		build_table(&c, &r);
		n->object = arena_copy(&b->sc->arena, &r, sizeof(r));
	}
	map_done(&c.by_name);
	free(c.list);
	free(c.any);
	free(c.dependents);
}
