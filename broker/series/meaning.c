/* meaning.c - what the schemas say of the members of their messages: observedProperty, unit, what
 * is plausible. Copied out of the catalogue, which a reload replaces, and kept for ever: rows of
 * datastreams point here. */
#include "base/mem.h"
#include "series/private.h"

#include <stdlib.h>

const struct meaning meaning_none = {.schema = (char *)(uintptr_t) "",
                                     .property = (char *)(uintptr_t) "",
                                     .unit = (char *)(uintptr_t) "",
                                     .member = (char *)(uintptr_t) ""};

enum { KEY_BYTES_MAX = 4096 };

static struct meaning *meaning_new(struct span schema, struct span property, struct span unit,
                                   struct span member)
{
	struct meaning *m = xcalloc(1, sizeof(*m));
	m->schema = xstrndup(schema.p, schema.n);
	m->property = xstrndup(property.p, property.n);
	m->unit = xstrndup(unit.p, unit.n);
	m->member = xstrndup(member.p, member.n);
	return m;
}

static void meaning_free(struct meaning *m)
{
	free(m->schema);
	free(m->property);
	free(m->unit);
	free(m->member);
	free(m);
}

static struct meaning_list *list_of(struct series *s, struct span key, unsigned n)
{
	struct meaning_list *l = xcalloc(1, sizeof(*l) + n * sizeof(l->items[0]));
	l->n = n;
	map_set(&s->meanings, key, l);
	return l;
}

/* A version means one thing for ever, so what is known stays; what is only known from a row (key
 * with more than the schema's id) stands beside it. */
void meanings_take(struct series *s, const struct catalog *c)
{
	for (size_t i = 0; c && i < catalog_count(c); i++) {
		const struct schema *sc = catalog_at(c, i);
		struct span id = span_str(schema_id(sc));
		if (map_get(&s->meanings, id))
			continue;
		struct meaning_list *l = list_of(s, id, schema_result_count(sc));
		for (unsigned k = 0; k < l->n; k++) {
			struct schema_result_info r = schema_result_info(sc, k);
			struct meaning *m = meaning_new(id, span_str(r.observed_property),
			                                span_str(r.unit), span_str(r.member));
			m->has_plausible = r.has_plausible;
			m->low = r.plausible_low;
			m->high = r.plausible_high;
			m->spike = r.spike;
			m->stuck_ms = (int64_t)(r.stuck_s * 1000);
			l->items[k] = m;
		}
	}
}

/* "la/max" is what "la/ *" (without the space) means. */
static bool fits(const char *pattern, struct span member)
{
	const char *p = member.p, *end = member.p + member.n;
	for (;;) {
		if (*pattern == '*' && (pattern[1] == '/' || !pattern[1])) {
			while (p < end && *p != '/')
				p++;
			pattern++;
		}
		while (*pattern && *pattern != '/' && p < end && *p == *pattern)
			p++, pattern++;
		if (!*pattern)
			return p == end;
		if (*pattern != '/' || p == end || *p != '/')
			return false;
		p++, pattern++;
	}
}

const struct meaning *meaning_find(struct series *s, struct span schema, struct span member)
{
	struct meaning_list *l = map_get(&s->meanings, schema);
	for (unsigned i = 0; l && i < l->n; i++)
		if (span_is(member, l->items[i]->member))
			return l->items[i];
	for (unsigned i = 0; l && i < l->n; i++)
		if (strchr(l->items[i]->member, '*') && fits(l->items[i]->member, member))
			return l->items[i];
	return NULL;
}

static const struct meaning *single(struct series *s, struct span schema, struct span property,
                                    struct span unit)
{
	char mem[KEY_BYTES_MAX];
	size_t n = schema.n + property.n + unit.n + 3;
	if (n > sizeof(mem))
		return &meaning_none;
	char *p = mem;
	*p++ = '\n'; /* no schema's id begins so */
	p = (char *)mempcpy(p, schema.p, schema.n);
	*p++ = '\n';
	p = (char *)mempcpy(p, property.p, property.n);
	*p++ = '\n';
	memcpy(p, unit.p, unit.n);
	struct meaning_list *l = map_get(&s->meanings, span_of(mem, n));
	if (!l) {
		l = list_of(s, span_of(mem, n), 1);
		l->items[0] = meaning_new(schema, property, unit, SPAN(""));
	}
	return l->items[0];
}

const struct meaning *meaning_of_unit(struct series *s, struct span unit)
{
	return single(s, SPAN(""), SPAN(""), unit);
}

const struct meaning *meaning_row(struct series *s, const struct row_stream *r)
{
	if (!r->schema.n && !r->property.n && !r->unit.n)
		return &meaning_none;
	const struct meaning *m = r->schema.n ? meaning_find(s, r->schema, r->member) : NULL;
	return m ? m : single(s, r->schema, r->property, r->unit);
}

void meanings_free(struct series *s)
{
	size_t at = 0;
	for (struct meaning_list *l; (l = map_next(&s->meanings, &at, NULL));) {
		for (unsigned i = 0; i < l->n; i++)
			meaning_free(l->items[i]);
		free(l);
	}
	map_done(&s->meanings);
}
