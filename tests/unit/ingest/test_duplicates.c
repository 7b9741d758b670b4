/* The duplicate index against a plain list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/duplicates.h"

enum { WINDOW = 64, OPS = 5000, KINDS = 200 };

static void agrees_with_a_list(void **state UNUSED)
{
	struct duplicates *d = duplicates_new(WINDOW);
	struct {
		unsigned kind;
		uint64_t sequence;
	} list[OPS];
	unsigned n = 0, seed = 99;
	for (int i = 0; i < OPS; i++) {
		seed = seed * 1103515245u + 12345u;
		unsigned kind = (seed >> 10) % KINDS;
		uint64_t want = 0;
		for (unsigned j = n > WINDOW ? n - WINDOW : 0; j < n; j++)
			if (list[j].kind == kind)
				want = list[j].sequence;
		struct duplicate_key k =
		    duplicates_key(d, kind % 3, SPAN("thing"), kind, SPAN("payload"));
		assert_true(duplicates_find(d, k, kind % 3) == want);
		if (want)
			continue;
		duplicates_add(d, k, kind % 3, (uint64_t)i + 1);
		list[n].kind = kind;
		list[n++].sequence = (uint64_t)i + 1;
	}
	duplicates_free(d);
}

static void each_part_counts(void **state UNUSED)
{
	struct duplicates *d = duplicates_new(WINDOW);
	struct duplicate_key k = duplicates_key(d, 1, SPAN("a"), 5, SPAN("{}"));
	duplicates_add(d, k, 1, 7);
	assert_true(duplicates_find(d, duplicates_key(d, 1, SPAN("a"), 5, SPAN("{}")), 1) == 7);
	assert_true(duplicates_find(d, duplicates_key(d, 2, SPAN("a"), 5, SPAN("{}")), 2) == 0);
	assert_true(duplicates_find(d, duplicates_key(d, 1, SPAN("b"), 5, SPAN("{}")), 1) == 0);
	assert_true(duplicates_find(d, duplicates_key(d, 1, SPAN("a"), 6, SPAN("{}")), 1) == 0);
	assert_true(duplicates_find(d, duplicates_key(d, 1, SPAN("a"), 5, SPAN("{ }")), 1) == 0);
	duplicates_remove(d, k, 1, 8); /* another record's */
	assert_true(duplicates_find(d, k, 1) == 7);
	duplicates_remove(d, k, 1, 7);
	assert_true(duplicates_find(d, k, 1) == 0);
	duplicates_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_a_list),
	                                   cmocka_unit_test(each_part_counts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
