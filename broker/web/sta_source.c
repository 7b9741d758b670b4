/* sta_source.c - the time series as a source of SensorThings' entities; see sta.h. Runs on a thread
 * of the reader pool, in steps of the engine. */
#include "base/err.h"
#include "base/limits.h"
#include "register/register.h"
#include "sta/build.h"
#include "sta/detail.h"
#include "web/sta_entity.h"
#include "web/sta_multi.h"

#include <stdlib.h>

/* ---- one thing, one datastream ---- */

static int with_thing(const struct sta_things *t, int64_t id,
                      json_t *(*make)(const struct sta_things *, const struct series_thing *),
                      json_t **ret)
{
	struct series_ask a;
	int err = ERR_NOT_FOUND;
	if (id <= 0 || id > UINT32_MAX)
		return err;
	sta_ask_init(t, &a, SERIES_THINGS);
	a.filter.thing_id = (uint32_t)id;
	err = sta_ask_one(t, &a);
	if (!err) {
		*ret = make(t, &a.things[0]);
		err = *ret ? 0 : ERR_NOT_FOUND;
	}
	series_ask_done(&a);
	return err;
}

/* *text is the caller's to free; it holds what the entry is a view of. */
static struct sta_entry entry_of(const struct sta_things *t, const struct series_thing *s,
                                 struct buf *text)
{
	struct sta_entry e = {.text = {0}};
	struct thing_place place;
	buf_init(text, LIMIT_THING_BYTES);
	if (t->register_ && things_entry(t->register_, s->organisation, s->thing, text, &place))
		e = (struct sta_entry){span_of(text->p, text->len), place};
	return e;
}

static json_t *make_thing(const struct sta_things *t, const struct series_thing *s)
{
	struct buf text;
	struct sta_entry e = entry_of(t, s, &text);
	json_t *j = sta_thing(s, &e);
	buf_done(&text);
	return j;
}

static json_t *make_place(const struct sta_things *t, const struct series_thing *s,
                          const char *member, bool wanted)
{
	struct buf text;
	struct sta_entry e = entry_of(t, s, &text);
	json_t *j = sta_place(s, &e, member, wanted);
	buf_done(&text);
	return j;
}
static json_t *make_location(const struct sta_things *t, const struct series_thing *s)
{
	return make_place(t, s, "location", false);
}
/* An Observation must be about something. */
static json_t *make_feature(const struct sta_things *t, const struct series_thing *s)
{
	return make_place(t, s, "feature", true);
}
static json_t *make_sensor(const struct sta_things *t, const struct series_thing *s)
{
	return sta_sensor(s, t->base_url);
}

typedef json_t *thing_maker(const struct sta_things *, const struct series_thing *);

static thing_maker *maker_of(enum sta_type type)
{
	return type == STA_THING      ? make_thing
	       : type == STA_LOCATION ? make_location
	       : type == STA_FEATURE  ? make_feature
	                              : make_sensor;
}

/* ret may be NULL: only t->last is wanted. */
static int with_stream(struct sta_things *t, int64_t id, json_t **ret)
{
	struct series_ask a;
	if (id <= 0 || id > UINT32_MAX)
		return ERR_NOT_FOUND;
	if (!ret && t->last.there && t->last.id == (uint32_t)id)
		return 0;
	sta_ask_init(t, &a, SERIES_STREAMS);
	a.filter.stream_id = (uint32_t)id;
	int rc = sta_ask_one(t, &a);
	if (!rc) {
		const struct series_stream *s = &a.streams[0];
		t->last.there = true;
		t->last.id = s->id;
		t->last.thing_id = s->thing_id;
		t->last.since_ms = s->since_ms;
		t->last.property = sta_property_id(s);
		sta_hint(t, t->last.property, s->id);
		if (ret)
			*ret = sta_datastream(s, t->base_url);
	}
	series_ask_done(&a);
	return rc;
}

int sta_at(const struct sta_things *t, uint32_t stream, int64_t ms, struct series_ask *a)
{
	int err = ERR_NOT_FOUND;
	for (unsigned moved = 0; moved < 2 && err == ERR_NOT_FOUND; moved++) {
		if (moved)
			series_ask_done(a);
		sta_ask_init(t, a, SERIES_RAW);
		a->id = stream;
		if (moved && (err = series_moved(t->series, stream, ms, &a->from_ms)))
			return err;
		a->from_ms = moved ? a->from_ms : ms;
		a->to_ms = a->from_ms + 1;
		a->details = a->stored = true;
		err = sta_ask_one(t, a);
		const struct series_detail *d = err ? NULL : series_detail(a, 0);
		if (!err && (d ? d->number_ms : a->from_ms) != ms)
			err = ERR_NOT_FOUND;
	}
	return err;
}

static int get_observation(struct sta_things *t, int64_t id, json_t **ret)
{
	struct series_ask a;
	int64_t ms = id & (((int64_t)1 << STA_ID_SHIFT) - 1);
	int err = id < 0 ? ERR_NOT_FOUND : with_stream(t, id >> STA_ID_SHIFT, NULL);
	if (err)
		return err;
	err = sta_at(t, t->last.id, ms, &a);
	if (!err)
		*ret = sta_observation(&a.points, &a.points.p[0], series_detail(&a, 0));
	series_ask_done(&a);
	return err;
}

/* ---- walks ---- */

struct walking {
	struct sta_things *t;
	const struct sta_list *l;
	sta_visit *visit;
	void *arg;
};

static int hand(const struct walking *w, int64_t id, json_t *entity, const void *token, size_t n)
{
	if (!entity)
		return ERR_AGAIN; /* out of memory */
	int rc = w->visit(w->arg, id, entity, span_of(token, n));
	sta_drop(entity);
	return rc;
}

/* Tokens of sets that are walked by number. */
static int after_number(const struct sta_list *l, struct series_cursor *c)
{
	uint64_t at;
	if (!l->token.n)
		return 0;
	if (l->token.n != sizeof(at))
		return ERR_MALFORMED;
	memcpy(&at, l->token.p, sizeof(at));
	if (at > UINT32_MAX)
		return ERR_MALFORMED;
	*c = (struct series_cursor){.at = at, .begun = true};
	return 0;
}

static int walk_things(const struct walking *w, uint32_t only)
{
	thing_maker *make = maker_of(w->l->type);
	struct series_ask a;
	sta_ask_init(w->t, &a, SERIES_THINGS);
	a.filter.thing_id = only;
	int rc = after_number(w->l, &a.cursor);
	while (sta_ask_step(w->t, &a, &rc))
		for (size_t i = 0; !rc && i < a.n; i++) {
			uint64_t at = a.things[i].id;
			json_t *j = make(w->t, &a.things[i]);
			if (j)
				rc = hand(w, (int64_t)at, j, &at, sizeof(at));
		}
	return sta_ask_end(&a, rc);
}

static int walk_streams(const struct walking *w, uint32_t thing, int64_t property)
{
	struct series_ask a;
	sta_ask_init(w->t, &a, SERIES_STREAMS);
	a.filter.thing_id = thing;
	int rc = after_number(w->l, &a.cursor);
	while (sta_ask_step(w->t, &a, &rc))
		for (size_t i = 0; !rc && i < a.n; i++) {
			const struct series_stream *s = &a.streams[i];
			uint64_t at = s->id;
			int64_t of = sta_property_id(s);
			sta_hint(w->t, of, s->id);
			if (property && of != property)
				continue;
			rc = hand(w, (int64_t)at, sta_datastream(s, w->t->base_url), &at,
			          sizeof(at));
		}
	return sta_ask_end(&a, rc);
}

/* Sets within sets: which outer one, and where in it. */
struct inner_token {
	uint32_t outer;
	uint64_t at;
	int64_t time_ms;
};

static int read_inner(const struct sta_list *l, struct inner_token *ret)
{
	*ret = (struct inner_token){0};
	if (!l->token.n)
		return 0;
	if (l->token.n != sizeof(*ret))
		return ERR_MALFORMED;
	memcpy(ret, l->token.p, sizeof(*ret));
	return 0;
}

/* As the series take it. */
static int64_t since_of(const struct walking *w)
{
	return MIN_OF(w->l->stored_since_ms, SERIES_STORED_SINCE_MAX);
}

static int walk_raw(const struct walking *w, uint32_t stream, const struct inner_token *from)
{
	struct inner_token token = {.outer = stream};
	struct series_ask a;
	int rc = 0;
	sta_ask_init(w->t, &a, SERIES_RAW);
	a.id = stream;
	a.descending = w->l->descending;
	a.from_ms = MAX_OF(w->l->from_ms, 0);
	a.to_ms = w->l->to_ms == INT64_MAX ? SERIES_TIME_MAX : w->l->to_ms + 1;
	a.stored_since_ms = since_of(w);
	a.details = a.stored = true;
	a.limit = w->l->want ? MIN_OF(w->l->want, (size_t)100) : 100; /* then whole steps */
	if (from && from->outer == stream)
		a.cursor = (struct series_cursor){from->time_ms, from->at, true};
	while (sta_ask_step(w->t, &a, &rc)) {
		for (size_t i = 0; !rc && i < a.points.n; i++) {
			const struct point *p = &a.points.p[i];
			const struct series_detail *d = series_detail(&a, i);
			int64_t id = sta_timed_id(stream, d ? d->number_ms : p->time_ms);
			w->t->feature = d ? sta_detail_feature(d->text) : 0;
			token.at = series_behind(&a, i).at;
			token.time_ms = p->time_ms;
			if (id >= 0)
				rc = hand(w, id, sta_observation(&a.points, p, d), &token,
				          sizeof(token));
		}
		a.limit = 0;
	}
	return sta_ask_end(&a, rc);
}

static bool is_aside(const struct sta_things *t, uint32_t stream)
{
	return t->aside && t->aside(t->written_arg, stream);
}

/* Over datastreams, each one's observations; thing 0: all. */
static int walk_observations(const struct walking *w, uint32_t thing)
{
	struct inner_token from;
	struct series_ask a;
	int rc = read_inner(w->l, &from);
	sta_ask_init(w->t, &a, SERIES_STREAMS);
	a.filter.thing_id = thing;
	a.filter.stored_since_ms = since_of(w);
	if (from.outer)
		a.cursor = (struct series_cursor){.at = from.outer - 1, .begun = true};
	while (sta_ask_step(w->t, &a, &rc))
		for (size_t i = 0; !rc && i < a.n; i++)
			if (!is_aside(w->t, a.streams[i].id))
				rc = walk_raw(w, a.streams[i].id, &from);
	return sta_ask_end(&a, rc);
}

static int walk_one_stream(const struct walking *w)
{
	struct inner_token from;
	int rc = read_inner(w->l, &from);
	if (!rc)
		rc = with_stream(w->t, w->l->id, NULL);
	return rc ? rc : walk_raw(w, w->t->last.id, &from);
}

static int walk_places(const struct walking *w, uint32_t thing, const struct inner_token *from)
{
	struct inner_token token = {.outer = thing};
	struct series_ask a;
	int rc = 0;
	sta_ask_init(w->t, &a, SERIES_PLACES);
	a.id = thing;
	if (from->outer == thing)
		a.cursor = (struct series_cursor){.time_ms = from->time_ms, .begun = true};
	while (sta_ask_step(w->t, &a, &rc))
		for (size_t i = 0; !rc && i < a.n; i++) {
			int64_t id = sta_timed_id(thing, a.places[i].time_ms);
			token.time_ms = a.places[i].time_ms + 1;
			if (id >= 0)
				rc = hand(w, id, sta_historical(a.places[i].time_ms), &token,
				          sizeof(token));
		}
	return sta_ask_end(&a, rc);
}

static int walk_all_places(const struct walking *w, uint32_t only)
{
	struct inner_token from;
	struct series_ask a;
	int rc = read_inner(w->l, &from);
	sta_ask_init(w->t, &a, SERIES_THINGS);
	a.filter.thing_id = only;
	if (from.outer)
		a.cursor = (struct series_cursor){.at = from.outer - 1, .begun = true};
	while (sta_ask_step(w->t, &a, &rc))
		for (size_t i = 0; !rc && i < a.n; i++)
			rc = walk_places(w, a.things[i].id, &from);
	return sta_ask_end(&a, rc);
}

/* The ObservedProperties of a MultiDatastream, in the order of its results: one may come twice. */
static int walk_sides(const struct walking *w, uint32_t thing)
{
	struct series_ask a;
	sta_ask_init(w->t, &a, SERIES_STREAMS);
	a.filter.thing_id = thing;
	int rc = after_number(w->l, &a.cursor);
	while (sta_ask_step(w->t, &a, &rc))
		for (size_t i = 0; !rc && i < a.n; i++) {
			uint64_t at = a.streams[i].id;
			if (!sta_is_described(w->t, a.streams[i].id))
				rc = hand(w, sta_property_id(&a.streams[i]),
				          sta_property(&a.streams[i]), &at, sizeof(at));
		}
	return sta_ask_end(&a, rc);
}

static bool thing_observes(const struct walking *w, uint32_t thing, int64_t property)
{
	struct series_ask a;
	bool found = false;
	int rc = 0;
	sta_ask_init(w->t, &a, SERIES_STREAMS);
	a.filter.thing_id = thing;
	while (!found && sta_ask_step(w->t, &a, &rc))
		for (size_t i = 0; i < a.n; i++)
			found = found || (sta_property_id(&a.streams[i]) == property &&
			                  !sta_is_described(w->t, a.streams[i].id));
	series_ask_done(&a);
	return found;
}

/* Of things with more than one datastream; property 0: any. */
static int walk_multis(const struct walking *w, uint32_t only, int64_t property)
{
	struct series_ask a;
	sta_ask_init(w->t, &a, SERIES_THINGS);
	a.filter.thing_id = only;
	int rc = after_number(w->l, &a.cursor);
	while (sta_ask_step(w->t, &a, &rc))
		for (size_t i = 0; !rc && i < a.n; i++) {
			uint64_t at = a.things[i].id;
			json_t *j = NULL;
			if (a.things[i].streams < 2 ||
			    (property && !thing_observes(w, a.things[i].id, property)))
				continue;
			rc = sta_multi_get(w->t, (int64_t)at, &j);
			rc = rc == ERR_NOT_FOUND ? 0
			     : rc                ? rc
			                         : hand(w, (int64_t)at, j, &at, sizeof(at));
		}
	return sta_ask_end(&a, rc);
}

static int walk_multi(const struct walking *w)
{
	struct sta_sides s;
	int err = sta_multi_sides(w->t, w->l->id, &s);
	return err == ERR_NOT_FOUND ? 0
	       : err                ? err
	                            : sta_sides_walk(w->t, &s, w->l, w->visit, w->arg);
}

/* The thing that a relation begins at or leads to, where that is told by the number alone. */
static uint32_t thing_of(const struct sta_list *l)
{
	int64_t id = l->relation && l->relation->from == STA_HISTORICAL_LOCATION
	                 ? l->id >> STA_ID_SHIFT
	                 : l->id;
	return !l->relation || id <= 0 || id > UINT32_MAX ? 0 : (uint32_t)id;
}

static int things_walk(void *arg, const struct sta_list *l, sta_visit *visit, void *visit_arg)
{
	struct walking w = {arg, l, visit, visit_arg};
	uint32_t thing = thing_of(l);
	if (l->relation && l->relation->from != STA_OBSERVED_PROPERTY && !thing)
		return 0;
	switch (l->type) {
	case STA_DATASTREAM:
		if (l->relation && l->relation->from == STA_OBSERVED_PROPERTY)
			return walk_streams(&w, 0, l->id);
		return walk_streams(&w, thing, 0);
	case STA_OBSERVED_PROPERTY:
		if (l->relation && l->relation->from == STA_MULTI_DATASTREAM)
			return walk_sides(&w, thing);
		return sta_properties_walk(w.t, l, visit, visit_arg);
	case STA_MULTI_DATASTREAM:
		if (l->relation && l->relation->from == STA_OBSERVED_PROPERTY)
			return walk_multis(&w, 0, l->id);
		return walk_multis(&w, thing, 0);
	case STA_OBSERVATION:
		if (l->relation && l->relation->from == STA_DATASTREAM)
			return walk_one_stream(&w);
		if (l->relation && l->relation->from == STA_MULTI_DATASTREAM)
			return walk_multi(&w);
		return walk_observations(&w, thing);
	case STA_HISTORICAL_LOCATION: return walk_all_places(&w, thing);
	default: return walk_things(&w, thing);
	}
}

/* ---- the rest of the source ---- */

static int get_multi(const struct sta_things *t, int64_t id, json_t **ret)
{
	int64_t ms = -id & (((int64_t)1 << STA_ID_SHIFT) - 1);
	struct sta_sides s;
	int err = sta_multi_sides(t, sta_multi_thing(id), &s);
	return err ? err : sta_sides_get(t, &s, ms, false, ret, NULL);
}

static int get_historical(struct sta_things *t, int64_t id, json_t **ret)
{
	int64_t ms = id & (((int64_t)1 << STA_ID_SHIFT) - 1);
	json_t *thing = NULL;
	struct series_ask a;
	int err = id < 0 ? ERR_NOT_FOUND : with_thing(t, id >> STA_ID_SHIFT, make_thing, &thing);
	sta_drop(thing); /* it may be seen */
	if (err)
		return err;
	sta_ask_init(t, &a, SERIES_PLACES);
	a.id = (uint32_t)(id >> STA_ID_SHIFT);
	a.from_ms = ms;
	a.to_ms = ms + 1;
	err = sta_ask_one(t, &a);
	if (!err && a.places[0].time_ms != ms)
		err = ERR_NOT_FOUND;
	series_ask_done(&a);
	if (!err)
		*ret = sta_historical(ms);
	return err;
}

static int things_get(void *arg, enum sta_type type, int64_t id, json_t **ret)
{
	struct sta_things *t = arg;
	switch (type) {
	case STA_DATASTREAM: return with_stream(t, id, ret);
	case STA_OBSERVED_PROPERTY: return sta_property_get(t, id, ret);
	case STA_OBSERVATION: return id < 0 ? get_multi(t, id, ret) : get_observation(t, id, ret);
	case STA_MULTI_DATASTREAM: return sta_multi_get(t, id, ret);
	case STA_HISTORICAL_LOCATION: return get_historical(t, id, ret);
	default: return with_thing(t, id, maker_of(type), ret);
	}
}

static int things_one(void *arg, const struct sta_relation *r, int64_t id, int64_t *ret)
{
	struct sta_things *t = arg;
	bool timed = r->from == STA_OBSERVATION || r->from == STA_HISTORICAL_LOCATION;
	int64_t number = timed ? id >> STA_ID_SHIFT : id;
	if (r->from == STA_HISTORICAL_LOCATION) {
		*ret = number;
		return 0;
	}
	if (r->from == STA_MULTI_DATASTREAM) { /* its Thing, its Sensor: the same number */
		json_t *multi = NULL;
		int rc = sta_multi_get(t, id, &multi);
		sta_drop(multi);
		*ret = id;
		return rc;
	}
	if (r->from == STA_OBSERVATION && (id < 0 || r->to == STA_MULTI_DATASTREAM)) {
		*ret = sta_multi_thing(id);
		return !*ret || r->to == STA_DATASTREAM ? ERR_NOT_FOUND : 0;
	}
	int err = with_stream(t, number, NULL);
	if (err)
		return err;
	*ret = r->to == STA_DATASTREAM          ? number
	       : r->to == STA_OBSERVED_PROPERTY ? t->last.property
	                                        : t->last.thing_id;
	return 0;
}

/* Observations of one datastream: the heads of its chunks know. */
static int count_stream(struct sta_things *t, uint32_t stream, const struct sta_list *l,
                        uint64_t *add)
{
	int64_t edges[2] = {MAX_OF(l->from_ms, 0),
	                    l->to_ms == INT64_MAX ? SERIES_TIME_MAX : l->to_ms + 1};
	struct series_ask a;
	int rc = with_stream(t, stream, NULL);
	if (rc)
		return rc;
	edges[0] = MAX_OF(edges[0], t->last.since_ms);
	if (edges[0] >= edges[1])
		return 0;
	sta_ask_init(t, &a, SERIES_AGGREGATE);
	a.id = stream;
	a.edges = edges;
	a.n_edges = 2;
	while (sta_ask_step(t, &a, &rc))
		for (size_t i = 0; i < a.n; i++)
			*add += a.buckets[i].points;
	series_ask_done(&a);
	return rc;
}

/* Whether all that is kept of it can be shown: no corrections, no hours in the place of values. */
static bool is_counted(const struct series_stream *s)
{
	return !s->amended && s->since_ms <= s->first_ms && s->first_ms >= 0;
}

static bool things_number(void *arg, const struct sta_list *l, uint64_t *ret)
{
	struct sta_things *t = arg;
	struct series_ask a;
	uint64_t sum = 0;
	int rc = 0;
	bool whole = l->from_ms == INT64_MIN && l->to_ms == INT64_MAX;
	if (l->type != STA_OBSERVATION)
		return false;
	if (l->relation && l->relation->from == STA_MULTI_DATASTREAM) {
		struct sta_sides s;
		rc = sta_multi_sides(t, l->id, &s);
		rc = rc ? rc : sta_sides_count(t, &s, l, &sum);
		*ret = sum;
		return rc == 0;
	}
	if (l->relation && l->relation->from == STA_DATASTREAM) {
		if (l->id <= 0 || l->id > UINT32_MAX || count_stream(t, (uint32_t)l->id, l, &sum))
			return false;
		*ret = sum;
		return true;
	}
	sta_ask_init(t, &a, SERIES_STREAMS);
	a.filter.thing_id = thing_of(l);
	while (sta_ask_step(t, &a, &rc))
		for (size_t i = 0; !rc && i < a.n; i++)
			if (is_aside(t, a.streams[i].id))
				continue;
			else if (whole && is_counted(&a.streams[i]))
				sum += a.streams[i].count;
			else
				rc = count_stream(t, a.streams[i].id, l, &sum);
	series_ask_done(&a);
	*ret = sum;
	return rc == 0;
}

struct sta_source sta_things_source(struct sta_things *t)
{
	return (struct sta_source){t, things_get, things_one, things_walk, things_number};
}
