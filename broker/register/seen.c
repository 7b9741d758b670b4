/* seen.c - the table of things, bounded, in the order of their keys; what they published. */
#include "register/private.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>

/* ---- the table ---- */

unsigned things_after(const struct things *t, struct span key)
{
	return key.n ? order_after(&t->order, key) : 0;
}

void things_drop(struct things *t, struct thing *x)
{
	assert(!x->registered);
	order_drop(&t->order, x);
	where_drop(t, x);
	if (!list_empty(&x->silent)) {
		list_remove(&x->silent);
		t->n_silent--;
	}
	pthread_mutex_lock(&t->shown);
	map_remove(&t->by_key, x->key);
	pthread_mutex_unlock(&t->shown);
	free((char *)x->key.p);
	free(x->seen);
	free(x);
}

/* A thing that has no row and none under way; those that have are not forgotten. */
static bool may_go(const struct thing *x)
{
	return !x->registered && !x->version && !x->given;
}

void things_place(struct things *t, struct thing *x)
{
	bool on = !list_empty(&x->silent);
	if (on && !may_go(x)) {
		list_remove(&x->silent);
		t->n_silent--;
	} else if (!on && may_go(x)) {
		list_append(&t->silent, &x->silent);
		t->n_silent++;
	}
}

struct thing *things_make(struct things *t, struct span key)
{
	struct thing *x = map_get(&t->by_key, key);
	if (x)
		return x;
	if (t->n_silent >= LIMIT_THINGS_SEEN)
		things_drop(t, list_entry(t->silent.next, struct thing, silent));
	x = xcalloc(1, sizeof(*x));
	x->key = span_of(xstrndup(key.p, key.n), key.n);
	const char *slash = memchr(x->key.p, '/', key.n);
	assert(slash);
	x->organisation = span_of(x->key.p, (size_t)(slash - x->key.p));
	x->id = span_of(slash + 1, key.n - x->organisation.n - 1);
	list_init(&x->silent);
	order_add(&t->order, x);
	pthread_mutex_lock(&t->shown);
	map_set(&t->by_key, x->key, x);
	pthread_mutex_unlock(&t->shown);
	things_place(t, x);
	return x;
}

/* ---- what was published ---- */

struct sighting {
	int64_t stored_ms;
	bool has_location;
	struct box place;
};

/* NULL: it is on too many feeds already. */
static struct thing_seen *seen_on(struct thing *x, unsigned feed)
{
	for (unsigned i = 0; i < x->n_seen; i++)
		if (x->seen[i].feed == feed)
			return &x->seen[i];
	if (x->n_seen == LIMIT_THING_FEEDS)
		return NULL;
	x->seen = xrealloc(x->seen, (x->n_seen + 1) * sizeof(*x->seen));
	x->seen[x->n_seen] = (struct thing_seen){.feed = (uint16_t)feed};
	return &x->seen[x->n_seen++];
}

static void see(struct things *t, struct thing *x, unsigned feed, const struct sighting *s)
{
	struct thing_seen *on = seen_on(x, feed);
	if (!on)
		return;
	if (!on->first_ms || s->stored_ms < on->first_ms)
		on->first_ms = s->stored_ms;
	on->last_ms = MAX_OF(on->last_ms, s->stored_ms);
	if (!s->has_location || (on->has_location && s->stored_ms < on->place_ms))
		return;
	on->has_location = true;
	on->place_ms = s->stored_ms;
	on->place = s->place;
	where_changed(t, x);
}

const struct thing_seen *thing_told_place(const struct thing *x)
{
	const struct thing_seen *last = NULL;
	for (unsigned i = 0; i < x->n_seen; i++)
		if (x->seen[i].has_location && (!last || x->seen[i].place_ms > last->place_ms))
			last = &x->seen[i];
	return last;
}

static struct sighting sighting_of(const struct record *r)
{
	return (struct sighting){.stored_ms = r->stored_ms,
	                         .has_location = r->flags & RECORD_LOCATION,
	                         .place = r->place};
}

void things_record(struct things *t, const struct feed *f, const struct record *r)
{
	char mem[THING_KEY_BYTES];
	struct span key = things_key(mem, r->organisation, r->thing);
	if (!key.n) /* no thing, or an id that nobody can register */
		return;
	struct thing *x = things_make(t, key);
	struct sighting s = sighting_of(r);
	see(t, x, f->index, &s);
	if (!list_empty(&x->silent)) { /* the most silent stay in front */
		list_remove(&x->silent);
		list_append(&t->silent, &x->silent);
	}
}

/* ---- after a start: the newest part of the logs, feed by feed, a block at a time ---- */

struct found { /* in look_back.found, followed by the key */
	struct sighting s;
	uint32_t key_n;
};

struct look_back {
	struct job job;
	struct things *things;
	unsigned feed; /* index */
	uint32_t id;
	uint64_t at, first,
	    next;       /* sequences: from here down to first; next: the block's own end */
	uint64_t bytes; /* read so far, of all feeds */
	struct buf found;
	int err;
};

static int look_at(void *arg, uint64_t sequence, struct span bytes)
{
	struct look_back *b = arg;
	struct record r;
	char mem[THING_KEY_BYTES];
	int err = record_read(bytes, true, &r);
	if (err)
		return err;
	b->next = sequence - 1;
	b->bytes += bytes.n;
	struct span key = things_key(mem, r.organisation, r.thing);
	if (!key.n)
		return 0;
	struct found f = {.s = sighting_of(&r), .key_n = (uint32_t)key.n};
	buf_add(&b->found, &f, sizeof(f));
	buf_add_span(&b->found, key);
	return b->found.err;
}

static void look_work(struct job *j)
{
	struct look_back *b = container_of(j, struct look_back, job);
	b->next = b->first - 1; /* nothing more there, unless a record says so */
	b->err =
	    store_read_back(hub_store(b->things->hub), b->id, b->at, LIMIT_SCAN_BYTES, look_at, b);
}

static void look_next(struct look_back *b);

static void look_done(struct job *j)
{
	struct look_back *b = container_of(j, struct look_back, job);
	size_t at = 0;
	while (at < b->found.len) {
		struct found f;
		memcpy(&f, b->found.p + at, sizeof(f));
		struct span key = span_of(b->found.p + at + sizeof(f), f.key_n);
		struct thing *x = map_get(&b->things->by_key, key);
		/* When the table is full, who published lately is not pushed out by who did before.
		 */
		if (x || b->things->n_silent < LIMIT_THINGS_SEEN)
			see(b->things, x ? x : things_make(b->things, key), b->feed, &f.s);
		at += sizeof(f) + f.key_n;
	}
	buf_clear(&b->found);
	b->at = b->next;
	if (b->err)
		log_warn("The log could not be read to find the things of before the start. "
		         "feed=%s why=\"%s\"",
		         hub_feed_at(b->things->hub, b->feed)->name.p, err_text(b->err));
	look_next(b);
}

static void look_next(struct look_back *b)
{
	struct hub *h = b->things->hub;
	while (b->feed < hub_feed_count(h) && (b->err || b->at < b->first || b->at == 0)) {
		b->err = 0;
		b->feed++;
		if (b->feed < hub_feed_count(h)) {
			const struct feed *f = hub_feed_at(h, b->feed);
			b->id = f->id;
			b->at = f->last;
			b->first = f->first;
		}
	}
	if (b->feed >= hub_feed_count(h) || b->bytes > LIMIT_THINGS_SCAN_BYTES ||
	    b->things->stopping) {
		log_debug("The logs were looked through for things. things=%u bytes=%llu",
		          b->things->order.n, (unsigned long long)b->bytes);
		b->things->back = NULL;
		buf_done(&b->found);
		free(b);
		return;
	}
	hub_pool(h, &b->job);
}

void things_look_back(struct things *t)
{
	assert(!t->back);
	struct look_back *b = xcalloc(1, sizeof(*b));
	b->job = (struct job){.work = look_work, .done = look_done};
	b->things = t;
	buf_init(&b->found, 4u * LIMIT_SCAN_BYTES + LIMIT_PACKET_BYTES_MAX);
	t->back = b;
	if (hub_feed_count(t->hub)) {
		const struct feed *f = hub_feed_at(t->hub, 0);
		b->id = f->id;
		b->at = f->last;
		b->first = f->first;
	}
	look_next(b);
}
