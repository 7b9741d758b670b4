/* entities_change.c - changes of written entities on their way to the disk: all of one in one
 * commit, unseen until then, or nothing; see entities.h. */
#include "register/entities_private.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"

#include <stdio.h>
#include <stdlib.h>

struct op {
	struct entity *target; /* in the table */
	struct entity next;    /* what it becomes; nothing for one that is new */
	bool fresh, removes;
	bool drops; /* no tombstone is needed: it had no data */
};

struct entities_change {
	struct entities *e;
	struct op op[LIMIT_ENTITY_CHANGE];
	unsigned n;
	size_t bytes; /* of what was added and replaced */
	char by[THING_BY_BYTES];
	void (*done)(void *arg, int err);
	void *arg;
};

struct entities_change *entities_begin(struct entities *e, struct span by)
{
	struct entities_change *c = xcalloc(1, sizeof(*c));
	c->e = e;
	snprintf(c->by, sizeof(c->by), "%.*s", (int)MIN_OF(by.n, sizeof(c->by) - 1), by.p);
	return c;
}

static struct op *op_of(const struct entities_change *c, enum sta_type t, int64_t id)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->op[i].target->type == t && c->op[i].target->id == id)
			return (struct op *)&c->op[i];
	return NULL;
}

static char *copy(const char *s)
{
	return xstrdup(s ? s : "");
}

static struct entity copy_of(const struct entities_change *c, const struct entity *x)
{
	struct entity y = *x;
	y.feed = copy(x->feed);
	y.organisation = copy(x->organisation);
	y.thing = copy(x->thing);
	y.member = copy(x->member);
	y.name = copy(x->name);
	y.unit = copy(x->unit);
	y.text = xstrdup(x->text ? x->text : "{}");
	y.changed_ms = clock_wall_ms(hub_clock(c->e->hub));
	memcpy(y.by, c->by, sizeof(y.by));
	return y;
}

static bool takes(struct entities_change *c, const struct entity *x)
{
	size_t n = x->text ? strlen(x->text) : 0;
	c->bytes += n + 2 * ENTITY_NAME_BYTES;
	return n <= LIMIT_ENTITY_BYTES && c->bytes <= LIMIT_ENTITY_CHANGE_BYTES;
}

int64_t entities_add(struct entities_change *c, const struct entity *x)
{
	struct entities *e = c->e;
	int64_t id = x->id ? x->id : e->last_id + 1;
	if (c->n == LIMIT_ENTITY_CHANGE || e->n >= LIMIT_ENTITIES || id > ENTITY_LAST ||
	    !takes(c, x))
		return ERR_TOO_LARGE;
	struct entity *y = xmalloc(sizeof(*y));
	*y = copy_of(c, x);
	y->id = id;
	y->number = 0;
	y->deleted = y->changing = false;
	y->pending = true;
	pthread_rwlock_wrlock(&e->lock);
	entity_insert(e, y);
	pthread_rwlock_unlock(&e->lock);
	c->op[c->n++] = (struct op){.target = y, .fresh = true};
	return id;
}

/* The change of one that is in the table already; NULL with *ret_err. */
static struct op *op_for(struct entities_change *c, enum sta_type t, int64_t id, int *ret_err)
{
	struct op *o = op_of(c, t, id);
	struct entity *x = o ? o->target : entity_find(c->e, t, id);
	*ret_err = !x || x->deleted              ? ERR_NOT_FOUND
	           : o && o->removes             ? ERR_NOT_FOUND
	           : o                           ? 0
	           : x->pending || x->changing   ? ERR_AGAIN
	           : c->n == LIMIT_ENTITY_CHANGE ? ERR_TOO_LARGE
	                                         : 0;
	if (*ret_err)
		return NULL;
	if (o)
		return o;
	o = &c->op[c->n++];
	*o = (struct op){.target = x};
	pthread_rwlock_rdlock(&c->e->lock);
	o->next = copy_of(c, x);
	pthread_rwlock_unlock(&c->e->lock);
	x->changing = true;
	return o;
}

int entities_replace(struct entities_change *c, const struct entity *x)
{
	int err;
	struct op *o = op_for(c, x->type, x->id, &err);
	if (!o)
		return err;
	if (!takes(c, x))
		return ERR_TOO_LARGE;
	struct entity *y = o->fresh ? o->target : &o->next;
	struct entity z = copy_of(c, x);
	pthread_rwlock_wrlock(&c->e->lock); /* a fresh one stands in the table, unseen */
	if (strcmp(y->name, z.name) != 0 && z.name[0]) {
		entity_hold_name(c->e, o->target, z.name);
		if (o->fresh || strcmp(o->target->name, y->name) != 0)
			entity_drop_name(c->e, o->target, y->name);
	}
	free(y->name);
	free(y->text);
	free(y->unit);
	y->name = z.name;
	y->unit = z.unit;
	y->text = z.text;
	if (o->fresh)
		entity_link(c->e, y, &z.to);
	else
		y->to = z.to;
	pthread_rwlock_unlock(&c->e->lock);
	z.name = z.text = z.unit = NULL;
	entity_done(&z);
	return 0;
}

int entities_remove(struct entities_change *c, enum sta_type t, int64_t id)
{
	int err;
	struct op *o = op_for(c, t, id, &err);
	if (!o)
		return err;
	o->removes = true;
	return 0;
}

int entities_note_place(struct entities_change *c, const struct entity *thing)
{
	const struct entity *first = NULL, *x = NULL;
	unsigned n = 0;
	char text[64], when[RFC3339_BYTES];
	struct entity h = {.type = STA_HISTORICAL_LOCATION,
	                   .feed = thing->feed,
	                   .organisation = thing->organisation,
	                   .thing = thing->thing,
	                   .text = text,
	                   .to = thing->to};
	if (!thing->to.n_places)
		return 0;
	rfc3339_format(clock_wall_ms(hub_clock(c->e->hub)), when);
	snprintf(text, sizeof(text), "{\"time\":\"%.*s\"}", RFC3339_BYTES, when);
	h.to.thing = thing->id;
	while ((x = entities_part_after(c->e, h.type, thing->id, x ? x->id : 0))) {
		first = first ? first : x;
		n++;
	}
	int err = entities_add(c, &h) < 0 ? ERR_TOO_LARGE : 0;
	return err || n < LIMIT_ENTITY_MOVES ? err : entities_remove(c, h.type, first->id);
}

const struct entity *entities_pending(const struct entities_change *c, enum sta_type t, int64_t id)
{
	const struct op *o = op_of(c, t, id);
	return !o || o->removes ? NULL : o->fresh ? o->target : &o->next;
}

const struct entity *entities_pending_at(const struct entities_change *c, unsigned i)
{
	return i >= c->n ? NULL : c->op[i].fresh ? c->op[i].target : &c->op[i].next;
}

size_t entities_bytes(const struct entities_change *c)
{
	return c->bytes + (size_t)c->n * 2 * ENTITY_NAME_BYTES;
}

bool entities_goes(const struct entities_change *c, enum sta_type t, int64_t id)
{
	const struct op *o = op_of(c, t, id);
	return o && o->removes;
}

static void undo(struct entities *e, struct op *o)
{
	if (o->fresh) {
		entity_take_out(e, o->target);
		return;
	}
	o->target->changing = false;
	if (strcmp(o->next.name, o->target->name) != 0)
		entity_drop_name(e, o->target, o->next.name);
	entity_done(&o->next);
}

static void happen(struct entities *e, struct op *o)
{
	struct entity *x = o->target;
	if (o->drops) {
		if (!o->fresh && strcmp(o->next.name, x->name) != 0)
			entity_drop_name(e, x, o->next.name);
		entity_done(&o->next);
		entity_take_out(e, x);
		return;
	}
	x->pending = x->changing = false;
	if (!o->fresh) {
		if (strcmp(o->next.name, x->name) != 0)
			entity_drop_name(e, x, x->name);
		free(x->name);
		free(x->text);
		free(x->unit);
		x->name = o->next.name;
		x->unit = o->next.unit;
		x->text = o->next.text;
		entity_link(e, x, &o->next.to);
		x->changed_ms = o->next.changed_ms;
		memcpy(x->by, o->next.by, sizeof(x->by));
		o->next.name = o->next.text = o->next.unit = NULL;
		entity_done(&o->next);
	}
	if (o->removes)
		entity_bury(e, x);
}

static void end(struct entities_change *c, int err)
{
	struct entities *e = c->e;
	pthread_rwlock_wrlock(&e->lock);
	for (unsigned i = c->n; i-- > 0;)
		if (err)
			undo(e, &c->op[i]);
		else
			happen(e, &c->op[i]);
	pthread_rwlock_unlock(&e->lock);
}

void entities_abort(struct entities_change *c)
{
	end(c, ERR_CLOSED);
	free(c);
}

void entities_on_change(struct entities *e, void (*told)(void *arg, const struct entity *x),
                        void *arg)
{
	e->told = told;
	e->told_arg = arg;
}

static void tell(const struct entities_change *c)
{
	for (unsigned i = 0; i < c->n && c->e->told; i++)
		if (!c->op[i].removes)
			c->e->told(c->e->told_arg, c->op[i].target);
}

static void committed(const struct answer *a, int err)
{
	struct entities_change *c = a->owner;
	end(c, err);
	if (!err)
		tell(c);
	c->done(c->arg, err);
	free(c);
}

/* The highest number given is kept by itself once a row goes that might have it. */
static void write_last(const struct entities_change *c)
{
	uint64_t last = (uint64_t)c->e->last_id;
	hub_put(c->e->hub, STORE_STATE, SPAN(ENTITY_LAST_ROW),
	        span_of((char *)&last, sizeof(last)));
}

/* A FeatureOfInterest that is a Location too, which stays: that it is gone has to be said. */
static bool is_location(const struct entities *e, const struct entity *x)
{
	return x->type == STA_FEATURE && entity_find(e, STA_LOCATION, x->id);
}

static void write_op(const struct entities_change *c, struct op *o, struct buf *b)
{
	char key[ENTITY_ROW_BYTES];
	o->drops = o->removes && o->target->id >= ENTITY_FIRST && !o->target->number &&
	           !is_location(c->e, o->target);
	if (o->drops) {
		write_last(c);
		hub_del(c->e->hub, STORE_STATE,
		        entity_row_key(key, o->target->type, o->target->id));
		return;
	}
	char none[] = "{}";
	struct entity tomb;
	const struct entity *x = o->fresh ? o->target : &o->next;
	if (o->removes) {
		tomb = *x;
		tomb.deleted = true;
		tomb.text = none;
		x = &tomb;
	}
	buf_clear(b);
	entity_row_write(x, b);
	assert(!b->err);
	hub_put(c->e->hub, STORE_STATE, entity_row_key(key, x->type, x->id), span_of(b->p, b->len));
}

int entities_commit(struct entities_change *c, void (*done)(void *arg, int err), void *arg)
{
	struct buf b;
	if (!hub_has_state_room(c->e->hub, entities_bytes(c)))
		return ERR_AGAIN;
	c->done = done;
	c->arg = arg;
	buf_init(&b, 8 * LIMIT_ENTITY_BYTES);
	pthread_rwlock_rdlock(&c->e->lock); /* numbers are found on other threads */
	for (unsigned i = 0; i < c->n; i++)
		write_op(c, &c->op[i], &b);
	pthread_rwlock_unlock(&c->e->lock);
	buf_done(&b);
	const struct answer a = {.done = committed, .owner = c, .feed = UINT32_MAX};
	hub_answer(c->e->hub, &a);
	return 0;
}
