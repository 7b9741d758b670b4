/* What comes with observations beside time and result, against a list of all of them, over any
 * order of observations, writes, crashes, rebuilds, corrections, moves and the end of keep-series.
 * DETAIL_RUNS, DETAIL_SEED. */
#include "unit/random.h"
#include "unit/series/scene.h"

#include "mqtt/encode.h"
#include "series/rebuild.h"

#include <stdlib.h>

static const char conf[] =
    "feed \"i\" { topics = { \"i/{thing}\" } schemas = { \"air-quality-observed/1\" } max-age = "
    "\"0\" keep-series = \"60d\" }\n"
    "feed \"r\" { topics = { \"r/{thing}\" } schemas = { \"air-quality-observed/1\" } max-age = "
    "\"0\" keep-series = \"60d\" duplicates = replace }\n"
    "feed \"k\" { topics = { \"k/{thing}\" } schemas = { \"air-quality-observed/1\" } max-age = "
    "\"0\" keep-series = \"60d\" duplicates = keep }\n";
static const int64_t START = 1795521600000 - 40 * 86400000ll;
static const int64_t STEP = 1800000;
static const char feeds[] = "irk";
enum { FEEDS = 3, SLOTS = 400, OBSERVATIONS = 1 << 15 };

struct observation {
	int64_t time_ms, number_ms;
	unsigned value;
	char detail[64]; /* "": none */
	bool rejected, changed;
};
struct truth {
	struct observation *o;
	size_t n;
};
struct play {
	struct scene x;
	struct truth of[FEEDS];
	int64_t gone_ms; /* all before it is gone */
};

/* What comes with a value of a time follows from both: who repeats one says the same. */
static void detail_of(int64_t ms, unsigned v, char out[64])
{
	uint64_t h = ((uint64_t)ms / 1000 + v) * 0x9E3779B97F4A7C15u >> 33;
	out[0] = '\0';
	if (h % 3)
		snprintf(out, 64, "{\"parameters\":{\"h\":%u}}", (unsigned)(h % 100000));
}

/* ---- what happens ---- */

static void send_one(struct play *p, unsigned f, int64_t ms, unsigned v, const char *detail)
{
	char topic[8], payload[128];
	uint8_t mem[256];
	struct wire w = wire_of(mem, sizeof(mem));
	struct identity who = access_anonymous(p->x.b.config, true);
	snprintf(topic, sizeof(topic), "%c/1", feeds[f]);
	snprintf(payload, sizeof(payload), "{\"dateObserved\":\"%s\",\"pm25\":%u.5}",
	         scene_time(ms), v);
	wire_user_property(&w, SPAN("other"), SPAN("x"));
	if (*detail)
		wire_user_property(&w, SPAN(SERIES_DETAIL_PROPERTY), span_str(detail));
	struct ingest_message m = {.who = &who,
	                           .publisher = SPAN("p"),
	                           .topic = span_str(topic),
	                           .payload = span_str(payload),
	                           .properties = span_of((char *)mem, w.len),
	                           .qos = 1,
	                           .answer = {.done = scene_answer}};
	scene_answers = 0;
	while (ingest_publish(p->x.b.ingest, &m) == ERR_AGAIN)
		scene_turn(&p->x);
	if (rnd() % 4 == 0)
		scene_turn(&p->x);
}

static struct observation *at(struct truth *t, int64_t ms)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->o[i].time_ms == ms)
			return &t->o[i];
	return NULL;
}

static void put(struct play *p, unsigned f, int64_t ms, unsigned v)
{
	struct truth *t = &p->of[f];
	struct observation *old = at(t, ms), o = {.time_ms = ms, .number_ms = ms, .value = v};
	detail_of(ms, v, o.detail);
	scene_turn(&p->x);
	send_one(p, f, ms, v, o.detail);
	scene_turn(&p->x);
	if (!scene_stored[0])
		return;
	if (old && feeds[f] == 'i')
		return;
	if (old && feeds[f] == 'r') {
		if (old->value == v)
			return;
		o.number_ms = old->number_ms;
		o.rejected = old->rejected;
		*old = o;
		return;
	}
	assert_true(t->n < OBSERVATIONS);
	t->o[t->n++] = o;
}

static uint32_t stream_of(struct play *p, unsigned f)
{
	const char name[] = {feeds[f], 0};
	return scene_stream(&p->x, name, "1", "pm25");
}

static int correct(struct play *p, unsigned f, struct series_correction *c)
{
	const char name[] = {feeds[f], 0};
	c->thing_id = scene_thing(&p->x, name, "1");
	c->stream_id = stream_of(p, f);
	c->who = SPAN("somebody");
	const struct series_part part = {c->stream_id, c->what, c->offset};
	c->n_parts = rnd() % 2; /* the same, said as a part */
	c->part = &part;
	if (c->n_parts)
		c->stream_id = 0;
	series_correct(p->x.series, c);
	while (series_work(p->x.series))
		;
	return c->err;
}

static struct observation *some(struct play *p, unsigned f)
{
	struct truth *t = &p->of[f];
	struct observation *o = t->n ? &t->o[rnd() % t->n] : NULL;
	return o && !o->rejected && o->time_ms >= p->gone_ms ? o : NULL;
}

/* Of the feed where a time is one observation for ever. */
static void change(struct play *p)
{
	struct observation *o = some(p, 0);
	if (!o)
		return;
	snprintf(o->detail, sizeof(o->detail), "{\"resultTime\":\"2026-01-01T00:00:%02uZ\"}",
	         (unsigned)(rnd() % 60));
	o->changed = true;
	struct series_correction c = {.what = SERIES_DETAIL,
	                              .from_ms = o->time_ms,
	                              .to_ms = o->time_ms + 1,
	                              .has_detail = true,
	                              .detail = span_str(o->detail)};
	assert_int_equal(correct(p, 0, &c), 0);
	c.from_ms++;
	c.to_ms++;
	assert_int_equal(correct(p, 0, &c), ERR_NOT_FOUND);
}

static void move(struct play *p)
{
	struct observation *o = some(p, 0);
	int64_t to = START + (int64_t)(rnd() % SLOTS) * STEP + 7;
	if (!o || at(&p->of[0], to) || to < p->gone_ms)
		return;
	size_t i = (size_t)(o - p->of[0].o);
	struct series_correction c = {
	    .what = SERIES_MOVE, .from_ms = o->time_ms, .to_ms = o->time_ms + 1, .moved_ms = to};
	assert_int_equal(correct(p, 0, &c), ERR_NOT_FOUND); /* it is not there yet */
	put(p, 0, to, o->value);
	o = &p->of[0].o[i];
	struct observation *there = at(&p->of[0], to);
	assert_int_equal(correct(p, 0, &c), 0);
	there->number_ms = o->number_ms;
	o->rejected = true;
}

static void something(struct play *p)
{
	unsigned f = (unsigned)(rnd() % FEEDS), what = (unsigned)(rnd() % 40);
	if (what < 30)
		put(p, f, START + (int64_t)(rnd() % SLOTS) * STEP, (unsigned)(rnd() % 4));
	else if (what < 33)
		change(p);
	else if (what < 36)
		move(p);
	else if (what == 36)
		assert_int_equal(series_flush(p->x.series), 0);
	else if (what == 37)
		scene_crash(&p->x);
	else if (what == 38) {
		assert_int_equal(series_rebuild(p->x.series), 0);
		while (series_work(p->x.series))
			;
	}
}

/* ---- what is answered ---- */

static bool is_wanted(const struct observation *o, const struct series_ask *a,
                      const struct point *p, int64_t number_ms, const struct series_detail *d)
{
	struct span text = d ? d->text : (struct span){0};
	return o->time_ms == p->time_ms && o->value + .5 == p->number && !o->rejected &&
	       o->number_ms == number_ms && span_is(text, o->detail) &&
	       (!d || a->original || d->changed == o->changed);
}

static size_t check_feed(struct play *p, unsigned f, bool descending, size_t limit)
{
	struct truth *t = &p->of[f];
	struct series_ask a = {.what = SERIES_RAW,
	                       .id = stream_of(p, f),
	                       .from_ms = SERIES_TIME_MIN,
	                       .to_ms = SERIES_TIME_MAX,
	                       .descending = descending,
	                       .details = true,
	                       .limit = limit};
	size_t told = 0, want = 0;
	if (!a.id)
		return 0;
	do {
		assert_int_equal(series_step(p->x.series, &a), 0);
		for (size_t i = 0; i < a.points.n; i++, told++) {
			const struct series_detail *d = series_detail(&a, i);
			int64_t number = d ? d->number_ms : a.points.p[i].time_ms, moved;
			bool found = false;
			for (size_t k = 0; k < t->n && !found; k++)
				found = is_wanted(&t->o[k], &a, &a.points.p[i], number, d);
			assert_true(found);
			if (number != a.points.p[i].time_ms) {
				assert_int_equal(series_moved(p->x.series, a.id, number, &moved),
				                 0);
				assert_int_equal(moved, a.points.p[i].time_ms);
			}
		}
	} while (a.more);
	series_ask_done(&a);
	for (size_t k = 0; k < t->n; k++)
		want += !t->o[k].rejected && t->o[k].time_ms >= p->gone_ms;
	assert_int_equal(told, want);
	return told;
}

static void check(struct play *p)
{
	for (unsigned f = 0; f < FEEDS; f++) {
		check_feed(p, f, false, 0);
		check_feed(p, f, true, 1 + rnd() % 20);
	}
}

static uint64_t detail_rows(struct play *p)
{
	struct side_usage u;
	assert_int_equal(side_usage(p->x.side, &u), 0);
	return u.rows[SIDE_DETAIL];
}

/* The first days go, and all that came with them; an observation that moved away in time stays. */
static void expire(struct play *p)
{
	assert_int_equal(series_flush(p->x.series), 0);
	uint64_t before = detail_rows(p);
	clock_advance(&p->x.b.clock, 24 * 86400000ll);
	p->gone_ms = clock_wall_ms(&p->x.b.clock) - 60 * 86400000ll;
	while (series_work(p->x.series))
		;
	check(p);
	assert_true(detail_rows(p) < before);
	clock_advance(&p->x.b.clock, 60 * 86400000ll);
	p->gone_ms = clock_wall_ms(&p->x.b.clock) - 60 * 86400000ll;
	while (series_work(p->x.series))
		;
	check(p);
	assert_int_equal(detail_rows(p), 0);
}

static void any_order(void **s UNUSED)
{
	struct play p = {0};
	const char *runs = getenv("DETAIL_RUNS"), *seed = getenv("DETAIL_SEED");
	for (unsigned run = 0; run < (runs ? (unsigned)atoi(runs) : 3); run++) {
		state = seed ? strtoull(seed, NULL, 10) : 88172645463325252u + run;
		p = (struct play){.gone_ms = INT64_MIN};
		for (unsigned f = 0; f < FEEDS; f++)
			p.of[f].o = calloc(OBSERVATIONS, sizeof(struct observation));
		scene_open(&p.x, conf);
		for (unsigned i = 0; i < 900; i++) {
			something(&p);
			if (rnd() % 50 == 0)
				check(&p);
		}
		check(&p);
		expire(&p);
		scene_close(&p.x);
		for (unsigned f = 0; f < FEEDS; f++)
			free(p.of[f].o);
	}
}

static void limits(void **s UNUSED)
{
	struct play p = {.gone_ms = INT64_MIN};
	char large[LIMIT_SERIES_DETAIL_BYTES + 2];
	memset(large, ' ', sizeof(large));
	p.of[0].o = calloc(OBSERVATIONS, sizeof(struct observation));
	scene_open(&p.x, conf);
	put(&p, 0, START, 1);
	struct series_correction c = {.what = SERIES_DETAIL,
	                              .from_ms = START,
	                              .to_ms = START + 1,
	                              .has_detail = true,
	                              .detail = SPAN("{}")};
	for (unsigned i = 0; i < LIMIT_SERIES_DETAIL_CHANGES - 1; i++)
		assert_int_equal(correct(&p, 0, &c), 0);
	while (correct(&p, 0, &c) == 0) /* the first one came with it, or not */
		;
	assert_int_equal(c.err, ERR_TOO_LARGE);
	c.detail = span_of(large, sizeof(large) - 1);
	assert_int_equal(correct(&p, 0, &c), ERR_INVALID);
	scene_close(&p.x);
	free(p.of[0].o);
}

/* ---- several datastreams at once ---- */

static const char two_conf[] = "feed \"i\" { topics = { \"i/{thing}\" } decode = senml schemas = { "
                               "\"any\" } max-age = \"0\" }\n";

static double value_at(struct scene *x, uint32_t stream, int64_t ms)
{
	struct series_ask a = {.what = SERIES_RAW, .id = stream, .from_ms = ms, .to_ms = ms + 1};
	assert_int_equal(series_step(x->series, &a), 0);
	assert_int_equal(a.points.n, 1);
	double v = a.points.p[0].number;
	series_ask_done(&a);
	return v;
}

static int correct_two(struct scene *x, uint32_t first, uint32_t second, double to)
{
	const struct series_part part[] = {{first, SERIES_CORRECT, to},
	                                   {second, SERIES_CORRECT, to}};
	struct series_correction c = {.thing_id = scene_thing(x, "i", "1"),
	                              .from_ms = START,
	                              .to_ms = START + 1,
	                              .part = part,
	                              .n_parts = 2,
	                              .who = SPAN("somebody")};
	series_correct(x->series, &c);
	while (series_work(x->series))
		;
	return c.err;
}

/* All of it or nothing, with one number, also after a start. */
static void parts(void **arg UNUSED)
{
	static struct scene x;
	char payload[200];
	snprintf(payload, sizeof(payload),
	         "[{\"n\":\"a\",\"v\":1,\"t\":%lld},{\"n\":\"b\",\"v\":2,\"t\":%lld}]",
	         (long long)START / 1000, (long long)START / 1000);
	scene_open(&x, two_conf);
	scene_put(&x, "i/1", payload);
	scene_turn(&x);
	uint32_t a = scene_stream(&x, "i", "1", "a"), b = scene_stream(&x, "i", "1", "b");
	assert_int_equal(correct_two(&x, a, b + 1, 7), ERR_NOT_FOUND);
	assert_int_equal(correct_two(&x, a, 0, 7), ERR_INVALID);
	assert_true(value_at(&x, a, START) == 1 && value_at(&x, b, START) == 2);
	assert_int_equal(correct_two(&x, a, b, 7), 0);
	assert_true(value_at(&x, a, START) == 7 && value_at(&x, b, START) == 7);
	scene_crash(&x);
	scene_turn(&x);
	assert_true(value_at(&x, a, START) == 7 && value_at(&x, b, START) == 7);
	scene_close(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(any_order), cmocka_unit_test(limits),
	                                   cmocka_unit_test(parts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
