/* query.c - the path, and the query cut into options; see query.h. */
#include "sta/query.h"

#include "base/err.h"
#include "sta/parse.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- small things of the parser ---- */

int parse_fail(struct parse *s, int err, const char *fmt, ...)
{
	struct sta_query *q = s->q;
	va_list ap;
	int n = snprintf(q->error, sizeof(q->error), "%s, character %zu: ", s->option,
	                 (size_t)(s->p - s->begin) + 1);
	va_start(ap, fmt);
	vsnprintf(q->error + n, sizeof(q->error) - (size_t)n, fmt, ap);
	va_end(ap);
	return err;
}

void parse_blank(struct parse *s)
{
	while (s->p < s->end && strchr(" \t\r\n", *s->p))
		s->p++;
}

bool parse_char(struct parse *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '@' || c == '.' || c == '-' || (unsigned char)c >= 0x80;
}

bool parse_word(struct parse *s, const char *word)
{
	size_t n = strlen(word);
	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0 ||
	    (s->p + n < s->end && is_name_char(s->p[n])))
		return false;
	s->p += n;
	return true;
}

struct span parse_name(struct parse *s)
{
	const char *begin = s->p;
	while (s->p < s->end && is_name_char(*s->p))
		s->p++;
	return span_of(begin, (size_t)(s->p - begin));
}

int parse_number(struct parse *s, uint64_t *ret)
{
	const char *begin = s->p;
	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	if (span_to_u64(span_of(begin, (size_t)(s->p - begin)), ret) == 0 && *ret <= INT64_MAX)
		return 0;
	s->p = begin;
	return parse_fail(s, ERR_MALFORMED, "here a whole number belongs");
}

static int add_name(struct parse *s, struct span name)
{
	struct sta_query *q = s->q;
	if (q->n_name == LIMIT_STA_NODES)
		return parse_fail(s, ERR_TOO_LARGE, "more than %d names in one query",
		                  LIMIT_STA_NODES);
	q->name[q->n_name++] = name;
	return 0;
}

/* "[0]", as others write result/0: the same name. */
static int parse_places(struct parse *s)
{
	while (parse_char(s, '[')) {
		const char *begin = s->p;
		uint64_t n;
		int err = parse_number(s, &n);
		err = err ? err : add_name(s, span_of(begin, (size_t)(s->p - begin)));
		if (!err && !parse_char(s, ']'))
			err =
			    parse_fail(s, ERR_MALFORMED, "a ] belongs behind the place in a list");
		if (err)
			return err;
	}
	return 0;
}

int parse_path(struct parse *s, enum sta_type of, uint16_t *ret_name, uint16_t *ret_n,
               uint16_t *ret_relations)
{
	struct sta_query *q = s->q;
	uint16_t first = (uint16_t)q->n_name, relations = 0;
	bool open = false, leaf = false;
	do {
		const char *begin = s->p;
		struct span name = parse_name(s);
		const struct sta_relation *r = leaf ? NULL : sta_find_relation(of, name);
		if (!name.n)
			return parse_fail(s, ERR_MALFORMED, "here a name belongs");
		if (r) {
			of = r->to;
			relations++;
		} else if (leaf ? !open : !sta_has_property(of, name)) {
			s->p = begin;
			return parse_fail(s, ERR_NOT_FOUND, "%s has no %s \"%.*s\"",
			                  leaf ? "what stands before" : sta_entity_name(of),
			                  leaf ? "member" : "property or relation",
			                  (int)MIN_OF(name.n, (size_t)60), name.p);
		} else if (!leaf) {
			leaf = true;
			open = sta_property_is_open(of, name);
		}
		int err = add_name(s, name);
		if (!err && open)
			err = parse_places(s);
		if (err)
			return err;
	} while (parse_char(s, '/'));
	*ret_name = first;
	*ret_n = (uint16_t)(q->n_name - first);
	*ret_relations = relations;
	return 0;
}

/* ---- decoding ---- */

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                              : -1;
}

/* Percent-decoded into q->text. A NUL is malformed: nothing that is asked for has one. */
static int decode(struct sta_query *q, struct span s, bool plus, struct span *ret)
{
	char *begin = q->text + q->used;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '%') {
			int high = i + 2 < s.n ? hex(s.p[i + 1]) : -1;
			int low = high < 0 ? -1 : hex(s.p[i + 2]);
			if (low < 0) {
				snprintf(q->error, sizeof(q->error),
				         "a %% is not followed by two hexadecimal digits");
				return ERR_MALFORMED;
			}
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (q->used == sizeof(q->text)) {
			snprintf(q->error, sizeof(q->error), "the query is longer than %d bytes",
			         LIMIT_STA_QUERY_BYTES);
			return ERR_TOO_LARGE;
		}
		if (c == '\0') {
			snprintf(q->error, sizeof(q->error), "the query has a byte 0");
			return ERR_MALFORMED;
		}
		q->text[q->used++] = c;
	}
	*ret = span_of(begin, (size_t)(q->text + q->used - begin));
	return 0;
}

/* ---- the path ---- */

static struct sta_step *last_step(struct sta_query *q)
{
	return &q->step[q->n_steps - 1];
}

static int read_step(struct parse *s, struct span name)
{
	struct sta_query *q = s->q;
	struct sta_step step = {.relation = NULL};
	if (q->n_steps == LIMIT_STA_STEPS)
		return parse_fail(s, ERR_TOO_LARGE, "more than %d steps", LIMIT_STA_STEPS);
	if (q->n_steps) {
		step.relation = sta_find_relation(last_step(q)->type, name);
		if (step.relation)
			step.type = step.relation->to;
	}
	if (q->n_steps ? !step.relation : !sta_find_set(name, &step.type))
		return parse_fail(s, ERR_NOT_FOUND, "there is no \"%.*s\" here",
		                  (int)MIN_OF(name.n, (size_t)60), name.p);
	q->many = !step.relation || step.relation->many;
	if (parse_char(s, '(')) {
		bool minus = parse_char(s, '-');
		uint64_t id;
		if (parse_number(s, &id))
			return parse_fail(s, ERR_NOT_FOUND, "ids are whole numbers here");
		if (!parse_char(s, ')'))
			return parse_fail(s, ERR_MALFORMED, "a ) belongs behind the id");
		if (!q->many)
			return parse_fail(s, ERR_MALFORMED, "%.*s is one entity: it takes no id",
			                  (int)name.n, name.p);
		step.has_id = true;
		step.id = minus ? -(int64_t)id : (int64_t)id;
		q->many = false;
	}
	q->step[q->n_steps++] = step;
	return 0;
}

static int read_property(struct parse *s, const char *begin)
{
	struct sta_query *q = s->q;
	uint16_t relations;
	q->what = STA_WHAT_PROPERTY;
	s->p = begin;
	q->property = (uint16_t)q->n_name;
	const char *value = s->end - 7;
	bool bare = s->end - s->p > 7 && memcmp(value, "/$value", 7) == 0;
	if (bare) {
		q->what = STA_WHAT_VALUE;
		s->end = value;
	}
	int err = parse_path(s, last_step(q)->type, &q->property, &q->n_property, &relations);
	if (!err && s->p != s->end)
		err = parse_fail(s, ERR_MALFORMED, "this does not belong here");
	return err;
}

static int read_path(struct sta_query *q, struct span path)
{
	struct parse s = {
	    .q = q, .option = "path", .begin = path.p, .p = path.p, .end = path.p + path.n};
	q->what = STA_WHAT_ROOT;
	while (parse_char(&s, '/') && s.p < s.end) {
		const char *begin = s.p;
		if (q->n_steps && s.end - s.p == 4 && memcmp(s.p, "$ref", 4) == 0) {
			q->what = STA_WHAT_REF;
			s.p = s.end;
			break;
		}
		struct span name = parse_name(&s);
		if (q->n_steps && !q->many && !sta_find_relation(last_step(q)->type, name))
			return read_property(&s, begin);
		if (q->n_steps && q->many) {
			s.p = begin;
			return parse_fail(&s, ERR_NOT_FOUND,
			                  "a set is not followed by a name: choose one, %s(1)",
			                  sta_set_name(last_step(q)->type));
		}
		int err = read_step(&s, name);
		if (err)
			return err;
		q->what = q->many ? STA_WHAT_SET : STA_WHAT_ENTITY;
	}
	if (s.p != s.end)
		return parse_fail(&s, ERR_MALFORMED, "this does not belong here");
	return 0;
}

/* ---- the options ---- */

static int read_options(struct sta_query *q, struct span all)
{
	while (all.n) {
		const char *amp = memchr(all.p, '&', all.n);
		size_t n = amp ? (size_t)(amp - all.p) : all.n;
		struct span one;
		int err = decode(q, span_of(all.p, n), true, &one);
		if (err)
			return err;
		const char *eq = one.n ? memchr(one.p, '=', one.n) : NULL;
		if (eq) {
			struct parse s = {.q = q,
			                  .option = "the query",
			                  .begin = eq + 1,
			                  .p = eq + 1,
			                  .end = one.p + one.n};
			struct span name = span_of(one.p, (size_t)(eq - one.p));
			err = parse_option(&s, name, &q->options, true);
			if (!err && s.p != s.end)
				err = parse_fail(&s, ERR_MALFORMED, "this does not belong here");
			if (err)
				return err;
		} else if (one.n) {
			snprintf(q->error, sizeof(q->error), "\"%.*s\" is not name=value",
			         (int)MIN_OF(one.n, (size_t)60), one.p);
			return ERR_MALFORMED;
		}
		all = span_of(all.p + n, all.n - n);
		if (amp)
			all = span_of(all.p + 1, all.n - 1);
	}
	return 0;
}

/* What is about a set means nothing for one entity: better said than passed over. */
static int check_options(struct sta_query *q)
{
	const struct sta_options *o = &q->options;
	bool property = q->what == STA_WHAT_PROPERTY || q->what == STA_WHAT_VALUE;
	bool of_set = o->filter != STA_NO_NODE || o->n_order || o->has_top || o->has_skip ||
	              o->count || q->cursor.n;
	bool of_entity = o->n_select || o->first_expand != STA_NO_NODE;
	if (!q->n_steps || q->many || !(of_set || (property && of_entity)))
		return 0;
	snprintf(q->error, sizeof(q->error),
	         property ? "a property takes no options"
	                  : "one entity takes $select and $expand; the others are for sets");
	return ERR_MALFORMED;
}

int sta_query_read(struct sta_query *q, struct span path, struct span options)
{
	struct span decoded;
	q->n_steps = q->n_node = q->n_name = q->n_select = q->n_expand = 0;
	q->n_property = 0;
	q->many = false;
	q->in_path = true;
	q->used = 0;
	q->format = STA_JSON;
	q->cursor = (struct span){0};
	q->error[0] = '\0';
	int err = decode(q, path, false, &decoded);
	if (!err)
		err = read_path(q, decoded);
	if (err)
		return err;
	q->in_path = false;
	options_init(&q->options, q->n_steps ? sta_query_type(q) : STA_THING);
	if (!q->n_steps && options.n) {
		snprintf(q->error, sizeof(q->error), "the landing page takes no options");
		return ERR_MALFORMED;
	}
	err = read_options(q, options);
	return err ? err : check_options(q);
}
