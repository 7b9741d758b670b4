/* share_lag.c - where a group is in each feed: live, behind with a cursor, or at rest. */
#include "base/mem.h"
#include "session/share.h"

#include <stdlib.h>

/* ---- behind ---- */

static void lag_wake(struct cursor *c)
{
	share_due(((struct share_lag *)c->owner)->share);
}

static struct share_lag *lag_new(struct share *g)
{
	struct share_lag *l = xcalloc(1, sizeof(*l));
	l->share = g;
	list_init(&l->node);
	list_append(&g->lags, &l->node);
	share_changed(g);
	return l;
}

static void lag_begin(struct share_lag *l)
{
	l->cursor.wake = lag_wake;
	l->cursor.owner = l;
}

static void lag_end(struct share_lag *l)
{
	struct share *g = l->share;
	cursor_close(&l->cursor);
	list_remove(&l->node);
	free(l);
	share_changed(g);
}

/* It has come past all that was taken before the restart. */
static void live_again(struct share_lag *l)
{
	struct share *g = l->share;
	lag_end(l);
	if (!list_empty(&g->lags))
		return;
	free(g->taken);
	g->taken = NULL;
	g->n_taken = g->cap_taken = 0;
}

static struct share_lag *lag_in(const struct share *g, const struct feed *f)
{
	list_for_each (it, &g->lags) {
		struct share_lag *l = list_entry(it, struct share_lag, node);
		if (l->cursor.feed == f)
			return l;
	}
	return NULL;
}

void share_record(struct sessions *t, struct feed *f, const struct record *r)
{
	if (sub_tree_match(t->shared, r->topic, &t->shared_matches))
		fatal("out of memory while matching subscriptions");
	for (size_t i = 0; i < t->shared_matches.n; i++) {
		struct share *g = container_of(t->shared_matches.p[i]->owner, struct share, sub);
		if ((!list_empty(&g->lags) && lag_in(g, f)) || share_give(g, f, r) != SHARE_LATER)
			continue;
		struct share_lag *l = lag_new(g);
		cursor_open_live(&l->cursor, t->hub, f);
		l->cursor.next = r->sequence;
		lag_begin(l);
	}
}

/* False: not now. */
static bool lag_record(struct share_lag *l, const struct record *r)
{
	struct share *g = l->share;
	struct feed *f = l->cursor.feed;
	if (!topic_matches(g->filter, r->topic))
		return true;
	if (r->sequence < l->qos0_from && record_qos(r) == 0)
		return true; /* nobody was here, and QoS 0 is for who is */
	if (g->n_taken && share_is_taken(g, f->id, r->sequence))
		return true;
	return share_give(g, f, r) != SHARE_LATER;
}

static void pump(struct share_lag *l)
{
	struct share *g = l->share;
	struct record r;
	while (g->n_ready) {
		switch (cursor_next(&l->cursor, &r)) {
		case CURSOR_RECORD:
			share_changed(g);
			if (lag_record(l, &r))
				continue;
			l->cursor.next--; /* again when there is room */
			return;
		case CURSOR_GAP:
			share_gap(g, l->cursor.feed, l->cursor.gap_from, l->cursor.gap_to);
			continue;
		case CURSOR_HEAD: /* see lag.c: not before the live ones were shown it */
			if (shown_last(g->table, l->cursor.feed) >= l->cursor.feed->last)
				live_again(l);
			return;
		case CURSOR_ENDED: live_again(l); return;
		case CURSOR_WAIT: return;
		case CURSOR_ERROR: g->failed = true; return;
		}
	}
}

void share_lags_pump(struct share *g)
{
	list_for_each_safe (it, &g->lags)
		pump(list_entry(it, struct share_lag, node));
}

/* ---- where it is ---- */

static void touch(struct share *g)
{
	const struct hub *h = g->table->hub;
	if (g->touched_config == hub_config(h))
		return;
	g->touched_config = hub_config(h);
	for (unsigned i = 0; i < hub_feed_count(h); i++)
		if (feed_touches(hub_feed_at(h, i), g->filter))
			g->touched[i / 64] |= 1ull << (i % 64);
}

static struct place place_in(const struct share *g, const struct feed *f)
{
	struct place p = {.feed_id = f->id, .epoch = f->epoch, .next = shown_last(g->table, f) + 1};
	const struct share_lag *l = lag_in(g, f);
	if (!l)
		return p;
	const struct cursor *c = &l->cursor;
	p.next = c->lookup ? f->first : c->gap_pending ? c->gap_from : c->next;
	p.behind = true;
	return p;
}

static unsigned places_here(struct share *g, struct place **ret)
{
	const struct hub *h = g->table->hub;
	unsigned n = 0;
	touch(g);
	*ret = xmalloc((hub_feed_count(h) + 1) * sizeof(**ret));
	for (unsigned i = 0; i < hub_feed_count(h); i++)
		if (g->touched[i / 64] >> (i % 64) & 1)
			(*ret)[n++] = place_in(g, hub_feed_at(h, i));
	return n;
}

unsigned share_places(struct share *g, struct place **ret)
{
	if (g->n_here)
		return places_here(g, ret);
	*ret = NULL;
	if (g->n_places) {
		*ret = xmalloc(g->n_places * sizeof(**ret));
		memcpy(*ret, g->places, g->n_places * sizeof(**ret));
	}
	return g->n_places;
}

/* Whether anything is owed to those who are away: QoS 0 is for who is here. */
static bool owed(const struct share *g)
{
	list_for_each (it, &g->away)
		if (list_entry(it, struct member, node)->options.qos)
			return true;
	return false;
}

void share_rest(struct share *g)
{
	struct sessions *t = g->table;
	free(g->places);
	g->places = NULL;
	g->n_places = 0;
	g->rest_ms = 0;
	if (owed(g)) {
		g->n_places = places_here(g, &g->places);
		g->rest_ms = clock_wall_ms(hub_clock(t->hub));
	}
	while (!list_empty(&g->lags))
		lag_end(list_entry(g->lags.next, struct share_lag, node));
	cursor_close(&g->fetch);
	sub_tree_remove_all(t->shared, &g->sub);
	share_changed(g);
}

static void rise_in(struct share *g, struct feed *f, const struct place *p)
{
	if (p->epoch == f->epoch && p->next > f->last)
		return;
	struct share_lag *l = lag_new(g);
	cursor_open_after(&l->cursor, g->table->hub, f, p->epoch, p->next - 1);
	lag_begin(l);
	l->qos0_from = shown_last(g->table, f) + 1;
}

static const struct place *place_of(const struct share *g, const struct feed *f)
{
	for (unsigned i = 0; i < g->n_places; i++)
		if (g->places[i].feed_id == f->id)
			return &g->places[i];
	return NULL;
}

/* A feed that was configured meanwhile has nothing for it that is older than its absence. */
void share_rise(struct share *g)
{
	struct sessions *t = g->table;
	struct sub_options none = {0};
	if (sub_tree_add(t->shared, &g->sub, g->filter, &none, NULL, NULL))
		fatal("out of memory for a shared subscription");
	touch(g);
	for (unsigned i = 0; g->rest_ms && i < hub_feed_count(t->hub); i++) {
		struct feed *f = hub_feed_at(t->hub, i);
		const struct place *p = place_of(g, f);
		if (f->ended || !(g->touched[i / 64] >> (i % 64) & 1))
			continue;
		if (p) {
			rise_in(g, f, p);
		} else if (f->last_stored_ms >= g->rest_ms && f->first <= f->last) {
			struct share_lag *l = lag_new(g);
			cursor_open_since(&l->cursor, t->hub, f, g->rest_ms);
			lag_begin(l);
			l->qos0_from = shown_last(t, f) + 1;
		}
	}
	free(g->places);
	g->places = NULL;
	g->n_places = 0;
	g->rest_ms = 0;
	share_changed(g);
}
