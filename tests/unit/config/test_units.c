/* test_units.c - durations and sizes, both ways. */
#include "check.h"
#include "config/value.h"

struct row_of_units {
	const char *text;
	int err;
	uint64_t value;
	const char *printed;
};

static void check(const struct row_of_units *rows, size_t n, int (*read)(const char *, uint64_t *),
                  void (*print)(uint64_t, struct buf *))
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v = 77;
		int err = read(rows[i].text, &v);
		if (err != rows[i].err || (err ? v != 77 : v != rows[i].value))
			fail_msg("%s: %d, %llu", rows[i].text, err, (unsigned long long)v);
		if (err)
			continue;
		struct buf b;
		buf_init(&b, 100);
		print(v, &b);
		assert_string_equal(buf_str(&b), rows[i].printed);
		buf_done(&b);
	}
}

static void durations(void **state)
{
	(void)state;
	static const struct row_of_units rows[] = {
	    {"0", 0, 0, "0"},
	    {"0s", 0, 0, "0"},
	    {"1s", 0, 1, "1s"},
	    {"90s", 0, 90, "90s"},
	    {"60s", 0, 60, "1m"},
	    {"90m", 0, 5400, "90m"},
	    {"24h", 0, 86400, "1d"},
	    {"14d", 0, 14 * 86400, "14d"},
	    {"2y", 0, 730 * 86400, "2y"},
	    {"14 d", 0, 14 * 86400, "14d"},
	    {"14", ERR_MALFORMED, 0, ""},
	    {"", ERR_MALFORMED, 0, ""},
	    {"d", ERR_MALFORMED, 0, ""},
	    {"1h30m", ERR_MALFORMED, 0, ""},
	    {"1.5h", ERR_MALFORMED, 0, ""},
	    {"-1h", ERR_MALFORMED, 0, ""},
	    {"1D", ERR_MALFORMED, 0, ""},
	    {"1w", ERR_MALFORMED, 0, ""},
	    {"1d ", ERR_MALFORMED, 0, ""},
	    {" 1d", ERR_MALFORMED, 0, ""},
	    {"18446744073709551615y", ERR_TOO_LARGE, 0, ""},
	    {"99999999999999999999s", ERR_TOO_LARGE, 0, ""},
	};
	check(rows, ARRAY_LEN(rows), value_seconds, value_print_seconds);
}

static void sizes(void **state)
{
	(void)state;
	static const struct row_of_units rows[] = {
	    {"0", 0, 0, "0"},
	    {"1B", 0, 1, "1B"},
	    {"1kB", 0, 1000, "1kB"},
	    {"1KiB", 0, 1024, "1KiB"},
	    {"1000B", 0, 1000, "1kB"},
	    {"20GB", 0, 20000000000, "20GB"},
	    {"1MiB", 0, 1 << 20, "1MiB"},
	    {"256GB", 0, 256000000000, "256GB"},
	    {"3TB", 0, 3000000000000, "3TB"},
	    {"64TiB", 0, UINT64_C(1) << 46, "64TiB"},
	    {"5 GiB", 0, UINT64_C(5) << 30, "5GiB"},
	    {"20", ERR_MALFORMED, 0, ""},
	    {"20G", ERR_MALFORMED, 0, ""},
	    {"20gb", ERR_MALFORMED, 0, ""},
	    {"20 GB ", ERR_MALFORMED, 0, ""},
	    {"0x20B", ERR_MALFORMED, 0, ""},
	    {"18446744073709551615B", 0, UINT64_MAX, "18446744073709551615B"},
	    {"18446744073709551616B", ERR_TOO_LARGE, 0, ""},
	    {"18446744073709551615kB", ERR_TOO_LARGE, 0, ""},
	};
	check(rows, ARRAY_LEN(rows), value_bytes, value_print_bytes);
}

static void names(void **state)
{
	(void)state;
	assert_true(value_is_name("air-quality"));
	assert_true(value_is_name("0"));
	assert_true(
	    value_is_name("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	assert_false(
	    value_is_name("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	assert_false(value_is_name(""));
	assert_false(value_is_name("a.b"));
	assert_false(value_is_name("A"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(durations),
	    cmocka_unit_test(sizes),
	    cmocka_unit_test(names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
