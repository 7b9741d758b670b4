/* test_codec.c - the values that come out of packets, and the encoders' own promises: what a record
 * keeps, sizes, reason strings that fit, 3.1.1's way of saying things. */
#include "base/limits.h"
#include "hex.h"
#include "mqtt/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static uint8_t bytes[1024];

static struct frame packet(const char *s)
{
	size_t n = hex(s, bytes, sizeof(bytes));
	struct frame f;

	assert_int_equal(frame_next(bytes, n, sizeof(bytes), &f), 0);
	assert_int_equal(f.total, n);
	return f;
}

static void same(const struct wire *w, const char *expected)
{
	uint8_t want[512];
	size_t n = hex(expected, want, sizeof(want));

	assert_int_equal(w->err, 0);
	assert_int_equal(w->len, n);
	assert_memory_equal(w->p, want, n);
}

static void test_connect(void **state)
{
	struct frame f = packet("10 * 0004 'MQTT' 05 ee 003c 14 11 00000e10 17 00 21 0014 "
	                        "22 000a 27 00010000 19 01 0002 'id' 05 18 00000005 "
	                        "0003 'w/t' 0002 'hi' 0001 'u' 0002 'pw'");
	struct mqtt_connect_view c;
	enum mqtt_reason reason = 0x42;

	(void)state;
	assert_int_equal(mqtt_decode_connect(&f, &c, &reason), 0);
	assert_int_equal(reason, 0x42); /* untouched */
	assert_int_equal(c.version, MQTT_V5);
	assert_true(c.clean_start && c.has_will && c.will_retain && c.has_user_name);
	assert_true(c.has_password);
	assert_int_equal(c.will_qos, 1);
	assert_int_equal(c.keep_alive_s, 60);
	assert_true(span_is(c.client_id, "id"));
	assert_true(span_is(c.will_topic, "w/t"));
	assert_true(span_is(c.will_payload, "hi"));
	assert_true(span_is(c.user_name, "u"));
	assert_true(span_is(c.password, "pw"));
	assert_int_equal(c.props.session_expiry_s, 3600);
	assert_int_equal(mqtt_props_receive_maximum(&c.props), 20);
	assert_int_equal(c.props.topic_alias_maximum, 10);
	assert_int_equal(mqtt_props_maximum_packet_size(&c.props), 65536);
	assert_false(mqtt_props_request_problem_info(&c.props));
	assert_int_equal(c.props.request_response_info, 1);
	assert_int_equal(c.will_props.will_delay_s, 5);
	assert_false(mqtt_props_has(&c.props, MQTT_PROP_AUTH_METHOD));
}

static void test_defaults(void **state)
{
	struct frame f = packet("10 * 0004 'MQTT' 05 02 003c 00 0000");
	struct mqtt_connect_view c;
	enum mqtt_reason reason;

	(void)state;
	assert_int_equal(mqtt_decode_connect(&f, &c, &reason), 0);
	assert_int_equal(mqtt_props_receive_maximum(&c.props), 65535);
	assert_int_equal(mqtt_props_maximum_packet_size(&c.props), 0);
	assert_true(mqtt_props_request_problem_info(&c.props));
	assert_int_equal(mqtt_props_maximum_qos(&c.props), 2);
	assert_false(c.has_will);
}

static void test_publish(void **state)
{
	struct frame f =
	    packet("3d * 0003 'a/b' 0102 22 01 01 02 0000003c 03 0002 'ct' 08 0002 'rt' "
	           "09 0003 00ff01 23 0005 26 0002 'k1' 0001 'v' '{}'");
	struct mqtt_publish_view v;
	enum mqtt_reason reason;
	struct span name, value;
	size_t at = 0;

	(void)state;
	assert_int_equal(mqtt_decode_publish(MQTT_V5, &f, &v, &reason), 0);
	assert_int_equal(v.qos, 2);
	assert_true(v.dup && v.retain);
	assert_int_equal(v.packet_id, 0x0102);
	assert_true(span_is(v.topic, "a/b"));
	assert_true(span_is(v.payload, "{}"));
	assert_int_equal(v.props.payload_format, 1);
	assert_int_equal(v.props.message_expiry_s, 60);
	assert_true(span_is(v.props.content_type, "ct"));
	assert_true(span_is(v.props.response_topic, "rt"));
	assert_true(span_eq(v.props.correlation_data, SPAN("\x00\xff\x01")));
	assert_int_equal(v.props.topic_alias, 5);
	assert_int_equal(v.props.n_user, 1);
	assert_true(mqtt_props_next_user(&v.props, &at, &name, &value));
	assert_true(span_is(name, "k1") && span_is(value, "v"));
	assert_false(mqtt_props_next_user(&v.props, &at, &name, &value));
	assert_true(mqtt_props_find_user(&v.props, "k1", &value));
	assert_false(mqtt_props_find_user(&v.props, "k", &value));
	assert_ptr_equal(v.topic.p, f.body + 2); /* a view */
}

static void test_for_record(void **state)
{
	/* user properties keep their order, around what is dropped [MQTT-3.3.2-18] */
	struct frame f = packet("30 * 0001 'a' 1c 26 0001 'z' 0001 '1' 02 00000009 01 01 23 0001 "
	                        "26 0001 'a' 0001 '2' 03 0001 't' 'x'");
	struct mqtt_props again;
	struct mqtt_publish_view v;
	enum mqtt_reason reason;
	uint8_t *kept;
	size_t n;
	struct wire w;

	(void)state;
	assert_int_equal(mqtt_decode_publish(MQTT_V5, &f, &v, &reason), 0);
	kept = malloc(v.props.raw.n);
	n = mqtt_props_for_record(&v.props, kept);
	w = (struct wire){.p = kept, .len = n, .cap = n};
	same(&w, "26 0001 'z' 0001 '1' 01 01 26 0001 'a' 0001 '2' 03 0001 't'");
	assert_int_equal(
	    mqtt_props_decode(span_of((char *)kept, n), MQTT_PROPS_PUBLISH, &again, &reason), 0);
	assert_int_equal(again.n_user, 2);
	assert_int_equal(again.payload_format, 1);
	free(kept);

	f = packet("30 * 0001 'a' 04 03 0001 't'"); /* nothing to drop */
	assert_int_equal(mqtt_decode_publish(MQTT_V5, &f, &v, &reason), 0);
	assert_int_equal(mqtt_props_for_record(&v.props, bytes + 500), 4);
	assert_memory_equal(bytes + 500, "\x03\x00\x01t", 4);
	f = packet("30 * 0001 'a' 00");
	assert_int_equal(mqtt_decode_publish(MQTT_V5, &f, &v, &reason), 0);
	assert_int_equal(mqtt_props_for_record(&v.props, NULL), 0);
}

static void test_section_limit(void **state)
{
	size_t n = LIMIT_USER_PROPERTIES_BYTES + 2;
	uint8_t *p = calloc(1, n);
	struct mqtt_props props;
	enum mqtt_reason reason = 0;

	(void)state;
	assert_int_equal(
	    mqtt_props_decode(span_of((char *)p, n), MQTT_PROPS_PUBLISH, &props, &reason),
	    ERR_TOO_LARGE);
	assert_int_equal(reason, MQTT_PACKET_TOO_LARGE);
	free(p);
}

static void test_subscribe(void **state)
{
	struct frame f = packet("82 * 0007 03 0b e807 0003 'a/+' 2e 0001 '#' 11");
	struct mqtt_subscribe_view v;
	struct mqtt_subscription s;
	enum mqtt_reason reason;
	size_t at = 0;

	(void)state;
	assert_int_equal(mqtt_decode_subscribe(MQTT_V5, &f, &v, &reason), 0);
	assert_int_equal(v.packet_id, 7);
	assert_int_equal(v.n, 2);
	assert_int_equal(v.props.subscription_id, 1000);
	assert_true(mqtt_subscribe_next(&v, &at, &s));
	assert_true(span_is(s.filter, "a/+"));
	assert_int_equal(s.qos, 2);
	assert_true(s.no_local && s.retain_as_published);
	assert_int_equal(s.retain_handling, 2);
	assert_true(mqtt_subscribe_next(&v, &at, &s));
	assert_true(span_is(s.filter, "#"));
	assert_int_equal(s.qos, 1);
	assert_false(s.no_local || s.retain_as_published);
	assert_int_equal(s.retain_handling, 1);
	assert_false(mqtt_subscribe_next(&v, &at, &s));
}

static void test_subscription_ids(void **state)
{
	struct frame f = packet("30 * 0001 'a' 0a 0b 05 0b 8001 0b ffffff7f");
	static const uint32_t ids[] = {5, 128, 268435455};
	struct mqtt_publish_view v;
	enum mqtt_reason reason;
	uint32_t id, n = 0;
	size_t at = 0;

	(void)state;
	assert_int_equal(mqtt_decode_publish_server(MQTT_V5, &f, &v, &reason), 0);
	assert_int_equal(v.props.subscription_id, 5); /* the first */
	assert_int_equal(v.props.n_subscription_ids, 3);
	while (mqtt_props_next_subscription_id(&v.props, &at, &id))
		assert_int_equal(id, ids[n++]);
	assert_int_equal(n, 3);
}

static void test_hot_answers(void **state)
{
	uint8_t out[64];
	struct wire w = wire_of(out, sizeof(out));

	(void)state;
	mqtt_encode_ack_ok(&w, MQTT_PUBACK, 0x1234);
	mqtt_encode_ack_ok(&w, MQTT_PUBREC, 1);
	mqtt_encode_ack_ok(&w, MQTT_PUBREL, 1);
	mqtt_encode_ack_ok(&w, MQTT_PUBCOMP, 0xFFFF);
	mqtt_encode_pingresp(&w);
	same(&w, "40 02 1234 50 02 0001 62 02 0001 70 02 ffff d0 00");
}

static void test_ack_text(void **state)
{
	struct span why = SPAN("a/1: caf\xc3\xa9");
	uint8_t out[128];
	struct wire w = wire_of(out, sizeof(out));

	(void)state;
	mqtt_encode_ack_text(&w, MQTT_V5, MQTT_PUBACK, 5, 0x99, why, 0);
	same(&w, "40 * 0005 99 0d 1f 000a 'a/1: caf' c3a9");
	/* [MQTT-3.4.2-2] at every maximum: never larger, cut only between characters */
	for (uint32_t max = 5; max < 24; max++) {
		w = wire_of(out, sizeof(out));
		mqtt_encode_ack_text(&w, MQTT_V5, MQTT_PUBACK, 5, 0x99, why, max);
		assert_int_equal(w.err, 0);
		assert_true(w.len <= max);
		if (max < 10)
			same(&w, "40 03 0005 99");
		else if (max == 18)
			same(&w, "40 * 0005 99 0b 1f 0008 'a/1: caf'"); /* not half of an e */
		else if (max >= 19)
			assert_int_equal(w.len, 19);
	}
	w = wire_of(out, sizeof(out));
	mqtt_encode_ack_text(&w, MQTT_V5, MQTT_PUBREC, 5, MQTT_SUCCESS, SPAN("duplicate of 7"), 0);
	same(&w, "50 * 0005 00 11 1f 000e 'duplicate of 7'");
	w = wire_of(out, sizeof(out));
	mqtt_encode_ack_text(&w, MQTT_V5, MQTT_PUBACK, 5, MQTT_SUCCESS, SPAN(""), 0);
	mqtt_encode_ack_text(&w, MQTT_V311, MQTT_PUBACK, 6, 0x99, why, 0); /* 3.1.1 cannot refuse */
	same(&w, "40 02 0005 40 02 0006");
}

static void test_publish_parts(void **state)
{
	static const uint32_t ids[] = {1, 300};
	uint8_t out[256], user[32];
	struct wire u = wire_of(user, sizeof(user)), w = wire_of(out, sizeof(out));
	struct mqtt_publish_out m = {.topic = SPAN("a/b"),
	                             .stored = SPAN("\x01\x01"),
	                             .payload = SPAN("{}"),
	                             .subscription_ids = ids,
	                             .n_subscription_ids = 2,
	                             .expiry_s = 9,
	                             .packet_id = 3,
	                             .topic_alias = 2,
	                             .qos = 1,
	                             .dup = true,
	                             .retain = true,
	                             .has_expiry = true};

	(void)state;
	wire_user_property(&u, SPAN("sequence"), SPAN("air:1:7"));
	assert_int_equal(u.len, wire_user_property_size(SPAN("sequence"), SPAN("air:1:7")));
	m.user = span_of((char *)user, u.len);
	mqtt_encode_publish(&w, MQTT_V5, &m);
	same(&w, "3b * 0003 'a/b' 0003 23 23 0002 02 00000009 0b 01 0b ac02 01 01 "
	         "26 0008 'sequence' 0007 'air:1:7' '{}'");
	assert_int_equal(mqtt_publish_size(MQTT_V5, &m), w.len);
	w = wire_of(out, sizeof(out));
	mqtt_encode_publish(&w, MQTT_V311, &m); /* no properties there */
	same(&w, "3b * 0003 'a/b' 0003 '{}'");
	assert_int_equal(mqtt_publish_size(MQTT_V311, &m), w.len);
}

static void test_publish_sizes(void **state)
{
	struct mqtt_publish_out m = {.topic = SPAN("t")};
	char *big = calloc(1, 3 << 20);
	uint8_t *out = malloc((3 << 20) + 64);

	(void)state;
	/* around every step of the length field, with properties around theirs */
	for (size_t n = 100; n < 3u << 20;
	     n = n < 300 || (n > 16300 && n < 16500) ? n + 1 : n * 2) {
		for (size_t k = 0; k < 3; k++) {
			struct wire w = wire_of(out, (3 << 20) + 64);

			m.payload = span_of(big, n);
			m.stored = span_of(big, k ? 126 + k : 0);
			mqtt_encode_publish(&w, MQTT_V5, &m);
			assert_int_equal(w.err, 0);
			assert_int_equal(w.len, mqtt_publish_size(MQTT_V5, &m));
		}
	}
	m.payload = span_of(big, 268435455); /* length only: nothing is read */
	m.stored.n = 0;
	assert_int_equal(mqtt_publish_size(MQTT_V5, &m), 0);
	m.payload.n = 268435455 - 3 - 1;
	assert_int_equal(mqtt_publish_size(MQTT_V5, &m), 268435455 + 5);
	m.payload.n = 0;
	m.topic = span_of(big, 65536);
	assert_int_equal(mqtt_publish_size(MQTT_V5, &m), 0);
	struct wire w = wire_of(out, 3 << 20);
	mqtt_encode_publish(&w, MQTT_V5, &m);
	assert_int_equal(w.err, ERR_TOO_LARGE);
	assert_int_equal(w.len, 0);
	free(big);
	free(out);
}

static void test_v3_answers(void **state)
{
	uint8_t out[64];
	struct wire w = wire_of(out, sizeof(out));
	struct mqtt_props p = {.has = MQTT_HAS(MQTT_PROP_REASON_STRING),
	                       .reason_string = SPAN("why")};

	(void)state;
	mqtt_encode_connack(&w, MQTT_V311, false, MQTT_NOT_AUTHORIZED, &p);
	mqtt_encode_suback(&w, MQTT_V311, 1, SPAN("\x00\x01\x02\x87\x8f"), &p);
	mqtt_encode_unsuback(&w, MQTT_V311, 1, SPAN("\x00\x11"), &p);
	same(&w, "20 02 00 05 90 07 0001 00 01 02 80 80 b0 02 0001");
}

static void test_sticky(void **state)
{
	uint8_t out[8];
	struct wire w = wire_of(out, sizeof(out));
	struct mqtt_publish_out m = {.topic = SPAN("a/b/c/d")};

	(void)state;
	mqtt_encode_ack_ok(&w, MQTT_PUBACK, 1);
	mqtt_encode_publish(&w, MQTT_V311, &m);
	assert_int_equal(w.err, ERR_TOO_LARGE);
	assert_int_equal(w.len, 4); /* the whole packet before it stays */
	mqtt_encode_ack_ok(&w, MQTT_PUBACK, 2);
	assert_int_equal(w.len, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_connect),          cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_publish),          cmocka_unit_test(test_for_record),
	    cmocka_unit_test(test_section_limit),    cmocka_unit_test(test_subscribe),
	    cmocka_unit_test(test_subscription_ids), cmocka_unit_test(test_hot_answers),
	    cmocka_unit_test(test_ack_text),         cmocka_unit_test(test_publish_parts),
	    cmocka_unit_test(test_publish_sizes),    cmocka_unit_test(test_v3_answers),
	    cmocka_unit_test(test_sticky),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
