/* test_frame.c - packets in a stream: lengths of one to four bytes, cut, too long, too large; and
 * the names of types. */
#include "mqtt/encode.h"
#include "mqtt/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_lengths(void **state)
{
	/* MQTT 5.0, table 1-1 */
	static const struct {
		uint32_t len;
		uint8_t bytes[4];
		unsigned n;
	} table[] = {
	    {0, {0x00}, 1},
	    {127, {0x7F}, 1},
	    {128, {0x80, 0x01}, 2},
	    {16383, {0xFF, 0x7F}, 2},
	    {16384, {0x80, 0x80, 0x01}, 3},
	    {2097151, {0xFF, 0xFF, 0x7F}, 3},
	    {2097152, {0x80, 0x80, 0x80, 0x01}, 4},
	    {268435455, {0xFF, 0xFF, 0xFF, 0x7F}, 4},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		uint8_t out[4], head[5] = {0x30};
		struct wire w = wire_of(out, sizeof(out));
		struct frame f = {.head = 0xEE};
		size_t total = 1 + table[i].n + (size_t)table[i].len;

		wire_varint(&w, table[i].len);
		assert_int_equal(w.err, 0);
		assert_int_equal(w.len, table[i].n);
		assert_int_equal(wire_varint_size(table[i].len), table[i].n);
		assert_memory_equal(out, table[i].bytes, table[i].n);
		memcpy(head + 1, table[i].bytes, table[i].n);
		for (size_t n = 0; n <= table[i].n; n++) {
			assert_int_equal(frame_next(head, n, UINT32_MAX, &f), ERR_MORE);
			assert_int_equal(frame_size(head, n), 0);
		}
		assert_int_equal(frame_size(head, sizeof(head)), total);
		assert_int_equal(f.head, 0xEE); /* untouched */
		if (table[i].len > 0)
			assert_int_equal(frame_next(head, 1 + table[i].n, UINT32_MAX, &f),
			                 ERR_MORE);
		assert_int_equal(frame_next(head, 1 + table[i].n, (uint32_t)total - 1, &f),
		                 ERR_TOO_LARGE);
	}
}

static void test_varint_too_large(void **state)
{
	uint8_t out[8];
	struct wire w = wire_of(out, sizeof(out));

	(void)state;
	wire_varint(&w, 268435456);
	assert_int_equal(w.err, ERR_TOO_LARGE);
	assert_int_equal(w.len, 0);
}

static void test_one_after_the_other(void **state)
{
	static const uint8_t stream[] = {0xC0, 0x00, 0x40, 0x02, 0x00, 0x01, 0x30, 0x04, 0, 1, 'a'};
	struct frame f;
	size_t at = 0;

	(void)state;
	assert_int_equal(frame_next(stream, sizeof(stream), 100, &f), 0);
	assert_int_equal(frame_type(&f), MQTT_PINGREQ);
	assert_int_equal(f.total, 2);
	at += f.total;
	assert_int_equal(frame_next(stream + at, sizeof(stream) - at, 100, &f), 0);
	assert_int_equal(frame_type(&f), MQTT_PUBACK);
	assert_int_equal(f.body_len, 2);
	assert_ptr_equal(f.body, stream + 4);
	at += f.total;
	assert_int_equal(frame_next(stream + at, sizeof(stream) - at, 100, &f), ERR_MORE);
	assert_int_equal(frame_size(stream + at, sizeof(stream) - at), 6);
}

static void test_broken_length(void **state)
{
	static const uint8_t five[] = {0x30, 0x80, 0x80, 0x80, 0x80, 0x01};
	static const uint8_t needless[] = {0x40, 0x82, 0x00, 0x00, 0x01};
	struct frame f;

	(void)state;
	assert_int_equal(frame_next(five, sizeof(five), UINT32_MAX, &f), ERR_MALFORMED);
	assert_int_equal(frame_next(five, 5, UINT32_MAX, &f), ERR_MALFORMED);
	assert_int_equal(frame_size(five, sizeof(five)), 0);
	/* MQTT-1.5.5-1: for the decoder to refuse, on version 5 */
	assert_int_equal(frame_next(needless, sizeof(needless), 100, &f), 0);
	assert_false(f.minimal);
	assert_int_equal(f.total, 5);
	assert_int_equal(f.body_len, 2);
}

static void test_types(void **state)
{
	(void)state;
	assert_true(frame_from_client(MQTT_V5, MQTT_AUTH));
	assert_false(frame_from_client(MQTT_V311, MQTT_AUTH));
	assert_false(frame_from_client(MQTT_V5, MQTT_CONNACK));
	assert_false(frame_from_client(MQTT_V5, MQTT_SUBACK));
	assert_false(frame_from_client(MQTT_V311, MQTT_PINGRESP));
	assert_false(frame_from_client(MQTT_V5, 0));
	assert_true(frame_from_client(MQTT_V311, MQTT_PUBLISH));
	assert_true(frame_from_client(MQTT_V311, MQTT_DISCONNECT));
	assert_string_equal(mqtt_type_name(MQTT_CONNECT), "CONNECT");
	assert_string_equal(mqtt_type_name(MQTT_AUTH), "AUTH");
	assert_string_equal(mqtt_type_name(0), "RESERVED");
}

static void test_reasons(void **state)
{
	(void)state;
	assert_true(mqtt_reason_is_error(0x80));
	assert_false(mqtt_reason_is_error(0x19));
	for (uint8_t code = 0; code <= MQTT_V3_NOT_AUTHORIZED; code++)
		assert_int_equal(mqtt_reason_to_v3(mqtt_reason_from_v3(code)), code);
	assert_int_equal(mqtt_reason_from_v3(6), MQTT_UNSPECIFIED_ERROR);
	assert_int_equal(mqtt_reason_to_v3(MQTT_QUOTA_EXCEEDED), MQTT_V3_SERVER_UNAVAILABLE);
	assert_int_equal(mqtt_reason_to_v3(MQTT_BANNED), MQTT_V3_NOT_AUTHORIZED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_varint_too_large),
	    cmocka_unit_test(test_one_after_the_other),
	    cmocka_unit_test(test_broken_length),
	    cmocka_unit_test(test_types),
	    cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
