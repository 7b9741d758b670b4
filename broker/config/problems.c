/* problems.c - everything that is wrong, in the order of the files and lines, at most
 * LIMIT_CONFIG_PROBLEMS. */
#include "base/limits.h"
#include "base/mem.h"
#include "config/load.h"
#include "config/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool said(const struct loader *ld, unsigned file, int line, const char *text)
{
	for (size_t i = 0; i < ld->n_problems; i++) {
		const struct problem *p = &ld->problems[i];
		if (p->file == file && p->line == line && !strcmp(p->text, text))
			return true;
	}
	return false;
}

void problem_add(struct loader *ld, unsigned file, int line, bool warning, const char *fmt, ...)
{
	assert(file < ld->n_sources);
	ld->n_errors += !warning;
	if (ld->n_problems == LIMIT_CONFIG_PROBLEMS) {
		ld->n_unshown++;
		return;
	}
	char *text = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		text = xstrdup("out of memory");
	if (said(ld, file, line, text)) {
		free(text);
		return;
	}
	ld->problems = xrealloc(ld->problems, (ld->n_problems + 1) * sizeof(*ld->problems));
	ld->problems[ld->n_problems++] = (struct problem){file, line, warning, text};
}

static int by_place(const void *a, const void *b)
{
	const struct problem *x = a, *y = b;
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->warning != y->warning)
		return x->warning ? 1 : -1;
	return strcmp(x->text, y->text); /* so that the order is always the same */
}

/* A value may hold anything; a message is one line of UTF-8. */
static void add_line(struct buf *out, const char *text)
{
	for (const unsigned char *s = (const unsigned char *)text; *s;) {
		unsigned n = value_plain_char(s);
		if (n == 0)
			buf_addf(out, "\\x%02x", *s++);
		else
			buf_add(out, s, n);
		s += n;
	}
}

void problems_print(struct loader *ld, struct buf *out)
{
	if (ld->n_problems)
		qsort(ld->problems, ld->n_problems, sizeof(*ld->problems), by_place);
	for (size_t i = 0; i < ld->n_problems; i++) {
		const struct problem *p = &ld->problems[i];
		add_line(out, ld->sources[p->file].name);
		if (p->line > 0)
			buf_addf(out, ":%d", p->line);
		buf_add_str(out, p->warning ? ": warning: " : ": ");
		add_line(out, p->text);
		buf_add_char(out, '\n');
	}
	if (ld->n_unshown)
		buf_addf(out, "%s: %zu more; mend these first\n", ld->sources[0].name,
		         ld->n_unshown);
}

void problems_done(struct loader *ld)
{
	for (size_t i = 0; i < ld->n_problems; i++)
		free(ld->problems[i].text);
	free(ld->problems);
	ld->problems = NULL;
	ld->n_problems = 0;
}
