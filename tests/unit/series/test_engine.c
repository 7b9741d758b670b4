/* What the engine does beside answering: clocks, places, the end of keep-series, damage, a journal
 * that was trimmed or replaced, copies. */
#include "unit/series/scene.h"

#include "series/chunks.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

static const char conf[] =
    "feed \"a\" { topics = { \"a/{thing}\" } schemas = { \"air-quality-observed/1\" } bad-time = "
    "flag "
    "max-age = \"30d\" keep-series = \"60d\" keep-rollups = \"1y\" cadence = \"10m\" }\n"
    "feed \"p\" { topics = { \"p/{thing}\" } schemas = { \"parking-spot/1\" } }\n"
    "feed \"m\" { topics = { \"m/{thing}\" } schemas = { \"any\" } decode = senml max-age = \"0\" "
    "}\n";
static const char small[] =
    "feed \"a\" { topics = { \"a/{thing}\" } schemas = { \"air-quality-observed/1\" } "
    "keep-messages-max = \"1MiB\" }\n";
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

static void put_at(struct scene *x, const char *thing, int64_t ms, double v, double lat, double lon)
{
	char topic[64], payload[256];
	scene_answers = 0;
	snprintf(topic, sizeof(topic), "a/%s", thing);
	snprintf(payload, sizeof(payload),
	         "{\"dateObserved\":\"%s\",\"pm25\":%.1f,\"location\":{\"type\":\"Point\","
	         "\"coordinates\":[%.5f,%.5f]}}",
	         scene_time(ms), v, lon, lat);
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

static size_t count(struct scene *x, struct series_filter f, enum series_what what)
{
	size_t n = 0;
	struct series_ask a = {.what = what, .filter = f, .limit = 2};
	do {
		assert_int_equal(series_step(x->series, &a), 0);
		n += a.n;
	} while (a.more);
	series_ask_done(&a);
	return n;
}

static void latest_is_the_newest_observed(void **unused UNUSED)
{
	struct scene x;
	scene_open(&x, conf);
	put(&x, "1", NOW - HOUR, 1);
	put(&x, "1", NOW - 2 * HOUR, 2);   /* came later, is older */
	put(&x, "1", NOW + 300 * DAY, 3);  /* a clock that is a year off */
	put(&x, "1", NOW - 40 * DAY, 4);   /* late */
	put(&x, "1", NOW - 3 * HOUR, 500); /* not plausible, but allowed */
	scene_turn(&x);
	for (int disk = 0; disk < 3; disk++) {
		struct series_stream s = stream(&x, scene_stream(&x, "a", "1", "pm25"));
		assert_true(s.has_latest && s.latest.number == 1);
		assert_true(s.has_future && s.future.number == 3);
		assert_true(s.future.flags == POINT_FUTURE);
		assert_int_equal(s.count, 5);
		assert_int_equal(s.cadence_s, 600);
		struct series_ask a = {.id = s.id, .from_ms = 0, .to_ms = NOW + 400 * DAY};
		struct points p;
		scene_raw(&x, a, 0, &p);
		assert_int_equal(p.n, 5);
		assert_true(p.p[0].flags == POINT_LATE && p.p[0].number == 4);
		assert_true(p.p[1].flags == POINT_IMPLAUSIBLE && p.p[1].number == 500);
		assert_true(p.p[2].flags == 0 && p.p[4].flags == POINT_FUTURE);
		points_done(&p);
		if (disk == 0)
			assert_int_equal(series_flush(x.series), 0);
		else
			scene_crash(&x);
	}
	scene_close(&x);
}

static void texts_and_units(void **unused UNUSED)
{
	struct scene x;
	scene_open(&x, conf);
	scene_answers = 0;
	scene_put(&x, "p/9", "{\"dateObserved\":\"2026-11-24T11:00:00Z\",\"status\":\"free\"}");
	scene_put(&x, "p/9", "{\"dateObserved\":\"2026-11-24T11:10:00Z\",\"status\":\"occupied\"}");
	scene_put(
	    &x, "m/s",
	    "[{\"n\":\"t\",\"u\":\"Cel\",\"v\":21.5,\"t\":1795521500},{\"n\":\"on\",\"vb\":true,"
	    "\"t\":1795521500}]");
	scene_turn(&x);
	for (int disk = 0; disk < 2; disk++) {
		struct series_ask a = {.what = SERIES_STREAMS, .filter = {.feed = SPAN("p")}};
		assert_int_equal(series_step(x.series, &a), 0);
		assert_int_equal(a.n, 1);
		assert_true(a.streams[0].latest.kind == POINT_TEXT);
		if (!span_is(a.streams[0].latest.text, "occupied"))
			fail_msg("%.*s at %s", (int)a.streams[0].latest.text.n,
			         a.streams[0].latest.text.p,
			         scene_time(a.streams[0].latest.time_ms));
		struct series_ask raw = {.id = a.streams[0].id, .from_ms = 0, .to_ms = NOW};
		struct points p;
		scene_raw(&x, raw, 0, &p);
		assert_int_equal(p.n, 2);
		assert_true(span_is(point_text(&p, &p.p[0]), "free"));
		points_done(&p);
		series_ask_done(&a);
		struct series_stream s = stream(&x, scene_stream(&x, "m", "s", "t"));
		assert_true(s.latest.number == 21.5);
		assert_true(s.unit.n > 0 && s.property.n == 0);
		s = stream(&x, scene_stream(&x, "m", "s", "on"));
		assert_true(s.latest.kind == POINT_BOOL && s.latest.number == 1);
		scene_crash(&x);
		assert_int_equal(series_flush(x.series), 0);
	}
	scene_close(&x);
}

static void places_are_found(void **unused UNUSED)
{
	struct scene x;
	scene_open(&x, conf);
	for (int i = 0; i < 10; i++) {
		char thing[16];
		snprintf(thing, sizeof(thing), "%d", i);
		put_at(&x, thing, NOW - HOUR, 1, 52.0 + i * 0.01, 4.3);
	}
	for (int i = 0; i < 5; i++) /* one of them moves; the third time it stands still */
		put_at(&x, "0", NOW - 1800000 + i * 60000, 1, 52.0 + (i < 3 ? i : i - 1) * 0.1,
		       4.3);
	scene_turn(&x);
	for (int disk = 0; disk < 2; disk++) {
		struct series_filter f = {.shape = {.kind = SHAPE_BBOX,
		                                    .west_e7 = 42000000,
		                                    .east_e7 = 44000000,
		                                    .south_e7 = 520050000,
		                                    .north_e7 = 520350000}};
		assert_int_equal(count(&x, f, SERIES_THINGS), 3);
		assert_int_equal(count(&x, f, SERIES_STREAMS), 3);
		f.shape.west_e7 = 1700000000; /* over 180 degrees */
		f.shape.east_e7 = -1700000000;
		assert_int_equal(count(&x, f, SERIES_THINGS), 0);
		f = (struct series_filter){.shape = {.kind = SHAPE_RADIUS,
		                                     .lon_e7 = 43000000,
		                                     .lat_e7 = 520500000,
		                                     .radius_m = 1200}};
		assert_int_equal(count(&x, f, SERIES_THINGS), 3); /* a hundredth is 1.1 km */
		struct series_ask a = {.what = SERIES_PLACES,
		                       .id = scene_thing(&x, "a", "0"),
		                       .from_ms = 0,
		                       .to_ms = NOW};
		assert_int_equal(series_step(x.series, &a), 0);
		assert_int_equal(a.n, 4);
		assert_true(a.places[0].place.south_e7 == 520000000 &&
		            a.places[3].place.north_e7 == 523000000);
		series_ask_done(&a);
		assert_int_equal(series_flush(x.series), 0);
		scene_crash(&x);
	}
	scene_close(&x);
}

static void what_is_too_old_goes_and_leaves_hours(void **unused UNUSED)
{
	enum { DAYS = 50 };
	struct scene x;
	scene_open(&x, conf);
	const int64_t start = NOW - DAYS * DAY;
	for (int64_t t = start; t < NOW; t += 5 * 60000)
		put(&x, "1", t, (double)((t - start) / 300000 % 100));
	scene_turn(&x);
	assert_int_equal(series_flush(x.series), 0);
	uint32_t id = scene_stream(&x, "a", "1", "pm25");
	int64_t edges[DAYS + 1];
	for (int i = 0; i <= DAYS; i++)
		edges[i] = start + i * DAY;
	struct series_bucket before[DAYS];
	for (int round = 0; round < 3; round++) {
		struct series_ask a = {
		    .what = SERIES_AGGREGATE, .id = id, .edges = edges, .n_edges = DAYS + 1};
		size_t at = 0;
		do {
			assert_int_equal(series_step(x.series, &a), 0);
			for (size_t i = 0; i < a.n; i++, at++) {
				struct series_bucket b = a.buckets[i];
				if (round == 0)
					before[at] = b;
				assert_int_equal(b.count, 288);
				assert_true(b.min == before[at].min && b.max == before[at].max);
				assert_true(b.sum == before[at].sum);
				assert_true(b.first == before[at].first);
				assert_true(b.last == before[at].last);
				if (round)
					assert_int_equal(b.rollup, b.from_ms < NOW - 30 * DAY);
			}
		} while (a.more);
		assert_int_equal(at, DAYS);
		series_ask_done(&a);
		if (round == 0) { /* 40 days later, 30 days are left of the 60 */
			clock_advance(&x.b.clock, 30 * DAY);
			while (series_work(x.series))
				;
			struct points p;
			struct series_ask raw = {.id = id, .from_ms = 0, .to_ms = NOW};
			scene_raw(&x, raw, 0, &p);
			assert_int_equal(p.n, 30 * 288);
			points_done(&p);
			struct series_stream s = stream(&x, id);
			assert_int_equal(s.count, 30 * 288);
			assert_true(s.since_ms == NOW - 30 * DAY && s.first_ms == s.since_ms);
		} else {
			scene_crash(&x);
		}
	}
	/* And hours go at the end of keep-rollups. */
	clock_advance(&x.b.clock, 500 * DAY);
	while (series_work(x.series))
		;
	struct side_view *v;
	struct chunks_at at;
	assert_int_equal(side_view_open(x.side, &v), 0);
	for (enum row_column c = COLUMN_POINTS; c < COLUMNS; c++)
		assert_int_equal(chunks_find(v, id, c, INT64_MIN, &at), ERR_NOT_FOUND);
	side_view_close(v);
	assert_false(stream(&x, id).has_latest);
	scene_close(&x);
}

/* Where a thing was goes with its observations; the place that still held stays. */
static void old_places_go(void **unused UNUSED)
{
	struct scene x;
	scene_open(&x, conf);
	for (int i = 0; i < 20; i++) /* it moves every day */
		put_at(&x, "0", NOW - (20 - i) * DAY, 1, 52.0 + i * 0.01, 4.3);
	put_at(&x, "1", NOW - 20 * DAY, 1, 52.5, 4.3); /* and this one stands */
	scene_turn(&x);
	assert_int_equal(series_flush(x.series), 0);
	struct series_ask a = {.what = SERIES_PLACES, .from_ms = 0, .to_ms = NOW};
	for (int later = 0; later < 2; later++) {
		for (unsigned t = 0; t < 2; t++) {
			struct series_ask q = a;
			q.id = scene_thing(&x, "a", t ? "1" : "0");
			assert_int_equal(series_step(x.series, &q), 0);
			assert_int_equal(q.n, t ? 1 : later ? 6 : 20);
			assert_true(q.places[0].time_ms == NOW - (t || !later ? 20 : 6) * DAY);
			series_ask_done(&q);
		}
		clock_advance(&x.b.clock, 54 * DAY + 6 * HOUR); /* 60 days are kept */
		while (series_work(x.series))
			;
	}
	scene_close(&x);
}

/* Flips a bit of the only chunk; the rest is answered, and the loss is counted. */
static void a_flipped_bit_is_isolated(void **unused UNUSED)
{
	struct scene x;
	scene_open(&x, conf);
	for (int i = 0; i < 100; i++) {
		put(&x, "1", NOW - DAY + i * 60000, i);
		put(&x, "2", NOW - DAY + i * 60000, i);
	}
	scene_turn(&x);
	assert_int_equal(series_flush(x.series), 0);
	uint32_t id = scene_stream(&x, "a", "1", "pm25");
	struct side_txn *t;
	struct chunks_at at;
	uint8_t key[CHUNK_KEY_BYTES], value[CHUNK_BYTES + CHUNK_ROW_HEAD_BYTES];
	assert_int_equal(side_begin(x.side, &t), 0);
	assert_int_equal(chunks_find(side_txn_view(t), id, COLUMN_POINTS, INT64_MIN, &at), 0);
	size_t n = at.chunk.n + CHUNK_ROW_HEAD_BYTES;
	memcpy(value, at.chunk.p - CHUNK_ROW_HEAD_BYTES, n);
	value[n / 2] ^= 4;
	side_put(t, SIDE_CHUNK, key_chunk(key, id, COLUMN_POINTS, at.first_ms, at.part),
	         span_of((char *)value, n));
	assert_int_equal(side_commit(t), 0);
	scene_crash(&x);
	struct series_stats st;
	series_stats(x.series, &st);
	assert_int_equal(st.damaged, 1); /* the walk after an unclean stop met it */
	for (int i = 100; i < 150; i++)
		put(&x, "1", NOW - DAY + i * 60000, i);
	scene_turn(&x);
	assert_int_equal(series_flush(x.series), 0);
	struct series_ask a = {.what = SERIES_RAW, .id = id, .from_ms = 0, .to_ms = NOW};
	assert_int_equal(series_step(x.series, &a), 0);
	assert_int_equal(a.points.n, 50);
	assert_int_equal(a.damaged, 1);
	series_ask_done(&a);
	struct points p;
	struct series_ask other = {
	    .id = scene_stream(&x, "a", "2", "pm25"), .from_ms = 0, .to_ms = NOW};
	scene_raw(&x, other, 0, &p);
	assert_int_equal(p.n, 100);
	points_done(&p);
	scene_close(&x);
}

static void a_trim_is_counted(void **unused UNUSED)
{
	struct scene x;
	uint64_t first;
	scene_open(&x, conf);
	put(&x, "1", NOW - HOUR, 1);
	scene_turn(&x);
	for (int i = 0; i < 20; i++)
		put(&x, "1", NOW - HOUR + (i + 1) * 1000, i);
	broker_turn(&x.b); /* the series have not seen them */
	struct feed *f = hub_feed(x.b.hub, SPAN("a"));
	assert_int_equal(f->held_after, 0); /* retention would leave all of it */
	assert_int_equal(store_trim(x.b.store, f->id, 12, 100, true, &first), 11);
	while (series_work(x.series))
		;
	struct series_stats st;
	series_stats(x.series, &st);
	assert_int_equal(st.gap_records, 10);
	assert_int_equal(stream(&x, scene_stream(&x, "a", "1", "pm25")).count, 11);
	assert_int_equal(series_flush(x.series), 0);
	series_second(x.series);
	assert_int_equal(f->held_after, 21);
	scene_close(&x);
}

/* Retention by size stops at the checkpoint, asks for one, and goes on. */
static void retention_waits_for_the_checkpoint(void **unused UNUSED)
{
	struct scene x;
	scene_open(&x, small);
	for (int i = 0; i < 8000; i++)
		put(&x, "1", NOW - DAY + i * 1000, i % 100);
	scene_turn(&x);
	struct feed *f = hub_feed(x.b.hub, SPAN("a"));
	clock_advance(&x.b.clock, 11000);
	hub_retention(x.b.hub);
	broker_work(&x.b);
	assert_int_equal(f->first, 1); /* over its size, but nothing is on disk yet */
	series_second(x.series);
	while (series_work(x.series))
		;
	series_second(x.series);
	assert_int_equal(f->held_after, 8000);
	clock_advance(&x.b.clock, 11000);
	hub_retention(x.b.hub);
	broker_work(&x.b);
	assert_true(f->first > 1);
	scene_crash(&x);
	assert_int_equal(stream(&x, scene_stream(&x, "a", "1", "pm25")).count, 8000);
	scene_close(&x);
}

static int remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
                      struct FTW *at UNUSED)
{
	return remove(path);
}

/* So far behind that a start would take long: nothing new has room until it has caught up. */
static void publishers_wait_for_the_series(void **unused UNUSED)
{
	struct scene x;
	struct series_stats st;
	scene_open(&x, conf);
	put(&x, "1", NOW - HOUR, 1);
	scene_turn(&x);
	struct feed *f = hub_feed(x.b.hub, SPAN("a"));
	const uint64_t last = f->last;
	static const uint64_t behind[] = {LIMIT_SERIES_LAG_RECORDS, LIMIT_SERIES_LAG_RECORDS + 1,
	                                  LIMIT_SERIES_LAG_RECORDS / 2,
	                                  LIMIT_SERIES_LAG_RECORDS / 2 - 1};
	for (unsigned i = 0; i < ARRAY_LEN(behind); i++) {
		bool waits = i == 1 || i == 2;
		f->last = last + behind[i] - hub_feed(x.b.hub, SPAN("p"))->last;
		series_record(x.series, f);
		series_commit(x.series, 0);
		f->last = last;
		series_second(x.series);
		series_stats(x.series, &st);
		assert_int_equal(st.lag_records, behind[i]);
		assert_int_equal(st.throttling, waits);
		int err = broker_put(&x.b, "p/1",
		                     "{\"dateObserved\":\"2026-11-24T11:00:00Z\",\"status\":"
		                     "\"free\"}",
		                     scene_answer);
		assert_int_equal(err, waits ? ERR_AGAIN : 0);
		broker_turn(&x.b);
	}
	series_record(x.series, f);
	series_commit(x.series, 0);
	scene_close(&x);
}

static void an_older_journal_is_refused(void **unused UNUSED)
{
	struct scene x;
	char journal[128], why[512], kept[128], cmd[400];
	scene_open(&x, conf);
	put(&x, "1", NOW - HOUR, 1);
	scene_turn(&x);
	assert_int_equal(series_flush(x.series), 0);
	struct hub_hooks none = {.arg = &x.b, .room = broker_room, .record = broker_record};
	scene_lose(&x);
	hub_set_hooks(x.b.hub, &none);
	broker_stop(&x.b);
	snprintf(journal, sizeof(journal), "%s/journal", x.b.dir);
	snprintf(kept, sizeof(kept), "%s.kept", x.b.dir);
	snprintf(cmd, sizeof(cmd), "cp -r %s %s", journal, kept);
	assert_int_equal(system(cmd), 0);
	broker_build(&x.b);
	scene_series(&x);
	put(&x, "1", NOW - HOUR + 1000, 1);
	scene_turn(&x);
	assert_int_equal(series_flush(x.series), 0);
	scene_lose(&x);
	hub_set_hooks(x.b.hub, &none);
	broker_stop(&x.b);
	nftw(journal, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	snprintf(cmd, sizeof(cmd), "mv %s %s; rm %s/clean", kept, journal, x.b.dir);
	assert_int_equal(system(cmd), 0);
	broker_build(&x.b);
	assert_int_equal(scene_try_series(&x, why, sizeof(why)), ERR_STORE_FORMAT);
	assert_non_null(strstr(why, "older copy of the journal"));
	/* And that of another store. */
	struct side_options o = {.data_dir = x.b.dir, .map_bytes = 1 << 26, .store_id = "other"};
	assert_int_equal(side_open(&o, &x.side, why, sizeof(why)), ERR_STORE_FORMAT);
	assert_non_null(strstr(why, "another journal"));
	broker_close(&x.b);
}

static void a_backup_is_whole(void **unused UNUSED)
{
	struct scene x;
	char dir[128], other[128], why[512] = "", cmd[700];
	scene_open(&x, conf);
	for (int i = 0; i < 3000; i++)
		put_at(&x, i % 2 ? "1" : "2", NOW - DAY + i * 1000, i % 100, 52, 4 + i / 1000.0);
	scene_turn(&x);
	assert_int_equal(series_flush(x.series), 0);
	for (int i = 3000; i < 3100; i++)
		put(&x, "1", NOW - DAY + i * 1000, i % 100);
	scene_turn(&x);
	struct series_correction c = {.what = SERIES_REJECT,
	                              .thing_id = scene_thing(&x, "a", "2"),
	                              .from_ms = 0,
	                              .to_ms = NOW - DAY + 100 * 1000};
	series_correct(x.series, &c);
	while (series_work(x.series))
		;
	assert_int_equal(c.err, 0);
	uint32_t one = scene_stream(&x, "a", "1", "pm25"), two = scene_stream(&x, "a", "2", "pm25");
	struct hub_hooks none = {.arg = &x.b, .room = broker_room, .record = broker_record};
	scene_lose(&x);
	hub_set_hooks(x.b.hub, &none);
	broker_stop(&x.b);
	snprintf(dir, sizeof(dir), "%s.backup", x.b.dir);
	snprintf(other, sizeof(other), "%s.other", x.b.dir);
	if (store_backup(x.b.dir, dir, NULL, why, sizeof(why)) ||
	    store_restore(dir, other, NOW, NULL, why, sizeof(why)))
		fail_msg("%s", why);
	snprintf(cmd, sizeof(cmd), "rm -rf %s %s && mv %s %s", x.b.dir, dir, other, x.b.dir);
	assert_int_equal(system(cmd), 0);
	broker_build(&x.b);
	scene_series(&x);
	while (series_work(x.series))
		;
	assert_int_equal(scene_stream(&x, "a", "1", "pm25"), one);
	struct points p;
	scene_raw(&x, (struct series_ask){.id = one, .to_ms = NOW}, 0, &p);
	assert_int_equal(p.n, 1600);
	points_done(&p);
	scene_raw(&x, (struct series_ask){.id = two, .to_ms = NOW}, 0, &p);
	assert_int_equal(p.n, 1450);
	points_done(&p);
	scene_close(&x);
}

static void an_erased_thing_is_gone(void **unused UNUSED)
{
	struct scene x;
	scene_open(&x, conf);
	for (int i = 0; i < 500; i++) {
		put_at(&x, "1", NOW - DAY + i * 1000, 1, 52 + i / 1000.0, 4);
		put_at(&x, "2", NOW - DAY + i * 1000, 2, 52, 4);
	}
	scene_turn(&x);
	uint32_t thing = scene_thing(&x, "a", "2"), id = scene_stream(&x, "a", "2", "pm25");
	struct series_correction c = {.what = SERIES_ERASE, .thing_id = thing};
	series_correct(x.series, &c);
	while (series_work(x.series))
		;
	assert_int_equal(c.err, 0);
	assert_int_equal(c.points, 500);
	for (int disk = 0; disk < 2; disk++) {
		struct side_view *v;
		struct chunks_at at;
		struct series_ask a = {.what = SERIES_RAW, .id = id, .to_ms = NOW};
		assert_int_equal(scene_thing(&x, "a", "2"), 0);
		assert_int_equal(series_step(x.series, &a), ERR_NOT_FOUND);
		series_ask_done(&a);
		assert_int_equal(side_view_open(x.side, &v), 0);
		assert_int_equal(chunks_find(v, id, COLUMN_POINTS, INT64_MIN, &at), ERR_NOT_FOUND);
		side_view_close(v);
		assert_int_equal(stream(&x, scene_stream(&x, "a", "1", "pm25")).count, 500);
		scene_crash(&x); /* its records in the journal are not read again */
	}
	put(&x, "2", NOW - HOUR, 3); /* it comes back: another number */
	scene_turn(&x);
	assert_true(scene_stream(&x, "a", "2", "pm25") > id);
	assert_true(scene_thing(&x, "a", "2") > thing);
	scene_close(&x);
}

/* Hours are corrected, too, also when their observations went before. */
static void hours_are_corrected(void **unused UNUSED)
{
	struct scene x;
	const int64_t edges[] = {NOW - 10 * DAY, NOW + 100 * DAY};
	struct series_ask a = {
	    .what = SERIES_AGGREGATE, .edges = edges, .n_edges = ARRAY_LEN(edges)};
	scene_open(&x, conf);
	for (int i = 0; i < 120; i++) /* two hours */
		put(&x, "1", NOW - DAY + i * 60000, i);
	scene_turn(&x);
	assert_int_equal(series_flush(x.series), 0);
	clock_advance(&x.b.clock, 70 * DAY);
	put(&x, "1", clock_wall_ms(&x.b.clock), 7);
	scene_turn(&x);
	clock_advance(&x.b.clock, 2 * HOUR);
	while (series_work(x.series))
		;
	a.id = scene_stream(&x, "a", "1", "pm25");
	struct series_correction c[2] = {{.what = SERIES_CORRECT, .factor = -2, .offset = 1},
	                                 {.what = SERIES_REJECT}};
	for (int i = 0; i < 2; i++) {
		c[i].thing_id = scene_thing(&x, "a", "1");
		c[i].from_ms = i ? NOW - DAY + HOUR : 0;
		c[i].to_ms = NOW;
		c[i].reason = SPAN("x");
		series_correct(x.series, &c[i]);
		while (series_work(x.series))
			;
		assert_int_equal(c[i].err, 0);
		if (i == 0)
			scene_crash(&x);
		struct series_ask q = a;
		assert_int_equal(series_step(x.series, &q), 0);
		const struct series_bucket *b = &q.buckets[0];
		assert_true(b->rollup);
		assert_int_equal(b->count, i ? 61 : 121);
		assert_true(b->min == (i ? -117 : -237) && b->max == 7);
		assert_true(b->first == 1);
		assert_true(b->sum == (i ? -2. * 1770 + 60 + 7 : -2. * 7140 + 120 + 7));
		series_ask_done(&q);
		q = a;
		q.original = true;
		assert_int_equal(series_step(x.series, &q), 0);
		assert_int_equal(q.buckets[0].count, 121);
		assert_true(q.buckets[0].max == 119);
		series_ask_done(&q);
	}
	scene_close(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(latest_is_the_newest_observed),
	    cmocka_unit_test(texts_and_units),
	    cmocka_unit_test(places_are_found),
	    cmocka_unit_test(what_is_too_old_goes_and_leaves_hours),
	    cmocka_unit_test(old_places_go),
	    cmocka_unit_test(a_flipped_bit_is_isolated),
	    cmocka_unit_test(a_trim_is_counted),
	    cmocka_unit_test(retention_waits_for_the_checkpoint),
	    cmocka_unit_test(publishers_wait_for_the_series),
	    cmocka_unit_test(an_older_journal_is_refused),
	    cmocka_unit_test(a_backup_is_whole),
	    cmocka_unit_test(an_erased_thing_is_gone),
	    cmocka_unit_test(hours_are_corrected),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
