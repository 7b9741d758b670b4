/* aggregate.c - figures of one datastream in buckets whose edges the asker gives.
 *
 * A chunk that lies in one bucket, untouched by corrections and by what is still in memory, is
 * answered from its head; others are unpacked. Where single observations are gone, hours stand for
 * them: an hour belongs where it begins. */
#include "base/err.h"
#include "series/private.h"

#include <errno.h>
#include <stdlib.h>

enum { HOUR_MS = 3600000, ROLLUP_HOURS = 1000 };

struct aggregate {
	struct series_ask *a;
	struct series_asking *k;
	struct sight sight;
	int64_t end_ms;
	size_t limit, looked, tail_at;
	bool full;   /* no room for another bucket in this step */
	bool hourly; /* all edges are at full hours */
	struct hours_cache *hours;
};

static void open_bucket(struct aggregate *g)
{
	struct series_asking *k = g->k;
	k->open = (struct series_bucket){.from_ms = g->a->edges[k->edge],
	                                 .to_ms = g->a->edges[k->edge + 1]};
}

static void close_bucket(struct aggregate *g)
{
	g->a->buckets[g->a->n++] = g->k->open;
	g->k->edge++;
	g->full = g->a->n == g->limit;
	if (g->k->edge + 1 < g->a->n_edges)
		open_bucket(g);
}

/* Closes buckets up to the one that holds t. false: the step is full before it. */
static bool reach(struct aggregate *g, int64_t t)
{
	while (t >= g->k->open.to_ms) {
		if (g->full)
			return false;
		close_bucket(g);
		if (g->full) {
			g->k->at_ms = g->a->edges[g->k->edge];
			return false;
		}
	}
	return true;
}

static void add_figures(struct series_bucket *b, uint64_t points, const struct figures *f,
                        int64_t first_ms, int64_t last_ms)
{
	if (b->points == 0)
		b->first_ms = first_ms;
	b->last_ms = last_ms;
	b->points += points;
	if (f->count == 0)
		return;
	if (b->count == 0) {
		b->min = f->min;
		b->max = f->max;
		b->first = f->first;
	}
	b->min = MIN_OF(b->min, f->min);
	b->max = MAX_OF(b->max, f->max);
	b->last = f->last;
	b->sum += f->sum;
	b->count += f->count;
}

static bool add_point(struct aggregate *g, const struct point *from)
{
	struct point p = *from;
	if (!reach(g, p.time_ms))
		return false;
	if (!g->a->original && g->sight.n_amends)
		amends_apply(g->sight.amends, g->sight.n_amends, &p);
	if (p.flags & POINT_REJECTED)
		return true;
	struct figures f = {0};
	if (p.kind != POINT_TEXT)
		f = (struct figures){1, p.number, p.number, p.number, p.number, p.number};
	add_figures(&g->k->open, 1, &f, p.time_ms, p.time_ms);
	return true;
}

/* Points from i on that lie in the open bucket and need nothing done to them. Returns behind them.
 */
static size_t add_run(struct aggregate *g, const struct points *s, size_t i)
{
	struct series_bucket *b = &g->k->open;
	int64_t to_ms = MIN_OF(b->to_ms, g->end_ms);
	if (i == s->n || g->full || g->sight.n_amends || s->p[i].kind != POINT_NUMBER ||
	    s->p[i].time_ms >= to_ms)
		return i;
	struct figures f = {.min = s->p[i].number, .max = s->p[i].number, .first = s->p[i].number};
	int64_t first_ms = s->p[i].time_ms, last_ms = first_ms;
	for (; i < s->n && s->p[i].time_ms < to_ms && s->p[i].kind == POINT_NUMBER; i++) {
		double x = s->p[i].number;
		f.min = x < f.min ? x : f.min;
		f.max = x > f.max ? x : f.max;
		f.sum += x;
		f.last = x;
		f.count++;
		last_ms = s->p[i].time_ms;
	}
	add_figures(b, f.count, &f, first_ms, last_ms);
	return i;
}

/* ---- observations ---- */

static bool budget_left(const struct aggregate *g)
{
	return g->looked < LIMIT_SERIES_STEP_POINTS;
}

/* Of the tail: those before t. */
static bool add_tail_before(struct aggregate *g, int64_t t)
{
	const struct points *tail = &g->sight.tail;
	for (; g->tail_at < tail->n && tail->p[g->tail_at].time_ms < t; g->tail_at++)
		if (!add_point(g, &tail->p[g->tail_at]))
			return false;
	return true;
}

static bool tail_within(const struct aggregate *g, int64_t last_ms)
{
	const struct points *tail = &g->sight.tail;
	return g->tail_at < tail->n && tail->p[g->tail_at].time_ms <= last_ms;
}

static bool head_suffices(struct aggregate *g, const struct chunk_head *h)
{
	if (h->first_ms < g->k->at_ms || h->last_ms >= g->end_ms || h->kind == POINT_TEXT ||
	    tail_within(g, h->last_ms) ||
	    (!g->a->original &&
	     amends_touch(g->sight.amends, g->sight.n_amends, h->first_ms, h->last_ms + 1)))
		return false;
	return reach(g, h->first_ms) && h->last_ms < g->k->open.to_ms;
}

static bool hours_suffice(const struct aggregate *g, const struct chunk_head *h)
{
	return g->hourly && (h->kind == POINT_NUMBER || h->kind == POINT_BOOL) &&
	       (g->k->at_ms <= h->first_ms || g->k->at_ms % HOUR_MS == 0) &&
	       !tail_within(g, h->last_ms) &&
	       (g->a->original ||
	        !amends_touch(g->sight.amends, g->sight.n_amends, h->first_ms, h->last_ms + 1));
}

/* As add_unpacked(), by figures of hours. -1: it has to be unpacked. */
static int add_by_hours(struct aggregate *g, const struct chunks_at *at)
{
	const struct chunk_hours *h = hours_suffice(g, &at->head) ? hours_of(g->hours, at) : NULL;
	int taken = 1;
	if (!h)
		return -1;
	g->looked += h->n;
	for (uint32_t i = 0; i < h->n && taken && h->h[i].first_ms < g->end_ms; i++) {
		const struct hour *one = &h->h[i];
		if (one->last_ms < g->k->at_ms)
			continue;
		taken = reach(g, one->first_ms);
		if (taken)
			add_figures(&g->k->open, one->points, &one->figures, one->first_ms,
			            one->last_ms);
	}
	hours_give_back(g->hours, h);
	return taken;
}

/* The tail's share among the chunk's own, each time once as the feed says. */
static int mix_tail(struct aggregate *g, struct points *ret, const struct points *own,
                    int64_t last_ms)
{
	struct points part = g->sight.tail;
	part.p += g->tail_at;
	part.n = 0;
	while (g->tail_at + part.n < g->sight.tail.n && part.p[part.n].time_ms <= last_ms)
		part.n++;
	g->tail_at += part.n;
	int err = points_merge(ret, own, &part);
	if (!err)
		points_unique(ret, g->sight.duplicates);
	return err;
}

/* 1: taken, 0: the step is full, or an error. */
static int add_unpacked(struct aggregate *g, const struct chunks_at *at)
{
	struct points own, mixed;
	points_init(&own, CHUNK_POINTS_MAX);
	points_init(&mixed, SIZE_MAX);
	struct points *all = &own;
	int err = chunk_decode(at->chunk, &own);
	if (err == ERR_STORE_DAMAGED) {
		g->a->damaged++;
		err = 0;
	}
	g->looked += own.n;
	if (!err && tail_within(g, at->head.last_ms)) {
		all = &mixed;
		err = mix_tail(g, &mixed, &own, at->head.last_ms);
	}
	int taken = 1;
	size_t i = 0;
	while (i < all->n && all->p[i].time_ms < g->k->at_ms)
		i++;
	while (i < all->n && !err && taken && all->p[i].time_ms < g->end_ms) {
		taken = add_point(g, &all->p[i]); /* opens its bucket */
		i = taken ? add_run(g, all, i + 1) : i;
	}
	points_done(&own);
	points_done(&mixed);
	return err ? err : taken;
}

static int add_chunk(struct aggregate *g, const struct chunks_at *at)
{
	g->looked += LIMIT_SERIES_STEP_POINTS / LIMIT_SERIES_STEP_CHUNKS;
	if (!at->whole) {
		g->a->damaged++;
		return 1;
	}
	if (!add_tail_before(g, at->head.first_ms))
		return 0;
	if (!head_suffices(g, &at->head)) {
		int taken = g->full ? 0 : add_by_hours(g, at);
		return taken < 0 ? add_unpacked(g, at) : taken;
	}
	add_figures(&g->k->open, at->head.n, &at->head.figures, at->head.first_ms,
	            at->head.last_ms);
	return 1;
}

static int add_observations(struct aggregate *g)
{
	struct chunks_at at;
	int64_t last_ms = INT64_MIN;
	int err = chunks_find(g->sight.view, g->a->id, COLUMN_POINTS, g->k->at_ms, &at);
	while (!err && at.first_ms < g->end_ms) {
		if (!budget_left(g) && at.first_ms > last_ms) {
			if (add_tail_before(g, at.first_ms))
				g->k->at_ms = at.first_ms;
			return 0;
		}
		int taken = add_chunk(g, &at);
		if (taken <= 0)
			return taken;
		last_ms = at.whole ? at.head.last_ms : last_ms;
		err = chunks_next(g->sight.view, &at);
	}
	if (err && err != ERR_NOT_FOUND)
		return err;
	if (add_tail_before(g, g->end_ms))
		g->k->at_ms = g->end_ms;
	return 0;
}

/* ---- hours that stand for observations ---- */

static int read_hours(struct aggregate *g, enum row_column c, int64_t to_ms, struct points *ret)
{
	struct chunks_at at;
	points_clear(ret);
	int err = chunks_find(g->sight.view, g->a->id, c, g->k->at_ms, &at);
	while (!err && at.first_ms < to_ms) {
		if (!at.whole || chunk_decode(at.chunk, ret))
			g->a->damaged++;
		err = chunks_next(g->sight.view, &at);
	}
	return err == ERR_NOT_FOUND ? 0 : err;
}

static const struct point *hour_at(const struct points *s, size_t *i, int64_t t)
{
	while (*i < s->n && s->p[*i].time_ms < t)
		(*i)++;
	return *i < s->n && s->p[*i].time_ms == t ? &s->p[*i] : NULL;
}

static void add_hours(struct aggregate *g, struct points columns[COLUMNS], int64_t to_ms)
{
	size_t i[COLUMNS] = {0};
	const struct points *counts = &columns[COLUMN_COUNT];
	for (size_t k = 0; k < counts->n; k++) {
		int64_t t = counts->p[k].time_ms;
		const struct point *p[COLUMNS];
		bool whole = true;
		if (t < g->k->at_ms || t >= to_ms)
			continue;
		for (enum row_column c = COLUMN_COUNT; c < COLUMNS; c++) {
			p[c] = hour_at(&columns[c], &i[c], t);
			whole &= p[c] != NULL;
		}
		if (!whole)
			continue; /* a piece of a column was damaged: that was counted */
		if (!reach(g, t))
			return;
		struct figures f = {(uint64_t)p[COLUMN_COUNT]->number,
		                    p[COLUMN_MIN]->number,
		                    p[COLUMN_MAX]->number,
		                    p[COLUMN_SUM]->number,
		                    p[COLUMN_FIRST]->number,
		                    p[COLUMN_LAST]->number};
		if (!g->a->original)
			amends_apply_hour(g->sight.amends, g->sight.n_amends, t, &f);
		if (!f.count)
			continue;
		add_figures(&g->k->open, f.count, &f, t, t + HOUR_MS - 1);
		g->k->open.rollup = true;
	}
	g->k->at_ms = to_ms;
}

/* A window of hours; where there is none the next one is looked for. */
static int add_rollups(struct aggregate *g)
{
	struct points columns[COLUMNS];
	struct chunks_at at;
	int64_t end_ms = MIN_OF(g->end_ms, g->sight.since_ms);
	int err = chunks_find(g->sight.view, g->a->id, COLUMN_COUNT, g->k->at_ms, &at);
	if (err == ERR_NOT_FOUND || (!err && at.first_ms >= end_ms)) {
		g->k->at_ms = end_ms;
		return 0;
	}
	if (err)
		return err;
	g->k->at_ms = MAX_OF(g->k->at_ms, at.first_ms);
	int64_t to_ms = end_ms;
	if (to_ms - g->k->at_ms > (int64_t)ROLLUP_HOURS * HOUR_MS)
		to_ms = g->k->at_ms + (int64_t)ROLLUP_HOURS * HOUR_MS;
	for (enum row_column c = COLUMN_POINTS; c < COLUMNS; c++)
		points_init(&columns[c], SIZE_MAX);
	for (enum row_column c = COLUMN_COUNT; c < COLUMNS && !err; c++)
		err = read_hours(g, c, to_ms, &columns[c]);
	if (!err)
		add_hours(g, columns, to_ms);
	for (enum row_column c = COLUMN_POINTS; c < COLUMNS; c++)
		points_done(&columns[c]);
	g->looked += 10 * ROLLUP_HOURS;
	return err;
}

/* ---- a step ---- */

static int begin(struct aggregate *g)
{
	const struct series_ask *a = g->a;
	if (a->n_edges < 2 || a->n_edges > LIMIT_SERIES_EDGES)
		return ERR_INVALID;
	g->hourly = a->edges[0] % HOUR_MS == 0;
	for (size_t i = 1; i < a->n_edges; i++) {
		if (a->edges[i] <= a->edges[i - 1])
			return ERR_INVALID;
		g->hourly &= a->edges[i] % HOUR_MS == 0;
	}
	if (g->k->begun)
		return 0;
	g->k->begun = true;
	g->k->edge = 0;
	g->k->at_ms = a->edges[0];
	open_bucket(g);
	return 0;
}

/* The buckets behind the last observation. */
static void close_rest(struct aggregate *g)
{
	while (g->k->edge + 1 < g->a->n_edges && !g->full)
		close_bucket(g);
}

int aggregate_step(struct series *s, struct series_ask *a)
{
	struct aggregate g = {.a = a, .k = a->private_, .hours = s->hours};
	a->n = 0;
	a->more = false;
	int err = begin(&g);
	if (err)
		return err;
	a->buckets = asking_rows(a, sizeof(*a->buckets), &g.limit);
	g.end_ms = a->edges[a->n_edges - 1];
	err = sight_open(s, a->id, g.k->at_ms, g.end_ms, 0, &g.sight);
	if (err)
		return err;
	while (!err && g.k->at_ms < MIN_OF(g.end_ms, g.sight.since_ms) && !g.full &&
	       budget_left(&g))
		err = add_rollups(&g);
	/* What is too old and not deleted yet is told by the hour, as it will be; what came when
	 * its hour had its figures already joins them with the next deletion. */
	if (g.k->at_ms >= g.sight.since_ms && !g.hourly)
		g.k->at_ms = MAX_OF(g.k->at_ms, MIN_OF(g.sight.keep_from_ms, g.end_ms));
	while (g.tail_at < g.sight.tail.n && g.sight.tail.p[g.tail_at].time_ms < g.k->at_ms)
		g.tail_at++;
	if (!err && g.k->at_ms >= g.sight.since_ms && g.k->at_ms < g.end_ms && !g.full &&
	    budget_left(&g))
		err = add_observations(&g);
	if (!err && g.k->at_ms >= g.end_ms)
		close_rest(&g);
	sight_close(&g.sight);
	a->more = !err && g.k->edge + 1 < a->n_edges;
	return err;
}
