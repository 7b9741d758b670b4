/* sta_amend.c - PATCH, PUT and DELETE of an Observation. Neither log nor series lose anything: a
 * new result, and new members beside it, are corrections of the series, a deletion rejects what
 * stands there, and the original can be asked for (original=true at /v1). Of a MultiDatastream one
 * correction has the parts of all its datastreams.
 *
 * Another phenomenonTime: the Observation is published with it as any other is, and in the same
 * commit it is promised (series/promise.h) that the series reject the one that stood before and
 * give its number to the new one. In a group (sta_group.h) every correction is promised in the
 * commit of the group. What has no room in the series is found by a trial, before anything is
 * written.
 */
#include "access/audit.h"
#include "base/err.h"
#include "base/mem.h"
#include "series/promise.h"
#include "sta/patch.h"
#include "web/sta_entity.h"
#include "web/sta_group.h"
#include "web/sta_multi.h"
#include "web/sta_rows.h"
#include "web/sta_tell.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct amending {
	struct series_correction c;
	struct series_part part[LIMIT_STA_MULTI];
	struct req *r;
	struct sta_find find;
	struct sta_instant instant[2]; /* where it stands; where it is to stand */
	struct json_tape body, now;
	char *text; /* what it is to be, whole; the tape looks into it */
	void *compared, *compared_now;
	struct sta_observation o, was;
	struct buf payload, properties;
	int64_t id;
	bool holds, holds_there; /* sta_hold(): itself, in a group; where it is to stand */
	bool moves;              /* a message is published with it */
	bool spent;              /* a trial has charged the grant */
	bool promised;
	int refused; /* by admission, with a status */
	char reason[400];
};

enum { HERE, THERE };

static const struct sta_found *stream_of_it(const struct amending *a)
{
	return &a->find.one[a->instant[HERE].stream];
}

static void let_go(struct amending *a)
{
	if (a->holds)
		sta_let_go(a->r->web, STA_OBSERVATION, a->id, 0);
	if (a->holds_there)
		sta_let_go(a->r->web, stream_of_it(a)->type, stream_of_it(a)->id,
		           a->instant[THERE].ms);
	a->holds = a->holds_there = false;
}

static void amending_free(void *arg)
{
	struct amending *a = arg;
	let_go(a);
	a->find.instant = NULL;
	sta_find_done(&a->find);
	json_tape_done(&a->body);
	json_tape_done(&a->now);
	buf_done(&a->payload);
	buf_done(&a->properties);
	free(a->text);
	free(a->compared);
	free(a->compared_now);
	free(a->instant[HERE].now);
	free(a);
}

/* False: it is not to go on. */
static bool went(struct amending *a, int err)
{
	struct req *r = a->r;
	r->pending--;
	if (!r->wsi) {
		req_release(r);
		return false;
	}
	if (err == ERR_TOO_LARGE)
		sta_refuse(r, 507, "too-many", "",
		           "its Datastream has %d corrections, or this Observation %d: no more "
		           "can be kept",
		           LIMIT_SERIES_AMENDS, LIMIT_SERIES_DETAIL_CHANGES);
	else if (err && a->promised)
		sta_refuse(r, 507, "store-full", "",
		           "the store is full: ask what stands there before you send it again");
	else if (err)
		sta_refuse(r, 503, "busy", "", "it could not be changed: %s", err_text(err));
	return !err;
}

static void finish(struct amending *a, int err)
{
	struct req *r = a->r;
	if (!went(a, err))
		return;
	let_go(a);
	sta_audit(r, r->method == METHOD_DELETE ? "sensorthings.delete" : "sensorthings.change",
	          STA_OBSERVATION, a->id);
	if (r->method != METHOD_DELETE)
		sta_teller_changed(r->web->teller, STA_OBSERVATION, a->id);
	respond(r, 200, NULL);
}

static void amended(struct series_correction *c)
{
	finish(container_of(c, struct amending, c), c->err);
}

static void kept(void *arg, int err)
{
	finish(arg, err);
}

/* ---- what it is to be ---- */

static bool parse(struct amending *a, struct json_tape *t, const char *text)
{
	size_t at;
	const char *why;
	if (json_parse(t, span_str(text), &at, &why) == 0)
		return true;
	sta_refuse(a->r, 400, "json", "", "it cannot be read: %s", why);
	return false;
}

/* False: refused. */
static bool take_body(struct amending *a, const struct sta_found *x)
{
	struct req *r = a->r;
	const char *code, *why;
	char pointer[40] = "";
	struct span now = span_str(a->instant[HERE].now), body = span_of(r->body.p, r->body.len);
	char *patched = NULL, wrong[200];
	if (r->method == METHOD_PATCH && sta_patch_is(r->type)) {
		if (sta_patch(now, body, false, &patched, wrong)) {
			sta_refuse(r, 400, "patch", "", "%s", wrong);
			return false;
		}
		body = span_str(patched);
	}
	a->text = sta_detail_change(now, body, patched || r->method == METHOD_PUT, &code, &why);
	free(patched);
	if (a->text && !parse(a, &a->body, a->text))
		return false;
	if (a->text)
		why = sta_observation_read(&a->body, 0, x->n_sides > 0, a->instant[HERE].ms, &a->o,
		                           &code);
	a->o.feature = a->instant[HERE].feature; /* it stays what it is about */
	if (!why && (why = sta_observation_fits(&a->o, x, wrong)))
		code = "result-type";
	if (!why)
		return true;
	for (unsigned i = 0; i < STA_DETAIL_MEMBERS; i++)
		if (strcmp(code, sta_detail_names[i]) == 0)
			snprintf(pointer, sizeof(pointer), "/%s", code);
	sta_refuse(r, 400, pointer[0] ? "type" : code, pointer[0] ? pointer : a->o.pointer, "%s",
	           why);
	return false;
}

/* As it stands. */
static bool read_now(struct amending *a, const struct sta_found *x)
{
	const char *code, *why;
	if (!parse(a, &a->now, a->instant[HERE].now))
		return false;
	why = sta_observation_read(&a->now, 0, x->n_sides > 0, a->instant[HERE].ms, &a->was, &code);
	if (why)
		sta_refuse(a->r, 409, code, "", "it cannot be changed as it stands: %s", why);
	return !why;
}

/* ---- in its place ---- */

static void publish(struct post *p);
static const struct sta_waiting amending_waits;

static void take(struct post *p, const struct result *one)
{
	struct req *r = p->req;
	struct amending *a = r->own;
	int status = post_status(one);
	if (a->promised) /* it is one with the promise, which is told too */
		return;
	if (status >= 300) { /* publish() says it: an answer frees the request */
		a->refused = status;
		snprintf(a->reason, sizeof(a->reason), "%s",
		         status == 507 ? post_full : one->reason);
	} else if (r->group) {
		a->refused = 409;
		snprintf(a->reason, sizeof(a->reason), "%s",
		         "the same message came already: send this without an atomicityGroup");
	} else {
		a->moves = false; /* the same message came already, and stands there */
	}
}

/* It will be written, as far as the series are concerned. */
static void tried(struct series_correction *c)
{
	struct amending *a = container_of(c, struct amending, c);
	if (!went(a, c->err))
		return;
	c->trial = false;
	if (a->r->group) {
		sta_group_ready(a->r, &amending_waits);
		return;
	}
	req_wait(a->r);
	publish(a->r->post);
}

/* Alone it is one transaction of the series; with something else it is a promise. */
static void correct(struct amending *a)
{
	struct req *r = a->r;
	bool alone = !a->moves && !r->group;
	a->c.trial = !alone;
	a->c.ahead = r->group ? sta_group_waiting(r->group) : 0;
	a->c.done = alone ? amended : tried;
	if (!alone) {
		struct post *p = r->post ? r->post : post_new(r, NULL);
		p->next = publish;
		p->take = take;
	}
	r->pending++;
	series_correct(r->web->series, &a->c);
}

static uint32_t stream_at(const struct sta_found *x, unsigned i)
{
	return x->n_sides ? x->side[i].number : x->number;
}

static void add_part(struct amending *a, uint32_t stream, enum series_amend what, double offset)
{
	a->c.part = a->part;
	a->part[a->c.n_parts++] = (struct series_part){stream, what, offset, 0};
}

static bool is_text(const struct sta_observation *o)
{
	uint8_t type = o->t->tok[o->result].type;
	return type != JSON_NUMBER && type != JSON_TRUE && type != JSON_FALSE;
}

/* The i-th result becomes another one. False: refused. */
static bool change_value(struct amending *a, const struct sta_found *x, unsigned i,
                         const struct sta_value *is, const struct sta_value *was)
{
	uint32_t at = sta_observation_value(&a->o, i), old = sta_observation_value(&a->was, i);
	char pointer[32] = "/result";
	if (at && old && json_equal(a->o.t, at, a->was.t, old)) {
		if (a->c.has_detail)
			add_part(a, stream_at(x, i), SERIES_DETAIL, 0);
		return true;
	}
	if (!at && !old)
		return true;
	if (at && old && is->kind == POINT_NUMBER && was->kind == POINT_NUMBER &&
	    isfinite(is->number)) {
		add_part(a, stream_at(x, i), SERIES_CORRECT, is->number);
		return true;
	}
	if (!x->n_sides && (is->kind != POINT_NUMBER || isfinite(is->number))) {
		add_part(a, stream_at(x, i), SERIES_CORRECT,
		         is->kind == POINT_TEXT ? 0 : is->number);
		a->part[a->c.n_parts - 1].becomes = (uint8_t)(1 + is->kind);
		return true;
	}
	if (x->n_sides)
		snprintf(pointer, sizeof(pointer), "/result/%u", i);
	sta_refuse(a->r, 400, "result-type", pointer,
	           x->n_sides ? "of a list only a number is corrected, to another number; what is "
	                        "no number can be deleted"
	                      : "it is too large a number");
	return false;
}

static void change_here(struct amending *a, const struct sta_found *x)
{
	struct sta_instant is = {0}, was = {0};
	bool multi = x->n_sides > 0,
	     same = multi || json_equal(a->o.t, a->o.result, a->was.t, a->was.result);
	a->was.beside = a->instant[HERE].beside;
	a->o.beside = same ? a->instant[HERE].beside : is_text(&a->o);
	a->compared = sta_instant_of(&is, &a->o);
	a->compared_now = sta_instant_of(&was, &a->was);
	a->c.has_detail = !sta_detail_equal(is.detail, was.detail);
	a->c.detail = is.detail.n ? is.detail : SPAN("{}");
	for (unsigned i = 0; i < is.n_values && i < was.n_values; i++)
		if (!change_value(a, x, i, &is.value[i], &was.value[i]))
			return;
	if (a->c.n_parts)
		correct(a);
	else /* nothing is new */
		respond(a->r, 200, NULL);
}

/* What stands there is rejected. */
static void reject(struct amending *a, const struct sta_found *x)
{
	for (unsigned i = 0; i < (x->n_sides ? x->n_sides : 1); i++)
		if (stream_at(x, i))
			add_part(a, stream_at(x, i), SERIES_REJECT, 0);
	correct(a);
}

/* ---- to another time ---- */

static size_t bytes_of(struct req *r, unsigned *ret_n)
{
	const struct amending *a = r->own;
	*ret_n = a->moves;
	return promise_bytes(&a->c) + (a->moves ? sta_message_bytes(stream_of_it(a), &a->o) : 0);
}

/* False: refused. */
static bool message_of(struct amending *a, struct ingest_message *ret)
{
	struct sta_message m = {&a->payload, &a->properties, ""};
	buf_clear(&a->payload);
	buf_clear(&a->properties);
	const char *why = sta_message(a->r->post, a->r->web, stream_of_it(a), &a->o, &m);
	if (why) {
		sta_refuse(a->r, 400, m.code, "", "%s", why);
		return false;
	}
	*ret = sta_message_of(a->r->post, &a->o, &m);
	ret->spent = a->spent;
	return true;
}

static int try(struct req *r)
{
	struct amending *a = r->own;
	struct ingest_message m;
	if (promises_held(r->web->promises)) {
		sta_refuse(r, 507, "store-full", "", "the disk of the time series is full");
		return ERR_INVALID;
	}
	if (!a->moves)
		return 0;
	int err = message_of(a, &m) ? post_try(r->post, &m, 0) : ERR_INVALID;
	a->spent |= !err;
	return err;
}

/* In one turn, so that it is in one commit. */
static void go(struct req *r)
{
	struct amending *a = r->own;
	struct ingest_message m;
	if (a->moves && (!message_of(a, &m) || !post_publish(r->post, &m, 0)))
		return;
	a->promised = true;
	r->pending++;
	req_wait(r);
	promise_make(r->web->promises, &a->c, kept, a);
}

static const struct sta_waiting amending_waits = {bytes_of, try, go};

/* By itself; and again, when there is room. */
static void publish(struct post *p)
{
	struct req *r = p->req;
	const struct amending *a = r->own;
	unsigned n;
	if (r->answering || r->pending || a->promised)
		return;
	if (a->refused) {
		sta_refuse(r, a->refused,
		           a->refused == 507   ? "store-full"
		           : a->refused == 409 ? "conflict"
		                               : "refused",
		           "", "%s", a->reason);
		return;
	}
	size_t bytes = bytes_of(r, &n);
	bool room = n ? hub_has_room_for(r->web->hub, CONFIG_BULK, n, bytes)
	              : hub_has_state_room(r->web->hub, bytes);
	int err = room ? try(r) : ERR_AGAIN;
	if (!err)
		go(r);
	else if (err == ERR_AGAIN)
		post_wait(r);
}

/* What has a result there too goes there, the rest is rejected. False: nothing would be left. */
static bool move_parts(struct amending *a)
{
	const struct sta_found *x = &a->find.one[a->instant[HERE].stream];
	bool any = false;
	for (unsigned i = 0; i < sta_observation_values(&a->was); i++) {
		bool goes = sta_observation_value(&a->o, i) != 0;
		if (!sta_observation_value(&a->was, i))
			continue;
		add_part(a, stream_at(x, i), goes ? SERIES_MOVE : SERIES_REJECT, 0);
		any |= goes;
	}
	return any;
}

static void move(struct amending *a)
{
	struct sta_instant *to = &a->instant[THERE];
	struct sta_instant is = {0};
	a->compared = sta_instant_of(&is, &a->o);
	a->c.moved_ms = a->o.ms;
	if (to->stands && (to->rejected || !to->same)) {
		sta_refuse(a->r, 409, to->rejected ? "deleted" : "conflict", "/phenomenonTime",
		           to->rejected
		               ? "an Observation of that phenomenonTime was deleted, and its "
		                 "place is not given again"
		               : "another Observation of this Datastream has that phenomenonTime");
		return;
	}
	if (!move_parts(a)) {
		sta_refuse(a->r, 400, "result-type", "/result",
		           "what moves keeps one of its results at least");
		return;
	}
	a->moves = !to->stands;
	correct(a);
}

/* ---- the way of a request ---- */

static void compared(struct req *r)
{
	struct amending *a = r->own;
	if (!a->find.err)
		move(a);
}

/* The time that it is to have is known: what stands there? */
static void look_there(struct amending *a)
{
	const struct sta_found *x = stream_of_it(a);
	a->instant[THERE] = (struct sta_instant){.stream = a->instant[HERE].stream, .ms = a->o.ms};
	a->holds_there = sta_hold(a->r->web, x->type, x->id, a->o.ms);
	if (!a->holds_there) {
		sta_refuse(a->r, 409, "conflict", "/phenomenonTime",
		           "an Observation of that phenomenonTime is being written");
		return;
	}
	free(a->compared_now);
	a->compared_now = sta_instant_of(&a->instant[THERE], &a->o);
	a->find.instant = &a->instant[THERE];
	sta_find_start(&a->find, a->r, compared);
}

static void found(struct req *r)
{
	struct amending *a = r->own;
	const struct sta_found *o = sta_find_of(&a->find, STA_OBSERVATION, a->id),
	                       *x = &a->find.one[a->instant[HERE].stream];
	if (a->find.err)
		return;
	if (!o->there || !x->there || !a->instant[HERE].stands || !a->find.leads) {
		sta_refuse(r, 404, "no-such-entity", "", "there is no Observations(%lld)",
		           (long long)a->id);
		return;
	}
	a->holds = r->group && sta_hold(r->web, STA_OBSERVATION, a->id, 0);
	if (r->group && !a->holds) {
		sta_refuse(r, 409, "conflict", "",
		           "another request of a group changes this Observation: send one for "
		           "both");
		return;
	}
	if (!sta_may_write(r, x, !x->written) ||
	    (r->method != METHOD_DELETE && (!take_body(a, x) || !read_now(a, x))))
		return;
	a->c = (struct series_correction){.thing_id = (uint32_t)x->thing_number,
	                                  .from_ms = a->instant[HERE].ms,
	                                  .to_ms = a->instant[HERE].ms + 1,
	                                  .reason = r->method == METHOD_DELETE
	                                                ? SPAN("deleted over SensorThings")
	                                                : SPAN("changed over SensorThings"),
	                                  .who = r->who.name};
	if (r->method == METHOD_DELETE) {
		reject(a, x);
	} else if (a->o.ms == a->instant[HERE].ms) {
		change_here(a, x);
	} else {
		look_there(a);
	}
}

/* What an Observation's number says that it is of. */
static int64_t stream_of(struct req *r, int64_t id, enum sta_type *ret_type)
{
	struct entities *e = r->web->entities;
	int64_t stream = id >> STA_ID_SHIFT;
	*ret_type = STA_MULTI_DATASTREAM;
	if (id < 0)
		return sta_multi_thing(id);
	entities_fill(e, r->web->series);
	entities_lock(e); /* numbers are found on other threads too */
	const struct entity *x = entities_of_number(e, STA_DATASTREAM, (uint32_t)stream);
	bool member = x && x->to.multi;
	stream = member ? x->to.multi : x ? x->id : stream;
	entities_unlock(e);
	if (!member)
		*ret_type = STA_DATASTREAM;
	return stream;
}

void sta_amend(struct req *r, struct sta_query *path)
{
	struct amending *a = xcalloc(1, sizeof(*a));
	int64_t id = path->step[path->n_steps - 1].id;
	enum sta_type type;
	int64_t stream;
	a->r = r;
	a->id = id;
	r->own = a;
	r->own_free = amending_free;
	a->find.path = path;
	json_tape_init(&a->body, LIMIT_STA_TOKENS);
	json_tape_init(&a->now, LIMIT_STA_TOKENS);
	buf_init(&a->payload, LIMIT_PACKET_BYTES_MAX);
	buf_init(&a->properties, LIMIT_USER_PROPERTIES_BYTES);
	if (!id || id == INT64_MIN) {
		sta_refuse(r, 404, "no-such-entity", "", "there is no such Observation");
		return;
	}
	stream = stream_of(r, id, &type);
	a->instant[HERE].follow = true;
	a->instant[HERE].ms = (id < 0 ? -id : id) & (((int64_t)1 << STA_ID_SHIFT) - 1);
	a->instant[HERE].stream = sta_find_add(&a->find, type, stream);
	sta_find_add(&a->find, STA_OBSERVATION, id);
	a->find.instant = &a->instant[HERE];
	a->find.n_instants = 1;
	sta_find_start(&a->find, r, found);
}
