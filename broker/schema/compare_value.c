/* compare_value.c - what is asserted of one value, and what it is to the broker. */
#include "schema/compare_private.h"

#include <stdio.h>

enum { SHOWN_BYTES = 40 };
#define SHOWN(s) (int)MIN_OF((s).n, (size_t)SHOWN_BYTES), (s).p

static const char *const TYPE_NAMES[] = {"",       "null",   "false", "true",
                                         "number", "string", "array", "object"};

/* ---- types ---- */

static void add_types(char *out, size_t size, unsigned types)
{
	size_t n = 0;
	out[0] = '\0';
	for (unsigned t = JSON_NULL; t <= JSON_OBJECT; t++) {
		bool boolean = t == JSON_FALSE && types >> JSON_TRUE & 1;
		if (!(types >> t & 1) || (t == JSON_TRUE && types >> JSON_FALSE & 1))
			continue;
		n += (size_t)snprintf(out + n, n < size ? size - n : 0, "%s%s", n ? ", " : "",
		                      boolean ? "boolean" : TYPE_NAMES[t]);
	}
}

static void compare_types(struct compare *c, const struct node *a, const struct node *b)
{
	unsigned lost = a->types & ~(unsigned)b->types, gained = b->types & ~(unsigned)a->types;
	char names[80];
	bool number = a->types & b->types & 1 << JSON_NUMBER;
	if (lost) {
		add_types(names, sizeof(names), lost);
		compare_add(c, true, "type", "may no longer be %s", names);
	}
	if (gained) {
		add_types(names, sizeof(names), gained);
		compare_add(c, false, "type", "may be %s too", names);
	}
	if (number && b->integer != a->integer)
		compare_add(c, b->integer, "type",
		            b->integer ? "must be an integer now" : "may have a fraction now");
}

/* ---- numbers ---- */

/* low: a higher bound is narrower. */
static void compare_bound(struct compare *c, const char *rule, const struct bound *a,
                          const struct bound *b, bool low)
{
	if (!a->set && !b->set)
		return;
	if (!a->set || !b->set) {
		struct span s = a->set ? a->text : b->text;
		compare_add(c, b->set, rule, b->set ? "is %.*s, was none" : "was %.*s, is none",
		            SHOWN(s));
		return;
	}
	int order = json_number_cmp(b->text, a->text);
	if (order)
		compare_add(c, low ? order > 0 : order < 0, rule, "is %.*s, was %.*s",
		            SHOWN(b->text), SHOWN(a->text));
}

static void compare_numbers(struct compare *c, const struct number_rule *a,
                            const struct number_rule *b)
{
	compare_bound(c, "minimum", &a->min, &b->min, true);
	compare_bound(c, "exclusiveMinimum", &a->above, &b->above, true);
	compare_bound(c, "maximum", &a->max, &b->max, false);
	compare_bound(c, "exclusiveMaximum", &a->below, &b->below, false);
	bool same = a->multiple_text.n && b->multiple_text.n &&
	            json_number_cmp(a->multiple_text, b->multiple_text) == 0;
	if (b->multiple_text.n && !same)
		compare_add(c, true, "multipleOf", "is %.*s now", SHOWN(b->multiple_text));
	else if (a->multiple_text.n && !b->multiple_text.n)
		compare_add(c, false, "multipleOf", "is no longer asked for");
}

/* ---- strings ---- */

void compare_count(struct compare *c, const char *rule, uint32_t now, uint32_t before,
                   bool narrower)
{
	if (now == before)
		return;
	if (now == UINT32_MAX)
		compare_add(c, narrower, rule, "was %u, is none", before);
	else if (before == UINT32_MAX)
		compare_add(c, narrower, rule, "is %u, was none", now);
	else
		compare_add(c, narrower, rule, "is %u, was %u", now, before);
}

static void compare_strings(struct compare *c, const struct string_rule *a,
                            const struct string_rule *b)
{
	compare_count(c, "minLength", b->min_length, a->min_length, b->min_length > a->min_length);
	compare_count(c, "maxLength", b->max_length, a->max_length, b->max_length < a->max_length);
	if (b->format && b->format != a->format)
		compare_add(c, true, "format", "must be %s now", format_title(b->format));
	else if (a->format && !b->format)
		compare_add(c, false, "format", "need not be %s any more", format_title(a->format));
	if (b->pattern && (!a->pattern || !span_eq(a->pattern->text, b->pattern->text)))
		compare_add(c, true, "pattern", "must match %.*s now", SHOWN(b->pattern->text));
	else if (a->pattern && !b->pattern)
		compare_add(c, false, "pattern", "need not match any more");
}

/* ---- enum and const: one list of what is allowed ---- */

static const struct values *listed(const struct node *n)
{
	return n->values[1] ? n->values[1] : n->values[0];
}

static bool holds(const struct values *list, const struct values *of, const struct value *v)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (json_equal(list->tape, list->v[i].token, of->tape, v->token))
			return true;
	return false;
}

/* By enum and const both, where both are there. */
static bool allows(const struct node *n, const struct values *of, const struct value *v)
{
	return (!n->values[0] || holds(n->values[0], of, v)) &&
	       (!n->values[1] || holds(n->values[1], of, v));
}

static void compare_lists(struct compare *c, const struct node *a, const struct node *b)
{
	const struct values *x = listed(a), *y = listed(b);
	const char *rule = b->values[1] ? "const" : "enum";
	if (!x && y)
		compare_add(c, true, rule, "only %u value%s allowed now", y->n,
		            y->n == 1 ? " is" : "s are");
	else if (x && !y)
		compare_add(c, false, a->values[1] ? "const" : "enum",
		            "other values are allowed too");
	if (!x || !y)
		return;
	for (uint32_t i = 0; i < x->n; i++) {
		struct span s = json_text(x->tape, x->v[i].token);
		if (allows(a, x, &x->v[i]) && !allows(b, x, &x->v[i]))
			compare_add(c, true, rule, "%.*s is no longer allowed", SHOWN(s));
	}
	for (uint32_t i = 0; i < y->n; i++) {
		struct span s = json_text(y->tape, y->v[i].token);
		if (allows(b, y, &y->v[i]) && !allows(a, y, &y->v[i]))
			compare_add(c, false, rule, "%.*s is allowed too", SHOWN(s));
	}
}

void compare_values(struct compare *c, const struct node *a, const struct node *b)
{
	static const struct number_rule NO_NUMBER;
	static const struct string_rule NO_STRING = {.max_length = UINT32_MAX};
	compare_types(c, a, b);
	if (a->number || b->number)
		compare_numbers(c, a->number ? a->number : &NO_NUMBER,
		                b->number ? b->number : &NO_NUMBER);
	if (a->string || b->string)
		compare_strings(c, a->string ? a->string : &NO_STRING,
		                b->string ? b->string : &NO_STRING);
	compare_lists(c, a, b);
}

/* ---- x-oudp ---- */

static const char *const ROLE_NAMES[] = {"none",   "thing", "time",   "location",
                                         "result", "item",  "version"};

static void compare_word(struct compare *c, const char *word, const char *a, const char *b)
{
	if (strcmp(a ? a : "", b ? b : "") != 0)
		compare_add(c, true, word, "is %.60s, was %.60s", b ? b : "none", a ? a : "none");
}

void compare_notes(struct compare *c, const struct node *from, const struct node *to)
{
	static const struct note NONE = {.scale = 1};
	const struct note *a = from->note ? from->note : &NONE, *b = to->note ? to->note : &NONE;
	if (a->role != b->role) { /* a new thing or result takes nothing away */
		compare_add(c, a->role != ROLE_NONE || b->role == ROLE_TIME, "role",
		            "is %s, was %s", ROLE_NAMES[b->role], ROLE_NAMES[a->role]);
		return;
	}
	compare_word(c, "unit", a->unit, b->unit);
	compare_word(c, "observedProperty", a->property, b->property);
	if (a->scale != b->scale)
		compare_add(c, true, "scale", "is %g, was %g", b->scale, a->scale);
	if (a->offset != b->offset)
		compare_add(c, true, "offset", "is %g, was %g", b->offset, a->offset);
	if (!span_eq(a->name, b->name))
		compare_add(c, true, "name", "is \"%.*s\", was \"%.*s\"", SHOWN(b->name),
		            SHOWN(a->name));
	if (a->time != b->time)
		compare_add(c, true, "time", "has another form now");
	if (a->axis != b->axis)
		compare_add(c, true, "axis", "is another one now");
	bool plausible = a->has_plausible == b->has_plausible &&
	                 (!a->has_plausible || (a->low == b->low && a->high == b->high));
	if (!plausible)
		compare_add(c, false, "plausible", "is another range now");
	if (a->spike != b->spike)
		compare_add(c, false, "spike", "is %g, was %g", b->spike, a->spike);
	if (a->stuck_s != b->stuck_s)
		compare_add(c, false, "stuck", "is %g, was %g", b->stuck_s, a->stuck_s);
}
