/* numbers.c - see numbers.h. */
#include "base/numbers.h"

#include <stdlib.h>

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

size_t numbers_once(uint32_t *p, size_t n)
{
	size_t k = 0;
	if (n)
		qsort(p, n, sizeof(*p), by_number);
	for (size_t i = 0; i < n; i++)
		if (!k || p[k - 1] != p[i])
			p[k++] = p[i];
	return k;
}
