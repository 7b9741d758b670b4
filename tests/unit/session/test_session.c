/* MQTT behaviour on fake connections and a fake clock, over a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/broker.h"

#include "base/limits.h"

static const char conf[] =
    "feed \"a\" { topics = { \"a/#\" } schemas = { \"any\" } duplicates = keep }\n";

/* Reads the PUBLISH packets that a client got since the last call; acknowledges them when told. */
static unsigned take(struct client *c, bool ack, char *payloads, size_t size)
{
	struct frame f;
	size_t at = 0;
	unsigned n = 0;
	uint16_t ids[2048];
	payloads[0] = '\0';
	while (client_next(c, &at, &f)) {
		struct mqtt_publish_view v;
		enum mqtt_reason reason;
		if (frame_type(&f) != MQTT_PUBLISH)
			continue;
		assert_int_equal(mqtt_decode_publish_server(MQTT_V5, &f, &v, &reason), 0);
		snprintf(payloads + strlen(payloads), size - strlen(payloads), "%.*s ",
		         (int)v.payload.n, v.payload.p);
		ids[n++] = v.qos == 1 ? v.packet_id : 0;
	}
	client_clear(c);
	for (unsigned i = 0; ack && i < n; i++) {
		uint8_t mem[8];
		struct wire w = wire_of(mem, sizeof(mem));
		if (!ids[i])
			continue;
		mqtt_encode_ack_ok(&w, MQTT_PUBACK, ids[i]);
		client_send(c, &w);
	}
	return n;
}

/* The reason of the next packet of this type, or -1. */
static int reason_of(struct client *c, enum mqtt_type type, uint16_t id)
{
	struct frame f;
	size_t at = 0;
	while (client_next(c, &at, &f)) {
		struct mqtt_ack_view v;
		struct mqtt_disconnect_view d;
		enum mqtt_reason reason;
		if (frame_type(&f) != type)
			continue;
		if (type == MQTT_DISCONNECT) {
			assert_int_equal(mqtt_decode_disconnect_server(MQTT_V5, &f, &d, &reason),
			                 0);
			return (int)d.reason;
		}
		assert_int_equal(mqtt_decode_ack(MQTT_V5, &f, &v, &reason), 0);
		if (v.packet_id == id)
			return (int)v.reason;
	}
	return -1;
}

static void an_acknowledgement_waits_for_the_commit(void **state UNUSED)
{
	struct broker b;
	struct client p;
	broker_open(&b, conf);
	client_connect(&p, &b, MQTT_V5, "p");
	b.hold = true;
	client_publish(&p, "a/1", "x", 1, 7);
	broker_turn(&b);
	assert_int_equal(reason_of(&p, MQTT_PUBACK, 7), -1);
	b.hold = false;
	broker_turn(&b);
	assert_int_equal(reason_of(&p, MQTT_PUBACK, 7), MQTT_SUCCESS);
	client_done(&p);
	broker_close(&b);
}

static void answers_keep_the_order_of_the_connection(void **state UNUSED)
{
	struct broker b;
	struct client p;
	struct frame f;
	size_t at = 0;
	uint16_t id = 0;
	broker_open(&b, conf);
	client_connect(&p, &b, MQTT_V5, "p");
	for (uint16_t i = 1; i <= 20; i++)
		client_publish(&p, i % 3 ? "a/1" : "nowhere", "x", 1, i);
	broker_turn(&b);
	while (client_next(&p, &at, &f)) { /* [MQTT-4.6.0-2] */
		struct mqtt_ack_view v;
		enum mqtt_reason reason;
		assert_int_equal(mqtt_decode_ack(MQTT_V5, &f, &v, &reason), 0);
		assert_int_equal(v.packet_id, ++id);
		assert_int_equal(v.reason, id % 3 ? MQTT_SUCCESS : MQTT_TOPIC_NAME_INVALID);
	}
	assert_int_equal(id, 20);
	client_done(&p);
	broker_close(&b);
}

static void a_slow_subscriber_falls_behind_and_misses_nothing(void **state UNUSED)
{
	enum { MANY = 3000 };
	struct broker b;
	struct client p, s;
	char got[64 << 10], want[16];
	unsigned seen = 0;
	broker_open(&b, conf);
	client_connect(&p, &b, MQTT_V5, "p");
	client_connect(&s, &b, MQTT_V5, "s");
	client_subscribe(&s, MQTT_V5, "a/+", 1);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(want, sizeof(want), "%u", i);
		client_publish(&p, "a/1", want, 1, (uint16_t)(i + 1));
		if (i % 100 == 99) {
			broker_turn(&b);
			client_clear(&p);
		}
	}
	broker_turn(&b);
	/* It acknowledges only now: more than its window is waiting in the log. */
	for (int round = 0; round < 100 && seen < MANY; round++) {
		unsigned n = take(&s, true, got, sizeof(got));
		broker_work(&b);
		char *at = got;
		for (unsigned i = 0; i < n; i++, seen++) {
			snprintf(want, sizeof(want), "%u ", seen);
			assert_memory_equal(at, want, strlen(want));
			at += strlen(want);
		}
	}
	assert_int_equal(seen, MANY);
	/* and it is live again */
	client_publish(&p, "a/2", "last", 1, 1);
	broker_turn(&b);
	assert_int_equal(take(&s, true, got, sizeof(got)), 1);
	assert_string_equal(got, "last ");
	client_done(&p);
	client_done(&s);
	broker_close(&b);
}

static void overlapping_subscriptions_deliver_once_with_the_highest_qos(
    void **state UNUSED) /* [MQTT-3.3.4-2] */
{
	struct broker b;
	struct client p, s;
	struct frame f;
	size_t at = 0;
	char got[256];
	broker_open(&b, conf);
	client_connect(&p, &b, MQTT_V5, "p");
	client_connect(&s, &b, MQTT_V5, "s");
	client_subscribe(&s, MQTT_V5, "a/+", 0);
	client_subscribe(&s, MQTT_V5, "a/#", 1);
	client_publish(&p, "a/1", "x", 1, 1);
	broker_turn(&b);
	assert_true(client_next(&s, &at, &f));
	assert_int_equal(frame_flags(&f) >> 1 & 3, 1);
	assert_int_equal(take(&s, true, got, sizeof(got)), 1);
	client_done(&p);
	client_done(&s);
	broker_close(&b);
}

static void
qos_2_is_stored_once_and_flows_out_in_four_steps(void **state UNUSED) /* [MQTT-4.3.3-10] */
{
	struct broker b;
	struct client p, s;
	uint8_t mem[64];
	char got[256];
	broker_open(&b, conf);
	client_connect(&p, &b, MQTT_V5, "p");
	client_connect(&s, &b, MQTT_V5, "s");
	client_subscribe(&s, MQTT_V5, "a/#", 2);
	client_publish(&p, "a/1", "x", 2, 9);
	client_publish(&p, "a/1", "x", 2, 9); /* the same again before PUBREL */
	broker_turn(&b);
	assert_int_equal(reason_of(&p, MQTT_PUBREC, 9), MQTT_SUCCESS);
	assert_true(hub_feed(b.hub, SPAN("a"))->last == 1);
	client_clear(&p);
	struct wire w = wire_of(mem, sizeof(mem));
	mqtt_encode_ack_ok(&w, MQTT_PUBREL, 9);
	client_send(&p, &w);
	assert_int_equal(reason_of(&p, MQTT_PUBCOMP, 9), MQTT_SUCCESS);
	client_clear(&p);
	client_send(&p, &w); /* an unknown id now */
	assert_int_equal(reason_of(&p, MQTT_PUBCOMP, 9), MQTT_PACKET_IDENTIFIER_NOT_FOUND);
	assert_int_equal(take(&s, false, got, sizeof(got)), 1);
	w = wire_of(mem, sizeof(mem));
	mqtt_encode_ack_ok(&w, MQTT_PUBREC, 1);
	client_send(&s, &w);
	assert_int_equal(reason_of(&s, MQTT_PUBREL, 1), MQTT_SUCCESS);
	client_done(&p);
	client_done(&s);
	broker_close(&b);
}

static void the_same_client_id_takes_the_session_over(void **state UNUSED) /* [MQTT-3.1.4-3] */
{
	struct broker b;
	struct client first, second;
	broker_open(&b, conf);
	client_connect(&first, &b, MQTT_V5, "same");
	client_connect(&second, &b, MQTT_V5, "same");
	assert_true(first.closed && !second.closed);
	assert_int_equal(reason_of(&first, MQTT_DISCONNECT, 0), MQTT_SESSION_TAKEN_OVER);
	client_done(&first);
	client_done(&second);
	broker_close(&b);
}

static void a_full_batch_stops_reading_and_goes_on(void **state UNUSED)
{
	enum { SENT = 1000, CLIENTS = 10 };
	struct broker b;
	struct client p[CLIENTS];
	unsigned answered = 0;
	broker_open(&b, conf);
	b.hold = true;
	bool some_paused = false;
	size_t left[CLIENTS];
	for (int c = 0; c < CLIENTS; c++) {
		char id[16];
		snprintf(id, sizeof(id), "p%d", c);
		client_connect(&p[c], &b, MQTT_V5, id);
		left[c] = SENT;
		while (left[c] && !p[c].paused &&
		       client_publish(&p[c], "a/1", "x", 1, (uint16_t)(SENT - left[c] + 1)))
			left[c]--;
		some_paused = some_paused || p[c].paused;
		hub_turn(b.hub);
	}
	assert_true(some_paused);
	b.hold = false;
	for (int round = 0; round < 50; round++) {
		broker_turn(&b);
		for (int c = 0; c < CLIENTS; c++)
			while (left[c] && !p[c].paused &&
			       client_publish(&p[c], "a/1", "x", 1, (uint16_t)(SENT - left[c] + 1)))
				left[c]--;
	}
	for (int c = 0; c < CLIENTS; c++) {
		struct frame f;
		size_t at = 0;
		while (client_next(&p[c], &at, &f))
			answered += frame_type(&f) == MQTT_PUBACK;
		client_done(&p[c]);
	}
	assert_int_equal(answered, SENT * CLIENTS);
	assert_true(hub_feed(b.hub, SPAN("a"))->last == SENT * CLIENTS);
	broker_close(&b);
}

static void keep_alive_runs_out_after_one_and_a_half(void **state UNUSED) /* [MQTT-3.1.2-22] */
{
	struct broker b;
	struct client c;
	uint8_t mem[128];
	broker_open(&b, conf);
	struct wire w = wire_of(mem, sizeof(mem));
	struct mqtt_connect_view cv = {
	    .version = MQTT_V5, .clean_start = true, .client_id = SPAN("k"), .keep_alive_s = 10};
	client_open(&c, &b);
	mqtt_encode_connect(&w, &cv);
	client_send(&c, &w);
	client_clear(&c);
	for (int i = 0; i < 14; i++) {
		clock_advance(&b.clock, 1000);
		sessions_second(b.sessions);
	}
	assert_false(c.closed);
	for (int i = 0; i < 4; i++) {
		clock_advance(&b.clock, 1000);
		sessions_second(b.sessions);
	}
	assert_true(c.closed);
	assert_int_equal(reason_of(&c, MQTT_DISCONNECT, 0), MQTT_KEEP_ALIVE_TIMEOUT);
	client_done(&c);
	broker_close(&b);
}

static void retained_is_found_by_a_later_subscription_and_cleared(void **state UNUSED)
{
	struct broker b;
	struct client p, s;
	uint8_t mem[256];
	char got[256];
	broker_open(&b, conf);
	client_connect(&p, &b, MQTT_V5, "p");
	for (int i = 0; i < 2; i++) {
		struct wire w = wire_of(mem, sizeof(mem));
		struct mqtt_publish_out m = {.topic = SPAN("a/r"),
		                             .payload = i ? SPAN("") : SPAN("kept"),
		                             .qos = 1,
		                             .packet_id = 1,
		                             .retain = true};
		mqtt_encode_publish(&w, MQTT_V5, &m);
		client_send(&p, &w);
		broker_turn(&b);
		client_connect(&s, &b, MQTT_V5, i ? "s2" : "s1");
		client_subscribe(&s, MQTT_V5, i ? "#" : "a/#", 1);
		broker_work(&b);
		assert_int_equal(take(&s, true, got, sizeof(got)), i ? 0 : 1);
		if (!i)
			assert_string_equal(got, "kept ");
		client_done(&s);
	}
	client_done(&p);
	broker_close(&b);
}

static void a_will_is_published_when_the_connection_is_lost(void **state UNUSED)
{
	struct broker b;
	struct client c, s;
	uint8_t mem[256];
	char got[256];
	broker_open(&b, conf);
	client_connect(&s, &b, MQTT_V5, "s");
	client_subscribe(&s, MQTT_V5, "a/#", 0);
	struct wire w = wire_of(mem, sizeof(mem));
	struct mqtt_connect_view cv = {.version = MQTT_V5,
	                               .clean_start = true,
	                               .client_id = SPAN("w"),
	                               .has_will = true,
	                               .will_qos = 1,
	                               .will_topic = SPAN("a/will"),
	                               .will_payload = SPAN("gone")};
	client_open(&c, &b);
	mqtt_encode_connect(&w, &cv);
	client_send(&c, &w);
	session_gone(c.link.session);
	broker_turn(&b);
	assert_int_equal(take(&s, false, got, sizeof(got)), 1);
	assert_string_equal(got, "gone ");
	client_done(&c);
	client_done(&s);
	broker_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_acknowledgement_waits_for_the_commit),
	    cmocka_unit_test(answers_keep_the_order_of_the_connection),
	    cmocka_unit_test(a_slow_subscriber_falls_behind_and_misses_nothing),
	    cmocka_unit_test(overlapping_subscriptions_deliver_once_with_the_highest_qos),
	    cmocka_unit_test(qos_2_is_stored_once_and_flows_out_in_four_steps),
	    cmocka_unit_test(the_same_client_id_takes_the_session_over),
	    cmocka_unit_test(a_full_batch_stops_reading_and_goes_on),
	    cmocka_unit_test(keep_alive_runs_out_after_one_and_a_half),
	    cmocka_unit_test(retained_is_found_by_a_later_subscription_and_cleared),
	    cmocka_unit_test(a_will_is_published_when_the_connection_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
