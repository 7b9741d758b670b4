/* options.c - system query options, of the resource and inside $expand; see query.h. */
#include "base/err.h"
#include "sta/parse.h"

void options_init(struct sta_options *o, enum sta_type of)
{
	*o = (struct sta_options){.of = of, .filter = STA_NO_NODE, .first_expand = STA_NO_NODE};
}

static int read_filter(struct parse *s, struct sta_options *o)
{
	parse_blank(s);
	int err = parse_condition(s, o->of, &o->filter);
	parse_blank(s);
	return err;
}

static int read_order(struct parse *s, struct sta_options *o)
{
	do {
		parse_blank(s);
		if (o->n_order == LIMIT_STA_ORDERS)
			return parse_fail(s, ERR_TOO_LARGE, "more than %d keys", LIMIT_STA_ORDERS);
		struct sta_order *k = &o->order[o->n_order];
		int err = parse_expression(s, o->of, &k->node);
		if (err)
			return err;
		parse_blank(s);
		k->descending = parse_word(s, "desc");
		if (!k->descending)
			(void)parse_word(s, "asc");
		o->n_order++;
		parse_blank(s);
	} while (parse_char(s, ','));
	return 0;
}

static int read_select(struct parse *s, struct sta_options *o)
{
	struct sta_query *q = s->q;
	o->select = (uint16_t)q->n_select;
	parse_blank(s);
	if (s->end - s->p > 9 && memcmp(s->p, "distinct:", 9) == 0) {
		o->distinct = true;
		s->p += 9;
	}
	do {
		struct sta_select one;
		uint16_t relations;
		parse_blank(s);
		if (q->n_select == LIMIT_STA_SELECTS)
			return parse_fail(s, ERR_TOO_LARGE, "more than %d names",
			                  LIMIT_STA_SELECTS);
		int err = parse_path(s, o->of, &one.name, &one.n_names, &relations);
		if (err)
			return err;
		if (relations && one.n_names > 1)
			return parse_fail(s, ERR_MALFORMED,
			                  "choose from related entities inside $expand(...)");
		q->select[q->n_select++] = one;
		o->n_select++;
		parse_blank(s);
	} while (parse_char(s, ','));
	return 0;
}

/* The expand of this relation among those of o, made when it is not there yet. */
static int find_expand(struct parse *s, struct sta_options *o, const struct sta_relation *r,
                       struct sta_expand **ret)
{
	struct sta_query *q = s->q;
	uint16_t *link = &o->first_expand;
	for (; *link != STA_NO_NODE; link = &q->expand[*link].next)
		if (q->expand[*link].relation == r) {
			*ret = &q->expand[*link];
			return 0;
		}
	if (q->n_expand == LIMIT_STA_EXPANDS)
		return parse_fail(s, ERR_TOO_LARGE, "more than %d relations", LIMIT_STA_EXPANDS);
	struct sta_expand *e = &q->expand[q->n_expand];
	e->relation = r;
	e->next = STA_NO_NODE;
	options_init(&e->options, r->to);
	*link = (uint16_t)q->n_expand++;
	*ret = e;
	return 0;
}

/* ($filter=...;$top=1) behind a relation. */
static int read_inside(struct parse *s, struct sta_options *o)
{
	do {
		parse_blank(s);
		const char *eq = memchr(s->p, '=', (size_t)(s->end - s->p));
		if (!eq || *s->p != '$')
			return parse_fail(s, ERR_MALFORMED, "here $option=value belongs");
		struct span name = span_of(s->p, (size_t)(eq - s->p));
		const char *outer = s->option;
		s->p = eq + 1;
		int err = parse_option(s, name, o, false);
		if (err)
			return err;
		s->option = outer;
		parse_blank(s);
	} while (parse_char(s, ';'));
	if (!parse_char(s, ')'))
		return parse_fail(s, ERR_MALFORMED, "here ; or ) belongs");
	return 0;
}

static int read_expand_item(struct parse *s, struct sta_options *o)
{
	struct sta_expand *e = NULL;
	unsigned deep = 0;
	do {
		const char *begin = s->p;
		struct span name = parse_name(s);
		const struct sta_relation *r = sta_find_relation(o->of, name);
		if (!r) {
			s->p = begin;
			return parse_fail(s, ERR_NOT_FOUND, "%s has no relation \"%.*s\"",
			                  sta_entity_name(o->of), (int)MIN_OF(name.n, (size_t)60),
			                  name.p);
		}
		if (s->depth + ++deep > LIMIT_STA_EXPAND_DEPTH)
			return parse_fail(s, ERR_TOO_LARGE, "more than %d relations deep",
			                  LIMIT_STA_EXPAND_DEPTH);
		int err = find_expand(s, o, r, &e);
		if (err)
			return err;
		o = &e->options;
	} while (parse_char(s, '/'));
	parse_blank(s);
	if (!parse_char(s, '('))
		return 0;
	s->depth += deep;
	const char *begin = s->p;
	int err = read_inside(s, &e->options);
	e->options.text = span_of(begin, (size_t)(s->p - begin) - (err ? 0 : 1));
	s->depth -= deep;
	return err;
}

static int read_expand(struct parse *s, struct sta_options *o)
{
	do {
		parse_blank(s);
		int err = read_expand_item(s, o);
		if (err)
			return err;
		parse_blank(s);
	} while (parse_char(s, ','));
	return 0;
}

static int read_count(struct parse *s, struct sta_options *o)
{
	o->count = parse_word(s, "true");
	if (o->count || parse_word(s, "false"))
		return 0;
	return parse_fail(s, ERR_MALFORMED, "true or false belongs here");
}

static int read_format(struct parse *s)
{
	if (parse_word(s, "dataArray"))
		s->q->format = STA_DATA_ARRAY;
	else if (parse_word(s, "GeoJSON"))
		s->q->format = STA_GEOJSON;
	else if (!parse_word(s, "default"))
		return parse_fail(s, ERR_NOT_FOUND, "dataArray, GeoJSON and default are known");
	return 0;
}

int parse_option(struct parse *s, struct span name, struct sta_options *o, bool top)
{
	static const char *const names[] = {"$filter", "$orderby",      "$top",
	                                    "$skip",   "$count",        "$select",
	                                    "$expand", "$resultFormat", "$skiptoken"};
	unsigned i = 0;
	while (i < ARRAY_LEN(names) && !span_is(name, names[i]))
		i++;
	if (i == ARRAY_LEN(names) || (!top && i >= 7)) {
		if (top && (!name.n || name.p[0] != '$')) {
			s->p = s->end; /* not ours: OData lets a service pass it over */
			return 0;
		}
		s->p = s->begin;
		s->option = "the query";
		return parse_fail(s, ERR_NOT_FOUND, "\"%.*s\" is not an option here",
		                  (int)MIN_OF(name.n, (size_t)40), name.p);
	}
	s->option = names[i];
	switch (i) {
	case 0: return read_filter(s, o);
	case 1: return read_order(s, o);
	case 2: o->has_top = true; return parse_number(s, &o->top);
	case 3: o->has_skip = true; return parse_number(s, &o->skip);
	case 4: return read_count(s, o);
	case 5: return read_select(s, o);
	case 6: return read_expand(s, o);
	case 7: return read_format(s);
	default:
		s->q->cursor = span_of(s->p, (size_t)(s->end - s->p));
		s->p = s->end;
		return 0;
	}
}
