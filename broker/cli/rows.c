/* rows.c - see rows.h. */
#include "cli/rows.h"

#include "base/err.h"
#include "base/mem.h"
#include "json/write.h"

#include <stdlib.h>

static int compare(struct span a, struct span b)
{
	/* '/' goes before everything, so that an object's members stand together */
	for (size_t i = 0; i < a.n && i < b.n; i++)
		if (a.p[i] != b.p[i]) {
			int x = a.p[i] == '/' ? -1 : (unsigned char)a.p[i];
			int y = b.p[i] == '/' ? -1 : (unsigned char)b.p[i];
			return x - y;
		}
	return (a.n > b.n) - (a.n < b.n);
}

static bool is_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '/' && (i == 0 || i + 1 == s.n || s.p[i + 1] == '/'))
			return false;
	return s.n > 0;
}

static struct span name_of(const struct rows *r, unsigned i)
{
	return span_str(r->name[i]);
}

int rows_init(struct rows *r, const struct csv *names, unsigned *ret_at)
{
	*r = (struct rows){.n = names->n};
	for (unsigned i = 0; i < r->n; i++)
		r->name[i] = xstrdup(names->cell[i]);
	for (unsigned i = 0; i < r->n; i++) {
		*ret_at = i;
		if (!is_name(name_of(r, i)))
			return ERR_MALFORMED;
		unsigned k = i;
		for (; k && compare(name_of(r, r->order[k - 1]), name_of(r, i)) > 0; k--)
			r->order[k] = r->order[k - 1];
		r->order[k] = i;
	}
	for (unsigned i = 1; i < r->n; i++) {
		struct span a = name_of(r, r->order[i - 1]), b = name_of(r, r->order[i]);
		*ret_at = r->order[i];
		if (b.n >= a.n && memcmp(a.p, b.p, a.n) == 0 && (b.n == a.n || b.p[a.n] == '/'))
			return ERR_MALFORMED;
	}
	return 0;
}

void rows_done(struct rows *r)
{
	for (unsigned i = 0; i < r->n; i++)
		free(r->name[i]);
	r->n = 0;
}

int rows_find(const struct rows *r, struct span name)
{
	for (unsigned i = 0; i < r->n; i++)
		if (span_eq(name_of(r, i), name))
			return (int)i;
	return -1;
}

/* The grammar of RFC 8259 6. */
static bool is_number(struct span s)
{
	size_t i = s.n && s.p[0] == '-', from = i;
	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	if (i == from || (s.p[from] == '0' && i > from + 1))
		return false;
	if (i < s.n && s.p[i] == '.') {
		for (from = ++i; i < s.n && s.p[i] >= '0' && s.p[i] <= '9';)
			i++;
		if (i == from)
			return false;
	}
	if (i < s.n && (s.p[i] | 32) == 'e') {
		i++;
		i += i < s.n && (s.p[i] == '-' || s.p[i] == '+');
		for (from = i; i < s.n && s.p[i] >= '0' && s.p[i] <= '9';)
			i++;
		if (i == from)
			return false;
	}
	return i == s.n;
}

static void write_cell(struct buf *b, struct span s, bool text, bool decimal_comma)
{
	char number[64];
	char *comma = NULL;
	struct span plain = s;
	if (decimal_comma && s.n < sizeof(number) && memchr(s.p, ',', s.n)) {
		memcpy(number, s.p, s.n);
		comma = memchr(number, ',', s.n);
		*comma = '.';
		plain = span_of(number, s.n);
	}
	if (!text && (is_number(plain) || span_is(s, "true") || span_is(s, "false")))
		buf_add_span(b, plain);
	else
		json_write_string(b, s);
}

/* How many bytes of name are the objects that it shares with before: up to and with a '/'. */
static size_t shared(struct span before, struct span name)
{
	size_t same = 0;
	for (size_t i = 0; i < name.n && i < before.n && name.p[i] == before.p[i]; i++)
		if (name.p[i] == '/')
			same = i + 1;
	return same;
}

static void close_objects(struct buf *b, struct span name, size_t from)
{
	for (size_t i = from; i < name.n; i++)
		if (name.p[i] == '/')
			buf_add_char(b, '}');
}

void rows_write(struct buf *b, const struct rows *r, const struct csv *csv)
{
	struct span before = {0};
	assert(csv->n <= r->n);
	buf_add_char(b, '{');
	for (unsigned k = 0; k < r->n; k++) {
		unsigned i = r->order[k];
		struct span name = name_of(r, i),
		            cell = i < csv->n ? span_str(csv->cell[i]) : (struct span){0};
		if (cell.n == 0 || r->skip[i])
			continue;
		size_t at = shared(before, name);
		close_objects(b, before, at);
		if (before.n)
			buf_add_char(b, ',');
		for (size_t from = at; from < name.n; from = at + 1) {
			const char *slash = memchr(name.p + from, '/', name.n - from);
			at = slash ? (size_t)(slash - name.p) : name.n;
			json_write_string(b, span_of(name.p + from, at - from));
			buf_add_str(b, slash ? ":{" : ":");
		}
		write_cell(b, cell, r->text[i], r->decimal_comma);
		before = name;
	}
	close_objects(b, before, 0);
	buf_add_char(b, '}');
}
