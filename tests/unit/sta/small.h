/* small.h - a city of four things as a source of SensorThings: thing t (1..4) stands at (4 + t/10,
 * 52), has Datastreams 10 t + 1 (a number) and 10 t + 2 (a word); each has 20 Observations, one a
 * minute from 2026-11-30T00:00:00Z; id 1000 * stream + k; results k + t/10, or "even" and "odd".
 * Included by one .c per test program. */
#ifndef TESTS_UNIT_STA_SMALL_H
#define TESTS_UNIT_STA_SMALL_H

#include "base/err.h"
#include "base/rfc3339.h"
#include "sta/run.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { SMALL_THINGS = 4, SMALL_EACH = 20, SMALL_ROOT_MS = 60000 };
static const int64_t SMALL_START_MS = 1795996800000; /* 2026-11-30T00:00:00Z */

static int64_t small_thing(enum sta_type t, int64_t id)
{
	return t == STA_DATASTREAM ? id / 10 : t == STA_OBSERVATION ? id / 10000 : id;
}

static bool small_exists(enum sta_type t, int64_t id)
{
	int64_t thing = small_thing(t, id);
	if (t == STA_OBSERVED_PROPERTY)
		return id == 1 || id == 2;
	if (thing < 1 || thing > SMALL_THINGS)
		return false;
	if (t == STA_DATASTREAM)
		return id % 10 == 1 || id % 10 == 2;
	if (t == STA_OBSERVATION)
		return id % 1000 < SMALL_EACH && id / 1000 % 10 >= 1 && id / 1000 % 10 <= 2;
	return true;
}

static json_t *small_entity(enum sta_type t, int64_t id)
{
	int n = (int)small_thing(t, id);
	double lon = 4 + n / 10.0;
	char time[RFC3339_BYTES + 1] = "", name[40];
	switch (t) {
	case STA_THING:
		snprintf(name, sizeof(name), "pole %d", n);
		return json_pack("{s:s,s:s,s:{s:i,s:s}}", "name", name, "description",
		                 n % 2 ? "It's \xc3\xa9\xc3\xa9n" : "TWEE", "properties", "height",
		                 n * 2, "side", n < 3 ? "north" : "south");
	case STA_LOCATION:
		return json_pack("{s:s,s:s,s:s,s:{s:s,s:[f,f]}}", "name", "place", "description",
		                 "", "encodingType", "application/geo+json", "location", "type",
		                 "Point", "coordinates", lon, 52.0);
	case STA_FEATURE:
		return json_pack("{s:s,s:s,s:s,s:{s:s,s:[f,f]}}", "name", "place", "description",
		                 "", "encodingType", "application/geo+json", "feature", "type",
		                 "Point", "coordinates", lon, 52.0);
	case STA_DATASTREAM:
		return json_pack("{s:s,s:s,s:s,s:{s:s,s:s}}", "name",
		                 id % 10 == 1 ? "level" : "word", "description", "",
		                 "observationType", "x", "unitOfMeasurement", "name", "metre",
		                 "symbol", "m");
	case STA_SENSOR:
		return json_pack("{s:s,s:s,s:s,s:s}", "name", "sensor", "description", "",
		                 "encodingType", "text/html", "metadata", "https://example.org/");
	case STA_OBSERVED_PROPERTY:
		return json_pack("{s:s,s:s,s:s}", "name", id == 1 ? "level" : "word", "description",
		                 "", "definition", "https://example.org/p");
	case STA_OBSERVATION: {
		int k = (int)(id % 1000);
		rfc3339_format(SMALL_START_MS + k * SMALL_ROOT_MS, time);
		if (id / 1000 % 10 == 1)
			return json_pack("{s:s,s:n,s:f}", "phenomenonTime", time, "resultTime",
			                 "result", k + n / 10.0);
		return json_pack("{s:s,s:n,s:s}", "phenomenonTime", time, "resultTime", "result",
		                 k % 2 ? "odd" : "even");
	}
	default: return json_pack("{s:s}", "time", "2026-11-30T00:00:00Z");
	}
}

static int small_get(void *arg, enum sta_type type, int64_t id, json_t **ret)
{
	(void)arg;
	if (!small_exists(type, id))
		return ERR_NOT_FOUND;
	*ret = small_entity(type, id);
	return 0;
}

static int small_one(void *arg, const struct sta_relation *r, int64_t id, int64_t *ret)
{
	(void)arg;
	if (!small_exists(r->from, id))
		return ERR_NOT_FOUND;
	if (r->to == STA_OBSERVED_PROPERTY)
		*ret = id % 10;
	else if (r->to == STA_DATASTREAM)
		*ret = id / 1000;
	else
		*ret = small_thing(r->from, id);
	return 0;
}

/* The i-th entity of a set, or 0. */
static int64_t small_at(enum sta_type t, unsigned i)
{
	unsigned stream = i / SMALL_EACH;
	switch (t) {
	case STA_DATASTREAM: return i < 2 * SMALL_THINGS ? 10 * (i / 2 + 1) + i % 2 + 1 : 0;
	case STA_OBSERVED_PROPERTY: return i < 2 ? i + 1 : 0;
	case STA_OBSERVATION:
		return stream < 2 * SMALL_THINGS
		           ? 1000 * small_at(STA_DATASTREAM, stream) + i % SMALL_EACH
		           : 0;
	default: return i < SMALL_THINGS ? i + 1 : 0;
	}
}

static bool small_related(const struct sta_list *l, int64_t id)
{
	if (!l->relation)
		return true;
	if (l->relation->from == STA_OBSERVED_PROPERTY)
		return id % 10 == l->id;
	if (l->relation->from == STA_DATASTREAM)
		return id / 1000 == l->id;
	return small_thing(l->type, id) == l->id;
}

static int small_walk(void *arg, const struct sta_list *l, sta_visit *visit, void *visit_arg)
{
	unsigned total = 0, first = 0;
	(void)arg;
	while (small_at(l->type, total))
		total++;
	if (l->token.n) {
		if (l->token.n != 4)
			return ERR_MALFORMED;
		memcpy(&first, l->token.p, 4);
	}
	for (unsigned i = first; i < total; i++) {
		int64_t id = small_at(l->type, l->descending ? total - 1 - i : i);
		int64_t ms = SMALL_START_MS + id % 1000 * SMALL_ROOT_MS;
		unsigned next = i + 1;
		if (!small_related(l, id) ||
		    (l->type == STA_OBSERVATION && (ms < l->from_ms || ms > l->to_ms)))
			continue;
		json_t *j = small_entity(l->type, id);
		int rc = visit(visit_arg, id, j, span_of((const char *)&next, 4));
		json_decref(j);
		if (rc)
			return 1;
	}
	return 0;
}

static bool small_count(void *arg, const struct sta_list *l, uint64_t *ret)
{
	(void)arg;
	if (l->type != STA_THING || l->relation)
		return false;
	*ret = SMALL_THINGS;
	return true;
}

static const struct sta_source small_source = {NULL, small_get, small_one, small_walk, small_count};

/* The answer as JSON (a new reference), or NULL with *ret_err and error. */
static inline json_t *small_ask(const char *path, const char *options, int *ret_err,
                                char error[200])
{
	struct sta_query *q = calloc(1, sizeof(*q));
	struct sta_request r = {q,
	                        &small_source,
	                        "http://h/sta/v1.1",
	                        span_str(path),
	                        span_str(options),
	                        SMALL_START_MS + 86400000};
	struct buf b;
	const char *type;
	json_t *j = NULL;
	buf_init(&b, 8 << 20);
	int err = sta_query_read(q, r.path, r.options);
	snprintf(error, 200, "%s", q->error);
	if (!err)
		err = sta_run(&r, &b, &type, error);
	if (!err)
		j = json_loadb(b.p, b.len, JSON_DECODE_ANY, NULL);
	if (!err && !j) { /* a bare value */
		buf_add_char(&b, '\0');
		j = json_string(b.p);
	}
	*ret_err = err;
	buf_done(&b);
	free(q);
	return j;
}

#endif
