/* template.c - parsed once, written once per message. */
#include "cli/template.h"

#include "base/err.h"
#include "base/rfc3339.h"

#include <string.h>

static const struct {
	const char *word;
	enum template_kind kind;
} places[] = {{"{n}", TEMPLATE_N},   {"{c}", TEMPLATE_C},       {"{seq}", TEMPLATE_SEQ},
              {"{ns}", TEMPLATE_NS}, {"{time}", TEMPLATE_TIME}, {"{val}", TEMPLATE_VAL}};

static int add(struct template *t, enum template_kind kind, const char *p, size_t n)
{
	if (kind == TEMPLATE_TEXT && n == 0)
		return 0;
	if (t->n == TEMPLATE_PARTS_MAX)
		return ERR_TOO_LARGE;
	t->part[t->n].kind = kind;
	t->part[t->n++].text = span_of(p, n);
	return 0;
}

int template_parse(struct template *t, const char *text)
{
	const char *from = text, *p = text;
	*t = (struct template){0};
	while (*p) {
		size_t skip = 0;
		for (size_t i = 0; i < ARRAY_LEN(places) && !skip; i++) {
			size_t n = strlen(places[i].word);
			if (strncmp(p, places[i].word, n) != 0)
				continue;
			if (add(t, TEMPLATE_TEXT, from, (size_t)(p - from)) < 0 ||
			    add(t, places[i].kind, NULL, 0) < 0)
				return ERR_TOO_LARGE;
			skip = n;
		}
		p += skip ? skip : 1;
		from = skip ? p : from;
	}
	return add(t, TEMPLATE_TEXT, from, (size_t)(p - from));
}

size_t template_size(const struct template *t)
{
	size_t n = 0;
	for (unsigned i = 0; i < t->n; i++)
		n += t->part[i].kind == TEMPLATE_TEXT ? t->part[i].text.n
		                                      : (size_t)TEMPLATE_VALUE_BYTES;
	return n;
}

static char *digits(char *out, uint64_t v)
{
	char b[20];
	unsigned n = 0;
	do
		b[n++] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	while (n > 0)
		*out++ = b[--n];
	return out;
}

/* 0.0 to 99.9, up and down, different for every thing. */
static char *wander(char *out, const struct template_values *v)
{
	uint64_t at = (v->seq + v->n * 37) % 1999;
	uint64_t tenths = at < 1000 ? at : 1998 - at;
	out = digits(out, tenths / 10);
	*out++ = '.';
	*out++ = (char)('0' + tenths % 10);
	return out;
}

size_t template_write(const struct template *t, const struct template_values *v, char *out)
{
	char *p = out;
	for (unsigned i = 0; i < t->n; i++) {
		switch (t->part[i].kind) {
		case TEMPLATE_TEXT:
			memcpy(p, t->part[i].text.p, t->part[i].text.n);
			p += t->part[i].text.n;
			break;
		case TEMPLATE_N: p = digits(p, v->n); break;
		case TEMPLATE_C: p = digits(p, v->c); break;
		case TEMPLATE_SEQ: p = digits(p, v->seq); break;
		case TEMPLATE_NS: p = digits(p, v->ns); break;
		case TEMPLATE_VAL: p = wander(p, v); break;
		case TEMPLATE_TIME:
			rfc3339_format(v->time_ms, p);
			p += RFC3339_BYTES;
			break;
		}
	}
	return (size_t)(p - out);
}
