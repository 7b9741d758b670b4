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

/* ---- numbers ---- */

static uint32_t grown(uint32_t cap, uint32_t id)
{
	uint32_t to = cap ? cap : FIRST;
	while (to <= id)
		to += to < (1u << 16) ? to : to / 4; /* a quarter more: memory is counted */
	return to;
}

struct thing *thing_at(struct series *s, uint32_t id)
{
	if (id >= s->cap_things) {
		s->cap_things = grown(s->cap_things, id);
		s->things = xrealloc(s->things, s->cap_things * sizeof(*s->things));
	}
	for (; s->n_things <= id; s->n_things++)
		s->things[s->n_things] = (struct thing){.gone = true};
	return &s->things[id];
}

struct stream *stream_at(struct series *s, uint32_t id)
{
	if (id >= s->cap_streams) {
		s->cap_streams = grown(s->cap_streams, id);
		s->streams = xrealloc(s->streams, s->cap_streams * sizeof(*s->streams));
	}
	for (; s->n_streams <= id; s->n_streams++)
		s->streams[s->n_streams] = (struct stream){.gone = true};
	return &s->streams[id];
}

/* ---- things by name ---- */

static uint32_t thing_hash(const struct series *s, uint32_t feed, struct span organisation,
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

static void slots_grow(struct series *s)
{
	size_t before = s->thing_slots ? s->thing_mask + 1 : 0, n = before ? 2 * before : 2 * FIRST;
	struct thing_slot *old = s->thing_slots;
	s->thing_slots = xcalloc(n, sizeof(*s->thing_slots));
	s->thing_mask = n - 1;
	for (size_t i = 0; i < before; i++)
		if (old[i].id && !s->things[old[i].id].gone)
			slot_put(s, old[i]);
	free(old);
}

void thing_index(struct series *s, uint32_t id)
{
	struct thing *t = &s->things[id];
	t->gone = false;
	s->stats.things++;
	/* By numbers, not by things: those that are gone keep their slots. */
	while (!s->thing_slots || (size_t)s->n_things * 4 >= s->thing_mask * 3)
		slots_grow(s);
	uint32_t hash = thing_hash(s, t->feed, text_span(t->organisation), text_span(t->name));
	slot_put(s, (struct thing_slot){id, hash});
}

struct thing *thing_find(struct series *s, uint32_t feed, struct span organisation,
                         struct span name, uint32_t *ret_id)
{
	if (!s->thing_slots)
		return NULL;
	uint32_t hash = thing_hash(s, feed, organisation, name);
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

struct thing *thing_add(struct series *s, uint32_t feed, struct span organisation, struct span name,
                        uint32_t *ret_id)
{
	uint32_t id = MAX_OF(s->n_things, 1u);
	if (id > LIMIT_SERIES_STREAMS)
		return NULL;
	struct thing *t = thing_at(s, id);
	t->feed = feed;
	t->organisation = name_intern(s, organisation);
	t->name = text_new(name);
	t->dirty = true;
	thing_index(s, id);
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
	for (uint32_t id = 0; id < s->n_things; id++)
		free(s->things[id].name);
	for (struct tail_text *t; (t = map_next(&s->members, &at, NULL));)
		free(t);
	map_done(&s->members);
	free(s->things);
	free(s->streams);
	free(s->thing_slots);
}
