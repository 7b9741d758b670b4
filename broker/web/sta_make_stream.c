/* sta_make_stream.c - POST of Datastreams and MultiDatastreams. A MultiDatastream is a row with its
 * Thing and Sensor, and a Datastream for each of its results, which nobody sees by itself: it has
 * its ObservedProperty, its unit, and the member of the thing's messages that it is. */
#include "web/sta_making.h"

#include <stdio.h>

/* Its Thing and Sensor, and what data of the thing is called. False: refused. */
static bool find_ends(struct making *m, const struct sta_draft *d, int64_t thing, int64_t other,
                      struct entity *x)
{
	bool in_sensor = other && entities_pending(m->change, STA_SENSOR, other);
	if (thing <= 0)
		thing = sta_make_link(m, d, STA_THING, 0);
	if (!thing)
		thing = sta_make_missing(m, d, "Thing");
	if (thing < 0)
		return false;
	x->to.thing = thing;
	x->to.sensor = sta_make_link(m, d, STA_SENSOR, thing);
	if (in_sensor && !x->to.sensor)
		x->to.sensor = other;
	if (!x->to.sensor)
		x->to.sensor = sta_make_missing(m, d, "Sensor");
	const struct entity *made = entities_pending(m->change, STA_THING, thing);
	const struct sta_found *found = sta_find_of(&m->find, STA_THING, thing);
	x->thing = made ? made->thing : found ? (char *)found->of_thing : (char[]){""};
	return x->to.sensor > 0;
}

int64_t sta_make_stream(struct making *m, struct sta_draft *d, int64_t thing, int64_t other)
{
	char member[STA_NAME_BYTES], unit[64] = "", places[2][192];
	struct entity x = {.member = member, .unit = unit};
	struct sta_naming n = {.part = d->n_parts ? d->part : NULL,
	                       .property = sta_link_to(d, STA_OBSERVED_PROPERTY),
	                       .wish = d->member,
	                       .name = d->name,
	                       .unit_at = places[0],
	                       .member_at = places[1]};
	snprintf(places[0], sizeof(places[0]), "%s/unitOfMeasurement", d->pointer);
	snprintf(places[1], sizeof(places[1]), "%s/properties/member", d->pointer);
	if (!find_ends(m, d, thing, other, &x))
		return -1;
	x.to.property = sta_make_link(m, d, STA_OBSERVED_PROPERTY, x.to.thing);
	if (other && !x.to.property && !entities_pending(m->change, STA_SENSOR, other))
		x.to.property = other;
	if (!x.to.property)
		return sta_make_missing(m, d, "ObservedProperty");
	if (x.to.property < 0 || !sta_name_stream(m, &n, x.thing, &x, member, sizeof(member)))
		return -1;
	d->id = sta_make_row(m, d, &x);
	return d->id;
}

/* ---- MultiDatastreams ---- */

static bool observes(const struct sta_draft *d, int64_t property)
{
	const struct sta_draft_link *l;
	for (unsigned i = 0; (l = sta_link_at(d, STA_OBSERVED_PROPERTY, i)); i++)
		if (l->id == property)
			return true;
	return false;
}

/* What people call an ObservedProperty: a member is named after it. */
static const char *name_of(const struct making *m, const struct sta_draft_link *l)
{
	if (l->made)
		return l->made->name;
	const struct sta_found *x = sta_find_of(&m->find, STA_OBSERVED_PROPERTY, l->id);
	return x ? x->name : "";
}

static bool make_member(struct making *m, const struct sta_draft *d, const struct entity *multi,
                        unsigned i)
{
	char member[STA_NAME_BYTES], unit[64] = "", places[2][192], none[] = "{}";
	const struct sta_draft_link *l = sta_link_at(d, STA_OBSERVED_PROPERTY, i);
	const struct sta_naming n = {.part = &d->part[i],
	                             .property = l,
	                             .wish = d->part[i].member,
	                             .name = name_of(m, l),
	                             .unit_at = places[0],
	                             .member_at = places[1]};
	struct entity x = {.type = STA_DATASTREAM,
	                   .feed = m->feed->conf->name,
	                   .organisation = (char *)m->organisation,
	                   .thing = multi->thing,
	                   .member = member,
	                   .unit = unit,
	                   .text = none,
	                   .to = {.thing = multi->to.thing,
	                          .sensor = multi->to.sensor,
	                          .property = l->made ? l->made->id : l->id,
	                          .multi = multi->id}};
	snprintf(places[0], sizeof(places[0]), "%s/unitOfMeasurements/%u", d->pointer, i);
	snprintf(places[1], sizeof(places[1]), "%s/properties/members/%u", d->pointer, i);
	if (!sta_name_stream(m, &n, x.thing, &x, member, sizeof(member)))
		return false;
	return sta_make_add(m, d, &x) > 0;
}

/* Of a feed with schemas one of them has to have all members: one message is one Observation. */
static bool fit_one_schema(struct making *m, const struct sta_draft *d, int64_t multi)
{
	const struct feed *f = m->feed;
	if (f->conf->decode == CONFIG_SENML)
		return true;
	for (unsigned s = 0; s < f->n_schemas; s++) {
		const struct entity *x;
		bool all = true;
		for (unsigned i = 0; (x = entities_pending_at(m->change, i)) && all; i++)
			if (x->type == STA_DATASTREAM && x->to.multi == multi)
				all = sta_schema_has(f->schemas[s], x->member);
		if (all)
			return true;
	}
	sta_refuse(m->r, 400, "schema", d->pointer,
	           "no schema of feed %.64s has all of these results in one message",
	           f->conf->name);
	return false;
}

int64_t sta_make_multi(struct making *m, struct sta_draft *d, int64_t thing, int64_t other)
{
	struct entity x = {0};
	if (!find_ends(m, d, thing, other, &x))
		return -1;
	if (!sta_link_at(d, STA_OBSERVED_PROPERTY, 0))
		return sta_make_missing(m, d, "ObservedProperties");
	if (m->parent_id && m->parent == STA_OBSERVED_PROPERTY && d == m->draft &&
	    !observes(d, m->parent_id)) {
		sta_refuse(m->r, 400, "link", "/ObservedProperties",
		           "ObservedProperties(%lld) is none of them: POST to its Thing",
		           (long long)m->parent_id);
		return -1;
	}
	for (unsigned i = 0; i < d->n_parts; i++) {
		const struct sta_draft_link *l = sta_link_at(d, STA_OBSERVED_PROPERTY, i);
		if (l->made && sta_make_one(m, l->made, 0, 0) < 0)
			return -1;
	}
	x.id = d->id = sta_make_row(m, d, &x);
	for (unsigned i = 0; i < d->n_parts && d->id > 0; i++)
		if (!make_member(m, d, &x, i))
			return -1;
	return d->id > 0 && fit_one_schema(m, d, d->id) ? d->id : -1;
}
