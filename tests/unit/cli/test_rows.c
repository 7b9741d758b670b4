/* Rows of CSV as objects, and a chart of characters. */
#include "cli/csv.c"
#include "cli/plot.c"
#include "cli/rows.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct buf out;

/* The objects of all rows, a line each; decimal_comma, and the columns "code" as text. */
static const char *objects(const char *text, bool decimal_comma)
{
	struct csv csv;
	struct rows rows = {0};
	const char *why;
	unsigned at;
	buf_clear(&out);
	csv_init(&csv, span_str(text));
	assert_int_equal(csv_next(&csv, &why), 1);
	int err = rows_init(&rows, &csv, &at);
	if (err) {
		buf_addf(&out, "wrong %u", at);
	} else {
		int code = rows_find(&rows, SPAN("code"));
		if (code >= 0)
			rows.text[code] = true;
		rows.decimal_comma = decimal_comma;
		while (csv_next(&csv, &why) == 1) {
			rows_write(&out, &rows, &csv);
			buf_add_char(&out, '\n');
		}
	}
	rows_done(&rows);
	csv_done(&csv);
	return buf_str(&out);
}

static void cells(void **state UNUSED)
{
	assert_string_equal(
	    objects("a,b,code\n1,x,007\n,\"say \"\"y\"\"\",12\n-0.50,true,\n", false),
	    "{\"a\":1,\"b\":\"x\",\"code\":\"007\"}\n"
	    "{\"b\":\"say \\\"y\\\"\",\"code\":\"12\"}\n"
	    "{\"a\":-0.50,\"b\":true}\n");
	assert_string_equal(objects("a\n01\n1.\n.5\n1e5\n+1\n-\nNaN\n", false),
	                    "{\"a\":\"01\"}\n{\"a\":\"1.\"}\n{\"a\":\".5\"}\n{\"a\":1e5}\n"
	                    "{\"a\":\"+1\"}\n{\"a\":\"-\"}\n{\"a\":\"NaN\"}\n");
	assert_string_equal(objects("a;b\n21,5;1.5\n1,2,3;x\n", true),
	                    "{\"a\":21.5,\"b\":1.5}\n{\"a\":\"1,2,3\",\"b\":\"x\"}\n");
}

static void objects_within(void **state UNUSED)
{
	assert_string_equal(
	    objects("la/max,id,la/min/x,la-b,la/min/y\n1,2,3,4,5\n,2,,,5\n1,,,,\n,,,,\n", false),
	    "{\"id\":2,\"la\":{\"max\":1,\"min\":{\"x\":3,\"y\":5}},\"la-b\":4}\n"
	    "{\"id\":2,\"la\":{\"min\":{\"y\":5}}}\n"
	    "{\"la\":{\"max\":1}}\n{}\n");
	assert_string_equal(objects("a,a/b\n1,2\n", false), "wrong 1");
	assert_string_equal(objects("a,b,a\n1,2,3\n", false), "wrong 2");
	assert_string_equal(objects("a,,b\n1,2,3\n", false), "wrong 1");
	assert_string_equal(objects("a,/b\n1,2\n", false), "wrong 1");
}

static void plots(void **state UNUSED)
{
	const double values[] = {1, 2, NAN, 4};
	buf_clear(&out);
	plot_write(&out, values, 4, "0", "9");
	unsigned lines = 0;
	for (size_t i = 0; i < out.len; i++)
		lines += out.p[i] == '\n';
	assert_int_equal(lines, PLOT_ROWS + 1);
	assert_non_null(strstr(buf_str(&out), "\u2581\u2588 \u2588\n")); /* the lowest row */
	const double none[] = {NAN, NAN}, flat[] = {3, 3};
	buf_clear(&out);
	plot_write(&out, none, 2, "0", "9");
	assert_string_equal(buf_str(&out), "nothing came in this time\n");
	buf_clear(&out);
	plot_write(&out, flat, 2, "0", "9");
	assert_null(strstr(buf_str(&out), "nan"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cells), cmocka_unit_test(objects_within), cmocka_unit_test(plots)};
	buf_init(&out, 1 << 20);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_done(&out);
	return failed;
}
