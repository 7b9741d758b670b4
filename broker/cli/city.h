/* city.h - the simulated city of `oudp demo`: things with a place, a rhythm and values that behave
 * as such values do over a day. Pure: time is a parameter, chance comes from a seed, so that a test
 * can hold every payload against its schema. */
#ifndef CLI_CITY_H
#define CLI_CITY_H

#include "base/buf.h"
#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>

enum city_kind {
	CITY_AIR,
	CITY_NOISE,
	CITY_WEATHER,
	CITY_TRAFFIC,
	CITY_PARKING,
	CITY_DEVICE,
	CITY_CROWD,
	CITY_WASTE,
	CITY_LIGHT,
	CITY_WATER,
	CITY_KINDS
};

enum { CITY_THINGS_MAX = 100000, CITY_FIRST_WITHIN_MS = 10000 };

struct city_thing {
	enum city_kind kind;
	uint32_t index;      /* among all things */
	int64_t next_ms;     /* when it reports next, wall time */
	uint32_t every_ms;   /* its own rhythm */
	bool began;          /* it has reported */
	uint64_t chance;     /* its random numbers */
	double base, wander; /* what is typical here; how far from it just now */
	double lat, lon;
	char name[40]; /* "haven-014": the topic level, and its id */
};

struct city {
	struct city_thing *things;
	uint32_t n;
};

/* n things whose first messages fall within CITY_FIRST_WITHIN_MS of now. */
void city_init(struct city *c, uint32_t n, uint64_t seed, int64_t now_ms);
void city_done(struct city *c);

/* "city/air/" and the like: topic = prefix and name; the schema that payloads fit. */
const char *city_prefix(enum city_kind kind);
const char *city_schema(enum city_kind kind);

/* After a report: sets when the next one is. */
void city_next(struct city_thing *t, int64_t now_ms);

/* Appends what the thing measures now, as JSON, and moves its values on. */
void city_measure(struct city_thing *t, int64_t now_ms, struct buf *payload);

/* 0..1: how busy a city is at that time; two peaks on working days. */
double city_rush(int64_t now_ms);

#endif
