/* A place in what is sorted, beside looking at each. */
#include "base/search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static size_t one_by_one(const int *p, size_t from, size_t to, int below)
{
	while (from < to && p[from] < below)
		from++;
	return from;
}

static void as_looking_at_each(void **state)
{
	static const int sorted[] = {-3, 0, 0, 0, 1, 4, 4, 9};
	enum { N = sizeof(sorted) / sizeof(sorted[0]) };
	(void)state;
	for (size_t from = 0; from <= N; from++)
		for (size_t to = from; to <= N; to++)
			for (int below = -5; below < 12; below++)
				assert_int_equal(search_first(i, from, to, sorted[i] < below),
				                 one_by_one(sorted, from, to, below));
}

static void one_within_another(void **state)
{
	static const int rows[3][3] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}};
	(void)state;
	/* the first row whose first number that is not below 6 stands before its end */
	assert_int_equal(search_first(i, 0, 3, search_first(k, 0, 3, rows[i][k] < 6) == 3), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_looking_at_each),
	                                   cmocka_unit_test(one_within_another)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
