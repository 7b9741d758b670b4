/* expr.c - expressions of $filter and $orderby, by recursive descent in OData's order of
 * precedence: or, and, eq ne, gt ge lt le, add sub, mul div mod, not and -, the rest. See query.h.
 */
#include "base/err.h"
#include "sta/parse.h"

#include <stdio.h>

static const struct {
	const char *name;
	uint8_t min, max; /* arguments */
} functions[STA_FUNCTIONS] = {
    [STA_F_SUBSTRINGOF] = {"substringof", 2, 2},
    [STA_F_CONTAINS] = {"contains", 2, 2},
    [STA_F_STARTSWITH] = {"startswith", 2, 2},
    [STA_F_ENDSWITH] = {"endswith", 2, 2},
    [STA_F_LENGTH] = {"length", 1, 1},
    [STA_F_INDEXOF] = {"indexof", 2, 2},
    [STA_F_SUBSTRING] = {"substring", 2, 3},
    [STA_F_TOLOWER] = {"tolower", 1, 1},
    [STA_F_TOUPPER] = {"toupper", 1, 1},
    [STA_F_TRIM] = {"trim", 1, 1},
    [STA_F_CONCAT] = {"concat", 2, 2},
    [STA_F_YEAR] = {"year", 1, 1},
    [STA_F_MONTH] = {"month", 1, 1},
    [STA_F_DAY] = {"day", 1, 1},
    [STA_F_HOUR] = {"hour", 1, 1},
    [STA_F_MINUTE] = {"minute", 1, 1},
    [STA_F_SECOND] = {"second", 1, 1},
    [STA_F_FRACTIONALSECONDS] = {"fractionalseconds", 1, 1},
    [STA_F_DATE] = {"date", 1, 1},
    [STA_F_TIME] = {"time", 1, 1},
    [STA_F_TOTALOFFSETMINUTES] = {"totaloffsetminutes", 1, 1},
    [STA_F_NOW] = {"now", 0, 0},
    [STA_F_MINDATETIME] = {"mindatetime", 0, 0},
    [STA_F_MAXDATETIME] = {"maxdatetime", 0, 0},
    [STA_F_BEFORE] = {"before", 2, 2},
    [STA_F_AFTER] = {"after", 2, 2},
    [STA_F_MEETS] = {"meets", 2, 2},
    [STA_F_DURING] = {"during", 2, 2},
    [STA_F_OVERLAPS] = {"overlaps", 2, 2},
    [STA_F_STARTS] = {"starts", 2, 2},
    [STA_F_FINISHES] = {"finishes", 2, 2},
    [STA_F_ROUND] = {"round", 1, 1},
    [STA_F_FLOOR] = {"floor", 1, 1},
    [STA_F_CEILING] = {"ceiling", 1, 1},
    [STA_F_GEO_DISTANCE] = {"geo.distance", 2, 2},
    [STA_F_GEO_LENGTH] = {"geo.length", 1, 1},
    [STA_F_GEO_INTERSECTS] = {"geo.intersects", 2, 2},
    [STA_F_ST_EQUALS] = {"st_equals", 2, 2},
    [STA_F_ST_DISJOINT] = {"st_disjoint", 2, 2},
    [STA_F_ST_TOUCHES] = {"st_touches", 2, 2},
    [STA_F_ST_WITHIN] = {"st_within", 2, 2},
    [STA_F_ST_OVERLAPS] = {"st_overlaps", 2, 2},
    [STA_F_ST_CROSSES] = {"st_crosses", 2, 2},
    [STA_F_ST_INTERSECTS] = {"st_intersects", 2, 2},
    [STA_F_ST_CONTAINS] = {"st_contains", 2, 2},
    [STA_F_ST_RELATE] = {"st_relate", 3, 3},
};

const char *sta_function_name(enum sta_function f)
{
	return functions[f].name;
}

/* ---- the grammar ---- */

static bool gives_truth(enum sta_function f)
{
	return f == STA_F_SUBSTRINGOF || f == STA_F_CONTAINS || f == STA_F_STARTSWITH ||
	       f == STA_F_ENDSWITH || (f >= STA_F_BEFORE && f <= STA_F_FINISHES) ||
	       f >= STA_F_GEO_INTERSECTS;
}

/* What can never be true or false is a mistake in the question. */
static int check_condition(struct parse *s, uint16_t node)
{
	const struct sta_node *n = &s->q->node[node];
	bool may = n->op == STA_BOOL || n->op == STA_NULL || (n->op >= STA_OR && n->op <= STA_LE) ||
	           n->op == STA_IN || n->op == STA_ANY || (n->op == STA_PATH && n->truth) ||
	           (n->op == STA_CALL && gives_truth((enum sta_function)n->function));
	return may ? 0
	           : parse_fail(s, ERR_MALFORMED,
	                        "what stands before is no condition: compare it with something");
}

static int read_or(struct parse *s, enum sta_type of, uint16_t *ret);

static int read_call(struct parse *s, enum sta_type of, struct span name, uint16_t *ret)
{
	unsigned f = 0;
	uint16_t kid[3];
	uint8_t n = 0;
	while (f < STA_FUNCTIONS && !span_is(name, functions[f].name))
		f++;
	if (f == STA_FUNCTIONS)
		return parse_fail(s, ERR_NOT_FOUND, "there is no function %.*s()",
		                  (int)MIN_OF(name.n, (size_t)40), name.p);
	parse_blank(s);
	while (!parse_char(s, ')')) {
		if (n == functions[f].max || (n && !parse_char(s, ',')))
			return parse_fail(s, ERR_MALFORMED, "%s() takes %u arguments, then )",
			                  functions[f].name, functions[f].max);
		int err = read_or(s, of, &kid[n++]);
		if (err)
			return err;
		parse_blank(s);
	}
	if (n < functions[f].min)
		return parse_fail(s, ERR_MALFORMED, "%s() takes %u arguments", functions[f].name,
		                  functions[f].min);
	int err = parse_node(s, STA_CALL, ret);
	if (err)
		return err;
	struct sta_node *node = &s->q->node[*ret];
	memcpy(node->kid, kid, n * sizeof(kid[0]));
	node->n_kids = n;
	node->function = (uint8_t)f;
	return 0;
}

/* Whether the path ends in, or below, a property of any shape. */
static bool is_open(const struct sta_query *q, const struct sta_node *n, enum sta_type of)
{
	for (unsigned i = 0; i < n->n_relations; i++)
		of = sta_find_relation(of, q->name[n->name + i])->to;
	return n->n_relations < n->n_names &&
	       sta_property_is_open(of, q->name[n->name + n->n_relations]);
}

/* d/name: passes over the variable, *of becomes its type. Returns how far out the path begins. */
static uint8_t from_variable(struct parse *s, enum sta_type *of)
{
	const char *begin = s->p;
	struct span name = parse_name(s);
	for (unsigned i = s->n_variables; i-- > 0;)
		if (span_eq(name, s->variable[i].name) && parse_char(s, '/')) {
			*of = s->variable[i].type;
			return (uint8_t)(s->n_variables - 1 - i);
		}
	s->p = begin;
	return (uint8_t)s->n_variables;
}

/* Whether a path stands here that ends in /any( */
static bool leads_to_any(const struct parse *s)
{
	struct parse ahead = *s;
	struct span name = parse_name(&ahead);
	while (name.n && parse_char(&ahead, '/')) {
		name = parse_name(&ahead);
		if (span_is(name, "any") && parse_char(&ahead, '('))
			return true;
	}
	return false;
}

static int read_relations(struct parse *s, enum sta_type *of, struct sta_node *ret)
{
	struct sta_query *q = s->q;
	const struct sta_relation *r = NULL;
	ret->name = (uint16_t)q->n_name;
	for (;;) {
		const char *begin = s->p;
		struct span name = parse_name(s);
		if (span_is(name, "any") && parse_char(s, '('))
			break;
		r = sta_find_relation(*of, name);
		s->p = r ? s->p : begin;
		if (!r || !parse_char(s, '/'))
			return parse_fail(s, ERR_NOT_FOUND, "%s has no such relation",
			                  sta_entity_name(*of));
		if (q->n_name == LIMIT_STA_NODES)
			return parse_fail(s, ERR_TOO_LARGE, "more than %d names in one query",
			                  LIMIT_STA_NODES);
		q->name[q->n_name++] = name;
		*of = r->to;
	}
	ret->n_names = ret->n_relations = (uint16_t)(q->n_name - ret->name);
	return r && r->many ? 0 : parse_fail(s, ERR_MALFORMED, "any() belongs behind a set");
}

/* Datastreams/any(d: d/name eq 'x' and ...), or any() of a set that must not be empty. */
static int read_any(struct parse *s, enum sta_type of, uint8_t outer, uint16_t *ret)
{
	struct sta_node any = {.op = STA_ANY, .outer = outer, .truth = true};
	enum sta_type type = of;
	int err = read_relations(s, &type, &any);
	if (err)
		return err;
	parse_blank(s);
	if (!parse_char(s, ')')) {
		struct span name = parse_name(s);
		parse_blank(s);
		if (!name.n || !parse_char(s, ':'))
			return parse_fail(s, ERR_MALFORMED, "any(x: x/name eq ...) belongs here");
		if (s->n_variables == LIMIT_STA_VARIABLES)
			return parse_fail(s, ERR_TOO_LARGE, "more than %d any() deep",
			                  LIMIT_STA_VARIABLES);

		s->variable[s->n_variables].name = name;
		s->variable[s->n_variables++].type = type;
		err = read_or(s, s->root, &any.kid[0]);
		s->n_variables--;
		any.n_kids = 1;
		if (!err)
			err = check_condition(s, any.kid[0]);
		parse_blank(s);
		if (!err && !parse_char(s, ')'))
			err = parse_fail(s, ERR_MALFORMED, "a ) is missing here");
	}
	if (!err)
		err = parse_node(s, STA_ANY, ret);
	if (!err)
		s->q->node[*ret] = any;
	return err;
}

static int read_name(struct parse *s, enum sta_type of, uint16_t *ret)
{
	const char *begin = s->p;
	struct span name = parse_name(s);
	if (!name.n)
		return parse_fail(s, ERR_MALFORMED,
		                  "here a value, a property or a function belongs");
	if (parse_char(s, '('))
		return read_call(s, of, name, ret);
	if (s->p < s->end && *s->p == '\'') {
		s->p++;
		if (span_is(name, "duration"))
			return parse_duration(s, ret);
		if (span_is(name, "geography") || span_is(name, "geometry"))
			return parse_quoted(s, STA_GEOMETRY, ret);
		s->p = begin;
		return parse_fail(s, ERR_NOT_FOUND, "duration'...' and geography'...' are known");
	}
	s->p = begin;
	uint16_t first, n, relations;
	uint8_t outer = from_variable(s, &of);
	if (leads_to_any(s))
		return read_any(s, of, outer, ret);
	int err = parse_path(s, of, &first, &n, &relations);
	if (!err)
		err = parse_node(s, STA_PATH, ret);
	if (err)
		return err;
	struct sta_node *node = &s->q->node[*ret];
	node->name = first;
	node->n_names = n;
	node->n_relations = relations;
	node->outer = outer;
	node->truth = is_open(s->q, node, of);
	return 0;
}

static int read_primary(struct parse *s, enum sta_type of, uint16_t *ret)
{
	if (parse_char(s, '(')) {
		int err = read_or(s, of, ret);
		parse_blank(s);
		if (!err && !parse_char(s, ')'))
			err = parse_fail(s, ERR_MALFORMED, "a ) is missing here");
		return err;
	}
	if (parse_char(s, '\''))
		return parse_quoted(s, STA_STRING, ret);
	int err = parse_literal(s, ret);
	return err == ERR_NOT_FOUND ? read_name(s, of, ret) : err;
}

static int read_level(struct parse *s, enum sta_type of, unsigned level, uint16_t *ret);
enum { LEVEL_AND = 1, LEVEL_EQUAL = 2, LEVEL_SUM = 4 };

/* not takes a whole comparison: not result lt 5. That says the same where OData would have it
 * closer, and something where that would be an error. */
static int read_unary(struct parse *s, enum sta_type of, uint16_t *ret)
{
	parse_blank(s);
	bool minus = s->p < s->end && *s->p == '-' && !parse_digits(s, 1, 1);
	if (minus)
		s->p++;
	if (!minus && !parse_word(s, "not"))
		return read_primary(s, of, ret);
	uint16_t kid;
	if (++s->depth > LIMIT_STA_DEPTH)
		return parse_fail(s, ERR_TOO_LARGE, "more than %d levels deep", LIMIT_STA_DEPTH);
	int err = minus ? read_unary(s, of, &kid) : read_level(s, of, LEVEL_EQUAL, &kid);
	s->depth--;
	if (!err && !minus)
		err = check_condition(s, kid);
	if (!err)
		err = parse_node(s, minus ? STA_MINUS : STA_NOT, ret);
	if (err)
		return err;
	s->q->node[*ret].kid[0] = kid;
	s->q->node[*ret].n_kids = 1;
	return 0;
}

/* Levels of binary operators, loosest first. */
static const struct {
	const char *word;
	enum sta_op op;
	uint8_t level;
} operators[] = {
    {"or", STA_OR, 0},   {"and", STA_AND, 1}, {"eq", STA_EQ, 2},   {"ne", STA_NE, 2},
    {"gt", STA_GT, 3},   {"ge", STA_GE, 3},   {"lt", STA_LT, 3},   {"le", STA_LE, 3},
    {"in", STA_IN, 3},   {"add", STA_ADD, 4}, {"sub", STA_SUB, 4}, {"mul", STA_MUL, 5},
    {"div", STA_DIV, 5}, {"mod", STA_MOD, 5},
};
enum { LEVELS = 6 };

static bool read_operator(struct parse *s, unsigned level, enum sta_op *ret)
{
	const char *begin = s->p;
	parse_blank(s);
	for (unsigned i = 0; i < ARRAY_LEN(operators); i++)
		if (operators[i].level == level && parse_word(s, operators[i].word)) {
			*ret = operators[i].op;
			return true;
		}
	s->p = begin;
	return false;
}

/* a in (x,y) is a eq x or a eq y; *ret is then STA_NO_NODE and *whole the condition. Else what
 * stands here gives an array. */
static int read_list(struct parse *s, enum sta_type of, uint16_t *whole, uint16_t *ret)
{
	uint16_t left = *whole, sum = STA_NO_NODE, item, node;
	unsigned n = 0;
	parse_blank(s);
	if (!parse_char(s, '('))
		return read_level(s, of, LEVEL_SUM, ret);
	do {
		if (++n + s->depth >= LIMIT_STA_CHAIN)
			return parse_fail(s, ERR_TOO_LARGE, "more than %d values", LIMIT_STA_CHAIN);
		int err = read_or(s, of, &item);
		if (!err)
			err = parse_node(s, STA_EQ, &node);
		if (err)
			return err;
		parse_fit(s, left, item);
		s->q->node[node].kid[0] = left;
		s->q->node[node].kid[1] = item;
		s->q->node[node].n_kids = 2;
		if (sum != STA_NO_NODE) {
			uint16_t first = sum;
			err = parse_node(s, STA_OR, &sum);
			if (err)
				return err;
			s->q->node[sum].kid[0] = first;
			s->q->node[sum].kid[1] = node;
			s->q->node[sum].n_kids = 2;
		} else {
			sum = node;
		}
		parse_blank(s);
	} while (parse_char(s, ','));
	if (!parse_char(s, ')'))
		return parse_fail(s, ERR_MALFORMED, "here , or ) belongs");
	*whole = sum;
	*ret = STA_NO_NODE;
	return 0;
}

/* Chains go to the left: a sub b sub c is (a sub b) sub c. A chain is not deep for the reader, but
 * it is for who walks the tree: it counts. */
static int read_level(struct parse *s, enum sta_type of, unsigned level, uint16_t *ret)
{
	if (level == LEVELS)
		return read_unary(s, of, ret);
	int err = read_level(s, of, level + 1, ret);
	enum sta_op op;
	for (unsigned chain = 0; !err && read_operator(s, level, &op); chain++) {
		uint16_t left = *ret, right;
		if (chain + s->depth >= LIMIT_STA_CHAIN)
			return parse_fail(s, ERR_TOO_LARGE, "more than %d conditions in a row",
			                  LIMIT_STA_CHAIN);
		err = op == STA_IN ? read_list(s, of, ret, &right)
		                   : read_level(s, of, level + 1, &right);
		if (!err && right == STA_NO_NODE) /* the list is the whole condition */
			continue;
		if (!err && level <= LEVEL_AND)
			err = check_condition(s, left);
		if (!err && level <= LEVEL_AND)
			err = check_condition(s, right);
		if (!err)
			err = parse_node(s, op, ret);
		if (err)
			break;
		parse_fit(s, left, right);
		parse_fit(s, right, left);
		struct sta_node *node = &s->q->node[*ret];
		node->kid[0] = left;
		node->kid[1] = right;
		node->n_kids = 2;
	}
	return err;
}

static int read_or(struct parse *s, enum sta_type of, uint16_t *ret)
{
	if (++s->depth > LIMIT_STA_DEPTH)
		return parse_fail(s, ERR_TOO_LARGE, "more than %d levels deep", LIMIT_STA_DEPTH);
	parse_blank(s);
	int err = read_level(s, of, 0, ret);
	s->depth--;
	return err;
}

int parse_condition(struct parse *s, enum sta_type of, uint16_t *ret_node)
{
	int err = parse_expression(s, of, ret_node);
	return err ? err : check_condition(s, *ret_node);
}

int parse_expression(struct parse *s, enum sta_type of, uint16_t *ret_node)
{
	unsigned outer = s->depth; /* of $expand; expressions count their own */
	s->depth = 0;
	s->root = of;
	s->n_variables = 0;
	int err = read_or(s, of, ret_node);
	s->depth = outer;
	return err;
}
