/* hours.c - see hours.h. A table of fixed size with two places for each chunk; what is in use stays
 * until it is given back. */
#include "series/hours.h"

#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

enum {
	HOUR_MS = 3600000,
	SLOTS = 1 << 15,
	WORTH = 8 /* observations an hour, at least */
};

struct slot {
	uint32_t stream, checksum;
	int64_t first_ms;
	uint16_t part;
	bool asked; /* since the hand passed by */
	struct chunk_hours *hours;
};

struct hours_cache {
	pthread_mutex_t lock;
	struct hash_key key;
	struct slot *slots; /* NULL until the first is kept */
	size_t bytes;
	unsigned hand;
};

struct hours_cache *hours_cache_new(void)
{
	struct hours_cache *c = xcalloc(1, sizeof(*c));
	pthread_mutex_init(&c->lock, NULL);
	c->key = hash_key_random();
	return c;
}

static size_t bytes_of(const struct chunk_hours *h)
{
	return sizeof(*h) + h->n * sizeof(h->h[0]);
}

static void let_go(struct chunk_hours *h)
{
	if (--h->users == 0)
		free(h);
}

static void clear(struct hours_cache *c, struct slot *s)
{
	c->bytes -= bytes_of(s->hours);
	let_go(s->hours);
	*s = (struct slot){0};
}

void hours_cache_free(struct hours_cache *c)
{
	if (!c)
		return;
	for (unsigned i = 0; c->slots && i < SLOTS; i++)
		if (c->slots[i].hours)
			clear(c, &c->slots[i]);
	free(c->slots);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static struct slot name_of(const struct chunks_at *at)
{
	struct slot s = {.stream = at->stream, .first_ms = at->first_ms, .part = at->part};
	memcpy(&s.checksum, at->chunk.p + CHUNK_CHECKSUM_AT, sizeof(s.checksum));
	return s;
}

static bool is_same(const struct slot *a, const struct slot *b)
{
	return a->hours && a->stream == b->stream && a->first_ms == b->first_ms &&
	       a->part == b->part && a->checksum == b->checksum;
}

static struct slot *place_of(const struct hours_cache *c, const struct slot *name)
{
	uint64_t what[2] = {(uint64_t)name->stream << 32 | name->checksum,
	                    (uint64_t)name->first_ms ^ name->part};
	return &c->slots[hash64(&c->key, what, sizeof(what)) % (SLOTS / 2) * 2];
}

static const struct chunk_hours *find(struct hours_cache *c, const struct slot *name)
{
	struct chunk_hours *found = NULL;
	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; c->slots && i < 2 && !found; i++) {
		struct slot *s = place_of(c, name) + i;
		if (!is_same(s, name))
			continue;
		s->asked = true;
		found = s->hours;
		found->users++;
	}
	pthread_mutex_unlock(&c->lock);
	return found;
}

/* Those that nobody asked for since the last time go, until there is room. */
static void make_room(struct hours_cache *c)
{
	for (; c->bytes > LIMIT_SERIES_HOURS_BYTES; c->hand = (c->hand + 1) % SLOTS) {
		struct slot *s = &c->slots[c->hand];
		if (s->hours && !s->asked)
			clear(c, s);
		s->asked = false;
	}
}

static void keep(struct hours_cache *c, const struct slot *name, struct chunk_hours *h)
{
	pthread_mutex_lock(&c->lock);
	if (!c->slots)
		c->slots = xcalloc(SLOTS, sizeof(*c->slots));
	struct slot *s = place_of(c, name);
	if (s->hours && (s->asked || !s[1].hours))
		s++;
	if (s->hours)
		clear(c, s);
	*s = *name;
	s->hours = h;
	s->asked = true;
	h->users++;
	c->bytes += bytes_of(h);
	make_room(c);
	pthread_mutex_unlock(&c->lock);
}

/* ---- working them out ---- */

static int64_t hour_index(int64_t t)
{
	return t / HOUR_MS - (t % HOUR_MS < 0);
}

static void add(struct hour *h, const struct point *p)
{
	struct figures *f = &h->figures;
	double x = p->number;
	if (!h->points) {
		h->first_ms = p->time_ms;
		*f = (struct figures){.min = x, .max = x, .first = x};
	}
	h->last_ms = p->time_ms;
	h->points++;
	f->min = x < f->min ? x : f->min;
	f->max = x > f->max ? x : f->max;
	f->sum += x;
	f->last = x;
	f->count++;
}

static struct chunk_hours *work_out(const struct points *p)
{
	size_t most = p->n / WORTH;
	struct chunk_hours *h = malloc(sizeof(*h) + most * sizeof(h->h[0]));
	int64_t end_ms = INT64_MIN;
	if (!h)
		return NULL;
	h->n = 0;
	h->users = 1;
	for (size_t i = 0; i < p->n; i++) {
		if (p->p[i].time_ms >= end_ms) {
			if (h->n == most) {
				free(h);
				return NULL;
			}
			h->h[h->n++] = (struct hour){0};
			end_ms = (hour_index(p->p[i].time_ms) + 1) * HOUR_MS;
		}
		add(&h->h[h->n - 1], &p->p[i]);
	}
	return h;
}

const struct chunk_hours *hours_of(struct hours_cache *c, const struct chunks_at *at)
{
	struct points p;
	const struct slot name = name_of(at);
	const struct chunk_hours *known = find(c, &name);
	if (known)
		return known;
	points_init(&p, CHUNK_POINTS_MAX);
	struct chunk_hours *h = chunk_decode(at->chunk, &p) ? NULL : work_out(&p);
	points_done(&p);
	if (h)
		keep(c, &name, h);
	return h;
}

void hours_give_back(struct hours_cache *c, const struct chunk_hours *h)
{
	pthread_mutex_lock(&c->lock);
	let_go((struct chunk_hours *)(uintptr_t)h);
	pthread_mutex_unlock(&c->lock);
}
