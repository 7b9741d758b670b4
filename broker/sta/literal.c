/* literal.c - numbers, times, texts and durations as OData writes them; see parse.h. */
#include "base/err.h"
#include "base/rfc3339.h"
#include "sta/parse.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

int parse_node(struct parse *s, enum sta_op op, uint16_t *ret)
{
	struct sta_query *q = s->q;
	if (q->n_node == LIMIT_STA_NODES)
		return parse_fail(s, ERR_TOO_LARGE, "more than %d parts in one query",
		                  LIMIT_STA_NODES);
	q->node[q->n_node] = (struct sta_node){.op = op};
	*ret = (uint16_t)q->n_node++;
	return 0;
}

bool parse_digits(const struct parse *s, size_t at, size_t n)
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
	return parse_digits(s, 0, 4) && s->end - s->p > 5 && s->p[4] == '-' &&
	       parse_digits(s, 5, 2);
}

/* 2026-11-24T12:00:00+01:00. A + that came as a space, because somebody did not encode it, is taken
 * for what it was. */
static int read_instant(struct parse *s, int64_t *ret)
{
	char text[64];
	size_t n = 0;
	while (s->p + n < s->end && n < sizeof(text) - 1) {
		char c = s->p[n];
		bool plus = c == ' ' && parse_digits(s, n + 1, 2) && s->p + n + 3 < s->end &&
		            s->p[n + 3] == ':';
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
		err = parse_node(s, interval ? STA_INTERVAL : STA_TIME, ret);
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
	int err = parse_node(s, STA_NUMBER, ret);
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

int parse_quoted(struct parse *s, enum sta_op op, uint16_t *ret)
{
	struct span text;
	int err = read_quoted(s, &text);
	if (!err)
		err = parse_node(s, op, ret);
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
		       (p == end || units[u].unit != toupper(*p) || units[u].time != time))
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

int parse_duration(struct parse *s, uint16_t *ret)
{
	int err = parse_quoted(s, STA_DURATION, ret);
	if (err)
		return err;
	struct sta_node *n = &s->q->node[*ret];
	if (!duration_ms(n->text, &n->ms))
		return parse_fail(s, ERR_MALFORMED, "a duration is written as duration'P1DT12H'");
	return 0;
}

static int read_truth(struct parse *s, bool truth, uint16_t *ret)
{
	int err = parse_node(s, STA_BOOL, ret);
	if (!err)
		s->q->node[*ret].truth = truth;
	return err;
}

int parse_literal(struct parse *s, uint16_t *ret)
{
	if (looks_like_time(s))
		return read_time(s, ret);
	if (parse_digits(s, 0, 1) ||
	    (s->p < s->end && (*s->p == '-' || *s->p == '.') && parse_digits(s, 1, 1)))
		return read_number(s, ret);
	if (parse_word(s, "true"))
		return read_truth(s, true, ret);
	if (parse_word(s, "false"))
		return read_truth(s, false, ret);
	if (parse_word(s, "null"))
		return parse_node(s, STA_NULL, ret);
	return ERR_NOT_FOUND;
}

/* ---- what is written as text and is something else ---- */

static bool is_time(struct span name)
{
	return span_is(name, "phenomenonTime") || span_is(name, "resultTime") ||
	       span_is(name, "validTime") || span_is(name, "storedTime") || span_is(name, "time");
}

void parse_fit(struct parse *s, uint16_t path, uint16_t literal)
{
	struct sta_node *n = &s->q->node[literal];
	const struct sta_node *p = &s->q->node[path];
	if (p->op != STA_PATH || n->op != STA_STRING || p->n_names - p->n_relations > 1)
		return;
	struct span name =
	    p->n_names > p->n_relations ? s->q->name[p->name + p->n_names - 1] : SPAN("id");
	int64_t ms;
	uint64_t id;
	if (is_time(name) && rfc3339_parse(n->text, &ms) == 0) {
		n->op = STA_TIME;
		n->ms = n->end_ms = ms;
	} else if ((span_is(name, "id") || span_is(name, "@iot.id")) &&
	           span_to_u64(n->text, &id) == 0) {
		n->op = STA_NUMBER;
		n->number = (double)id;
	}
}
