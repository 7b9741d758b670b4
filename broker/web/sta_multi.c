/* sta_multi.c - MultiDatastreams that are derived: all datastreams of one thing that nobody
 * described, where it has more than one; see sta.h. Their Observations: sta_sides.c. */
#include "web/sta_multi.h"

#include "base/err.h"
#include "base/limits.h"
#include "sta/build.h"
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

/* Those that nobody described. ERR_NOT_FOUND: no such thing. */
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
			if (!sta_is_described(t, a.streams[i].id))
				rc = each(arg, &a.streams[i]);
	series_ask_done(&a);
	return rc;
}

static int add_side(void *arg, const struct series_stream *s)
{
	struct sta_sides *all = arg;
	if (all->n < LIMIT_STA_MULTI)
		all->stream[all->n] = s->id;
	all->n++; /* one too many is seen */
	return 0;
}

int sta_multi_sides(const struct sta_things *t, int64_t thing, struct sta_sides *ret)
{
	*ret = (struct sta_sides){.of = -thing};
	int err = each_stream(t, thing, add_side, ret);
	if (!err && (ret->n < 2 || ret->n > LIMIT_STA_MULTI))
		err = ERR_NOT_FOUND;
	return err;
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

int64_t sta_multi_id(uint32_t thing, int64_t ms)
{
	int64_t id = sta_timed_id(thing, ms);
	return id > 0 ? -id : 0;
}

int64_t sta_multi_thing(int64_t id)
{
	return id < 0 && id > INT64_MIN ? -id >> STA_ID_SHIFT : 0;
}
