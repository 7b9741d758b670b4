/* kill -9 at any moment: each observation of an acknowledged message is in the series, exactly
 * once: as it is, or in the figures of its hour when it came too late. SERIES_KILLS (25),
 * SERIES_SEED. */
#include "unit/random.h"
#include "unit/series/scene.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static const char conf[] = "feed \"k\" { topics = { \"k/{thing}\" } schemas = { "
                           "\"air-quality-observed/1\" } max-age = \"0\" duplicates = keep "
                           "keep-series = \"60d\" keep-rollups = \"1y\" }\n";
enum { THINGS = 7, LATE_HOURS = 5 };
static const int64_t START = 1795521600000 - 20 * 86400000ll, HOUR = 3600000;
static const int64_t LATE = 1795521600000 - 100 * 86400000ll;

/* Record n of the feed says this: everything follows from n. Every ninth comes late. */
static unsigned thing_of(uint64_t n)
{
	return (unsigned)(n % THINGS);
}
static bool is_late(uint64_t n)
{
	return n % 11 == 5;
}
static int64_t time_of(uint64_t n)
{
	if (is_late(n))
		return LATE + (int64_t)(n % LATE_HOURS) * HOUR + (int64_t)(n % 100000) * 30;
	return START + (int64_t)(n % 9 == 0 && n > 500 ? n - 500 : n) * 1000 + (int64_t)(n % 3);
}
static unsigned value_of(uint64_t n)
{
	return (unsigned)(n * 7919 % 900);
}

static void put(struct scene *x, uint64_t n)
{
	char topic[16], payload[128];
	snprintf(topic, sizeof(topic), is_late(n) ? "k/late" : "k/%u", thing_of(n));
	snprintf(payload, sizeof(payload), "{\"dateObserved\":\"%s\",\"pm25\":%u.5}",
	         scene_time(time_of(n)), value_of(n));
	scene_answers = 0;
	scene_put(x, topic, payload);
}

static void open_again(struct scene *x)
{
	broker_build(&x->b);
	scene_series(x);
}

static void close_again(struct scene *x)
{
	scene_lose(x);
	struct hub_hooks none = {.arg = &x->b, .room = broker_room, .record = broker_record};
	hub_set_hooks(x->b.hub, &none);
	broker_stop(&x->b);
}

/* Loads and writes until somebody ends it. */
static void load(struct scene *x)
{
	open_again(x);
	uint64_t n = hub_feed(x->b.hub, SPAN("k"))->last;
	for (;;) {
		unsigned together = 1 + (unsigned)(rnd() % 200);
		for (unsigned i = 0; i < together; i++)
			put(x, ++n);
		scene_turn(x);
		if (rnd() % 8 == 0 && series_flush(x->series))
			_exit(3);
		if (rnd() % 8 == 0) /* late ones join their hours */
			clock_advance(&x->b.clock, (LIMIT_SERIES_EXPIRE_S + 61) * 1000ll);
	}
}

static int by_time(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (x[0] > y[0]) - (x[0] < y[0]);
}

static void check_thing(struct scene *x, unsigned thing, uint64_t last)
{
	char name[8];
	struct points got;
	int64_t(*want)[2] = malloc((last / THINGS + 2) * sizeof(*want));
	size_t n = 0;
	for (uint64_t i = 1; i <= last; i++) {
		if (thing_of(i) != thing || is_late(i))
			continue;
		want[n][0] = time_of(i);
		want[n++][1] = value_of(i);
	}
	qsort(want, n, sizeof(*want), by_time);
	snprintf(name, sizeof(name), "%u", thing);
	struct series_ask a = {.id = scene_stream(x, "k", name, "pm25"),
	                       .from_ms = START,
	                       .to_ms = START + 10 * 86400000ll};
	assert_int_equal(a.id != 0, n != 0);
	if (n) {
		scene_raw(x, a, 1000, &got);
		assert_int_equal(got.n, n);
		double sum[2] = {0, 0};
		for (size_t i = 0; i < n; i++) {
			assert_true(got.p[i].time_ms == want[i][0]);
			sum[0] += got.p[i].number;
			sum[1] += (double)want[i][1] + 0.5;
		}
		assert_true(sum[0] == sum[1]);
		points_done(&got);
	}
	free(want);
}

static void check_late(struct scene *x, uint64_t last)
{
	struct series_bucket want[LATE_HOURS] = {{0}};
	int64_t edges[LATE_HOURS + 1];
	assert_int_equal(series_flush(x->series), 0);
	clock_advance(&x->b.clock, (LIMIT_SERIES_EXPIRE_S + 61) * 1000ll);
	while (series_work(x->series))
		;
	for (uint64_t i = 1; i <= last; i++) {
		if (!is_late(i))
			continue;
		want[i % LATE_HOURS].count++;
		want[i % LATE_HOURS].sum += value_of(i) + 0.5;
	}
	for (int i = 0; i <= LATE_HOURS; i++)
		edges[i] = LATE + i * HOUR;
	struct series_ask a = {.what = SERIES_AGGREGATE,
	                       .id = scene_stream(x, "k", "late", "pm25"),
	                       .edges = edges,
	                       .n_edges = LATE_HOURS + 1};
	if (!a.id)
		return;
	assert_int_equal(series_step(x->series, &a), 0);
	assert_int_equal(a.n, LATE_HOURS);
	for (int i = 0; i < LATE_HOURS; i++) {
		assert_int_equal(a.buckets[i].count, want[i].count);
		assert_true(a.buckets[i].sum == want[i].sum);
	}
	series_ask_done(&a);
}

static void every_kill_keeps_the_books(void **unused UNUSED)
{
	const char *kills = getenv("SERIES_KILLS"), *seed = getenv("SERIES_SEED");
	struct scene x;
	uint64_t last = 0;
	int status;
	state = (seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL)) * 2 + 1;
	fprintf(stderr, "# SERIES_SEED=%llu\n", (unsigned long long)(state / 2));
	scene_open(&x, conf);
	close_again(&x);
	for (int i = 0, most = kills ? atoi(kills) : 25; i < most; i++) {
		unsigned wait_us = (unsigned)(rnd() % 300000);
		state += 2;
		pid_t pid = fork();
		if (pid == 0)
			load(&x);
		usleep(wait_us);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		open_again(&x);
		while (series_work(x.series))
			;
		uint64_t now = hub_feed(x.b.hub, SPAN("k"))->last;
		assert_true(now >= last);
		last = now;
		for (unsigned t = 0; t < THINGS; t++)
			check_thing(&x, t, last);
		check_late(&x, last);
		if (rnd() % 3 == 0)
			assert_int_equal(series_flush(x.series), 0);
		close_again(&x);
	}
	fprintf(stderr, "# %llu records\n", (unsigned long long)last);
	open_again(&x);
	scene_close(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_kill_keeps_the_books)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
