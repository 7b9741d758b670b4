/* Corrections that are one with a commit: kept once, whenever the broker dies. */
#include "unit/series/scene.h"

#include "series/promise.h"

static const char conf[] =
    "feed \"a\" { topics = { \"a/{thing}\" } schemas = { \"air-quality-observed/1\" } max-age = "
    "\"0\" keep-series = \"60d\" }\n";
static const int64_t NOW = 1795521600000; /* the broker's first time */
enum { HOUR = 3600000 };

struct told {
	unsigned n;
	int err;
};

static void tell(void *arg, int err)
{
	struct told *t = arg;
	t->n++;
	t->err = err;
}

static void put(struct scene *x, int64_t ms, double v)
{
	char payload[128];
	snprintf(payload, sizeof(payload), "{\"dateObserved\":\"%s\",\"pm25\":%.1f}",
	         scene_time(ms), v);
	scene_put(x, "a/1", payload);
}

static int count_row(void *arg, struct span key UNUSED, struct span value UNUSED)
{
	++*(unsigned *)arg;
	return 0;
}

static unsigned rows(struct scene *x)
{
	unsigned n = 0;
	assert_int_equal(store_scan(x->b.store, STORE_STATE, SPAN("promise/"), SPAN("promise/"),
	                            SIZE_MAX, count_row, &n),
	                 0);
	return n;
}

static double value_at(struct scene *x, int64_t ms)
{
	struct points p;
	scene_raw(x,
	          (struct series_ask){
	              .id = scene_stream(x, "a", "1", "pm25"), .from_ms = ms, .to_ms = ms + 1},
	          0, &p);
	assert_int_equal(p.n, 1);
	double v = p.p[0].number;
	points_done(&p);
	return v;
}

static struct series_correction to(struct scene *x, struct series_part *part, double v)
{
	*part = (struct series_part){scene_stream(x, "a", "1", "pm25"), SERIES_CORRECT, v, 0};
	return (struct series_correction){.thing_id = scene_thing(x, "a", "1"),
	                                  .part = part,
	                                  .n_parts = 1,
	                                  .from_ms = NOW - HOUR,
	                                  .to_ms = NOW - HOUR + 1,
	                                  .reason = SPAN("x"),
	                                  .who = SPAN("me")};
}

static void work(struct scene *x, struct promises *p)
{
	while (series_work(x->series))
		;
	if (p)
		promises_turn(p); /* its row goes */
	scene_turn(x);
}

static void each_is_kept_once(void **unused UNUSED)
{
	struct scene x;
	struct promises *p;
	struct series_part part;
	struct told told = {0};
	scene_open(&x, conf);
	put(&x, NOW - HOUR, 10);
	scene_turn(&x);
	assert_int_equal(promises_new(x.b.hub, x.series, &p), 0);
	/* nothing happens */
	struct series_correction c = to(&x, &part, 20);
	put(&x, NOW - HOUR + 1000, 1);
	promise_make(p, &c, tell, &told);
	promises_turn(p); /* not committed: it does nothing */
	assert_true(value_at(&x, NOW - HOUR) == 10);
	scene_turn(&x);
	assert_int_equal(rows(&x), 1);
	assert_true(!told.n && value_at(&x, NOW - HOUR) == 10);
	promises_turn(p);
	work(&x, p);
	assert_true(told.n == 1 && !told.err && value_at(&x, NOW - HOUR) == 20);
	assert_int_equal(rows(&x), 0);
	/* death behind the commit */
	c = to(&x, &part, 30);
	promise_make(p, &c, tell, &told);
	scene_turn(&x);
	promises_free(p);
	scene_crash(&x);
	assert_true(value_at(&x, NOW - HOUR) == 20);
	assert_int_equal(promises_new(x.b.hub, x.series, &p), 0);
	promises_turn(p);
	work(&x, p);
	assert_true(told.n == 1 && value_at(&x, NOW - HOUR) == 30);
	assert_int_equal(rows(&x), 0);
	/* death when the series have it, and the row is still there; meanwhile it is another one */
	c = to(&x, &part, 40);
	promise_make(p, &c, NULL, NULL);
	scene_turn(&x);
	promises_free(p);
	c.promise = 3;
	series_correct(x.series, &c);
	work(&x, NULL);
	assert_true(!c.err && value_at(&x, NOW - HOUR) == 40);
	c = to(&x, &part, 50);
	series_correct(x.series, &c);
	work(&x, NULL);
	scene_crash(&x);
	assert_int_equal(rows(&x), 1);
	assert_int_equal(promises_new(x.b.hub, x.series, &p), 0);
	promises_turn(p);
	work(&x, p);
	assert_true(value_at(&x, NOW - HOUR) == 50);
	assert_int_equal(rows(&x), 0);
	promises_free(p);
	scene_close(&x);
}

static void a_trial_writes_nothing(void **unused UNUSED)
{
	struct scene x;
	struct series_part part;
	scene_open(&x, conf);
	put(&x, NOW - HOUR, 10);
	scene_turn(&x);
	struct series_correction c = to(&x, &part, 20);
	c.trial = true;
	series_correct(x.series, &c);
	work(&x, NULL);
	assert_true(!c.err && value_at(&x, NOW - HOUR) == 10);
	c.ahead = LIMIT_SERIES_AMENDS;
	series_correct(x.series, &c);
	work(&x, NULL);
	assert_int_equal(c.err, ERR_TOO_LARGE);
	c.ahead = 0;
	part.what = SERIES_MOVE; /* where nothing stands yet */
	c.moved_ms = NOW - 2 * HOUR;
	series_correct(x.series, &c);
	work(&x, NULL);
	assert_int_equal(c.err, 0);
	c.trial = false;
	series_correct(x.series, &c);
	work(&x, NULL);
	assert_int_equal(c.err, ERR_NOT_FOUND);
	scene_close(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_is_kept_once),
	    cmocka_unit_test(a_trial_writes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
