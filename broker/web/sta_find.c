/* sta_find.c - what a request to SensorThings names, looked up on the reader pool: whether it is
 * there for who asks, and whose it is. */
#include "base/err.h"
#include "base/mem.h"
#include "sta/build.h"
#include "sta/run.h"
#include "web/sta_entity.h"
#include "web/sta_feature.h"
#include "web/sta_group.h"
#include "web/sta_multi.h"

#include <stdio.h>
#include <stdlib.h>

unsigned sta_find_add(struct sta_find *f, enum sta_type t, int64_t id)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->one[i].type == t && f->one[i].id == id)
			return i;
	f->one = xrealloc(f->one, (f->n + 1) * sizeof(*f->one));
	f->one[f->n] = (struct sta_found){.type = t, .id = id, .last_ms = INT64_MIN};
	return f->n++;
}

struct sta_found *sta_find_of(const struct sta_find *f, enum sta_type t, int64_t id)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->one[i].type == t && f->one[i].id == id)
			return &f->one[i];
	return NULL;
}

/* ---- on the pool ---- */

static void set(char *to, size_t size, struct span s)
{
	size_t n = MIN_OF(s.n, size - 1);
	if (n)
		memcpy(to, s.p, n);
	to[n] = '\0';
}

static void take_definition(struct sta_found *x, const char *text)
{
	json_t *j = sta_parse(text);
	(void)sta_member(j, "definition", x->definition, sizeof(x->definition));
	(void)sta_member(j, "name", x->name, sizeof(x->name));
	sta_drop(j);
}

static void take_entity(struct sta_found *x, const struct entity *e)
{
	if (x->type == STA_OBSERVED_PROPERTY)
		take_definition(x, e->text);
	x->there = true;
	x->written = e->id >= ENTITY_FIRST;
	x->number = x->written ? e->number : 0;
	x->thing = e->to.thing;
	x->feature = e->to.feature;
	set(x->feed, sizeof(x->feed), span_str(e->feed));
	set(x->organisation, sizeof(x->organisation), span_str(e->organisation));
	set(x->of_thing, sizeof(x->of_thing), span_str(e->thing));
	set(x->member, sizeof(x->member), span_str(e->member));
	set(x->unit, sizeof(x->unit), span_str(e->unit));
}

/* A row of its own; a written one is complete with it. */
static bool find_row(struct sta_find *f, struct sta_found *x)
{
	struct entities *e = f->written.entities;
	bool there = false;
	entities_lock(e);
	const struct entity *y = entities_get(e, x->type, x->id);
	if (!y && x->type == STA_FEATURE)
		y = entities_get(e, STA_LOCATION, x->id);
	if (y && !y->deleted && !y->to.multi && /* a member is not there by itself */
	    permit_may_named(f->things.permit, span_str(y->feed), span_str(y->organisation),
	                     span_str(y->thing))) {
		there = true;
		take_entity(x, y);
	}
	entities_unlock(e);
	return there && x->written;
}

/* A written one keeps what its row says. */
static void take_stream(struct sta_found *x, const struct series_stream *s)
{
	if (!x->written) {
		set(x->feed, sizeof(x->feed), s->feed);
		set(x->organisation, sizeof(x->organisation), s->organisation);
		set(x->of_thing, sizeof(x->of_thing), s->thing);
		set(x->member, sizeof(x->member), s->member);
		set(x->unit, sizeof(x->unit), s->unit);
	}
	set(x->schema, sizeof(x->schema), s->schema);
	x->thing_number = s->thing_id;
	if (s->count)
		x->last_ms = MAX_OF(x->last_ms, s->last_ms);
	if (s->has_latest)
		x->last_ms = MAX_OF(x->last_ms, s->latest.time_ms);
	if (s->has_future)
		x->last_ms = MAX_OF(x->last_ms, s->future.time_ms);
}

static void find_stream(struct sta_find *f, struct sta_found *x, uint32_t number)
{
	struct series_ask a;
	sta_ask_init(&f->things, &a, SERIES_STREAMS);
	a.filter.stream_id = number;
	if (series_step(f->things.series, &a) == 0 && a.n) {
		int64_t thing = x->thing;
		take_stream(x, &a.streams[0]);
		if (!thing &&
		    f->source.one(f->source.arg, sta_find_relation(STA_DATASTREAM, SPAN("Thing")),
		                  x->id, &thing))
			thing = 0;
		x->thing = thing;
	}
	series_ask_done(&a);
}

static void find_thing(struct sta_find *f, struct sta_found *x)
{
	struct series_ask a;
	sta_ask_init(&f->things, &a, SERIES_THINGS);
	a.filter.thing_id = (uint32_t)x->id;
	if (series_step(f->things.series, &a) == 0 && a.n) {
		set(x->feed, sizeof(x->feed), a.things[0].feed);
		set(x->organisation, sizeof(x->organisation), a.things[0].organisation);
		set(x->of_thing, sizeof(x->of_thing), a.things[0].thing);
		x->number = a.things[0].id;
	}
	series_ask_done(&a);
}

/* ---- MultiDatastreams ---- */

static struct sta_side *add_side(struct sta_found *x, const char *member, const char *unit)
{
	x->side = xrealloc(x->side, (x->n_sides + 1) * sizeof(*x->side));
	struct sta_side *s = &x->side[x->n_sides++];
	*s = (struct sta_side){.number = 0};
	set(s->member, sizeof(s->member), span_str(member));
	set(s->unit, sizeof(s->unit), span_str(unit));
	return s;
}

/* What its results are, as it says. */
static void take_types(struct sta_found *x, const json_t *multi)
{
	char type[200];
	for (unsigned i = 0; i < x->n_sides; i++)
		if (sta_member_at(multi, "multiObservationDataTypes", i, type, sizeof(type)))
			x->side[i].want = sta_result_of(span_str(type));
}

/* What the series knows of it; its names, when nobody wrote them. */
static void find_side(struct sta_find *f, struct sta_found *x, struct sta_side *s)
{
	struct series_ask a;
	sta_ask_init(&f->things, &a, SERIES_STREAMS);
	a.filter.stream_id = s->number;
	if (s->number && series_step(f->things.series, &a) == 0 && a.n) {
		if (!x->written) {
			set(s->member, sizeof(s->member), a.streams[0].member);
			set(s->unit, sizeof(s->unit), a.streams[0].unit);
		}
		take_stream(x, &a.streams[0]);
	}
	series_ask_done(&a);
}

static void find_multi(struct sta_find *f, struct sta_found *x)
{
	struct entities *e = f->written.entities;
	struct sta_sides s;
	json_t *j = NULL;
	bool written = x->id >= ENTITY_FIRST; /* its row says all: no figures are asked for */
	x->there = false;
	x->n_sides = 0;
	if ((written || f->source.get(f->source.arg, x->type, x->id, &j) == 0) &&
	    sta_sides_of(&f->written, x->id, &s) == 0) {
		x->there = true;
		x->of = s.of;
		x->thing = x->id;
		entities_lock(e);
		const struct entity *row = entities_get(e, x->type, x->id), *member = NULL;
		if (row)
			take_entity(x, row);
		if (row && written)
			j = sta_parse(row->text);
		while (x->written && row &&
		       (member = entities_member_after(e, row, member ? member->id : 0)))
			add_side(x, member->member, member->unit);
		entities_unlock(e);
		while (x->n_sides < s.n)
			add_side(x, "", "");
		for (unsigned i = 0; i < s.n; i++) {
			x->side[i].number = s.stream[i];
			find_side(f, x, &x->side[i]);
		}
		take_types(x, j);
	}
	sta_drop(j);
}

static void find_one(struct sta_find *f, struct sta_found *x)
{
	json_t *j = NULL;
	if (x->type == STA_MULTI_DATASTREAM) {
		find_multi(f, x);
		return;
	}
	if (!find_row(f, x)) {
		if (f->source.get(f->source.arg, x->type, x->id, &j))
			return;
		if (x->type == STA_OBSERVED_PROPERTY) {
			(void)sta_member(j, "definition", x->definition, sizeof(x->definition));
			(void)sta_member(j, "name", x->name, sizeof(x->name));
		}
		sta_drop(j);
		x->there = true;
		if (x->type == STA_DATASTREAM)
			x->number = (uint32_t)x->id;
		else if (x->type != STA_OBSERVED_PROPERTY && x->id > 0 && x->id <= UINT32_MAX)
			find_thing(f, x);
	}
	if (x->type == STA_DATASTREAM && x->number)
		find_stream(f, x, x->number);
	x->of = x->type == STA_DATASTREAM ? x->number : 0;
}

/* One that is made, or changed, with the same commit. */
static void pending_multi(const struct entities_change *c, struct sta_found *x,
                          const struct entity *multi)
{
	const struct entity *y;
	for (unsigned i = 0; (y = entities_pending_at(c, i)); i++) {
		struct sta_side *s = NULL;
		if (y->type != STA_DATASTREAM || y->to.multi != multi->id)
			continue;
		for (unsigned k = 0; k < x->n_sides && !s; k++)
			if (strcmp(x->side[k].member, y->member) == 0)
				s = &x->side[k];
		s = s ? s : add_side(x, y->member, y->unit);
		set(s->unit, sizeof(s->unit), span_str(y->unit));
	}
	json_t *j = sta_parse(multi->text);
	take_types(x, j);
	sta_drop(j);
}

/* What is made or changed by those that the request is all or nothing with. */
static void find_pending(const struct sta_find *f, struct sta_found *x)
{
	const struct entity *y = sta_entity_now(f->r, x->type, x->id);
	const struct entities_change *c = sta_group_change(f->r->group);
	if (!y && x->type == STA_FEATURE)
		y = sta_entity_now(f->r, STA_LOCATION, x->id);
	if (entities_goes(c, x->type, x->id)) {
		x->there = false;
	} else if (y && y->pending && y->id >= ENTITY_FIRST && !y->to.multi) {
		take_entity(x, y);
		if (x->type == STA_MULTI_DATASTREAM)
			pending_multi(c, x, y);
	} else if (x->there && entities_pending(c, x->type, x->id)) {
		x->feature = y->to.feature;
		if (x->type == STA_OBSERVED_PROPERTY)
			take_definition(x, y->text);
		if (x->type == STA_MULTI_DATASTREAM)
			pending_multi(c, x, y);
	}
}

static void work(struct job *j)
{
	struct sta_find *f = container_of(j, struct sta_find, job);
	entities_fill(f->written.entities, f->things.series);
	for (unsigned i = 0; i < f->n; i++)
		find_one(f, &f->one[i]);
	for (size_t i = 0; i < f->n_instants; i++)
		sta_find_instant(f, &f->instant[i]);
	const struct sta_request r = {.q = f->path, .source = &f->source};
	if (f->about)
		f->spans_err = sta_feature_spans(&f->written, f->about, LIMIT_SERIES_AMENDS,
		                                 &f->spans, &f->n_spans);
	f->leads = !f->path || f->path->n_steps == 1 ||
	           sta_path_leads_to(&r, f->path->step[f->path->n_steps - 1].id) == 0;
}

/* ---- on the loop ---- */

static void over(struct sta_find *f)
{
	struct req *r = f->r;
	r->pending--;
	permit_done(f->things.permit);
	f->things.permit = NULL;
	if (!r->wsi) {
		req_release(r);
		return;
	}
	for (unsigned i = 0; i < f->n && r->group; i++)
		find_pending(f, &f->one[i]);
	if (r->group && f->path &&
	    entities_pending(sta_group_change(r->group), sta_query_type(f->path),
	                     f->path->step[f->path->n_steps - 1].id))
		f->leads = true; /* it is seen by nobody yet */
	if (f->err)
		problem(r, 503, "the series cannot be asked now: send it again later");
	f->done(r);
}

static void done(struct job *j)
{
	over(container_of(j, struct sta_find, job));
}

static void applied(struct series_ask *a)
{
	struct sta_find *f = a->arg;
	f->err = a->err == ERR_NOT_FOUND ? 0 : a->err;
	series_ask_done(a);
	if (f->err)
		over(f);
	else
		hub_pool(f->r->web->hub, &f->job);
}

static void init(struct sta_find *f, const struct web *w, struct permit *permit)
{
	f->err = 0;
	f->things = (struct sta_things){
	    .series = w->series, .permit = permit, .base_url = w->base_url, .hints = w->sta_hints};
	f->source = sta_written_source(&f->written, &f->things, w->entities);
}

void sta_find_now(struct sta_find *f, const struct web *w, struct permit *permit)
{
	init(f, w, permit);
	for (unsigned i = 0; i < f->n; i++)
		find_one(f, &f->one[i]);
	permit_done(permit);
	f->things.permit = NULL;
}

static void begin(struct sta_find *f, struct req *r, void (*then)(struct req *r))
{
	f->r = r;
	f->done = then;
	init(f, r->web, permit_new(r));
	f->job = (struct job){.work = work, .done = done};
	f->wait = (struct series_ask){.what = SERIES_THINGS, .limit = 1, .done = applied, .arg = f};
	r->pending++;
	req_wait(r);
}

static void nothing(struct job *j UNUSED) {}

static void next_turn(struct job *j)
{
	struct sta_find *f = container_of(j, struct sta_find, job);
	f->job = (struct job){.work = work, .done = done};
	series_ask(f->r->web->series, &f->wait);
}

void sta_find_later(struct sta_find *f, struct req *r, void (*then)(struct req *r))
{
	begin(f, r, then);
	f->job = (struct job){.work = nothing, .done = next_turn};
	hub_pool(r->web->hub, &f->job);
}

void sta_find_start(struct sta_find *f, struct req *r, void (*then)(struct req *r))
{
	begin(f, r, then);
	series_ask(r->web->series, &f->wait);
}

void sta_find_done(struct sta_find *f)
{
	for (unsigned i = 0; i < f->n; i++)
		free(f->one[i].side);
	free(f->one);
	free(f->path);
	free(f->spans);
	f->spans = NULL;
	f->path = NULL;
	f->one = NULL;
	f->n = 0;
}
