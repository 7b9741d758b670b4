/* CloudEvents to the byte, and the positions that readers send back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "feed/event.h"

#include <stdlib.h>

static const struct event_context context = {SPAN("00000001234567890000"), SPAN("oudp"),
                                             SPAN("stad"), SPAN("http://h:8080")};

static struct feed feed = {.name = SPAN("air"), .epoch = 7, .first = 1, .last = 42};

static struct record whole(void)
{
	return (struct record){.sequence = 42,
	                       .epoch = 7,
	                       .stored_ms = 1795521600123, /* 2026-11-24T12:00:00.123Z */
	                       .phenomenon_ms = 1795521599000,
	                       .flags = RECORD_JSON,
	                       .schema_version = 2,
	                       .topic = SPAN("city/air/pole-1"),
	                       .thing = SPAN("pole-1"),
	                       .schema = SPAN("air-quality-observed"),
	                       .payload = SPAN("{ \"pm25\" : 1.50e0 }")};
}

static void written(struct record r, const char *expected)
{
	struct buf b;
	buf_init(&b, 1 << 16);
	event_write(&b, &context, &feed, &r);
	assert_int_equal(b.err, 0);
	assert_string_equal(buf_str(&b), expected);
	buf_done(&b);
}

static void a_record(void **state UNUSED)
{
	written(whole(),
	        "{\"specversion\":\"1.0\",\"id\":\"air:7:42\","
	        "\"source\":\"urn:nld:oin:00000001234567890000:systeem:oudp\","
	        "\"type\":\"nl.stad.air-quality-observed.v2\",\"subject\":\"pole-1\","
	        "\"time\":\"2026-11-24T12:00:00.123Z\",\"observedtime\":\"2026-11-24T11:59:59."
	        "000Z\","
	        "\"sequence\":\"42\",\"sequencetype\":\"Integer\","
	        "\"dataschema\":\"http://h:8080/v1/schemas/air-quality-observed/2\","
	        "\"datacontenttype\":\"application/json\",\"data\":{ \"pm25\" : 1.50e0 }}");
}

/* Bytes that are not JSON go as base64; a thing with quotes stays one string. */
static void bytes_and_strange_things(void **state UNUSED)
{
	struct record r = whole();
	r.flags = 0;
	r.schema = (struct span){0};
	r.thing = SPAN("a\"b\\\n");
	r.payload = SPAN("\x00\xff\xfe");
	written(r, "{\"specversion\":\"1.0\",\"id\":\"air:7:42\","
	           "\"source\":\"urn:nld:oin:00000001234567890000:systeem:oudp\","
	           "\"type\":\"nl.stad.message.v1\",\"subject\":\"a\\\"b\\\\\\n\","
	           "\"time\":\"2026-11-24T12:00:00.123Z\",\"observedtime\":\"2026-11-24T11:59:59."
	           "000Z\",\"sequence\":\"42\",\"sequencetype\":\"Integer\","
	           "\"datacontenttype\":\"application/octet-stream\",\"data_base64\":\"AP/+\"}");
	r.flags = RECORD_UTF8;
	r.thing = (struct span){0};
	r.payload = SPAN("hi");
	written(r, "{\"specversion\":\"1.0\",\"id\":\"air:7:42\","
	           "\"source\":\"urn:nld:oin:00000001234567890000:systeem:oudp\","
	           "\"type\":\"nl.stad.message.v1\","
	           "\"time\":\"2026-11-24T12:00:00.123Z\",\"observedtime\":\"2026-11-24T11:59:59."
	           "000Z\",\"sequence\":\"42\",\"sequencetype\":\"Integer\","
	           "\"datacontenttype\":\"text/plain\",\"data_base64\":\"aGk=\"}");
}

static void with_its_topic(void **state UNUSED)
{
	struct record r = whole();
	struct buf b;
	r.topic = SPAN("raw/a\"b/up");
	buf_init(&b, 4096);
	event_write_with_topic(&b, &context, &feed, &r);
	assert_non_null(strstr(buf_str(&b), ",\"topic\":\"raw/a\\\"b/up\","));
	buf_clear(&b);
	event_write(&b, &context, &feed, &r);
	assert_null(strstr(buf_str(&b), "\"topic\""));
	buf_done(&b);
}

static void control_events(void **state UNUSED)
{
	struct buf b;
	buf_init(&b, 1 << 16);
	event_write_live(&b, &context, &feed, 1795521600000);
	assert_string_equal(
	    buf_str(&b), "{\"specversion\":\"1.0\",\"id\":\"air:7:42-live\","
	                 "\"source\":\"urn:nld:oin:00000001234567890000:systeem:oudp\","
	                 "\"type\":\"nl.oudp.feed.live.v1\",\"time\":\"2026-11-24T12:00:00.000Z\","
	                 "\"datacontenttype\":\"application/json\",\"data\":{\"feed\":\"air\","
	                 "\"position\":\"air:7:42\"}}");
	buf_clear(&b);
	event_write_gap(&b, &context, &feed, 3, 9, CURSOR_GAP_EXPIRED, 1795521600000);
	assert_string_equal(
	    buf_str(&b), "{\"specversion\":\"1.0\",\"id\":\"air:7:9-gap\","
	                 "\"source\":\"urn:nld:oin:00000001234567890000:systeem:oudp\","
	                 "\"type\":\"nl.oudp.feed.gap.v1\",\"time\":\"2026-11-24T12:00:00.000Z\","
	                 "\"datacontenttype\":\"application/json\",\"data\":{\"feed\":\"air\","
	                 "\"from\":3,\"to\":9,\"reason\":\"expired\"}}");
	buf_clear(&b);
	event_write_position(&b, &context, &feed, 20, 1795521600000);
	assert_string_equal(
	    buf_str(&b),
	    "{\"specversion\":\"1.0\",\"id\":\"air:7:20-position\","
	    "\"source\":\"urn:nld:oin:00000001234567890000:systeem:oudp\","
	    "\"type\":\"nl.oudp.feed.position.v1\",\"time\":\"2026-11-24T12:00:00.000Z\","
	    "\"datacontenttype\":\"application/json\",\"data\":{\"feed\":\"air\","
	    "\"position\":\"air:7:20\"}}");
	buf_done(&b);
}

static void a_full_buffer_is_an_error(void **state UNUSED)
{
	struct record r = whole();
	struct buf b;
	buf_init(&b, 100);
	event_write(&b, &context, &feed, &r);
	assert_int_equal(b.err, ERR_TOO_LARGE);
	buf_done(&b);
}

static void position(const char *text, int err, uint32_t epoch, uint64_t sequence)
{
	uint32_t e = 99;
	uint64_t s = 99;
	int got = event_parse_position(span_str(text), &e, &s);
	if (err) {
		assert_true(got < 0);
		assert_true(e == 99 && s == 99); /* untouched */
		return;
	}
	assert_int_equal(got, 0);
	assert_int_equal(e, epoch);
	assert_int_equal(s, sequence);
}

static void positions(void **state UNUSED)
{
	position("0", 0, 0, 0);
	position("17", 0, 0, 17);
	position("18446744073709551615", 0, 0, UINT64_MAX);
	position("3:17", 0, 3, 17);
	position("4294967295:1", 0, UINT32_MAX, 1);
	position("air:3:17", 0, 3, 17);
	position("a-b-9:3:17", 0, 3, 17);
	static const char *const bad[] = {
	    "",       ":",       "1:",           ":1",
	    "x",      "-1",      "+1",           "1.5",
	    "1 ",     "x:1",     "1:x",          "air:1:",
	    "air::1", "1:2:3:4", "4294967296:1", "18446744073709551616"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		position(bad[i], ERR_MALFORMED, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_record),
	    cmocka_unit_test(bytes_and_strange_things),
	    cmocka_unit_test(with_its_topic),
	    cmocka_unit_test(control_events),
	    cmocka_unit_test(a_full_buffer_is_an_error),
	    cmocka_unit_test(positions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
