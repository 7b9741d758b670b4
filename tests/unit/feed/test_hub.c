/* The log and its readers: sequences, ring, disk, gaps, epochs, a full store, against a real store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/broker.h"

#include "base/limits.h"
#include "feed/cursor.h"

static const char conf[] =
    "feed \"a\" { topics = { \"a/{thing}\" } schemas = { \"any\" } }\n"
    "feed \"b\" { topics = { \"b/{thing}\" } schemas = { \"any\" } priority = urgent }\n";

static unsigned answers, answers_full;
static uint64_t last_answer;

static void on_answer(const struct answer *a, int err)
{
	answers++;
	answers_full += err == ERR_STORE_FULL;
	last_answer = a->sequence;
}

static int put(struct broker *b, const char *topic, const char *payload)
{
	return broker_put(b, topic, payload, on_answer);
}

static void put_many(struct broker *b, const char *topic, unsigned n)
{
	char payload[64];
	for (unsigned i = 0; i < n; i++) {
		snprintf(payload, sizeof(payload), "{\"n\":%u}", i);
		while (put(b, topic, payload) == ERR_AGAIN)
			broker_turn(b);
	}
	broker_turn(b);
}

static unsigned wakes;
static void on_wake(struct cursor *c UNUSED)
{
	wakes++;
}

/* Reads to the head; checks that sequences are dense from `from`. Returns the records seen. */
static unsigned read_all(struct broker *b, struct cursor *c, uint64_t from)
{
	struct record r;
	unsigned n = 0;
	for (;;) {
		enum cursor_state s = cursor_next(c, &r);
		if (s == CURSOR_RECORD) {
			assert_true(r.sequence == from + n);
			n++;
		} else if (s == CURSOR_WAIT) {
			broker_work(b);
		} else {
			assert_int_equal(s, CURSOR_HEAD);
			return n;
		}
	}
}

static void an_answer_comes_after_the_commit(void **state UNUSED)
{
	struct broker b;
	broker_open(&b, conf);
	answers = 0;
	b.hold = true;
	assert_int_equal(put(&b, "a/1", "{}"), 0);
	hub_turn(b.hub);
	assert_int_equal(b.n_todo, 1); /* the writer has it */
	assert_int_equal(answers, 0);
	assert_true(hub_feed(b.hub, SPAN("a"))->last == 0);
	broker_work(&b);
	assert_int_equal(answers, 1);
	assert_true(last_answer == 1 && hub_feed(b.hub, SPAN("a"))->last == 1);
	broker_close(&b);
}

static void a_cursor_goes_from_disk_to_ring_to_live(void **state UNUSED)
{
	struct broker b;
	struct cursor c;
	struct record r;
	broker_open(&b, conf);
	put_many(&b, "a/1", 3000);
	broker_restart(&b); /* the ring is empty now */
	struct feed *f = hub_feed(b.hub, SPAN("a"));
	assert_true(f->last == 3000 && f->ring_first == 3001);
	put_many(&b, "a/2", 100);
	cursor_open_after(&c, b.hub, f, 0, 0);
	c.wake = on_wake;
	assert_int_equal(read_all(&b, &c, 1), 3100);
	wakes = 0;
	put_many(&b, "a/3", 1);
	assert_int_equal(wakes, 1);
	assert_int_equal(cursor_next(&c, &r), CURSOR_RECORD);
	assert_true(r.sequence == 3101);
	assert_memory_equal(r.thing.p, "3", 1);
	cursor_close(&c);
	broker_close(&b);
}

static void a_trim_makes_a_gap_that_is_told(void **state UNUSED)
{
	struct broker b;
	struct cursor c;
	struct record r;
	broker_open(&b, conf);
	put_many(&b, "a/1", 500);
	broker_restart(&b);
	struct feed *f = hub_feed(b.hub, SPAN("a"));
	uint64_t first;
	assert_int_equal(store_trim(b.store, f->id, 201, 1000, false, &first), 200);
	assert_true(first == 201);
	f->first = 201;
	cursor_open_after(&c, b.hub, f, 0, 100);
	c.wake = on_wake;
	assert_int_equal(cursor_next(&c, &r), CURSOR_GAP);
	assert_true(c.gap_from == 101 && c.gap_to == 200 && c.gap_why == CURSOR_GAP_EXPIRED);
	assert_int_equal(read_all(&b, &c, 201), 300);
	cursor_close(&c);
	broker_close(&b);
}

static void cursors_of_other_epochs(void **state UNUSED)
{
	struct broker b;
	struct cursor c;
	struct record r;
	broker_open(&b, conf);
	put_many(&b, "a/1", 10);
	struct feed *f = hub_feed(b.hub, SPAN("a"));
	/* As after a restore of a backup that ended at 10: a new epoch begins at 11. */
	uint32_t old = f->epoch;
	f->epochs[f->n_epochs++] = (struct store_epoch){old + 5, 11};
	f->epoch = old + 5;
	put_many(&b, "a/1", 5);
	cursor_open_after(&c, b.hub, f, old, 8); /* saw nothing that was lost */
	c.wake = on_wake;
	assert_int_equal(read_all(&b, &c, 9), 7);
	cursor_close(&c);
	cursor_open_after(&c, b.hub, f, old, 20); /* saw 11..20 of the lost time */
	c.wake = on_wake;
	assert_int_equal(cursor_next(&c, &r), CURSOR_GAP);
	assert_true(c.gap_why == CURSOR_GAP_REWOUND && c.gap_from == 11 && c.gap_to == 20);
	assert_int_equal(read_all(&b, &c, 11), 5);
	cursor_close(&c);
	cursor_open_after(&c, b.hub, f, 1, 3); /* an epoch nobody knows */
	c.wake = on_wake;
	assert_int_equal(cursor_next(&c, &r), CURSOR_GAP);
	assert_int_equal(c.gap_why, CURSOR_GAP_RECREATED);
	cursor_close(&c);
	cursor_open_after(&c, b.hub, f, 0, 1000); /* beyond what is there */
	c.wake = on_wake;
	assert_int_equal(cursor_next(&c, &r), CURSOR_GAP);
	assert_int_equal(c.gap_why, CURSOR_GAP_REWOUND);
	cursor_close(&c);
	broker_close(&b);
}

static void since_finds_the_first_record_of_its_time(void **state UNUSED)
{
	struct broker b;
	struct cursor c;
	struct record r;
	broker_open(&b, conf);
	for (int i = 0; i < 50; i++) {
		clock_advance(&b.clock, 1000);
		put_many(&b, "a/1", 10);
	}
	int64_t t = clock_wall_ms(&b.clock) - 10 * 1000;
	cursor_open_since(&c, b.hub, hub_feed(b.hub, SPAN("a")), t);
	c.wake = on_wake;
	assert_int_equal(cursor_next(&c, &r), CURSOR_WAIT);
	broker_work(&b);
	assert_int_equal(cursor_next(&c, &r), CURSOR_RECORD);
	assert_true(r.stored_ms >= t && r.stored_ms < t + 1000 && r.sequence % 10 == 1);
	cursor_close(&c);
	/* closed while the lookup runs */
	cursor_open_since(&c, b.hub, hub_feed(b.hub, SPAN("a")), t);
	cursor_close(&c);
	broker_close(&b);
}

static void many_cursors_against_a_list(void **state UNUSED)
{
	enum { CURSORS = 20, ROUNDS = 400 };
	struct broker b;
	struct cursor c[CURSORS];
	uint64_t at[CURSORS];
	unsigned seed = 4711;
	broker_open(&b, conf);
	put_many(&b, "a/1", 2000);
	broker_restart(&b);
	struct feed *f = hub_feed(b.hub, SPAN("a"));
	for (int i = 0; i < CURSORS; i++) {
		at[i] = (uint64_t)i * 100;
		cursor_open_after(&c[i], b.hub, f, 0, at[i]);
		c[i].wake = on_wake;
	}
	for (int round = 0; round < ROUNDS; round++) {
		seed = seed * 1103515245u + 12345u;
		int i = (int)((seed >> 8) % CURSORS);
		if ((seed >> 20) % 5 == 0)
			put_many(&b, "a/9", (seed >> 23) % 40);
		struct record r;
		for (unsigned n = (seed >> 16) % 300; n; n--) {
			enum cursor_state s = cursor_next(&c[i], &r);
			if (s == CURSOR_RECORD)
				assert_true(r.sequence == ++at[i]);
			else if (s == CURSOR_WAIT)
				broker_work(&b);
			else
				break;
		}
	}
	for (int i = 0; i < CURSORS; i++) {
		read_all(&b, &c[i], at[i] + 1);
		assert_true(c[i].next == f->last + 1);
		cursor_close(&c[i]);
	}
	broker_close(&b);
}

static void storedTime_never_goes_back(void **state UNUSED)
{
	struct broker b;
	struct cursor c;
	struct record r;
	broker_open(&b, conf);
	put_many(&b, "a/1", 1);
	clock_advance(&b.clock, -3600000); /* the administrator sets the clock back */
	put_many(&b, "a/1", 1);
	broker_restart(&b);
	put_many(&b, "a/1", 1);
	cursor_open_after(&c, b.hub, hub_feed(b.hub, SPAN("a")), 0, 0);
	c.wake = on_wake;
	int64_t before = 0;
	for (int i = 0; i < 3; i++) {
		enum cursor_state s;
		while ((s = cursor_next(&c, &r)) == CURSOR_WAIT)
			broker_work(&b);
		assert_int_equal(s, CURSOR_RECORD);
		assert_true(r.stored_ms >= before);
		before = r.stored_ms;
	}
	cursor_close(&c);
	broker_close(&b);
}

static void the_batch_keeps_room_for_urgent_feeds(void **state UNUSED)
{
	struct broker b;
	broker_open(&b, conf);
	b.hold = true;
	unsigned n = 0;
	put(&b, "a/1", "{}");
	hub_turn(b.hub); /* the writer is busy from here on */
	while (put(&b, "a/1", "{}") == 0)
		n++;
	assert_true(n > 1000 && n < LIMIT_BATCH_RECORDS);
	assert_int_equal(put(&b, "b/1", "{}"), 0); /* urgent still fits */
	broker_close(&b);
}

static void retention_ends_with_the_intake(void **state UNUSED)
{
	struct broker b;
	broker_open(&b, conf);
	b.hold = true;
	put(&b, "a/1", "{}");
	hub_retention(b.hub);
	assert_true(b.n_todo > 0); /* a step is with the writer */
	hub_close_intake(b.hub);
	struct job *step = b.todo[b.n_todo - 1];
	b.n_todo--;
	step->work(step);
	step->done(step);
	assert_int_equal(b.n_todo, 0); /* and no further one: AddressSanitizer sees what is lost */
	hub_retention(b.hub);
	assert_int_equal(b.n_todo, 0);
	broker_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_comes_after_the_commit),
	    cmocka_unit_test(a_cursor_goes_from_disk_to_ring_to_live),
	    cmocka_unit_test(a_trim_makes_a_gap_that_is_told),
	    cmocka_unit_test(cursors_of_other_epochs),
	    cmocka_unit_test(since_finds_the_first_record_of_its_time),
	    cmocka_unit_test(many_cursors_against_a_list),
	    cmocka_unit_test(storedTime_never_goes_back),
	    cmocka_unit_test(the_batch_keeps_room_for_urgent_feeds),
	    cmocka_unit_test(retention_ends_with_the_intake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
