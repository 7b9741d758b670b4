/* HTML, forms, words and colours: what goes into the pages. Escaping is looked at from outside: the
 * text that comes back out of the markup is the text that went in, and nothing else is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "web/colour.h"
#include "web/form.h"
#include "web/html.h"
#include "web/words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void elements(void **state UNUSED)
{
	struct buf b;
	struct html h;
	buf_init(&b, 4096);
	html_begin(&h, &b);
	html_class(&h, "p", "a\"b");
	html_text(&h, "1 < 2 & 'x'");
	html_void(&h, "br");
	html_flag(&h, "hidden");
	html_link(&h, "/x?a=1&b=2", "more");
	html_close(&h, "p");
	html_end(&h);
	assert_string_equal(buf_str(&b),
	                    "<!DOCTYPE html>\n<p class=\"a&quot;b\">1 &lt; 2 &amp; &#39;x&#39;<br "
	                    "hidden><a href=\"/x?a=1&amp;b=2\">more</a></p>");
	buf_done(&b);
}

static const char *attribute(struct buf *b, const char *name, struct span value)
{
	struct html h;
	buf_clear(b);
	html_part(&h, b);
	html_void(&h, "a");
	html_attr_span(&h, name, value);
	return buf_str(b);
}

static void addresses(void **state UNUSED)
{
	static const char *const good[] = {"/",        "#x",           "?lang=nl", "https://a.nl/",
	                                   "HTTP://a", "mailto:a@b.nl"};
	static const char *const bad[] = {"javascript:alert(1)",
	                                  " javascript:alert(1)",
	                                  "JaVaScRiPt:x",
	                                  "data:text/html,x",
	                                  "\x01javascript:x",
	                                  "vbscript:x",
	                                  "x",
	                                  "",
	                                  "https:/"};
	struct buf b;
	buf_init(&b, 4096);
	for (unsigned i = 0; i < ARRAY_LEN(good); i++)
		assert_non_null(strstr(attribute(&b, "href", span_str(good[i])), "href="));
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_string_equal(attribute(&b, "href", span_str(bad[i])), "<a");
	assert_non_null(strstr(attribute(&b, "title", SPAN("javascript:x")), "title="));
	buf_done(&b);
}

/* Any bytes as text and as an attribute: the markup has no more of '<', '>' and '"' than the
 * element itself, and is UTF-8 without control characters. */
static void any_bytes(void **state UNUSED)
{
	struct buf b;
	buf_init(&b, 1 << 20);
	srand(7);
	for (int run = 0; run < 2000; run++) {
		struct html h;
		char text[64];
		size_t n = (size_t)(rand() % (int)sizeof(text));
		for (size_t i = 0; i < n; i++)
			text[i] =
			    rand() % 3 ? "<>&\"'\\/ =a\xc3\xa9"[rand() % 12] : (char)(rand() % 256);
		buf_clear(&b);
		html_part(&h, &b);
		html_open(&h, "p");
		html_attr_span(&h, "title", span_of(text, n));
		html_span(&h, span_of(text, n));
		html_close(&h, "p");
		assert_int_equal(b.err, 0);
		unsigned open = 0, close = 0, quotes = 0;
		for (size_t i = 0; i < b.len; i++) {
			unsigned char c = (unsigned char)b.p[i];
			open += c == '<';
			close += c == '>';
			quotes += c == '"';
			assert_true(c >= 0x20 || c == '\n' || c == '\t');
		}
		assert_int_equal(open, 2);
		assert_int_equal(close, 2);
		assert_int_equal(quotes, 2);
	}
	buf_clear(&b);
	struct html h;
	html_part(&h, &b);
	html_span(&h, SPAN("a\x80z\xc3\xa9\xe2\x82\0\x01"));
	assert_string_equal(buf_str(&b),
	                    "a\xef\xbf\xbdz\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
	                    "\xef\xbf\xbd");
	buf_done(&b);
}

static void too_much(void **state UNUSED)
{
	struct buf b;
	struct html h;
	buf_init(&b, 16);
	html_begin(&h, &b);
	html_element(&h, "p", NULL, "more than sixteen bytes");
	html_end(&h);
	assert_int_equal(b.err, ERR_TOO_LARGE);
	buf_done(&b);
}

/* ---- forms ---- */

static int value(struct buf *b, const char *body)
{
	buf_clear(b);
	return form_value(span_str(body), "payload", b);
}

static void forms(void **state UNUSED)
{
	struct buf b;
	buf_init(&b, 32);
	assert_int_equal(value(&b, "payload=%7B%22a%22%3A+1%7d"), 0);
	assert_string_equal(buf_str(&b), "{\"a\": 1}");
	assert_int_equal(value(&b, "x=1&payload=&y"), 0);
	assert_int_equal(b.len, 0);
	assert_int_equal(value(&b, "payload=a%3"), ERR_MALFORMED);
	assert_int_equal(value(&b, "payload=a%"), ERR_MALFORMED);
	assert_int_equal(value(&b, "payload=%zz"), ERR_MALFORMED);
	assert_int_equal(value(&b, "payloads=1&pay=2"), ERR_MALFORMED);
	assert_int_equal(value(&b, ""), ERR_MALFORMED);
	assert_int_equal(value(&b, "payload=0123456789012345678901234567890123"), ERR_TOO_LARGE);
	buf_done(&b);
}

/* ---- words ---- */

static void languages(void **state UNUSED)
{
	static const struct {
		const char *accept;
		enum language language;
	} rows[] = {
	    {"", DUTCH},
	    {"nl-NL,nl;q=0.9,en;q=0.8", DUTCH},
	    {"en-GB,en;q=0.9,nl;q=0.8", ENGLISH},
	    {"en", ENGLISH},
	    {"de,fr;q=0.5", DUTCH},
	    {"de, en;q=0.5", ENGLISH},
	    {"nl;q=0.1, en;q=0.2", ENGLISH},
	    {"en;q=0, nl;q=0", DUTCH},
	    {"nld, eng", DUTCH},
	    {"*", DUTCH},
	    {"en;q=,nl", DUTCH},
	    {",,;q=1, en", ENGLISH},
	};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(language_of(rows[i].accept), rows[i].language);
}

static const char *done(struct buf *b)
{
	return buf_str(b);
}

static void names(void **state UNUSED)
{
	struct buf b;
	buf_init(&b, 256);
	words_member(&b, DUTCH, SPAN("pm25"));
	assert_string_equal(done(&b), "fijnstof PM2,5");
	/* the first and the last of the table, and one that is not in it */
	buf_clear(&b);
	words_member(&b, ENGLISH, SPAN("LA10"));
	words_member(&b, ENGLISH, SPAN("windSpeed"));
	words_member(&b, ENGLISH, SPAN("windSpeeds"));
	assert_string_equal(done(&b), "noise, exceeded 10% of the time (LA10)windwindSpeeds");
	buf_clear(&b);
	words_unit(&b, SPAN("ug/m3"));
	words_unit(&b, SPAN("1"));
	words_unit(&b, SPAN("furlong"));
	assert_string_equal(done(&b), "\xc2\xb5g/m\xc2\xb3"
	                              "furlong");
	assert_true(words_is_share(SPAN("relativeHumidity"), SPAN("1")));
	assert_false(words_is_share(SPAN("relativeHumidity"), SPAN("%")));
	assert_false(words_is_share(SPAN("powerFactor"), SPAN("1")));
	buf_done(&b);
}

static const char *duration(struct buf *b, enum language l, uint64_t s)
{
	buf_clear(b);
	words_duration(b, l, s);
	return buf_str(b);
}

static void numbers_and_times(void **state UNUSED)
{
	struct buf b;
	buf_init(&b, 256);
	words_number(&b, DUTCH, 12.5);
	words_number(&b, ENGLISH, -0.0);
	assert_string_equal(done(&b), "12,50");
	buf_clear(&b);
	words_count(&b, DUTCH, 1234567);
	words_count(&b, ENGLISH, 999);
	words_count(&b, ENGLISH, 1000);
	assert_string_equal(done(&b), "1.234.5679991,000");
	assert_string_equal(duration(&b, DUTCH, 1), "1 seconde");
	assert_string_equal(duration(&b, ENGLISH, 60), "1 minute");
	assert_string_equal(duration(&b, ENGLISH, 119), "119 seconds");
	assert_string_equal(duration(&b, DUTCH, 600), "10 minuten");
	assert_string_equal(duration(&b, DUTCH, 14 * 86400), "14 dagen");
	assert_string_equal(duration(&b, ENGLISH, 2 * 365 * 86400), "2 years");
	buf_clear(&b);
	words_ago(&b, DUTCH, 1000000, 1000000 + 180000);
	words_ago(&b, ENGLISH, 1000000, 1000000 - 300000);
	words_ago(&b, ENGLISH, 1000000, 1001000);
	assert_string_equal(done(&b), "3 minuten geledenin 5 minutesjust now");
	setenv("TZ", "Europe/Amsterdam", 1);
	tzset();
	buf_clear(&b);
	words_time(&b, DUTCH,
	           INT64_C(1774746000000)); /* 2026-03-29T01:00:00Z: summer time begins */
	assert_string_equal(done(&b), "29 mrt 2026 03:00:00 CEST");
	buf_done(&b);
}

/* ---- colours ---- */

static void colours(void **state UNUSED)
{
	const struct colour white = {255, 255, 255}, black = {0, 0, 0}, night = {0x1c, 0x22, 0x29};
	struct colour c;
	assert_true(fabs(colour_contrast(black, white) - 21) < 1e-9);
	assert_int_equal(colour_read("#154273", &c), 0);
	assert_true(c.r == 0x15 && c.g == 0x42 && c.b == 0x73);
	assert_int_equal(colour_read("154273", &c), ERR_MALFORMED);
	assert_int_equal(colour_read("#15427", &c), ERR_MALFORMED);
	assert_int_equal(colour_read("#15427g", &c), ERR_MALFORMED);
	/* good enough already: as it was */
	struct colour same = colour_against((struct colour){0x15, 0x42, 0x73}, white, 5);
	assert_true(same.r == 0x15 && same.g == 0x42 && same.b == 0x73);
	for (int r = 0; r < 256; r += 17)
		for (int g = 0; g < 256; g += 17)
			for (int b = 0; b < 256; b += 17) {
				c = (struct colour){(uint8_t)r, (uint8_t)g, (uint8_t)b};
				assert_true(colour_contrast(colour_against(c, white, 5), white) >=
				            5);
				assert_true(colour_contrast(colour_against(c, night, 5), night) >=
				            5);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(elements),  cmocka_unit_test(addresses),
	    cmocka_unit_test(any_bytes), cmocka_unit_test(too_much),
	    cmocka_unit_test(forms),     cmocka_unit_test(languages),
	    cmocka_unit_test(names),     cmocka_unit_test(numbers_and_times),
	    cmocka_unit_test(colours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
