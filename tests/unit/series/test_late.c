/* What comes when it is too old to be kept, and what a shorter keep-series does. */
#include "unit/series/scene.h"

static const char conf[] =
    "feed \"a\" { topics = { \"a/{thing}\" } schemas = { \"air-quality-observed/1\" } bad-time = "
    "flag max-age = \"30d\" keep-series = \"60d\" keep-rollups = \"1y\" }\n";
static const int64_t NOW = 1795521600000, HOUR = 3600000, DAY = 86400000;

static void put(struct scene *x, const char *thing, int64_t ms, double v)
{
	char topic[64], payload[128];
	scene_answers = 0;
	snprintf(topic, sizeof(topic), "a/%s", thing);
	snprintf(payload, sizeof(payload), "{\"dateObserved\":\"%s\",\"pm25\":%.1f}",
	         scene_time(ms), v);
	scene_put(x, topic, payload);
}

static struct series_stream stream(struct scene *x, uint32_t id)
{
	struct series_ask a = {.what = SERIES_STREAMS, .filter = {.stream_id = id}};
	assert_int_equal(series_step(x->series, &a), 0);
	assert_int_equal(a.n, 1);
	struct series_stream s = a.streams[0];
	series_ask_done(&a);
	return s;
}

static struct series_bucket hour(struct scene *x, uint32_t id, int64_t from_ms)
{
	const int64_t edges[] = {from_ms, from_ms + HOUR};
	struct series_ask a = {
	    .what = SERIES_AGGREGATE, .id = id, .edges = edges, .n_edges = ARRAY_LEN(edges)};
	struct series_bucket b = {0};
	do {
		assert_int_equal(series_step(x->series, &a), 0);
		if (a.n)
			b = a.buckets[0];
	} while (a.more);
	series_ask_done(&a);
	return b;
}

static size_t singles(struct scene *x, uint32_t id)
{
	struct points p;
	struct series_ask raw = {.id = id, .from_ms = 0, .to_ms = NOW};
	scene_raw(x, raw, 0, &p);
	size_t n = p.n;
	points_done(&p);
	return n;
}

static void pass(struct scene *x)
{
	clock_advance(&x->b.clock, (LIMIT_SERIES_EXPIRE_S + 61) * 1000ll);
	while (series_work(x->series))
		;
}

/* 60 days are kept, hours a year: what comes later than that counts in the figures of its hour,
 * once, whatever happens meanwhile. */
static void late_ones_join_their_hours(void **unused UNUSED)
{
	struct scene x;
	scene_open(&x, conf);
	const int64_t old = NOW - 70 * DAY, older = NOW - 500 * DAY;
	double sum = 0, min = 1e9, max = -1e9;
	unsigned n = 0;
	put(&x, "1", NOW - HOUR, 7); /* and one that stays */
	for (unsigned round = 0; round < 30; round++) {
		for (unsigned i = 0; i < 3; i++) {
			double v = 20 + n * 7 % 11 + (i == 1 ? 100 - n : n);
			put(&x, "1", old + (n * 137 % 3600) * 1000 + i, v);
			put(&x, "1", older + n * 1000 + i, v);
			sum += v;
			min = fmin(min, v);
			max = fmax(max, v);
			n++;
		}
		scene_turn(&x);
		if (round % 3 == 0)
			scene_crash(&x);
		if (round % 5 == 1)
			assert_int_equal(series_flush(x.series), 0);
		uint32_t id = scene_stream(&x, "a", "1", "pm25");
		assert_int_equal(singles(&x, id), 1);
		if (round % 2 == 0)
			continue;
		assert_int_equal(series_flush(x.series), 0);
		pass(&x);
		if (round % 3)
			scene_crash(&x);
		struct series_bucket b = hour(&x, id, old);
		assert_int_equal(b.count, n);
		assert_true(b.rollup && b.min == min && b.max == max && fabs(b.sum - sum) < 1e-6);
		assert_true(b.first == 20);
		assert_int_equal(hour(&x, id, old + HOUR).count, 0);
		assert_int_equal(hour(&x, id, older).count, 0);
		struct series_stream s = stream(&x, id);
		assert_true(s.count == 1 && s.latest.number == 7);
	}
	scene_close(&x);
}

/* A correction that was made when the hour had its figures is said of what joins them, too. */
static void late_ones_are_corrected_once(void **unused UNUSED)
{
	struct scene x;
	scene_open(&x, conf);
	const int64_t old = NOW - 70 * DAY;
	put(&x, "1", NOW - HOUR, 7);
	for (int round = 0; round < 4; round++) {
		put(&x, "1", old + round * 60000, 10);
		scene_turn(&x);
		uint32_t id = scene_stream(&x, "a", "1", "pm25");
		if (round % 2) { /* before, and after it is in the figures */
			assert_int_equal(series_flush(x.series), 0);
			pass(&x);
		}
		struct series_correction c = {.what = SERIES_CORRECT,
		                              .thing_id = scene_thing(&x, "a", "1"),
		                              .stream_id = id,
		                              .from_ms = old - HOUR,
		                              .to_ms = old + 2 * HOUR,
		                              .factor = 2,
		                              .reason = SPAN("unit"),
		                              .who = SPAN("test")};
		series_correct(x.series, &c);
		assert_int_equal(series_flush(x.series), 0);
		pass(&x);
		assert_int_equal(c.err, 0);
		struct series_bucket b = hour(&x, id, old);
		assert_int_equal(b.count, round + 1);
		double each = 10 * pow(2, round + 1); /* all corrections are about all of them */
		assert_true(b.sum == each * (round + 1) && b.min == each && b.max == each);
		if (round == 1)
			scene_crash(&x);
	}
	scene_close(&x);
}

/* A reload that shortens keep-series is done at once. */
static void a_shorter_time_begins_at_once(void **unused UNUSED)
{
	struct scene x;
	scene_open(&x, conf);
	for (int i = 0; i < 50; i++)
		put(&x, "1", NOW - i * DAY - HOUR, i);
	scene_turn(&x); /* in memory only */
	uint32_t id = scene_stream(&x, "a", "1", "pm25");
	assert_int_equal(stream(&x, id).count, 50);
	struct config_feed *f = x.b.config->feeds;
	assert_string_equal(f->name, "a");
	f->keep_series_s = 10 * 86400;
	series_configure(x.series);
	while (series_work(x.series))
		;
	assert_int_equal(stream(&x, id).count, 10);
	scene_close(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(late_ones_join_their_hours),
	    cmocka_unit_test(late_ones_are_corrected_once),
	    cmocka_unit_test(a_shorter_time_begins_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
