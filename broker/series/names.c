/* names.c - things and datastreams in memory, by number and by name.
 *
 * Numbers are dense and given once. A thing is found by its feed, organisation and name through a
 * table of numbers; its datastreams, which are few, by walking their list. Names that many share
 * (organisations, members) are kept once. */
#include "base/mem.h"
#include "series/private.h"

#include <stdlib.h>

enum { FIRST = 256 };

struct tail_text *text_new(struct span text)
{
	assert(text.n <= UINT16_MAX);
	struct tail_text *t = xmalloc(sizeof(*t) + text.n);
	t->n = (uint16_t)text.n;
	if (text.n)
		memcpy(t->p, text.p, text.n);
	return t;
}

struct tail_text *name_intern(struct series *s, struct span text)
{
	struct tail_text *t = map_get(&s->members, text);
	if (!t) {
		t = text_new(text);
		map_set(&s->members, text, t);
	}
	return t;
}

/* ---- names of things: one after the other in large blocks, never given back one by one ---- */

enum { NAMES_BYTES = 256 << 10 };

struct names_block {
	struct names_block *next;
	size_t used;
	char bytes[];
};

struct tail_text *name_keep(struct series *s, struct span text)
{
	size_t n = sizeof(struct tail_text) + text.n;
	assert(text.n <= UINT16_MAX && n < NAMES_BYTES);
	n += n % _Alignof(struct tail_text);
	if (!s->names || NAMES_BYTES - s->names->used < n) {
		struct names_block *b = xmalloc(sizeof(*b) + NAMES_BYTES);
		*b = (struct names_block){.next = s->names};
		s->names = b;
	}
	struct tail_text *t = (struct tail_text *)(void *)(s->names->bytes + s->names->used);
	s->names->used += n;
	t->n = (uint16_t)text.n;
	if (text.n)
		memcpy(t->p, text.p, text.n);
	return t;
}

/* ---- numbers ---- */

static uint32_t grown(uint32_t cap, uint32_t id)
{
	uint32_t to = cap ? cap : FIRST;
	while (to <= id)
		to += to < (1u << 16) ? to : to / 4; /* a quarter more: memory is counted */
	return to;
}

static void things_room(struct series *s, uint32_t cap)
{
	s->cap_things = cap;
	s->things = xrealloc(s->things, cap * sizeof(*s->things));
}

static void streams_room(struct series *s, uint32_t cap)
{
	s->cap_streams = cap;
	s->streams = xrealloc(s->streams, cap * sizeof(*s->streams));
}

struct thing *thing_at(struct series *s, uint32_t id)
{
	if (id >= s->cap_things)
		things_room(s, grown(s->cap_things, id));
	for (; s->n_things <= id; s->n_things++)
		s->things[s->n_things] = (struct thing){.gone = true};
	return &s->things[id];
}

struct stream *stream_at(struct series *s, uint32_t id)
{
	if (id >= s->cap_streams)
		streams_room(s, grown(s->cap_streams, id));
	for (; s->n_streams <= id; s->n_streams++)
		s->streams[s->n_streams] = (struct stream){.gone = true};
	return &s->streams[id];
}

/* ---- things by name ---- */

uint32_t thing_hash(const struct series *s, uint32_t feed, struct span organisation,
                    struct span name)
{
	uint64_t h = hash64(&s->key, name.p, name.n);
	h = (h ^ feed) * 0x9E3779B97F4A7C15u;
	if (organisation.n)
		h ^= hash64(&s->key, organisation.p, organisation.n);
	return (uint32_t)(h >> 32 ^ h);
}

static void slot_put(struct series *s, struct thing_slot what)
{
	size_t i = what.hash & s->thing_mask;
	while (s->thing_slots[i].id)
		i = (i + 1) & s->thing_mask;
	s->thing_slots[i] = what;
}

static bool slots_full(const struct series *s, uint64_t things)
{
	return !s->thing_slots || things * 4 >= s->thing_mask * 3;
}

static void slots_grow(struct series *s, uint64_t things)
{
	size_t before = s->thing_slots ? s->thing_mask + 1 : 0, n = before ? before : FIRST;
	do
		n *= 2;
	while (things * 4 >= (n - 1) * 3);
	struct thing_slot *old = s->thing_slots;
	s->thing_slots = xcalloc(n, sizeof(*s->thing_slots));
	s->thing_mask = n - 1;
	for (size_t i = 0; i < before; i++)
		if (old[i].id && !s->things[old[i].id].gone)
			slot_put(s, old[i]);
	free(old);
}

void thing_index(struct series *s, uint32_t id, uint32_t hash)
{
	struct thing *t = &s->things[id];
	t->gone = false;
	s->stats.things++;
	/* By numbers, not by things: those that are gone keep their slots. */
	if (slots_full(s, s->n_things))
		slots_grow(s, s->n_things);
	slot_put(s, (struct thing_slot){id, hash});
}

void names_reserve(struct series *s, uint64_t things, uint64_t streams)
{
	things = MIN_OF(things, (uint64_t)LIMIT_SERIES_STREAMS) + 1;
	streams = MIN_OF(streams, (uint64_t)LIMIT_SERIES_STREAMS) + 1;
	if (things > s->cap_things)
		things_room(s, (uint32_t)things);
	if (streams > s->cap_streams)
		streams_room(s, (uint32_t)streams);
	if (slots_full(s, things))
		slots_grow(s, things);
}

/* The first number whose hash is right; nearly always the one that is meant. */
static uint32_t likely_id(const struct series *s, uint32_t hash)
{
	for (size_t i = hash & s->thing_mask; s->thing_slots[i].id; i = (i + 1) & s->thing_mask)
		if (s->thing_slots[i].hash == hash)
			return s->thing_slots[i].id;
	return 0;
}

static void fetch(const void *p, size_t n)
{
	for (size_t at = 0; at < n; at += 64)
		__builtin_prefetch((const char *)p + at, 1);
}

void things_prefetch(const struct series *s, const uint32_t *hashes, unsigned n)
{
	uint32_t ids[THINGS_PREFETCHED];
	assert(n <= THINGS_PREFETCHED);
	if (!s->thing_slots)
		return;
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(&s->thing_slots[hashes[i] & s->thing_mask]);
	for (unsigned i = 0; i < n; i++) {
		ids[i] = likely_id(s, hashes[i]);
		fetch(&s->things[ids[i]], sizeof(*s->things));
	}
	for (unsigned i = 0; i < n; i++) {
		const struct thing *t = &s->things[ids[i]];
		if (t->name)
			__builtin_prefetch(t->name);
		fetch(&s->streams[t->first_stream], sizeof(*s->streams));
	}
}

struct thing *thing_find(struct series *s, uint32_t hash, uint32_t feed, struct span organisation,
                         struct span name, uint32_t *ret_id)
{
	if (!s->thing_slots)
		return NULL;
	for (size_t i = hash & s->thing_mask; s->thing_slots[i].id; i = (i + 1) & s->thing_mask) {
		uint32_t id = s->thing_slots[i].id;
		struct thing *t = &s->things[id];
		if (s->thing_slots[i].hash == hash && t->feed == feed && !t->gone &&
		    span_eq(text_span(t->name), name) &&
		    span_eq(text_span(t->organisation), organisation)) {
			*ret_id = id;
			return t;
		}
	}
	return NULL;
}

struct thing *thing_add(struct series *s, uint32_t hash, uint32_t feed, struct span organisation,
                        struct span name, uint32_t *ret_id)
{
	uint32_t id = MAX_OF(s->n_things, 1u);
	if (id > LIMIT_SERIES_STREAMS)
		return NULL;
	struct thing *t = thing_at(s, id);
	t->feed = feed;
	t->organisation = name_intern(s, organisation);
	t->name = name_keep(s, name);
	t->dirty = true;
	thing_index(s, id, hash);
	if (!s->new_things)
		s->new_things = id;
	struct source *src = source_of(s, feed);
	if (src)
		src->things++;
	*ret_id = id;
	return t;
}

/* ---- datastreams ---- */

uint32_t stream_find(struct series *s, const struct thing *t, struct span member)
{
	for (uint32_t id = t->first_stream; id; id = s->streams[id].next)
		if (span_eq(text_span(s->streams[id].member), member))
			return id;
	return 0;
}

void stream_index(struct series *s, uint32_t id)
{
	struct stream *st = &s->streams[id];
	struct thing *t = &s->things[st->thing];
	st->gone = false;
	st->next = t->first_stream;
	t->first_stream = id;
	t->n_streams++;
	s->stats.streams++;
	struct source *src = source_of(s, t->feed);
	if (src)
		src->streams++;
}

uint32_t stream_add(struct series *s, uint32_t thing_id, struct span member)
{
	uint32_t id = MAX_OF(s->n_streams, 1u);
	if (s->stats.streams >= LIMIT_SERIES_STREAMS || id == UINT32_MAX) {
		s->stats.streams_refused++;
		return 0;
	}
	struct stream *st = stream_at(s, id);
	st->thing = thing_id;
	st->member = name_intern(s, member);
	st->meaning = &meaning_none;
	st->since_ms = INT64_MIN;
	st->dirty = true;
	stream_index(s, id);
	if (!s->new_streams)
		s->new_streams = id;
	return id;
}

void names_free(struct series *s)
{
	size_t at = 0;
	for (uint32_t id = 0; id < s->n_streams; id++) {
		struct stream *st = &s->streams[id];
		for (uint32_t i = 0; i < st->tail_n; i++)
			if (st->tail[i].kind == POINT_TEXT)
				free(st->tail[i].text);
		free(st->tail);
		held_clear(&st->latest);
		if (st->future)
			held_clear(st->future);
		free(st->future);
		free(st->amends);
	}
	for (struct names_block *b = s->names, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	for (struct tail_text *t; (t = map_next(&s->members, &at, NULL));)
		free(t);
	map_done(&s->members);
	free(s->things);
	free(s->streams);
	free(s->thing_slots);
	boxes_done(&s->boxes);
}
