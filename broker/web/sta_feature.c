/* sta_feature.c - what Observations are about; see sta_feature.h. */
#include "web/sta_feature.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/numbers.h"
#include "web/sta_entity.h"
#include "web/sta_making.h"
#include "web/sta_multi.h"
#include "web/sta_over.h"

#include <stdlib.h>

int64_t sta_feature_at(const struct entities *e, const struct entity *thing)
{
	for (unsigned i = 0; i < thing->to.n_places; i++) {
		const struct entity *f = entities_get(e, STA_FEATURE, thing->to.place[i]);
		if (!f || !f->deleted)
			return thing->to.place[i];
	}
	return 0;
}

/* ---- reading ---- */

/* The row of a Thing or Datastream of the series. Under the lock. */
static const struct entity *row_of(const struct sta_written *w, enum sta_type t, uint32_t number)
{
	const struct entity *x = entities_of_number(w->entities, t, number);
	return x ? x : entities_get(w->entities, t, number);
}

/* What names its feature: the Datastream, or the MultiDatastream that it is a member of; NULL:
 * neither has a row. Under the lock. */
static const struct entity *namer_of(const struct sta_written *w, const struct entity *x)
{
	return x && x->to.multi ? entities_get(w->entities, STA_MULTI_DATASTREAM, x->to.multi) : x;
}

/* stream 0: none names another. */
static int64_t own_feature(struct sta_written *w, uint32_t stream, int64_t thing)
{
	int64_t feature = 0;
	entities_lock(w->entities);
	const struct entity *x = namer_of(w, stream ? row_of(w, STA_DATASTREAM, stream) : NULL);
	if (x && !x->deleted)
		feature = x->to.feature;
	entities_unlock(w->entities);
	feature = feature ? feature : sta_place_of(w, thing);
	return feature ? feature : thing;
}

int sta_feature_of_stream(struct sta_written *w, uint32_t stream, int64_t *ret)
{
	int64_t thing;
	int err = w->inner.one(w->inner.arg, sta_find_relation(STA_DATASTREAM, SPAN("Thing")),
	                       stream, &thing);
	if (!err)
		*ret = own_feature(w, stream, thing);
	return err;
}

static bool is_mixed(const struct sta_written *w, uint32_t stream)
{
	entities_lock(w->entities);
	const struct entity *x = row_of(w, STA_DATASTREAM, stream);
	bool mixed = x && x->to.mixed;
	entities_unlock(w->entities);
	return mixed;
}

int sta_feature_of(struct sta_written *w, int64_t observation, int64_t *ret)
{
	uint32_t stream = (uint32_t)(observation >> STA_ID_SHIFT);
	struct series_ask a;
	int64_t own;
	if (observation < 0) { /* of a MultiDatastream: its thing's */
		*ret = own_feature(w, 0, sta_multi_thing(observation));
		return 0;
	}
	int err = sta_feature_of_stream(w, stream, ret);
	if (err || !is_mixed(w, stream))
		return err;
	err = sta_at(w->things, stream, observation & (((int64_t)1 << STA_ID_SHIFT) - 1), &a);
	const struct series_detail *d = err ? NULL : series_detail(&a, 0);
	own = d ? sta_detail_feature(d->text) : 0;
	*ret = own ? own : *ret;
	series_ask_done(&a);
	return err;
}

/* It is shown, and about its Thing, as far as rows say. */
static bool is_plain(struct sta_written *w, uint32_t stream)
{
	entities_lock(w->entities);
	const struct entity *x = namer_of(w, row_of(w, STA_DATASTREAM, stream));
	bool plain = !x || (!x->deleted && !x->to.feature);
	entities_unlock(w->entities);
	return plain;
}

static bool has_any(const struct sta_things *t, uint32_t stream)
{
	struct series_ask a;
	sta_ask_init(t, &a, SERIES_RAW);
	a.id = stream;
	a.limit = 1;
	int err = sta_ask_one(t, &a);
	series_ask_done(&a);
	return err == 0;
}

bool sta_feature_is_used(struct sta_written *w, uint32_t thing)
{
	const struct sta_things *t = w->things;
	struct series_ask a;
	int rc = 0;
	sta_ask_init(t, &a, SERIES_THINGS);
	a.filter.thing_id = thing;
	bool used = sta_ask_one(t, &a) == 0 && a.things[0].has_place;
	series_ask_done(&a);
	if (used)
		return true;
	sta_ask_init(t, &a, SERIES_STREAMS);
	a.filter.thing_id = thing;
	while (!used && sta_ask_step(t, &a, &rc))
		for (size_t i = 0; i < a.n && !used; i++)
			used = is_plain(w, a.streams[i].id) && has_any(t, a.streams[i].id);
	series_ask_done(&a);
	return used;
}

struct numbers {
	uint32_t *p;
	size_t n, cap;
};

static void number_add(struct numbers *all, uint32_t number)
{
	if (all->n == all->cap) {
		all->cap = all->cap ? 2 * all->cap : 16;
		all->p = xrealloc(all->p, all->cap * sizeof(*all->p));
	}
	all->p[all->n++] = number;
}

static void add_row(struct numbers *all, const struct entity *x)
{
	uint32_t number = x->id < ENTITY_FIRST ? (uint32_t)x->id : x->number;
	if (number && !x->to.multi)
		number_add(all, number);
}

/* What rows say: Datastreams of their own, and mixed ones; Things that are there. */
static void gather_rows(const struct sta_written *w, int64_t feature, struct numbers *streams,
                        struct numbers *things)
{
	struct entities *e = w->entities;
	const struct entity *x = NULL;
	entities_lock(e);
	while ((x = entities_about_after(e, STA_DATASTREAM, feature, x ? x->id : 0)))
		add_row(streams, x);
	x = NULL;
	while ((x = entities_about_after(e, STA_THING, feature, x ? x->id : 0)))
		if (sta_feature_at(e, x) == feature)
			add_row(things, x);
	const enum sta_type kind[] = {STA_FEATURE, STA_LOCATION};
	for (unsigned k = 0; k < ARRAY_LEN(kind); k++) {
		x = entities_get(e, kind[k], feature);
		for (unsigned i = 0; x && i < x->to.n_places; i++) {
			const struct entity *y = entities_get(e, STA_DATASTREAM, x->to.place[i]);
			if (y && !y->deleted && y->to.mixed)
				add_row(streams, y);
		}
	}
	entities_unlock(e);
}

static bool is_own(const struct sta_written *w, const struct entity *member)
{
	const struct entity *m = namer_of(w, member);
	return m && !m->deleted && !m->to.feature;
}

/* Members of MultiDatastreams that name it. */
static void gather_members(const struct sta_written *w, int64_t feature, struct numbers *streams)
{
	struct entities *e = w->entities;
	const struct entity *m = NULL, *x;
	entities_lock(e);
	while ((m = entities_after(e, STA_MULTI_DATASTREAM, m ? m->id : 0)))
		for (x = NULL;
		     m->to.feature == feature && (x = entities_member_after(e, m, x ? x->id : 0));)
			if (x->number)
				number_add(streams, x->number);
	entities_unlock(e);
}

/* Those of a Thing that name no other; members: of MultiDatastreams too. */
static int gather_thing(struct sta_written *w, uint32_t thing, bool members,
                        struct numbers *streams)
{
	const struct sta_things *t = w->things;
	struct series_ask a;
	int rc = 0;
	sta_ask_init(t, &a, SERIES_STREAMS);
	a.filter.thing_id = thing;
	while (sta_ask_step(t, &a, &rc))
		for (size_t i = 0; i < a.n; i++) {
			entities_lock(w->entities);
			const struct entity *x = row_of(w, STA_DATASTREAM, a.streams[i].id);
			bool own = !x || (x->to.multi ? members && is_own(w, x) : !x->to.feature);
			entities_unlock(w->entities);
			if (own)
				number_add(streams, a.streams[i].id);
		}
	return sta_ask_end(&a, rc);
}

static int gather(struct sta_written *w, int64_t feature, bool members, uint32_t **ret,
                  size_t *ret_n)
{
	struct numbers streams = {0}, things = {0};
	int err = 0;
	gather_rows(w, feature, &streams, &things);
	if (members)
		gather_members(w, feature, &streams);
	for (size_t i = 0; i < things.n && !err; i++)
		err = gather_thing(w, things.p[i], members, &streams);
	free(things.p);
	if (err) {
		free(streams.p);
		return err;
	}
	*ret = streams.p;
	*ret_n = numbers_once(streams.p, streams.n);
	return 0;
}

int sta_feature_streams(struct sta_written *w, int64_t feature, uint32_t **ret, size_t *ret_n)
{
	return gather(w, feature, false, ret, ret_n);
}

/* ---- spans ---- */

struct spans {
	struct sta_span *p;
	size_t n, cap, max;
};

static int span_add(struct spans *all, const struct sta_span *s)
{
	if (all->n == all->max)
		return ERR_TOO_LARGE;
	if (all->n == all->cap) {
		all->cap = all->cap ? 2 * all->cap : 16;
		all->p = xrealloc(all->p, all->cap * sizeof(*all->p));
	}
	all->p[all->n++] = *s;
	return 0;
}

/* Observations in the order of their times: neighbours that are about it are one span. */
static int spans_of_mixed(struct sta_written *w, struct sta_span s, int64_t feature, bool own,
                          struct spans *ret)
{
	const struct sta_things *t = w->things;
	struct series_ask a;
	bool open = false;
	int rc = 0;
	sta_ask_init(t, &a, SERIES_RAW);
	a.id = s.stream;
	a.details = true;
	while (sta_ask_step(t, &a, &rc))
		for (size_t i = 0; !rc && i < a.points.n; i++) {
			const struct series_detail *d = series_detail(&a, i);
			int64_t of = d ? sta_detail_feature(d->text) : 0;
			bool is = of ? of == feature : own;
			if (is && !open)
				s.from_ms = a.points.p[i].time_ms;
			else if (!is && open)
				rc = span_add(ret, &s);
			s.to_ms = a.points.p[i].time_ms + 1;
			open = is;
		}
	if (!rc && open)
		rc = span_add(ret, &s);
	return sta_ask_end(&a, rc);
}

static int spans_of(struct sta_written *w, uint32_t stream, int64_t feature, struct spans *ret)
{
	const struct sta_things *t = w->things;
	struct series_ask a;
	int64_t own;
	int err = sta_feature_of_stream(w, stream, &own);
	sta_ask_init(t, &a, SERIES_STREAMS);
	a.filter.stream_id = stream;
	err = err ? err : sta_ask_one(t, &a);
	struct sta_span s = {.stream = stream, .from_ms = SERIES_TIME_MIN};
	if (!err) {
		const struct series_stream *x = &a.streams[0];
		s.thing = x->thing_id;
		s.to_ms = x->count ? x->last_ms + 1 : SERIES_TIME_MIN;
		s.to_ms = x->has_latest ? MAX_OF(s.to_ms, x->latest.time_ms + 1) : s.to_ms;
		s.to_ms = x->has_future ? MAX_OF(s.to_ms, x->future.time_ms + 1) : s.to_ms;
	}
	series_ask_done(&a);
	if (err || s.to_ms == SERIES_TIME_MIN)
		return err == ERR_NOT_FOUND ? 0 : err;
	return is_mixed(w, stream) ? spans_of_mixed(w, s, feature, own == feature, ret)
	                           : span_add(ret, &s);
}

int sta_feature_spans(struct sta_written *w, int64_t feature, size_t max, struct sta_span **ret,
                      size_t *ret_n)
{
	struct spans all = {.max = max};
	uint32_t *streams;
	size_t n;
	int err = gather(w, feature, true, &streams, &n);
	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++)
		err = spans_of(w, streams[i], feature, &all);
	free(streams);
	*ret = err ? NULL : all.p;
	*ret_n = err ? 0 : all.n;
	if (err)
		free(all.p);
	return err;
}

/* ---- writing ---- */

static const struct entity *now_in(const struct sta_featuring *f, enum sta_type t, int64_t id)
{
	const struct entity *x = f->change ? entities_pending(f->change, t, id) : NULL;
	if (!x)
		x = f->r ? sta_entity_now(f->r, t, id) : entities_get(f->web->entities, t, id);
	return x && !x->deleted ? x : NULL;
}

static struct entities_change *change_of(struct sta_featuring *f)
{
	if (!f->change)
		f->change = f->begin(f->arg);
	return f->change;
}

static bool refuse(struct sta_feature_refusal *ret, int status, const char *code, const char *why)
{
	*ret = (struct sta_feature_refusal){status, code, why};
	return false;
}

/* Whether e is in the change now; else why not. */
static bool went(int err, struct sta_feature_refusal *ret)
{
	if (err == ERR_TOO_LARGE)
		return refuse(ret, 507, "too-many", "there is no room for more entities");
	return !err || refuse(ret, 503, "busy",
	                      "the Datastream, or the FeatureOfInterest, is being "
	                      "changed: send it again");
}

/* The Datastream's row; a derived one gets a row for it. feature 0: as it is. */
static bool change_stream(struct sta_featuring *f, const struct sta_found *x, int64_t feature,
                          bool mixed, struct sta_feature_refusal *ret)
{
	const struct entity *old = now_in(f, x->type, x->id);
	struct entity e = {.type = x->type,
	                   .id = x->id,
	                   .feed = (char *)x->feed,
	                   .organisation = (char *)x->organisation,
	                   .thing = (char *)x->of_thing,
	                   .member = (char *)x->member,
	                   .to.thing = x->thing};
	if (old && old->to.mixed >= mixed && (!feature || old->to.feature == feature))
		return true;
	if (old)
		e = *old;
	e.to.mixed = e.to.mixed || mixed;
	e.to.feature = feature ? feature : e.to.feature;
	if (old)
		return went(entities_replace(change_of(f), &e), ret);
	return went(entities_add(change_of(f), &e) < 0 ? ERR_TOO_LARGE : 0, ret);
}

/* The feature's row names the Datastream. */
static bool note_stream(struct sta_featuring *f, const struct sta_found *x, int64_t feature,
                        struct sta_feature_refusal *ret)
{
	const struct entity *old = now_in(f, STA_FEATURE, feature);
	struct entity e;
	unsigned n = 0;
	old = old ? old : now_in(f, STA_LOCATION, feature);
	if (!old && feature == x->thing_number)
		return true; /* the Thing leads to it */
	if (!old)
		return refuse(ret, 400, "feature",
		              "the Observations of this Datastream are about another feature: "
		              "link to one that was made, not to where another thing is");
	e = *old;
	for (unsigned i = 0; i < old->to.n_places; i++) {
		if (old->to.place[i] == x->id)
			return true;
		if (now_in(f, STA_DATASTREAM, old->to.place[i]))
			e.to.place[n++] = old->to.place[i];
	}
	if (n == LIMIT_ENTITY_PLACES)
		return refuse(ret, 409, "too-many",
		              "32 Datastreams that have features of their own have Observations "
		              "about this one: no more can be kept");
	e.to.place[n++] = x->id;
	e.to.n_places = n;
	return went(entities_replace(change_of(f), &e), ret);
}

static int64_t make(struct sta_featuring *f, const struct sta_found *x, const struct sta_draft *d,
                    struct sta_feature_refusal *ret)
{
	struct entity e = {.type = STA_FEATURE,
	                   .feed = (char *)x->feed,
	                   .organisation = (char *)x->organisation,
	                   .name = d->name,
	                   .text = d->text};
	if (sta_is_strict(hub_feed(f->web->hub, span_str(x->feed))) &&
	    entities_has_name(f->web->entities, STA_FEATURE, span_str(x->organisation),
	                      span_str(d->name))) {
		refuse(ret, 409, "name-taken",
		       "the organisation has a FeatureOfInterest with that name: link to it");
		return -1;
	}
	int64_t id = entities_add(change_of(f), &e);
	if (id < 0)
		(void)went(ERR_TOO_LARGE, ret);
	return id;
}

/* Where its Thing is; 0: nobody wrote that. */
static int64_t place_of(const struct sta_featuring *f, const struct sta_found *x)
{
	const struct entity *thing = now_in(f, STA_THING, x->thing);
	return thing ? sta_feature_at(f->web->entities, thing) : 0;
}

/* An Observation must be about something (18-088, 8.2.7): of a Thing that was made, and that
 * nobody ever said the place of, it has to be said, where the standard's rules hold. Elsewhere a
 * Thing that has no place is one all the same. */
static bool is_nowhere(const struct sta_featuring *f, const struct sta_found *x)
{
	const struct entity *thing = now_in(f, STA_THING, x->thing);
	return !sta_is_strict(hub_feed(f->web->hub, span_str(x->feed))) && thing &&
	       thing->id >= ENTITY_FIRST &&
	       !series_find_place(f->web->series, span_str(x->feed), span_str(x->organisation),
	                          span_str(x->of_thing))
	            .known;
}

/* The Observations of a MultiDatastream are about one. */
static bool take_multi(struct sta_featuring *f, struct sta_found *x, int64_t feature,
                       const struct sta_draft *draft, struct sta_feature_refusal *ret)
{
	if (!draft && (!feature || feature == (x->feature ? x->feature : x->thing_number)))
		return true;
	if (x->feature || !x->written)
		return refuse(ret, 400, "feature",
		              x->feature ? "the Observations of this MultiDatastream are about "
		                           "another feature: link to that one; what is about "
		                           "another one is another MultiDatastream"
		                         : "the Observations of a MultiDatastream that nobody "
		                           "wrote are about where its Thing is");
	feature = feature ? feature : make(f, x, draft, ret);
	if (feature < 0)
		return false;
	x->feature = feature;
	return change_stream(f, x, feature, false, ret);
}

bool sta_feature_take(struct sta_featuring *f, struct sta_found *x, int64_t feature,
                      const struct sta_draft *draft, struct sta_observation *o,
                      struct sta_feature_refusal *ret)
{
	bool named = feature || draft;
	int64_t place = place_of(f, x), own = x->feature ? x->feature
	                                      : place    ? place
	                                                 : x->thing_number;
	o->feature = 0;
	if (x->type == STA_MULTI_DATASTREAM)
		return take_multi(f, x, feature, draft, ret);
	if (!feature && draft && (feature = make(f, x, draft, ret)) < 0)
		return false;
	feature = feature ? feature : place ? place : own;
	if (!named && !place && !x->feature && is_nowhere(f, x))
		return refuse(ret, 400, "feature",
		              "its Thing has no Location: say what it is about, with "
		              "\"FeatureOfInterest\": {\"@iot.id\": 1} or the entity");
	if (feature == own) {
		x->settled = true;
		return true;
	}
	if (!x->feature && x->last_ms == INT64_MIN && !x->settled) { /* its first: it is its own */
		x->feature = feature;
		x->settled = true;
		return change_stream(f, x, feature, false, ret);
	}
	o->feature = feature;
	return change_stream(f, x, 0, true, ret) && note_stream(f, x, feature, ret);
}
