/* Rows of CSV files. */
#include "cli/csv.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct csv csv;
static const char *why;

static void row_is(unsigned line, unsigned n, const char *joined)
{
	char all[256] = "";
	assert_int_equal(csv_next(&csv, &why), 1);
	for (unsigned i = 0; i < csv.n; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "<%s>", csv.cell[i]);
	assert_string_equal(all, joined);
	assert_int_equal(csv.n, n);
	assert_int_equal(csv.line, line);
}

static void reads(void **state UNUSED)
{
	csv_init(&csv, SPAN("\xef\xbb\xbf"
	                    "a;b,c;\r\n\n\"x;\"\"\ny\";\n;\"\"\nlast;1"));
	row_is(1, 3, "<a><b,c><>");
	row_is(3, 2, "<x;\"\ny><>");
	row_is(5, 2, "<><>");
	row_is(6, 2, "<last><1>");
	assert_int_equal(csv_next(&csv, &why), 0);
	csv_done(&csv);
}

static void refuses(void **state UNUSED)
{
	const char *const bad[] = {"\"a", "\"a\"b,c\n", "a,\"b\" ,c"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		csv_init(&csv, span_str(bad[i]));
		assert_int_equal(csv_next(&csv, &why), ERR_MALFORMED);
		csv_done(&csv);
	}
	char many[2 * CSV_CELLS_MAX + 2];
	memset(many, ',', sizeof(many));
	csv_init(&csv, span_of(many, sizeof(many)));
	assert_int_equal(csv_next(&csv, &why), ERR_TOO_LARGE);
	csv_done(&csv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(refuses)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
