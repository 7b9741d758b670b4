/* Wills: when they are published, and when not. */
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

static const struct wish delayed = {.id = "w", .expiry_s = 100, .will = "gone", .will_delay_s = 10};

/* Wills are messages of feed a: how many there are. */
static unsigned published(void)
{
	return (unsigned)hub_feed(b.hub, SPAN("a"))->last;
}

static void a_will_waits_for_its_delay(void **state UNUSED) /* [MQTT-3.1.2-8] */
{
	arrive(&e, &c, &b, &delayed);
	lose(&e);
	seconds(&b, 8);
	assert_int_equal(published(), 0);
	seconds(&b, 4);
	assert_int_equal(published(), 1);
	seconds(&b, 200); /* and the end of the session does not bring it again */
	assert_int_equal(published(), 1);
	assert_int_equal(sessions_stats(b.sessions)->away, 0);
}

static void who_comes_back_in_time_is_not_gone(void **state UNUSED) /* [MQTT-3.1.3-9] */
{
	arrive(&e, &c, &b, &delayed);
	lose(&e);
	seconds(&b, 8);
	struct wish again = delayed;
	again.will = NULL;
	assert_true(arrive(&e, &c, &b, &again).session_present);
	seconds(&b, 20);
	assert_int_equal(published(), 0);
	lose(&e);
	broker_kill(&b);
	seconds(&b, 20);
	assert_int_equal(published(), 0);
}

static void the_end_of_the_session_ends_the_delay(void **state UNUSED) /* 3.1.3.2.2 */
{
	struct wish w = {.id = "w", .expiry_s = 5, .will = "gone", .will_delay_s = 1000};
	arrive(&e, &c, &b, &w);
	lose(&e);
	seconds(&b, 3);
	assert_int_equal(published(), 0);
	seconds(&b, 4);
	assert_int_equal(published(), 1);
	/* a clean start ends it too */
	w.expiry_s = 500;
	arrive(&e, &c, &b, &w);
	lose(&e);
	w.clean = true;
	w.will = NULL;
	arrive(&e, &c, &b, &w);
	broker_turn(&b);
	assert_int_equal(published(), 2);
	lose(&e);
	/* and so does a session without a time of its own */
	arrive(&e, &c, &b, &(struct wish){.id = "x", .will = "gone", .will_delay_s = 1000});
	lose(&e);
	assert_int_equal(published(), 3);
}

static void disconnect_takes_the_will_away_unless_it_says_so(void **state UNUSED)
{
	arrive(&e, &c, &b, &delayed);
	say_disconnect(&e, 0, -1); /* [MQTT-3.14.4-3] */
	client_done(&c);
	broker_turn(&b);
	broker_kill(&b); /* its row is gone too */
	seconds(&b, 20);
	assert_int_equal(published(), 0);
	struct wish w = delayed;
	w.will_delay_s = 0;
	arrive(&e, &c, &b, &w);
	say_disconnect(&e, MQTT_DISCONNECT_WITH_WILL, -1);
	client_done(&c);
	broker_turn(&b);
	assert_int_equal(published(), 1);
}

static void a_takeover_cancels_what_was_delayed(void **state UNUSED)
{
	struct client c2;
	struct ear e2;
	arrive(&e, &c, &b, &delayed);
	arrive(&e2, &c2, &b, &delayed);
	client_done(&c);
	seconds(&b, 20);
	assert_int_equal(published(), 0);
	lose(&e2); /* its own is on */
	seconds(&b, 12);
	assert_int_equal(published(), 1);
}

static void a_will_survives_the_broker(void **state UNUSED)
{
	arrive(&e, &c, &b, &delayed);
	broker_kill(&b); /* with its client connected: the delay begins with the start */
	client_done(&c);
	seconds(&b, 8);
	assert_int_equal(published(), 0);
	broker_kill(&b);
	seconds(&b, 13);
	assert_int_equal(published(), 1);
	broker_kill(&b);
	seconds(&b, 13);
	assert_int_equal(published(), 1); /* once */
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_broker, close_broker)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_will_waits_for_its_delay),
	    T(who_comes_back_in_time_is_not_gone),
	    T(the_end_of_the_session_ends_the_delay),
	    T(disconnect_takes_the_will_away_unless_it_says_so),
	    T(a_takeover_cancels_what_was_delayed),
	    T(a_will_survives_the_broker),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
