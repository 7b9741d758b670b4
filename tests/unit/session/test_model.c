/* Sessions after random operations and deaths, against books that a client keeps: a publisher and
 * subscribers of QoS 1 and 2 that come, go, are lost, answer late or not, while the broker is
 * killed at any moment (what was not committed never happened). What must hold:
 *
 *   QoS 2 in: each message of the publisher is in the log once.
 *   QoS 2 out: each message is received once, in the order of the log.
 *   QoS 1 out: each is received at least once; first times in the order of the log.
 *
 * SESSION_SEED repeats one run, SESSION_RUNS says how many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/session/scene.h"

#include <stdlib.h>

enum { SUBS = 4, MESSAGES = 120, STEPS = 900, WAITING = 2048 };

static uint64_t rng;
static unsigned chance(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)(rng % n);
}

static struct broker b;

/* ---- a subscriber and its books ---- */

struct reader {
	struct client c;
	struct ear e;
	struct wish wish;
	char id[8];
	unsigned qos;
	bool here, subscribed;
	unsigned next;        /* QoS 2: the message expected; QoS 1: beyond the highest seen */
	bool received[65536]; /* QoS 2 ids between PUBLISH and PUBREL: kept over connections */
	struct {
		unsigned type, id;
	} owes[WAITING]; /* answers it has not given yet, in order */
	unsigned n_owes;
};
static struct reader reader[SUBS];

static void owe(struct reader *r, unsigned type, unsigned id)
{
	assert_true(r->n_owes < WAITING);
	r->owes[r->n_owes].type = type;
	r->owes[r->n_owes++].id = id;
}

static void reader_takes(struct reader *r, const struct heard *h)
{
	unsigned n = (unsigned)atoi(h->text);
	if (getenv("SESSION_TRACE"))
		fprintf(stderr, "# %s got %u id=%u dup=%d next=%u\n", r->id, n, h->id, h->dup,
		        r->next);
	assert_int_equal(h->qos, r->qos);
	if (r->qos == 2) {
		if (!r->received[h->id]) {
			assert_int_equal(n, r->next); /* once, in order, no gap */
			r->next++;
		}
		r->received[h->id] = true;
		owe(r, MQTT_PUBREC, h->id);
		return;
	}
	assert_true(n <= r->next);
	if (n == r->next)
		r->next++;
	owe(r, MQTT_PUBACK, h->id);
}

static void reader_listens(struct reader *r)
{
	struct heard h;
	while (r->here && hear(&r->e, &h)) {
		switch (h.type) {
		case MQTT_CONNACK:
			assert_int_equal(h.reason, 0);
			assert_string_equal(h.gap, "");
			if (!h.session_present) {
				assert_false(r->subscribed);
				say_subscribe(&r->e, "a/#", r->qos, 0);
			} else if (!r->subscribed) {
				say_subscribe(&r->e, "a/#", r->qos, 0);
			}
			break;
		case MQTT_SUBACK: r->subscribed = true; break;
		case MQTT_PUBLISH: reader_takes(r, &h); break;
		case MQTT_PUBREL:
			r->received[h.id] = false;
			owe(r, MQTT_PUBCOMP, h.id);
			break;
		default: fail_msg("a subscriber heard %s", mqtt_type_name(h.type));
		}
	}
	if (r->here)
		ear_clear(&r->e);
}

static void reader_answers(struct reader *r, unsigned n)
{
	n = MIN_OF(n, r->n_owes);
	for (unsigned i = 0; i < n; i++)
		say_ack(&r->e, r->owes[i].type, r->owes[i].id, 0);
	memmove(r->owes, r->owes + n, (r->n_owes - n) * sizeof(r->owes[0]));
	r->n_owes -= n;
}

static void reader_comes(struct reader *r)
{
	come(&r->e, &r->c, &b, &r->wish);
	r->here = true;
	r->n_owes = 0;
}

static void reader_goes(struct reader *r)
{
	reader_listens(r);
	if (chance(2))
		say_disconnect(&r->e, 0, -1);
	client_done(&r->c);
	r->here = false;
	r->n_owes = 0;
}

/* ---- the publisher: QoS 2, one after the other or several at once ---- */

static struct {
	struct client c;
	struct ear e;
	bool here, open;
	unsigned next; /* message to send */
	struct {
		bool used, released;
		unsigned n;
		unsigned order;
	} flight[9]; /* by packet id */
	unsigned orders;
} pub;

static void pub_sends(unsigned id, bool dup)
{
	char text[16];
	snprintf(text, sizeof(text), "%u", pub.flight[id].n);
	say_publish(&pub.e, "a/x", text, 2, id, dup);
}

/* Again, in order of first sending. */
static void pub_resends(bool session_present)
{
	for (unsigned o = 0; o < pub.orders; o++)
		for (unsigned id = 1; id < 9; id++) {
			if (!pub.flight[id].used || pub.flight[id].order != o)
				continue;
			assert_true(session_present);
			if (pub.flight[id].released)
				say_ack(&pub.e, MQTT_PUBREL, id, 0);
			else
				pub_sends(id, true);
		}
}

static void pub_listens(void)
{
	struct heard h;
	while (pub.here && hear(&pub.e, &h)) {
		switch (h.type) {
		case MQTT_CONNACK:
			pub.open = true;
			pub_resends(h.session_present);
			break;
		case MQTT_PUBREC:
			assert_true(pub.flight[h.id].used && h.reason == 0);
			pub.flight[h.id].released = true;
			say_ack(&pub.e, MQTT_PUBREL, h.id, 0);
			break;
		case MQTT_PUBCOMP:
			assert_true(pub.flight[h.id].used && pub.flight[h.id].released);
			pub.flight[h.id].used = false;
			break;
		default: fail_msg("the publisher heard %s", mqtt_type_name(h.type));
		}
	}
	if (pub.here)
		ear_clear(&pub.e);
}

static void pub_comes(void)
{
	static const struct wish w = {.id = "pub", .expiry_s = 100000};
	come(&pub.e, &pub.c, &b, &w);
	pub.here = true;
	pub.open = false;
}

static void pub_goes(void)
{
	pub_listens();
	client_done(&pub.c);
	pub.here = pub.open = false;
}

static void pub_publishes(void)
{
	for (unsigned id = 1; pub.open && id < 9 && pub.next < MESSAGES; id++) {
		if (pub.flight[id].used)
			continue;
		pub.flight[id].used = true;
		pub.flight[id].released = false;
		pub.flight[id].n = pub.next++;
		pub.flight[id].order = pub.orders++;
		pub_sends(id, false);
		return;
	}
}

static bool pub_idle(void)
{
	for (unsigned id = 1; id < 9; id++)
		if (pub.flight[id].used)
			return false;
	return pub.next == MESSAGES;
}

/* ---- one run ---- */

static void kill_broker(void)
{
	broker_kill(&b);
	for (unsigned i = 0; i < SUBS; i++)
		if (reader[i].here) {
			client_done(&reader[i].c);
			reader[i].here = false;
			reader[i].n_owes = 0;
		}
	if (pub.here)
		client_done(&pub.c);
	pub.here = pub.open = false;
}

static void step(void)
{
	struct reader *r = &reader[chance(SUBS)];
	unsigned what = chance(16);
	if (getenv("SESSION_TRACE"))
		fprintf(stderr, "# step %u %s last=%u\n", what, r->id,
		        (unsigned)hub_feed(b.hub, SPAN("a"))->last);
	switch (what) {
	case 0:
		if (chance(4) == 0)
			kill_broker();
		break;
	case 1:
		if (r->here && r->subscribed)
			reader_goes(r);
		break;
	case 2:
	case 3:
		if (!r->here)
			reader_comes(r);
		break;
	case 4:
		if (pub.here && chance(3) == 0)
			pub_goes();
		break;
	case 5:
		if (!pub.here)
			pub_comes();
		break;
	case 6:
	case 7:
	case 8: pub_publishes(); break;
	case 9:
		clock_advance(&b.clock, 1000);
		sessions_second(b.sessions);
		break;
	case 10:
		sessions_flush(b.sessions);
		hub_turn(b.hub); /* handed over; not on disk */
		break;
	case 11:
	case 12:
		if (r->here)
			reader_answers(r, chance(6));
		break;
	default:
		b.hold = chance(4) == 0;
		broker_turn(&b);
		break;
	}
	for (unsigned i = 0; i < SUBS; i++)
		reader_listens(&reader[i]);
	pub_listens();
}

static void settle(void)
{
	b.hold = false;
	for (unsigned round = 0; round < 400; round++) {
		bool done = pub_idle();
		broker_turn(&b);
		if (!pub.here)
			pub_comes();
		pub_publishes();
		pub_listens();
		for (unsigned i = 0; i < SUBS; i++) {
			if (!reader[i].here)
				reader_comes(&reader[i]);
			reader_listens(&reader[i]);
			reader_answers(&reader[i], WAITING);
			done = done && reader[i].next == MESSAGES && !reader[i].n_owes;
		}
		if (done)
			return;
	}
}

static bool seen[MESSAGES];

static int look(void *arg UNUSED, uint64_t sequence UNUSED, struct span bytes)
{
	struct record r;
	char text[16];
	assert_int_equal(record_read(bytes, true, &r), 0);
	snprintf(text, sizeof(text), "%.*s", (int)r.payload.n, r.payload.p);
	assert_true(atoi(text) < MESSAGES && !seen[atoi(text)]);
	seen[atoi(text)] = true;
	return 0;
}

static void log_is_exact(void)
{
	struct feed *f = hub_feed(b.hub, SPAN("a"));
	uint64_t next;
	assert_int_equal((unsigned)f->last, MESSAGES);
	memset(seen, 0, sizeof(seen));
	assert_int_equal(store_read(b.store, f->id, 1, SIZE_MAX, look, NULL, &next), 0);
}

/* Readers come before the first message, so that all of them are owed all of them. */
static void run(uint64_t seed)
{
	rng = seed * 0x9e3779b97f4a7c15ull + 1;
	memset(reader, 0, sizeof(reader));
	memset(&pub, 0, sizeof(pub));
	broker_open(&b, scene_conf);
	for (unsigned i = 0; i < SUBS; i++) {
		struct reader *r = &reader[i];
		snprintf(r->id, sizeof(r->id), "r%u", i);
		r->qos = 1 + i % 2;
		r->wish = (struct wish){
		    .id = r->id, .expiry_s = 100000, .receive_max = i < 2 ? 0 : 1 + chance(4)};
		reader_comes(r);
		while (!r->subscribed) {
			broker_turn(&b);
			reader_listens(r);
		}
	}
	for (unsigned i = 0; i < STEPS; i++)
		step();
	settle();
	for (unsigned i = 0; i < SUBS; i++)
		assert_int_equal(reader[i].next, MESSAGES);
	assert_true(pub_idle());
	broker_turn(&b);
	log_is_exact();
	kill_broker();
	broker_close(&b);
}

static void sessions_keep_their_books(void **state UNUSED)
{
	const char *seed = getenv("SESSION_SEED"), *runs = getenv("SESSION_RUNS");
	if (seed) {
		run(strtoull(seed, NULL, 10));
		return;
	}
	unsigned n = runs ? (unsigned)atoi(runs) : 20;
	for (uint64_t i = 1; i <= n; i++) {
		fprintf(stderr, "# SESSION_SEED=%llu\n", (unsigned long long)i);
		run(i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(sessions_keep_their_books)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
