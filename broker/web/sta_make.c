/* sta_make.c - POST of entities, and of what is in them (deep insert): all in one commit, or
 * nothing. Observations in a Datastream are published behind that commit. */
#include "web/sta_making.h"

#include "access/audit.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "sta/build.h"
#include "json/write.h"

#include <stdio.h>
#include <stdlib.h>

static void making_free(void *arg)
{
	struct making *m = arg;
	sta_find_done(&m->find);
	sta_draft_free(m->draft);
	sta_abort(m->r, m->change);
	free(m);
}

/* ---- what is linked to ---- */

static void find_links(struct making *m, const struct sta_draft *d)
{
	for (unsigned i = 0; i < d->n_links; i++)
		if (d->link[i].made)
			find_links(m, d->link[i].made);
		else
			sta_find_add(&m->find, d->link[i].relation->to, d->link[i].id);
}

static bool all_there(struct making *m)
{
	for (unsigned i = 0; i < m->find.n; i++) {
		const struct sta_found *x = &m->find.one[i];
		if (x->there && (m->find.leads || x->id != m->parent_id || x->type != m->parent))
			continue;
		sta_refuse(m->r, x->id == m->parent_id && x->type == m->parent ? 404 : 400,
		           "no-such-entity", "", "there is no %s(%lld)", sta_set_name(x->type),
		           (long long)x->id);
		return false;
	}
	return true;
}

/* ---- whose it is ---- */

static const char *named_feed(const struct sta_draft *d)
{
	const char *name = d->feed;
	for (unsigned i = 0; i < d->n_links && !name; i++)
		if (d->link[i].made)
			name = named_feed(d->link[i].made);
	return name;
}

/* The one feed that takes entities of who asks; NULL after a refusal. */
static struct feed *only_feed(struct req *r)
{
	struct feed *found = NULL;
	unsigned n = 0;
	for (unsigned i = 0; i < hub_feed_count(r->web->hub); i++) {
		struct feed *f = hub_feed_at(r->web->hub, i);
		if (f->ended || !f->conf->sensorthings ||
		    access_check(&r->who, ACCESS_PUBLISH, f, (struct span){0}))
			continue;
		found = f;
		n++;
	}
	if (n == 1)
		return found;
	sta_refuse(
	    r, n ? 400 : 403, n ? "feed-missing" : "denied", n ? "/properties/feed" : "",
	    n ? "more than one feed takes entities: say which in properties.feed"
	      : "no feed takes entities of yours: its block says sensorthings = true, and you "
	        "need the right to publish there");
	return NULL;
}

/* The Thing that this is about decides; else properties.feed; else there is only one. */
static bool find_feed(struct making *m)
{
	struct req *r = m->r;
	const struct sta_found *thing = NULL;
	const char *name = named_feed(m->draft);
	for (unsigned i = 0; i < m->find.n && !thing; i++)
		if (m->find.one[i].type == STA_THING)
			thing = &m->find.one[i];
	m->organisation = thing ? thing->organisation : r->who.organisation;
	if (thing && name && strcmp(name, thing->feed) != 0) {
		sta_refuse(r, 400, "feed", "/properties/feed", "its Thing is in feed %s",
		           thing->feed);
		return false;
	}
	if (thing)
		name = thing->feed;
	m->feed = name ? hub_feed(r->web->hub, span_str(name)) : only_feed(r);
	if (name && (!m->feed || !access_sees(&r->who, m->feed)))
		sta_refuse(r, 400, "feed", "/properties/feed", "there is no feed \"%.64s\"", name);
	else if (m->feed && !m->feed->conf->sensorthings)
		sta_refuse(r, 403, "feed", "/properties/feed",
		           "feed %.64s takes no entities: its block does not say sensorthings = "
		           "true",
		           m->feed->conf->name);
	else if (m->feed)
		return sta_allows(r, m->feed, false, thing ? thing->of_thing : NULL);
	return false;
}

/* ---- entities ---- */

int64_t sta_make_link(struct making *m, const struct sta_draft *d, enum sta_type t, int64_t thing)
{
	const struct sta_draft_link *l = sta_link_to(d, t);
	if (!l)
		return m->parent_id && m->parent == t && d == m->draft ? m->parent_id : 0;
	return l->made ? sta_make_one(m, l->made, thing, 0) : l->id;
}

int64_t sta_make_add(struct making *m, const struct sta_draft *d, const struct entity *x)
{
	int64_t id = entities_add(m->change, x);
	if (id >= 0)
		return id;
	sta_refuse(m->r, 507, "too-many", d->pointer,
	           "there is no room: %d entities in all, %d in one request", LIMIT_ENTITIES,
	           LIMIT_ENTITY_CHANGE);
	return -1;
}

int64_t sta_make_row(struct making *m, const struct sta_draft *d, struct entity *x)
{
	x->type = d->type;
	x->feed = m->feed->conf->name;
	x->organisation = (char *)m->organisation;
	x->name = d->type == STA_HISTORICAL_LOCATION ? NULL : d->name;
	x->text = d->text;
	return sta_make_add(m, d, x);
}

int64_t sta_make_missing(struct making *m, const struct sta_draft *d, const char *what)
{
	char pointer[192];
	snprintf(pointer, sizeof(pointer), "%s/%s", d->pointer, what);
	sta_refuse(m->r, 400, "missing", pointer, "a %s needs its %s: a link or the entity",
	           sta_entity_name(d->type), what);
	return -1;
}

static bool note_place(struct making *m, const struct entity *thing)
{
	int err = entities_note_place(m->change, thing);
	if (err == ERR_TOO_LARGE)
		sta_refuse(m->r, 507, "too-many", "", "there is no room for where it was");
	else if (err)
		sta_refuse(m->r, 503, "busy", "", "it is being changed: send it again");
	return !err;
}

static bool take_places(struct making *m, const struct sta_draft *d, struct entity_links *to)
{
	for (unsigned i = 0; i < d->n_links; i++) {
		const struct sta_draft_link *l = &d->link[i];
		if (l->relation->to != STA_LOCATION)
			continue;
		if (to->n_places == LIMIT_ENTITY_PLACES) {
			sta_refuse(m->r, 400, "too-many", d->pointer, "at most %d Locations",
			           LIMIT_ENTITY_PLACES);
			return false;
		}
		int64_t id = l->made ? sta_make_one(m, l->made, -1, 0) : l->id;
		if (id < 0)
			return false;
		to->place[to->n_places++] = id;
	}
	return true;
}

static bool make_streams(struct making *m, const struct sta_draft *d, int64_t thing, int64_t other)
{
	for (unsigned i = 0; i < d->n_links; i++) {
		const struct sta_draft_link *l = &d->link[i];
		if (!sta_is_stream(l->relation->to))
			continue;
		if (!l->made) {
			sta_refuse(m->r, 400, "link", d->pointer,
			           "a %s keeps its Thing: it is made with it",
			           sta_entity_name(l->relation->to));
			return false;
		}
		if (sta_make_one(m, l->made, thing, other) < 0)
			return false;
	}
	return true;
}

static int64_t make_thing(struct making *m, struct sta_draft *d)
{
	char name[STA_NAME_BYTES];
	struct entity x = {.thing = name};
	if (!sta_name_thing(m, d, name, sizeof(name)))
		return -1;
	m->places_of = name;
	bool placed = take_places(m, d, &x.to);
	m->places_of = NULL;
	if (!placed)
		return -1;
	if (m->parent_id && m->parent == STA_LOCATION && d == m->draft)
		x.to.place[x.to.n_places++] = m->parent_id;
	d->id = sta_make_row(m, d, &x);
	x.id = d->id;
	if (d->id < 0 || !note_place(m, &x) || !make_streams(m, d, d->id, 0))
		return -1;
	return d->id;
}

/* The Locations of a Thing are these; *ret is what it is now, views. */
static bool set_places(struct making *m, int64_t thing, const struct entity_links *places,
                       struct entity *ret)
{
	const struct sta_found *f = sta_find_of(&m->find, STA_THING, thing);
	const struct entity *old = entities_pending(m->change, STA_THING, thing);
	struct entity x = {.type = STA_THING, .id = thing};
	old = old ? old : sta_entity_now(m->r, STA_THING, thing);
	int err = 0;
	if (old && !old->deleted) {
		x = *old;
		x.to.n_places = places->n_places;
		memcpy(x.to.place, places->place, sizeof(x.to.place));
		err = entities_replace(m->change, &x);
	} else if (f) { /* a derived one: a row over it */
		if (!sta_allows(m->r, m->feed, true, f->of_thing))
			return false;
		x.feed = (char *)f->feed;
		x.organisation = (char *)f->organisation;
		x.thing = (char *)f->of_thing;
		x.to = *places;
		x.to.thing = 0;
		err = entities_add(m->change, &x) < 0 ? ERR_TOO_LARGE : 0;
	}
	if (err)
		sta_refuse(m->r, 503, "busy", "", "Things(%lld) is being changed: send it again",
		           (long long)thing);
	*ret = x;
	return !err;
}

static bool move(struct making *m, int64_t thing, const struct entity_links *places)
{
	struct entity x;
	return set_places(m, thing, places, &x) && note_place(m, &x);
}

static int64_t make_location(struct making *m, struct sta_draft *d, int64_t thing)
{
	struct entity x = {.type = STA_LOCATION, .thing = (char *)m->places_of};
	const struct sta_found *f = m->parent == STA_THING && d == m->draft
	                                ? sta_find_of(&m->find, STA_THING, m->parent_id)
	                                : NULL;
	if (f)
		x.thing = (char *)f->of_thing;
	d->id = sta_make_row(m, d, &x);
	struct entity_links here = {.place = {d->id}, .n_places = 1};
	if (d->id < 0 || thing)
		return d->id; /* its Thing has it in its own row */
	if (m->parent_id && m->parent == STA_THING && d == m->draft &&
	    !move(m, m->parent_id, &here))
		return -1;
	for (unsigned i = 0; i < d->n_links; i++) {
		const struct sta_draft_link *l = &d->link[i];
		int64_t id = l->made ? sta_make_one(m, l->made, 0, 0) : l->id;
		if (l->relation->to == STA_THING && (id < 0 || !move(m, id, &here)))
			return -1;
	}
	return d->id;
}

static bool time_of(const char *text, int64_t *ret)
{
	char time[64];
	json_t *j = sta_parse(text);
	bool good =
	    sta_member(j, "time", time, sizeof(time)) && rfc3339_parse(span_str(time), ret) == 0;
	sta_drop(j);
	return good;
}

/* Where a Thing that was made was last is where it is (18-088, 8.2.3). */
static bool follow_newest(struct making *m, const struct sta_draft *d, int64_t thing,
                          const struct entity_links *to)
{
	struct entity moved;
	const struct entity *x = NULL;
	int64_t own, other;
	if (thing < ENTITY_FIRST || !to->n_places || !time_of(d->text, &own))
		return true;
	while ((x = entities_part_after(m->r->web->entities, STA_HISTORICAL_LOCATION, thing,
	                                x ? x->id : 0)))
		if (!entities_goes(m->change, x->type, x->id) && time_of(x->text, &other) &&
		    other >= own)
			return true;
	return set_places(m, thing, to, &moved);
}

static int64_t make_historical(struct making *m, struct sta_draft *d)
{
	struct entity x = {.type = STA_HISTORICAL_LOCATION};
	int64_t thing = sta_make_link(m, d, STA_THING, 0);
	const struct sta_found *found = sta_find_of(&m->find, STA_THING, thing);
	if (!found)
		return sta_make_missing(m, d, "Thing");
	if (!take_places(m, d, &x.to))
		return -1;
	if (!follow_newest(m, d, thing, &x.to))
		return -1;
	x.to.thing = thing;
	x.thing = (char *)found->of_thing;
	d->id = sta_make_row(m, d, &x);
	return d->id;
}

/* thing -1: it is known to whom a Location belongs. */
int64_t sta_make_one(struct making *m, struct sta_draft *d, int64_t thing, int64_t other)
{
	struct entity x = {.type = d->type};
	if (!sta_definition_is_good(m->r, m->feed, d) || !sta_name_is_free(m, d))
		return -1;
	switch (d->type) {
	case STA_THING: return make_thing(m, d);
	case STA_LOCATION: return make_location(m, d, thing);
	case STA_DATASTREAM: return sta_make_stream(m, d, thing, other);
	case STA_MULTI_DATASTREAM: return sta_make_multi(m, d, thing, other);
	case STA_HISTORICAL_LOCATION: return make_historical(m, d);
	default:
		d->id = sta_make_row(m, d, &x);
		if (d->id < 0 || !make_streams(m, d, 0, d->id))
			return -1;
		return d->id;
	}
}

/* ---- the way of a request ---- */

static void committed(void *arg, int err)
{
	struct req *r = arg;
	struct making *m = r->own;
	m->change = NULL;
	if (!sta_committed(r, err))
		return;
	sta_audit(r, "sensorthings.create", m->draft->type, m->draft->id);
	if (sta_rows_inline(r, m->draft))
		return; /* it answers */
	sta_answer_entity(r, 201, m->draft->type, m->draft->id);
}

static void found(struct req *r)
{
	struct making *m = r->own;
	if (m->find.err || !all_there(m) || !find_feed(m))
		return;
	m->change = sta_begin(r);
	if (sta_make_one(m, m->draft, 0, 0) < 0 || r->answering)
		return;
	sta_commit(r, m->change, committed);
}

void sta_make(struct req *r, struct sta_query *q)
{
	struct making *m = xcalloc(1, sizeof(*m));
	struct sta_faults faults;
	enum sta_type type = sta_query_type(q);
	m->r = r;
	r->own = m;
	r->own_free = making_free;
	if (q->n_steps > 1) {
		m->parent = q->step[q->n_steps - 2].type;
		m->parent_id = q->step[q->n_steps - 2].id;
		sta_find_add(&m->find, m->parent, m->parent_id);
	}
	m->find.path = sta_parent_path(q);
	if (sta_draft_read(type, span_of(r->body.p, r->body.len), (struct span){0}, false,
	                   &m->draft, &faults)) {
		sta_refuse_faults(r, &faults);
		return;
	}
	find_links(m, m->draft);
	sta_find_start(&m->find, r, found);
}
