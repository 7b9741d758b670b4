/* The series against the simplest thing that could be right, over any order of observations,
 * writes, crashes, corrections and questions. SERIES_RUNS, SERIES_SEED: more, and another one. */
#include "unit/random.h"
#include "unit/series/scene.h"

#include <stdlib.h>

static const char conf[] = "feed \"i\" { topics = { \"i/{thing}\" } schemas = { "
                           "\"air-quality-observed/1\" } max-age = \"0\" }\n"
                           "feed \"r\" { topics = { \"r/{thing}\" } schemas = { "
                           "\"air-quality-observed/1\" } max-age = \"0\" "
                           "duplicates = replace }\n"
                           "feed \"k\" { topics = { \"k/{thing}\" } schemas = { "
                           "\"air-quality-observed/1\" } max-age = \"0\" "
                           "duplicates = keep }\n";

/* ---- the model ---- */

enum { THINGS = 3, FEEDS = 3, POINTS_MAX = 1 << 17, AMENDS_MAX = 40 };
static const int64_t START = 1795521600000 - 40 * 86400000ll;
static const char feeds[FEEDS] = "irk";

struct truth {
	int64_t time_ms;
	double number;
	int tenths;
	unsigned order;
	int64_t stored_ms;
};
struct stream_truth {
	struct truth *p;
	size_t n;
	struct series_correction amends[AMENDS_MAX];
	unsigned n_amends;
};
struct model {
	struct stream_truth s[FEEDS][THINGS];
	unsigned order;
	int64_t clock_ms[FEEDS][THINGS];
};

/* The payload says the number in tenths, so the same payload is the same number. */
static void model_put(struct model *m, unsigned f, unsigned t, int64_t time_ms, int tenths,
                      int64_t stored_ms)
{
	struct stream_truth *s = &m->s[f][t];
	struct truth x = {time_ms, tenths / 10.0, tenths, m->order++, stored_ms};
	for (size_t i = 0; i < s->n && feeds[f] != 'k'; i++) {
		if (s->p[i].time_ms != time_ms)
			continue;
		if (feeds[f] == 'r')
			s->p[i] = x;
		return;
	}
	assert_true(s->n < POINTS_MAX);
	s->p[s->n++] = x;
}

static int by_time(const void *a, const void *b)
{
	const struct truth *x = a, *y = b;
	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* What is to be answered for [from, to), in order. Returns how many; rejected ones are left out. */
static size_t model_raw(const struct stream_truth *s, int64_t from, int64_t to, bool original,
                        struct truth *out)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++) {
		struct truth x = s->p[i];
		bool rejected = false;
		if (x.time_ms < from || x.time_ms >= to)
			continue;
		for (unsigned k = 0; k < s->n_amends && !original; k++) {
			const struct series_correction *a = &s->amends[k];
			if (x.time_ms < a->from_ms || x.time_ms >= a->to_ms)
				continue;
			if (a->what == SERIES_CORRECT)
				x.number = x.number * a->factor + a->offset;
			rejected |= a->what == SERIES_REJECT;
		}
		if (!rejected)
			out[n++] = x;
	}
	qsort(out, n, sizeof(*out), by_time);
	return n;
}

/* ---- what happens ---- */

struct play {
	struct scene x;
	struct model m;
	struct truth *want;
};

struct sent {
	unsigned f, t;
	int64_t time_ms;
	int tenths;
};

static void send_one(struct play *p, const struct sent *x)
{
	char topic[16], payload[128];
	snprintf(topic, sizeof(topic), "%c/%u", feeds[x->f], x->t);
	snprintf(payload, sizeof(payload), "{\"dateObserved\":\"%s\",\"pm25\":%d.%d}",
	         scene_time(x->time_ms), x->tenths / 10, x->tenths % 10);
	scene_put(&p->x, topic, payload);
}

/* Together in few commits. The same message again is no message: the answers tell. */
static void send_all(struct play *p, const struct sent *x, unsigned n)
{
	scene_answers = 0;
	for (unsigned i = 0; i < n; i++) {
		send_one(p, &x[i]);
		if (rnd() % 16 == 0)
			scene_turn(&p->x);
	}
	scene_turn(&p->x);
	assert_int_equal(scene_answers, n);
	for (unsigned i = 0; i < n; i++)
		if (scene_stored[i])
			model_put(&p->m, x[i].f, x[i].t, x[i].time_ms, x[i].tenths,
			          clock_wall_ms(&p->x.b.clock));
}

static void put_some(struct play *p)
{
	unsigned f = (unsigned)(rnd() % FEEDS), t = (unsigned)(rnd() % THINGS);
	int64_t *clock = &p->m.clock_ms[f][t];
	unsigned how = (unsigned)(rnd() % 8), n = 1 + (unsigned)(rnd() % 60), sent = 0;
	struct sent x[60];
	for (unsigned i = 0; i < n; i++) {
		int64_t at;
		if (how < 5)
			at = *clock += 60000 + (int64_t)(how == 4 ? rnd() % 2001 : 0);
		else if (how == 5) /* late */
			at = START + (int64_t)(rnd() % (uint64_t)(*clock - START + 60000));
		else if (how == 6) /* again */
			at = *clock - (int64_t)(rnd() % 30) * 60000;
		else /* all at one time, and what touches it */
			at = START + 3600000 + (int64_t)(rnd() % 3);
		if (at >= START)
			x[sent++] = (struct sent){f, t, at, (int)(rnd() % (how == 3 ? 3 : 9000))};
	}
	send_all(p, x, sent);
}

/* Many at once, so that tails are larger than chunks. */
static void put_many(struct play *p)
{
	enum { MANY = 2500 };
	static struct sent x[MANY];
	unsigned f = (unsigned)(rnd() % FEEDS), t = (unsigned)(rnd() % THINGS);
	for (unsigned i = 0; i < MANY; i++)
		x[i] = (struct sent){f, t, p->m.clock_ms[f][t] += 10000, (int)(rnd() % 9000)};
	send_all(p, x, MANY);
}

static unsigned amended;
static void on_amended(struct series_correction *c)
{
	assert_int_equal(c->err, 0);
	assert_int_equal(c->streams, 1);
	amended++;
}

static void amend(struct play *p)
{
	unsigned f = (unsigned)(rnd() % FEEDS), t = (unsigned)(rnd() % THINGS);
	struct stream_truth *s = &p->m.s[f][t];
	char feed[2] = {feeds[f], 0}, thing[8];
	if (s->n == 0 || s->n_amends == AMENDS_MAX)
		return;
	snprintf(thing, sizeof(thing), "%u", t);
	int64_t from = START + (int64_t)(rnd() % (uint64_t)(p->m.clock_ms[f][t] - START + 1));
	struct series_correction c = {.what = (enum series_amend)(rnd() % 3),
	                              .thing_id = scene_thing(&p->x, feed, thing),
	                              .from_ms = from,
	                              .to_ms = from + 1 + (int64_t)(rnd() % 20000000),
	                              .factor = rnd() % 2 ? 0.5 : -2,
	                              .offset = (double)(rnd() % 100),
	                              .flags = POINT_DOUBTED,
	                              .reason = SPAN("wrong unit"),
	                              .who = SPAN("test"),
	                              .done = on_amended};
	amended = 0;
	series_correct(p->x.series, &c);
	while (series_work(p->x.series))
		;
	assert_int_equal(amended, 1);
	assert_int_equal(c.points, model_raw(s, c.from_ms, c.to_ms, true, p->want));
	s->amends[s->n_amends++] = c;
}

/* ---- questions ---- */

/* From behind any row of a step the answer goes on with the next one. */
static void check_behind(struct play *p, struct series_ask ask, const struct points *all)
{
	struct series_ask a = ask, b = ask;
	a.what = b.what = SERIES_RAW;
	a.limit = 1 + rnd() % 50;
	size_t at = 0, step;
	do {
		assert_int_equal(series_step(p->x.series, &a), 0);
		step = a.points.n;
		at += step;
	} while (a.more && (!step || rnd() % 4));
	if (step) {
		size_t i = rnd() % step;
		b.cursor = series_behind(&a, i);
		at = at - step + i + 1;
		do
			assert_int_equal(series_step(p->x.series, &b), 0);
		while (b.more && !b.points.n);
		assert_int_equal(b.points.n > 0, at < all->n);
		if (b.points.n) {
			assert_true(b.points.p[0].time_ms == all->p[at].time_ms);
			assert_true(b.points.p[0].number == all->p[at].number);
		}
	}
	series_ask_done(&a);
	series_ask_done(&b);
}

/* What was stored since, to the second, and nothing else. */
static void check_since(struct play *p, unsigned f, unsigned t, uint32_t id, int64_t from,
                        int64_t to)
{
	struct points got;
	int64_t now = clock_wall_ms(&p->x.b.clock);
	struct series_ask a = {.id = id,
	                       .from_ms = from,
	                       .to_ms = to,
	                       .original = true,
	                       .descending = rnd() % 2,
	                       .stored_since_ms = now - (int64_t)(rnd() % 200000)};
	size_t n = model_raw(&p->m.s[f][t], from, to, true, p->want), at = 0;
	scene_raw(&p->x, a, 1 + rnd() % 300, &got);
	for (size_t i = 0; i < n; i++) {
		const struct truth *w = &p->want[a.descending ? n - 1 - i : i];
		if (w->stored_ms / 1000 < a.stored_since_ms / 1000)
			continue;
		assert_true(at < got.n);
		assert_true(got.p[at].time_ms == w->time_ms && got.p[at].number == w->number);
		assert_int_equal(got.p[at].stored_s, w->stored_ms / 1000);
		at++;
	}
	assert_int_equal(at, got.n);
	points_done(&got);
}

static void check_raw(struct play *p, unsigned f, unsigned t, uint32_t id, int64_t from, int64_t to)
{
	struct points got;
	struct series_ask a = {.id = id,
	                       .from_ms = from,
	                       .to_ms = to,
	                       .descending = rnd() % 2,
	                       .original = rnd() % 2,
	                       .stored = rnd() % 2,
	                       .rejected = false};
	static const size_t limits[] = {1, 7, 100, 1000, 0};
	size_t limit =
	    limits[rnd() % (to - from > 10000000 ? 3 : 5) + (to - from > 10000000 ? 2 : 0)];
	size_t n = model_raw(&p->m.s[f][t], from, to, a.original, p->want);
	scene_raw(&p->x, a, limit, &got);
	assert_int_equal(got.n, n);
	for (size_t i = 0; i < n; i++) {
		const struct truth *w = &p->want[a.descending ? n - 1 - i : i];
		assert_true(got.p[i].time_ms == w->time_ms && got.p[i].number == w->number);
		if (a.stored)
			assert_int_equal(got.p[i].stored_s, w->stored_ms / 1000);
	}
	check_behind(p, a, &got);
	points_done(&got);
}

static void check_bucket(const struct series_bucket *b, const struct truth *w, size_t n)
{
	double sum = 0, min = INFINITY, max = -INFINITY;
	for (size_t i = 0; i < n; i++) {
		sum += w[i].number;
		min = fmin(min, w[i].number);
		max = fmax(max, w[i].number);
	}
	assert_int_equal(b->points, n);
	assert_int_equal(b->count, n);
	if (!n)
		return;
	assert_true(b->min == min && b->max == max);
	assert_true(b->first == w[0].number && b->last == w[n - 1].number);
	assert_true(fabs(b->sum - sum) <= 1e-9 * (fabs(sum) + 1e6));
	assert_true(b->first_ms == w[0].time_ms && b->last_ms == w[n - 1].time_ms);
}

static void check_aggregate(struct play *p, unsigned f, unsigned t, uint32_t id, int64_t from)
{
	enum { EDGES_MAX = 3000 };
	static int64_t edges[EDGES_MAX];
	size_t n_edges = 2 + rnd() % (rnd() % 4 ? 50 : EDGES_MAX - 2), at = 0;
	const int64_t hour = 3600000;
	bool hourly = rnd() % 2; /* figures of hours are kept, and found again */
	edges[0] = hourly ? from - from % hour : from;
	int64_t width = rnd() % 2 ? hour : 1 + (int64_t)(rnd() % 100000000);
	for (size_t i = 1; i < n_edges; i++) {
		int64_t other = rnd() % 4 ? width : 1 + (int64_t)(rnd() % 5000000);
		edges[i] = edges[i - 1] + (hourly ? hour * (int64_t)(1 + rnd() % 30) : other);
	}
	struct series_ask a = {.what = SERIES_AGGREGATE,
	                       .id = id,
	                       .edges = edges,
	                       .n_edges = n_edges,
	                       .limit = rnd() % 2 ? 0 : 1 + rnd() % 10,
	                       .original = rnd() % 2};
	size_t n = model_raw(&p->m.s[f][t], edges[0], edges[n_edges - 1], a.original, p->want);
	size_t i = 0;
	do {
		assert_int_equal(series_step(p->x.series, &a), 0);
		for (size_t k = 0; k < a.n; k++, at++) {
			size_t in = 0;
			assert_true(a.buckets[k].from_ms == edges[at]);
			assert_true(a.buckets[k].to_ms == edges[at + 1]);
			while (i + in < n && p->want[i + in].time_ms < edges[at + 1])
				in++;
			check_bucket(&a.buckets[k], p->want + i, in);
			i += in;
		}
	} while (a.more);
	assert_int_equal(at, n_edges - 1);
	assert_int_equal(i, n);
	series_ask_done(&a);
}

static void check_latest(struct play *p, unsigned f, unsigned t, uint32_t id)
{
	struct series_ask a = {.what = SERIES_STREAMS, .filter = {.stream_id = id}};
	struct series_correction *am = p->m.s[f][t].amends;
	const struct stream_truth *s = &p->m.s[f][t];
	assert_int_equal(series_step(p->x.series, &a), 0);
	assert_int_equal(a.n, 1);
	const struct series_stream *r = &a.streams[0];
	struct truth best = {.time_ms = INT64_MIN};
	for (size_t i = 0; i < s->n; i++)
		if (s->p[i].time_ms > best.time_ms ||
		    (s->p[i].time_ms == best.time_ms && s->p[i].order > best.order))
			best = s->p[i];
	for (unsigned k = 0; k < s->n_amends; k++)
		if (am[k].what == SERIES_CORRECT && best.time_ms >= am[k].from_ms &&
		    best.time_ms < am[k].to_ms)
			best.number = best.number * am[k].factor + am[k].offset;
	assert_true(r->has_latest && r->latest.time_ms == best.time_ms);
	assert_true(r->latest.number == best.number);
	assert_true(r->last_ms == best.time_ms);
	assert_true(span_is(r->member, "pm25") && span_is(r->unit, "ug/m3"));
	assert_true(r->property.n > 0 && span_is(r->schema, "air-quality-observed/1"));
	series_ask_done(&a);
}

static void check(struct play *p)
{
	unsigned f = (unsigned)(rnd() % FEEDS), t = (unsigned)(rnd() % THINGS);
	char feed[2] = {feeds[f], 0}, thing[8];
	snprintf(thing, sizeof(thing), "%u", t);
	uint32_t id = scene_stream(&p->x, feed, thing, "pm25");
	assert_int_equal(id != 0, p->m.s[f][t].n != 0);
	if (!id)
		return;
	int64_t span = p->m.clock_ms[f][t] - START + 100000;
	int64_t from = START - 50000 + (int64_t)(rnd() % (uint64_t)span);
	int64_t to = from + 1 + (int64_t)(rnd() % (uint64_t)(rnd() % 3 ? span : 600000));
	check_raw(p, f, t, id, from, to);
	check_since(p, f, t, id, from, to);
	check_aggregate(p, f, t, id, from);
	check_latest(p, f, t, id);
}

/* After everything is on disk the count is exact. */
static void check_counts(struct play *p)
{
	for (unsigned f = 0; f < FEEDS; f++)
		for (unsigned t = 0; t < THINGS; t++) {
			char feed[2] = {feeds[f], 0}, thing[8];
			snprintf(thing, sizeof(thing), "%u", t);
			uint32_t id = scene_stream(&p->x, feed, thing, "pm25");
			struct series_ask a = {.what = SERIES_STREAMS, .filter = {.stream_id = id}};
			if (!id)
				continue;
			assert_int_equal(series_step(p->x.series, &a), 0);
			assert_int_equal(a.streams[0].count, p->m.s[f][t].n);
			series_ask_done(&a);
		}
}

static void play(unsigned moves)
{
	struct play *p = calloc(1, sizeof(*p));
	scene_open(&p->x, conf);
	p->want = malloc(POINTS_MAX * sizeof(*p->want));
	for (unsigned f = 0; f < FEEDS; f++)
		for (unsigned t = 0; t < THINGS; t++) {
			p->m.s[f][t].p = malloc(POINTS_MAX * sizeof(struct truth));
			p->m.clock_ms[f][t] = START;
		}
	for (unsigned i = 0; i < moves; i++) {
		clock_advance(&p->x.b.clock, 1 + rnd() % 5000);
		switch (rnd() % 16) {
		case 0:
			assert_int_equal(series_flush(p->x.series), 0);
			check_counts(p);
			break;
		case 1: scene_crash(&p->x); break;
		case 2: amend(p); break;
		case 3:
			if (i % 2)
				put_many(p);
			break;
		case 4:
		case 5:
		case 6:
		case 7: check(p); break;
		default: put_some(p);
		}
	}
	scene_close(&p->x);
	for (unsigned f = 0; f < FEEDS; f++)
		for (unsigned t = 0; t < THINGS; t++)
			free(p->m.s[f][t].p);
	free(p->want);
	free(p);
}

static void any_order_of_events(void **unused UNUSED)
{
	const char *runs = getenv("SERIES_RUNS"), *seed = getenv("SERIES_SEED");
	uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;
	for (uint64_t i = 0; i < (runs ? strtoull(runs, NULL, 10) : 3); i++) {
		state = (first + i) * 0x9E3779B97F4A7C15u;
		fprintf(stderr, "# seed %llu\n", (unsigned long long)(first + i));
		play(80);
	}
}

/* Newest first, while more of the very time at which a page ends come in, in memory and on disk. */
static void ties_that_come_meanwhile(void **unused UNUSED)
{
	struct play *p = calloc(1, sizeof(*p));
	int want = 40;
	scene_open(&p->x, conf);
	for (int i = 0; i < want; i++)
		send_one(p, &(struct sent){2, 0, START, i + 1});
	scene_turn(&p->x);
	struct series_ask a = {.id = scene_stream(&p->x, "k", "0", "pm25"),
	                       .what = SERIES_RAW,
	                       .to_ms = SERIES_TIME_MAX,
	                       .descending = true};
	for (int page = 0; want > 0; page++) {
		a.limit = 1 + (size_t)page % 5;
		assert_int_equal(series_step(p->x.series, &a), 0);
		for (size_t i = 0; i < a.points.n; i++, want--)
			assert_int_equal(llround(a.points.p[i].number * 10), want);
		send_one(p, &(struct sent){2, 0, START, 1000 + page});
		scene_turn(&p->x);
		if (page % 2)
			assert_int_equal(series_flush(p->x.series), 0);
	}
	assert_false(a.more);
	series_ask_done(&a);
	scene_close(&p->x);
	free(p);
}

/* A page of the newest looks at the end of a long tail only, whatever order it came in. */
static void newest_of_a_long_tail(void **unused UNUSED)
{
	enum { ROUNDS = 12, EACH = 60 };
	struct play *p = calloc(1, sizeof(*p));
	p->want = malloc(ROUNDS * EACH * sizeof(*p->want));
	for (unsigned f = 0; f < FEEDS; f++)
		p->m.s[f][0].p = malloc(ROUNDS * EACH * sizeof(struct truth));
	scene_open(&p->x, conf);
	for (int round = 0; round < ROUNDS; round++)
		for (unsigned f = 0; f < FEEDS; f++) {
			struct sent some[EACH];
			int spread = round % 3 ? 40 : 1; /* seconds; 1: in order */
			for (int i = 0; i < EACH; i++)
				some[i] = (struct sent){
				    f, 0,
				    START +
				        (round * EACH + i + (int)(rnd() % (unsigned)spread)) * 1000,
				    (int)(rnd() % 1000)};
			send_all(p, some, EACH);
			if (round == 7)
				assert_int_equal(series_flush(p->x.series), 0);
			static const size_t limits[] = {1, 7, 50};
			for (unsigned k = 0; k < ARRAY_LEN(limits); k++) {
				char name[2] = {(char)feeds[f], 0};
				struct points got;
				struct series_ask a = {.id = scene_stream(&p->x, name, "0", "pm25"),
				                       .to_ms = SERIES_TIME_MAX,
				                       .descending = true};
				size_t n =
				    model_raw(&p->m.s[f][0], 0, SERIES_TIME_MAX, false, p->want);
				scene_raw(&p->x, a, limits[k], &got);
				assert_int_equal(got.n, n);
				for (size_t i = 0; i < n; i++)
					assert_true(got.p[i].time_ms ==
					                p->want[n - 1 - i].time_ms &&
					            got.p[i].number == p->want[n - 1 - i].number);
				points_done(&got);
			}
		}
	scene_close(&p->x);
	for (unsigned f = 0; f < FEEDS; f++)
		free(p->m.s[f][0].p);
	free(p->want);
	free(p);
}

/* The first of one time is on disk and older than asked for; another came since, and is ignored. */
static void ignored_ones_are_never_told(void **unused UNUSED)
{
	struct play *p = calloc(1, sizeof(*p));
	struct points got;
	scene_open(&p->x, conf);
	send_one(p, &(struct sent){0, 0, START, 1});
	scene_turn(&p->x);
	assert_int_equal(series_flush(p->x.series), 0);
	clock_advance(&p->x.b.clock, 100000);
	send_one(p, &(struct sent){0, 0, START, 2});
	scene_turn(&p->x);
	struct series_ask a = {.id = scene_stream(&p->x, "i", "0", "pm25"),
	                       .to_ms = SERIES_TIME_MAX,
	                       .stored_since_ms = clock_wall_ms(&p->x.b.clock) - 50000};
	scene_raw(&p->x, a, 10, &got);
	for (size_t i = 0; i < got.n; i++)
		assert_true(got.p[i].number == 0.1);
	points_done(&got);
	scene_close(&p->x);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_order_of_events), cmocka_unit_test(ties_that_come_meanwhile),
	    cmocka_unit_test(newest_of_a_long_tail), cmocka_unit_test(ignored_ones_are_never_told)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
