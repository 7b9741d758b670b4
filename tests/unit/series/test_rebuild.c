/* Rebuilding: with the journal whole, what was answered before is answered after, whatever was
 * damaged or lost; and what the journal does not hold any more stays. REBUILD_RUNS, REBUILD_SEED.
 */
#include "unit/random.h"
#include "unit/series/scene.h"

#include "series/chunks.h"
#include "series/rebuild.h"

#include <stdlib.h>

static const char conf[] =
    "feed \"i\" { topics = { \"i/{thing}\" } schemas = { \"air-quality-observed/1\" } max-age = "
    "\"0\" stuck-after = \"3m\" max-skew = \"1h\" }\n"
    "feed \"r\" { topics = { \"r/{thing}\" } schemas = { \"air-quality-observed/1\" } max-age = "
    "\"0\" duplicates = replace }\n"
    "feed \"k\" { topics = { \"k/{thing}\" } schemas = { \"air-quality-observed/1\" } max-age = "
    "\"0\" duplicates = keep }\n";
static const int64_t START = 1795521600000 - 20 * 86400000ll;
static const char feeds[] = "irk";
enum { FEEDS = 3, THINGS = 4 };

static void put(struct scene *x, unsigned f, unsigned t, int64_t ms, unsigned v)
{
	char topic[16], payload[160];
	scene_answers = 0;
	snprintf(topic, sizeof(topic), "%c/%u", feeds[f], t);
	snprintf(payload, sizeof(payload),
	         "{\"dateObserved\":\"%s\",\"pm25\":%u.5,\"no2\":%u,\"location\":{\"type\":"
	         "\"Point\",\"coordinates\":[%u.5,52.1]}}",
	         scene_time(ms), v, v % 3, 4 + v % 2);
	scene_put(x, topic, payload);
}

static void put_many(struct scene *x, unsigned n)
{
	static int64_t clock_ms;
	clock_ms = MAX_OF(clock_ms, START);
	for (unsigned i = 0; i < n; i++) {
		unsigned f = (unsigned)(rnd() % FEEDS), t = (unsigned)(rnd() % THINGS);
		clock_ms += 1000 + (int64_t)(rnd() % 60000);
		int64_t at = rnd() % 8 ? clock_ms : START + (int64_t)(rnd() % 3000) * 1000;
		put(x, f, t, at, (unsigned)(rnd() % (rnd() % 2 ? 2 : 900)));
		if (rnd() % 64 == 0)
			scene_turn(x);
		if (rnd() % 400 == 0)
			assert_int_equal(series_flush(x->series), 0);
	}
	scene_turn(x);
}

/* ---- everything that can be asked, as one sum ---- */

struct picture {
	uint64_t sum, points, counts;
	unsigned unreadable; /* places */
};

static void mix(struct picture *p, uint64_t v)
{
	p->sum = (p->sum ^ v) * 0x9E3779B97F4A7C15u;
	p->sum ^= p->sum >> 29;
}

static void mix_double(struct picture *p, double d)
{
	uint64_t v;
	memcpy(&v, &d, sizeof(v));
	mix(p, v);
}

static void look_at_stream(struct scene *x, uint32_t id, bool flags, struct picture *p)
{
	struct points got;
	struct series_ask raw = {.id = id, .from_ms = 0, .to_ms = INT64_MAX, .stored = true};
	struct series_ask one = {.what = SERIES_STREAMS, .filter = {.stream_id = id}};
	scene_raw(x, raw, 100, &got);
	for (size_t i = 0; i < got.n; i++) {
		mix(p, (uint64_t)got.p[i].time_ms);
		mix_double(p, got.p[i].number);
		mix(p, got.p[i].stored_s);
		if (flags)
			mix(p, got.p[i].flags);
	}
	p->points += got.n;
	points_done(&got);
	assert_int_equal(series_step(x->series, &one), 0);
	assert_int_equal(one.n, 1);
	const struct series_stream *s = &one.streams[0];
	p->counts += s->count;
	mix(p, (uint64_t)s->first_ms);
	mix(p, (uint64_t)s->last_ms);
	mix(p, (uint64_t)s->stored_ms);
	mix(p, (uint64_t)s->latest.time_ms);
	mix_double(p, s->latest.number);
	series_ask_done(&one);
}

static void look_at_places(struct scene *x, uint32_t thing, struct picture *p)
{
	struct series_ask a = {
	    .what = SERIES_PLACES, .id = thing, .from_ms = 0, .to_ms = INT64_MAX};
	do {
		assert_int_equal(series_step(x->series, &a), 0);
		for (size_t i = 0; i < a.n; i++) {
			mix(p, (uint64_t)a.places[i].time_ms);
			mix(p, (uint32_t)a.places[i].place.west_e7);
			mix(p, (uint32_t)a.places[i].place.north_e7);
		}
		p->unreadable += a.damaged;
	} while (a.more);
	series_ask_done(&a);
}

static struct picture look(struct scene *x)
{
	struct picture p = {0};
	for (unsigned f = 0; f < FEEDS; f++)
		for (unsigned t = 0; t < THINGS; t++)
			for (unsigned m = 0; m < 2; m++) {
				char feed[2] = {feeds[f], 0}, thing[8];
				snprintf(thing, sizeof(thing), "%u", t);
				uint32_t id = scene_stream(x, feed, thing, m ? "no2" : "pm25");
				if (id)
					look_at_stream(x, id, true, &p);
				if (id && m)
					look_at_places(x, scene_thing(x, feed, thing), &p);
			}
	return p;
}

static void expect_same(struct picture a, struct picture b)
{
	assert_int_equal(a.points, b.points);
	assert_int_equal(a.counts, b.counts);
	assert_true(a.sum == b.sum);
}

/* ---- rebuilding ---- */

static struct series_rebuild rebuild(struct scene *x)
{
	struct series_rebuild r;
	assert_int_equal(series_rebuild(x->series), 0);
	assert_int_equal(series_rebuild(x->series), ERR_AGAIN);
	while (series_work(x->series))
		;
	series_rebuild_state(x->series, &r);
	assert_false(r.running);
	assert_int_equal(r.err, 0);
	assert_true(r.ended_ms >= r.started_ms);
	assert_int_equal(r.records, r.of);
	return r;
}

/* Each row of the table with this chance in 16: a bit flips, or it is gone. Returns how many
 * flipped. */
static unsigned damage_table(struct scene *x, enum side_table table, unsigned chance, bool lose)
{
	struct side_txn *t;
	struct side_view *v;
	struct span key, value;
	char keys[512][CHUNK_KEY_BYTES];
	size_t key_n = table == SIDE_CHUNK ? CHUNK_KEY_BYTES : 12;
	unsigned n = 0;
	assert_int_equal(side_view_open(x->side, &v), 0);
	int err = side_seek(v, table, SPAN("\0"), &key, &value);
	for (; !err && n < 512; err = side_next(v, table, &key, &value))
		if (rnd() % 16 < chance)
			memcpy(keys[n++], key.p, key_n);
	side_view_close(v);
	assert_int_equal(side_begin(x->side, &t), 0);
	for (unsigned i = 0; i < n; i++) {
		char bytes[CHUNK_BYTES + CHUNK_ROW_HEAD_BYTES];
		struct span k = span_of(keys[i], key_n);
		assert_int_equal(side_get(side_txn_view(t), table, k, &value), 0);
		memcpy(bytes, value.p, value.n);
		bytes[CHUNK_ROW_HEAD_BYTES + rnd() % (value.n - CHUNK_ROW_HEAD_BYTES)] ^= 16;
		if (lose)
			side_del(t, table, k);
		else
			side_put(t, table, k, span_of(bytes, value.n));
	}
	assert_int_equal(side_commit(t), 0);
	return n;
}

static unsigned damage(struct scene *x, unsigned chance, bool lose)
{
	return damage_table(x, SIDE_CHUNK, chance, lose);
}

static void what_was_damaged_is_as_before(void **unused UNUSED)
{
	const char *runs = getenv("REBUILD_RUNS"), *seed = getenv("REBUILD_SEED");
	uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;
	for (uint64_t i = 0; i < (runs ? strtoull(runs, NULL, 10) : 6); i++) {
		struct scene x;
		state = (first + i) * 0x9E3779B97F4A7C15u;
		fprintf(stderr, "# seed %llu\n", (unsigned long long)(first + i));
		scene_open(&x, conf);
		put_many(&x, 4000);
		if (i % 2)
			scene_crash(&x);
		assert_int_equal(series_flush(x.series), 0);
		struct picture before = look(&x);
		struct series_rebuild r = rebuild(&x);
		assert_int_equal(r.restored, 0);
		assert_int_equal(r.observations, 2 * r.records);
		expect_same(before, look(&x));
		unsigned n = damage(&x, 1 + (unsigned)(rnd() % 16), i % 3 == 0);
		uint64_t was = state;
		unsigned places = damage_table(&x, SIDE_PLACE, 1 + (unsigned)(rnd() % 16), i % 2);
		state = was; /* what is published does not depend on it */
		assert_true(places > 0);
		put_many(&x, 50); /* some of it is in memory, or behind what is damaged */
		r = rebuild(&x);
		assert_true(r.places >= places);
		assert_int_equal(look(&x).unreadable, 0);
		assert_int_equal(r.dropped, i % 3 == 0 ? 0 : n);
		assert_int_equal(r.left, 0);
		struct picture after = look(&x);
		assert_int_equal(rebuild(&x).restored, 0);
		expect_same(after, look(&x));
		scene_crash(&x);
		expect_same(after, look(&x));
		/* And as if nothing had ever been damaged: */
		char cmd[200];
		scene_lose(&x);
		snprintf(cmd, sizeof(cmd), "rm -r %s/series", x.b.dir);
		assert_int_equal(system(cmd), 0);
		scene_series(&x);
		while (series_work(x.series))
			;
		assert_int_equal(series_flush(x.series), 0);
		expect_same(after, look(&x));
		scene_close(&x);
	}
}

/* Killed between two steps, whichever: then begun again. */
static void cut_short_and_begun_again(void **unused UNUSED)
{
	struct scene x;
	state = 99;
	scene_open(&x, conf);
	put_many(&x, 3000);
	assert_int_equal(series_flush(x.series), 0);
	struct picture before = look(&x);
	for (unsigned steps = 0; steps < 40; steps += 1 + steps / 4) {
		damage(&x, 8, steps % 2);
		assert_int_equal(series_rebuild(x.series), 0);
		for (unsigned i = 0; i < steps; i++)
			series_work(x.series);
		scene_crash(&x);
		struct picture now = look(&x);
		assert_true(now.points <= before.points);
		rebuild(&x);
		expect_same(before, look(&x));
	}
	scene_close(&x);
}

/* The journal begins later than the series: what it does not hold stays, unreadable pieces too. */
static void what_is_older_stays(void **unused UNUSED)
{
	struct scene x;
	uint64_t first;
	state = 7;
	scene_open(&x, conf);
	put_many(&x, 3000);
	assert_int_equal(series_flush(x.series), 0);
	series_second(x.series);
	clock_advance(&x.b.clock, 86400000);
	put(&x, 0, 0, clock_wall_ms(&x.b.clock), 5);
	scene_turn(&x);
	assert_int_equal(series_flush(x.series), 0);
	struct picture before = look(&x);
	for (unsigned f = 0; f < FEEDS; f++) {
		char name[2] = {feeds[f], 0};
		struct feed *feed = hub_feed(x.b.hub, span_str(name));
		assert_true(store_trim(x.b.store, feed->id, feed->last, 100000, true, &first) > 0);
	}
	assert_int_equal(rebuild(&x).restored, 0);
	expect_same(before, look(&x));
	unsigned n = damage(&x, 16, false), places = damage_table(&x, SIDE_PLACE, 8, false);
	struct series_rebuild r = rebuild(&x);
	assert_true(n > 0 && places > 0 && r.dropped == 0);
	assert_int_equal(r.left, n + look(&x).unreadable);
	assert_true(r.restored > 0); /* the one of today */
	scene_close(&x);
}

/* Of a feed that keeps all of one time, those of one time keep the order in which they came, also
 * when pieces that end and begin among them are lost. */
static void the_order_stays(void **unused UNUSED)
{
	enum { MANY = 12000 };
	const char *runs = getenv("REBUILD_RUNS");
	for (uint64_t round = 0; round < (runs ? strtoull(runs, NULL, 10) : 4); round++) {
		struct scene x;
		state = (round + 1) * 0x9E3779B97F4A7C15u;
		scene_open(&x, conf);
		for (unsigned i = 0; i < MANY; i++) {
			/* some at each time; or pieces of one time alone; now and then a late one
			 */
			int64_t at = START + (round % 3      ? i / 40
			                      : i < MANY / 4 ? 0
			                                     : i / 4000) *
			                         1000;
			put(&x, 2, 0, rnd() % 50 ? at : START + (int64_t)(rnd() % 400) * 1000,
			    (unsigned)(rnd() % (round % 2 ? 5 : 900)));
			if (rnd() % 2000 == 0)
				assert_int_equal(series_flush(x.series), 0);
			if (rnd() % 100 == 0)
				clock_advance(&x.b.clock, (int64_t)(rnd() % 700));
		}
		scene_turn(&x);
		assert_int_equal(series_flush(x.series), 0);
		struct picture before = look(&x);
		assert_int_equal(before.points, 2 * MANY);
		for (int again = 0; again < 3; again++) {
			damage(&x, 1 + (unsigned)(rnd() % 12), again % 2);
			rebuild(&x);
			expect_same(before, look(&x));
		}
		scene_close(&x);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_damaged_is_as_before),
	    cmocka_unit_test(cut_short_and_begun_again),
	    cmocka_unit_test(what_is_older_stays),
	    cmocka_unit_test(the_order_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
