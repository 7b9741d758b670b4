/* Areas of grants as who administers a feed may send them: the first byte says in which
 * coordinates. What was read lies within the world, and answers for every point. */
#include "access/area.h"
#include "base/err.h"
#include "base/limits.h"

#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const int32_t places[][2] = {{0, 0},
	                                    {523700000, 49000000},
	                                    {900000000, 1800000000},
	                                    {-900000000, -1800000000},
	                                    {INT32_MAX, INT32_MIN}};
	struct area *a;
	const char *why = NULL;
	if (!n || n > LIMIT_AREA_BYTES)
		return 0;
	struct span text = span_of((const char *)data + 1, n - 1);
	if (area_read(text, data[0] == 'r', &a, &why)) {
		assert(why);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		(void)area_holds(a, places[i][0], places[i][1]);
	assert(!area_holds(a, INT32_MAX, INT32_MIN)); /* beyond the pole */
	area_done(area_use(a));
	area_done(a);
	return 0;
}
