/* test_crash.c - kill -9 at any moment: what was reported as committed is there, and nothing is
 * torn.
 *
 * A child appends, trims and changes a table, and writes what each commit made true into a pipe
 * after store_commit() returned 0. The parent kills it at a random moment, reads the pipe to its
 * end, opens the store (which walks it: it was not closed) and compares. */
#include "fixture.h"

#include <fcntl.h>
#include <time.h>

enum { ROUNDS = 25, FEEDS = 5, KEEP = 3000 };

struct report {
	uint64_t commit, last[FEEDS], first[FEEDS]; /* first: deleted for certain before it */
};

static bool whole(struct span r)
{
	uint64_t head[2];
	memcpy(head, r.p, sizeof(head));
	struct span wanted = record_of((uint32_t)head[0], head[1], r.n);
	return memcmp(r.p, wanted.p, r.n) == 0;
}

static struct store *open_walked(const char *dir)
{
	struct store *s = NULL;
	struct store_options o = options(dir);
	o.check = whole;
	if (open_with(&o, &s) != 0)
		fail_msg("store_open: %s", why);
	return s;
}

static uint64_t rng(uint64_t *r)
{
	*r ^= *r << 13;
	*r ^= *r >> 7;
	*r ^= *r << 17;
	return *r;
}

static void write_on(const char *dir, int fd, uint64_t seed)
{
	struct store *s = open_walked(dir);
	struct report r = {0};
	for (unsigned f = 0; f < FEEDS; f++) {
		struct store_feed feed;
		char name[16];
		snprintf(name, sizeof(name), "feed-%u", f);
		if (store_feed_open(s, span_str(name), 1000, &feed) != 0)
			_exit(2);
		r.last[f] = feed.last;
		r.first[f] = feed.first;
	}
	for (;;) {
		struct store_txn *t;
		if (store_begin(s, &t) != 0)
			_exit(3);
		for (unsigned n = (unsigned)(1 + rng(&seed) % 60); n; n--) {
			unsigned f = (unsigned)(rng(&seed) % FEEDS);
			size_t bytes = rng(&seed) % 20 ? 200 : 5000;
			r.last[f]++;
			store_append(t, f + 1, r.last[f], record_of(f + 1, r.last[f], bytes));
		}
		r.commit = store_txn_commit(t);
		store_put(t, STORE_STATE, SPAN("last"), span_of((char *)r.last, sizeof(r.last)));
		if (store_commit(t, NULL) != 0)
			_exit(4);
		unsigned f = (unsigned)(rng(&seed) % FEEDS);
		if (r.last[f] > KEEP + r.first[f] &&
		    store_trim(s, f + 1, r.last[f] - KEEP, 100, false, &r.first[f]) < 0)
			_exit(5);
		if (write(fd, &r, sizeof(r)) != sizeof(r))
			_exit(6);
	}
}

static struct report run_and_kill(const char *dir, uint64_t *seed, const struct report *before)
{
	int ends[2], status;
	struct report r = *before, got;
	assert_int_equal(pipe(ends), 0);
	/* Nobody reads until the child is dead. */
	assert_in_range(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20), 1 << 20, 1 << 30);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		write_on(dir, ends[1], rng(seed));
	}
	close(ends[1]);
	uint64_t us = 20000 + rng(seed) % 150000; /* some while it still opens and walks */
	const struct timespec t = {0, (long)us * 1000};
	nanosleep(&t, NULL);
	kill(pid, SIGKILL);
	while (read(ends[0], &got, sizeof(got)) == sizeof(got))
		r = got;
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return r;
}

static void what_was_reported_is_there(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct report r = {0};
	uint64_t seed = (uint64_t)time(NULL) * 2654435761u | 1, commits = 0;
	print_message("# seed %llu\n", (unsigned long long)seed);
	for (unsigned round = 0; round < ROUNDS; round++) {
		r = run_and_kill(dir, &seed, &r);
		struct store *s = open_walked(dir);
		uint64_t commit = store_last_commit(s), state_last[FEEDS] = {0};
		/* One more may have been committed whose report did not come. */
		assert_in_range(commit, r.commit, r.commit + 1);
		struct buf b;
		buf_init(&b, 1000);
		if (store_get(s, STORE_STATE, SPAN("last"), &b) == 0) {
			assert_int_equal(b.len, sizeof(state_last));
			memcpy(state_last, b.p, sizeof(state_last));
		} else {
			assert_int_equal(commit, 0);
		}
		buf_done(&b);
		for (unsigned f = 0; commit && f < FEEDS; f++) {
			struct seen seen = read_all(s, f + 1);
			/* Records and state are of one commit. */
			assert_true(seen.n == 0 || seen.last == state_last[f]);
			assert_true(state_last[f] >= r.last[f]);
			assert_true(seen.n == 0 || seen.first >= r.first[f]);
			assert_true(seen.n >= MIN_OF(state_last[f], (uint64_t)KEEP));
			r.last[f] = state_last[f];
		}
		commits += commit - commits;
		r.commit = commit;
		store_close(s);
		if (round % 2) /* half of the rounds begin after another unclean end */
			unlink(path_in(dir, "clean"));
	}
	assert_true(commits > ROUNDS * 5);
	remove_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_reported_is_there)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
