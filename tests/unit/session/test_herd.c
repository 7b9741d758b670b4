/* Many sessions that come back at once: one reading of the log for all of them, and each gets its
 * own, once and in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/session/scene.h"

enum { SESSIONS = 20, MESSAGES = 400 };

static struct broker b;
static struct client c[SESSIONS];
static struct ear e[SESSIONS];

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

/* The first takes everything, the others each its own topic; the second has a window of one. */
static void wish_of(unsigned i, char id[8], struct wish *w)
{
	snprintf(id, 8, "s%u", i);
	*w = (struct wish){.id = id, .expiry_s = 1000, .receive_max = i == 1 ? 1 : 0};
}

static void all_leave(void)
{
	for (unsigned i = 0; i < SESSIONS; i++) {
		char id[8], filter[16];
		struct wish w;
		wish_of(i, id, &w);
		arrive(&e[i], &c[i], &b, &w);
		snprintf(filter, sizeof(filter), i ? "a/%u" : "a/#", i);
		say_subscribe(&e[i], filter, 1, i + 1);
		broker_turn(&b);
		must(&e[i], MQTT_SUBACK);
		lose(&e[i]);
	}
}

static void publish_all(unsigned from, unsigned to)
{
	struct client p;
	struct ear ep;
	arrive(&ep, &p, &b, &(struct wish){.id = "p", .clean = true});
	for (unsigned n = from; n < to; n++) {
		char topic[16], text[16];
		snprintf(topic, sizeof(topic), "a/%u", n % SESSIONS);
		snprintf(text, sizeof(text), "%u", n);
		say_publish(&ep, topic, text, 1, n % 1000 + 1, false);
		if (n % 50 == 49)
			broker_turn(&b);
	}
	broker_turn(&b);
	lose(&ep);
}

static void come_back(unsigned i)
{
	char id[8];
	struct wish w;
	wish_of(i, id, &w);
	come(&e[i], &c[i], &b, &w);
}

/* Reads and answers everything until nothing comes; got[i]: how many, in order. */
static void all_take(unsigned got[SESSIONS])
{
	for (unsigned round = 0, quiet_rounds = 0; quiet_rounds < 3 && round < 2000; round++) {
		bool some = false;
		broker_turn(&b);
		for (unsigned i = 0; i < SESSIONS; i++) {
			struct heard h;
			while (hear(&e[i], &h)) {
				some = true;
				if (h.type != MQTT_PUBLISH)
					continue;
				unsigned n = (unsigned)atoi(h.text);
				assert_int_equal(n, i ? got[i] * SESSIONS + i : got[i]);
				assert_int_equal(h.n_subids, 1);
				assert_int_equal(h.subids[0], i + 1);
				got[i]++;
				say_ack(&e[i], MQTT_PUBACK, h.id, 0);
			}
		}
		quiet_rounds = some ? 0 : quiet_rounds + 1;
	}
}

static void each_gets_its_own_once_and_in_order(void **state UNUSED)
{
	unsigned got[SESSIONS] = {0};
	all_leave();
	publish_all(0, MESSAGES);
	broker_restart(&b); /* nothing is in memory */
	uint64_t reads = hub_stats(b.hub)->disk_reads;
	for (unsigned i = 0; i < SESSIONS; i++)
		come_back(i);
	all_take(got);
	for (unsigned i = 0; i < SESSIONS; i++)
		assert_int_equal(got[i], i ? MESSAGES / SESSIONS : MESSAGES);
	assert_true(hub_stats(b.hub)->disk_reads - reads <= 3);
	for (unsigned i = 2; i < SESSIONS; i++) /* CONNACK, and what it was owed together */
		assert_true(c[i].flushes <= 4);
	publish_all(MESSAGES, MESSAGES + SESSIONS); /* and they are live */
	all_take(got);
	for (unsigned i = 0; i < SESSIONS; i++) {
		assert_int_equal(got[i], i ? MESSAGES / SESSIONS + 1 : MESSAGES + SESSIONS);
		client_done(&c[i]);
	}
}

/* Late ones wait for the next pass; some leave in the middle; records go on coming. */
static void comers_and_goers_do_not_disturb_it(void **state UNUSED)
{
	unsigned got[SESSIONS] = {0};
	all_leave();
	publish_all(0, MESSAGES);
	broker_restart(&b);
	for (unsigned i = 0; i < SESSIONS; i++) {
		come_back(i);
		hub_turn(b.hub);
		for (unsigned k = 0; k < 2 && b.n_todo; k++) { /* a piece of the way */
			struct job *j = b.todo[0];
			memmove(b.todo, b.todo + 1, --b.n_todo * sizeof(b.todo[0]));
			memmove(b.writes, b.writes + 1, b.n_todo * sizeof(b.writes[0]));
			j->work(j);
			j->done(j);
		}
		if (i % 5 == 4) { /* lost before it could read a thing */
			client_done(&c[i]);
			come_back(i);
		}
	}
	publish_all(MESSAGES, 2 * MESSAGES);
	all_take(got);
	for (unsigned i = 0; i < SESSIONS; i++) {
		assert_int_equal(got[i], i ? 2 * MESSAGES / SESSIONS : 2 * MESSAGES);
		client_done(&c[i]);
	}
}

static void what_was_unsubscribed_does_not_come(void **state UNUSED)
{
	struct heard h;
	all_leave();
	publish_all(0, MESSAGES);
	broker_restart(&b);
	come_back(3);
	while (!hear(&e[3], &h)) {
		hub_turn(b.hub);
		struct job *j = b.todo[0];
		memmove(b.todo, b.todo + 1, --b.n_todo * sizeof(b.todo[0]));
		memmove(b.writes, b.writes + 1, b.n_todo * sizeof(b.writes[0]));
		j->work(j);
		j->done(j);
	}
	assert_int_equal(h.type, MQTT_CONNACK);
	say_unsubscribe(&e[3], "a/3"); /* in the middle: nothing comes after UNSUBACK */
	broker_turn(&b);
	bool unsubscribed = false;
	while (hear(&e[3], &h)) {
		unsubscribed |= h.type == MQTT_UNSUBACK;
		assert_true(!unsubscribed || h.type == MQTT_UNSUBACK);
	}
	assert_true(unsubscribed);
	client_done(&c[3]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_broker, close_broker)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(each_gets_its_own_once_and_in_order),
	    T(comers_and_goers_do_not_disturb_it),
	    T(what_was_unsubscribed_does_not_come),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
