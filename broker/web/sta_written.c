/* sta_written.c - see sta_written.h. The lock is held for one look at a time, never while a visitor
 * is called: it may ask again. */
#include "web/sta_over.h"

#include "base/err.h"
#include "sta/build.h"
#include "web/sta_entity.h"
#include "web/sta_feature.h"
#include "web/sta_multi.h"

/* ---- what stands where ---- */

enum state { DERIVED, OVER, WRITTEN, GONE };

bool sta_may_see(const struct sta_written *w, const struct entity *x)
{
	return !x->to.multi && permit_may_named(w->permit, span_str(x->feed),
	                                        span_str(x->organisation), span_str(x->thing));
}

/* Under the lock. ret may be NULL. */
static enum state state_of(const struct sta_written *w, enum sta_type t, int64_t id,
                           const struct entity **ret)
{
	const struct entity *x = entities_get(w->entities, t, id);
	bool ours = id >= ENTITY_FIRST && id <= ENTITY_LAST && t != STA_OBSERVATION;
	if (ret)
		*ret = x;
	if (x && x->deleted)
		return GONE;
	if (x && id < ENTITY_FIRST)
		return OVER;
	if (x)
		return sta_may_see(w, x) ? WRITTEN : GONE;
	return ours && t != STA_OBSERVED_PROPERTY ? GONE : DERIVED;
}

static enum state state(const struct sta_written *w, enum sta_type t, int64_t id)
{
	entities_lock(w->entities);
	enum state s = state_of(w, t, id, NULL);
	entities_unlock(w->entities);
	return s;
}

static int64_t written_for(const struct sta_written *w, enum sta_type t, int64_t number)
{
	int64_t id = 0;
	entities_lock(w->entities);
	const struct entity *x = number > 0 && number < ENTITY_FIRST
	                             ? entities_of_number(w->entities, t, (uint32_t)number)
	                             : NULL;
	if (x)
		id = x->deleted || x->to.multi ? -1 : x->id;
	entities_unlock(w->entities);
	return id;
}

/* For struct sta_things.written. */
static bool is_written(void *arg, uint32_t stream)
{
	return written_for(arg, STA_DATASTREAM, stream) != 0;
}

/* The number under which a thing or datastream of the series is shown; -1: it is not. */
int64_t sta_shown_as(const struct sta_written *w, enum sta_type t, int64_t number)
{
	int64_t id = written_for(w, t, number);
	if (!id)
		id = state(w, t, number) == GONE ? -1 : number;
	return id;
}

/* ---- what is hidden ---- */

static const struct sta_relation *relation(enum sta_type from, const char *name)
{
	return sta_find_relation(from, span_str(name));
}

/* What a derived datastream is part of is gone. */
static bool is_orphan(struct sta_written *w, int64_t stream)
{
	static const struct {
		enum sta_type to;
		const char *name;
	} rows[] = {{STA_THING, "Thing"},
	            {STA_SENSOR, "Sensor"},
	            {STA_OBSERVED_PROPERTY, "ObservedProperty"}};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t other;
		entities_lock(w->entities);
		bool any = entities_any_deleted(w->entities, rows[i].to);
		entities_unlock(w->entities);
		if (!any || w->inner.one(w->inner.arg, relation(STA_DATASTREAM, rows[i].name),
		                         stream, &other))
			continue;
		if (sta_shown_as(w, rows[i].to, other) < 0)
			return true;
	}
	return false;
}

/* Of a datastream of the series: neither it nor the written one in its place is shown. */
static bool stream_is_hidden(struct sta_written *w, int64_t stream)
{
	if (stream != w->last.stream) {
		int64_t id = sta_shown_as(w, STA_DATASTREAM, stream);
		w->last.stream = (uint32_t)stream;
		w->last.hidden = id < 0 || (id == stream && is_orphan(w, stream));
	}
	return w->last.hidden;
}

static int first_of_its_own(void *arg, int64_t id, json_t *entity UNUSED, struct span token UNUSED)
{
	return written_for(arg, STA_DATASTREAM, id) == 0;
}

/* A written Thing whose Datastreams are all written has no derived Sensor. */
static bool sensor_is_needless(struct sta_written *w, int64_t thing)
{
	struct sta_list l = {.type = STA_DATASTREAM,
	                     .relation = relation(STA_THING, "Datastreams"),
	                     .id = thing,
	                     .from_ms = INT64_MIN,
	                     .to_ms = INT64_MAX};
	return written_for(w, STA_THING, thing) > 0 &&
	       w->inner.walk(w->inner.arg, &l, first_of_its_own, w) == 0;
}

/* The feature that a Thing of the series has from where somebody wrote that it is; 0: nobody did.
 */
int64_t sta_place_of(const struct sta_written *w, int64_t thing)
{
	int64_t place = 0;
	entities_lock(w->entities);
	const struct entity *x = entities_of_number(w->entities, STA_THING, (uint32_t)thing);
	x = x ? x : entities_get(w->entities, STA_THING, thing);
	if (x && !x->deleted)
		place = sta_feature_at(w->entities, x);
	entities_unlock(w->entities);
	return place;
}

/* A written Thing that never said where it is has a derived feature only for Observations that have
 * no other. */
static bool feature_is_needless(struct sta_written *w, int64_t thing)
{
	return written_for(w, STA_THING, thing) > 0 && !sta_feature_is_used(w, (uint32_t)thing);
}

/* Of what is derived: it is not shown, or not under this number. */
bool sta_is_hidden(struct sta_written *w, enum sta_type t, int64_t id)
{
	switch (t) {
	case STA_OBSERVATION:
		if (id < 0) /* of a MultiDatastream: it goes with its Thing */
			return sta_is_hidden(w, STA_MULTI_DATASTREAM, sta_multi_thing(id));
		return stream_is_hidden(w, id >> STA_ID_SHIFT);
	case STA_THING: return sta_shown_as(w, t, id) != id;
	case STA_DATASTREAM: return sta_shown_as(w, t, id) != id || stream_is_hidden(w, id);
	case STA_HISTORICAL_LOCATION: return sta_shown_as(w, STA_THING, id >> STA_ID_SHIFT) < 0;
	case STA_OBSERVED_PROPERTY: return state(w, t, id) == GONE;
	default:
		return state(w, t, id) == GONE || sta_shown_as(w, STA_THING, id) < 0 ||
		       (t == STA_SENSOR && sensor_is_needless(w, id)) ||
		       (t == STA_FEATURE && (sta_place_of(w, id) || feature_is_needless(w, id)));
	}
}

/* ---- making ---- */

/* Under the lock: its own members, and whose it is. */
json_t *sta_written_make(const struct sta_written *w, const struct entity *x, enum sta_type as)
{
	json_t *j = sta_parse(x->text);
	if (!j || x->type == STA_HISTORICAL_LOCATION)
		return j;
	json_t *p = sta_properties(j);
	sta_string(p, "feed", x->feed);
	sta_string(p, "organisation", x->organisation);
	if (x->type == STA_THING || sta_is_stream(x->type))
		sta_string(p, "thing", x->thing);
	if (x->type == STA_DATASTREAM)
		sta_string(p, "member", x->member);
	if (x->type == STA_MULTI_DATASTREAM)
		sta_over_members(w, x, p);
	if (as == STA_FEATURE && x->type == STA_LOCATION)
		sta_rename(j, "location", "feature");
	return j;
}

/* What the series knows of it. */
void sta_add_figures(struct sta_written *w, enum sta_type t, int64_t id, uint32_t number, json_t *j)
{
	json_t *of = NULL;
	if (t == STA_MULTI_DATASTREAM) {
		sta_over_figures(w, id, j);
		return;
	}
	if (!number || w->inner.get(w->inner.arg, t, number, &of))
		return;
	if (t == STA_DATASTREAM)
		sta_copy(j, of, "observedArea phenomenonTime");
	sta_copy(sta_properties(j), sta_properties(of),
	         "schema cadenceSeconds retrievableSince firstStored lastStored");
	sta_drop(of);
}

void sta_lay_over(struct sta_written *w, enum sta_type t, int64_t id, json_t *j)
{
	json_t *over = NULL;
	entities_lock(w->entities);
	const struct entity *x = entities_get(w->entities, t, id);
	if (x && !x->deleted && id < ENTITY_FIRST)
		over = sta_parse(x->text);
	entities_unlock(w->entities);
	if (over)
		sta_overlay(j, over);
}

static int get_written(struct sta_written *w, enum sta_type t, int64_t id, json_t **ret)
{
	const struct entity *x;
	uint32_t number = 0;
	json_t *j = NULL;
	entities_lock(w->entities);
	enum state s = state_of(w, t, id, &x);
	if (t == STA_FEATURE && s == GONE && !x)
		s = state_of(w, STA_LOCATION, id, &x);
	if (s == WRITTEN && x) {
		j = sta_written_make(w, x, t);
		number = x->number;
	}
	entities_unlock(w->entities);
	if (s != WRITTEN)
		return ERR_NOT_FOUND;
	if (!j)
		return ERR_AGAIN;
	sta_add_figures(w, t, id, number, j);
	*ret = j;
	return 0;
}

int sta_written_get(void *arg, enum sta_type t, int64_t id, json_t **ret)
{
	struct sta_written *w = arg;
	enum state s = t == STA_OBSERVATION ? DERIVED : state(w, t, id);
	int64_t multi = t == STA_OBSERVATION ? sta_over_multi(w, id) : 0;
	if (multi)
		return sta_over_observation(w, multi, id, ret);
	if (s == WRITTEN || (s == GONE && t == STA_FEATURE))
		return get_written(w, t, id, ret);
	if (s == GONE || sta_is_hidden(w, t, id))
		return ERR_NOT_FOUND;
	int err = w->inner.get(w->inner.arg, t, id, ret);
	if (!err && s == OVER)
		sta_lay_over(w, t, id, *ret);
	return err;
}

/* ---- relations to one ---- */

int64_t sta_link_of(const struct entity *x, enum sta_type to)
{
	switch (to) {
	case STA_THING: return x->to.thing;
	case STA_SENSOR: return x->to.sensor;
	case STA_OBSERVED_PROPERTY: return x->to.property;
	case STA_FEATURE: return x->to.feature;
	default: return 0;
	}
}

static int64_t linked_to(const struct sta_written *w, enum sta_type from, int64_t id,
                         enum sta_type to)
{
	entities_lock(w->entities);
	const struct entity *x = entities_get(w->entities, from, id);
	int64_t other = x && !x->deleted ? sta_link_of(x, to) : 0;
	entities_unlock(w->entities);
	return other;
}

/* From an Observation of a written MultiDatastream. */
static int one_of_multi(struct sta_written *w, const struct sta_relation *r, int64_t multi,
                        int64_t *ret)
{
	if (r->to == STA_DATASTREAM)
		return ERR_NOT_FOUND;
	if (r->to == STA_MULTI_DATASTREAM)
		*ret = multi;
	else
		*ret = sta_over_feature(w, multi);
	return *ret ? 0 : ERR_NOT_FOUND;
}

static int written_one(void *arg, const struct sta_relation *r, int64_t id, int64_t *ret)
{
	struct sta_written *w = arg;
	int64_t multi = r->from == STA_OBSERVATION ? sta_over_multi(w, id) : 0;
	if (multi)
		return one_of_multi(w, r, multi, ret);
	int64_t other = r->from == STA_OBSERVATION ? 0 : linked_to(w, r->from, id, r->to);
	if (other) {
		*ret = other;
		return 0;
	}
	if (r->from == STA_OBSERVATION && r->to == STA_FEATURE)
		return sta_feature_of(w, id, ret);
	int err = w->inner.one(w->inner.arg, r, id, &other);
	if (!err && (r->to == STA_THING || r->to == STA_DATASTREAM))
		other = sta_shown_as(w, r->to, other);
	if (!err && other < 0)
		return ERR_NOT_FOUND;
	if (!err)
		*ret = other;
	return err;
}

/* For struct sta_things.aside. */
static bool is_aside(void *arg, uint32_t stream)
{
	return stream_is_hidden(arg, stream);
}

struct sta_source sta_written_source(struct sta_written *w, struct sta_things *t,
                                     struct entities *e)
{
	*w = (struct sta_written){
	    .entities = e, .permit = t->permit, .things = t, .inner = sta_things_source(t)};
	entities_lock(w->entities);
	bool any = entities_any(w->entities);
	entities_unlock(w->entities);
	if (!any)
		return w->inner;
	t->written = is_written;
	t->aside = is_aside;
	t->written_arg = w;
	return (struct sta_source){w, sta_written_get, written_one, sta_written_walk,
	                           sta_written_count};
}
