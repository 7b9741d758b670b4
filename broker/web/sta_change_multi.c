/* sta_change_multi.c - a MultiDatastream is changed and deleted together with its members. */
#include "web/sta_changing.h"
#include "web/sta_making.h"

#include "base/err.h"

#include <stdio.h>

/* A member as this change leaves it, the next above a number; NULL: there are no more. */
static const struct entity *next_member(const struct changing *c, const struct entity *multi,
                                        int64_t after)
{
	const struct entity *best = entities_member_after(c->r->web->entities, multi, after), *x;
	for (unsigned i = 0; (x = entities_pending_at(c->change, i)); i++)
		if (x->type == STA_DATASTREAM && x->to.multi == multi->id && x->id > after &&
		    (!best || x->id <= best->id))
			best = x;
	return best;
}

/* ---- changing ---- */

static bool change_member(struct changing *c, const struct entity *multi, const struct entity *old,
                          unsigned i)
{
	const struct sta_draft_part *part = &c->draft->part[i];
	const struct sta_draft_link *l = sta_link_at(c->draft, STA_OBSERVED_PROPERTY, i);
	int64_t property = l ? l->id : 0;
	char unit[64], pointer[64], what[32];
	struct entity x = *old;
	snprintf(pointer, sizeof(pointer), "/unitOfMeasurements/%u", i);
	snprintf(what, sizeof(what), "members/%u", i);
	if (!sta_stays(c, part->member, old->member, what))
		return false;
	if (!sta_take_unit(c->r, hub_feed(c->r->web->hub, span_str(multi->feed)), part, pointer,
	                   unit))
		return false;
	x.unit = unit;
	x.to.sensor = multi->to.sensor;
	x.to.property = property ? property : x.to.property;
	if (x.to.sensor == old->to.sensor && x.to.property == old->to.property &&
	    strcmp(unit, old->unit) == 0)
		return true;
	return sta_went(c, entities_replace(c->change, &x));
}

bool sta_change_members(struct changing *c, const struct entity *multi)
{
	const struct entity *x;
	unsigned n = 0;
	for (int64_t at = 0; (x = next_member(c, multi, at)); at = x->id)
		n++;
	if (n != c->draft->n_parts) {
		sta_refuse(c->r, 400, "fixed", "/unitOfMeasurements",
		           "its Observations have %u results: with %u it is another "
		           "MultiDatastream",
		           n, c->draft->n_parts);
		return false;
	}
	n = 0;
	for (int64_t at = 0; (x = next_member(c, multi, at));) {
		at = x->id;
		if (!change_member(c, multi, x, n++))
			return false;
	}
	return true;
}

/* ---- deleting ---- */

bool sta_remove_multi(struct changing *c, int64_t id)
{
	const struct entity *multi = sta_entity_now(c->r, STA_MULTI_DATASTREAM, id), *x;
	if (!multi || entities_goes(c->change, STA_MULTI_DATASTREAM, id))
		return true;
	for (int64_t at = 0; (x = next_member(c, multi, at));) {
		at = x->id;
		if (!entities_goes(c->change, STA_DATASTREAM, at) &&
		    !sta_remove_one(c, STA_DATASTREAM, at))
			return false;
	}
	return sta_remove_one(c, STA_MULTI_DATASTREAM, id);
}
