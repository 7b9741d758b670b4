/* test_number.c - numbers: to double (strtod is the oracle), to int64, compared (exact integers of
 * 128 bits are the oracle). */
#include "check.h"

#include "base/buf.h"
#include "base/err.h"
#include "json/write.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

__extension__ typedef __int128 i128;

static uint64_t bits(double v)
{
	uint64_t b;
	memcpy(&b, &v, sizeof(b));
	return b;
}

/* strtod in the C locale is correctly rounded in glibc. */
static void check_double(const char *text)
{
	uint64_t ours = bits(json_double(span_str(text))), want = bits(strtod(text, NULL));
	if (ours != want)
		fail_msg("%s: %a is not %a", text, json_double(span_str(text)), strtod(text, NULL));
}

static void doubles_known(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "0",
	    "-0",
	    "0.0",
	    "-0.0e99",
	    "0e999999999999999999999",
	    "1",
	    "-1",
	    "12.4",
	    "0.1",
	    "1e22",
	    "1e23",
	    "-1e-22",
	    "123456789012345678",
	    "9007199254740992",
	    "9007199254740993",
	    "9007199254740993.0000000000000000000000000000000000001",
	    "18446744073709551615",
	    "18446744073709551616",
	    "0.30000000000000004",
	    "4.35",
	    "52.37021570000001",
	    "1.7976931348623157e308",
	    "1.7976931348623158e308",
	    "1.7976931348623159e308",
	    "1e309",
	    "-1e400",
	    "1e999999999999999999999999",
	    "1e-999999999999999999999999",
	    "2.2250738585072014e-308",
	    "2.2250738585072011e-308",
	    "4.9e-324",
	    "5e-324",
	    "2.4703282292062327e-324",
	    "2.4703282292062328e-324",
	    "1e-400",
	    "0.000000000000000000001",
	    "100000000000000000000000000000000000000e-38",
	    "1E+5",
	    "1e+0005",
	    "1e-0",
	    "8.41e+11",
	    "2.0e-19",
	    "9223372036854775807e-19",
	    "9999999999999999999e19",
	    /* half way but for a remainder */
	    "0.8908451869259690903",
	    "9963422738420020797e-19",
	    "0.5075656665760846509",
	    "0.5988522178502105331",
	    "1.00000000000000011102230246251565404236316680908203125",
	    "1.00000000000000011102230246251565404236316680908203124",
	    "1.00000000000000011102230246251565404236316680908203126",
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		check_double(texts[i]);
	assert_true(json_double(SPAN("12.4")) == 12.4);
	assert_true(json_double(SPAN("-1e400")) == -HUGE_VAL);
	assert_true(signbit(json_double(SPAN("-0"))));
	/* only the span is read */
	assert_true(json_double(span_of("1234", 2)) == 12);
	assert_true(json_double(span_of("1.5e10", 3)) == 1.5);
}

/* The middle between two doubles, 767 digits, and what a digit far behind it changes. */
static void doubles_with_many_digits(void **state)
{
	(void)state;
	char text[4000];
	/* half of the smallest double: 2^-1075 */
	int n = snprintf(text, sizeof(text), "%.1075f", ldexp(1, -1074));
	assert_int_equal(n, 1077);
	check_double(text);
	for (int zeros = 0; zeros < 2500; zeros += 83) { /* 2^-1075 is half way: to even, to 0 */
		static const char half[] = "24703282292062327208299643";
		memcpy(text, "0.", 2);
		memset(text + 2, '0', 323);
		strcpy(text + 325, half);
		size_t at = strlen(text);
		memset(text + at, '0', (size_t)zeros);
		strcpy(text + at + zeros, "1");
		check_double(text);
	}
	/* 1 + 2^-53 exactly is a tie, decided by a digit that stands 3,000 places further */
	static const char tie[] = "1.00000000000000011102230246251565404236316680908203125";
	strcpy(text, tie);
	memset(text + strlen(tie), '0', 3000);
	text[strlen(tie) + 3000] = '\0';
	assert_true(json_double(span_str(text)) == 1);
	strcat(text, "1");
	assert_true(json_double(span_str(text)) == 1 + DBL_EPSILON);
	check_double(text);
}

static void doubles_at_random(void **state)
{
	(void)state;
	char text[64];
	uint64_t seed = 20261124;
	for (int round = 0; round < 300000; round++) {
		uint64_t r = next_random(&seed), m = next_random(&seed);
		int digits = (int)(r % 22), point = (int)(r >> 8) % 20,
		    e = (int)(r >> 20 & 1023) - 512;
		switch (round % 4) {
		case 0: snprintf(text, sizeof(text), "%.*e", digits, ldexp((double)m, e)); break;
		case 1: /* such as a sensor sends */
			snprintf(text, sizeof(text), "%d.%0*d", (int)(m % 2000), 1 + point % 8,
			         (int)(m >> 32) % 10);
			break;
		case 2:
			snprintf(text, sizeof(text), "%llue%d", (unsigned long long)m >> r % 64,
			         e / 12);
			break;
		default: { /* a double of any bits, at the precision that Python prints */
			double v;
			memcpy(&v, &m, sizeof(v));
			if (!isfinite(v))
				continue;
			snprintf(text, sizeof(text), "%.17g", v);
			assert_true(json_double(span_str(text)) == v);
		}
		}
		check_double(text);
	}
}

static void the_locale_has_no_say(void **state)
{
	(void)state;
	/* with a decimal comma, where there is such a locale; else the test of the C locale again
	 */
	static const char *const names[] = {"nl_NL.UTF-8", "de_DE.UTF-8", "fr_FR.UTF-8", "C"};
	for (size_t i = 0; i < ARRAY_LEN(names) && !setlocale(LC_ALL, names[i]); i++)
		;
	struct buf b;
	buf_init(&b, 100);
	assert_true(json_double(SPAN("0.1234567890123456789e-30")) == 0.1234567890123456789e-30);
	json_write_double(&b, 0.1234567890123456789e-30);
	assert_string_equal(buf_str(&b), "1.2345678901234568e-31");
	buf_done(&b);
	setlocale(LC_ALL, "C");
}

static void integers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool fits;
		int64_t v;
	} rows[] = {
	    {"0", true, 0},
	    {"-0", true, 0},
	    {"-0.0", true, 0},
	    {"0e99999999999999999999999", true, 0},
	    {"1", true, 1},
	    {"-120", true, -120},
	    {"1.0", true, 1},
	    {"10e-1", true, 1},
	    {"1.50e1", true, 15},
	    {"1.5e0", false, 0},
	    {"0.0001e4", true, 1},
	    {"0.00015e4", false, 0},
	    {"100e-3", false, 0},
	    {"120e-1", true, 12},
	    {"1e18", true, 1000000000000000000},
	    {"1e19", false, 0},
	    {"1e-1", false, 0},
	    {"999999999999999999", true, 999999999999999999},
	    {"9223372036854775807", true, INT64_MAX},
	    {"9223372036854775807.000", true, INT64_MAX},
	    {"9223372036854775808", false, 0},
	    {"-9223372036854775808", true, INT64_MIN},
	    {"-9223372036854775809", false, 0},
	    {"-922337203685477580.8e1", true, INT64_MIN},
	    {"18446744073709551616", false, 0},
	    {"99999999999999999999", false, 0},
	    {"1e99999999999999999999999", false, 0},
	    {"1e-99999999999999999999999", false, 0},
	    {"1000000000000000000000000e-24", true, 1},
	    {"0.000000000000000000000000000001e30", true, 1},
	    {"1E+2", true, 100},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t v = 4711;
		int err = json_int64(span_str(rows[i].text), &v);
		if (err != (rows[i].fits ? 0 : ERR_MALFORMED) ||
		    v != (rows[i].fits ? rows[i].v : 4711))
			fail_msg("%s: %d, %lld", rows[i].text, err, (long long)v);
	}
	int64_t v = 4711;
	assert_int_equal(json_int64(span_of("", 0), &v), ERR_MALFORMED);
	assert_int_equal(json_int64(span_of("125", 2), &v), 0);
	assert_int_equal(v, 12);
}

static void check_order(const char *a, const char *b, int want)
{
	int ab = json_number_cmp(span_str(a), span_str(b));
	int ba = json_number_cmp(span_str(b), span_str(a));
	if ((ab > 0) - (ab < 0) != want || (ba > 0) - (ba < 0) != -want)
		fail_msg("%s and %s: %d, %d", a, b, ab, ba);
}

static void comparison_known(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		int want;
	} rows[] = {
	    {"0", "-0", 0},
	    {"0", "0.0e5", 0},
	    {"1", "1.0", 0},
	    {"10e-1", "1", 0},
	    {"0.1", "1e-1", 0},
	    {"100", "1e2", 0},
	    {"-5", "3", -1},
	    {"-5", "-3", -1},
	    {"-5.5", "-5.25", -1},
	    {"0", "1e-999999999", -1},
	    {"0", "-1e-999999999", 1},
	    {"1e999999999", "1e999999998", 1},
	    {"1e999999999", "10e999999998", 0},
	    {"1e99999999999999999999999999", "1e99999999999999999999999998", 1},
	    {"1e99999999999999999999999999", "0.001e100000000000000000000000002", 0},
	    {"1e-99999999999999999999999999", "1e99999999999999999999999999", -1},
	    {"1e-99999999999999999999999999", "1e-99999999999999999999999998", -1},
	    {"-1e99999999999999999999999999", "1", -1},
	    {"1e+007", "1e7", 0},
	    {"12345678901234567890.5", "12345678901234567890.50", 0},
	    {"12345678901234567890.5", "12345678901234567890.51", -1},
	    {"9007199254740993", "9007199254740992.0", 1},
	    {"0.30000000000000000000000000000000000000001", "0.3", 1},
	    {"1000", "999.9999", 1},
	    {"0.001", "0.00099999", 1},
	    {"120", "12", 1},
	    {"1.2", "1.20000", 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_order(rows[i].a, rows[i].b, rows[i].want);
}

/* Exponents that differ by as much as the digits are long. */
static void comparison_of_long_texts(void **state)
{
	(void)state;
	char one[1003] = "1", fraction[1030] = "0.", power[20];
	memset(one + 1, '0', 1000);
	memset(fraction + 2, '0', 1000);
	strcpy(fraction + 1002, "1e+002001");
	for (int e = 999; e <= 1001; e++) {
		snprintf(power, sizeof(power), "1e%d", e);
		check_order(power, one, e < 1000 ? -1 : e > 1000);
		check_order(power, fraction, e < 1000 ? -1 : e > 1000);
	}
	check_order(one, fraction, 0);
}

/* m * 10^e as a text in one of many forms. */
static void write_form(char out[100], int64_t m, int e, uint64_t r)
{
	char digits[32];
	snprintf(digits, sizeof(digits), "%lld", (long long)(m < 0 ? -m : m));
	int n = (int)strlen(digits), dot = 1 + (int)(r % 8);
	int zeros = (int)(r >> 8 & 3);
	if (dot < n) /* 12.34e(e+2) with zeros behind */
		snprintf(out, 100, "%s%.*s.%s%.*se%d", m < 0 ? "-" : "", dot, digits, digits + dot,
		         zeros, "000", e + n - dot);
	else if (r >> 16 & 1)
		snprintf(out, 100, "%s0.%.*s%se%+d", m < 0 ? "-" : "", zeros, "000", digits,
		         e + n + zeros);
	else
		snprintf(out, 100, "%s%s%.*sE%d", m < 0 ? "-" : "", digits, zeros, "000",
		         e - zeros);
}

static void comparison_at_random(void **state)
{
	(void)state;
	uint64_t seed = 7;
	char a[100], b[100];
	for (int round = 0; round < 200000; round++) {
		uint64_t r = next_random(&seed);
		int64_t ma = (int64_t)next_random(&seed) >> 24 >> r % 40;
		int64_t mb = r >> 50 & 1 ? ma : (int64_t)next_random(&seed) >> 24 >> (r >> 8) % 40;
		int ea = (int)(r >> 16) & 15, eb = (int)(r >> 20) & 15;
		i128 va = ma, vb = mb;
		if (r >> 50 & 2 && mb % 1000 == 0) { /* the same value by another exponent */
			vb = mb /= 1000;
			eb = ea + 3;
		}
		for (int k = 0; k < ea; k++)
			va *= 10;
		for (int k = 0; k < eb; k++)
			vb *= 10;
		write_form(a, ma, ea, next_random(&seed));
		write_form(b, mb, eb, next_random(&seed));
		check_order(a, b, va < vb ? -1 : va > vb);
		int64_t v = 0;
		bool fits = va == (int64_t)va;
		assert_int_equal(json_int64(span_str(a), &v), fits ? 0 : ERR_MALFORMED);
		assert_true(!fits || v == (int64_t)va);
	}
}

static void huge_texts_are_linear(void **state)
{
	(void)state;
	enum { N = 1 << 20 };
	char *a = malloc(2 * N + 8), *b = malloc(2 * N + 8);
	assert_non_null(a);
	assert_non_null(b);
	memset(a, '1', N);
	memcpy(a + N, "e-", 2);
	memset(a + N + 2, '9', N);
	memcpy(b, a, 2 * N + 2);
	struct span x = {a, 2 * N + 2}, y = {b, 2 * N + 2};
	assert_int_equal(json_number_cmp(x, y), 0);
	b[2 * N] = '8'; /* a smaller negative exponent: a larger number */
	assert_true(json_number_cmp(x, y) < 0);
	assert_true(json_double(x) == 0);
	int64_t v;
	assert_int_equal(json_int64(x, &v), ERR_MALFORMED);
	free(a);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(doubles_known),
	    cmocka_unit_test(doubles_with_many_digits),
	    cmocka_unit_test(doubles_at_random),
	    cmocka_unit_test(the_locale_has_no_say),
	    cmocka_unit_test(integers),
	    cmocka_unit_test(comparison_known),
	    cmocka_unit_test(comparison_of_long_texts),
	    cmocka_unit_test(comparison_at_random),
	    cmocka_unit_test(huge_texts_are_linear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
