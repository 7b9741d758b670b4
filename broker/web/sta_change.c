/* sta_change.c - PATCH (merge), PUT and DELETE of entities. What is derived from data gets a row
 * over it; deleting leaves a tombstone, for what is part of the entity too. */
#include "web/sta_changing.h"
#include "web/sta_feature.h"
#include "web/sta_making.h"

#include "base/err.h"
#include "base/mem.h"
#include "sta/build.h"
#include "sta/patch.h"

#include <stdio.h>
#include <stdlib.h>

static void changing_free(void *arg)
{
	struct changing *c = arg;
	sta_find_done(&c->find);
	sta_draft_free(c->draft);
	sta_abort(c->r, c->change);
	free(c);
}

static void committed(void *arg, int err)
{
	struct req *r = arg;
	struct changing *c = r->own;
	c->change = NULL;
	if (!sta_committed(r, err))
		return;
	sta_audit(r, c->draft ? "sensorthings.change" : "sensorthings.delete", c->type, c->id);
	if (c->draft)
		sta_answer_entity(r, 200, c->type, c->id);
	else
		respond(r, 200, NULL);
}

/* false: refused. */
bool sta_went(struct changing *c, int err)
{
	if (err == ERR_AGAIN)
		sta_refuse(c->r, 503, "busy", "", "it is being changed: send it again");
	else if (err == ERR_NOT_FOUND)
		sta_refuse(c->r, 404, "no-such-entity", "", "it is gone");
	else if (err)
		sta_refuse(c->r, 409, "too-many", "",
		           "more than %d entities go with it: delete them first",
		           LIMIT_ENTITY_CHANGE);
	return !err;
}

/* The entity as it stands, or what a row over a derived one begins with. Views. */
static struct entity now_of(const struct changing *c, enum sta_type t, int64_t id, bool *ret_row)
{
	const struct entity *x = c->change ? entities_pending(c->change, t, id) : NULL;
	const struct sta_found *f = sta_find_of(&c->find, t, id);
	struct entity e = {.type = t, .id = id};
	x = x ? x : sta_entity_now(c->r, t, id);
	*ret_row = x && !x->deleted;
	if (*ret_row)
		return *x;
	if (f) {
		e.feed = (char *)f->feed;
		e.organisation = (char *)f->organisation;
		e.thing = (char *)f->of_thing;
		e.member = (char *)f->member;
		e.to.thing = t == STA_DATASTREAM ? f->thing : 0;
	}
	return e;
}

/* ---- deleting ---- */

bool sta_remove_one(struct changing *c, enum sta_type t, int64_t id)
{
	bool row;
	struct entity x = now_of(c, t, id, &row);
	int err = 0;
	if (!row)
		err = entities_add(c->change, &x) < 0 ? ERR_TOO_LARGE : 0;
	return sta_went(c, err ? err : entities_remove(c->change, t, id));
}

static bool is_part(const struct changing *c, const struct entity *x)
{
	switch (c->type) {
	case STA_THING: return x->to.thing == c->id;
	case STA_SENSOR: return x->to.sensor == c->id;
	case STA_OBSERVED_PROPERTY: return x->to.property == c->id;
	case STA_MULTI_DATASTREAM: return x->to.multi == c->id;
	default: return false;
	}
}

/* Takes a Location out of where it is, or a FeatureOfInterest. */
static bool unlink_from(struct changing *c, const struct entity *x)
{
	struct entity y = *x;
	unsigned n = 0;
	for (unsigned i = 0; i < x->to.n_places; i++)
		if (x->to.place[i] != c->id || c->type == STA_FEATURE)
			y.to.place[n++] = x->to.place[i];
	if (n == x->to.n_places && (c->type != STA_FEATURE || x->to.feature != c->id))
		return true;
	y.to.n_places = n;
	if (c->type == STA_FEATURE && x->to.feature == c->id)
		y.to.feature = 0;
	if (!n && x->type == STA_HISTORICAL_LOCATION)
		return sta_remove_one(c, x->type, x->id);
	return sta_went(c, entities_replace(c->change, &y));
}

/* Those of a Thing that have data and name no feature: it is this Location, and stays it. */
static bool name_feature(struct changing *c, const struct entity *thing, bool *any)
{
	static const enum sta_type types[] = {STA_DATASTREAM, STA_MULTI_DATASTREAM};
	for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
		const struct entity *d = NULL;
		bool row;
		while ((d = entities_part_after(c->r->web->entities, types[i], thing->id,
		                                d ? d->id : 0))) {
			struct entity y = now_of(c, types[i], d->id, &row);
			if (y.to.feature || y.to.multi ||
			    (types[i] == STA_DATASTREAM && !d->number))
				continue;
			*any = true;
			y.to.feature = c->id;
			if (!sta_went(c, entities_replace(c->change, &y)))
				return false;
		}
	}
	return true;
}

/* A Location that Observations are about goes on as a FeatureOfInterest of its number (18-088,
 * table 25: they do not go with it). */
static bool keep_feature(struct changing *c)
{
	struct entities *e = c->r->web->entities;
	const struct entity *l = sta_entity_now(c->r, STA_LOCATION, c->id), *x = NULL;
	if (c->type != STA_LOCATION || !l || sta_entity_now(c->r, STA_FEATURE, c->id))
		return true;
	bool any = l->to.n_places || entities_about_after(e, STA_DATASTREAM, c->id, 0);
	while ((x = entities_about_after(e, STA_THING, c->id, x ? x->id : 0)))
		if (sta_feature_at(e, x) == c->id && !name_feature(c, x, &any))
			return false;
	if (!any)
		return true;
	json_t *j = sta_parse(l->text);
	sta_rename(j, "location", "feature");
	struct entity f = *l;
	f.type = STA_FEATURE;
	f.text = sta_print(j);
	int err = entities_add(c->change, &f) < 0 ? ERR_TOO_LARGE : 0;
	free(f.text);
	sta_drop(j);
	return sta_went(c, err);
}

static bool remove_part(struct changing *c, const struct entity *x)
{
	bool place = c->type == STA_LOCATION || c->type == STA_FEATURE;
	if ((x->type == c->type && x->id == c->id) || entities_goes(c->change, x->type, x->id))
		return true;
	if (is_part(c, x))
		return x->to.multi && c->type != STA_MULTI_DATASTREAM
		           ? sta_remove_multi(c, x->to.multi)
		           : sta_remove_one(c, x->type, x->id);
	return !place || unlink_from(c, x);
}

static bool remove_parts(struct changing *c)
{
	static const enum sta_type around[] = {STA_DATASTREAM, STA_MULTI_DATASTREAM,
	                                       STA_HISTORICAL_LOCATION, STA_THING};
	struct entities *e = c->r->web->entities;
	for (unsigned i = 0; i < ARRAY_LEN(around); i++) {
		const struct entity *x = NULL;
		for (int64_t at = 0; (x = entities_after(e, around[i], at)); at = x->id)
			if (!entities_pending(c->change, x->type, x->id) && !remove_part(c, x))
				return false;
	}
	/* what others that it is all or nothing with made or changed */
	const struct entity *x = NULL;
	for (unsigned i = 0; (x = entities_pending_at(c->change, i)); i++)
		for (unsigned k = 0; k < ARRAY_LEN(around); k++)
			if (x->type == around[k] && !remove_part(c, x))
				return false;
	return true;
}

/* ---- changing ---- */

bool sta_stays(struct changing *c, const char *said, const char *is, const char *what)
{
	char pointer[64];
	if (!said || strcmp(said, is ? is : "") == 0)
		return true;
	snprintf(pointer, sizeof(pointer), "/properties/%s", what);
	sta_refuse(c->r, 400, "fixed", pointer, "%s does not change: it is \"%.100s\"", what,
	           is ? is : "");
	return false;
}

static bool take_link(struct changing *c, struct entity *x, const struct sta_draft_link *l,
                      bool *places)
{
	const struct sta_found *to = l->made ? NULL : sta_find_of(&c->find, l->relation->to, l->id);
	if (!to || !to->there) {
		sta_refuse(c->r, 400, l->made ? "link" : "no-such-entity", "",
		           l->made ? "%s is changed to one that is there: {\"@iot.id\": 1}"
		                   : "there is no such %s",
		           l->relation->name);
		return false;
	}
	switch (l->relation->to) {
	case STA_SENSOR: x->to.sensor = l->id; return true;
	case STA_OBSERVED_PROPERTY: /* those of a MultiDatastream are its members' */
		x->to.property = c->type == STA_DATASTREAM ? l->id : 0;
		return true;
	case STA_LOCATION:
		if (!*places)
			x->to.n_places = 0;
		*places = true;
		if (x->to.n_places == LIMIT_ENTITY_PLACES)
			break;
		x->to.place[x->to.n_places++] = l->id;
		return true;
	case STA_THING:
		if (x->to.thing == l->id)
			return true;
		break;
	default: break;
	}
	sta_refuse(c->r, 400, "link", "", "this %s does not change", l->relation->name);
	return false;
}

static bool take_name(struct changing *c, const struct feed *f, struct entity *x)
{
	const char *name = c->draft->name;
	if (*name && sta_is_strict(f) && strcmp(name, x->name ? x->name : "") != 0 &&
	    entities_has_name(c->r->web->entities, x->type, span_str(x->organisation),
	                      span_str(name))) {
		sta_refuse(c->r, 409, "name-taken", "/name",
		           "%.64s has a %s with the name \"%.100s\": names are unique within an "
		           "organisation",
		           x->organisation, sta_entity_name(x->type), name);
		return false;
	}
	x->name = c->draft->name;
	return true;
}

static bool take_draft(struct changing *c)
{
	const struct sta_draft *d = c->draft;
	bool row, places = false;
	char unit[64] = "";
	struct entity x = now_of(c, c->type, c->id, &row);
	const struct feed *f = hub_feed(c->r->web->hub, span_str(x.feed));
	if (!sta_stays(c, d->feed, x.feed, "feed") || !sta_stays(c, d->thing, x.thing, "thing") ||
	    !sta_stays(c, d->member, x.member, "member") || !take_name(c, f, &x) ||
	    !sta_definition_is_good(c->r, f, d))
		return false;
	if (c->type == STA_DATASTREAM && d->n_parts && (d->part->symbol || d->part->unit_uri)) {
		if (!sta_take_unit(c->r, f, d->part, "/unitOfMeasurement", unit))
			return false;
		x.unit = unit;
	}
	if (row && c->r->method == METHOD_PATCH && x.changed_ms != c->seen_ms)
		return sta_went(c, ERR_AGAIN);
	if (d->observations) {
		sta_refuse(c->r, 400, "link", "/Observations",
		           "a change makes no Observations: POST them");
		return false;
	}
	x.text = d->text;
	for (unsigned i = 0; i < d->n_links; i++)
		if (!take_link(c, &x, &d->link[i], &places))
			return false;
	if (c->type == STA_MULTI_DATASTREAM && !sta_change_members(c, &x))
		return false;
	int err = row                               ? entities_replace(c->change, &x)
	          : entities_add(c->change, &x) < 0 ? ERR_TOO_LARGE
	                                            : 0;
	return sta_went(c, err) &&
	       (!places || c->type != STA_THING || sta_went(c, entities_note_place(c->change, &x)));
}

static void write_change(struct changing *c)
{
	struct req *r = c->r;
	entities_fill(r->web->entities, r->web->series);
	c->change = sta_begin(r);
	if (c->draft ? take_draft(c)
	             : keep_feature(c) && remove_parts(c) && sta_remove_one(c, c->type, c->id))
		sta_commit(r, c->change, committed);
}

/* ---- a FeatureOfInterest takes the Observations that are about it with it (18-088, table 25):
 * what stands in its Datastreams is rejected, then it goes ---- */

static void reject_next(struct changing *c);

static void rejected(struct series_correction *s)
{
	struct changing *c = container_of(s, struct changing, rejection);
	struct req *r = c->r;
	r->pending--;
	if (!r->wsi) {
		req_release(r);
		return;
	}
	if (s->err)
		sta_refuse(r, s->err == ERR_TOO_LARGE ? 507 : 503, "busy", "",
		           "its Observations could not be deleted: %s", err_text(s->err));
	else
		reject_next(c);
}

static void reject_next(struct changing *c)
{
	struct series_correction *s = &c->rejection;
	if (c->at == c->find.n_spans) {
		write_change(c);
		return;
	}
	const struct sta_span *x = &c->find.spans[c->at++];
	*s = (struct series_correction){.what = SERIES_REJECT,
	                                .thing_id = x->thing,
	                                .stream_id = x->stream,
	                                .from_ms = x->from_ms,
	                                .to_ms = x->to_ms,
	                                .reason = SPAN("deleted over SensorThings"),
	                                .who = c->r->who.name,
	                                .done = rejected};
	c->r->pending++;
	series_correct(c->r->web->series, s);
}

static void spans_found(struct req *r)
{
	struct changing *c = r->own;
	if (c->find.err)
		return;
	if (c->find.spans_err == ERR_TOO_LARGE)
		sta_refuse(r, 409, "too-many", "",
		           "its Observations stand between those about others, in more than %d "
		           "places: delete them first",
		           LIMIT_SERIES_AMENDS);
	else if (c->find.spans_err)
		sta_refuse(r, 503, "busy", "",
		           "its Observations cannot be found now: send it again");
	else if (r->group && c->find.n_spans)
		sta_refuse(r, 501, "group", "",
		           "its Observations go with it, which cannot be all or nothing with "
		           "others: send this without an atomicityGroup");
	else
		reject_next(c);
}

/* False: it has none. */
static bool begin_rejecting(struct changing *c)
{
	if (c->draft || c->type != STA_FEATURE)
		return false;
	c->find.about = c->id;
	sta_find_start(&c->find, c->r, spans_found);
	return true;
}

/* ---- the way of a request ---- */

static void found(struct req *r)
{
	struct changing *c = r->own;
	const struct sta_found *x = sta_find_of(&c->find, c->type, c->id);
	if (c->find.err)
		return;
	bool derived = c->id < ENTITY_FIRST || c->id > ENTITY_LAST || !x->written;
	if (!x->there || !c->find.leads)
		sta_refuse(r, 404, "no-such-entity", "", "there is no %s(%lld)",
		           sta_set_name(c->type), (long long)c->id);
	else if (derived && c->type == STA_OBSERVED_PROPERTY)
		sta_refuse(r, 409, "derived", "",
		           "this ObservedProperty is what schemas say: change the schema");
	else if (derived && c->type == STA_MULTI_DATASTREAM)
		sta_refuse(r, 409, "derived", "",
		           "this MultiDatastream is what the Datastreams of its Thing are side by "
		           "side: change those");
	else if (derived && c->type == STA_HISTORICAL_LOCATION)
		sta_refuse(r, 409, "derived", "",
		           "this is where messages said the thing was: it does not change");
	if (!r->answering && sta_may_write(r, x, derived) && !begin_rejecting(c))
		write_change(c);
}

/* What the entity is to be; false: refused. A JSON Patch makes all of it, a PATCH else is merged.
 */
static bool read_body(struct changing *c)
{
	struct req *r = c->r;
	struct sta_faults faults;
	char why[200], *patched = NULL;
	bool row, merge = r->method == METHOD_PATCH;
	struct entity x = now_of(c, c->type, c->id, &row);
	struct span body = span_of(r->body.p, r->body.len), old = {0};
	c->seen_ms = x.changed_ms;
	if (merge && sta_patch_is(r->type)) {
		if (sta_patch(span_str(row ? x.text : NULL), body, !row, &patched, why)) {
			sta_refuse(r, 400, "patch", "", "%s", why);
			return false;
		}
		body = span_str(patched);
	} else if (merge && row) {
		old = span_str(x.text);
	}
	int err =
	    sta_draft_read(c->type, body, old, c->id < ENTITY_FIRST || !row, &c->draft, &faults);
	if (err)
		sta_refuse_faults(r, &faults);
	free(patched);
	return !err;
}

void sta_change(struct req *r, struct sta_query *path)
{
	struct changing *c = xcalloc(1, sizeof(*c));
	enum sta_type t = sta_query_type(path);
	int64_t id = path->step[path->n_steps - 1].id;
	c->r = r;
	c->type = t;
	c->id = id;
	r->own = c;
	r->own_free = changing_free;
	c->find.path = path;
	if (r->method != METHOD_DELETE) {
		if (!read_body(c))
			return;
		for (unsigned i = 0; i < c->draft->n_links; i++)
			if (!c->draft->link[i].made)
				sta_find_add(&c->find, c->draft->link[i].relation->to,
				             c->draft->link[i].id);
	}
	sta_find_add(&c->find, t, id);
	sta_find_start(&c->find, r, found);
}
