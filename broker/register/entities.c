/* entities.c - the table of written entities, and its changes; see entities.h. */
#include "register/entities_private.h"
#include "register/ledger.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/search.h"

#include <stdlib.h>

static const char row_prefix[] = ENTITY_ROWS;
/* The types as rows say them; '-': never written. */
static const char letters[STA_TYPES] = {
    [STA_THING] = 'T',      [STA_LOCATION] = 'L',        [STA_HISTORICAL_LOCATION] = 'H',
    [STA_DATASTREAM] = 'D', [STA_SENSOR] = 'S',          [STA_OBSERVED_PROPERTY] = 'P',
    [STA_FEATURE] = 'F',    [STA_MULTI_DATASTREAM] = 'M'};

/* ---- keys ---- */

static struct span name_key(char out[ENTITY_NAME_BYTES], enum sta_type t, struct span organisation,
                            struct span name)
{
	if (organisation.n + name.n + 2 > ENTITY_NAME_BYTES)
		return (struct span){0};
	out[0] = letters[t];
	memcpy(out + 1, organisation.p, organisation.n);
	out[1 + organisation.n] = '\0';
	if (name.n)
		memcpy(out + 2 + organisation.n, name.p, name.n);
	return span_of(out, 2 + organisation.n + name.n);
}

static struct span topic_key(char out[ENTITY_NAME_BYTES], struct span feed,
                             struct span organisation, struct span thing, struct span member)
{
	const struct span part[] = {feed, organisation, thing, member};
	size_t n = 0;
	for (unsigned i = 0; i < ARRAY_LEN(part); i++) {
		if (n + part[i].n + 1 > ENTITY_NAME_BYTES)
			return (struct span){0};
		if (part[i].n)
			memcpy(out + n, part[i].p, part[i].n);
		n += part[i].n;
		out[n++] = '\0';
	}
	return span_of(out, n);
}

static struct span number_key(char out[ENTITY_NAME_BYTES], enum sta_type t, uint32_t number)
{
	out[0] = letters[t];
	memcpy(out + 1, &number, sizeof(number));
	return span_of(out, 1 + sizeof(number));
}

struct span entity_row_key(char out[ENTITY_ROW_BYTES], enum sta_type t, int64_t id)
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
	if (key.n != ENTITY_ROW_BYTES)
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
	return (unsigned)search_first(i, 0, l->n, l->p[i]->id < id);
}

struct entity *entity_find(const struct entities *e, enum sta_type t, int64_t id)
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
	char mem[ENTITY_NAME_BYTES];
	if (x->name[0] && !x->deleted)
		entity_hold_name(e, x, x->name);
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

void entity_drop_name(struct entities *e, const struct entity *x, const char *name)
{
	char mem[ENTITY_NAME_BYTES];
	struct span key = name_key(mem, x->type, span_str(x->organisation), span_str(name));
	if (name[0] && map_get(&e->names, key) == x)
		map_remove(&e->names, key);
}

static void drop_topic(struct entities *e, const struct entity *x)
{
	char mem[ENTITY_NAME_BYTES];
	struct span key = topic_key(mem, span_str(x->feed), span_str(x->organisation),
	                            span_str(x->thing), span_str(x->member));
	if (key.n && map_get(&e->topics, key) == x)
		map_remove(&e->topics, key);
}

/* Once: a Thing may name the same Location twice. */
static void list_put(struct list_of *l, struct entity *x)
{
	unsigned at = place_of(l, x->id);
	if (at < l->n && l->p[at] == x)
		return;
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 4;
		l->p = xrealloc(l->p, l->cap * sizeof(*l->p));
	}
	memmove(l->p + at + 1, l->p + at, (l->n - at) * sizeof(*l->p));
	l->p[at] = x;
	l->n++;
}

static void list_take(struct list_of *l, const struct entity *x)
{
	unsigned at = place_of(l, x->id);
	assert(at < l->n && l->p[at] == x);
	memmove(l->p + at, l->p + at + 1, (l->n - at - 1) * sizeof(*l->p));
	l->n--;
}

/* ---- what is linked to what ---- */

static struct span link_key(char out[ENTITY_NAME_BYTES], enum sta_type t, int64_t to)
{
	out[0] = letters[t];
	memcpy(out + 1, &to, sizeof(to));
	return span_of(out, 1 + sizeof(to));
}

static void link_put(struct map *m, struct entity *x, int64_t to)
{
	char mem[ENTITY_NAME_BYTES];
	struct span key = link_key(mem, x->type, to);
	struct list_of *l = map_get(m, key);
	if (!l) {
		l = xcalloc(1, sizeof(*l));
		map_set(m, key, l);
	}
	list_put(l, x);
}

static void link_take(struct map *m, struct entity *x, int64_t to)
{
	char mem[ENTITY_NAME_BYTES];
	struct list_of *l = map_get(m, link_key(mem, x->type, to));
	unsigned at = l ? place_of(l, x->id) : 0;
	if (l && at < l->n && l->p[at] == x)
		list_take(l, x);
}

static void each_about(struct entities *e, struct entity *x,
                       void (*each)(struct map *m, struct entity *x, int64_t to))
{
	if (x->type == STA_DATASTREAM && x->to.feature)
		each(&e->about, x, x->to.feature);
	for (unsigned i = 0; x->type == STA_THING && i < x->to.n_places; i++)
		each(&e->about, x, x->to.place[i]);
}

void entity_link(struct entities *e, struct entity *x, const struct entity_links *to)
{
	each_about(e, x, link_take);
	x->to = *to;
	each_about(e, x, link_put);
}

static void free_links(struct map *m)
{
	struct list_of *l;
	for (size_t at = 0; (l = map_next(m, &at, NULL));) {
		free(l->p);
		free(l);
	}
	map_done(m);
}

void entity_insert(struct entities *e, struct entity *x)
{
	struct list_of *l = &e->all[x->type];
	list_put(l, x);
	l->deleted += x->deleted;
	if (x->to.thing) /* a Datastream keeps its Thing, and so does a HistoricalLocation */
		link_put(&e->parts, x, x->to.thing);
	each_about(e, x, link_put);
	e->n++;
	e->unfilled += !is_filled(x);
	e->filled_at = UINT64_MAX;
	e->last_id = MAX_OF(e->last_id, x->id);
	hold_names(e, x);
}

/* One that never was. */
void entity_take_out(struct entities *e, struct entity *x)
{
	char mem[ENTITY_NAME_BYTES];
	struct list_of *l = &e->all[x->type];
	list_take(l, x);
	l->deleted -= x->deleted;
	if (x->number) /* its first data came just now */
		map_remove(&e->numbers, number_key(mem, x->type, x->number));
	if (x->to.thing)
		link_take(&e->parts, x, x->to.thing);
	each_about(e, x, link_take);
	e->n--;
	e->unfilled -= !is_filled(x);
	entity_drop_name(e, x, x->name);
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
	entity_insert(e, x);
	return 0;
}

static int load_last(struct entities *e)
{
	struct buf b;
	uint64_t last;
	buf_init(&b, sizeof(last));
	int err = store_get(hub_store(e->hub), STORE_STATE, SPAN(ENTITY_LAST_ROW), &b);
	if (!err && b.len == sizeof(last)) {
		memcpy(&last, b.p, sizeof(last));
		e->last_id = MAX_OF(e->last_id, (int64_t)last);
	}
	buf_done(&b);
	return err == ERR_NOT_FOUND ? 0 : err;
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
	map_init(&e->parts);
	map_init(&e->about);
	int err = store_scan(hub_store(h), STORE_STATE, (struct span){0}, span_str(row_prefix),
	                     SIZE_MAX, load_row, e);
	err = err ? err : load_last(e);
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
	free_links(&e->parts);
	free_links(&e->about);
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
	const struct entity *x = entity_find(e, t, id);
	return x && !x->pending ? x : NULL;
}

static const struct entity *list_after(const struct list_of *l, int64_t id)
{
	for (unsigned i = id == INT64_MAX ? l->n : place_of(l, id + 1); i < l->n; i++)
		if (!l->p[i]->pending && !l->p[i]->deleted)
			return l->p[i];
	return NULL;
}

const struct entity *entities_after(const struct entities *e, enum sta_type t, int64_t id)
{
	return list_after(&e->all[t], id);
}

static const struct entity *linked_after(const struct map *m, enum sta_type t, int64_t to,
                                         int64_t id)
{
	char mem[ENTITY_NAME_BYTES];
	const struct list_of *l = map_get(m, link_key(mem, t, to));
	return l ? list_after(l, id) : NULL;
}

const struct entity *entities_part_after(const struct entities *e, enum sta_type t, int64_t thing,
                                         int64_t id)
{
	return linked_after(&e->parts, t, thing, id);
}

const struct entity *entities_about_after(const struct entities *e, enum sta_type t, int64_t place,
                                          int64_t id)
{
	return linked_after(&e->about, t, place, id);
}

const struct entity *entities_member_after(const struct entities *e, const struct entity *multi,
                                           int64_t id)
{
	const struct entity *x = entities_part_after(e, STA_DATASTREAM, multi->to.thing, id);
	while (x && x->to.multi != multi->id)
		x = entities_part_after(e, STA_DATASTREAM, multi->to.thing, x->id);
	return x;
}

const struct entity *entities_of_number(const struct entities *e, enum sta_type t, uint32_t number)
{
	char mem[ENTITY_NAME_BYTES];
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
	char mem[ENTITY_NAME_BYTES];
	return map_get(&e->names, name_key(mem, t, organisation, name)) != NULL;
}

const struct entity *entities_of_thing(const struct entities *e, struct span feed,
                                       struct span organisation, struct span thing,
                                       struct span member)
{
	char mem[ENTITY_NAME_BYTES];
	struct span key = topic_key(mem, feed, organisation, thing, member);
	return key.n ? map_get(&e->topics, key) : NULL;
}

/* ---- numbers of the series ---- */

static void fill_one(struct entities *e, struct entity *x, struct series *s)
{
	char mem[ENTITY_NAME_BYTES];
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

void entity_bury(struct entities *e, struct entity *x)
{
	entity_drop_name(e, x, x->name);
	if (!x->number)
		drop_topic(e, x);
	e->unfilled -= !is_filled(x);
	e->all[x->type].deleted++;
	x->deleted = true;
	free(x->text);
	x->text = xstrdup("{}");
}

void entity_hold_name(struct entities *e, struct entity *x, const char *name)
{
	char mem[ENTITY_NAME_BYTES];
	struct span key = name_key(mem, x->type, span_str(x->organisation), span_str(name));
	if (!map_get(&e->names, key)) /* of several of one name, the first */
		map_set(&e->names, key, x);
}

/* ---- erasing ---- */

static void forget(char **text, const char *instead)
{
	free(*text);
	*text = xstrdup(instead);
}

/* As its row is now. What is being changed is written again behind the erasure. */
static void erase_one(struct entities *e, struct entity *x)
{
	char mem[ENTITY_NAME_BYTES];
	entity_drop_name(e, x, x->name);
	drop_topic(e, x);
	if (x->number)
		map_remove(&e->numbers, number_key(mem, x->type, x->number));
	e->unfilled -= !is_filled(x);
	e->all[x->type].deleted += !x->deleted;
	x->deleted = true;
	x->number = 0;
	forget(&x->thing, "");
	forget(&x->member, "");
	forget(&x->name, "");
	forget(&x->unit, "");
	forget(&x->text, "{}");
	entity_link(e, x, &(struct entity_links){.thing = x->to.thing}); /* by which it is found */
	memset(x->by, 0, sizeof(x->by));
}

void entities_erased(struct entities *e, const struct erasure *of)
{
	pthread_rwlock_wrlock(&e->lock);
	for (unsigned t = 0; t < STA_TYPES; t++)
		for (unsigned i = 0; i < e->all[t].n; i++) {
			struct entity *x = e->all[t].p[i];
			if (x->thing[0] && !x->pending && !x->changing &&
			    x->changed_ms <= of->until_ms &&
			    erasure_matches(of, span_str(x->organisation), span_str(x->thing)))
				erase_one(e, x);
		}
	pthread_rwlock_unlock(&e->lock);
}
