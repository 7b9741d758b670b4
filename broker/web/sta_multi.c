/* sta_multi.c - MultiDatastreams: all datastreams of one thing, where it has more than one, read
 * side by side; see sta.h. A thing's messages give several results of one time: an Observation has
 * them in the order of the datastreams' numbers, null where one has none of that time. */
#include "web/sta_multi.h"

#include "base/err.h"
#include "base/limits.h"
#include "sta/build.h"
#include "sta/detail.h"
#include "web/sta_entity.h"

#include <stdlib.h>

void sta_ask_init(const struct sta_things *t, struct series_ask *a, enum series_what what)
{
	*a = (struct series_ask){.what = what,
	                         .from_ms = SERIES_TIME_MIN,
	                         .to_ms = SERIES_TIME_MAX,
	                         .more = true}; /* it has not been asked yet */
	a->filter.may = permit_may; /* the request has the permit as long as this thread */
	a->filter.may_arg = t->permit;
}

bool sta_ask_step(const struct sta_things *t, struct series_ask *a, int *rc)
{
	if (*rc || !a->more)
		return false;
	*rc = series_step(t->series, a);
	return *rc == 0;
}

int sta_ask_one(const struct sta_things *t, struct series_ask *a)
{
	int rc = 0;
	while (!rc && a->more && !a->n)
		rc = series_step(t->series, a);
	return rc ? rc : a->n ? 0 : ERR_NOT_FOUND;
}

int sta_ask_end(struct series_ask *a, int rc)
{
	series_ask_done(a);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* ---- its datastreams ---- */

typedef int stream_fn(void *arg, const struct series_stream *s);

/* ERR_NOT_FOUND: the thing has none of a kind that makes a MultiDatastream. */
static int each_stream(const struct sta_things *t, int64_t thing, stream_fn *each, void *arg)
{
	struct series_ask a;
	int rc = 0;
	if (thing <= 0 || thing > UINT32_MAX)
		return ERR_NOT_FOUND;
	sta_ask_init(t, &a, SERIES_STREAMS);
	a.filter.thing_id = (uint32_t)thing;
	while (sta_ask_step(t, &a, &rc))
		for (size_t i = 0; !rc && i < a.n; i++)
			rc = each(arg, &a.streams[i]);
	series_ask_done(&a);
	return rc;
}

struct side {
	uint32_t stream;
	struct series_ask ask;
	size_t at;
	bool end;
};

struct multi {
	const struct sta_things *t;
	struct side side[LIMIT_STA_MULTI];
	unsigned n;
	bool too_many;
};

static int add_side(void *arg, const struct series_stream *s)
{
	struct multi *m = arg;
	if (m->n == LIMIT_STA_MULTI) {
		m->too_many = true;
		return 0;
	}
	m->side[m->n++].stream = s->id;
	return 0;
}

static void multi_free(struct multi *m)
{
	for (unsigned i = 0; m && i < m->n; i++)
		series_ask_done(&m->side[i].ask);
	free(m);
}

static int multi_new(const struct sta_things *t, int64_t thing, struct multi **ret)
{
	struct multi *m = calloc(1, sizeof(*m));
	if (!m)
		return ERR_AGAIN;
	m->t = t;
	int err = each_stream(t, thing, add_side, m);
	if (!err && (m->n < 2 || m->too_many))
		err = ERR_NOT_FOUND;
	if (err) {
		multi_free(m);
		return err;
	}
	*ret = m;
	return 0;
}

/* ---- the entity ---- */

struct making {
	const struct sta_things *t;
	json_t *multi, *units, *types, *members, *properties;
	unsigned n;
	int64_t first_ms, last_ms;
	bool any;
};

static int add_stream(void *arg, const struct series_stream *s)
{
	struct making *m = arg;
	json_t *one = sta_datastream(s, m->t->base_url);
	if (m->n++ == 0) {
		json_t *p = sta_properties(one);
		sta_text(m->multi, "name", s->thing);
		sta_text(m->multi, "description", s->thing);
		sta_copy(m->properties, p, "feed thing organisation");
		sta_copy(m->multi, one, "observedArea");
	}
	sta_last_text(m->members, s->member);
	sta_last_of(m->units, one, "unitOfMeasurement");
	sta_last_of(m->types, one, "observationType");
	sta_drop(one);
	if (s->count) {
		m->first_ms = m->any ? MIN_OF(m->first_ms, s->first_ms) : s->first_ms;
		m->last_ms = m->any ? MAX_OF(m->last_ms, s->last_ms) : s->last_ms;
		m->any = true;
	}
	return 0;
}

int sta_multi_get(const struct sta_things *t, int64_t thing, json_t **ret)
{
	struct making m = {.t = t,
	                   .multi = sta_object(),
	                   .units = sta_array(),
	                   .types = sta_array(),
	                   .members = sta_array(),
	                   .properties = sta_object()};
	int err = each_stream(t, thing, add_stream, &m);
	sta_string(m.multi, "observationType",
	           "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation");
	sta_put(m.multi, "multiObservationDataTypes", m.types);
	sta_put(m.multi, "unitOfMeasurements", m.units);
	sta_put(m.properties, "members", m.members);
	sta_put(m.multi, "properties", m.properties);
	if (m.any)
		sta_interval(m.multi, "phenomenonTime", m.first_ms, m.last_ms);
	if (!err && (m.n < 2 || m.n > LIMIT_STA_MULTI))
		err = ERR_NOT_FOUND;
	if (err)
		sta_drop(m.multi);
	else
		*ret = m.multi;
	return err;
}

/* ---- its Observations ---- */

int64_t sta_multi_id(uint32_t thing, int64_t ms)
{
	int64_t id = sta_timed_id(thing, ms);
	return id > 0 ? -id : 0;
}

int64_t sta_multi_thing(int64_t id)
{
	return id < 0 && id > INT64_MIN ? -id >> STA_ID_SHIFT : 0;
}

/* The point that comes next, NULL at the end of a side. */
static const struct point *head(struct side *s, const struct sta_things *t, int *err)
{
	while (!*err && !s->end && s->at == s->ask.points.n) {
		s->end = !sta_ask_step(t, &s->ask, err);
		s->at = 0;
	}
	return *err || s->end ? NULL : &s->ask.points.p[s->at];
}

static void add_result(json_t *row, const struct side *s, const struct point *p)
{
	if (!p)
		sta_last_null(row);
	else if (p->kind == POINT_NUMBER)
		sta_last_number(row, p->number);
	else if (p->kind == POINT_BOOL)
		sta_last_truth(row, p->number != 0);
	else
		sta_last_text(row, point_text(&s->ask.points, p));
}

/* The results of one time, the heads that have it moved on. */
static json_t *row_of(struct multi *m, int64_t ms, int *err)
{
	json_t *j = sta_object(), *row = sta_array();
	bool any = false;
	sta_time(j, "phenomenonTime", ms);
	sta_null(j, "resultTime");
	for (unsigned i = 0; i < m->n; i++) {
		struct side *s = &m->side[i];
		const struct point *p = head(s, m->t, err);
		const struct series_detail *d =
		    p && p->time_ms == ms ? series_detail(&s->ask, s->at) : NULL;
		add_result(row, s, p && p->time_ms == ms ? p : NULL);
		if (d && d->text.n && !any)
			sta_detail_show(j, d->text);
		any |= d && d->text.n;
		while (p && p->time_ms == ms) { /* of several the first */
			s->at++;
			p = head(s, m->t, err);
		}
	}
	sta_put(j, "result", row);
	return j;
}

static bool next_time(struct multi *m, bool descending, int64_t *ret, int *err)
{
	bool any = false;
	for (unsigned i = 0; i < m->n; i++) {
		const struct point *p = head(&m->side[i], m->t, err);
		if (p && (!any || (descending ? p->time_ms > *ret : p->time_ms < *ret))) {
			*ret = p->time_ms;
			any = true;
		}
	}
	return any && !*err;
}

static int start(const struct sta_things *t, int64_t thing, int64_t from_ms, int64_t to_ms,
                 bool descending, struct multi **ret)
{
	int err = multi_new(t, thing, ret);
	for (unsigned i = 0; !err && i < (*ret)->n; i++) {
		struct side *s = &(*ret)->side[i];
		sta_ask_init(t, &s->ask, SERIES_RAW);
		s->ask.id = s->stream;
		s->ask.descending = descending;
		s->ask.from_ms = MAX_OF(from_ms, 0);
		s->ask.to_ms = to_ms == INT64_MAX ? SERIES_TIME_MAX : to_ms + 1;
		s->ask.details = true;
		s->ask.limit = 100;
	}
	return err;
}

int sta_multi_observation(const struct sta_things *t, int64_t id, json_t **ret)
{
	int64_t ms = -id & (((int64_t)1 << STA_ID_SHIFT) - 1), first;
	struct multi *m = NULL;
	int err = start(t, sta_multi_thing(id), ms, ms, false, &m);
	if (err)
		return err;
	bool any = next_time(m, false, &first, &err);
	if (any)
		*ret = row_of(m, ms, &err);
	if (any && err)
		sta_drop(*ret);
	multi_free(m);
	return err ? err : any ? 0 : ERR_NOT_FOUND;
}

int sta_multi_observations(const struct sta_things *t, const struct sta_list *l, sta_visit *visit,
                           void *arg)
{
	int64_t from = l->from_ms, to = l->to_ms, ms;
	struct multi *m = NULL;
	int rc = 0;
	if (l->token.n) { /* the time of the last one */
		if (l->token.n != sizeof(ms))
			return ERR_MALFORMED;
		memcpy(&ms, l->token.p, sizeof(ms));
		if (ms < 0 || ms >= INT64_MAX - 1)
			return ERR_MALFORMED;
		if (l->descending)
			to = MIN_OF(to, ms - 1);
		else
			from = MAX_OF(from, ms + 1);
	}
	int err = from <= to ? start(t, l->id, from, to, l->descending, &m) : 0;
	while (m && !err && !rc && next_time(m, l->descending, &ms, &err)) {
		json_t *j = row_of(m, ms, &err);
		int64_t id = sta_multi_id((uint32_t)l->id, ms);
		if (!err && id)
			rc = visit(arg, id, j, span_of((const char *)&ms, sizeof(ms)));
		sta_drop(j);
	}
	multi_free(m);
	return err == ERR_NOT_FOUND ? rc : err ? err : rc;
}
