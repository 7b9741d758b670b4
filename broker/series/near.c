/* near.c - which things, or whose datastreams, may be where it is asked, without looking at all of
 * them. */
#include "base/mem.h"
#include "base/numbers.h"
#include "series/private.h"

#include <stdlib.h>

static bool add_streams(const struct series *s, uint32_t thing, uint64_t after, struct near *ret)
{
	for (uint32_t id = s->things[thing].first_stream; id; id = s->streams[id].next) {
		if (id <= after)
			continue;
		if (ret->n == LIMIT_SERIES_STEP_LOOKS)
			return false;
		ret->ids[ret->n++] = id;
	}
	return true;
}

/* Of the things found in an area, or their datastreams, those behind `after`. */
static bool keep(const struct series *s, const uint32_t *found, size_t n, bool streams,
                 uint64_t after, struct near *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (streams) {
			if (!add_streams(s, found[i], after, ret))
				return false;
		} else if (found[i] > after) {
			if (ret->n == LIMIT_SERIES_STEP_LOOKS)
				return false;
			ret->ids[ret->n++] = found[i];
		}
	}
	return true;
}

bool near_find(struct series *s, const struct series_filter *f, bool streams, uint64_t after,
               struct near *ret)
{
	uint32_t *found = xmalloc(LIMIT_SERIES_STEP_LOOKS * sizeof(*found));
	size_t n;
	*ret = (struct near){.ids = xmalloc(LIMIT_SERIES_STEP_LOOKS * sizeof(*ret->ids))};
	pthread_mutex_lock(&s->state);
	bool all = boxes_meeting(&s->boxes, &f->shape, found, LIMIT_SERIES_STEP_LOOKS, &n) &&
	           keep(s, found, n, streams, after, ret);
	pthread_mutex_unlock(&s->state);
	free(found);
	if (!all) {
		near_free(ret);
		return false;
	}
	ret->n = numbers_once(ret->ids, ret->n);
	return true;
}

void near_free(struct near *n)
{
	free(n->ids);
	*n = (struct near){0};
}

void near_moved(struct series *s, uint32_t id, const struct box *before)
{
	const struct thing *t = &s->things[id];
	if (before)
		boxes_drop(&s->boxes, id, before);
	if (thing_is_placed(t) && !t->gone)
		boxes_add(&s->boxes, id, &t->place.box);
}

/* place: the register's, NULL: none. */
static void put_registered(struct series *s, uint32_t id, const struct box *place)
{
	struct thing *t = &s->things[id];
	const struct box before = t->place.box;
	bool was = t->registered;
	if (t->has_place || t->gone)
		return;
	t->registered = place != NULL;
	t->place = (struct where){.box = place ? *place : (struct box){0}};
	near_moved(s, id, was ? &before : NULL);
}

void near_look_up(struct series *s, uint32_t id)
{
	const struct thing *t = &s->things[id];
	struct box at;
	if (s->registered && !t->has_place &&
	    s->registered(s->registered_arg, text_span(t->organisation), text_span(t->name), &at))
		put_registered(s, id, &at);
}

void series_registered(struct series *s, struct span organisation, struct span thing,
                       const struct box *place)
{
	uint32_t id;
	pthread_mutex_lock(&s->state);
	for (uint32_t i = 0; i < s->n_sources; i++)
		if (s->sources[i] && thing_find(s, thing_hash(s, i, organisation, thing), i,
		                                organisation, thing, &id))
			put_registered(s, id, place);
	pthread_mutex_unlock(&s->state);
}
