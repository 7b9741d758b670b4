/* expr.c - expressions of $filter and $orderby, by recursive descent in OData's order of
 * precedence: or, and, eq ne, gt ge lt le, add sub, mul div mod, not and -, the rest. See query.h.
 */
#include "base/err.h"
#include "base/rfc3339.h"
#include "sta/parse.h"

#include <stdio.h>
#include <stdlib.h>

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

static int new_node(struct parse *s, enum sta_op op, uint16_t *ret)
{
	struct sta_query *q = s->q;
	if (q->n_node == LIMIT_STA_NODES)
		return parse_fail(s, ERR_TOO_LARGE, "more than %d parts in one query",
		                  LIMIT_STA_NODES);
	q->node[q->n_node] = (struct sta_node){.op = op};
	*ret = (uint16_t)q->n_node++;
	return 0;
}

/* ---- literals ---- */

static bool digits(const struct parse *s, size_t at, size_t n)
{
	if ((size_t)(s->end - s->p) < at + n)
		return false;
	for (size_t i = at; i < at + n; i++)
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
	return true;
}

static bool looks_like_time(const struct parse *s)
{
	return digits(s, 0, 4) && s->end - s->p > 5 && s->p[4] == '-' && digits(s, 5, 2);
}

/* 2026-11-24T12:00:00+01:00. A + that came as a space, because somebody did not encode it, is taken
 * for what it was. */
static int read_instant(struct parse *s, int64_t *ret)
{
	char text[64];
	size_t n = 0;
	while (s->p + n < s->end && n < sizeof(text) - 1) {
		char c = s->p[n];
		bool plus =
		    c == ' ' && digits(s, n + 1, 2) && s->p + n + 3 < s->end && s->p[n + 3] == ':';
		if (!plus && (c == ' ' || c == ')' || c == ',' || c == '/' || c == ';'))
			break;
		text[n++] = plus ? '+' : c;
	}
	size_t read = n;
	if (n == 10) /* a date alone is its first moment */
		n += (size_t)sprintf(text + n, "T00:00:00Z");
	if (rfc3339_parse(span_of(text, n), ret) == 0) {
		s->p += read;
		return 0;
	}
	return parse_fail(s, ERR_MALFORMED, "a time is written as 2026-11-24T12:00:00Z");
}

static int read_time(struct parse *s, uint16_t *ret)
{
	int64_t from, to;
	int err = read_instant(s, &from);
	bool interval = !err && parse_char(s, '/');
	to = from;
	if (interval)
		err = read_instant(s, &to);
	if (!err && to < from)
		err = parse_fail(s, ERR_MALFORMED, "this interval ends before it begins");
	if (!err)
		err = new_node(s, interval ? STA_INTERVAL : STA_TIME, ret);
	if (err)
		return err;
	s->q->node[*ret].ms = from;
	s->q->node[*ret].end_ms = to;
	return 0;
}

static int read_number(struct parse *s, uint16_t *ret)
{
	char text[64], *end;
	size_t n = 0;
	while (s->p + n < s->end && n < sizeof(text) - 1 && s->p[n] &&
	       strchr("0123456789.eE+-", s->p[n])) {
		text[n] = s->p[n];
		n++;
	}
	text[n] = '\0';
	double v = strtod(text, &end);
	if (end != text + n || v - v != 0)
		return parse_fail(s, ERR_MALFORMED, "this is not a number");
	s->p += n;
	int err = new_node(s, STA_NUMBER, ret);
	if (!err)
		s->q->node[*ret].number = v;
	return err;
}

/* 'it''s': the doubled quote becomes one, in a copy: links to the next page repeat the text as it
 * came. */
static int read_quoted(struct parse *s, struct span *ret)
{
	struct sta_query *q = s->q;
	size_t begin = q->used;
	for (; s->p < s->end; s->p++) {
		if (*s->p == '\'' && (s->p + 1 == s->end || s->p[1] != '\''))
			break;
		s->p += *s->p == '\'';
		if (q->used == sizeof(q->text))
			return parse_fail(s, ERR_TOO_LARGE, "the query is longer than %d bytes",
			                  LIMIT_STA_QUERY_BYTES);
		q->text[q->used++] = *s->p;
	}
	if (!parse_char(s, '\''))
		return parse_fail(s, ERR_MALFORMED, "the ' that ends this text is missing");
	*ret = span_of(q->text + begin, q->used - begin);
	return 0;
}

static int read_text(struct parse *s, enum sta_op op, uint16_t *ret)
{
	struct span text;
	int err = read_quoted(s, &text);
	if (!err)
		err = new_node(s, op, ret);
	if (!err)
		s->q->node[*ret].text = text;
	return err;
}

/* P1DT2H3.5S, with a sign; years and months have no length of their own. */
static bool duration_ms(struct span t, int64_t *ret)
{
	static const struct {
		char unit;
		bool time;
		int64_t ms;
	} units[] = {{'W', false, 604800000},
	             {'D', false, 86400000},
	             {'H', true, 3600000},
	             {'M', true, 60000},
	             {'S', true, 1000}};
	const char *p = t.p, *end = t.p + t.n;
	int64_t sum = 0;
	bool minus = p < end && *p == '-', time = false, any = false;
	p += minus;
	if (p == end || *p++ != 'P')
		return false;
	while (p < end) {
		if (*p == 'T' && !time) {
			time = true;
			p++;
			continue;
		}
		char number[24], *rest;
		size_t n = 0;
		while (p < end && n < sizeof(number) - 1 && ((*p >= '0' && *p <= '9') || *p == '.'))
			number[n++] = *p++;
		number[n] = '\0';
		double v = strtod(number, &rest);
		size_t u = 0;
		while (u < ARRAY_LEN(units) &&
		       (p == end || units[u].unit != *p || units[u].time != time))
			u++;
		if (!n || *rest || u == ARRAY_LEN(units) || v > 1e9)
			return false;
		sum += (int64_t)(v * (double)units[u].ms + 0.5);
		p++;
		any = true;
	}
	*ret = minus ? -sum : sum;
	return any;
}

static int read_duration(struct parse *s, uint16_t *ret)
{
	int err = read_text(s, STA_DURATION, ret);
	if (err)
		return err;
	struct sta_node *n = &s->q->node[*ret];
	if (!duration_ms(n->text, &n->ms))
		return parse_fail(s, ERR_MALFORMED, "a duration is written as duration'P1DT12H'");
	return 0;
}

static int read_truth(struct parse *s, bool truth, uint16_t *ret)
{
	int err = new_node(s, STA_BOOL, ret);
	if (!err)
		s->q->node[*ret].truth = truth;
	return err;
}

/* ---- the grammar ---- */

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
	int err = new_node(s, STA_CALL, ret);
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
			return read_duration(s, ret);
		if (span_is(name, "geography") || span_is(name, "geometry"))
			return read_text(s, STA_GEOMETRY, ret);
		s->p = begin;
		return parse_fail(s, ERR_NOT_FOUND, "duration'...' and geography'...' are known");
	}
	s->p = begin;
	uint16_t first, n, relations;
	int err = parse_path(s, of, &first, &n, &relations);
	if (!err)
		err = new_node(s, STA_PATH, ret);
	if (err)
		return err;
	struct sta_node *node = &s->q->node[*ret];
	node->name = first;
	node->n_names = n;
	node->n_relations = relations;
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
		return read_text(s, STA_STRING, ret);
	if (looks_like_time(s))
		return read_time(s, ret);
	if (digits(s, 0, 1) || (s->p < s->end && (*s->p == '-' || *s->p == '.') && digits(s, 1, 1)))
		return read_number(s, ret);
	if (parse_word(s, "true"))
		return read_truth(s, true, ret);
	if (parse_word(s, "false"))
		return read_truth(s, false, ret);
	if (parse_word(s, "null"))
		return new_node(s, STA_NULL, ret);
	return read_name(s, of, ret);
}

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
	           (n->op == STA_PATH && n->truth) ||
	           (n->op == STA_CALL && gives_truth((enum sta_function)n->function));
	return may ? 0
	           : parse_fail(s, ERR_MALFORMED,
	                        "what stands before is no condition: compare it with something");
}

static int read_level(struct parse *s, enum sta_type of, unsigned level, uint16_t *ret);
enum { LEVEL_AND = 1, LEVEL_EQUAL = 2 };

/* not takes a whole comparison: not result lt 5. That says the same where OData would have it
 * closer, and something where that would be an error. */
static int read_unary(struct parse *s, enum sta_type of, uint16_t *ret)
{
	parse_blank(s);
	bool minus = s->p < s->end && *s->p == '-' && !digits(s, 1, 1);
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
		err = new_node(s, minus ? STA_MINUS : STA_NOT, ret);
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
    {"add", STA_ADD, 4}, {"sub", STA_SUB, 4}, {"mul", STA_MUL, 5}, {"div", STA_DIV, 5},
    {"mod", STA_MOD, 5},
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
		err = read_level(s, of, level + 1, &right);
		if (!err && level <= LEVEL_AND)
			err = check_condition(s, left);
		if (!err && level <= LEVEL_AND)
			err = check_condition(s, right);
		if (!err)
			err = new_node(s, op, ret);
		if (err)
			break;
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
	int err = read_or(s, of, ret_node);
	s->depth = outer;
	return err;
}
