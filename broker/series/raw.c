/* raw.c - single observations of one datastream, step by step, forwards or backwards.
 *
 * A step reads whole chunks until it has enough. What lies before the next chunk (after the former
 * one, when it goes backwards) is then complete: this horizon bounds what of the tail may be told
 * with it. */
#include "base/err.h"
#include "base/search.h"
#include "series/private.h"

#include <errno.h>
#include <stdlib.h>

struct raw {
	struct series_ask *a;
	struct sight sight;
	struct points disk;
	struct waiting_details waiting;
	uint32_t *of;           /* of the points in order: which detail; NULL: none has any */
	int64_t begin_ms;       /* where what is asked for begins */
	int64_t from_ms, to_ms; /* what this step may tell */
	int64_t horizon_ms;     /* forwards: all before it; backwards: all from it on */
	uint32_t since_s;       /* 0: not asked */
	size_t want, looked;
};

/* For one whose second is not known: it is in a piece of which something was stored since. */
#define MAYBE_SINCE UINT32_MAX

/* In the order of the answer. */
static struct point *nth(const struct raw *r, const struct points *s, size_t i)
{
	return &s->p[r->a->descending ? s->n - 1 - i : i];
}

static bool enough(const struct raw *r)
{
	return r->disk.n >= r->want || r->looked >= LIMIT_SERIES_STEP_POINTS;
}

/* Where the first of one time says what the others are: one on disk between the two may be that of
 * one in the tail. */
static bool may_rule(const struct raw *r, int64_t first_ms, int64_t last_ms)
{
	const struct points *tail = &r->sight.tail;
	if (r->sight.duplicates == CONFIG_REPLACE)
		return false;
	size_t low = search_first(i, 0, tail->n, tail->p[i].time_ms < first_ms);
	return low < tail->n && tail->p[low].time_ms <= last_ms;
}

/* Whether it is needed for the answer: told, or there to rule out another one. */
static bool take_since(const struct raw *r, const struct chunks_at *at, struct point *p)
{
	if (!p->stored_s && at->stored_s >= r->since_s)
		p->stored_s = MAYBE_SINCE;
	return p->stored_s >= r->since_s || may_rule(r, p->time_ms, p->time_ms);
}

static int take_chunk(struct raw *r, const struct chunks_at *at)
{
	struct points one;
	r->looked += LIMIT_SERIES_STEP_POINTS / LIMIT_SERIES_STEP_CHUNKS;
	if (!at->whole) {
		r->a->damaged++;
		return 0;
	}
	if (at->stored_s < r->since_s && !may_rule(r, at->head.first_ms, at->head.last_ms))
		return 0;
	points_init(&one, CHUNK_POINTS_MAX);
	int err = r->a->stored || r->since_s ? chunk_decode_stored(at->chunk, &one)
	                                     : chunk_decode(at->chunk, &one);
	if (err == ERR_STORE_DAMAGED) {
		r->a->damaged++;
		err = 0;
	}
	r->looked += one.n;
	for (size_t i = 0; i < one.n && !err; i++) {
		struct point *p = nth(r, &one, i);
		if (p->time_ms >= r->from_ms && p->time_ms < r->to_ms &&
		    (!r->since_s || take_since(r, at, p)))
			err = points_copy(&r->disk, &one, p);
	}
	points_done(&one);
	return err;
}

static int read_forwards(struct raw *r)
{
	struct chunks_at at;
	struct side_view *v = r->sight.view;
	int64_t last_ms = INT64_MIN;
	int err = chunks_find(v, r->a->id, COLUMN_POINTS, r->from_ms, &at);
	while (!err && at.first_ms < r->to_ms) {
		if (enough(r) && at.first_ms > last_ms) { /* those that touch go together */
			r->horizon_ms = at.first_ms;
			return 0;
		}
		if (at.whole)
			last_ms = at.head.last_ms;
		err = take_chunk(r, &at);
		err = err ? err : chunks_next(v, &at);
	}
	r->horizon_ms = r->to_ms;
	return err == ERR_NOT_FOUND ? 0 : err;
}

/* Chunks before this one hold nothing that is asked for. */
static bool passed(const struct raw *r, const struct chunks_at *at)
{
	return at->whole ? at->head.last_ms < r->from_ms : at->first_ms < r->from_ms;
}

static int read_backwards(struct raw *r)
{
	struct chunks_at at;
	struct side_view *v = r->sight.view;
	int64_t begun_ms = r->to_ms;
	int err = chunks_find_back(v, r->a->id, COLUMN_POINTS, r->to_ms - 1, &at);
	while (!err && !passed(r, &at)) {
		int64_t last_ms = at.whole ? at.head.last_ms : at.first_ms;
		if (enough(r) && last_ms < begun_ms) {
			r->horizon_ms = last_ms + 1;
			return 0;
		}
		begun_ms = at.first_ms;
		err = take_chunk(r, &at);
		err = err ? err : chunks_prev(v, &at);
	}
	r->horizon_ms = r->from_ms;
	return err == ERR_NOT_FOUND ? 0 : err;
}

/* The tail's share of what is complete, and all of it in order. */
static int gather(struct raw *r, struct points *ret)
{
	struct points tail = r->sight.tail;
	bool back = r->a->descending;
	size_t first = 0, last = tail.n;
	while (back && first < tail.n && tail.p[first].time_ms < r->horizon_ms)
		first++;
	while (!back && last > 0 && tail.p[last - 1].time_ms >= r->horizon_ms)
		last--;
	tail.p += first;
	tail.n = last - first;
	if (back) /* it was read from the newest to the oldest */
		points_reverse(&r->disk);
	int err = points_sort(&r->disk);
	err = err ? err : points_merge(ret, &r->disk, &tail);
	if (!err)
		points_unique(ret, r->sight.duplicates);
	return err;
}

/* What was stored before goes. Only now: the first of its time rules out later ones. */
static void only_since(const struct raw *r, struct points *s)
{
	size_t to = 0;
	if (!r->since_s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		if (s->p[i].stored_s < r->since_s)
			continue;
		s->p[to] = s->p[i];
		if (s->p[to].stored_s == MAYBE_SINCE)
			s->p[to].stored_s = 0;
		to++;
	}
	s->n = to;
}

/* Corrections; rejected ones go, unless they are asked for. */
static void amend(struct raw *r, struct points *s)
{
	size_t to = 0;
	if (!r->sight.n_amends)
		return;
	for (size_t i = 0; i < s->n; i++) {
		struct point p = s->p[i];
		if (!r->a->original)
			amends_apply(r->sight.amends, r->sight.n_amends, &p);
		if ((p.flags & POINT_REJECTED) && !r->a->rejected)
			continue;
		if (r->of)
			r->of[to] = r->of[i];
		s->p[to++] = p;
	}
	s->n = to;
}

/* Of the i-th: its place among those of its time, from 1. */
static uint64_t place_of(const struct points *all, size_t i)
{
	size_t first = i;
	while (first > 0 && all->p[first - 1].time_ms == all->p[i].time_ms)
		first--;
	return i - first + 1;
}

/* How many of the answer's order were told before: of the cursor's time, up to its place (newest
 * first: from its place on). */
static size_t told_before(const struct raw *r, const struct points *all)
{
	const struct series_cursor *c = &r->a->cursor;
	size_t same = 0;
	if (!c->begun || !c->at)
		return 0;
	while (same < all->n && nth(r, all, same)->time_ms == c->time_ms)
		same++;
	if (!r->a->descending)
		return MIN_OF(same, (size_t)c->at);
	return same - MIN_OF(same, (size_t)c->at - 1);
}

/* What came with those that may be told: before corrections change them or take them out. */
static int find_details(struct raw *r, const struct points *s)
{
	struct details *d = &r->a->private_->details;
	size_t n = r->sight.n_amends ? s->n : MIN_OF(s->n, told_before(r, s) + r->want), first = 0,
	       last;
	details_clear(d);
	if (!r->a->details || !n)
		return 0;
	r->of = calloc(s->n, sizeof(*r->of));
	if (!r->of)
		return -ENOMEM;
	if (r->a->descending)
		first = s->n - n;
	last = first + n - 1;
	int err = details_find(r->sight.view, r->a, r->sight.duplicates, &r->waiting, s, first,
	                       last, r->of, d);
	if (!d->n) {
		free(r->of);
		r->of = NULL;
	}
	return err;
}

/* Hands over at most `limit`, less what was told before. */
static int tell(struct raw *r, const struct points *all, size_t limit)
{
	struct series_ask *a = r->a;
	struct series_cursor c = a->cursor;
	size_t i = told_before(r, all), begin = i;
	int err = 0;
	for (; i < all->n && a->points.n < limit && !err; i++) {
		const struct point *p = nth(r, all, i);
		err = points_copy(&a->points, all, p);
		if (r->of)
			details_told(&a->private_->details, r->of[p - all->p]);
	}
	if (i > begin) {
		size_t last = (size_t)(nth(r, all, i - 1) - all->p);
		a->private_->last_nth = place_of(all, last);
		c = (struct series_cursor){all->p[last].time_ms, a->private_->last_nth, true};
		a->private_->first_nth = place_of(all, (size_t)(nth(r, all, begin) - all->p));
	}
	bool cut = i < all->n;
	bool over = a->descending ? r->horizon_ms <= r->begin_ms : r->horizon_ms >= r->to_ms;
	if (!cut && !over)
		c = (struct series_cursor){a->descending ? r->horizon_ms - 1 : r->horizon_ms, 0,
		                           true};
	a->cursor = c;
	a->more = !err && (cut || !over);
	a->n = a->points.n;
	return err;
}

struct series_cursor series_behind(const struct series_ask *a, size_t i)
{
	const struct point *p = a->points.p;
	size_t k = 0, n = a->points.n;
	uint64_t at;
	assert(a->what == SERIES_RAW && i < n);
	if (a->descending) { /* counted from the oldest of its time, which comes last */
		while (i + k + 1 < n && p[i + k + 1].time_ms == p[i].time_ms)
			k++;
		at = k + (i + k + 1 == n ? a->private_->last_nth : 1);
	} else {
		while (k < i && p[i - k - 1].time_ms == p[i].time_ms)
			k++;
		at = k + (k == i ? a->private_->first_nth : 1);
	}
	return (struct series_cursor){p[i].time_ms, at, true};
}

int raw_step(struct series *s, struct series_ask *a)
{
	struct raw r = {.a = a, .from_ms = a->from_ms, .to_ms = a->to_ms};
	struct points all;
	size_t limit = a->limit ? a->limit : LIMIT_SERIES_STEP_ROWS;
	limit = MIN_OF(limit, (size_t)LIMIT_SERIES_STEP_POINTS);
	if (a->cursor.begun && !a->descending)
		r.from_ms = MAX_OF(r.from_ms, a->cursor.time_ms);
	if (a->cursor.begun && a->descending && a->cursor.time_ms < r.to_ms)
		r.to_ms = a->cursor.time_ms + 1;
	points_clear(&a->points);
	a->n = 0;
	a->more = false;
	r.want = limit + (a->cursor.begun ? a->cursor.at : 0);
	if (a->stored_since_ms < 0 || a->stored_since_ms > SERIES_STORED_SINCE_MAX)
		return ERR_INVALID;
	r.since_s = (uint32_t)(a->stored_since_ms / 1000);
	if (a->details)
		details_copy(s, a->id, r.from_ms, r.to_ms, &r.waiting);
	/* what is left out by since is looked at all the same */
	size_t newest = a->descending && !r.since_s ? r.want : 0;
	int err = sight_open(s, a->id, r.from_ms, r.to_ms, newest, &r.sight);
	if (err) {
		waiting_details_free(&r.waiting);
		return err;
	}
	r.begin_ms = MAX_OF(r.from_ms, MAX_OF(r.sight.keep_from_ms, r.sight.since_ms));
	r.from_ms = MAX_OF(r.begin_ms, r.sight.from_ms);
	points_init(&r.disk, SIZE_MAX);
	points_init(&all, SIZE_MAX);
	if (r.from_ms < r.to_ms) {
		size_t gone = 0;
		while (gone < r.sight.tail.n && r.sight.tail.p[gone].time_ms < r.from_ms)
			gone++;
		points_drop(&r.sight.tail, gone);
		err = a->descending ? read_backwards(&r) : read_forwards(&r);
		err = err ? err : gather(&r, &all);
		if (!err)
			only_since(&r, &all);
		err = err ? err : find_details(&r, &all);
		if (!err) {
			amend(&r, &all);
			err = tell(&r, &all, limit);
		}
	}
	points_done(&all);
	points_done(&r.disk);
	free(r.of);
	waiting_details_free(&r.waiting);
	sight_close(&r.sight);
	return err;
}
