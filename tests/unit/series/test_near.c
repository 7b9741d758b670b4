/* Things and datastreams by where they are, against looking at each thing of a plain list: any
 * places, moves, erasures, crashes, boxes and circles, in pages. NEAR_SEED: another run. */
#include "unit/random.h"
#include "unit/series/scene.h"

#include <stdlib.h>

static const char conf[] =
    "feed \"i\" { topics = { \"i/{thing}\" } schemas = { \"air-quality-observed/1\" } max-age = "
    "\"0\" duplicates = replace }\n";

enum { THINGS = 250 };
static const int64_t START = 1795521600000 - 20 * 86400000ll;
static const double E7 = 1e7;

struct spot {
	bool there;
	int32_t lon_e7, lat_e7;
	uint32_t id; /* of the thing */
};

struct play {
	struct scene x;
	struct spot at[THINGS];
	int64_t clock_ms;
	int64_t spread; /* of this run, 1e-7 degree */
};

static int32_t within(int64_t v, int64_t most)
{
	return (int32_t)(v < -most ? -most : v > most ? most : v);
}

static void any_point(const struct play *p, int32_t *lon, int32_t *lat)
{
	uint64_t wide = (uint64_t)p->spread;
	*lon = within(49000000 + (int64_t)rnd_below(2 * wide) - p->spread, 1800000000);
	*lat = within(523000000 + (int64_t)rnd_below(2 * wide) - p->spread, 900000000);
	if (rnd_below(20) == 0)
		*lon = rnd_below(2) ? 1800000000 - (int32_t)rnd_below(wide)
		                    : -1800000000 + (int32_t)rnd_below(wide);
	if (rnd_below(40) == 0)
		*lat = rnd_below(2) ? 900000000 - (int32_t)rnd_below(wide)
		                    : -900000000 + (int32_t)rnd_below(wide);
}

static void place(struct play *p, unsigned t)
{
	char topic[16], payload[256];
	struct spot *s = &p->at[t];
	any_point(p, &s->lon_e7, &s->lat_e7);
	s->there = true;
	p->clock_ms += 1000;
	scene_answers = 0;
	snprintf(topic, sizeof(topic), "i/%u", t);
	snprintf(payload, sizeof(payload),
	         "{\"dateObserved\":\"%s\",\"pm25\":%u,\"no2\":%u,\"location\":{\"type\":\"Point\","
	         "\"coordinates\":[%.7f,%.7f]}}",
	         scene_time(p->clock_ms), t, t, s->lon_e7 / E7, s->lat_e7 / E7);
	scene_put(&p->x, topic, payload);
}

static void on_erased(struct series_correction *c)
{
	assert_int_equal(c->err, 0);
}

static void erase(struct play *p, unsigned t)
{
	char name[8];
	snprintf(name, sizeof(name), "%u", t);
	struct series_correction c = {
	    .what = SERIES_ERASE, .thing_id = scene_thing(&p->x, "i", name), .done = on_erased};
	if (!c.thing_id)
		return;
	series_correct(p->x.series, &c);
	while (series_work(p->x.series))
		;
	p->at[t].there = false;
}

/* ---- the plain list ---- */

static bool is_in(const struct series_filter *f, const struct spot *s)
{
	if (f->shape == SERIES_BBOX) {
		bool lon = f->west_e7 <= f->east_e7
		               ? s->lon_e7 >= f->west_e7 && s->lon_e7 <= f->east_e7
		               : s->lon_e7 >= f->west_e7 || s->lon_e7 <= f->east_e7;
		return lon && s->lat_e7 >= f->south_e7 && s->lat_e7 <= f->north_e7;
	}
	const double rad = M_PI / 180 / E7;
	double a = f->lat_e7 * rad, b = s->lat_e7 * rad;
	double x = sin((b - a) / 2), y = sin((s->lon_e7 - (double)f->lon_e7) * rad / 2);
	double h = x * x + cos(a) * cos(b) * y * y;
	return 2 * 6371008.8 * asin(sqrt(fmin(h, 1))) <= f->radius_m;
}

static struct series_filter any_shape(const struct play *p)
{
	struct series_filter f = {.shape = rnd_below(2) ? SERIES_BBOX : SERIES_RADIUS};
	int64_t size = 1 + (int64_t)rnd_below((uint64_t)p->spread * 2);
	any_point(p, &f.lon_e7, &f.lat_e7);
	f.radius_m = (double)size / E7 * 111195 * (rnd_below(10) ? 0.5 : 3);
	int64_t west = f.lon_e7 - size / 2, east = west + size;
	f.west_e7 = (int32_t)(west < -1800000000 ? west + 3600000000 : west);
	f.east_e7 = (int32_t)(east > 1800000000 ? east - 3600000000 : east);
	f.south_e7 = within(f.lat_e7 - size / 2, 900000000);
	f.north_e7 = within(f.lat_e7 + size / 2, 900000000);
	if (rnd_below(3) == 0)
		f.member = SPAN("no2");
	return f;
}

static void check(struct play *p, bool streams)
{
	struct series_ask a = {.what = streams ? SERIES_STREAMS : SERIES_THINGS,
	                       .filter = any_shape(p),
	                       .limit = 1 + rnd_below(60)};
	static bool found[THINGS][2];
	uint32_t last = 0;
	if (!streams)
		a.filter.member = (struct span){0};
	memset(found, 0, sizeof(found));
	do {
		assert_int_equal(series_step(p->x.series, &a), 0);
		for (size_t i = 0; i < a.n; i++) {
			struct span thing = streams ? a.streams[i].thing : a.things[i].thing;
			uint32_t id = streams ? a.streams[i].id : a.things[i].id;
			unsigned t = 0;
			for (size_t k = 0; k < thing.n; k++)
				t = 10 * t + (unsigned)(thing.p[k] - '0');
			bool no2 = streams && span_is(a.streams[i].member, "no2");
			assert_true(id > last && t < THINGS && !found[t][no2]);
			found[t][no2] = true;
			last = id;
		}
	} while (a.more);
	for (unsigned t = 0; t < THINGS; t++) {
		bool in = p->at[t].there && is_in(&a.filter, &p->at[t]);
		assert_int_equal(found[t][0], in && !a.filter.member.n);
		assert_int_equal(found[t][1], in && streams);
	}
	series_ask_done(&a);
}

static void as_looking_at_each(void **unused UNUSED)
{
	static const int64_t spreads[] = {2000, 300000, 5000000, 400000000};
	const char *seed = getenv("NEAR_SEED");
	for (unsigned run = 0; run < ARRAY_LEN(spreads); run++) {
		struct play *p = calloc(1, sizeof(*p));
		state = ((seed ? strtoull(seed, NULL, 10) : 1) + run) * 0x9E3779B97F4A7C15u;
		p->spread = spreads[run];
		p->clock_ms = START;
		scene_open(&p->x, conf);
		for (unsigned move = 0; move < 150; move++) {
			for (unsigned i = (unsigned)rnd_below(20); i > 0; i--)
				place(p, (unsigned)rnd_below(THINGS));
			scene_turn(&p->x);
			if (rnd_below(8) == 0)
				erase(p, (unsigned)rnd_below(THINGS));
			if (rnd_below(16) == 0)
				assert_int_equal(series_flush(p->x.series), 0);
			if (rnd_below(32) == 0)
				scene_crash(&p->x);
			check(p, move % 2);
			check(p, move % 2);
		}
		scene_close(&p->x);
		free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_looking_at_each)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
