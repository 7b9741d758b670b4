/* fuzz_zone - a file of the time zone database, and a length of time: "PERIOD\n" and the file. No
 * reading beyond it, and pieces that follow each other: floor(t) <= t < next(floor(t)). */
#include "base/period.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct period *p, const struct zone *z, int64_t t)
{
	char text[ZONE_TIME_BYTES];
	unsigned n = zone_format(z, t, text);
	assert(n >= 20 && n <= ZONE_TIME_BYTES);
	int64_t begin = period_floor(p, z, t);
	assert(begin <= t);
	assert(period_floor(p, z, begin) == begin);
	int64_t next = period_next(p, z, begin);
	assert(next > t);
	assert(period_floor(p, z, next) == next && period_floor(p, z, next - 1) == begin);
	assert(zone_change(z, t, t + 1000) > t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t times[] = {0, 1795521600000, 1774746000123, 4102444800000,
	                                -1577923200000};
	struct span s = span_of((const char *)data, size);
	const char *nl = s.n ? memchr(s.p, '\n', s.n) : NULL;
	struct period p = {.days = 1};
	struct zone *z;
	if (nl) {
		size_t n = (size_t)(nl - s.p);
		if (period_parse(span_of(s.p, n), &p))
			p = (struct period){.days = 1};
		s = span_of(nl + 1, s.n - n - 1);
	}
	if (zone_read(s, &z))
		return 0;
	for (unsigned i = 0; i < ARRAY_LEN(times); i++)
		check(&p, z, times[i]);
	zone_free(z);
	return 0;
}
