/* test_threads.c - readers on many threads beside the writer. Worth most under MODE=tsan. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 6, ROUNDS = 150, PER_ROUND = 40, FEEDS_LATER = 6 };

struct shared {
	struct store *s;
	uint32_t id;
	_Atomic uint64_t committed, trimmed_before;
	_Atomic bool stop;
	_Atomic unsigned bad, reads;
};

struct look {
	uint64_t next, n;
	bool bad;
};

/* cmocka is not for threads, and neither is record_of(). */
static int look(void *arg, uint64_t sequence, struct span r)
{
	struct look *l = arg;
	char wanted[300];
	fill_record(wanted, 1, sequence, sizeof(wanted));
	l->bad |= r.n != sizeof(wanted) || memcmp(r.p, wanted, sizeof(wanted)) != 0 ||
	          (l->next && sequence != l->next);
	l->next = sequence + 1;
	l->n++;
	return 0;
}

static void *read_on(void *arg)
{
	struct shared *sh = arg;
	unsigned turn = 0;
	while (!atomic_load(&sh->stop)) {
		struct look l = {0};
		uint64_t committed = atomic_load(&sh->committed), next, bytes, records;
		uint64_t from = committed > 100 ? committed - 100 : 1;
		struct store_usage u;
		bool bad = store_read(sh->s, sh->id, from, 1 << 20, look, &l, &next) != 0;
		/* What was committed before the read began is seen by it. */
		bad |= l.bad || (committed && next <= committed);
		if (turn % 7 == 0)
			bad |= store_usage(sh->s, &u) != 0;
		if (turn % 5 == 0)
			bad |= store_feed_bytes(sh->s, sh->id, &records, &bytes) != 0;
		struct buf b;
		buf_init(&b, 100);
		int err = store_get(sh->s, STORE_STATE, SPAN("last"), &b);
		if (!err) {
			uint64_t last;
			memcpy(&last, b.p, sizeof(last));
			bad |= last < committed;
		}
		bad |= err && committed;
		buf_done(&b);
		atomic_fetch_add(&sh->bad, bad);
		atomic_fetch_add(&sh->reads, 1);
		turn++;
	}
	return NULL;
}

static void write_rounds(struct shared *sh)
{
	uint64_t last = 0, first;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct store_txn *t;
		assert_int_equal(store_begin(sh->s, &t), 0);
		for (unsigned i = 0; i < PER_ROUND; i++) {
			last++;
			store_append(t, sh->id, last, record_of(sh->id, last, 300));
		}
		store_put(t, STORE_STATE, SPAN("last"), span_of((char *)&last, sizeof(last)));
		assert_int_equal(store_commit(t, NULL), 0);
		atomic_store(&sh->committed, last);
		if (last > 1000)
			assert_true(store_trim(sh->s, sh->id, last - 1000, 100, false, &first) >=
			            0);
		if (round % (ROUNDS / FEEDS_LATER) == 1) { /* a reload brings a feed */
			char name[16];
			snprintf(name, sizeof(name), "later-%u", round);
			open_feed(sh->s, name);
		}
	}
}

static void readers_see_what_was_committed(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct shared sh = {.s = open_store(dir)};
	pthread_t threads[THREADS];
	sh.id = open_feed(sh.s, "a").id;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_on, &sh), 0);
	write_rounds(&sh);
	atomic_store(&sh.stop, true);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(sh.bad, 0);
	assert_true(sh.reads > THREADS * 3);
	store_close(sh.s);
	remove_dir(dir);
}

/* More threads inside a read at one time than there are transactions: they wait, and all get
 * through. */
enum { CROWD = LIMIT_STORE_READERS + 20 };

static _Atomic unsigned inside;

static int linger(void *arg, uint64_t sequence, struct span r)
{
	(void)sequence, (void)r, (void)arg;
	unsigned n = atomic_fetch_add(&inside, 1) + 1;
	usleep(2000);
	atomic_fetch_sub(&inside, 1);
	return n > LIMIT_STORE_READERS ? -EIO : 1;
}

static void *read_once(void *arg)
{
	struct shared *sh = arg;
	uint64_t next;
	if (store_read(sh->s, sh->id, 1, 100, linger, NULL, &next) != 0)
		atomic_fetch_add(&sh->bad, 1);
	return NULL;
}

static void a_crowd_of_readers_waits_its_turn(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct shared sh = {.s = open_store(dir)};
	pthread_t threads[CROWD];
	struct store_usage u;
	sh.id = open_feed(sh.s, "a").id;
	assert_int_equal(append_some(sh.s, sh.id, 1, 1, 100), 0);
	for (unsigned i = 0; i < CROWD; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_once, &sh), 0);
	for (unsigned i = 0; i < CROWD; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(sh.bad, 0);
	assert_int_equal(store_usage(sh.s, &u), 0);
	assert_in_range(u.readers, 1, LIMIT_STORE_READERS);
	store_close(sh.s);
	remove_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(readers_see_what_was_committed),
	    cmocka_unit_test(a_crowd_of_readers_waits_its_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
