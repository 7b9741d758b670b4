/* test_parse.c - the tape: tokens, errors and their places, limits, names given twice. */
#include "check.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "json/name.h"
#include "json/scan.h"

#include <stdio.h>

enum { TOKENS_MAX = 1 << 20 };

struct row {
	uint32_t pos, len, next, size;
	enum json_type type;
	unsigned flags;
};

static void check_tape(const char *text, const struct row *rows, uint32_t n)
{
	struct json_tape t;
	json_tape_init(&t, TOKENS_MAX);
	PARSE(&t, text);
	assert_ptr_equal(t.src, text);
	assert_int_equal(t.n, n);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(t.tok[i].pos, rows[i].pos);
		assert_int_equal(t.tok[i].len, rows[i].len);
		assert_int_equal(t.tok[i].next, rows[i].next);
		assert_int_equal(t.tok[i].size, rows[i].size);
		assert_int_equal(t.tok[i].type, rows[i].type);
		assert_int_equal(t.tok[i].flags, rows[i].flags);
	}
	json_tape_done(&t);
}

static void tokens_of_a_message(void **state)
{
	(void)state;
	static const char text[] =
	    " {\"no\": -1.5 , \"a\" :[1,[],{}],\"s\\n\":\"\xc3\xa9\",\"t\":true,"
	    "\"\":null}\n";
	static const struct row want[] = {
	    {1, 57, 14, 5, JSON_OBJECT, 0},
	    {3, 2, 2, 0, JSON_STRING, 0},
	    {8, 4, 3, 0, JSON_NUMBER, JSON_NEGATIVE},
	    {16, 1, 4, 0, JSON_STRING, 0},
	    {20, 9, 8, 3, JSON_ARRAY, 0},
	    {21, 1, 6, 0, JSON_NUMBER, JSON_INTEGER},
	    {23, 2, 7, 0, JSON_ARRAY, 0},
	    {26, 2, 8, 0, JSON_OBJECT, 0},
	    {31, 3, 9, 0, JSON_STRING, JSON_ESCAPED | JSON_NON_ASCII},
	    {37, 2, 10, 0, JSON_STRING, JSON_NON_ASCII},
	    {42, 1, 11, 0, JSON_STRING, 0},
	    {45, 4, 12, 0, JSON_TRUE, 0},
	    {51, 0, 13, 0, JSON_STRING, 0},
	    {53, 4, 14, 0, JSON_NULL, 0},
	};
	check_tape(text, want, ARRAY_LEN(want));
}

static void single_values(void **state)
{
	(void)state;
	check_tape("0", &(struct row){0, 1, 1, 0, JSON_NUMBER, JSON_INTEGER}, 1);
	check_tape(" -12e+3\t", &(struct row){1, 6, 1, 0, JSON_NUMBER, JSON_NEGATIVE}, 1);
	check_tape("\r\nfalse", &(struct row){2, 5, 1, 0, JSON_FALSE, 0}, 1);
	check_tape("\"\"", &(struct row){1, 0, 1, 0, JSON_STRING, 0}, 1);
	check_tape("\"sixteen or more bytes ]\"", &(struct row){1, 23, 1, 0, JSON_STRING, 0}, 1);
	check_tape("[]", &(struct row){0, 2, 1, 0, JSON_ARRAY, 0}, 1);
	check_tape("{ }", &(struct row){0, 3, 1, 0, JSON_OBJECT, 0}, 1);
	check_tape("12345678901234567890", /* longer than one look of the scanner */
	           &(struct row){0, 20, 1, 0, JSON_NUMBER, JSON_INTEGER}, 1);
	check_tape("1.2345678901234567890", &(struct row){0, 21, 1, 0, JSON_NUMBER, 0}, 1);
}

static void errors_and_their_places(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t at;
		const char *why;
	} rows[] = {
	    {"", 0, "the text ends too early"},
	    {"  \n", 0, "the text ends too early"},
	    {"[", 1, "the text ends too early"},
	    {"[1", 2, "the text ends too early"},
	    {"[1,", 3, "the text ends too early"},
	    {"{\"a\":[1]", 8, "the text ends too early"},
	    {"{\"a\":[1]  ", 8, "the text ends too early"},
	    {"\"abc", 4, "the text ends too early"},
	    {"{\"a", 3, "the text ends too early"},
	    {"{\"a\"", 4, "the text ends too early"},
	    {"{\"a\":", 5, "the text ends too early"},
	    {"-", 1, "the text ends too early"},
	    {"1.", 2, "the text ends too early"},
	    {"1e", 2, "the text ends too early"},
	    {"1e+", 3, "the text ends too early"},
	    {"[1]]", 3, "text after the value"},
	    {"[1] x", 4, "text after the value"},
	    {"1 2", 2, "text after the value"},
	    {"{}}", 2, "text after the value"},
	    {"1]", 1, "text after the value"},
	    {"[1 2]", 3, "a comma or the closing bracket is missing here"},
	    {"[1}", 2, "a comma or the closing bracket is missing here"},
	    {"{\"a\":1]", 6, "a comma or the closing bracket is missing here"},
	    {"[1,]", 3, "a value is missing here"},
	    {"[,1]", 1, "a value is missing here"},
	    {"{\"a\":}", 5, "a value is missing here"},
	    {"[NaN]", 1, "a value is missing here"},
	    {"[+1]", 1, "a value is missing here"},
	    {"[.5]", 1, "a value is missing here"},
	    {"\xef\xbb\xbf{}", 0, "a value is missing here"},
	    {"]", 0, "a value is missing here"},
	    {"{\"a\":1,}", 7, "a member name is missing here"},
	    {"{1:2}", 1, "a member name is missing here"},
	    {"{\"a\" 1}", 5, "a colon is missing after a member name"},
	    {"{\"a\"}", 4, "a colon is missing after a member name"},
	    {"{\"a\"]", 4, "a colon is missing after a member name"},
	    {"[tru]", 1, "no such word (true, false, null)"},
	    {"[nulL]", 1, "no such word (true, false, null)"},
	    {"[fals]", 1, "no such word (true, false, null)"},
	    {"[01]", 1, "a number starts with a zero"},
	    {"[-00.1, \"and on and on and on\"]", 2, "a number starts with a zero"},
	    {"[-]", 2, "a digit is missing in a number"},
	    {"[1.e3]", 3, "a digit is missing in a number"},
	    {"[1., \"and on and on and on\"]", 3, "a digit is missing in a number"},
	    {"[1e]", 3, "a digit is missing in a number"},
	    {"[1e+]", 4, "a digit is missing in a number"},
	    {"[\"\\x\"]", 2, "no such escape in a string"},
	    {"[\"ab\\u12g4\"]", 4, "no such escape in a string"},
	    {"[\"\\ud800\"]", 2, "no such escape in a string"},
	    {"[\"\\udc00\"]", 2, "no such escape in a string"},
	    {"[\"\\ud800\\u0041\"]", 2, "no such escape in a string"},
	    {"[\"a\tb\"]", 3, "a control character in a string"},
	    {"[\"0123456789012345678\x1f\"]", 21, "a control character in a string"},
	    {"[\"\xc0\xaf\"]", 2, "not UTF-8"},
	    {"[\"ok \xc3\xa9 \xed\xa0\x80\"]", 8, "not UTF-8"},
	    {"[\"\xf4\x90\x80\x80\"]", 2, "not UTF-8"},
	    {"[\"\xe2\x82\"]", 2, "not UTF-8"},
	    {"[1,//\n2]", 3, "a value is missing here"},
	};
	struct json_tape t;
	json_tape_init(&t, TOKENS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t at = 999;
		const char *why = "?";
		assert_int_equal(json_parse(&t, span_str(rows[i].text), &at, &why), ERR_MALFORMED);
		if (at != rows[i].at || strcmp(why, rows[i].why) != 0)
			fail_msg("%s: byte %zu: %s", rows[i].text, at, why);
		assert_null(t.src);
		assert_int_equal(t.n, 0);
	}
	size_t at = 0;
	const char *why = NULL; /* no bytes at all may be a NULL span */
	assert_int_equal(json_parse(&t, span_of(NULL, 0), &at, &why), ERR_MALFORMED);
	PARSE(&t, "[1]"); /* a failure leaves the tape usable */
	json_tape_done(&t);
}

/* What follows the span would make it right: each beginning must be refused all the same. */
static void nothing_behind_the_end_is_read(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "[\"0123456789abcde]\"]",
	    "{\"0123456789abcd}\":[1234567890123456,true,{}],\"b\":\"\\u00e9]\",\"c\":0}",
	    "[[[]],{},\"\xc3\xa9]\",\"0123456789]\",-1.5e3,[1]]",
	};
	struct json_tape t;
	json_tape_init(&t, TOKENS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		size_t n = strlen(texts[i]), at;
		const char *why;
		PARSE(&t, texts[i]);
		for (size_t k = 0; k < n; k++) {
			at = SIZE_MAX;
			assert_int_equal(json_parse(&t, span_of(texts[i], k), &at, &why),
			                 ERR_MALFORMED);
			assert_true(at <= k);
		}
	}
	json_tape_done(&t);
}

static void outputs_untouched_on_success(void **state)
{
	(void)state;
	struct json_tape t;
	size_t at = 77;
	const char *why = "before";
	json_tape_init(&t, 10);
	assert_int_equal(json_parse(&t, SPAN("[1,2]"), &at, &why), 0);
	assert_int_equal(at, 77);
	assert_string_equal(why, "before");
	json_tape_done(&t);
}

static int nested(struct json_tape *t, unsigned depth, const char *open, const char *close,
                  size_t *ret_at)
{
	struct buf b;
	const char *why;
	buf_init(&b, 1 << 20);
	for (unsigned i = 0; i < depth; i++)
		buf_add_str(&b, open);
	for (unsigned i = 0; i < depth; i++)
		buf_add_str(&b, close);
	int err = json_parse(t, span_of(b.p, b.len), ret_at, &why);
	if (err)
		assert_string_equal(why, "nested too deep");
	buf_done(&b);
	return err;
}

static void depth_is_bounded(void **state)
{
	(void)state;
	struct json_tape t;
	size_t at = 0;
	json_tape_init(&t, TOKENS_MAX);
	assert_int_equal(nested(&t, LIMIT_JSON_DEPTH, "[", "]", &at), 0);
	assert_int_equal(t.n, LIMIT_JSON_DEPTH);
	assert_int_equal(nested(&t, LIMIT_JSON_DEPTH + 1, "[", "]", &at), ERR_TOO_LARGE);
	assert_int_equal(at, LIMIT_JSON_DEPTH);
	assert_int_equal(nested(&t, LIMIT_JSON_DEPTH - 1, "{\"a\":[", "]}", &at), ERR_TOO_LARGE);
	assert_int_equal(nested(&t, LIMIT_JSON_DEPTH / 2, "{\"a\":[", "]}", &at), 0);
	json_tape_done(&t);
}

static void tokens_are_bounded(void **state)
{
	(void)state;
	struct json_tape t;
	size_t at = 0;
	const char *why = "";
	json_tape_init(&t, 5);
	PARSE(&t, "[1,2,3,4]");
	assert_int_equal(t.n, 5);
	assert_int_equal(json_parse(&t, SPAN("[1,2,3,4,5]"), &at, &why), ERR_TOO_LARGE);
	assert_int_equal(at, 9);
	assert_string_equal(why, "too many values");
	PARSE(&t, "{\"a\":1,\"b\":2}");
	assert_int_equal(parse(&t, SPAN("{\"a\":1,\"b\":2,\"c\":3}")), ERR_TOO_LARGE);
	assert_true(t.cap <= 5);
	json_tape_done(&t);
	json_tape_init(&t, 1);
	PARSE(&t, "1");
	PARSE(&t, "{}");
	assert_int_equal(parse(&t, SPAN("[1]")), ERR_TOO_LARGE);
	json_tape_done(&t);
}

/* ---- names given twice ---- */

static bool twice(struct json_tape *t, struct span s)
{
	assert_int_equal(parse(t, s), 0);
	return t->tok[0].flags & JSON_DUPLICATE;
}

static void names_given_twice(void **state)
{
	(void)state;
	struct json_tape t;
	json_tape_init(&t, TOKENS_MAX);
	assert_true(twice(&t, SPAN("{\"a\":1,\"b\":2,\"a\":3}")));
	assert_int_equal(t.tok[0].size, 3);
	assert_span(json_text(&t, json_member(&t, 0, SPAN("a"))), "3");
	assert_span(json_text(&t, json_member(&t, 0, SPAN("b"))), "2");
	assert_false(twice(&t, SPAN("{\"a\":1,\"b\":2,\"A\":3,\"\":4,\"a\\u0000\":5}")));
	assert_true(twice(&t, SPAN("{\"\":1,\"\":2}")));
	assert_true(twice(&t, SPAN("{\"\\u0061\":1,\"x\":0,\"a\":2}"))); /* the same name */
	assert_span(json_text(&t, json_member(&t, 0, SPAN("a"))), "2");
	assert_true(twice(&t, SPAN("{\"\xc3\xa9\":1,\"\\u00e9\":2}")));
	assert_true(twice(&t, SPAN("{\"a name longer than 16 bytes\":1,"
	                           "\"a name longer than 16 byte\\u0073\":2}")));
	/* names of objects inside and beside do not count */
	assert_false(twice(&t, SPAN("{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":1}]}")));
	for (uint32_t i = 0; i < t.n; i++)
		assert_int_equal(t.tok[i].flags & JSON_DUPLICATE, 0);
	/* after an inner object closed, the outer one still knows its names */
	assert_true(twice(&t, SPAN("{\"a\":1,\"b\":{\"c\":1,\"d\":2},\"a\":3}")));
	assert_false(twice(&t, SPAN("[{\"a\":1,\"a\":2},{\"a\":1}]")));
	assert_int_equal(t.tok[1].flags, JSON_DUPLICATE);
	assert_int_equal(t.tok[t.tok[1].next].flags, 0);
	json_tape_done(&t);
}

/* {"<prefix>0<suffix>":0, ...} with n members; then one more, a copy of number again. */
static void build_object(struct buf *b, unsigned n, const char *prefix, const char *suffix,
                         int again)
{
	buf_clear(b);
	for (unsigned i = 0; i < n; i++)
		buf_addf(b, "%c\"%s%u%s\":%u", i ? ',' : '{', prefix, i, suffix, i);
	if (again >= 0)
		buf_addf(b, ",\"%s%d%s\":true", prefix, again, suffix);
	buf_add_char(b, '}');
}

static void names_given_twice_in_big_objects(void **state)
{
	(void)state;
	static const unsigned sizes[] = {1, 7, 8, 9, 16, 17, 127, 128, 129, 130, 1000, 20000};
	struct json_tape t;
	struct buf b;
	json_tape_init(&t, TOKENS_MAX);
	buf_init(&b, 64 << 20);
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		unsigned n = sizes[s];
		build_object(&b, n, "n", "", -1);
		assert_false(twice(&t, span_of(b.p, b.len)));
		assert_int_equal(t.tok[0].size, n);
		for (unsigned again = 0; again < n; again += n / 3 + 1) {
			build_object(&b, n, "n", "", (int)again);
			assert_true(twice(&t, span_of(b.p, b.len)));
		}
		/* the numbers between the ends that are hashed: all hashes are equal */
		build_object(&b, n, "sixteen bytes of ", " and sixteen bytes", -1);
		assert_false(twice(&t, span_of(b.p, b.len)));
		build_object(&b, n, "sixteen bytes of ", " and sixteen bytes", (int)n - 1);
		assert_true(twice(&t, span_of(b.p, b.len)));
	}
	/* escaped names in the table of a big object */
	build_object(&b, 300, "\\u006e", "", -1);
	b.len--;
	buf_add_str(&b, ",\"n7\":1}");
	assert_true(twice(&t, span_of(b.p, b.len)));
	/* many open objects: there is no room for the names of all */
	buf_clear(&b);
	for (unsigned d = 0; d < 100; d++) {
		for (unsigned i = 0; i < 60; i++)
			buf_addf(&b, "%c\"n%u\":0", i ? ',' : '{', i);
		buf_add_str(&b, ",\"in\":");
	}
	buf_add_char(&b, '1');
	for (unsigned d = 0; d < 100; d++)
		buf_add_str(&b, d % 2 ? ",\"n59\":1}" : ",\"n60\":1}");
	assert_int_equal(parse(&t, span_of(b.p, b.len)), 0);
	unsigned seen = 0, flagged = 0;
	for (uint32_t i = 0; i < t.n; i++)
		if (t.tok[i].type == JSON_OBJECT) {
			bool want = seen % 2 == 0; /* the last to close is the first on the tape */
			assert_int_equal(t.tok[i].flags, want ? JSON_DUPLICATE : 0);
			assert_int_equal(t.tok[i].size, 62);
			flagged += want;
			seen++;
		}
	assert_int_equal(seen, 100);
	assert_int_equal(flagged, 50);
	buf_done(&b);
	json_tape_done(&t);
}

static void a_name_has_its_hash(void **state)
{
	(void)state;
	struct json_tape t;
	json_tape_init(&t, TOKENS_MAX);
	/* the same name at the end of a text and far from it, plain and escaped, of every length */
	char name[64], text[400];
	for (unsigned n = 0; n < sizeof(name) - 1; n++) {
		memset(name, 'a' + n % 26, n);
		name[n] = '\0';
		if (n > 1)
			name[n / 2] = 'Z';
		uint16_t want = json_name_hash(span_of(name, n));
		snprintf(text, sizeof(text), "{\"%s\":1}", name);
		PARSE(&t, text);
		assert_int_equal(t.tok[1].hash, want);
		assert_int_equal(t.tok[2].hash, 0);
		snprintf(text, sizeof(text), "{\"%s\":\"%64s\"}", name, "");
		PARSE(&t, text);
		assert_int_equal(t.tok[1].hash, want);
		if (n == 0)
			continue;
		snprintf(text, sizeof(text), "{\"\\u%04x%s\":1}", name[0], name + 1);
		PARSE(&t, text);
		assert_int_equal(t.tok[1].hash, want);
		assert_int_equal(json_member(&t, 0, span_of(name, n)), 2);
	}
	assert_int_not_equal(json_name_hash(SPAN("pm25")), json_name_hash(SPAN("pm10")));
	assert_int_not_equal(json_name_hash(SPAN("a")), json_name_hash(SPAN("a\0")));
	json_tape_done(&t);
}

static void members_are_found(void **state)
{
	(void)state;
	struct json_tape t;
	json_tape_init(&t, TOKENS_MAX);
	PARSE(&t, "[{\"a\":1,\"b\":{\"c\":2},\"\\u0063\":3,\"nul\\u0000\":4},{\"d\":5},{}]");
	assert_span(json_text(&t, json_member(&t, 1, SPAN("a"))), "1");
	assert_span(json_text(&t, json_member(&t, 1, SPAN("b"))), "{\"c\":2}");
	assert_span(json_text(&t, json_member(&t, 1, SPAN("c"))), "3");
	assert_span(json_text(&t, json_member(&t, 1, SPAN("nul\0"))), "4");
	assert_int_equal(json_member(&t, 1, SPAN("nul")), 0);
	assert_int_equal(json_member(&t, 1, SPAN("d")), 0);
	assert_int_equal(json_member(&t, 1, SPAN("")), 0);
	uint32_t second = t.tok[1].next;
	assert_span(json_text(&t, json_member(&t, second, SPAN("d"))), "5");
	assert_int_equal(json_member(&t, t.tok[second].next, SPAN("d")), 0);
	json_tape_done(&t);
}

/* ---- the two ways of looking at 16 bytes ---- */

static void scanners_agree(void **state)
{
	(void)state;
	char block[32];
	uint64_t seed = 1;
	for (int round = 0; round < 20000; round++) {
		for (unsigned i = 0; i < sizeof(block); i++) {
			uint64_t r = next_random(&seed) >> 32;
			block[i] = r % 4 ? (char)('0' + r / 4 % 10) : (char)(r >> 8);
		}
		assert_int_equal(scan_special(block), scan_special_portable(block));
		assert_int_equal(scan_no_digits(block), scan_no_digits_portable(block));
	}
	for (int c = 0; c < 256; c++) { /* every byte at every place */
		for (unsigned i = 0; i < 16; i++) {
			memset(block, '5', sizeof(block));
			block[i] = (char)c;
			bool special = c < 0x20 || c >= 0x80 || c == '"' || c == '\\';
			assert_int_equal(scan_special(block), special ? i : 16);
			assert_int_equal(scan_special_portable(block), special ? i : 16);
			unsigned others = 1u << 16 | (c < '0' || c > '9' ? 1u << i : 0);
			assert_int_equal(scan_no_digits(block), others);
			assert_int_equal(scan_no_digits_portable(block), others);
		}
	}
	uint16_t hashes[40];
	for (unsigned n = 0; n <= 32; n++)
		for (unsigned at = 0; at < 33; at++) {
			memset(hashes, 0, sizeof(hashes));
			hashes[at] = 0x8001;
			assert_int_equal(scan_hash(hashes, n, 0x8001), at < n);
			assert_int_equal(scan_hash_portable(hashes, n, 0x8001), at < n);
		}
}

static void utf8_by_its_definition(void **state)
{
	(void)state;
	/* every code point, encoded by the rule, is one sequence; and nothing shorter is */
	for (uint32_t c = 0x80; c < 0x120000; c++) {
		unsigned n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		char s[4];
		for (unsigned i = n - 1, v = c; i > 0; i--, v >>= 6)
			s[i] = (char)(0x80 | (v & 0x3f));
		s[0] = (char)(n == 2 ? 0xc0 | c >> 6 : n == 3 ? 0xe0 | c >> 12 : 0xf0 | c >> 18);
		bool valid = c < 0x110000 && (c < 0xd800 || c > 0xdfff);
		assert_int_equal(scan_utf8(s, s + n), valid ? n : 0);
		assert_int_equal(scan_utf8(s, s + n - 1), 0);
		if (n < 4) { /* overlong: the same code point in one byte more */
			char o[4] = {(char)(n == 2 ? 0xe0 : 0xf0), (char)0x80};
			o[1] = (char)(0x80 | (c >> (6 * (n - 1)) & 0x3f));
			for (unsigned i = n, v = c; i > 1; i--, v >>= 6)
				o[i] = (char)(0x80 | (v & 0x3f));
			assert_int_equal(scan_utf8(o, o + n + 1), 0);
		}
	}
	for (int c = 0x80; c < 0x100; c++) { /* a byte that cannot start one, or lacks the rest */
		char s[4] = {(char)c, 'a', 'a', 'a'};
		assert_int_equal(scan_utf8(s, s + 4), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tokens_of_a_message),
	    cmocka_unit_test(single_values),
	    cmocka_unit_test(errors_and_their_places),
	    cmocka_unit_test(nothing_behind_the_end_is_read),
	    cmocka_unit_test(outputs_untouched_on_success),
	    cmocka_unit_test(depth_is_bounded),
	    cmocka_unit_test(tokens_are_bounded),
	    cmocka_unit_test(names_given_twice),
	    cmocka_unit_test(names_given_twice_in_big_objects),
	    cmocka_unit_test(a_name_has_its_hash),
	    cmocka_unit_test(members_are_found),
	    cmocka_unit_test(scanners_agree),
	    cmocka_unit_test(utf8_by_its_definition),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
