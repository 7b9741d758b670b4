/* walk.c - a value against a node: type, then what is asserted of its type, then what applies to it
 * in place, then what it is to the broker. */
#include "schema/walk.h"
#include "schema/number.h"

#include <stdlib.h>

bool walk_give_up(struct walk *w)
{
	w->exhausted = true;
	w->failures++;
	return false;
}

struct span walk_text(struct walk *w, uint32_t i)
{
	struct span raw = json_text(w->tape, i);
	if (!(w->tok[i].flags & JSON_ESCAPED))
		return raw;
	struct buf *text = &w->s->text;
	assert(text->cap - text->len >= raw.n);
	return span_of(text->p + text->len, json_unescape(raw, text->p + text->len));
}

bool walk_match(struct walk *w, const struct pattern *p, uint32_t i)
{
	struct span s = walk_text(w, i);
	uint32_t most = LIMIT_PATTERN_STEPS + (uint32_t)s.n * LIMIT_PATTERN_STEPS_PER_BYTE;
	pcre2_set_match_limit(w->st->limits, most);
	int rc = pcre2_match(p->code, (PCRE2_SPTR)s.p, s.n, 0, PCRE2_NO_UTF_CHECK, w->st->match,
	                     w->st->limits);
	w->steps -= 16 + (int64_t)(s.n / 8);
	if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
		return walk_give_up(w);
	return rc >= 0;
}

/* -1, 0, 1. Doubles decide unless they are equal: rounding keeps order. */
static int compare(double v, struct span text, const struct bound *b)
{
	if (v != b->value)
		return v < b->value ? -1 : 1;
	return json_number_cmp(text, b->text);
}

static bool walk_number_rule(struct walk *w, const struct node *n, uint32_t i)
{
	const struct number_rule *r = n->number;
	struct span text = json_text(w->tape, i);
	double v = w->number;
	if (r->min.set && compare(v, text, &r->min) < 0 && walk_stop(w, i, RULE_MINIMUM, n, 0))
		return false;
	if (r->max.set && compare(v, text, &r->max) > 0 && walk_stop(w, i, RULE_MAXIMUM, n, 0))
		return false;
	if (r->above.set && compare(v, text, &r->above) <= 0 &&
	    walk_stop(w, i, RULE_EXCLUSIVE_MINIMUM, n, 0))
		return false;
	if (r->below.set && compare(v, text, &r->below) >= 0 &&
	    walk_stop(w, i, RULE_EXCLUSIVE_MAXIMUM, n, 0))
		return false;
	return r->multiple_text.n == 0 || decimal_divides(&r->multiple, text) ||
	       !walk_stop(w, i, RULE_MULTIPLE_OF, n, 0);
}

static bool walk_number(struct walk *w, const struct node *n, uint32_t i)
{
	if (n->integer && !(w->tok[i].flags & JSON_INTEGER) &&
	    !number_is_integer(json_text(w->tape, i)))
		return !walk_stop(w, i, RULE_TYPE, n, 0);
	if (!n->number && !n->note)
		return true;
	w->number = json_double(json_text(w->tape, i));
	return !n->number || walk_number_rule(w, n, i);
}

static bool walk_format(struct walk *w, enum format f, uint32_t i)
{
	if (f != FORMAT_DATE_TIME)
		return format_valid(f, walk_text(w, i), NULL);
	w->time_tok = 0;
	if (!format_valid(f, walk_text(w, i), &w->time_ms))
		return false;
	w->time_tok = i; /* role time need not read it again */
	return true;
}

static bool walk_string(struct walk *w, const struct node *n, uint32_t i)
{
	const struct string_rule *r = n->string;
	const struct json_token *t = &w->tok[i];
	if (r->format && !walk_format(w, r->format, i) && walk_stop(w, i, RULE_FORMAT, n, 0))
		return false;
	if (r->min_length > 0 || r->max_length != UINT32_MAX) {
		uint32_t length = t->len;
		if (t->flags & JSON_NON_ASCII)
			length = (uint32_t)json_codepoints(json_text(w->tape, i));
		if (length < r->min_length && walk_stop(w, i, RULE_MIN_LENGTH, n, 0))
			return false;
		if (length > r->max_length && walk_stop(w, i, RULE_MAX_LENGTH, n, 0))
			return false;
	}
	return !r->pattern || walk_match(w, r->pattern, i) || w->exhausted ||
	       !walk_stop(w, i, RULE_PATTERN, n, 0);
}

static bool value_is(const struct walk *w, const struct values *values, const struct value *v,
                     uint32_t i)
{
	const struct json_token *t = &w->tok[i];
	if (v->type != t->type)
		return false;
	switch (t->type) {
	case JSON_STRING:
		if (t->flags & JSON_ESCAPED)
			return json_string_is(w->tape, i, v->text);
		return span_eq(json_text(w->tape, i), v->text);
	case JSON_NUMBER: return json_number_cmp(json_text(w->tape, i), v->text) == 0;
	case JSON_ARRAY:
	case JSON_OBJECT: return json_equal(values->tape, v->token, w->tape, i);
	default: return true;
	}
}

static bool walk_values(struct walk *w, const struct node *n, uint32_t i)
{
	for (int k = 0; k < 2; k++) {
		const struct values *values = n->values[k];
		if (!values)
			continue;
		uint32_t at = 0;
		while (at < values->n && !value_is(w, values, &values->v[at], i))
			at++;
		w->steps -= at / 8 + (w->tok[i].type >= JSON_ARRAY ? (int64_t)at * 8 : 0);
		if (at == values->n && walk_stop(w, i, k ? RULE_CONST : RULE_ENUM, n, 0))
			return false;
	}
	return true;
}

void walk_evaluated(struct walk *w, uint32_t i)
{
	struct stacks *st = w->st;
	if (w->n_evaluated == st->evaluated_cap) {
		/* grown to what the hungriest message so far needed, as the tape is */
		uint32_t cap = st->evaluated_cap * 2;
		uint32_t *p = cap <= st->tokens_cap * 64
		                  ? realloc(st->evaluated, cap * sizeof(*st->evaluated))
		                  : NULL;
		if (!p) {
			walk_give_up(w);
			return;
		}
		st->evaluated = p;
		st->evaluated_cap = cap;
	}
	st->evaluated[w->n_evaluated++] = i;
}

static bool walk_by_type(struct walk *w, const struct node *n, uint32_t i)
{
	switch (w->tok[i].type) {
	case JSON_NUMBER: return walk_number(w, n, i);
	case JSON_STRING: return !n->string || walk_string(w, n, i);
	case JSON_ARRAY: return !n->array || walk_array(w, n, i);
	case JSON_OBJECT: return !n->object || walk_object(w, n, i);
	default: return true;
	}
}

static bool walk_parts(struct walk *w, const struct node *n, uint32_t i)
{
	uint64_t before = w->failures;
	uint32_t mark = w->n_evaluated;
	bool outer = w->collect;
	w->collect |= n->unevaluated_members || n->unevaluated_items;
	bool go = walk_by_type(w, n, i);
	if (go && (n->values[0] || n->values[1]))
		go = walk_values(w, n, i);
	if (go && n->n_apply > 0)
		go = walk_apply(w, n, i);
	if (go && (n->unevaluated_members || n->unevaluated_items))
		go = walk_unevaluated(w, n, i, mark);
	w->collect = outer;
	if (n->note && w->failures == before)
		go = walk_note(w, n, i);
	bool ok = go && w->failures == before && !w->exhausted;
	if (!ok || !outer)
		w->n_evaluated = mark;
	return ok;
}

/* Containers, and nodes that apply others in place: what recursion can go through. */
static bool walk_deep(struct walk *w, const struct node *n, uint32_t i)
{
	if (w->nesting == LIMIT_SCHEMA_NESTING)
		return walk_give_up(w);
	w->nesting++;
	unsigned n_scope = w->n_scope;
	if (w->sc->dynamic && (n_scope == 0 || w->st->scope[n_scope - 1] != n->resource))
		w->st->scope[w->n_scope++] = n->resource;
	bool ok = walk_parts(w, n, i);
	w->n_scope = n_scope;
	w->nesting--;
	return ok;
}

bool walk_value(struct walk *w, const struct node *n, uint32_t i)
{
	uint8_t type = w->tok[i].type;
	if (unlikely(--w->steps < 0))
		return walk_give_up(w);
	if (unlikely(!(n->types >> type & 1))) {
		(void)walk_stop(w, i, n->types ? RULE_TYPE : RULE_FALSE, n, 0);
		return false;
	}
	if (type >= JSON_ARRAY || n->deep)
		return walk_deep(w, n, i);
	uint64_t before = w->failures;
	if (type == JSON_NUMBER) {
		if (!walk_number(w, n, i))
			return false;
	} else if (type == JSON_STRING && n->string && !walk_string(w, n, i)) {
		return false;
	}
	if ((n->values[0] || n->values[1]) && !walk_values(w, n, i))
		return false;
	if (n->note && w->failures == before && !walk_note(w, n, i))
		return false;
	return w->failures == before;
}
