/* query.c - see query.h. */
#include "web/query.h"

#include "base/err.h"

void query_init(struct query *q)
{
	q->n = 0;
	q->used = 0;
}

/* Copies s to the end of q->text. */
static int copy(struct query *q, struct span s, struct span *ret)
{
	if (s.n > sizeof(q->text) - q->used)
		return ERR_TOO_LARGE;
	*ret = span_of(q->text + q->used, s.n);
	if (s.n)
		memcpy(q->text + q->used, s.p, s.n);
	q->used += s.n;
	return 0;
}

/* Whether the last pair is an option of SensorThings that leaves a bracket open. */
static bool is_open(const struct query *q)
{
	if (!q->n || !q->pair[q->n - 1].name.n || q->pair[q->n - 1].name.p[0] != '$')
		return false;
	struct span v = q->pair[q->n - 1].value;
	bool quoted = false;
	int depth = 0;
	for (size_t i = 0; i < v.n; i++) {
		quoted ^= v.p[i] == '\'';
		depth += quoted ? 0 : (v.p[i] == '(') - (v.p[i] == ')');
	}
	return depth > 0 && !quoted;
}

/* Its value is the last thing in q->text. */
static int add_below(struct query *q, struct span piece)
{
	struct span *value = &q->pair[q->n - 1].value, more;
	int err = copy(q, SPAN(";"), &more);
	if (!err)
		err = copy(q, piece, &more);
	if (!err)
		value->n += 1 + piece.n;
	return err;
}

int query_add(struct query *q, struct span pair)
{
	const char *eq = pair.n ? memchr(pair.p, '=', pair.n) : NULL;
	size_t n = eq ? (size_t)(eq - pair.p) : pair.n;
	struct span name, value = {0};
	if (is_open(q))
		return add_below(q, pair);
	if (q->n == QUERY_PAIRS)
		return ERR_TOO_LARGE;
	int err = copy(q, span_of(pair.p, n), &name);
	if (!err && eq)
		err = copy(q, span_of(eq + 1, pair.n - n - 1), &value);
	if (err)
		return err;
	for (unsigned i = 0; i < q->n; i++)
		if (span_eq(q->pair[i].name, name))
			return ERR_MALFORMED;
	if (name.n == 0)
		return ERR_MALFORMED;
	q->pair[q->n].name = name;
	q->pair[q->n++].value = value;
	return 0;
}

bool query_get(const struct query *q, const char *name, struct span *ret)
{
	for (unsigned i = 0; i < q->n; i++)
		if (span_is(q->pair[i].name, name)) {
			*ret = q->pair[i].value;
			return true;
		}
	return false;
}

bool query_is_among(struct span name, const char *names)
{
	for (const char *at = names; *at;) {
		size_t n = strcspn(at, " ");
		if (span_eq(name, span_of(at, n)))
			return true;
		at += n + (at[n] == ' ');
	}
	return false;
}
