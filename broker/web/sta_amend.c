/* sta_amend.c - PATCH, PUT and DELETE of an Observation. Neither log nor series lose anything: a
 * new result is a correction of the series, a deletion rejects what stands there, and the original
 * can be asked for (original=true at /v1). Its number holds Datastream and time, so these stay. */
#include "access/audit.h"
#include "base/err.h"
#include "base/mem.h"
#include "web/sta_entity.h"
#include "web/sta_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct amending {
	struct series_correction c;
	struct req *r;
	struct sta_find find;
	struct sta_instant instant;
	struct json_tape body;
	int64_t id;
};

static void amending_free(void *arg)
{
	struct amending *a = arg;
	a->find.instant = NULL;
	sta_find_done(&a->find);
	json_tape_done(&a->body);
	free(a);
}

static void amended(struct series_correction *c)
{
	struct amending *a = container_of(c, struct amending, c);
	struct req *r = a->r;
	r->pending--;
	if (!r->wsi) {
		req_release(r);
		return;
	}
	if (c->err == ERR_TOO_LARGE) {
		sta_refuse(r, 507, "too-many", "",
		           "this Datastream has %d corrections: no more can be kept",
		           LIMIT_SERIES_AMENDS);
	} else if (c->err) {
		sta_refuse(r, 503, "busy", "", "it could not be changed: %s", err_text(c->err));
	} else {
		sta_audit(r,
		          c->what == SERIES_REJECT ? "sensorthings.delete" : "sensorthings.change",
		          STA_OBSERVATION, a->id);
		respond(r, 200, NULL);
	}
}

/* What of the body can be done; false: refused. */
static bool take_body(struct amending *a)
{
	static const char *const lost[] = {"resultTime",    "validTime",         "parameters",
	                                   "resultQuality", "FeatureOfInterest", "Datastream"};
	struct sta_observation o;
	struct req *r = a->r;
	const char *code, *why = sta_observation_read(&a->body, 0, a->instant.ms, &o, &code);
	if (why)
		sta_refuse(r, 400, code, "", "%s", why);
	else if (o.ms != a->instant.ms)
		sta_refuse(r, 400, "fixed", "/phenomenonTime",
		           "the time is part of an Observation's number: delete this one and POST "
		           "another");
	for (unsigned i = 0; i < ARRAY_LEN(lost) && !r->answering; i++) {
		uint32_t m = json_member(&a->body, 0, span_str(lost[i]));
		char pointer[40];
		snprintf(pointer, sizeof(pointer), "/%s", lost[i]);
		if (m && a->body.tok[m].type != JSON_NULL)
			sta_refuse(r, 400, "not-kept", pointer,
			           "%s of an Observation is not changed", lost[i]);
	}
	if (r->answering)
		return false;
	a->c.offset = a->body.tok[o.result].type == JSON_NUMBER
	                  ? json_double(json_text(&a->body, o.result))
	                  : NAN;
	if (isfinite(a->c.offset) && a->instant.number)
		return true;
	sta_refuse(r, 400, "result-type", "/result",
	           "only a number is corrected, to another number; texts can be deleted");
	return false;
}

static void found(struct req *r)
{
	struct amending *a = r->own;
	const struct sta_found *o = sta_find_of(&a->find, STA_OBSERVATION, a->id),
	                       *x = &a->find.one[a->instant.stream];
	if (a->find.err)
		return;
	if (!o->there || !x->there || !a->instant.stands) {
		sta_refuse(r, 404, "no-such-entity", "", "there is no Observations(%lld)",
		           (long long)a->id);
		return;
	}
	if (!sta_may_write(r, x, !x->written) || (r->method != METHOD_DELETE && !take_body(a)))
		return;
	a->c.what = r->method == METHOD_DELETE ? SERIES_REJECT : SERIES_CORRECT;
	a->c.thing_id = (uint32_t)x->thing_number;
	a->c.stream_id = x->number;
	a->c.from_ms = a->instant.ms;
	a->c.to_ms = a->instant.ms + 1;
	a->c.reason = r->method == METHOD_DELETE ? SPAN("deleted over SensorThings")
	                                         : SPAN("changed over SensorThings");
	a->c.who = r->who.name;
	a->c.done = amended;
	r->pending++;
	series_correct(r->web->series, &a->c);
}

void sta_amend(struct req *r, int64_t id)
{
	struct amending *a = xcalloc(1, sizeof(*a));
	int64_t stream = id >> STA_ID_SHIFT;
	size_t at;
	const char *why;
	a->r = r;
	a->id = id;
	r->own = a;
	r->own_free = amending_free;
	json_tape_init(&a->body, LIMIT_STA_TOKENS);
	if (r->group) {
		sta_refuse(r, 501, "group", "",
		           "corrections of Observations are kept apart from entities, so that "
		           "they cannot be all or nothing with others: send this without an "
		           "atomicityGroup");
		return;
	}
	if (id <= 0) {
		sta_refuse(r, 404, "no-such-entity", "", "there is no such Observation");
		return;
	}
	if (r->method != METHOD_DELETE &&
	    json_parse(&a->body, span_of(r->body.p, r->body.len), &at, &why)) {
		sta_refuse(r, 400, "json", "", "the body is not JSON: %s, at byte %zu", why, at);
		return;
	}
	entities_fill(r->web->entities, r->web->series);
	entities_lock(r->web->entities); /* numbers are found on other threads too */
	const struct entity *w =
	    entities_of_number(r->web->entities, STA_DATASTREAM, (uint32_t)stream);
	stream = w ? w->id : stream;
	entities_unlock(r->web->entities);
	a->instant.ms = id & (((int64_t)1 << STA_ID_SHIFT) - 1);
	a->instant.stream = sta_find_add(&a->find, STA_DATASTREAM, stream);
	sta_find_add(&a->find, STA_OBSERVATION, id);
	a->find.instant = &a->instant;
	a->find.n_instants = 1;
	sta_find_start(&a->find, r, found);
}
