/* build_scalar.c - type, enum, const, and what is asserted of numbers and strings. JSON Schema
 * 2020-12 validation sections 6.1 to 6.3 and 7; draft-07 the same. */
#include "schema/build.h"
#include "schema/number.h"

#include "base/err.h"

static const struct {
	const char *name;
	uint8_t types;
} TYPES[] = {
    {"null", 1 << JSON_NULL},      {"boolean", TYPES_BOOL},      {"number", 1 << JSON_NUMBER},
    {"integer", 1 << JSON_NUMBER}, {"string", 1 << JSON_STRING}, {"array", 1 << JSON_ARRAY},
    {"object", 1 << JSON_OBJECT},
};

static void add_type(struct build *b, struct node *n, struct place at, bool *number)
{
	struct span name = build_text(b, at);
	for (size_t i = 0; i < ARRAY_LEN(TYPES); i++) {
		if (!span_is(name, TYPES[i].name))
			continue;
		n->types |= TYPES[i].types;
		*number |= span_is(name, "number");
		n->integer |= span_is(name, "integer");
		return;
	}
	build_fail(b, at, "is not a type: null, boolean, integer, number, string, array or object");
}

static void build_type(struct build *b, struct node *n, struct place at)
{
	struct place k = build_keyword(b, at, "type");
	bool number = false;
	if (!k.tok)
		return;
	n->types = 0;
	if (place_token(k)->type == JSON_ARRAY) {
		uint32_t child = k.tok + 1;
		if (place_token(k)->size == 0)
			build_fail(b, k, "must name a type");
		for (uint32_t i = 0; i < place_token(k)->size; i++, child++) {
			if (k.doc->tape.tok[child].type != JSON_STRING) {
				build_fail(b, place_at(k, child), "must be a string");
				return;
			}
			add_type(b, n, place_at(k, child), &number);
		}
	} else {
		add_type(b, n, k, &number);
	}
	n->integer &= !number;
}

static void add_value(struct build *b, struct value *v, struct place at)
{
	const struct json_token *t = place_token(at);
	v->type = t->type;
	v->token = at.tok;
	if (t->type == JSON_STRING)
		v->text = build_string(b, at.doc, at.tok);
	else
		v->text = json_text(&at.doc->tape, at.tok);
}

static const struct values *build_values(struct build *b, struct place first, uint32_t n)
{
	struct values *values = arena_get(&b->sc->arena, sizeof(*values));
	struct value *v = arena_get(&b->sc->arena, n * sizeof(*v));
	uint32_t child = first.tok;
	for (uint32_t i = 0; i < n; i++) {
		add_value(b, &v[i], place_at(first, child));
		child = first.doc->tape.tok[child].next;
	}
	*values = (struct values){&first.doc->tape, v, n};
	return values;
}

static void build_enum(struct build *b, struct node *n, struct place at)
{
	struct place k = build_keyword(b, at, "enum");
	if (k.tok && place_token(k)->type != JSON_ARRAY)
		build_fail(b, k, "must be an array");
	else if (k.tok)
		n->values[0] = build_values(b, place_at(k, k.tok + 1), place_token(k)->size);
	k = build_keyword(b, at, "const");
	if (k.tok)
		n->values[1] = build_values(b, k, 1);
}

static bool number_keyword(struct build *b, struct place at, const char *name, struct bound *ret)
{
	struct place k = build_keyword(b, at, name);
	if (!k.tok)
		return false;
	if (place_token(k)->type != JSON_NUMBER) {
		build_fail(b, k, "must be a number");
		return false;
	}
	struct span text = json_text(&k.doc->tape, k.tok);
	*ret = (struct bound){json_double(text), text, true};
	return true;
}

static void build_number(struct build *b, struct node *n, struct place at)
{
	struct number_rule r = {0};
	struct bound multiple = {0};
	bool any = number_keyword(b, at, "minimum", &r.min);
	any |= number_keyword(b, at, "maximum", &r.max);
	any |= number_keyword(b, at, "exclusiveMinimum", &r.above);
	any |= number_keyword(b, at, "exclusiveMaximum", &r.below);
	if (number_keyword(b, at, "multipleOf", &multiple)) {
		any = true;
		r.multiple_text = multiple.text;
		struct place k = build_keyword(b, at, "multipleOf");
		if (json_number_cmp(multiple.text, SPAN("0")) <= 0)
			build_fail(b, k, "must be more than 0");
		else if (decimal_read(multiple.text, &r.multiple) != 0)
			build_fail(b, k, "has more than 18 digits");
	}
	if (any && !b->err)
		n->number = arena_copy(&b->sc->arena, &r, sizeof(r));
}

static void build_string_rule(struct build *b, struct node *n, struct place at)
{
	struct string_rule r = {.max_length = UINT32_MAX};
	r.min_length = build_count(b, at, "minLength", 0);
	r.max_length = build_count(b, at, "maxLength", UINT32_MAX);
	struct place k = build_keyword(b, at, "pattern");
	if (k.tok)
		r.pattern = build_pattern(b, k, build_text(b, k));
	k = build_keyword(b, at, "format");
	if (k.tok) {
		enum format f = format_by_name(build_text(b, k));
		r.format = b->opt.format_annotates ? FORMAT_NONE : f;
	}
	if (r.min_length > 0 || r.max_length != UINT32_MAX || r.pattern || r.format)
		n->string = arena_copy(&b->sc->arena, &r, sizeof(r));
}

void build_scalars(struct build *b, struct node *n, struct place at)
{
	build_type(b, n, at);
	build_enum(b, n, at);
	build_number(b, n, at);
	build_string_rule(b, n, at);
}
