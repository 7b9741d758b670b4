/* sta_properties.c - ObservedProperties that are derived from data: what schemas say that
 * datastreams are of. There is no list of them, for a schema may change what a datastream is of;
 * which datastream had one last is kept as a hint, and looked at before it is believed. */
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "sta/build.h"
#include "web/sta_entity.h"
#include "web/sta_multi.h"

#include <stdlib.h>

struct sta_hints *sta_hints_new(void)
{
	return xcalloc(1, sizeof(struct sta_hints));
}

static _Atomic uint32_t *hint_of(struct sta_hints *h, int64_t property)
{
	return &h->stream[(uint64_t)property % LIMIT_STA_HINTS];
}

void sta_hint(const struct sta_things *t, int64_t property, uint32_t stream)
{
	if (t->hints)
		atomic_store_explicit(hint_of(t->hints, property), stream, memory_order_relaxed);
}

/* By a written Datastream, which names its own ObservedProperty. */
bool sta_is_described(const struct sta_things *t, uint32_t stream)
{
	return t->written && t->written(t->written_arg, stream);
}

/* Properties are few; each is made once, from the first datastream that has it. */
struct property {
	int64_t id;
	json_t *entity;
};
struct properties {
	struct property p[LIMIT_STA_PROPERTIES];
	size_t n;
};

static int by_id(const void *a, const void *b)
{
	int64_t x = ((const struct property *)a)->id, y = ((const struct property *)b)->id;
	return (x > y) - (x < y);
}

static void note_property(const struct sta_things *t, struct properties *all,
                          const struct series_stream *s)
{
	int64_t id = sta_property_id(s);
	if (sta_is_described(t, s->id))
		return;
	sta_hint(t, id, s->id);
	for (size_t i = all->n; i-- > 0;) /* neighbours have much in common */
		if (all->p[i].id == id)
			return;
	if (all->n < LIMIT_STA_PROPERTIES)
		all->p[all->n++] = (struct property){id, sta_property(s)};
}

/* only: stop when this one is known; 0: all. */
static int find_properties(const struct sta_things *t, int64_t only, struct properties *all)
{
	struct series_ask a;
	int rc = 0;
	sta_ask_init(t, &a, SERIES_STREAMS);
	while (sta_ask_step(t, &a, &rc)) {
		for (size_t i = 0; i < a.n; i++)
			if (!only || sta_property_id(&a.streams[i]) == only)
				note_property(t, all, &a.streams[i]);
		if (only && all->n)
			break;
	}
	return sta_ask_end(&a, rc);
}

int sta_properties_walk(const struct sta_things *t, const struct sta_list *l, sta_visit *visit,
                        void *arg)
{
	struct properties *all = calloc(1, sizeof(*all));
	int64_t after = -1;
	if (l->token.n && l->token.n != sizeof(after)) {
		free(all);
		return ERR_MALFORMED;
	}
	if (l->token.n)
		memcpy(&after, l->token.p, sizeof(after));
	int rc = all ? find_properties(t, 0, all) : ERR_AGAIN;
	if (!rc)
		qsort(all->p, all->n, sizeof(all->p[0]), by_id);
	for (size_t i = 0; all && i < all->n; i++) {
		int64_t id = all->p[i].id;
		if (!rc && id > after)
			rc = all->p[i].entity ? visit(arg, id, all->p[i].entity,
			                              span_of((const char *)&id, sizeof(id)))
			                      : ERR_AGAIN;
		sta_drop(all->p[i].entity);
	}
	free(all);
	return rc;
}

/* The datastream that had it last, when it still has. */
static int get_hinted(const struct sta_things *t, int64_t id, json_t **ret)
{
	struct series_ask a;
	uint32_t stream =
	    t->hints ? atomic_load_explicit(hint_of(t->hints, id), memory_order_relaxed) : 0;
	if (!stream)
		return ERR_NOT_FOUND;
	sta_ask_init(t, &a, SERIES_STREAMS);
	a.filter.stream_id = stream;
	int err = sta_ask_one(t, &a);
	if (!err && (sta_property_id(&a.streams[0]) != id || sta_is_described(t, stream)))
		err = ERR_NOT_FOUND;
	if (!err)
		*ret = sta_property(&a.streams[0]);
	series_ask_done(&a);
	return err;
}

int sta_property_get(const struct sta_things *t, int64_t id, json_t **ret)
{
	if (id > 0 && get_hinted(t, id, ret) == 0)
		return 0;
	struct properties *one = calloc(1, sizeof(*one));
	if (!one || id <= 0) {
		free(one);
		return ERR_NOT_FOUND;
	}
	int rc = find_properties(t, id, one);
	if (!rc && !one->n)
		rc = ERR_NOT_FOUND;
	if (!rc)
		*ret = one->p[0].entity;
	free(one);
	return rc;
}
