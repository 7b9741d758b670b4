/* bar.c - see bar.h. */
#include "cli/bar.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { COLUMNS = 30, TEXT_COLUMNS = 50 };

bool bar_wanted(const struct cli *c)
{
	return !c->json && isatty(STDERR_FILENO);
}

void bar_draw(double part, const char *fmt, ...)
{
	char bar[COLUMNS + 1], text[TEXT_COLUMNS];
	va_list ap;
	part = part > 1 ? 1 : part;
	memset(bar, '.', COLUMNS);
	memset(bar, '#', (size_t)(part * COLUMNS));
	bar[COLUMNS] = '\0';
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "\r[%s] %3.0f %%  %-*s", bar, part * 100, TEXT_COLUMNS - 1, text);
	fflush(stderr);
}

void bar_clear(void)
{
	fprintf(stderr, "\r%*s\r", COLUMNS + 9 + TEXT_COLUMNS, "");
}
