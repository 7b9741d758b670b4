/* Stuck, spike, implausible and skewed, with and without a crash after every observation; and what
 * people are told. */
#include "unit/series/scene.h"

#include "series/news.h"

#include <sys/stat.h>

static const int64_t NOW = 1795521600000, HOUR = 3600000;

static const char doubtful[] = "feed \"q\" { topics = { \"q/{thing}\" } schemas = { \"judged/1\" } "
                               "max-age = \"0\" bad-time = flag "
                               "max-future = \"1y\" stuck-after = \"30m\" max-skew = \"2m\" }\n";
static const char judged[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\","
    "\"properties\":{\"t\":{\"type\":\"string\",\"x-oudp\":{\"role\":\"time\",\"time\":\"rfc3339\"}"
    "},"
    "\"v\":{\"type\":\"number\",\"x-oudp\":{\"role\":\"result\",\"observedProperty\":\"http://"
    "example.org/v\","
    "\"unit\":\"1\",\"plausible\":[0,100],\"spike\":20}},"
    "\"w\":{\"type\":\"number\",\"x-oudp\":{\"role\":\"result\",\"observedProperty\":\"http://"
    "example.org/w\","
    "\"unit\":\"1\",\"stuck\":7200}}}}";

static void put_judged(struct scene *x, int64_t ms, double v, double w)
{
	char payload[128];
	scene_answers = 0;
	snprintf(payload, sizeof(payload), "{\"t\":\"%s\",\"v\":%g,\"w\":%g}", scene_time(ms), v,
	         w);
	scene_put(x, "q/1", payload);
	scene_turn(x);
}

/* The flags of all observations of a member, in order of time. */
static size_t flags_of(struct scene *x, const char *member, uint16_t ret[64])
{
	struct points p;
	struct series_ask a = {
	    .id = scene_stream(x, "q", "1", member), .from_ms = 0, .to_ms = INT64_MAX};
	size_t n;
	scene_raw(x, a, 0, &p);
	assert_true(p.n <= 64);
	for (n = 0; n < p.n; n++)
		ret[n] = p.p[n].flags;
	points_done(&p);
	return n;
}

static void open_with_schema(struct scene *x, char dir[64], const char *schema, const char *conf)
{
	char path[128];
	snprintf(dir, 64, "/tmp/oudp-judged-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/judged", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/judged/1", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/judged/1/schema.json", dir);
	FILE *f = fopen(path, "w");
	assert_true(f && fputs(schema, f) >= 0 && fclose(f) == 0);
	*x = (struct scene){0};
	broker_open_with(&x->b, conf, dir);
	scene_series(x);
}

static void open_judged(struct scene *x, char dir[64])
{
	open_with_schema(x, dir, judged, doubtful);
}

static void close_judged(struct scene *x, const char *dir)
{
	char cmd[96];
	scene_close(x);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	assert_int_equal(system(cmd), 0);
}

/* The same with and without a crash, and a write, after every observation. */
static void judging_survives(unsigned how)
{
	static const double v[] = {10, 12, 45, 11, 13, 60, 62, 61, 61, 61, 61, 61, 150, 61, 62};
	enum { N = ARRAY_LEN(v) };
	const uint16_t want[N] = {[2] = POINT_SPIKE,
	                          [5] = POINT_SPIKE, /* and 62 near it: a new level */
	                          [10] = POINT_STUCK,
	                          [11] = POINT_STUCK,
	                          [12] = POINT_SPIKE | POINT_IMPLAUSIBLE};
	struct scene x;
	char dir[64];
	uint16_t got[64];
	open_judged(&x, dir);
	for (unsigned i = 0; i < N; i++) {
		put_judged(&x, NOW + i * 600000, v[i], 5);
		if (how == 1 || (how == 2 && i % 3 == 1))
			assert_int_equal(series_flush(x.series), 0);
		if (how >= 1)
			scene_crash(&x);
	}
	assert_int_equal(flags_of(&x, "v", got), N);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(got[i] & ~POINT_FUTURE & ~POINT_SKEWED, want[i]);
	assert_int_equal(flags_of(&x, "w", got), N);
	for (unsigned i = 0; i < N; i++) /* its schema says two hours */
		assert_int_equal(got[i] & POINT_STUCK, i >= 12 ? POINT_STUCK : 0);
	close_judged(&x, dir);
}

static void odd_values_are_flagged(void **unused UNUSED)
{
	for (unsigned how = 0; how < 4; how++)
		judging_survives(how);
}

/* A clock that is off shows when a device reports live; what was kept and comes later is no sign
 * of it. */
static void skewed_clocks_are_flagged(void **unused UNUSED)
{
	struct scene x;
	char dir[64];
	uint16_t got[64];
	open_judged(&x, dir);
	for (int i = 0; i < 6; i++) { /* kept: a minute apart, all sent now */
		put_judged(&x, NOW - HOUR + i * 60000, 10, i);
	}
	for (int i = 0; i < 4; i++) { /* live, right */
		clock_advance(&x.b.clock, 60000);
		put_judged(&x, clock_wall_ms(&x.b.clock) - 500, 10, i);
	}
	for (int i = 0; i < 4; i++) { /* live, ten minutes ahead */
		clock_advance(&x.b.clock, 60000);
		put_judged(&x, clock_wall_ms(&x.b.clock) + 600000, 10, i);
	}
	assert_int_equal(flags_of(&x, "w", got), 14);
	for (int i = 0; i < 14; i++)
		assert_int_equal(got[i] & POINT_SKEWED, i > 10 ? POINT_SKEWED : 0);
	close_judged(&x, dir);
}

static size_t news(struct scene *x, enum news_kind kind, struct news *ret)
{
	struct news all[LIMIT_QUALITY_NEWS];
	size_t n = series_news(x->series, all, ARRAY_LEN(all)), found = 0;
	for (size_t i = 0; i < n; i++)
		if (all[i].kind == kind) {
			*ret = all[i];
			found++;
		}
	return found;
}

static void people_are_told(void **unused UNUSED)
{
	struct scene x;
	char dir[64];
	struct news n;
	open_judged(&x, dir);
	int64_t t = NOW;
	for (int i = 0; i < 40; i++)
		put_judged(&x, t += 1000, i % 3 ? 50 + i % 2 : 101 + i % 2, i);
	assert_int_equal(news(&x, NEWS_IMPLAUSIBLE, &n), 1);
	assert_int_equal(n.share, LIMIT_QUALITY_SHARE);
	assert_int_equal(n.stream, scene_stream(&x, "q", "1", "v"));
	assert_int_equal(series_flush(x.series), 0);
	scene_crash(&x); /* what was told is not told again */
	for (int i = 0; i < 6; i++)
		put_judged(&x, t += 1000, i % 3 ? 50 : 101, i);
	assert_int_equal(news(&x, NEWS_IMPLAUSIBLE, &n), 0);
	for (int i = 0; i < 40; i++)
		put_judged(&x, t += 1000, 60, i);
	assert_int_equal(news(&x, NEWS_PLAUSIBLE, &n), 1);
	put_judged(&x, t += 1000, 90, 1); /* alone: a spike */
	put_judged(&x, t += 1000, 61, 1);
	put_judged(&x, t += 1000, 61, 1);
	assert_int_equal(news(&x, NEWS_JUMP, &n), 0);
	put_judged(&x, t += 1000, 90, 1);
	put_judged(&x, t += 1000, 91, 1);
	assert_int_equal(news(&x, NEWS_JUMP, &n), 1);
	assert_true(n.to == 91 && n.spike == 20 && n.time_ms == t);
	for (unsigned i = 0; i < 3 * LIMIT_QUALITY_NEWS; i++) /* nobody takes them */
		put_judged(&x, t += 1000, i / 2 % 2 ? 90 : 60, i);
	struct series_stats st;
	series_stats(x.series, &st);
	assert_true(st.news_left_out > 0);
	close_judged(&x, dir);
}

/* ---- a device whose clock is wrong ---- */

static const char buffering[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\","
    "\"properties\":{\"list\":{\"type\":\"array\",\"x-oudp\":{\"role\":\"item\"},\"items\":{"
    "\"type\":\"object\",\"properties\":{"
    "\"t\":{\"type\":\"string\",\"x-oudp\":{\"role\":\"time\",\"time\":\"rfc3339\"}},"
    "\"v\":{\"type\":\"number\",\"x-oudp\":{\"role\":\"result\",\"observedProperty\":"
    "\"http://example.org/v\",\"unit\":\"1\"}}}}},"
    "\"t\":{\"type\":\"string\",\"x-oudp\":{\"role\":\"time\",\"time\":\"rfc3339\"}},"
    "\"v\":{\"type\":\"number\",\"x-oudp\":{\"role\":\"result\",\"observedProperty\":"
    "\"http://example.org/v\",\"unit\":\"1\"}}}}";
static const char three[] =
    "feed \"refuse\" { topics = { \"refuse/{thing}\" } schemas = { \"judged/1\" } }\n"
    "feed \"received\" { topics = { \"received/{thing}\" } schemas = { \"judged/1\" } bad-time = "
    "received duplicates = keep }\n"
    "feed \"flag\" { topics = { \"flag/{thing}\" } schemas = { \"judged/1\" } bad-time = flag "
    "keep-series = \"0\" }\n";

static unsigned refused;
static void on_wrong(const struct answer *a, int err)
{
	assert_int_equal(err, 0);
	refused += a->verdict == VERDICT_REFUSED;
	if (a->verdict == VERDICT_REFUSED)
		assert_non_null(strstr(a->reason, "time "));
}

static struct points series_of(struct scene *x, const char *feed)
{
	struct points p;
	struct series_ask a = {
	    .id = scene_stream(x, feed, "1", "v"), .from_ms = -HOUR, .to_ms = INT64_MAX};
	points_init(&p, SIZE_MAX);
	if (a.id)
		scene_raw(x, a, 0, &p);
	return p;
}

/* 1970 until the clock is set, and a year off: alone, and among readings that were kept. */
static void wrong_clocks(void **unused UNUSED)
{
	static const char *const feeds[] = {"refuse", "received", "flag"};
	const char *const wrong[] = {"1970-01-01T00:00:07Z", "2025-11-24T12:00:00Z",
	                             "2027-11-24T12:00:00Z"};
	struct scene x;
	char dir[64], topic[32], payload[256];
	open_with_schema(&x, dir, buffering, three);
	for (unsigned f = 0; f < ARRAY_LEN(feeds); f++) {
		refused = 0;
		snprintf(topic, sizeof(topic), "%s/1", feeds[f]);
		for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
			snprintf(payload, sizeof(payload), "{\"t\":\"%s\",\"v\":1}", wrong[i]);
			assert_int_equal(broker_put(&x.b, topic, payload, on_wrong), 0);
			snprintf(payload, sizeof(payload),
			         "{\"t\":\"%s\",\"list\":[{\"t\":\"%s\",\"v\":2},{\"t\":\"%s\","
			         "\"v\":%u}]}",
			         scene_time(NOW), wrong[i], scene_time(NOW - 60000 * (i + 1)),
			         3 + i);
			assert_int_equal(broker_put(&x.b, topic, payload, on_wrong), 0);
		}
		scene_turn(&x);
		assert_int_equal(refused, f == 0 ? 6 : 0);
		struct points p = series_of(&x, feeds[f]);
		unsigned late = 0, future = 0, now = 0;
		for (size_t i = 0; i < p.n; i++) {
			late += !!(p.p[i].flags & POINT_LATE);
			future += !!(p.p[i].flags & POINT_FUTURE);
			now += p.p[i].time_ms >= NOW && p.p[i].time_ms < NOW + HOUR;
		}
		assert_int_equal(p.n, f == 0 ? 0 : f == 1 ? 9 : 6); /* flag: equal times are one */
		assert_int_equal(late, f == 2 ? 2 : 0);
		assert_int_equal(future, f == 2 ? 1 : 0);
		assert_int_equal(now, f == 1 ? 6 : 0);
		points_done(&p);
	}
	close_judged(&x, dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(odd_values_are_flagged),
	    cmocka_unit_test(skewed_clocks_are_flagged),
	    cmocka_unit_test(people_are_told),
	    cmocka_unit_test(wrong_clocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
