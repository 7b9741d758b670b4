/* Sessions that outlive their connection: who has which, for how long, and what they find when they
 * come back. The broker is closed as by kill -9 (broker_restart: nothing is flushed). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/session/scene.h"

static struct broker b;
static struct client c;
static struct ear e;

static int open_broker(void **state UNUSED)
{
	broker_open(&b, scene_conf);
	return 0;
}

static int close_broker(void **state UNUSED)
{
	broker_close(&b);
	return 0;
}

static const struct wish kept = {.id = "s", .expiry_s = 3600};

/* A session with a subscription, and the connection lost. */
static void leave_subscribed(const char *filter, unsigned qos)
{
	assert_false(arrive(&e, &c, &b, &kept).session_present);
	say_subscribe(&e, filter, qos, 0);
	broker_turn(&b);
	assert_int_equal(must(&e, MQTT_SUBACK).reason, qos);
	lose(&e);
}

static void expect_message(const char *text, unsigned qos, bool dup)
{
	struct heard h = must(&e, MQTT_PUBLISH);
	assert_string_equal(h.text, text);
	assert_int_equal(h.qos, qos);
	assert_int_equal(h.dup, dup);
	if (qos == 1)
		say_ack(&e, MQTT_PUBACK, h.id, 0);
}

/* [MQTT-3.1.2-5] [MQTT-3.2.2-3] */
static void a_session_is_found_again_and_its_subscriptions_with_it(void **state UNUSED)
{
	leave_subscribed("a/+", 1);
	assert_int_equal(sessions_stats(b.sessions)->away, 1);
	somebody_publishes(&b, "a/1", "one", 1);
	somebody_publishes(&b, "b/1", "elsewhere", 1);
	somebody_publishes(&b, "a/1", "two", 1);
	assert_true(arrive(&e, &c, &b, &kept).session_present);
	expect_message("one", 1, false);
	expect_message("two", 1, false);
	assert_true(quiet(&e));
	somebody_publishes(&b, "a/1", "live", 1);
	expect_message("live", 1, false);
	assert_int_equal(sessions_stats(b.sessions)->resumed, 1);
	assert_int_equal(sessions_stats(b.sessions)->away, 0);
	lose(&e);
}

/* [MQTT-3.1.2-4] [MQTT-3.2.2-2] */
static void a_clean_start_ends_the_former_session(void **state UNUSED)
{
	leave_subscribed("a/+", 1);
	struct wish clean = kept;
	clean.clean = true;
	assert_false(arrive(&e, &c, &b, &clean).session_present);
	somebody_publishes(&b, "a/1", "x", 1);
	assert_true(quiet(&e));
	lose(&e);
	broker_restart(&b);
	assert_true(arrive(&e, &c, &b, &kept).session_present);
	somebody_publishes(&b, "a/1", "x", 1);
	assert_true(quiet(&e)); /* the former subscription's row is gone too */
	lose(&e);
}

/* [MQTT-3.1.2-23] */
static void a_session_ends_when_its_time_is_over(void **state UNUSED)
{
	struct wish w = {.id = "s", .expiry_s = 10};
	arrive(&e, &c, &b, &w);
	lose(&e);
	seconds(&b, 8);
	assert_true(arrive(&e, &c, &b, &w).session_present);
	lose(&e);
	seconds(&b, 11);
	assert_int_equal(sessions_stats(b.sessions)->away, 0);
	assert_int_equal(sessions_stats(b.sessions)->durable, 0);
	assert_false(arrive(&e, &c, &b, &w).session_present);
	lose(&e);
	broker_restart(&b); /* the time goes on while the broker is down */
	clock_advance(&b.clock, 11000);
	broker_restart(&b);
	seconds(&b, 2);
	assert_false(arrive(&e, &c, &b, &w).session_present);
	lose(&e);
}

static void without_expiry_a_session_ends_with_its_connection(void **state UNUSED)
{
	struct wish w = {.id = "s"};
	assert_false(arrive(&e, &c, &b, &w).has_session_expiry);
	lose(&e);
	assert_int_equal(sessions_stats(b.sessions)->away, 0);
	assert_false(arrive(&e, &c, &b, &w).session_present);
	lose(&e);
}

/* 3.1.1: [MQTT-3.1.2-4], [MQTT-3.2.2-1], [MQTT-3.2.2-2] */
static void v311_without_clean_session_is_kept(void **state UNUSED)
{
	struct wish w = {.id = "old", .v = MQTT_V311};
	assert_false(arrive(&e, &c, &b, &w).session_present);
	say_subscribe(&e, "a/#", 1, 0);
	broker_turn(&b);
	must(&e, MQTT_SUBACK);
	say_disconnect(&e, 0, -1);
	client_done(&c);
	somebody_publishes(&b, "a/1", "x", 1);
	assert_true(arrive(&e, &c, &b, &w).session_present);
	expect_message("x", 1, false);
	lose(&e);
	w.clean = true;
	assert_false(arrive(&e, &c, &b, &w).session_present);
	lose(&e);
	assert_int_equal(sessions_stats(b.sessions)->away, 0);
}

/* 3.2.2.3.2 */
static void what_is_granted_stands_in_connack(void **state UNUSED)
{
	struct wish w = {.id = "s", .expiry_s = UINT32_MAX};
	struct heard h = arrive(&e, &c, &b, &w);
	assert_true(h.has_session_expiry);
	assert_int_equal(h.session_expiry, LIMIT_SESSION_EXPIRY_S);
	lose(&e);
}

/* [MQTT-3.14.2-2] */
static void disconnect_may_change_the_time_but_not_from_nothing(void **state UNUSED)
{
	arrive(&e, &c, &b, &(struct wish){.id = "s", .expiry_s = 5});
	say_disconnect(&e, 0, 100);
	client_done(&c);
	seconds(&b, 50);
	assert_true(arrive(&e, &c, &b, &(struct wish){.id = "s", .expiry_s = 5}).session_present);
	say_disconnect(&e, 0, 0); /* ends now */
	client_done(&c);
	broker_turn(&b);
	assert_int_equal(sessions_stats(b.sessions)->durable, 0);
	assert_false(arrive(&e, &c, &b, &(struct wish){.id = "s"}).session_present);
	say_disconnect(&e, 0, 100);
	assert_int_equal(must(&e, MQTT_DISCONNECT).reason, MQTT_PROTOCOL_ERROR);
	client_done(&c);
}

/* [MQTT-3.1.4-3] */
static void a_second_connection_takes_the_session_over(void **state UNUSED)
{
	struct client c2;
	struct ear e2;
	arrive(&e, &c, &b, &kept);
	say_subscribe(&e, "a/#", 1, 0);
	broker_turn(&b);
	must(&e, MQTT_SUBACK);
	somebody_publishes(&b, "a/1", "unanswered", 1);
	must(&e, MQTT_PUBLISH);
	assert_true(arrive(&e2, &c2, &b, &kept).session_present);
	assert_int_equal(must(&e, MQTT_DISCONNECT).reason, MQTT_SESSION_TAKEN_OVER);
	assert_true(c.closed);
	struct heard h = must(&e2, MQTT_PUBLISH);
	assert_true(h.dup);
	say_ack(&e2, MQTT_PUBACK, h.id, 0);
	assert_true(quiet(&e2));
	client_done(&c);
	client_done(&c2);
}

static void a_session_is_durable_before_connack(void **state UNUSED)
{
	b.hold = true;
	come(&e, &c, &b, &kept);
	broker_turn(&b);
	assert_true(quiet(&e));
	assert_true(c.paused); /* nothing of it is read before */
	b.hold = false;
	broker_turn(&b);
	must(&e, MQTT_CONNACK);
	assert_false(c.paused);
	broker_restart(&b);
	client_done(&c);
	assert_true(arrive(&e, &c, &b, &kept).session_present);
	lose(&e);
}

static void a_subscription_is_durable_before_suback(void **state UNUSED)
{
	arrive(&e, &c, &b, &kept);
	b.hold = true;
	say_subscribe(&e, "a/#", 1, 0);
	broker_turn(&b);
	assert_true(quiet(&e));
	b.hold = false;
	broker_turn(&b);
	must(&e, MQTT_SUBACK);
	broker_restart(&b);
	client_done(&c);
	somebody_publishes(&b, "a/1", "x", 1);
	assert_true(arrive(&e, &c, &b, &kept).session_present);
	expect_message("x", 1, false);
	say_unsubscribe(&e, "a/#");
	broker_turn(&b);
	must(&e, MQTT_UNSUBACK);
	broker_restart(&b);
	client_done(&c);
	somebody_publishes(&b, "a/1", "y", 1);
	assert_true(arrive(&e, &c, &b, &kept).session_present);
	/* x may come again, for its acknowledgement was not flushed; y may not */
	struct heard h;
	while (hear(&e, &h))
		assert_string_equal(h.text, "x");
	lose(&e);
}

/* [MQTT-4.4.0-1], [MQTT-4.6.0-1] */
static void what_was_not_answered_comes_again_in_its_order(void **state UNUSED)
{
	unsigned ids[6];
	char text[8];
	arrive(&e, &c, &b, &kept);
	say_subscribe(&e, "a/#", 2, 0);
	broker_turn(&b);
	must(&e, MQTT_SUBACK);
	for (unsigned i = 0; i < 6; i++) {
		snprintf(text, sizeof(text), "m%u", i);
		somebody_publishes(&b, "a/1", text, i % 2 ? 2 : 1);
		struct heard h = must(&e, MQTT_PUBLISH);
		assert_string_equal(h.text, text);
		ids[i] = h.id;
	}
	say_ack(&e, MQTT_PUBACK, ids[2], 0); /* m2 is over; m1 is received, m3 released */
	say_ack(&e, MQTT_PUBREC, ids[3], 0);
	broker_turn(&b);
	assert_int_equal(must(&e, MQTT_PUBREL).id, ids[3]);
	lose(&e);
	somebody_publishes(&b, "a/1", "new", 1);
	for (int restart = 0; restart < 2; restart++) {
		if (restart)
			broker_restart(&b);
		assert_true(arrive(&e, &c, &b, &kept).session_present);
		static const unsigned order[] = {0, 1, 3, 4, 5};
		for (unsigned k = 0; k < 5; k++) {
			unsigned i = order[k];
			struct heard h;
			assert_true(hear(&e, &h));
			assert_int_equal(h.id, ids[i]);
			if (i == 3) {
				assert_int_equal(h.type, MQTT_PUBREL);
				continue;
			}
			snprintf(text, sizeof(text), "m%u", i);
			assert_int_equal(h.type, MQTT_PUBLISH);
			assert_string_equal(h.text, text);
			assert_true(h.dup);
		}
		struct heard h = must(&e, MQTT_PUBLISH);
		assert_string_equal(h.text, "new");
		assert_int_equal(h.dup, false);
		assert_true(quiet(&e));
		/* the way of "new" is not answered either, so the second time it is a repetition;
		   acknowledge it to keep the picture */
		say_ack(&e, MQTT_PUBACK, h.id, 0);
		lose(&e);
		if (!restart)
			somebody_publishes(&b, "a/1", "new", 1);
	}
}

/* QoS 2 in: the id is kept with the record, until the commit that PUBCOMP waits for
 * [MQTT-4.3.3-10]. */
static void a_qos_2_id_survives_a_restart(void **state UNUSED)
{
	arrive(&e, &c, &b, &kept);
	say_publish(&e, "a/1", "x", 2, 9, false);
	broker_turn(&b);
	assert_int_equal(must(&e, MQTT_PUBREC).id, 9);
	broker_restart(&b);
	client_done(&c);
	assert_true(arrive(&e, &c, &b, &kept).session_present);
	say_publish(&e, "a/1", "x", 2, 9, true);
	broker_turn(&b);
	assert_int_equal(must(&e, MQTT_PUBREC).reason, 0);
	assert_true(hub_feed(b.hub, SPAN("a"))->last == 1);
	b.hold = true;
	say_ack(&e, MQTT_PUBREL, 9, 0);
	broker_turn(&b);
	assert_true(quiet(&e));
	b.hold = false;
	broker_turn(&b);
	assert_int_equal(must(&e, MQTT_PUBCOMP).reason, 0);
	broker_restart(&b);
	client_done(&c);
	arrive(&e, &c, &b, &kept);
	say_publish(&e, "a/1", "y", 2, 9, false); /* another message */
	broker_turn(&b);
	must(&e, MQTT_PUBREC);
	assert_true(hub_feed(b.hub, SPAN("a"))->last == 2);
	lose(&e);
}

/* A refusal ends the flow: its id is not kept, also not over a death [MQTT-4.3.3-9]. */
static void a_refused_qos_2_id_is_free_at_once(void **state UNUSED)
{
	arrive(&e, &c, &b, &kept);
	say_publish(&e, "nowhere", "x", 2, 9, false);
	broker_turn(&b);
	assert_int_equal(must(&e, MQTT_PUBREC).reason, MQTT_TOPIC_NAME_INVALID);
	broker_restart(&b);
	client_done(&c);
	arrive(&e, &c, &b, &kept);
	say_publish(&e, "a/1", "x", 2, 9, false);
	broker_turn(&b);
	assert_int_equal(must(&e, MQTT_PUBREC).reason, 0);
	assert_true(hub_feed(b.hub, SPAN("a"))->last == 1);
	lose(&e);
}

/* QoS 2 out, the broker killed at each step; the receiver must get it once [MQTT-4.3.3-2]. */
static void qos_2_goes_out_once_whenever_the_broker_dies(void **state UNUSED)
{
	for (int step = 0; step < 5; step++) {
		unsigned got = 0, id = 0;
		bool known = false, over = false;
		struct wish w = kept;
		w.clean = true;
		arrive(&e, &c, &b, &w);
		say_subscribe(&e, "a/#", 2, 0);
		broker_turn(&b);
		must(&e, MQTT_SUBACK);
		somebody_publishes(&b, "a/1", "once", 2);
		for (int at = 0; at < 20 && !over; at++) {
			struct heard h;
			if (at == step) {
				broker_restart(&b);
				client_done(&c);
				assert_true(arrive(&e, &c, &b, &kept).session_present);
			}
			if (!hear(&e, &h)) {
				broker_turn(&b);
				continue;
			}
			if (h.type == MQTT_PUBLISH) {
				if (!known || id != h.id)
					got++;
				known = true;
				id = h.id;
				say_ack(&e, MQTT_PUBREC, h.id, 0);
			} else if (h.type == MQTT_PUBREL) {
				say_ack(&e, MQTT_PUBCOMP, h.id, 0);
				known = false;
				over = at > step;
			}
			broker_turn(&b);
		}
		assert_int_equal(got, 1);
		broker_restart(&b); /* long over: nothing of it comes again */
		client_done(&c);
		arrive(&e, &c, &b, &kept);
		struct heard h;
		while (hear(&e, &h)) {
			assert_int_equal(h.type, MQTT_PUBREL);
			say_ack(&e, MQTT_PUBCOMP, h.id, 0);
		}
		lose(&e);
	}
}

/* QoS 1 acknowledged and flushed does not come again after a death. */
static void the_flush_remembers_what_was_acknowledged(void **state UNUSED)
{
	arrive(&e, &c, &b, &kept);
	say_subscribe(&e, "a/#", 1, 0);
	broker_turn(&b);
	must(&e, MQTT_SUBACK);
	for (unsigned i = 0; i < 5; i++)
		somebody_publishes(&b, "a/1", "x", 1);
	for (unsigned i = 0; i < 5; i++) {
		struct heard h = must(&e, MQTT_PUBLISH);
		if (i != 1)
			say_ack(&e, MQTT_PUBACK, h.id, 0);
	}
	seconds(&b, 2);
	broker_restart(&b);
	client_done(&c);
	arrive(&e, &c, &b, &kept);
	expect_message("x", 1, true); /* the second */
	assert_true(quiet(&e));
	lose(&e);
}

/* [MQTT-3.1.2-6]: QoS 0 is for who is there */
static void qos_0_is_not_kept_for_the_absent(void **state UNUSED)
{
	leave_subscribed("a/#", 1);
	somebody_publishes(&b, "a/1", "zero", 0);
	somebody_publishes(&b, "a/1", "one", 1);
	arrive(&e, &c, &b, &kept);
	expect_message("one", 1, false);
	assert_true(quiet(&e));
	lose(&e);
}

static void trimmed(void *arg UNUSED, int64_t deleted)
{
	assert_true(deleted > 0);
}

static void trim(const char *feed, uint64_t before)
{
	struct feed *f = hub_feed(b.hub, span_str(feed));
	hub_trim(b.hub, f, before, trimmed, NULL);
	broker_turn(&b);
	assert_true(f->first == before);
}

static void a_place_that_the_log_no_longer_has_is_told(void **state UNUSED)
{
	leave_subscribed("a/#", 1);
	for (int i = 0; i < 5; i++)
		somebody_publishes(&b, "a/1", i < 3 ? "lost" : "there", 1);
	trim("a", 4);
	struct heard h = arrive(&e, &c, &b, &kept);
	assert_true(h.session_present);
	assert_string_equal(h.gap, "a:1-3");
	h = must(&e, MQTT_PUBLISH);
	assert_string_equal(h.text, "there");
	assert_string_equal(h.gap, "a:1-3");
	say_ack(&e, MQTT_PUBACK, h.id, 0);
	h = must(&e, MQTT_PUBLISH);
	assert_string_equal(h.gap, "");
	say_ack(&e, MQTT_PUBACK, h.id, 0);
	lose(&e);
}

static void v311_begins_anew_when_the_log_no_longer_has_its_place(void **state UNUSED)
{
	struct wish w = {.id = "old", .v = MQTT_V311};
	arrive(&e, &c, &b, &w);
	say_subscribe(&e, "a/#", 1, 0);
	broker_turn(&b);
	must(&e, MQTT_SUBACK);
	lose(&e);
	for (int i = 0; i < 3; i++)
		somebody_publishes(&b, "a/1", "x", 1);
	trim("a", 2);
	assert_false(arrive(&e, &c, &b, &w).session_present);
	assert_true(quiet(&e));
	somebody_publishes(&b, "a/1", "x", 1);
	assert_true(quiet(&e)); /* its subscriptions went with it */
	lose(&e);
}

static void a_message_that_expired_meanwhile_is_skipped(void **state UNUSED) /* [MQTT-3.3.2-5] */
{
	struct client p;
	struct ear ep;
	uint8_t mem[256];
	leave_subscribed("a/#", 1);
	arrive(&ep, &p, &b, &(struct wish){.id = "p", .clean = true});
	struct wire w = wire_of(mem, sizeof(mem));
	struct mqtt_publish_out m = {.topic = SPAN("a/1"),
	                             .payload = SPAN("short"),
	                             .qos = 1,
	                             .packet_id = 1,
	                             .has_expiry = true,
	                             .expiry_s = 10};
	mqtt_encode_publish(&w, MQTT_V5, &m);
	client_send(&p, &w);
	broker_turn(&b);
	lose(&ep);
	somebody_publishes(&b, "a/1", "long", 1);
	seconds(&b, 11);
	arrive(&e, &c, &b, &kept);
	expect_message("long", 1, false);
	assert_true(quiet(&e));
	lose(&e);
}

/* [MQTT-3.3.4-9] */
static void the_clients_receive_maximum_bounds_what_comes_again(void **state UNUSED)
{
	arrive(&e, &c, &b, &kept);
	say_subscribe(&e, "a/#", 1, 0);
	broker_turn(&b);
	must(&e, MQTT_SUBACK);
	for (unsigned i = 0; i < 6; i++)
		somebody_publishes(&b, "a/1", "x", 1);
	lose(&e);
	struct wish w = kept;
	w.receive_max = 2;
	arrive(&e, &c, &b, &w);
	for (unsigned i = 0; i < 3; i++) {
		struct heard one = must(&e, MQTT_PUBLISH), two = must(&e, MQTT_PUBLISH);
		assert_true(one.dup && two.dup);
		assert_true(quiet(&e));
		say_ack(&e, MQTT_PUBACK, one.id, 0);
		say_ack(&e, MQTT_PUBACK, two.id, 0);
		broker_turn(&b);
	}
	assert_true(quiet(&e));
	lose(&e);
}

/* [MQTT-3.3.4-3], [MQTT-3.3.4-4]: one message, both identifiers; also when it comes again */
static void one_delivery_carries_all_identifiers(void **state UNUSED)
{
	arrive(&e, &c, &b, &kept);
	say_subscribe(&e, "a/#", 1, 7);
	say_subscribe(&e, "a/+", 2, 300000);
	broker_turn(&b);
	must(&e, MQTT_SUBACK);
	must(&e, MQTT_SUBACK);
	somebody_publishes(&b, "a/1", "x", 1);
	for (int again = 0; again < 2; again++) {
		struct heard h = must(&e, MQTT_PUBLISH);
		assert_int_equal(h.n_subids, 2);
		assert_int_equal(h.subids[0] + h.subids[1], 300007);
		assert_true(quiet(&e));
		lose(&e);
		broker_restart(&b);
		arrive(&e, &c, &b, &kept);
	}
	lose(&e);
}

static void sessions_are_bounded_in_number(void **state UNUSED)
{
	struct client many[3];
	struct ear ears[3];
	b.config->max_sessions = 2;
	for (unsigned i = 0; i < 3; i++) {
		char id[8];
		snprintf(id, sizeof(id), "s%u", i);
		struct heard h =
		    arrive(&ears[i], &many[i], &b, &(struct wish){.id = id, .expiry_s = 100});
		assert_int_equal(h.reason, i < 2 ? MQTT_SUCCESS : MQTT_QUOTA_EXCEEDED);
	}
	/* who is there already may come again */
	lose(&ears[0]);
	assert_true(arrive(&ears[0], &many[0], &b, &(struct wish){.id = "s0", .expiry_s = 100})
	                .session_present);
	for (unsigned i = 0; i < 3; i++)
		client_done(&many[i]);
}

static void a_flood_while_coming_back_leaves_no_gap_and_no_double(void **state UNUSED)
{
	enum { MANY = 300 };
	char text[16];
	leave_subscribed("a/#", 1);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "%u", i);
		somebody_publishes(&b, "a/1", text, 1);
		if (i == 100) /* it comes back in the middle of the flow */
			come(&e, &c, &b, &kept);
	}
	broker_turn(&b);
	must(&e, MQTT_CONNACK);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "%u", i);
		expect_message(text, 1, false);
	}
	assert_true(quiet(&e));
	lose(&e);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_broker, close_broker)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_session_is_found_again_and_its_subscriptions_with_it),
	    T(a_clean_start_ends_the_former_session),
	    T(a_session_ends_when_its_time_is_over),
	    T(without_expiry_a_session_ends_with_its_connection),
	    T(v311_without_clean_session_is_kept),
	    T(what_is_granted_stands_in_connack),
	    T(disconnect_may_change_the_time_but_not_from_nothing),
	    T(a_second_connection_takes_the_session_over),
	    T(a_session_is_durable_before_connack),
	    T(a_subscription_is_durable_before_suback),
	    T(what_was_not_answered_comes_again_in_its_order),
	    T(a_qos_2_id_survives_a_restart),
	    T(a_refused_qos_2_id_is_free_at_once),
	    T(qos_2_goes_out_once_whenever_the_broker_dies),
	    T(the_flush_remembers_what_was_acknowledged),
	    T(qos_0_is_not_kept_for_the_absent),
	    T(a_place_that_the_log_no_longer_has_is_told),
	    T(v311_begins_anew_when_the_log_no_longer_has_its_place),
	    T(a_message_that_expired_meanwhile_is_skipped),
	    T(the_clients_receive_maximum_bounds_what_comes_again),
	    T(one_delivery_carries_all_identifiers),
	    T(sessions_are_bounded_in_number),
	    T(a_flood_while_coming_back_leaves_no_gap_and_no_double),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
