/* csv.c - see csv.h. */
#include "cli/csv.h"

#include "base/err.h"

enum { ROW_BYTES = 1 << 20 };

void csv_init(struct csv *c, struct span text)
{
	static const char separators[] = ",;\t";
	size_t most = 0;
	*c = (struct csv){.rest = text, .separator = ',', .next_line = 1};
	buf_init(&c->text, ROW_BYTES);
	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		c->rest = span_of(text.p + 3, text.n - 3);
	for (const char *s = separators; *s; s++) {
		size_t n = 0;
		for (size_t i = 0; i < c->rest.n && c->rest.p[i] != '\n'; i++)
			n += c->rest.p[i] == *s;
		if (n > most) {
			most = n;
			c->separator = *s;
		}
	}
}

void csv_done(struct csv *c)
{
	buf_done(&c->text);
}

static int take(struct csv *c)
{
	if (!c->rest.n)
		return -1;
	int ch = (unsigned char)*c->rest.p;
	c->rest = span_of(c->rest.p + 1, c->rest.n - 1);
	c->next_line += ch == '\n';
	return ch;
}

/* A quoted cell, after its first quote; what follows it is ret_end: a separator, '\n', -1 or an
 * error. */
static int quoted(struct csv *c, const char **ret_why)
{
	for (int ch;;) {
		ch = take(c);
		if (ch < 0) {
			*ret_why = "a quote is not closed";
			return ERR_MALFORMED;
		}
		if (ch != '"') {
			buf_add_char(&c->text, (char)ch);
			continue;
		}
		ch = take(c);
		if (ch == '"') {
			buf_add_char(&c->text, '"');
			continue;
		}
		if (ch == '\r')
			ch = take(c);
		if (ch < 0 || ch == '\n' || ch == c->separator)
			return ch;
		*ret_why = "there is text after a closing quote";
		return ERR_MALFORMED;
	}
}

static int plain(struct csv *c, int ch)
{
	for (; ch >= 0 && ch != '\n' && ch != c->separator; ch = take(c))
		if (ch != '\r')
			buf_add_char(&c->text, (char)ch);
	return ch;
}

/* One row; its cells' places in at. */
static int row(struct csv *c, size_t at[CSV_CELLS_MAX], const char **ret_why)
{
	int end;
	c->line = c->next_line;
	c->n = 0;
	buf_clear(&c->text);
	do {
		if (c->n == CSV_CELLS_MAX) {
			*ret_why = "the row has more than 200 cells";
			return ERR_TOO_LARGE;
		}
		at[c->n++] = c->text.len;
		int ch = take(c);
		end = ch == '"' ? quoted(c, ret_why) : plain(c, ch);
		if (end < -1)
			return end;
		buf_add_char(&c->text, '\0');
	} while (end == c->separator);
	if (c->text.err)
		*ret_why = "the row is longer than 1 MB";
	return c->text.err;
}

int csv_next(struct csv *c, const char **ret_why)
{
	size_t at[CSV_CELLS_MAX];
	do {
		if (!c->rest.n)
			return 0;
		int err = row(c, at, ret_why);
		if (err)
			return err;
	} while (c->n == 1 && c->text.len == 1); /* an empty line */
	for (unsigned i = 0; i < c->n; i++)
		c->cell[i] = c->text.p + at[i];
	return 1;
}
