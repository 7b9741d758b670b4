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
		for (size_t k = 0; k < ARRAY_LEN(places); k++) {
			const struct box one = box_of_point(places[i][1], places[i][0]),
			                 two = box_of_point(places[k][1], places[k][0]),
			                 all = box_with(one, &two);
			/* Who holds all of it holds its corners. */
			assert(!area_holds(a, &all) ||
			       (area_holds(a, &one) && area_holds(a, &two)));
		}
	const struct box beyond = box_of_point(INT32_MIN, INT32_MAX); /* the pole */
	assert(!area_holds(a, &beyond));
	area_done(area_use(a));
	area_done(a);
	return 0;
}
