/* city.c - values over a day: rush hours, the sun, car parks that fill, and a wandering remainder.
 */
#include "cli/city.h"

#include "base/mem.h"
#include "base/rfc3339.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
	const char *prefix, *schema;
	uint32_t per_mille; /* of all things */
	uint32_t every_s;
} kinds[CITY_KINDS] = {
    [CITY_AIR] = {"city/air/", "air-quality-observed/1", 220, 20},
    [CITY_NOISE] = {"city/noise/", "noise-level-observed/1", 130, 15},
    [CITY_WEATHER] = {"city/weather/", "weather-observed/1", 90, 60},
    [CITY_TRAFFIC] = {"city/traffic/", "traffic-flow-observed/1", 220, 15},
    [CITY_PARKING] = {"city/parking/", "off-street-parking/1", 70, 30},
    [CITY_DEVICE] = {"city/device/", "device-measurement/1", 120, 30},
    [CITY_CROWD] = {"city/crowd/", "crowd-flow-observed/1", 40, 30},
    [CITY_WASTE] = {"city/waste/", "waste-container/1", 50, 60},
    [CITY_LIGHT] = {"city/lighting/", "streetlight/1", 30, 60},
    [CITY_WATER] = {"city/water/", "water-observed/1", 30, 60},
};

static const char *const places[] = {
    "haven",    "markt",      "station",    "stadhuis",   "kade",      "singel",    "parklaan",
    "molenweg", "kerkstraat", "dijk",       "brug",       "sluis",     "bosweg",    "ringweg",
    "campus",   "ziekenhuis", "stadion",    "tuindorp",   "oostpoort", "westerpad", "noordplein",
    "zuidpark", "waterlinie", "korenmarkt", "vestingwal", "lindelaan", "eikstraat", "spoorlaan",
};

const char *city_prefix(enum city_kind kind)
{
	return kinds[kind].prefix;
}

const char *city_schema(enum city_kind kind)
{
	return kinds[kind].schema;
}

/* ---- chance: xorshift64*, 0..1, and something like a normal distribution ---- */

static double chance(struct city_thing *t)
{
	uint64_t x = t->chance;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	t->chance = x;
	return (double)(x * 0x2545f4914f6cdd1du >> 11) / (double)(1ull << 53);
}

static double normal(struct city_thing *t)
{
	double sum = -6;
	for (int i = 0; i < 12; i++)
		sum += chance(t);
	return sum;
}

/* ---- the day ---- */

struct hour {
	double of_day; /* 0..24, local time */
	bool weekend;
};

static struct hour hour_of(int64_t ms)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	localtime_r(&s, &tm);
	return (struct hour){.of_day = tm.tm_hour + tm.tm_min / 60.0 + tm.tm_sec / 3600.0,
	                     .weekend = tm.tm_wday == 0 || tm.tm_wday == 6};
}

static double peak(double hour, double at, double wide)
{
	double d = (hour - at) / wide;
	return exp(-d * d / 2);
}

double city_rush(int64_t now_ms)
{
	struct hour h = hour_of(now_ms);
	double base = 0.05 + 0.35 * peak(h.of_day, 14, 4.5);
	double peaks = h.weekend
	                   ? 0.25 * peak(h.of_day, 15, 3)
	                   : 0.6 * peak(h.of_day, 8.2, 1.1) + 0.55 * peak(h.of_day, 17.3, 1.5);
	return MIN_OF(base + peaks, 1.0);
}

static double sun(int64_t now_ms)
{
	struct hour h = hour_of(now_ms);
	return h.of_day > 6.5 && h.of_day < 20 ? sin(M_PI * (h.of_day - 6.5) / 13.5) : 0;
}

static double air_temperature(int64_t now_ms)
{
	struct hour h = hour_of(now_ms);
	double day = (double)(now_ms / 86400000 % 365);
	return 10.5 - 7.5 * cos(2 * M_PI * (day - 20) / 365) -
	       3.5 * cos(2 * M_PI * (h.of_day - 3) / 24);
}

/* Steps away from the typical and is drawn back: never further than it should. */
static double wander(struct city_thing *t, double step, double most)
{
	t->wander = 0.95 * t->wander + step * normal(t);
	t->wander = fmax(-most, fmin(most, t->wander));
	return t->wander;
}

static double within(double v, double low, double high)
{
	return fmax(low, fmin(high, v));
}

/* ---- payloads ---- */

static void begin(struct buf *b, const char *time_name, int64_t now_ms)
{
	char t[RFC3339_BYTES];
	rfc3339_format(now_ms / 1000 * 1000, t);
	buf_addf(b, "{\"%s\":\"%.19sZ\"", time_name, t);
}

static void number(struct buf *b, const char *name, double v, int decimals)
{
	buf_addf(b, ",\"%s\":%.*f", name, decimals, v + 0.0);
}

static void end(const struct city_thing *t, struct buf *b)
{
	buf_addf(b, ",\"location\":{\"type\":\"Point\",\"coordinates\":[%.5f,%.5f]}}", t->lon,
	         t->lat);
}

static void air(struct city_thing *t, int64_t now_ms, struct buf *b)
{
	double rush = city_rush(now_ms), w = wander(t, 0.6, 4), pm = 4 + 5 * t->base + 9 * rush + w;
	double no2 = within(8 + 14 * t->base + 32 * rush + 1.5 * w, 0, 200);
	begin(b, "dateObserved", now_ms);
	number(b, "pm25", within(pm, 0.5, 150), 1);
	number(b, "pm10", within(pm * 1.7 + chance(t), 1, 250), 1);
	number(b, "no2", no2, 1);
	number(b, "o3", within(45 + 40 * sun(now_ms) - 0.5 * no2 + w, 1, 240), 1);
	number(b, "temperature", air_temperature(now_ms) + t->base + 0.1 * w, 1);
	number(b, "relativeHumidity", within(0.82 - 0.25 * sun(now_ms) + 0.01 * w, 0.2, 1), 2);
	end(t, b);
}

static void noise(struct city_thing *t, int64_t now_ms, struct buf *b)
{
	double level = 42 + 9 * t->base + 16 * city_rush(now_ms) + wander(t, 0.8, 6);
	char from[RFC3339_BYTES];
	rfc3339_format((now_ms - t->every_ms) / 1000 * 1000, from);
	begin(b, "dateObservedTo", now_ms);
	buf_addf(b, ",\"dateObservedFrom\":\"%.19sZ\"", from);
	number(b, "LAeq", level, 1);
	number(b, "LAmax", level + 5 + 12 * chance(t), 1);
	end(t, b);
}

static void weather(struct city_thing *t, int64_t now_ms, struct buf *b)
{
	double w = wander(t, 0.15, 1.5), wind = within(3.5 + 2 * t->base + 1.5 * w, 0, 30);
	begin(b, "dateObserved", now_ms);
	number(b, "temperature", air_temperature(now_ms) + 0.5 * t->base + 0.3 * w, 1);
	number(b, "relativeHumidity", within(0.8 - 0.25 * sun(now_ms) + 0.03 * w, 0.2, 1), 2);
	number(b, "atmosphericPressure", 1014 + 6 * sin((double)now_ms / 3.1e8) + 0.2 * w, 1);
	number(b, "windSpeed", wind, 1);
	number(b, "windDirection", within(60 * sin((double)now_ms / 2.2e7) + 15 * w, -180, 180), 0);
	number(b, "precipitation", w > 0.9 ? (w - 0.9) * 2 : 0, 1);
	end(t, b);
}

static void traffic(struct city_thing *t, int64_t now_ms, struct buf *b)
{
	double load =
	    within(city_rush(now_ms) * (0.6 + 0.5 * t->base) + wander(t, 0.03, 0.2), 0, 1);
	double limit = t->base > 0.6 ? 70 : 50, slow = load > 0.75 ? (load - 0.75) * 2.4 : 0;
	begin(b, "dateObserved", now_ms);
	number(b, "intensity", floor(load * (600 + 1200 * t->base) * t->every_ms / 3.6e6 * 4), 0);
	number(b, "occupancy", within(load * load * 0.5 + slow * 0.6, 0, 1), 2);
	number(b, "averageVehicleSpeed", within(limit * (1 - slow) - 4 * load + normal(t), 4, 130),
	       1);
	buf_addf(b, ",\"congested\":%s", slow > 0.25 ? "true" : "false");
	end(t, b);
}

static void parking(struct city_thing *t, int64_t now_ms, struct buf *b)
{
	struct hour h = hour_of(now_ms);
	int spots = 80 + (int)(t->base * 12) * 45;
	/* offices fill in the morning, the centre in the afternoon, homes at night */
	double at = h.of_day, share;
	if (t->index % 3 == 0)
		share = h.weekend ? 0.12 : 0.1 + 0.85 * peak(at, 12.5, 3.2);
	else if (t->index % 3 == 1)
		share = 0.12 + 0.75 * peak(at, 15.5, 3.5) + (h.weekend ? 0.1 : 0);
	else
		share = 0.92 - 0.55 * peak(at, 13, 4);
	share = within(share + wander(t, 0.01, 0.08), 0, 1);
	int free_spots = spots - (int)lround(share * spots);
	begin(b, "dateObserved", now_ms);
	buf_addf(b, ",\"totalSpotNumber\":%d,\"availableSpotNumber\":%d", spots, free_spots);
	number(b, "occupancy", 1 - (double)free_spots / spots, 3);
	end(t, b);
}

static void device(struct city_thing *t, int64_t now_ms, struct buf *b)
{
	/* bins fill and are emptied, ground water stands, trees dry out and are watered */
	static const struct {
		const char *property, *unit;
		double emptied_after_ms;
	} what[] = {
	    {"fillingLevel", "C62", 1.7e8}, {"waterLevel", "MTR", 0}, {"soilMoisture", "P1", 4e8}};
	unsigned i = t->index % ARRAY_LEN(what);
	double w = wander(t, 0.1, 1), v;
	double since = i == 1 ? 0 : fmod((double)now_ms / what[i].emptied_after_ms + t->base, 1);
	if (i == 0)
		v = within(since + 0.01 * w, 0, 1);
	else if (i == 1)
		v = -1.2 - t->base + 0.05 * w;
	else
		v = within(42 - 25 * since + w, 2, 60);
	begin(b, "dateObserved", now_ms);
	buf_addf(b, ",\"controlledProperty\":\"%s\",\"unit\":\"%s\"", what[i].property,
	         what[i].unit);
	number(b, "numValue", v, 2);
	number(b, "batteryLevel",
	       within(0.98 - 0.7 * fmod((double)now_ms / 3e10 + t->base, 1), 0, 1), 2);
	end(t, b);
}

static void crowd(struct city_thing *t, int64_t now_ms, struct buf *b)
{
	double load = within(city_rush(now_ms) * (0.5 + t->base) + wander(t, 0.03, 0.2), 0, 1.5);
	int people = (int)lround(load * 220),
	    towards = (int)lround(people * (0.3 + 0.4 * chance(t)));
	begin(b, "dateObserved", now_ms);
	buf_addf(b, ",\"peopleCount\":%d,\"peopleCountTowards\":%d,\"peopleCountAway\":%d", people,
	         towards, people - towards);
	number(b, "averageCrowdSpeed", within(5 - 2.5 * load + 0.2 * normal(t), 0.5, 7), 1);
	buf_addf(b, ",\"congested\":%s", load > 1.2 ? "true" : "false");
	end(t, b);
}

static void waste(struct city_thing *t, int64_t now_ms, struct buf *b)
{
	/* full in three to six days, then emptied */
	double fills_ms = (3 + 3 * t->base) * 86400e3, w = wander(t, 0.1, 1);
	double full = within(fmod((double)now_ms / fills_ms + t->base, 1) + 0.01 * w, 0, 1);
	begin(b, "dateObserved", now_ms);
	number(b, "fillingLevel", full, 2);
	number(b, "temperature", air_temperature(now_ms) + 3 * full + 0.3 * w, 1);
	buf_addf(b, ",\"status\":\"%s\"", chance(t) < 0.01 ? "lidOpen" : "ok");
	end(t, b);
}

static void light(struct city_thing *t, int64_t now_ms, struct buf *b)
{
	struct hour h = hour_of(now_ms);
	bool dark = sun(now_ms) <= 0.05, night = h.of_day >= 23 || h.of_day < 6;
	begin(b, "dateObserved", now_ms);
	buf_addf(b, ",\"status\":\"%s\",\"powerState\":\"%s\"",
	         t->base < 0.03 ? "defectiveLamp" : "ok",
	         !dark   ? "off"
	         : night ? "low"
	                 : "on");
	number(b, "illuminanceLevel", !dark ? 0 : night ? 0.4 : 1, 1);
	end(t, b);
}

static void water(struct city_thing *t, int64_t now_ms, struct buf *b)
{
	/* half a metre around the datum, with the tide where there is one */
	double tide = t->base > 0.5 ? 0.4 * sin(2 * M_PI * (double)now_ms / 44714e3) : 0;
	begin(b, "dateObserved", now_ms);
	number(b, "waterLevel", t->base - 0.6 + tide + wander(t, 0.005, 0.1), 2);
	end(t, b);
}

void city_measure(struct city_thing *t, int64_t now_ms, struct buf *payload)
{
	static void (*const measure[CITY_KINDS])(struct city_thing *, int64_t, struct buf *) = {
	    [CITY_AIR] = air,         [CITY_NOISE] = noise,     [CITY_WEATHER] = weather,
	    [CITY_TRAFFIC] = traffic, [CITY_PARKING] = parking, [CITY_DEVICE] = device,
	    [CITY_CROWD] = crowd,     [CITY_WASTE] = waste,     [CITY_LIGHT] = light,
	    [CITY_WATER] = water};
	assert(t->kind < CITY_KINDS);
	measure[t->kind](t, now_ms, payload);
}

/* ---- the things ---- */

static void make(struct city_thing *t, enum city_kind kind, uint32_t index, uint64_t seed,
                 int64_t now_ms)
{
	*t = (struct city_thing){.kind = kind, .index = index};
	t->chance = (seed ^ index * 0x9e3779b97f4a7c15u) | 1;
	for (int i = 0; i < 8; i++)
		(void)chance(t);
	t->base = chance(t);
	/* a rhythm of its own, 10 % around the kind's, not faster than 10 s */
	t->every_ms = (uint32_t)(kinds[kind].every_s * 1000 * (0.9 + 0.2 * chance(t)));
	t->next_ms = now_ms + (int64_t)(chance(t) * CITY_FIRST_WITHIN_MS);
	t->lat = 51.587 + 0.03 * (chance(t) - 0.5);
	t->lon = 4.776 + 0.06 * (chance(t) - 0.5);
	snprintf(t->name, sizeof(t->name), "%s-%03u", places[index % ARRAY_LEN(places)], index);
}

void city_next(struct city_thing *t, int64_t now_ms)
{
	/* All begin within seconds of each other; from the second report on each has its own phase.
	 */
	t->next_ms += t->began ? t->every_ms : (int64_t)(chance(t) * t->every_ms) + 1;
	t->began = true;
	if (t->next_ms <= now_ms) /* the machine slept */
		t->next_ms = now_ms + t->every_ms;
}

void city_init(struct city *c, uint32_t n, uint64_t seed, int64_t now_ms)
{
	assert(n > 0 && n <= CITY_THINGS_MAX);
	c->n = n;
	c->things = xcalloc(n, sizeof(*c->things));
	uint64_t upto = 0;
	uint32_t i = 0;
	for (unsigned k = 0; k < CITY_KINDS; k++) {
		upto += kinds[k].per_mille;
		uint32_t last = (uint32_t)(upto * n / 1000);
		for (; i < last; i++)
			make(&c->things[i], (enum city_kind)k, i, seed, now_ms);
	}
	assert(i == n);
}

void city_done(struct city *c)
{
	free(c->things);
	*c = (struct city){0};
}
