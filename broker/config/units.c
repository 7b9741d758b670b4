/* units.c - durations and sizes, both ways. One whole number and one unit, so that there is one way
 * to read a line: no fractions, no sums, no month (which is 28 to 31 days). */
#include "base/err.h"
#include "config/value.h"

#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* From large to small, as printing wants it. A year is 365 days: retention, not a calendar. */
static const struct unit durations[] = {{"y", 365 * 86400}, {"d", 86400}, {"h", 3600},
                                        {"m", 60},          {"s", 1},     {NULL, 0}};

/* IEC 80000-13: kB is 1,000 and KiB is 1,024; both can be said, so neither has to be guessed. */
static const struct unit sizes[] = {{"TiB", UINT64_C(1) << 40},
                                    {"TB", 1000000000000},
                                    {"GiB", 1 << 30},
                                    {"GB", 1000000000},
                                    {"MiB", 1 << 20},
                                    {"MB", 1000000},
                                    {"KiB", 1 << 10},
                                    {"kB", 1000},
                                    {"B", 1},
                                    {NULL, 0}};

static int read_unit(const char *text, const struct unit *units, uint64_t *ret)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t n;
	int err = span_to_u64(span_of(text, digits), &n);
	if (err)
		return err;
	const char *name = text + digits;
	name += strspn(name, " ");
	if (!*name && n == 0) { /* zero needs no unit */
		*ret = 0;
		return 0;
	}
	for (const struct unit *u = units; u->name; u++) {
		if (strcmp(u->name, name))
			continue;
		if (n > UINT64_MAX / u->factor)
			return ERR_TOO_LARGE;
		*ret = n * u->factor;
		return 0;
	}
	return ERR_MALFORMED;
}

int value_seconds(const char *text, uint64_t *ret)
{
	assert(text && ret);
	return read_unit(text, durations, ret);
}

int value_bytes(const char *text, uint64_t *ret)
{
	assert(text && ret);
	return read_unit(text, sizes, ret);
}

static void print_unit(uint64_t v, const struct unit *units, struct buf *b)
{
	const struct unit *best = NULL;
	for (const struct unit *u = units; u->name; u++)
		if (v % u->factor == 0 && (!best || v / u->factor < v / best->factor))
			best = u;
	assert(best); /* the smallest unit divides everything */
	buf_add_u64(b, v / best->factor);
	buf_add_str(b, best->name);
}

void value_print_seconds(uint64_t v, struct buf *b)
{
	if (v == 0)
		buf_add_char(b, '0');
	else
		print_unit(v, durations, b);
}

void value_print_bytes(uint64_t v, struct buf *b)
{
	if (v == 0)
		buf_add_char(b, '0');
	else
		print_unit(v, sizes, b);
}

int config_seconds(const char *text, uint64_t *ret)
{
	return value_seconds(text, ret);
}
