/* test_write.c - every byte the writer makes, and what it does when there is no room. */
#include "check.h"

#include "base/err.h"
#include "json/write.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void check_string(struct span in, const char *want)
{
	struct buf b;
	buf_init(&b, 1000);
	buf_add_str(&b, "[");
	json_write_string(&b, in);
	assert_int_equal(b.err, 0);
	assert_string_equal(buf_str(&b) + 1, want);
	buf_done(&b);
}

static void strings(void **state)
{
	(void)state;
	check_string(span_of(NULL, 0), "\"\"");
	check_string(SPAN("plain text, longer than sixteen bytes"),
	             "\"plain text, longer than sixteen bytes\"");
	check_string(SPAN("\"quoted\" back\\slash /"), "\"\\\"quoted\\\" back\\\\slash /\"");
	check_string(SPAN("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
	check_string(SPAN("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\"");
	check_string(SPAN("caf\xc3\xa9 \xe2\x82\xac \xf0\x9d\x84\x9e!"),
	             "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9d\x84\x9e!\"");
	/* what is not UTF-8: U+FFFD for each byte */
	check_string(SPAN("a\xff"
	                  "b"),
	             "\"a\xef\xbf\xbd"
	             "b\"");
	check_string(SPAN("\xc3"), "\"\xef\xbf\xbd\"");
	check_string(SPAN("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
	check_string(SPAN("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	check_string(SPAN("\xc0\xaf\xc3\xa9"), "\"\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9\"");
}

/* Whatever bytes: it is JSON, and valid UTF-8 comes back as it was. */
static void strings_at_random(void **state)
{
	(void)state;
	uint64_t seed = 3;
	struct json_tape t;
	struct buf b;
	json_tape_init(&t, 10);
	buf_init(&b, 1000);
	for (int round = 0; round < 50000; round++) {
		char in[40], out[400];
		size_t n = next_random(&seed) % sizeof(in);
		bool valid = true;
		for (size_t i = 0; i < n; i++) {
			uint64_t r = next_random(&seed) >> 32;
			in[i] = (char)(r % 3 ? r >> 8 & 0x7f : r >> 8);
			valid &= !(in[i] & 0x80);
		}
		buf_clear(&b);
		json_write_string(&b, span_of(in, n));
		assert_int_equal(parse(&t, span_of(b.p, b.len)), 0);
		size_t len = json_unescape(json_text(&t, 0), out);
		if (valid) {
			assert_int_equal(len, n);
			assert_memory_equal(out, in, n);
		}
	}
	buf_done(&b);
	json_tape_done(&t);
}

static void check_number(double v, const char *want)
{
	struct buf b;
	buf_init(&b, 100);
	json_write_double(&b, v);
	assert_string_equal(buf_str(&b), want);
	buf_done(&b);
}

static void doubles(void **state)
{
	(void)state;
	check_number(0, "0");
	check_number(-0.0, "-0");
	check_number(1, "1");
	check_number(-120, "-120");
	check_number(12.4, "12.4");
	check_number(-0.1, "-0.1");
	check_number(0.1 + 0.2, "0.30000000000000004");
	check_number(1.0 / 3, "0.3333333333333333");
	check_number(2.0 / 3, "0.6666666666666666");
	check_number(52.358039, "52.358039");
	check_number(5e-324, "5e-324");
	check_number(2.2250738585072014e-308, "2.2250738585072014e-308");
	check_number(DBL_MAX, "1.7976931348623157e+308");
	check_number(1e21, "1e+21");
	check_number(-1e21, "-1e+21");
	check_number(123456789012345680000.0, "123456789012345680000");
	check_number(1e20, "100000000000000000000");
	check_number(4294967296.0, "4294967296");
	check_number(1.5e300, "1.5e+300");
	check_number(0.000001, "0.000001");
	check_number(0.0000001, "1e-7");
	check_number(0.000001234, "0.000001234");
	check_number(1234567.5, "1234567.5");
	check_number(9007199254740993.0, "9007199254740992");
	check_number(NAN, "null");
	check_number(INFINITY, "null");
	check_number(-INFINITY, "null");
}

static void doubles_at_random(void **state)
{
	(void)state;
	uint64_t seed = 11;
	struct json_tape t;
	struct buf b;
	json_tape_init(&t, 10);
	buf_init(&b, 100);
	for (int round = 0; round < 100000; round++) {
		uint64_t r = next_random(&seed);
		double v;
		if (round % 2)
			v = ((double)(r % 2000000) - 1000000) / 1000; /* as sensors send */
		else
			memcpy(&v, &r, sizeof(v));
		if (!isfinite(v))
			continue;
		buf_clear(&b);
		json_write_double(&b, v);
		assert_int_equal(parse(&t, span_of(b.p, b.len)), 0);
		double back = json_double(json_text(&t, 0));
		assert_true(back == v && signbit(back) == signbit(v));
		assert_true(!(round % 2) || b.len <= 8);
	}
	buf_done(&b);
	json_tape_done(&t);
}

/* The shortest digits, as the C library finds them: means, sums, and what lies beside powers of ten
 * and of two. */
static void doubles_like_printf(void **state)
{
	(void)state;
	uint64_t seed = 17;
	struct buf b;
	buf_init(&b, 100);
	for (int round = 0; round < 300000; round++) {
		uint64_t r = next_random(&seed);
		double v = (double)(r % 10000019) / (double)(1 + (r >> 32) % 100);
		if (round % 4 == 1)
			v = pow(10, (double)(r % 21) - 5);
		else if (round % 4 == 2)
			v = ldexp((double)(r >> 11), (int)(next_random(&seed) % 70) - 70);
		for (uint64_t step = r >> 40 & 3; step; step--)
			v = nextafter(v, r & 1 ? 0 : INFINITY);
		if (!isnormal(v))
			continue;
		char want[40], got[40];
		int n = 14;
		do
			snprintf(want, sizeof(want), "%.*e", n++, v);
		while (strtod(want, NULL) != v);
		buf_clear(&b);
		json_write_double(&b, v);
		int digits = (int)strcspn(buf_str(&b), "e"), at = 0, zeros = 1;
		for (const char *p = buf_str(&b); digits--;
		     p++) /* digits alone, without zeros before and after */
			if (*p != '.' && !(zeros = zeros && *p == '0'))
				got[at++] = *p;
		while (at > 1 && got[at - 1] == '0')
			at--;
		char plain[40];
		int m = 0;
		for (const char *p = want; *p != 'e'; p++)
			if (*p != '.')
				plain[m++] = *p;
		while (m > 1 && plain[m - 1] == '0')
			m--;
		assert_int_equal(m, at);
		assert_memory_equal(plain, got, m);
		assert_true(strtod(buf_str(&b), NULL) == v);
	}
	buf_done(&b);
}

static void the_rest(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 200);
	buf_add_str(&b, "{");
	json_write_name(&b, "a");
	json_write_i64(&b, 0);
	json_write_name(&b, "b");
	json_write_i64(&b, INT64_MIN);
	json_write_name(&b, "c");
	buf_add_str(&b, "{");
	json_write_name(&b, "d");
	json_write_i64(&b, INT64_MAX);
	buf_add_str(&b, "}");
	json_write_name(&b, "e");
	json_write_i64(&b, -1);
	buf_add_str(&b, "}");
	assert_string_equal(buf_str(&b), "{\"a\":0,\"b\":-9223372036854775808,\"c\":{\"d\":"
	                                 "9223372036854775807},\"e\":-1}");
	buf_clear(&b);
	json_write_time(&b, 1795521600001);
	assert_string_equal(buf_str(&b), "\"2026-11-24T12:00:00.001Z\"");
	buf_clear(&b);
	buf_add_char(&b, '{');
	json_write_time_member(&b, "from", 0);
	json_write_time_member(&b, "to", 1795521600001);
	assert_string_equal(buf_str(&b), "{\"from\":\"1970-01-01T00:00:00.000Z\","
	                                 "\"to\":\"2026-11-24T12:00:00.001Z\"");
	buf_clear(&b);
	json_write_pointer_token(&b, SPAN("a/b~c~1/"));
	json_write_pointer_token(&b, SPAN(""));
	json_write_pointer_token(&b, SPAN("plain \"x\""));
	assert_string_equal(buf_str(&b), "/a~1b~0c~01~1//plain \"x\"");
	buf_done(&b);
}

static void base64(void **state)
{
	(void)state;
	static const struct {
		struct span in;
		const char *want;
	} rows[] = {
	    /* RFC 4648 section 10, and the two odd letters */
	    {{"", 0}, "\"\""},
	    {{"f", 1}, "\"Zg==\""},
	    {{"fo", 2}, "\"Zm8=\""},
	    {{"foo", 3}, "\"Zm9v\""},
	    {{"foob", 4}, "\"Zm9vYg==\""},
	    {{"fooba", 5}, "\"Zm9vYmE=\""},
	    {{"foobar", 6}, "\"Zm9vYmFy\""},
	    {{"\xff\xef\xbe\0", 4}, "\"/+++AA==\""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b;
		buf_init(&b, 100);
		json_write_base64(&b, rows[i].in);
		assert_string_equal(buf_str(&b), rows[i].want);
		buf_done(&b);
	}
}

/* No room: the error sticks, and what was there before stays as it was. */
static void without_room(void **state)
{
	(void)state;
	for (size_t room = 1; room < 12; room++) {
		struct buf b;
		buf_init(&b, 10 + room);
		buf_add_str(&b, "0123456789");
		json_write_string(&b, SPAN("some\n\"text\""));
		assert_int_equal(b.err, ERR_TOO_LARGE);
		assert_int_equal(b.len, 10);
		json_write_name(&b, "n");
		json_write_i64(&b, 1);
		json_write_double(&b, 1.5);
		json_write_base64(&b, SPAN("x"));
		json_write_pointer_token(&b, SPAN("/"));
		assert_int_equal(b.len, 10);
		assert_memory_equal(b.p, "0123456789", 10);
		buf_done(&b);
	}
	struct buf b;
	buf_init(&b, 12);
	buf_add_str(&b, "{\"a\":0");
	json_write_name(&b, "long name");
	assert_int_equal(b.err, ERR_TOO_LARGE);
	assert_int_equal(b.len, 6);
	buf_clear(&b);
	json_write_base64(&b, SPAN("123456789"));
	assert_int_equal(b.err, ERR_TOO_LARGE);
	assert_int_equal(b.len, 0);
	buf_clear(&b);
	json_write_pointer_token(&b, SPAN("~~~~~~~"));
	assert_int_equal(b.err, ERR_TOO_LARGE);
	assert_int_equal(b.len, 0);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(strings),
	    cmocka_unit_test(strings_at_random),
	    cmocka_unit_test(doubles),
	    cmocka_unit_test(doubles_at_random),
	    cmocka_unit_test(doubles_like_printf),
	    cmocka_unit_test(the_rest),
	    cmocka_unit_test(base64),
	    cmocka_unit_test(without_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
