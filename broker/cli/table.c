/* table.c - collects cells, measures, writes. Pure. */
#include "cli/table.h"

#include "base/compiler.h"
#include "base/span.h"
#include "cli/text.h"

#include <string.h>

enum {
	TABLE_BYTES = 64 << 20,
	PRINTED_BYTES = 256 << 20 /* with what aligns it */,
	CELL_BYTES = 4096,
	TEXT_MIN = 12,
	LAST_MIN = 10
};

void table_init(struct table *t, const char *const *headings, unsigned columns)
{
	assert(columns > 0 && columns <= TABLE_COLUMNS_MAX);
	*t = (struct table){.columns = columns};
	buf_init(&t->text, TABLE_BYTES);
	for (unsigned i = 0; i < columns; i++) {
		t->right |= headings[i][0] == '>' ? 1u << i : 0;
		table_cell(t, headings[i] + (headings[i][0] == '>'));
	}
}

void table_done(struct table *t)
{
	buf_done(&t->text);
}

void table_cell(struct table *t, const char *text)
{
	struct span s = span_str(text);
	text_line(&t->text, span_of(s.p, MIN_OF(s.n, (size_t)CELL_BYTES)), 0);
	buf_add_char(&t->text, 0);
	t->cells++;
}

void table_count(struct table *t, uint64_t n)
{
	text_count(&t->text, n);
	buf_add_char(&t->text, 0);
	t->cells++;
}

void table_bytes(struct table *t, uint64_t n)
{
	text_bytes(&t->text, n);
	buf_add_char(&t->text, 0);
	t->cells++;
}

static void pad(struct buf *out, unsigned n)
{
	while (n-- > 0)
		buf_add_char(out, ' ');
}

static void write_cell(const struct table *t, unsigned column, struct span cell, unsigned wide,
                       unsigned left, struct buf *out)
{
	unsigned have = MIN_OF(text_columns(cell), wide);
	if (column + 1 == t->columns && !(t->right >> column & 1)) { /* cut, and nothing after it */
		text_line(out, cell, left);
		return;
	}
	if (t->right >> column & 1)
		pad(out, wide - have);
	text_line(out, cell, wide);
	if (!(t->right >> column & 1))
		pad(out, wide - have);
}

/* What is too wide takes it from the widest column of words; numbers are never cut. */
static void narrow(const struct table *t, unsigned width, unsigned wide[TABLE_COLUMNS_MAX])
{
	unsigned used = LAST_MIN, widest = 0;
	for (unsigned i = 0; i + 1 < t->columns; i++) {
		used += wide[i] + 2;
		if (!(t->right >> i & 1) && (wide[i] > wide[widest] || t->right >> widest & 1))
			widest = i;
	}
	if (!width || used <= width || t->right >> widest & 1 || wide[widest] <= TEXT_MIN)
		return;
	unsigned over = used - width, most = wide[widest] - TEXT_MIN;
	wide[widest] -= MIN_OF(over, most);
}

void table_write(struct table *t, unsigned width, struct buf *out)
{
	assert(t->cells % t->columns == 0);
	unsigned wide[TABLE_COLUMNS_MAX] = {0};
	const char *p = t->text.p;
	for (size_t i = 0; i < t->cells; i++, p += strlen(p) + 1) {
		unsigned n = text_columns(span_str(p));
		wide[i % t->columns] = MAX_OF(wide[i % t->columns], n);
	}
	narrow(t, width, wide);
	p = t->text.p;
	for (size_t i = 0; i < t->cells; i++, p += strlen(p) + 1) {
		unsigned column = (unsigned)(i % t->columns), used = 0;
		for (unsigned k = 0; k < column; k++)
			used += wide[k] + 2;
		unsigned left = width == 0 ? 0 : width > used + LAST_MIN ? width - used : LAST_MIN;
		write_cell(t, column, span_str(p), wide[column], left, out);
		buf_add_str(out, column + 1 == t->columns ? "\n" : "  ");
	}
}

void table_print(struct table *t, unsigned width, FILE *to)
{
	struct buf out;
	buf_init(&out, PRINTED_BYTES);
	table_write(t, width, &out);
	fwrite(out.p ? out.p : "", 1, out.len, to);
	buf_done(&out);
}
