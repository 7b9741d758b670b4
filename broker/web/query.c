/* query.c - see query.h. */
#include "web/query.h"

#include "base/err.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes raw to the end of q->text. */
static int decode(struct query *q, size_t *at, struct span raw, struct span *ret)
{
	size_t start = *at;
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];
		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			if (i + 2 >= raw.n || hex(raw.p[i + 1]) < 0 || hex(raw.p[i + 2]) < 0)
				return ERR_MALFORMED;
			c = (char)(hex(raw.p[i + 1]) * 16 + hex(raw.p[i + 2]));
			i += 2;
		}
		if (*at == sizeof(q->text))
			return ERR_TOO_LARGE;
		q->text[(*at)++] = c;
	}
	*ret = span_of(q->text + start, *at - start);
	return 0;
}

int query_parse(struct span raw, struct query *ret)
{
	size_t at = 0;
	ret->n = 0;
	while (raw.n) {
		const char *amp = memchr(raw.p, '&', raw.n);
		size_t n = amp ? (size_t)(amp - raw.p) : raw.n;
		const char *eq = n ? memchr(raw.p, '=', n) : NULL;
		size_t name_n = eq ? (size_t)(eq - raw.p) : n;
		if (ret->n == QUERY_PAIRS)
			return ERR_TOO_LARGE;
		struct span name, value, seen;
		int err = decode(ret, &at, span_of(raw.p, name_n), &name);
		err = err ? err
		          : decode(ret, &at,
		                   eq ? span_of(eq + 1, n - name_n - 1) : (struct span){0}, &value);
		if (err)
			return err;
		if (name.n == 0)
			return ERR_MALFORMED;
		for (unsigned i = 0; i < ret->n; i++) {
			seen = ret->pair[i].name;
			if (span_eq(seen, name))
				return ERR_MALFORMED;
		}
		ret->pair[ret->n].name = name;
		ret->pair[ret->n].value = value;
		ret->n++;
		raw.p += amp ? n + 1 : n;
		raw.n -= amp ? n + 1 : n;
	}
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

const struct span *query_unknown(const struct query *q, const char *names)
{
	for (unsigned i = 0; i < q->n; i++) {
		bool known = false;
		for (const char *at = names; *at && !known;) {
			size_t len = strcspn(at, " ");
			known = span_eq(q->pair[i].name, span_of(at, len));
			at += len + (at[len] == ' ');
		}
		if (!known)
			return &q->pair[i].name;
	}
	return NULL;
}
