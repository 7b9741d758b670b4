/* test_utf8.c - UTF-8 at every offset within a word, against a plain decoder for two and three
 * bytes.
 */
#include "base/err.h"
#include "mqtt/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
	const char *bytes;
	size_t n;
	bool good;
} cases[] = {
    {"", 0, true},
    {"\x7f", 1, true},
    {"\xc2\x80", 2, true},
    {"\xdf\xbf", 2, true},
    {"\xe0\xa0\x80", 3, true},
    {"\xed\x9f\xbf", 3, true}, /* U+D7FF */
    {"\xee\x80\x80", 3, true}, /* U+E000 */
    {"\xef\xbb\xbf", 3, true}, /* [MQTT-1.5.4-3] a byte order mark is a character */
    {"\xef\xbf\xbf", 3, true},
    {"\xf0\x90\x80\x80", 4, true},
    {"\xf4\x8f\xbf\xbf", 4, true}, /* U+10FFFF */
    {"\x80", 1, false},
    {"\xc0\xaf", 2, false},
    {"\xc1\xbf", 2, false},
    {"\xc2", 1, false},
    {"\xc2\x41", 2, false},
    {"\xe0\x9f\xbf", 3, false},
    {"\xe1\x80", 2, false},
    {"\xe1\x80\x41", 3, false},
    {"\xed\xa0\x80", 3, false}, /* [MQTT-1.5.4-1] U+D800 */
    {"\xed\xbf\xbf", 3, false}, /* [MQTT-1.5.4-1] U+DFFF */
    {"\xf0\x8f\xbf\xbf", 4, false},
    {"\xf0\x90\x80", 3, false},
    {"\xf4\x90\x80\x80", 4, false},
    {"\xf5\x80\x80\x80", 4, false},
    {"\xff", 1, false},
};

static void test_every_offset(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t before = 0; before < 20; before++)
			for (size_t after = 0; after < 20; after++) {
				size_t n = before + cases[i].n + after;
				char *s = malloc(n + 1);
				struct span view = span_of(s, n);
				int topic;

				memset(s, 'x', n);
				memcpy(s + before, cases[i].bytes, cases[i].n);
				assert_int_equal(mqtt_string_valid(view), cases[i].good);
				assert_int_equal(mqtt_utf8_valid(view), cases[i].good);
				topic = cases[i].good ? 0 : ERR_MALFORMED;
				assert_int_equal(mqtt_topic_string_check(view), topic);
				free(s);
			}
}

static void test_special_bytes(void **state)
{
	(void)state;
	for (size_t n = 1; n < 30; n++)
		for (size_t at = 0; at < n; at++) {
			char *s = malloc(n);

			memset(s, '~', n);
			s[at] = 0; /* [MQTT-1.5.4-2] */
			assert_false(mqtt_string_valid(span_of(s, n)));
			assert_true(mqtt_utf8_valid(span_of(s, n)));
			assert_int_equal(mqtt_topic_string_check(span_of(s, n)), ERR_MALFORMED);
			s[at] = '+';
			assert_true(mqtt_string_valid(span_of(s, n)));
			assert_int_equal(mqtt_topic_string_check(span_of(s, n)), ERR_PROTOCOL);
			s[at] = '#';
			assert_int_equal(mqtt_topic_string_check(span_of(s, n)), ERR_PROTOCOL);
			s[n - 1] = (char)0xff; /* malformed outweighs the wildcard */
			assert_int_equal(mqtt_topic_string_check(span_of(s, n)), ERR_MALFORMED);
			free(s);
		}
	/* neighbours of the special bytes are ordinary */
	assert_int_equal(mqtt_topic_string_check(SPAN("\x01\x22$*,!\x02-")), 0);
}

/* All pairs and triples of bytes against arithmetic: decode, then ask whether the code point needs
 * that many bytes. */
static bool plain(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		unsigned extra = p[i] < 0x80 ? 0 : p[i] >> 5 == 6 ? 1 : p[i] >> 4 == 14 ? 2 : 9;
		uint32_t c = extra == 0 ? p[i] : extra == 1 ? p[i] & 31 : p[i] & 15;

		if (extra == 9 || i + extra >= n)
			return false;
		for (unsigned k = 1; k <= extra; k++) {
			if ((p[i + k] & 0xC0) != 0x80)
				return false;
			c = c << 6 | (p[i + k] & 63);
		}
		if ((extra == 1 && c < 0x80) || (extra == 2 && c < 0x800) || c >> 11 == 27)
			return false;
		i += extra + 1;
	}
	return true;
}

static void test_all_triples(void **state)
{
	(void)state;
	for (uint32_t v = 0; v < 1u << 24; v += 1 + v % 5) {
		uint8_t s[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
		struct span view = span_of((char *)s, v & 1 ? 3 : 2);

		if (s[0] >= 0xF0) /* four bytes are tested above */
			break;
		if (mqtt_utf8_valid(view) != plain(s, view.n))
			fail_msg("%06x", v);
	}
}

static void test_cut(void **state)
{
	struct span s = SPAN("a\xc3\xab\xe2\x82\xac!");
	static const size_t at[] = {0, 1, 1, 3, 3, 3, 6, 7, 7};

	(void)state;
	for (size_t n = 0; n < ARRAY_LEN(at); n++)
		assert_int_equal(mqtt_utf8_cut(s, n), at[n]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_offset),
	    cmocka_unit_test(test_special_bytes),
	    cmocka_unit_test(test_all_triples),
	    cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
