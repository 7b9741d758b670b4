/* sta_written.c - see sta_written.h. The lock is held for one look at a time, never while a visitor
 * is called: it may ask again. */
#include "web/sta_written.h"

#include "base/err.h"
#include "sta/build.h"
#include "web/sta_entity.h"
#include "web/sta_multi.h"

/* ---- what stands where ---- */

enum state { DERIVED, OVER, WRITTEN, GONE };

static bool may_see(const struct sta_written *w, const struct entity *x)
{
	return permit_may_named(w->permit, span_str(x->feed), span_str(x->organisation),
	                        span_str(x->thing));
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
		return may_see(w, x) ? WRITTEN : GONE;
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
		id = x->deleted ? -1 : x->id;
	entities_unlock(w->entities);
	return id;
}

bool sta_written_stream(void *arg, uint32_t stream)
{
	return written_for(arg, STA_DATASTREAM, stream) != 0;
}

/* The number under which a thing or datastream of the series is shown; -1: it is not. */
static int64_t shown_as(const struct sta_written *w, enum sta_type t, int64_t number)
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
		if (shown_as(w, rows[i].to, other) < 0)
			return true;
	}
	return false;
}

/* Of a datastream of the series: neither it nor the written one in its place is shown. */
static bool stream_is_hidden(struct sta_written *w, int64_t stream)
{
	if (stream != w->last.stream) {
		int64_t id = shown_as(w, STA_DATASTREAM, stream);
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

/* Where a Thing of the series is, as somebody wrote; 0: nobody did. */
static int64_t place_of_thing(const struct sta_written *w, int64_t thing)
{
	int64_t place = 0;
	entities_lock(w->entities);
	const struct entity *x = entities_of_number(w->entities, STA_THING, (uint32_t)thing);
	x = x ? x : entities_get(w->entities, STA_THING, thing);
	if (x && !x->deleted && x->to.n_places)
		place = x->to.place[0];
	entities_unlock(w->entities);
	return place;
}

/* Of what is derived: it is not shown, or not under this number. */
static bool is_hidden(struct sta_written *w, enum sta_type t, int64_t id)
{
	switch (t) {
	case STA_OBSERVATION:
		if (id < 0) /* of a MultiDatastream: it goes with its Thing */
			return shown_as(w, STA_THING, sta_multi_thing(id)) < 0;
		return stream_is_hidden(w, id >> STA_ID_SHIFT);
	case STA_THING: return shown_as(w, t, id) != id;
	case STA_DATASTREAM: return shown_as(w, t, id) != id || stream_is_hidden(w, id);
	case STA_HISTORICAL_LOCATION: return shown_as(w, STA_THING, id >> STA_ID_SHIFT) < 0;
	case STA_OBSERVED_PROPERTY: return state(w, t, id) == GONE;
	default:
		return state(w, t, id) == GONE || shown_as(w, STA_THING, id) < 0 ||
		       (t == STA_SENSOR && sensor_is_needless(w, id)) ||
		       (t == STA_FEATURE && place_of_thing(w, id));
	}
}

/* ---- making ---- */

/* Under the lock: its own members, and whose it is. */
static json_t *make(const struct entity *x, enum sta_type as)
{
	json_t *j = sta_parse(x->text);
	if (!j || x->type == STA_HISTORICAL_LOCATION)
		return j;
	json_t *p = sta_properties(j);
	sta_string(p, "feed", x->feed);
	sta_string(p, "organisation", x->organisation);
	if (x->type == STA_THING || x->type == STA_DATASTREAM)
		sta_string(p, "thing", x->thing);
	if (x->type == STA_DATASTREAM)
		sta_string(p, "member", x->member);
	if (as == STA_FEATURE && x->type == STA_LOCATION)
		sta_rename(j, "location", "feature");
	return j;
}

/* What the series knows of it. */
static void add_figures(struct sta_written *w, enum sta_type t, uint32_t number, json_t *j)
{
	json_t *of = NULL;
	if (!number || w->inner.get(w->inner.arg, t, number, &of))
		return;
	if (t == STA_DATASTREAM)
		sta_copy(j, of, "observedArea phenomenonTime");
	sta_copy(sta_properties(j), sta_properties(of),
	         "schema cadenceSeconds retrievableSince firstStored lastStored");
	sta_drop(of);
}

static void lay_over(struct sta_written *w, enum sta_type t, int64_t id, json_t *j)
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
		j = make(x, t);
		number = x->number;
	}
	entities_unlock(w->entities);
	if (s != WRITTEN)
		return ERR_NOT_FOUND;
	if (!j)
		return ERR_AGAIN;
	add_figures(w, t, number, j);
	*ret = j;
	return 0;
}

static int written_get(void *arg, enum sta_type t, int64_t id, json_t **ret)
{
	struct sta_written *w = arg;
	enum state s = t == STA_OBSERVATION ? DERIVED : state(w, t, id);
	if (s == WRITTEN || (s == GONE && t == STA_FEATURE))
		return get_written(w, t, id, ret);
	if (s == GONE || is_hidden(w, t, id))
		return ERR_NOT_FOUND;
	int err = w->inner.get(w->inner.arg, t, id, ret);
	if (!err && s == OVER)
		lay_over(w, t, id, *ret);
	return err;
}

/* ---- relations to one ---- */

static int64_t link_of(const struct entity *x, enum sta_type to)
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
	int64_t other = x && !x->deleted ? link_of(x, to) : 0;
	entities_unlock(w->entities);
	return other;
}

/* The FeatureOfInterest of a datastream's Observations: the one that they name, the Location of
 * their Thing, or where it says it is. */
static int feature_of(struct sta_written *w, const struct sta_relation *r, int64_t id, int64_t *ret)
{
	int64_t thing, stream = shown_as(w, STA_DATASTREAM, id >> STA_ID_SHIFT);
	int64_t other = stream > 0 ? linked_to(w, STA_DATASTREAM, stream, STA_FEATURE) : 0;
	if (!other) {
		int err = w->inner.one(w->inner.arg, r, id, &thing);
		if (err)
			return err;
		other = place_of_thing(w, thing);
		other = other ? other : thing;
	}
	*ret = other;
	return 0;
}

static int written_one(void *arg, const struct sta_relation *r, int64_t id, int64_t *ret)
{
	struct sta_written *w = arg;
	int64_t other = r->from == STA_OBSERVATION ? 0 : linked_to(w, r->from, id, r->to);
	if (other) {
		*ret = other;
		return 0;
	}
	if (r->from == STA_OBSERVATION && r->to == STA_FEATURE)
		return feature_of(w, r, id, ret);
	int err = w->inner.one(w->inner.arg, r, id, &other);
	if (!err && (r->to == STA_THING || r->to == STA_DATASTREAM))
		other = shown_as(w, r->to, other);
	if (!err && other < 0)
		return ERR_NOT_FOUND;
	if (!err)
		*ret = other;
	return err;
}

/* ---- walks ---- */

enum { TOKEN_BYTES = 1 + sizeof(int64_t) };

struct passing { /* from the inner source to the asker */
	struct sta_written *w;
	const struct sta_list *l;
	sta_visit *visit;
	void *arg;
	uint32_t stream; /* in front of the token; 0: not */
};

static int pass_on(void *arg, int64_t id, json_t *entity, struct span token)
{
	struct passing *p = arg;
	struct sta_written *w = p->w;
	char mem[STA_TOKEN_BYTES];
	bool things = p->l->type == STA_THING && p->l->relation;
	int64_t as = things ? shown_as(w, STA_THING, id) : id;
	if (p->stream && token.n + sizeof(p->stream) <= sizeof(mem)) {
		memcpy(mem, &p->stream, sizeof(p->stream));
		memcpy(mem + sizeof(p->stream), token.p, token.n);
		token = span_of(mem, token.n + sizeof(p->stream));
	}
	if (as > 0 && as != id) { /* a written Thing stands for it */
		json_t *j = NULL;
		if (written_get(w, STA_THING, as, &j))
			return 0;
		int rc = p->visit(p->arg, as, j, token);
		sta_drop(j);
		return rc;
	}
	if (is_hidden(w, p->l->type, id))
		return 0;
	if (p->l->type != STA_OBSERVATION)
		lay_over(w, p->l->type, id, entity);
	return p->visit(p->arg, id, entity, token);
}

/* The number that the inner source knows the beginning of a relation by; 0: it does not. */
static int64_t inner_id(const struct sta_written *w, const struct sta_list *l)
{
	enum sta_type from = l->relation->from;
	int64_t id = 0;
	entities_lock(w->entities);
	const struct entity *x = entities_get(w->entities, from, l->id);
	if (x && x->id >= ENTITY_FIRST)
		id = from == STA_THING || from == STA_DATASTREAM ? x->number : 0;
	else if (!x || !x->deleted)
		id = l->id;
	if (l->relation->to == STA_LOCATION && x && x->to.n_places)
		id = 0; /* its Locations are written */
	entities_unlock(w->entities);
	return id;
}

static int walk_derived(struct sta_written *w, const struct sta_list *l, sta_visit *visit,
                        void *arg)
{
	struct passing p = {w, l, visit, arg, 0};
	struct sta_list inner = *l;
	if (l->relation) {
		inner.id = inner_id(w, l);
		if (!inner.id)
			return 0;
	}
	return w->inner.walk(w->inner.arg, &inner, pass_on, &p);
}

static bool has_place(const struct entity *x, int64_t id)
{
	for (unsigned i = 0; i < x->to.n_places; i++)
		if (x->to.place[i] == id)
			return true;
	return false;
}

/* Under the lock. */
static bool is_linked(const struct sta_written *w, const struct sta_list *l, const struct entity *x)
{
	if (!l->relation)
		return true;
	enum sta_type from = l->relation->from;
	if (x->type == STA_DATASTREAM || (x->type == STA_HISTORICAL_LOCATION && from == STA_THING))
		return link_of(x, from) == l->id;
	if (x->type == STA_LOCATION) {
		const struct entity *y = entities_get(w->entities, from, l->id);
		return y && has_place(y, x->id);
	}
	return from == STA_LOCATION && has_place(x, l->id);
}

/* Under the lock: the next one behind after that a relation may lead to; is_linked() decides. */
static const struct entity *next_written(const struct sta_written *w, const struct sta_list *l,
                                         enum sta_type type, int64_t after)
{
	enum sta_type from = l->relation ? l->relation->from : STA_TYPES;
	const struct entity *x = NULL, *best = NULL;
	after = MAX_OF(after, ENTITY_FIRST - 1);
	if (from == STA_THING && type != STA_LOCATION)
		return entities_part_after(w->entities, type, l->id, after);
	if (type != STA_LOCATION || from == STA_TYPES)
		return entities_after(w->entities, type, after);
	x = entities_get(w->entities, from, l->id);
	for (unsigned i = 0; x && i < x->to.n_places; i++) {
		int64_t id = x->to.place[i];
		const struct entity *y = id > after ? entities_get(w->entities, type, id) : NULL;
		if (y && !y->deleted && (!best || y->id < best->id))
			best = y;
	}
	return best;
}

static int walk_written(struct sta_written *w, const struct sta_list *l, int64_t after,
                        enum sta_type type, sta_visit *visit, void *arg)
{
	for (;;) {
		char token[TOKEN_BYTES] = {type == l->type ? 'w' : 'x'};
		uint32_t number = 0;
		json_t *j = NULL;
		const struct entity *x;
		entities_lock(w->entities);
		while ((x = next_written(w, l, type, after))) {
			after = x->id;
			number = x->number;
			if (is_linked(w, l, x) && may_see(w, x) && (j = make(x, l->type)))
				break;
		}
		entities_unlock(w->entities);
		if (!x)
			return 0;
		add_figures(w, l->type, number, j);
		memcpy(token + 1, &after, sizeof(after));
		int rc = visit(arg, after, j, span_of(token, sizeof(token)));
		sta_drop(j);
		if (rc)
			return rc;
	}
}

/* The datastreams whose Observations are about a written FeatureOfInterest or Location, the first
 * one above after; 0: none. */
static uint32_t next_stream_at(const struct sta_written *w, int64_t feature, uint32_t after)
{
	uint32_t best = 0;
	entities_lock(w->entities);
	for (const struct entity *x = entities_after(w->entities, STA_DATASTREAM, 0); x;
	     x = entities_after(w->entities, STA_DATASTREAM, x->id)) {
		uint32_t number = x->id < ENTITY_FIRST ? (uint32_t)x->id : x->number;
		if (number <= after || (best && number >= best))
			continue;
		const struct entity *y = entities_get(w->entities, STA_THING, x->to.thing);
		if (x->to.feature ? x->to.feature == feature : y && has_place(y, feature))
			best = number;
	}
	entities_unlock(w->entities);
	return best;
}

static int walk_feature(struct sta_written *w, const struct sta_list *l, sta_visit *visit,
                        void *arg)
{
	struct passing p = {w, l, visit, arg, 0};
	struct sta_list inner = *l;
	uint32_t from = 0;
	int rc = 0;
	if (l->token.n && l->token.n < sizeof(from))
		return ERR_MALFORMED;
	if (l->token.n)
		memcpy(&from, l->token.p, sizeof(from));
	inner.relation = relation(STA_DATASTREAM, "Observations");
	p.stream = from ? next_stream_at(w, l->id, from - 1) : next_stream_at(w, l->id, 0);
	for (; p.stream && !rc; p.stream = next_stream_at(w, l->id, p.stream)) {
		inner.id = p.stream;
		inner.token = p.stream == from
		                  ? span_of(l->token.p + sizeof(from), l->token.n - sizeof(from))
		                  : (struct span){0};
		rc = w->inner.walk(w->inner.arg, &inner, pass_on, &p);
		if (rc == ERR_NOT_FOUND)
			rc = 0;
		if (rc)
			break;
	}
	return rc;
}

static bool is_ours(const struct sta_list *l, int64_t *ret_after, char *ret_kind)
{
	if (l->token.n != TOKEN_BYTES || (l->token.p[0] != 'w' && l->token.p[0] != 'x'))
		return false;
	*ret_kind = l->token.p[0];
	memcpy(ret_after, l->token.p + 1, sizeof(*ret_after));
	return true;
}

static int written_walk(void *arg, const struct sta_list *l, sta_visit *visit, void *visit_arg)
{
	struct sta_written *w = arg;
	int64_t after = 0;
	char kind = 0;
	int rc = 0;
	bool ours = is_ours(l, &after, &kind);
	if (l->type == STA_OBSERVATION) {
		if (l->relation && l->relation->from == STA_FEATURE && l->id >= ENTITY_FIRST)
			return walk_feature(w, l, visit, visit_arg);
		return walk_derived(w, l, visit, visit_arg);
	}
	if (!ours)
		rc = walk_derived(w, l, visit, visit_arg);
	if (!rc && kind != 'x')
		rc = walk_written(w, l, after, l->type, visit, visit_arg);
	if (!rc && l->type == STA_FEATURE && !l->relation) /* Locations are features too */
		rc = walk_written(w, l, kind == 'x' ? after : 0, STA_LOCATION, visit, visit_arg);
	return rc;
}

static bool written_count(void *arg, const struct sta_list *l, uint64_t *ret)
{
	struct sta_written *w = arg;
	struct sta_list inner = *l;
	bool deleted = false;
	entities_lock(w->entities);
	for (unsigned t = 0; t < STA_TYPES; t++)
		deleted |= entities_any_deleted(w->entities, (enum sta_type)t);
	entities_unlock(w->entities);
	if (l->relation && l->relation->from == STA_DATASTREAM) {
		inner.id = inner_id(w, l);
		if (!inner.id) {
			*ret = 0;
			return l->type == STA_OBSERVATION;
		}
	} else if (deleted || (l->relation && l->id >= ENTITY_FIRST)) {
		return false;
	}
	return w->inner.count(w->inner.arg, &inner, ret);
}

struct sta_source sta_written_source(struct sta_written *w)
{
	entities_lock(w->entities);
	bool any = entities_any(w->entities);
	entities_unlock(w->entities);
	if (!any)
		return w->inner;
	return (struct sta_source){w, written_get, written_one, written_walk, written_count};
}
