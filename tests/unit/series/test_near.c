/* Things and datastreams by where they are, against looking at each thing of a plain list: points,
 * lines and surfaces, those that only the register knows, moves, erasures, crashes, boxes and
 * circles, in pages. NEAR_SEED: another run. */
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
	bool there, told, registered; /* it has data, told a place, stands in the register */
	struct box box, entry;
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

/* A point, or a line or a surface within a tenth of the spread; *ret: the box around it. */
static void any_geometry(const struct play *p, struct box *ret, char *out, size_t size)
{
	static const char *const types[] = {"Point", "LineString", "Polygon"};
	unsigned type = (unsigned)rnd_below(4) % 3, n = type ? 2 + (unsigned)rnd_below(3) : 1;
	int32_t lon, lat;
	any_point(p, &lon, &lat);
	size_t len = (size_t)snprintf(out, size, "{\"type\":\"%s\",\"coordinates\":%s", types[type],
	                              type == 0   ? ""
	                              : type == 1 ? "["
	                                          : "[[");
	for (unsigned i = 0; i < n; i++) {
		struct box at = box_of_point(lon, lat);
		*ret = i ? box_with(*ret, &at) : at;
		len += (size_t)snprintf(out + len, size - len, "%s[%.7f,%.7f]", i ? "," : "",
		                        lon / E7, lat / E7);
		lon = within(lon + (int64_t)rnd_below((uint64_t)p->spread / 5), 1800000000);
		lat = within(lat - (int64_t)rnd_below((uint64_t)p->spread / 5), 900000000);
	}
	snprintf(out + len, size - len, "%s}", type == 0 ? "" : type == 1 ? "]" : "]]");
}

/* A message, now and then without a place. */
static void put(struct play *p, unsigned t)
{
	char topic[16], payload[512], location[320] = "null";
	struct spot *s = &p->at[t];
	bool told = rnd_below(4) > 0;
	if (told)
		any_geometry(p, &s->box, location, sizeof(location));
	s->there = true;
	s->told = s->told || told;
	p->clock_ms += 1000;
	scene_answers = 0;
	snprintf(topic, sizeof(topic), "i/%u", t);
	snprintf(payload, sizeof(payload), "{\"dateObserved\":\"%s\",\"pm25\":%u,\"no2\":%u%s%s}",
	         scene_time(p->clock_ms), t, t, told ? ",\"location\":" : "", told ? location : "");
	scene_put(&p->x, topic, payload);
}

static unsigned number_of(struct span thing)
{
	unsigned t = 0;
	for (size_t k = 0; k < thing.n; k++)
		t = 10 * t + (unsigned)(thing.p[k] - '0');
	return t;
}

static bool is_registered_at(void *arg, struct span organisation UNUSED, struct span thing,
                             struct box *ret)
{
	const struct play *p = arg;
	const struct spot *s = &p->at[number_of(thing)];
	*ret = s->entry;
	return s->registered;
}

/* The organisation that the broker's things have. */
static struct span organisation_of(const struct play *p)
{
	return span_str(p->x.b.config->organisation);
}

static void change_entry(struct play *p, unsigned t)
{
	struct spot *s = &p->at[t];
	char name[8];
	int32_t lon, lat;
	any_point(p, &lon, &lat);
	s->entry = box_of_point(lon, lat);
	s->registered = rnd_below(4) > 0;
	snprintf(name, sizeof(name), "%u", t);
	series_registered(p->x.series, organisation_of(p), span_str(name),
	                  s->registered ? &s->entry : NULL);
	series_registered(p->x.series, SPAN(""), span_str(name), s->registered ? &s->entry : NULL);
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
	p->at[t].there = p->at[t].told = false;
}

/* ---- the plain list ---- */

static bool is_in(const struct series_filter *f, const struct spot *s)
{
	return s->there && (s->told || s->registered) &&
	       shape_meets(&f->shape, s->told ? &s->box : &s->entry);
}

static struct series_filter any_shape(const struct play *p)
{
	struct series_filter f = {.shape.kind = rnd_below(2) ? SHAPE_BBOX : SHAPE_RADIUS};
	struct shape *s = &f.shape;
	int64_t size = 1 + (int64_t)rnd_below((uint64_t)p->spread * 2);
	any_point(p, &s->lon_e7, &s->lat_e7);
	s->radius_m = (double)size / E7 * 111195 * (rnd_below(10) ? 0.5 : 3);
	int64_t west = s->lon_e7 - size / 2, east = west + size;
	s->west_e7 = (int32_t)(west < -1800000000 ? west + 3600000000 : west);
	s->east_e7 = (int32_t)(east > 1800000000 ? east - 3600000000 : east);
	s->south_e7 = within(s->lat_e7 - size / 2, 900000000);
	s->north_e7 = within(s->lat_e7 + size / 2, 900000000);
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
			unsigned t = number_of(thing);
			bool no2 = streams && span_is(a.streams[i].member, "no2");
			assert_true(id > last && t < THINGS && !found[t][no2]);
			found[t][no2] = true;
			last = id;
		}
	} while (a.more);
	for (unsigned t = 0; t < THINGS; t++) {
		bool in = is_in(&a.filter, &p->at[t]);
		assert_int_equal(found[t][0], in && !a.filter.member.n);
		assert_int_equal(found[t][1], in && streams);
	}
	series_ask_done(&a);
}

static void open_play(struct play *p)
{
	broker_open(&p->x.b, conf);
	p->x.registered = is_registered_at;
	p->x.registered_arg = p;
	scene_series(&p->x);
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
		open_play(p);
		for (unsigned move = 0; move < 150; move++) {
			for (unsigned i = (unsigned)rnd_below(20); i > 0; i--)
				put(p, (unsigned)rnd_below(THINGS));
			scene_turn(&p->x);
			if (rnd_below(2) == 0)
				change_entry(p, (unsigned)rnd_below(THINGS));
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
