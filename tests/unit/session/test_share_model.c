/* A shared subscription after random operations and deaths, against the log: workers of one group
 * come, go, are lost, answer late or refuse to, begin anew, while the broker is killed at any
 * moment (what was not committed never happened). What must hold for each message in the log that
 * the filter takes, in runs of three kinds:
 *
 *   QoS 1, sessions end now and then: some worker has received it.
 *   QoS 2, sessions stay:             received once, by one of them.
 *   QoS 2, sessions end now and then: received at most once.
 *
 * SESSION_SEED repeats one run, SESSION_RUNS says how many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/session/scene.h"

#include <stdlib.h>

enum { WORKERS = 5, MESSAGES = 150, STEPS = 1200, WAITING = 2048 };
enum kind { AT_LEAST_ONCE, ONCE, AT_MOST_ONCE, KINDS };

static uint64_t rng;
static unsigned chance(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)(rng % n);
}

static struct broker b;
static enum kind kind;
static unsigned sent, got[MESSAGES];

struct worker {
	struct client c;
	struct ear e;
	struct wish wish;
	char id[8];
	bool here, subscribed;
	bool received[65536]; /* QoS 2 ids between PUBLISH and PUBREL: kept over connections */
	struct {
		unsigned type, id;
	} owes[WAITING];
	unsigned n_owes;
};
static struct worker worker[WORKERS];

static void owe(struct worker *w, unsigned type, unsigned id)
{
	assert_true(w->n_owes < WAITING);
	w->owes[w->n_owes].type = type;
	w->owes[w->n_owes++].id = id;
}

static void takes(struct worker *w, const struct heard *h)
{
	unsigned n = (unsigned)atoi(h->text);
	if (getenv("SESSION_TRACE"))
		fprintf(stderr, "# %s got %u id=%u dup=%d\n", w->id, n, h->id, h->dup);
	assert_true(n < MESSAGES);
	assert_string_equal(h->topic, "a/x");
	assert_int_equal(h->qos, kind == AT_LEAST_ONCE ? 1 : 2);
	if (h->qos == 1) {
		got[n]++;
		owe(w, MQTT_PUBACK, h->id);
		return;
	}
	if (!w->received[h->id])
		got[n]++;
	w->received[h->id] = true;
	owe(w, MQTT_PUBREC, h->id);
}

static void listens(struct worker *w)
{
	struct heard h;
	while (w->here && hear(&w->e, &h)) {
		switch (h.type) {
		case MQTT_CONNACK:
			assert_int_equal(h.reason, 0);
			if (!h.session_present) {
				w->subscribed = false;
				memset(w->received, 0, sizeof(w->received));
			}
			if (!w->subscribed)
				say_subscribe(&w->e, "$share/g/a/+", kind == AT_LEAST_ONCE ? 1 : 2,
				              0);
			break;
		case MQTT_SUBACK:
			assert_true(h.reason <= 2);
			w->subscribed = true;
			break;
		case MQTT_PUBLISH: takes(w, &h); break;
		case MQTT_PUBREL:
			w->received[h.id] = false;
			owe(w, MQTT_PUBCOMP, h.id);
			break;
		default: fail_msg("a worker heard %s", mqtt_type_name(h.type));
		}
	}
	if (w->here)
		ear_clear(&w->e);
}

static void answers(struct worker *w, unsigned n)
{
	n = MIN_OF(n, w->n_owes);
	for (unsigned i = 0; i < n; i++)
		say_ack(&w->e, w->owes[i].type, w->owes[i].id, 0);
	memmove(w->owes, w->owes + n, (w->n_owes - n) * sizeof(w->owes[0]));
	w->n_owes -= n;
}

/* The first one keeps its session, so that the group lives. */
static void comes(struct worker *w)
{
	w->wish.clean = kind != ONCE && w != worker && chance(4) == 0;
	come(&w->e, &w->c, &b, &w->wish);
	w->here = true;
	w->n_owes = 0;
}

static void goes(struct worker *w)
{
	listens(w);
	if (chance(2))
		say_disconnect(&w->e, 0, kind != ONCE && w != worker && chance(5) == 0 ? 0 : -1);
	client_done(&w->c);
	w->here = false;
	w->n_owes = 0;
}

static void kill_broker(void)
{
	broker_kill(&b);
	for (unsigned i = 0; i < WORKERS; i++)
		if (worker[i].here) {
			client_done(&worker[i].c);
			worker[i].here = false;
			worker[i].n_owes = 0;
		}
}

static void publish(void)
{
	char text[16];
	struct identity who = access_anonymous(b.config, true);
	snprintf(text, sizeof(text), "%u", sent++);
	const char *topic = chance(8) == 0 ? "a/not/this" : "a/x";
	struct ingest_message m = {.who = &who,
	                           .publisher = SPAN("p"),
	                           .topic = span_str(topic),
	                           .payload = span_str(text),
	                           .qos = 2,
	                           .no_answer = true};
	(void)!ingest_publish(b.ingest, &m);
}

static void step(void)
{
	struct worker *w = &worker[chance(WORKERS)];
	unsigned what = chance(16);
	if (getenv("SESSION_TRACE"))
		fprintf(stderr, "# step %u %s last=%u\n", what, w->id,
		        (unsigned)hub_feed(b.hub, SPAN("a"))->last);
	switch (what) {
	case 0:
		if (chance(5) == 0)
			kill_broker();
		break;
	case 1:
		if (w->here && w->subscribed && chance(2))
			goes(w);
		break;
	case 2:
	case 3:
		if (!w->here)
			comes(w);
		break;
	case 4:
	case 5:
	case 6:
		if (sent < MESSAGES)
			publish();
		break;
	case 7:
	case 8:
		clock_advance(&b.clock, 1000);
		sessions_second(b.sessions);
		break;
	case 9:
		sessions_flush(b.sessions);
		hub_turn(b.hub); /* handed over; not on disk */
		break;
	case 10:
	case 11:
		if (w->here)
			answers(w, chance(6));
		break;
	default:
		b.hold = chance(4) == 0;
		broker_turn(&b);
		break;
	}
	for (unsigned i = 0; i < WORKERS; i++)
		listens(&worker[i]);
}

/* Everybody is here and answers, until nothing comes any more. */
static void settle(void)
{
	b.hold = false;
	for (unsigned round = 0; round < 100; round++) {
		broker_turn(&b);
		for (unsigned i = 0; i < WORKERS; i++) {
			struct worker *w = &worker[i];
			if (!w->here) {
				come(&w->e, &w->c, &b, &w->wish);
				w->here = true;
			}
			listens(w);
			answers(w, WAITING);
		}
	}
}

static int look(void *arg UNUSED, uint64_t sequence UNUSED, struct span bytes)
{
	struct record r;
	char text[16];
	assert_int_equal(record_read(bytes, true, &r), 0);
	snprintf(text, sizeof(text), "%.*s", (int)r.payload.n, r.payload.p);
	unsigned n = (unsigned)atoi(text);
	bool taken = r.topic.n == 3;
	if (getenv("SESSION_TRACE") && taken && got[n] != 1)
		fprintf(stderr, "# message %u came %u times\n", n, got[n]);
	if (!taken)
		assert_int_equal(got[n], 0);
	else if (kind == AT_LEAST_ONCE)
		assert_true(got[n] >= 1);
	else if (kind == ONCE)
		assert_int_equal(got[n], 1);
	else
		assert_true(got[n] <= 1);
	return 0;
}

static void run(uint64_t seed)
{
	rng = seed * 0x9e3779b97f4a7c15ull + 1;
	kind = (enum kind)(seed % KINDS);
	sent = 0;
	memset(got, 0, sizeof(got));
	memset(worker, 0, sizeof(worker));
	broker_open(&b, scene_conf);
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *w = &worker[i];
		snprintf(w->id, sizeof(w->id), "w%u", i);
		w->wish = (struct wish){
		    .id = w->id, .expiry_s = 100000, .receive_max = i < 2 ? 1 + chance(4) : 0};
	}
	while (!worker[0].subscribed) {
		if (!worker[0].here)
			comes(&worker[0]);
		broker_turn(&b);
		listens(&worker[0]);
	}
	for (unsigned i = 0; i < STEPS; i++)
		step();
	for (unsigned i = 0; i < WORKERS; i++)
		worker[i].wish.clean = false;
	settle();
	struct feed *f = hub_feed(b.hub, SPAN("a"));
	uint64_t next;
	assert_true(f->last > MESSAGES / 4);
	assert_int_equal(store_read(b.store, f->id, 1, SIZE_MAX, look, NULL, &next), 0);
	kill_broker();
	broker_close(&b);
}

static void groups_keep_their_books(void **state UNUSED)
{
	const char *seed = getenv("SESSION_SEED"), *runs = getenv("SESSION_RUNS");
	if (seed) {
		run(strtoull(seed, NULL, 10));
		return;
	}
	unsigned n = runs ? (unsigned)atoi(runs) : 12;
	for (uint64_t i = 1; i <= n; i++) {
		fprintf(stderr, "# SESSION_SEED=%llu\n", (unsigned long long)i);
		run(i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(groups_keep_their_books)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
