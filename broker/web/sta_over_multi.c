/* sta_over_multi.c - MultiDatastreams that somebody wrote, over what is derived; see sta_written.h.
 * The lock is held for one look at a time. */
#include "base/err.h"
#include "sta/build.h"
#include "web/sta_entity.h"
#include "web/sta_multi.h"
#include "web/sta_over.h"

/* ---- under the lock ---- */

static void take_sides(const struct sta_written *w, const struct entity *multi,
                       struct sta_sides *ret)
{
	const struct entity *x = NULL;
	*ret = (struct sta_sides){0};
	while ((x = entities_member_after(w->entities, multi, x ? x->id : 0)) &&
	       ret->n < LIMIT_STA_MULTI) {
		ret->stream[ret->n++] = x->number;
		if (x->number && (!ret->of || x->number < ret->of))
			ret->of = x->number;
	}
}

static const struct entity *written(const struct sta_written *w, int64_t multi)
{
	const struct entity *x =
	    multi >= ENTITY_FIRST ? entities_get(w->entities, STA_MULTI_DATASTREAM, multi) : NULL;
	return x && !x->deleted && sta_may_see(w, x) ? x : NULL;
}

/* The one whose member this datastream is; NULL: of none that is shown. */
static const struct entity *multi_of(const struct sta_written *w, uint32_t stream)
{
	const struct entity *x = entities_of_number(w->entities, STA_DATASTREAM, stream);
	return x && x->to.multi ? written(w, x->to.multi) : NULL;
}

void sta_over_members(const struct sta_written *w, const struct entity *multi, json_t *properties)
{
	const struct entity *x = NULL;
	json_t *members = sta_array();
	while ((x = entities_member_after(w->entities, multi, x ? x->id : 0)))
		sta_append(members, x->member);
	sta_put(properties, "members", members);
}

bool sta_over_observes(const struct sta_written *w, const struct entity *multi, int64_t property)
{
	const struct entity *x = NULL;
	while ((x = entities_member_after(w->entities, multi, x ? x->id : 0)))
		if (x->to.property == property)
			return true;
	return false;
}

/* ---- one ---- */

static bool find_sides(const struct sta_written *w, int64_t multi, struct sta_sides *ret)
{
	entities_lock(w->entities);
	const struct entity *x = written(w, multi);
	if (x)
		take_sides(w, x, ret);
	entities_unlock(w->entities);
	return x != NULL;
}

int sta_sides_of(struct sta_written *w, int64_t multi, struct sta_sides *ret)
{
	return find_sides(w, multi, ret) ? 0 : sta_multi_sides(w->things, multi, ret);
}

int64_t sta_over_multi(struct sta_written *w, int64_t observation)
{
	struct sta_sides s;
	int64_t stream = observation >> STA_ID_SHIFT, id = 0;
	if (stream <= 0 || stream > UINT32_MAX)
		return 0;
	entities_lock(w->entities);
	const struct entity *m = multi_of(w, (uint32_t)stream);
	if (m) {
		take_sides(w, m, &s);
		id = s.of == stream ? m->id : 0;
	}
	entities_unlock(w->entities);
	return id;
}

int64_t sta_shown_in(struct sta_written *w, uint32_t stream, int64_t ms)
{
	struct sta_sides s = {.of = stream};
	entities_lock(w->entities);
	const struct entity *m = multi_of(w, stream);
	if (m)
		take_sides(w, m, &s);
	entities_unlock(w->entities);
	return sta_sides_id(&s, ms);
}

int sta_over_observation(struct sta_written *w, int64_t multi, int64_t id, json_t **ret)
{
	struct sta_sides s;
	if (!find_sides(w, multi, &s))
		return ERR_NOT_FOUND;
	return sta_sides_get(w->things, &s, id & (((int64_t)1 << STA_ID_SHIFT) - 1), false, ret,
	                     NULL);
}

int64_t sta_over_feature(struct sta_written *w, int64_t multi)
{
	int64_t feature = 0, number = 0;
	entities_lock(w->entities);
	const struct entity *x = written(w, multi);
	if (x) {
		const struct entity *thing = entities_get(w->entities, STA_THING, x->to.thing);
		feature = x->to.feature;
		number = x->to.thing < ENTITY_FIRST ? x->to.thing : thing ? thing->number : 0;
	}
	entities_unlock(w->entities);
	if (!feature && number)
		feature = sta_place_of(w, number);
	return feature ? feature : number;
}

void sta_over_figures(struct sta_written *w, int64_t multi, json_t *j)
{
	struct sta_sides s;
	if (find_sides(w, multi, &s))
		sta_sides_figures(w->things, &s, j);
}

/* ---- sets ---- */

int sta_over_properties(struct sta_written *w, const struct sta_list *l, sta_visit *visit,
                        void *arg)
{
	int64_t after = 0;
	int rc = 0;
	if (l->token.n && l->token.n != sizeof(after))
		return ERR_MALFORMED;
	if (l->token.n)
		memcpy(&after, l->token.p, sizeof(after));
	while (!rc) {
		json_t *j = NULL;
		int64_t property = 0;
		entities_lock(w->entities);
		const struct entity *m = written(w, l->id),
		                    *x = m ? entities_member_after(w->entities, m, after) : NULL;
		if (x) {
			after = x->id;
			property = x->to.property;
		}
		entities_unlock(w->entities);
		if (!x)
			break;
		if (sta_written_get(w, STA_OBSERVED_PROPERTY, property, &j))
			continue;
		rc = visit(arg, property, j, span_of((const char *)&after, sizeof(after)));
		sta_drop(j);
	}
	return rc;
}

/* The next one above a number that the list is about; 0: there are no more. */
static int64_t next_multi(struct sta_written *w, const struct sta_list *l, int64_t after)
{
	for (;;) {
		entities_lock(w->entities);
		const struct entity *x = entities_after(w->entities, STA_MULTI_DATASTREAM,
		                                        MAX_OF(after, ENTITY_FIRST - 1));
		after = x ? x->id : 0;
		bool seen = x && sta_may_see(w, x);
		entities_unlock(w->entities);
		if (!after || (seen && (!l->relation || sta_over_feature(w, after) == l->id)))
			return after;
	}
}

struct over_token { /* which one, and the time in it */
	char kind;
	char multi[sizeof(int64_t)], ms[sizeof(int64_t)];
};
static_assert(sizeof(struct over_token) == STA_OVER_TOKEN_BYTES, "what sta_walk.c knows it by");

struct passing {
	sta_visit *visit;
	void *arg;
	struct over_token token;
};

static int pass_on(void *arg, int64_t id, json_t *entity, struct span token)
{
	struct passing *p = arg;
	memcpy(p->token.ms, token.p, sizeof(p->token.ms));
	return p->visit(p->arg, id, entity, span_of((const char *)&p->token, sizeof(p->token)));
}

static int walk_all(struct sta_written *w, const struct sta_list *l, sta_visit *visit, void *arg)
{
	struct passing p = {visit, arg, {.kind = STA_OVER_TOKEN}};
	struct sta_list inner = *l;
	struct over_token from;
	int64_t at = 0, first = 0;
	int rc = 0;
	inner.token = (struct span){0};
	if (l->token.n == sizeof(from) && l->token.p[0] == STA_OVER_TOKEN) {
		memcpy(&from, l->token.p, sizeof(from));
		memcpy(&first, from.multi, sizeof(first));
		if (first < ENTITY_FIRST || first > ENTITY_LAST)
			return ERR_MALFORMED;
		at = first - 1;
		inner.token = span_of(from.ms, sizeof(from.ms));
	}
	while (!rc && (at = next_multi(w, l, at))) {
		struct sta_sides s;
		memcpy(p.token.multi, &at, sizeof(at));
		if (at != first)
			inner.token = (struct span){0};
		if (find_sides(w, at, &s) && s.of)
			rc = sta_sides_walk(w->things, &s, &inner, pass_on, &p);
	}
	return rc;
}

static bool is_of_one(const struct sta_list *l)
{
	return l->relation && l->relation->from == STA_MULTI_DATASTREAM;
}

int sta_over_walk(struct sta_written *w, const struct sta_list *l, sta_visit *visit, void *arg)
{
	struct sta_sides s;
	if (!is_of_one(l))
		return walk_all(w, l, visit, arg);
	return find_sides(w, l->id, &s) && s.of ? sta_sides_walk(w->things, &s, l, visit, arg) : 0;
}

bool sta_over_count(struct sta_written *w, const struct sta_list *l, uint64_t *add)
{
	struct sta_sides s;
	int err = 0;
	if (is_of_one(l))
		return find_sides(w, l->id, &s) && sta_sides_count(w->things, &s, l, add) == 0;
	if (l->relation)
		return next_multi(w, &(struct sta_list){.type = l->type}, 0) == 0;
	for (int64_t at = 0; !err && (at = next_multi(w, l, at));) {
		if (find_sides(w, at, &s))
			err = sta_sides_count(w->things, &s, l, add);
	}
	return err == 0;
}
