/* sta_walk.c - sets of what was written over what is derived; see sta_written.h. Derived ones come
 * first, then those that were written, by their numbers. The lock is held for one look at a time,
 * never while a visitor is called: it may ask again. */
#include "web/sta_over.h"

#include "base/err.h"
#include "sta/build.h"
#include "web/sta_entity.h"
#include "web/sta_feature.h"

#include <stdlib.h>

enum { TOKEN_BYTES = 1 + sizeof(int64_t) };

struct passing { /* from the inner source to the asker */
	struct sta_written *w;
	const struct sta_list *l;
	sta_visit *visit;
	void *arg;
	uint32_t stream; /* in front of the token; 0: not */
	int64_t feature; /* of a FeatureOfInterest's Observations: only those that are about it */
	struct {         /* the feature of the datastream that came last */
		uint32_t stream;
		int64_t feature;
	} last;
};

static bool is_about(struct passing *p, int64_t observation)
{
	int64_t own = p->w->things->feature;
	uint32_t stream = (uint32_t)(observation >> STA_ID_SHIFT);
	if (own || observation < 0)
		return observation < 0 || own == p->feature;
	if (stream != p->last.stream) {
		p->last.stream = stream;
		if (sta_feature_of_stream(p->w, stream, &p->last.feature))
			p->last.feature = 0;
	}
	return p->last.feature == p->feature;
}

static int pass_on(void *arg, int64_t id, json_t *entity, struct span token)
{
	struct passing *p = arg;
	struct sta_written *w = p->w;
	char mem[STA_TOKEN_BYTES];
	bool things = p->l->type == STA_THING && p->l->relation;
	int64_t as = things ? sta_shown_as(w, STA_THING, id) : id;
	if (p->stream && token.n + sizeof(p->stream) <= sizeof(mem)) {
		memcpy(mem, &p->stream, sizeof(p->stream));
		memcpy(mem + sizeof(p->stream), token.p, token.n);
		token = span_of(mem, token.n + sizeof(p->stream));
	}
	if (as > 0 && as != id) { /* a written Thing stands for it */
		json_t *j = NULL;
		if (sta_written_get(w, STA_THING, as, &j))
			return 0;
		int rc = p->visit(p->arg, as, j, token);
		sta_drop(j);
		return rc;
	}
	if (sta_is_hidden(w, p->l->type, id) || (p->feature && !is_about(p, id)))
		return 0;
	if (p->l->type != STA_OBSERVATION)
		sta_lay_over(w, p->l->type, id, entity);
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
	struct passing p = {w, l, visit, arg};
	struct sta_list inner = *l;
	if (l->relation && l->relation->from == STA_FEATURE)
		p.feature = l->id;
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
	if (x->type == STA_MULTI_DATASTREAM && from == STA_OBSERVED_PROPERTY)
		return sta_over_observes(w, x, l->id);
	if (sta_is_stream(x->type) || (x->type == STA_HISTORICAL_LOCATION && from == STA_THING))
		return sta_link_of(x, from) == l->id;
	if (x->type == STA_LOCATION) {
		const struct entity *y = entities_get(w->entities, from, l->id);
		return y && has_place(y, x->id);
	}
	return from == STA_LOCATION && has_place(x, l->id);
}

/* Under the lock: the next Location that is a FeatureOfInterest. */
static const struct entity *next_place(const struct sta_written *w, int64_t after)
{
	const struct entity *x = NULL, *f;
	do {
		x = entities_after(w->entities, STA_LOCATION, x ? x->id : after);
		f = x ? entities_get(w->entities, STA_FEATURE, x->id) : NULL;
	} while (f); /* a row of its own, or a tombstone */
	return x;
}

/* Under the lock: the next one behind after that a relation may lead to; is_linked() decides. */
static const struct entity *next_written(const struct sta_written *w, const struct sta_list *l,
                                         enum sta_type type, int64_t after)
{
	enum sta_type from = l->relation ? l->relation->from : STA_TYPES;
	const struct entity *x = NULL, *best = NULL;
	after = MAX_OF(after, ENTITY_FIRST - 1);
	if (type == STA_FEATURE && from == STA_TYPES) { /* Locations are features too */
		x = entities_after(w->entities, type, after);
		best = next_place(w, after);
		return x && (!best || x->id < best->id) ? x : best;
	}
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
                        sta_visit *visit, void *arg)
{
	for (;;) {
		char token[TOKEN_BYTES] = {'w'};
		uint32_t number = 0;
		json_t *j = NULL;
		const struct entity *x;
		entities_lock(w->entities);
		while ((x = next_written(w, l, l->type, after))) {
			after = x->id;
			number = x->number;
			if (is_linked(w, l, x) && sta_may_see(w, x) &&
			    (j = sta_written_make(w, x, l->type)))
				break;
		}
		entities_unlock(w->entities);
		if (!x)
			return 0;
		sta_add_figures(w, l->type, after, number, j);
		memcpy(token + 1, &after, sizeof(after));
		int rc = visit(arg, after, j, span_of(token, sizeof(token)));
		sta_drop(j);
		if (rc)
			return rc;
	}
}

static int walk_feature(struct sta_written *w, const struct sta_list *l, sta_visit *visit,
                        void *arg)
{
	struct passing p = {w, l, visit, arg, .feature = l->id};
	struct sta_list inner = *l;
	uint32_t from = 0, *streams;
	size_t n;
	if (l->token.n && l->token.n < sizeof(from))
		return ERR_MALFORMED;
	if (l->token.n)
		memcpy(&from, l->token.p, sizeof(from));
	inner.relation = sta_find_relation(STA_DATASTREAM, SPAN("Observations"));
	int rc = sta_feature_streams(w, l->id, &streams, &n);
	for (size_t i = 0; i < n && !rc; i++) {
		if (streams[i] < from)
			continue;
		inner.id = p.stream = streams[i];
		inner.token = p.stream == from
		                  ? span_of(l->token.p + sizeof(from), l->token.n - sizeof(from))
		                  : (struct span){0};
		rc = w->inner.walk(w->inner.arg, &inner, pass_on, &p);
		rc = rc == ERR_NOT_FOUND ? 0 : rc; /* it may not be seen */
	}
	free(streams);
	return rc;
}

/* Those of Datastreams first, then those of written MultiDatastreams. */
static int walk_observations(struct sta_written *w, const struct sta_list *l, sta_visit *visit,
                             void *arg)
{
	enum sta_type from = l->relation ? l->relation->from : STA_TYPES;
	bool over = l->token.n == STA_OVER_TOKEN_BYTES && l->token.p[0] == STA_OVER_TOKEN;
	int rc = 0;
	if (from == STA_MULTI_DATASTREAM && l->id >= ENTITY_FIRST)
		return sta_over_walk(w, l, visit, arg);
	if (!over && from == STA_FEATURE && l->id >= ENTITY_FIRST)
		rc = walk_feature(w, l, visit, arg);
	else if (!over)
		rc = walk_derived(w, l, visit, arg);
	if (!rc && (from == STA_FEATURE || !l->relation))
		rc = sta_over_walk(w, l, visit, arg);
	return rc;
}

static bool is_ours(const struct sta_list *l, int64_t *ret_after)
{
	if (l->token.n != TOKEN_BYTES || l->token.p[0] != 'w')
		return false;
	memcpy(ret_after, l->token.p + 1, sizeof(*ret_after));
	return true;
}

int sta_written_walk(void *arg, const struct sta_list *l, sta_visit *visit, void *visit_arg)
{
	struct sta_written *w = arg;
	int64_t after = 0;
	if (l->type == STA_OBSERVATION)
		return walk_observations(w, l, visit, visit_arg);
	if (l->relation && l->relation->from == STA_MULTI_DATASTREAM && l->id >= ENTITY_FIRST)
		return sta_over_properties(w, l, visit, visit_arg);
	int rc = is_ours(l, &after) ? 0 : walk_derived(w, l, visit, visit_arg);
	return rc ? rc : walk_written(w, l, after, visit, visit_arg);
}

bool sta_written_count(void *arg, const struct sta_list *l, uint64_t *ret)
{
	struct sta_written *w = arg;
	struct sta_list inner = *l;
	enum sta_type from = l->relation ? l->relation->from : STA_TYPES;
	bool observations = l->type == STA_OBSERVATION, deleted = false;
	entities_lock(w->entities);
	for (unsigned t = 0; t < STA_TYPES; t++)
		deleted |= entities_any_deleted(w->entities, (enum sta_type)t);
	entities_unlock(w->entities);
	if (observations && from == STA_MULTI_DATASTREAM && l->id >= ENTITY_FIRST) {
		*ret = 0;
		return sta_over_count(w, l, ret);
	}
	if (from == STA_DATASTREAM) {
		inner.id = inner_id(w, l);
		if (!inner.id) {
			*ret = 0;
			return observations;
		}
	} else if (from != STA_MULTI_DATASTREAM && l->relation &&
	           (deleted || l->id >= ENTITY_FIRST || from == STA_FEATURE)) {
		return false;
	}
	bool over = observations && (!l->relation || from == STA_FEATURE);
	return w->inner.count(w->inner.arg, &inner, ret) && (!over || sta_over_count(w, l, ret));
}
