/* test_text.c - strings and whole values after the parse: escapes, lengths, equality. */
#include "check.h"

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

enum { TOKENS_MAX = 1 << 20 };

static void escapes_are_resolved(void **state)
{
	(void)state;
	static const struct {
		const char *raw;
		struct span want;
		size_t codepoints;
	} rows[] = {
	    {"", {"", 0}, 0},
	    {"plain", {"plain", 5}, 5},
	    {"\\\"\\\\\\/\\b\\f\\n\\r\\t", {"\"\\/\b\f\n\r\t", 8}, 8},
	    {"a\\u0000b", {"a\0b", 3}, 3},
	    {"\\u0041\\u00e9\\u20AC", {"A\xc3\xa9\xe2\x82\xac", 6}, 3},
	    {"\\ud834\\uDD1E.", {"\xf0\x9d\x84\x9e.", 5}, 2},
	    {"\\uffff\\uDBFF\\uDFFF", {"\xef\xbf\xbf\xf4\x8f\xbf\xbf", 7}, 2},
	    {"\\u007f\\u0080\\u07ff\\u0800", {"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80", 8}, 4},
	    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9d\x84\x9e",
	     {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9d\x84\x9e", 14},
	     8},
	    {"\\\\u0041", {"\\u0041", 6}, 6},
	};
	struct json_tape t;
	json_tape_init(&t, TOKENS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[64], text[80];
		struct span raw = span_str(rows[i].raw);
		memset(out, '#', sizeof(out));
		assert_int_equal(json_unescape(raw, out), rows[i].want.n);
		assert_memory_equal(out, rows[i].want.p, rows[i].want.n);
		assert_int_equal(out[rows[i].want.n], '#');
		assert_int_equal(json_codepoints(raw), rows[i].codepoints);
		snprintf(text, sizeof(text), "[\"%s\"]", rows[i].raw);
		PARSE(&t, text);
		assert_true(json_string_is(&t, 1, rows[i].want));
		assert_false(json_string_is(&t, 1, SPAN("something else")));
		if (rows[i].want.n) { /* neither a beginning nor a longer one */
			assert_false(
			    json_string_is(&t, 1, span_of(rows[i].want.p, rows[i].want.n - 1)));
			memcpy(out + rows[i].want.n, "x", 1);
			assert_false(json_string_is(&t, 1, span_of(out, rows[i].want.n + 1)));
		}
		memcpy(out, raw.p, raw.n); /* in place */
		assert_int_equal(json_unescape(span_of(out, raw.n), out), rows[i].want.n);
		assert_memory_equal(out, rows[i].want.p, rows[i].want.n);
	}
	json_tape_done(&t);
}

static void check_equal(const char *x, const char *y, bool want)
{
	struct json_tape a, b;
	json_tape_init(&a, TOKENS_MAX);
	json_tape_init(&b, TOKENS_MAX);
	PARSE(&a, x);
	PARSE(&b, y);
	if (json_equal(&a, 0, &b, 0) != want || json_equal(&b, 0, &a, 0) != want)
		fail_msg("%.60s and %.60s: not %d", x, y, want);
	assert_true(json_equal(&a, 0, &a, 0));
	json_tape_done(&a);
	json_tape_done(&b);
}

static void values_are_equal_or_not(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		bool want;
	} rows[] = {
	    {"null", "null", true},
	    {"true", "true", true},
	    {"true", "false", false},
	    {"0", "false", false},
	    {"1", "\"1\"", false},
	    {"1", "1.0", true},
	    {"100", "1e2", true},
	    {"1", "1.0000000000000000000000000000001", false},
	    {"\"A\"", "\"\\u0041\"", true},
	    {"\"\\ud834\\udd1e\"", "\"\xf0\x9d\x84\x9e\"", true},
	    {"\"ab\"", "\"a\"", false},
	    {"\"\\u0061\"", "\"ab\"", false},
	    {"[]", "{}", false},
	    {"[]", "[]", true},
	    {"[1,2]", "[1,2.0]", true},
	    {"[1,2]", "[2,1]", false},
	    {"[1,2]", "[1,2,3]", false},
	    {"[[1],[]]", "[[],[1]]", false},
	    {"{\"a\":1,\"b\":[2]}", "{\"b\":[2],\"a\":1}", true},
	    {"{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}", false},
	    {"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false},
	    {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
	    {"{\"a\":1,\"x\":{\"c\":1,\"d\":2},\"b\":2}",
	     "{\"a\":1,\"b\":2,\"x\":{\"d\":2,\"c\":1}}", true},
	    {"{\"\\u0061\":1}", "{\"a\":1}", true},
	    {"{\"a\":1,\"a\":2}", "{\"a\":2}", true}, /* the last one counts */
	    {"{\"a\":1,\"a\":2}", "{\"a\":1}", false},
	    {"{\"a\":1,\"a\":2}", "{\"a\":1,\"b\":2}", false},
	    {"{\"a\":1,\"b\":1,\"a\":2}", "{\"b\":1,\"a\":2}", true},
	    {"{\"a\":1,\"b\":1,\"a\":2}", "{\"b\":1,\"a\":3,\"a\":2}", true},
	    {"{\"a\":1,\"a\":1}", "{\"a\":1,\"b\":1}", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_equal(rows[i].a, rows[i].b, rows[i].want);
}

/* n members, from the first to the last or back; the value of one is changed, one is repeated. */
static void big_object(struct buf *b, unsigned n, bool back, int changed, int repeated)
{
	buf_clear(b);
	buf_add_char(b, '{');
	for (unsigned k = 0; k < n; k++) {
		unsigned i = back ? n - 1 - k : k;
		buf_addf(b, "%s\"name%u\":{\"v\":%d}", k ? "," : "", i,
		         (int)i == changed ? -1 : (int)i);
	}
	if (repeated >= 0)
		buf_addf(b, ",\"\\u006eame%d\":{\"v\":%d}", repeated, repeated);
	buf_add_char(b, '}');
}

static void big_objects_are_equal_or_not(void **state)
{
	(void)state;
	static const unsigned sizes[] = {31, 32, 33, 34, 5000};
	struct buf a, b;
	buf_init(&a, 1 << 24);
	buf_init(&b, 1 << 24);
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		unsigned n = sizes[s];
		big_object(&a, n, false, -1, -1);
		big_object(&b, n, true, -1, -1);
		check_equal(buf_str(&a), buf_str(&b), true);
		big_object(&b, n, true, 17, -1);
		check_equal(buf_str(&a), buf_str(&b), false);
		big_object(&b, n, true, 17, 17); /* first wrong, then right */
		check_equal(buf_str(&a), buf_str(&b), true);
		big_object(&b, n, true, 17, 16);
		check_equal(buf_str(&a), buf_str(&b), false);
		big_object(&b, n + 1, true, -1, -1);
		check_equal(buf_str(&a), buf_str(&b), false);
		big_object(&b, n - 1, false, -1, 3); /* as many members, one name less */
		check_equal(buf_str(&a), buf_str(&b), false);
	}
	buf_done(&a);
	buf_done(&b);
}

/* Each level in another order than its partner: work that doubled per level would never end. */
static void equality_of_nested_objects_is_quick(void **state)
{
	(void)state;
	struct buf a, b;
	buf_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 100; i++) {
		buf_add_str(&a, "{\"in\":");
		buf_add_str(&b, i % 2 ? "{\"in\":" : "{\"y\":2,\"in\":");
	}
	buf_add_str(&a, "1");
	buf_add_str(&b, "1");
	for (int i = 99; i >= 0; i--) {
		buf_add_str(&a, ",\"x\":1,\"y\":2}");
		buf_add_str(&b, i % 2 ? ",\"y\":2,\"x\":1}" : ",\"x\":1}");
	}
	check_equal(buf_str(&a), buf_str(&b), true);
	b.p[b.len - 2] = '9';
	check_equal(buf_str(&a), buf_str(&b), false);
	buf_clear(&a); /* and with names given twice */
	for (int i = 0; i < 100; i++)
		buf_add_str(&a, "{\"in\":0,\"in\":");
	buf_add_str(&a, "1");
	for (int i = 0; i < 100; i++)
		buf_add_str(&a, "}");
	check_equal(buf_str(&a), buf_str(&a), true);
	buf_done(&a);
	buf_done(&b);
}

static void parts_are_compared(void **state)
{
	(void)state;
	struct json_tape t;
	json_tape_init(&t, TOKENS_MAX);
	PARSE(&t, "[{\"a\":[1,2]},7,{\"a\":[1.0,2e0]},[1,2]]");
	uint32_t first = 1, number = t.tok[first].next, second = t.tok[number].next;
	assert_true(json_equal(&t, first, &t, second));
	assert_false(json_equal(&t, first, &t, number));
	assert_true(json_equal(&t, first + 2, &t, t.tok[second].next));
	json_tape_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(escapes_are_resolved),
	    cmocka_unit_test(values_are_equal_or_not),
	    cmocka_unit_test(big_objects_are_equal_or_not),
	    cmocka_unit_test(equality_of_nested_objects_is_quick),
	    cmocka_unit_test(parts_are_compared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
