/* entities.c - the table of written entities, and its changes; see entities.h. */
#include "register/entities.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	NAME_BYTES = 1024, /* of the keys of maps */
	ROW_KEY_BYTES = 16
};
static const char row_prefix[] = "entity/";
/* The types as rows say them; '-': never written. */
static const char letters[STA_TYPES] = {
    [STA_THING] = 'T',      [STA_LOCATION] = 'L', [STA_HISTORICAL_LOCATION] = 'H',
    [STA_DATASTREAM] = 'D', [STA_SENSOR] = 'S',   [STA_OBSERVED_PROPERTY] = 'P',
    [STA_FEATURE] = 'F'};

struct list_of { /* by number */
	struct entity **p;
	unsigned n, cap, deleted;
};

struct entities {
	struct hub *hub;
	pthread_rwlock_t lock;
	struct list_of all[STA_TYPES];
	unsigned n;
	int64_t last_id;
	struct map names;   /* letter, organisation, 0, name */
	struct map topics;  /* feed, 0, organisation, 0, thing, 0, member */
	struct map numbers; /* letter, number in the series */
	uint64_t filled_at; /* what the series had when numbers were looked for last */
	unsigned unfilled;
};

/* ---- keys ---- */

static struct span name_key(char out[NAME_BYTES], enum sta_type t, struct span organisation,
                            struct span name)
{
	if (organisation.n + name.n + 2 > NAME_BYTES)
		return (struct span){0};
	out[0] = letters[t];
	memcpy(out + 1, organisation.p, organisation.n);
	out[1 + organisation.n] = '\0';
	if (name.n)
		memcpy(out + 2 + organisation.n, name.p, name.n);
	return span_of(out, 2 + organisation.n + name.n);
}

static struct span topic_key(char out[NAME_BYTES], struct span feed, struct span organisation,
                             struct span thing, struct span member)
{
	const struct span part[] = {feed, organisation, thing, member};
	size_t n = 0;
	for (unsigned i = 0; i < ARRAY_LEN(part); i++) {
		if (n + part[i].n + 1 > NAME_BYTES)
			return (struct span){0};
		if (part[i].n)
			memcpy(out + n, part[i].p, part[i].n);
		n += part[i].n;
		out[n++] = '\0';
	}
	return span_of(out, n);
}

static struct span number_key(char out[NAME_BYTES], enum sta_type t, uint32_t number)
{
	out[0] = letters[t];
	memcpy(out + 1, &number, sizeof(number));
	return span_of(out, 1 + sizeof(number));
}

static struct span row_key(char out[ROW_KEY_BYTES], enum sta_type t, int64_t id)
{
	size_t n = sizeof(row_prefix) - 1;
	memcpy(out, row_prefix, n);
	out[n++] = letters[t];
	for (int shift = 56; shift >= 0; shift -= 8)
		out[n++] = (char)((uint64_t)id >> shift);
	return span_of(out, n);
}

static bool row_split(struct span key, enum sta_type *ret_type, int64_t *ret_id)
{
	size_t head = sizeof(row_prefix) - 1;
	uint64_t id = 0;
	if (key.n != ROW_KEY_BYTES)
		return false;
	for (size_t i = head + 1; i < key.n; i++)
		id = id << 8 | (unsigned char)key.p[i];
	*ret_id = (int64_t)id;
	for (unsigned t = 0; t < STA_TYPES; t++)
		if (letters[t] && letters[t] == key.p[head]) {
			*ret_type = (enum sta_type)t;
			return true;
		}
	return false;
}

/* ---- the table ---- */

/* Index of the first one with this number or a higher one. */
static unsigned place_of(const struct list_of *l, int64_t id)
{
	unsigned low = 0, high = l->n;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (l->p[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct entity *find(const struct entities *e, enum sta_type t, int64_t id)
{
	const struct list_of *l = &e->all[t];
	unsigned i = place_of(l, id);
	return i < l->n && l->p[i]->id == id ? l->p[i] : NULL;
}

static bool is_filled(const struct entity *x)
{
	return x->number || x->deleted || x->id < ENTITY_FIRST ||
	       (x->type != STA_THING && x->type != STA_DATASTREAM);
}

static void hold_names(struct entities *e, struct entity *x)
{
	char mem[NAME_BYTES];
	if (x->name[0] && !x->deleted)
		map_set(&e->names,
		        name_key(mem, x->type, span_str(x->organisation), span_str(x->name)), x);
	if (x->number)
		map_set(&e->numbers, number_key(mem, x->type, x->number), x);
	if (x->deleted && !x->number) /* nobody's data: the next of that name may have it */
		return;
	if (x->thing[0] && (x->type == STA_THING || x->type == STA_DATASTREAM))
		map_set(&e->topics,
		        topic_key(mem, span_str(x->feed), span_str(x->organisation),
		                  span_str(x->thing), span_str(x->member)),
		        x);
}

static void drop_name(struct entities *e, const struct entity *x, const char *name)
{
	char mem[NAME_BYTES];
	struct span key = name_key(mem, x->type, span_str(x->organisation), span_str(name));
	if (name[0] && map_get(&e->names, key) == x)
		map_remove(&e->names, key);
}

static void drop_topic(struct entities *e, const struct entity *x)
{
	char mem[NAME_BYTES];
	struct span key = topic_key(mem, span_str(x->feed), span_str(x->organisation),
	                            span_str(x->thing), span_str(x->member));
	if (key.n && map_get(&e->topics, key) == x)
		map_remove(&e->topics, key);
}

static void insert(struct entities *e, struct entity *x)
{
	struct list_of *l = &e->all[x->type];
	unsigned at = place_of(l, x->id);
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->p = xrealloc(l->p, l->cap * sizeof(*l->p));
	}
	memmove(l->p + at + 1, l->p + at, (l->n - at) * sizeof(*l->p));
	l->p[at] = x;
	l->n++;
	l->deleted += x->deleted;
	e->n++;
	e->unfilled += !is_filled(x);
	e->filled_at = UINT64_MAX;
	e->last_id = MAX_OF(e->last_id, x->id);
	hold_names(e, x);
}

/* One that never was. */
static void take_out(struct entities *e, struct entity *x)
{
	struct list_of *l = &e->all[x->type];
	unsigned at = place_of(l, x->id);
	assert(at < l->n && l->p[at] == x);
	memmove(l->p + at, l->p + at + 1, (l->n - at - 1) * sizeof(*l->p));
	l->n--;
	l->deleted -= x->deleted;
	e->n--;
	e->unfilled -= !is_filled(x);
	drop_name(e, x, x->name);
	drop_topic(e, x);
	entity_done(x);
	free(x);
}

static int load_row(void *arg, struct span key, struct span value)
{
	struct entities *e = arg;
	struct entity *x = xcalloc(1, sizeof(*x));
	enum sta_type type;
	int64_t id;
	int err = row_split(key, &type, &id) ? entity_row_read(value, x) : ERR_STORE_FORMAT;
	if (err) {
		free(x);
		return err;
	}
	x->type = type;
	x->id = id;
	insert(e, x);
	return 0;
}

int entities_new(struct hub *h, struct entities **ret)
{
	struct entities *e = xcalloc(1, sizeof(*e));
	e->hub = h;
	e->last_id = ENTITY_FIRST - 1;
	pthread_rwlock_init(&e->lock, NULL);
	map_init(&e->names);
	map_init(&e->topics);
	map_init(&e->numbers);
	int err = store_scan(hub_store(h), STORE_STATE, (struct span){0}, span_str(row_prefix),
	                     SIZE_MAX, load_row, e);
	if (err) {
		entities_free(e);
		return err;
	}
	*ret = e;
	return 0;
}

void entities_free(struct entities *e)
{
	if (!e)
		return;
	for (unsigned t = 0; t < STA_TYPES; t++) {
		for (unsigned i = 0; i < e->all[t].n; i++) {
			entity_done(e->all[t].p[i]);
			free(e->all[t].p[i]);
		}
		free(e->all[t].p);
	}
	map_done(&e->names);
	map_done(&e->topics);
	map_done(&e->numbers);
	pthread_rwlock_destroy(&e->lock);
	free(e);
}

/* ---- reading ---- */

void entities_lock(struct entities *e)
{
	pthread_rwlock_rdlock(&e->lock);
}

void entities_unlock(struct entities *e)
{
	pthread_rwlock_unlock(&e->lock);
}

const struct entity *entities_get(const struct entities *e, enum sta_type t, int64_t id)
{
	const struct entity *x = find(e, t, id);
	return x && !x->pending ? x : NULL;
}

const struct entity *entities_after(const struct entities *e, enum sta_type t, int64_t id)
{
	const struct list_of *l = &e->all[t];
	for (unsigned i = id == INT64_MAX ? l->n : place_of(l, id + 1); i < l->n; i++)
		if (!l->p[i]->pending && !l->p[i]->deleted)
			return l->p[i];
	return NULL;
}

const struct entity *entities_of_number(const struct entities *e, enum sta_type t, uint32_t number)
{
	char mem[NAME_BYTES];
	return number ? map_get(&e->numbers, number_key(mem, t, number)) : NULL;
}

bool entities_any(const struct entities *e)
{
	return e->n > 0;
}

bool entities_any_deleted(const struct entities *e, enum sta_type t)
{
	return e->all[t].deleted > 0;
}

bool entities_has_name(const struct entities *e, enum sta_type t, struct span organisation,
                       struct span name)
{
	char mem[NAME_BYTES];
	return map_get(&e->names, name_key(mem, t, organisation, name)) != NULL;
}

const struct entity *entities_of_thing(const struct entities *e, struct span feed,
                                       struct span organisation, struct span thing,
                                       struct span member)
{
	char mem[NAME_BYTES];
	struct span key = topic_key(mem, feed, organisation, thing, member);
	return key.n ? map_get(&e->topics, key) : NULL;
}

/* ---- numbers of the series ---- */

static void fill_one(struct entities *e, struct entity *x, struct series *s)
{
	char mem[NAME_BYTES];
	uint32_t thing =
	    series_find_thing(s, span_str(x->feed), span_str(x->organisation), span_str(x->thing));
	uint32_t number = x->type == STA_THING ? thing
	                  : thing              ? series_find_stream(s, thing, span_str(x->member))
	                                       : 0;
	if (!number)
		return;
	if (map_get(&e->numbers, number_key(mem, x->type, number)))
		return; /* a former one's, deleted before it had data */
	x->number = number;
	e->unfilled--;
	map_set(&e->numbers, number_key(mem, x->type, number), x);
}

static void fill_all(struct entities *e, enum sta_type t, struct series *s)
{
	const struct list_of *l = &e->all[t];
	for (unsigned i = place_of(l, ENTITY_FIRST); i < l->n && e->unfilled; i++)
		if (!is_filled(l->p[i]))
			fill_one(e, l->p[i], s);
}

void entities_fill(struct entities *e, struct series *s)
{
	uint64_t now;
	pthread_rwlock_rdlock(&e->lock);
	bool needed = e->unfilled > 0;
	pthread_rwlock_unlock(&e->lock);
	if (!needed)
		return;
	now = series_names_count(s);
	pthread_rwlock_wrlock(&e->lock);
	if (e->filled_at != now) {
		e->filled_at = now;
		fill_all(e, STA_THING, s);
		fill_all(e, STA_DATASTREAM, s);
	}
	pthread_rwlock_unlock(&e->lock);
}

/* ---- changing ---- */

struct op {
	struct entity *target; /* in the table */
	struct entity next;    /* what it becomes; nothing for one that is new */
	bool fresh, removes;
};

struct entities_change {
	struct entities *e;
	struct op op[LIMIT_ENTITY_CHANGE];
	unsigned n;
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

int64_t entities_add(struct entities_change *c, const struct entity *x)
{
	struct entities *e = c->e;
	int64_t id = x->id ? x->id : e->last_id + 1;
	if (c->n == LIMIT_ENTITY_CHANGE || e->n >= LIMIT_ENTITIES || id > ENTITY_LAST ||
	    (x->text && strlen(x->text) > LIMIT_ENTITY_BYTES))
		return ERR_TOO_LARGE;
	struct entity *y = xmalloc(sizeof(*y));
	*y = copy_of(c, x);
	y->id = id;
	y->number = 0;
	y->deleted = y->changing = false;
	y->pending = true;
	pthread_rwlock_wrlock(&e->lock);
	insert(e, y);
	pthread_rwlock_unlock(&e->lock);
	c->op[c->n++] = (struct op){.target = y, .fresh = true};
	return id;
}

/* The change of one that is in the table already; NULL with *ret_err. */
static struct op *op_for(struct entities_change *c, enum sta_type t, int64_t id, int *ret_err)
{
	struct op *o = op_of(c, t, id);
	struct entity *x = o ? o->target : find(c->e, t, id);
	*ret_err = !x || x->deleted              ? ERR_NOT_FOUND
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
	o->next = copy_of(c, x);
	x->changing = true;
	return o;
}

int entities_replace(struct entities_change *c, const struct entity *x)
{
	int err;
	struct op *o = op_for(c, x->type, x->id, &err);
	if (!o)
		return err;
	if (x->text && strlen(x->text) > LIMIT_ENTITY_BYTES)
		return ERR_TOO_LARGE;
	struct entity *y = o->fresh ? o->target : &o->next;
	struct entity z = copy_of(c, x);
	pthread_rwlock_wrlock(&c->e->lock); /* a fresh one stands in the table, unseen */
	if (strcmp(y->name, z.name) != 0 && z.name[0]) {
		char mem[NAME_BYTES];
		map_set(&c->e->names,
		        name_key(mem, y->type, span_str(y->organisation), span_str(z.name)),
		        o->target);
		if (o->fresh || strcmp(o->target->name, y->name) != 0)
			drop_name(c->e, o->target, y->name);
	}
	free(y->name);
	free(y->text);
	free(y->unit);
	y->name = z.name;
	y->unit = z.unit;
	y->text = z.text;
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

const struct entity *entities_pending(const struct entities_change *c, enum sta_type t, int64_t id)
{
	const struct op *o = op_of(c, t, id);
	return !o || o->removes ? NULL : o->fresh ? o->target : &o->next;
}

static void undo(struct entities *e, struct op *o)
{
	if (o->fresh) {
		take_out(e, o->target);
		return;
	}
	o->target->changing = false;
	if (strcmp(o->next.name, o->target->name) != 0)
		drop_name(e, o->target, o->next.name);
	entity_done(&o->next);
}

static void bury(struct entities *e, struct entity *x)
{
	drop_name(e, x, x->name);
	if (!x->number)
		drop_topic(e, x);
	e->unfilled -= !is_filled(x);
	e->all[x->type].deleted++;
	x->deleted = true;
	free(x->text);
	x->text = xstrdup("{}");
}

static void happen(struct entities *e, struct op *o)
{
	struct entity *x = o->target;
	x->pending = x->changing = false;
	if (!o->fresh) {
		if (strcmp(o->next.name, x->name) != 0)
			drop_name(e, x, x->name);
		free(x->name);
		free(x->text);
		free(x->unit);
		x->name = o->next.name;
		x->unit = o->next.unit;
		x->text = o->next.text;
		x->to = o->next.to;
		x->changed_ms = o->next.changed_ms;
		memcpy(x->by, o->next.by, sizeof(x->by));
		o->next.name = o->next.text = o->next.unit = NULL;
		entity_done(&o->next);
	}
	if (o->removes)
		bury(e, x);
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

static void committed(const struct answer *a, int err)
{
	struct entities_change *c = a->owner;
	end(c, err);
	c->done(c->arg, err);
	free(c);
}

static size_t bytes_of(const struct entities_change *c)
{
	size_t n = 0;
	for (unsigned i = 0; i < c->n; i++) {
		const struct op *o = &c->op[i];
		n += strlen(o->fresh ? o->target->text : o->next.text) + 2 * NAME_BYTES;
	}
	return n;
}

static void write_op(const struct entities_change *c, const struct op *o, struct buf *b)
{
	char key[ROW_KEY_BYTES];
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
	hub_put(c->e->hub, STORE_STATE, row_key(key, x->type, x->id), span_of(b->p, b->len));
}

int entities_commit(struct entities_change *c, void (*done)(void *arg, int err), void *arg)
{
	struct buf b;
	if (!hub_has_state_room(c->e->hub, MIN_OF(bytes_of(c), (size_t)LIMIT_ENTITY_CHANGE_BYTES)))
		return ERR_AGAIN;
	c->done = done;
	c->arg = arg;
	buf_init(&b, 8 * LIMIT_ENTITY_BYTES);
	for (unsigned i = 0; i < c->n; i++)
		write_op(c, &c->op[i], &b);
	buf_done(&b);
	const struct answer a = {.done = committed, .owner = c, .feed = UINT32_MAX};
	hub_answer(c->e->hub, &a);
	return 0;
}
