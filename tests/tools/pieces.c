/* pieces - what base/zone.h and base/period.h make of lines "ZONE PERIOD MS" on standard input: "MS
 * OFFSET_MS LOCAL BEGIN_MS NEXT_MS", or "error N". tests/integ/test_zones.py compares them. */
#include "base/period.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	char name[128], text[128], now[128] = "";
	struct zone *z = NULL;
	int64_t t;
	while (scanf("%127s %127s %" SCNd64, name, text, &t) == 3) {
		struct period p;
		char local[ZONE_TIME_BYTES];
		int err = 0;
		if (strcmp(name, now) != 0) {
			zone_free(z);
			z = NULL;
			err = zone_load("/usr/share/zoneinfo", span_str(name), &z);
			strcpy(now, err ? "" : name);
		}
		if (!err)
			err = period_parse(span_str(text), &p);
		if (err) {
			printf("error %d\n", err);
			continue;
		}
		int64_t begin = period_floor(&p, z, t);
		unsigned n = zone_format(z, t, local);
		printf("%" PRId64 " %" PRId64 " %.*s %" PRId64 " %" PRId64 "\n", t,
		       zone_offset(z, t), (int)n, local, begin, period_next(&p, z, begin));
	}
	zone_free(z);
	return 0;
}
