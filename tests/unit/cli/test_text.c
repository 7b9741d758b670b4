/* Words for people, positions, times, tables, places in payloads. */
#include "cli/event.c"
#include "cli/place.c"
#include "cli/table.c"
#include "cli/text.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct buf b;

static const char *fresh(void)
{
	buf_done(&b);
	buf_init(&b, 1 << 20);
	return NULL;
}

#define SAYS(call, expected)                                                                       \
	do {                                                                                       \
		fresh();                                                                           \
		call;                                                                              \
		assert_string_equal(buf_str(&b), expected);                                        \
	} while (0)

static void test_numbers(void **state)
{
	(void)state;
	SAYS(text_bytes(&b, 0), "0 B");
	SAYS(text_bytes(&b, 999), "999 B");
	SAYS(text_bytes(&b, 1000), "1.0 kB");
	SAYS(text_bytes(&b, 1234), "1.2 kB");
	SAYS(text_bytes(&b, 9999), "10 kB");
	SAYS(text_bytes(&b, 999499), "999 kB");
	SAYS(text_bytes(&b, 999999), "1.0 MB");
	SAYS(text_bytes(&b, 20000000000u), "20 GB");
	SAYS(text_bytes(&b, UINT64_MAX), "18 EB");
	SAYS(text_count(&b, 0), "0");
	SAYS(text_count(&b, 999), "999");
	SAYS(text_count(&b, 1000), "1,000");
	SAYS(text_count(&b, 1002003), "1,002,003");
	SAYS(text_age(&b, -5), "just now");
	SAYS(text_age(&b, 119), "119 s");
	SAYS(text_age(&b, 120), "2 min");
	SAYS(text_age(&b, 7200), "2 h");
	SAYS(text_age(&b, 864000), "10 d");
}

/* A payload must not steer the terminal it is shown on. */
static void test_line(void **state)
{
	(void)state;
	SAYS(text_line(&b, SPAN("plain"), 0), "plain");
	SAYS(text_line(&b, SPAN("a\nb\tc\rd"), 0), "a b c.d");
	SAYS(text_line(&b, SPAN("\x1b[2Jgone\x7f"), 0), ".[2Jgone.");
	SAYS(text_line(&b,
	               SPAN("\xc2\x9b"
	                    "2J"),
	               0),
	     ".2J"); /* C1 as UTF-8 */
	SAYS(text_line(&b,
	               SPAN("\x9b"
	                    "2J"),
	               0),
	     ".2J"); /* C1 as a byte */
	SAYS(text_line(&b, SPAN("\xc0\xaf|\xed\xa0\x80|\xf5"), 0), "..|...|.");
	SAYS(text_line(&b,
	               SPAN("gr\xc3\xbc\xc3\x9f"
	                    "e"),
	               0),
	     "gr\xc3\xbc\xc3\x9f"
	     "e");
	SAYS(text_line(&b, SPAN("0123456789"), 10), "0123456789");
	SAYS(text_line(&b, SPAN("0123456789x"), 10), "0123456...");
	SAYS(text_line(&b, SPAN("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"), 4),
	     "\xe2\x82\xac...");
	SAYS(text_line(&b, span_of(NULL, 0), 5), "");
	assert_int_equal(text_columns(SPAN("\xe2\x82\xac"
	                                   "1\xff")),
	                 3);
}

static void test_position(void **state)
{
	(void)state;
	struct text_position p = {0};
	assert_int_equal(text_event_position(SPAN("air-quality:1700000000:42"), &p), 0);
	assert_true(p.epoch == 1700000000 && p.sequence == 42);
	assert_int_equal(text_event_position(SPAN("air:7:18446744073709551615-live"), &p), 0);
	assert_true(p.epoch == 7 && p.sequence == UINT64_MAX);
	assert_int_equal(text_event_position(SPAN("air:7"), &p), ERR_MALFORMED);
	assert_int_equal(text_event_position(SPAN(":7:1"), &p), ERR_MALFORMED);
	assert_int_equal(text_event_position(SPAN("air:7:x"), &p), ERR_MALFORMED);
	assert_int_equal(text_event_position(SPAN("air:7:"), &p), ERR_MALFORMED);
	assert_int_equal(text_event_position(SPAN("air:7:-live"), &p), ERR_MALFORMED);
	assert_int_equal(text_event_position(SPAN("air"), &p), ERR_MALFORMED);
	assert_int_equal(text_event_position(SPAN(""), &p), ERR_MALFORMED);
	assert_true(p.epoch == 7 && p.sequence == UINT64_MAX); /* untouched */
}

static void test_time(void **state)
{
	(void)state;
	int64_t ms = 0, now = 1764000000000;
	assert_int_equal(text_time(SPAN("2026-11-24T12:00:00Z"), now, &ms), 0);
	assert_true(ms == 1795521600000);
	assert_int_equal(text_time(SPAN("90s"), now, &ms), 0);
	assert_true(ms == now - 90000);
	assert_int_equal(text_time(SPAN("3d"), now, &ms), 0);
	assert_true(ms == now - 259200000);
	assert_int_equal(text_time(SPAN("h"), now, &ms), ERR_MALFORMED);
	assert_int_equal(text_time(SPAN("3w"), now, &ms), ERR_MALFORMED);
	assert_int_equal(text_time(SPAN("yesterday"), now, &ms), ERR_MALFORMED);
	assert_int_equal(text_time(SPAN("-1h"), now, &ms), ERR_MALFORMED);
	char *s = text_rfc3339(1795521600000);
	assert_string_equal(s, "2026-11-24T12:00:00.000Z");
	free(s);
}

static void test_percent(void **state)
{
	(void)state;
	SAYS(text_percent(&b, SPAN("aZ09-._~")), "aZ09-._~");
	SAYS(text_percent(&b, SPAN("a b/c?&=#%\xc3\xbc")), "a%20b%2Fc%3F%26%3D%23%25%C3%BC");
}

static void test_table(void **state)
{
	(void)state;
	static const char *const headings[] = {"NAME", ">N", "WHAT"};
	struct table t;
	table_init(&t, headings, 3);
	table_cell(&t, "a");
	table_count(&t, 12345);
	table_cell(&t, "a long text that goes on and on");
	table_cell(&t, "longer\nname");
	table_bytes(&t, 7);
	table_cell(&t, "");
	SAYS(table_write(&t, 0, &b), "NAME              N  WHAT\n"
	                             "a            12,345  a long text that goes on and on\n"
	                             "longer name     7 B  \n");
	SAYS(table_write(&t, 40, &b), "NAME              N  WHAT\n"
	                              "a            12,345  a long text that...\n"
	                              "longer name     7 B  \n");
	table_done(&t);
	table_init(&t, headings, 3); /* the widest words give way before the last ones do */
	table_cell(&t, "a-name-as-long-as-they-come");
	table_count(&t, 7);
	table_cell(&t, "nine char");
	SAYS(table_write(&t, 40, &b), "NAME                       N  WHAT\n"
	                              "a-name-as-long-as-they...  7  nine char\n");
	SAYS(table_write(&t, 20, &b), "NAME          N  WHAT\n"
	                              "a-name-as...  7  nine char\n");
	table_done(&t);
}

static uint32_t at_pointer(const struct json_tape *t, const char *pointer, int expected)
{
	uint32_t token = 0;
	assert_int_equal(place_of_pointer(t, span_str(pointer), &token), expected);
	return t->tok[token].pos;
}

static void test_pointer(void **state)
{
	(void)state;
	static const char text[] = "{\"a\":[1,{\"b/c\":true}],\"m~n\":\"x\",\"\":5}";
	struct json_tape t;
	size_t at;
	const char *why;
	json_tape_init(&t, 1000);
	assert_int_equal(json_parse(&t, SPAN(text), &at, &why), 0);
	assert_int_equal(at_pointer(&t, "", 0), 0);
	assert_int_equal(at_pointer(&t, "/a/0", 0), 6);
	assert_int_equal(at_pointer(&t, "/a/1/b~1c", 0), 15);
	assert_int_equal(at_pointer(&t, "/m~0n", 0), 29);
	assert_int_equal(at_pointer(&t, "/", 0), 35);
	assert_int_equal(at_pointer(&t, "/a/2", ERR_NOT_FOUND), 5);     /* the array */
	assert_int_equal(at_pointer(&t, "/a/1/x/y", ERR_NOT_FOUND), 8); /* the object in it */
	assert_int_equal(at_pointer(&t, "/nosuch", ERR_NOT_FOUND), 0);
	uint32_t token;
	assert_int_equal(place_of_pointer(&t, SPAN("a"), &token), ERR_MALFORMED);
	json_tape_done(&t);
}

static void test_mark(void **state)
{
	(void)state;
	static const char text[] = "{\n  \"pm25\": 1200,\r\n  \"x\": \"\xc3\xbc\"\n}";
	struct place p = place_find(SPAN(text), 12);
	assert_int_equal(p.line, 2);
	assert_int_equal(p.column, 11);
	assert_true(span_is(p.line_text, "  \"pm25\": 1200,"));
	SAYS(place_mark(&b, SPAN(text), 12, 4), "      \"pm25\": 1200,\n              ^~~~\n");
	p = place_find(SPAN(text), 29); /* after the two bytes of the umlaut */
	assert_int_equal(p.line, 3);
	assert_int_equal(p.column, 10);
	p = place_find(SPAN(text), 1000);
	assert_int_equal(p.line, 4);
	SAYS(place_mark(&b, SPAN(""), 0, 0), "    \n    ^\n");
	/* a long line is shown around the place */
	char lng[301];
	memset(lng, 'a', 300);
	lng[300] = 0;
	lng[200] = 'X';
	fresh();
	place_mark(&b, span_str(lng), 200, 1);
	const char *s = buf_str(&b);
	assert_int_equal(strchr(s, 'X') - s, 44);
	assert_int_equal(strchr(s, '^') - strchr(s, '\n') - 1, 44);
}

static void test_event(void **state)
{
	(void)state;
	static const char record[] = "{ "
	                             "\"specversion\":\"1.0\",\"id\":\"air:7:42\",\n\"type\":\"nl."
	                             "stad.air.v1\",\"subject\":\"s\\\"1\","
	                             "\"time\":\"2026-11-24T12:00:00.000Z\",\"sequence\":\"42\","
	                             "\"x\":[[{\"id\":\"no\"}],\"]}\"],"
	                             "\"data\":{\"a\":[1,2],\"b\":\"}\"} }";
	struct event_view e;
	assert_int_equal(event_view(SPAN(record), &e), 0);
	assert_true(span_is(e.id, "air:7:42"));
	assert_true(span_is(e.subject, "s\\\"1"));
	assert_true(span_is(e.sequence, "42"));
	assert_true(span_is(e.data, "{\"a\":[1,2],\"b\":\"}\"}"));
	assert_false(event_is_control(&e));
	assert_true(span_is(event_member(e.data, "b"), "}"));
	assert_int_equal(event_member(e.data, "nosuch").n, 0);
	assert_int_equal(event_member(SPAN("7"), "b").n, 0);

	static const char live[] = "{\"id\":\"air:7:42:live\",\"type\":\"nl.oudp.feed.live.v1\"}";
	assert_int_equal(event_view(SPAN(live), &e), 0);
	assert_true(event_is_control(&e) && event_is(&e, "live") && !event_is(&e, "liv") &&
	            !event_is(&e, "gap"));

	static const char *const broken[] = {"",
	                                     "{",
	                                     "[]",
	                                     "{\"id\":\"a\"",
	                                     "{\"id\":\"a\",\"type\":}",
	                                     "{\"id\":\"a\",\"type\":\"b\"",
	                                     "{\"id\":\"a\"}",
	                                     "{\"id\":\"a\",\"type\":\"b\\\"}",
	                                     "{\"id\":\"a\",\"type\":[}"};
	for (size_t i = 0; i < ARRAY_LEN(broken); i++)
		assert_int_equal(event_view(span_str(broken[i]), &e), ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers),  cmocka_unit_test(test_line),
	    cmocka_unit_test(test_position), cmocka_unit_test(test_time),
	    cmocka_unit_test(test_percent),  cmocka_unit_test(test_table),
	    cmocka_unit_test(test_pointer),  cmocka_unit_test(test_mark),
	    cmocka_unit_test(test_event)};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_done(&b);
	return failed;
}
