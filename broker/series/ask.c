/* ask.c - questions: each step waits until what was acknowledged is applied, runs on the reader
 * pool, and comes back to the loop. */
#include "base/err.h"
#include "base/mem.h"
#include "series/private.h"

#include <stdlib.h>

struct question {
	struct series_asking asking;
	struct series *s;
	struct series_ask *user;
	struct series_ask own; /* what the pool works on: the asker may go away meanwhile */
	struct job job;
	struct list node; /* series.waiting */
	uint64_t want, until_ns;
	bool busy, waits, begun;
	int64_t *edges;
	struct buf spans;
};

/* ---- one step ---- */

void *asking_rows(struct series_ask *a, size_t size, size_t *ret_limit)
{
	struct series_asking *k = a->private_;
	size_t limit = a->limit ? a->limit : LIMIT_SERIES_STEP_ROWS;
	limit = MIN_OF(limit, (size_t)LIMIT_SERIES_STEP_ROWS);
	if (k->rows_cap < limit * size) {
		k->rows = xrealloc(k->rows, limit * size);
		k->rows_cap = limit * size;
	}
	*ret_limit = limit;
	return k->rows;
}

static int step(struct series *s, struct series_ask *a)
{
	a->n = 0;
	a->more = false;
	switch (a->what) {
	case SERIES_RAW: return raw_step(s, a);
	case SERIES_AGGREGATE: return aggregate_step(s, a);
	case SERIES_STREAMS: return streams_step(s, a);
	case SERIES_THINGS: return things_step(s, a);
	case SERIES_PLACES: return places_step(s, a);
	}
	return ERR_INVALID;
}

static void asking_init(struct series_ask *a, struct series_asking *k)
{
	buf_init(&k->texts, LIMIT_SERIES_STEP_ROWS * 2 * LIMIT_SERIES_TEXT_BYTES);
	buf_init(&k->details.texts, DETAILS_BYTES);
	points_init(&a->points, LIMIT_SERIES_STEP_POINTS);
	a->private_ = k;
	a->damaged = 0;
}

static void asking_done(struct series_ask *a, struct series_asking *k)
{
	buf_done(&k->texts);
	details_clear(&k->details);
	free(k->details.d);
	free(k->details.of);
	buf_done(&k->details.texts);
	free(k->rows);
	points_done(&a->points);
}

int series_step(struct series *s, struct series_ask *a)
{
	if (!a->private_)
		asking_init(a, xcalloc(1, sizeof(*a->private_)));
	a->err = step(s, a);
	return a->err;
}

/* ---- from the loop ---- */

static struct span keep(struct buf *b, struct span s)
{
	struct span kept = {b->p + b->len, s.n};
	buf_add_span(b, s);
	return kept;
}

/* The asker's spans and edges become the question's own. */
static void take_over(struct question *q)
{
	struct series_filter *f = &q->own.filter;
	size_t n = f->feed.n + f->organisation.n + f->thing.n + f->member.n + f->property.n;
	buf_init(&q->spans, n + 16);
	if (n && buf_room(&q->spans, n)) {
		f->feed = keep(&q->spans, f->feed);
		f->organisation = keep(&q->spans, f->organisation);
		f->thing = keep(&q->spans, f->thing);
		f->member = keep(&q->spans, f->member);
		f->property = keep(&q->spans, f->property);
	}
	if (q->own.n_edges && q->own.n_edges <= LIMIT_SERIES_EDGES) {
		q->edges = xmalloc(q->own.n_edges * sizeof(*q->edges));
		memcpy(q->edges, q->own.edges, q->own.n_edges * sizeof(*q->edges));
		q->own.edges = q->edges;
	}
}

static void question_free(struct question *q)
{
	const struct series_filter *f = &q->own.filter;
	if (f->may_done)
		f->may_done(f->may_arg);
	asking_done(&q->own, &q->asking);
	buf_done(&q->spans);
	free(q->edges);
	free(q);
}

static void pool_work(struct job *j)
{
	struct question *q = container_of(j, struct question, job);
	q->own.err = step(q->s, &q->own);
}

static void answer(struct question *q, int err)
{
	struct series_ask *a = q->user, *own = &q->own;
	q->busy = false;
	if (err)
		own->err = err;
	if (!a) {
		question_free(q);
		return;
	}
	a->err = own->err;
	a->more = !own->err && own->more;
	a->damaged = own->damaged;
	a->cursor = own->cursor;
	a->points = own->points;
	a->buckets = own->buckets;
	a->streams = own->streams;
	a->things = own->things;
	a->places = own->places;
	a->n = own->err ? 0 : own->n;
	a->done(a);
}

static void pool_done(struct job *j)
{
	answer(container_of(j, struct question, job), 0);
}

static void give_pool(struct question *q)
{
	q->job = (struct job){.work = pool_work, .done = pool_done};
	q->s->runner.pool(q->s->runner.arg, &q->job);
}

static void stop_waiting(struct question *q)
{
	list_remove(&q->node);
	q->waits = false;
	q->s->n_waiting--;
}

static void fail(struct job *j)
{
	struct question *q = container_of(j, struct question, job);
	answer(q, q->own.err);
}

/* An answer never comes within the call that asked. */
static void fail_later(struct question *q, int err)
{
	q->own.err = err;
	q->job = (struct job){.done = fail};
	if (q->s->runner.post)
		q->s->runner.post(q->s->runner.arg, &q->job);
	else
		fail(&q->job);
}

void series_ask(struct series *s, struct series_ask *a)
{
	struct question *q;
	assert(a->done);
	if (!a->private_) {
		q = xcalloc(1, sizeof(*q));
		q->s = s;
		q->user = a;
		q->own = *a;
		list_init(&q->node);
		asking_init(&q->own, &q->asking);
		q->asking.question = q;
		a->private_ = &q->asking;
		take_over(q);
		q->want = s->told_commit;
	} else {
		q = a->private_->question;
		q->own.limit = a->limit;
	}
	assert(q && !q->busy);
	q->busy = true;
	if (atomic_load(&s->applied_commit) >= q->want) {
		give_pool(q);
		return;
	}
	if (s->n_waiting == LIMIT_SERIES_ASKS) {
		fail_later(q, ERR_AGAIN);
		return;
	}
	q->until_ns = clock_mono_ns(s->clock) + (uint64_t)LIMIT_SERIES_WAIT_S * 1000000000u;
	q->waits = true;
	list_append(&s->waiting, &q->node);
	s->n_waiting++;
}

void series_ask_done(struct series_ask *a)
{
	struct series_asking *k = a->private_;
	if (!k)
		return;
	a->private_ = NULL;
	struct question *q = k->question;
	if (!q) {
		asking_done(a, k);
		free(k);
		return;
	}
	a->points = (struct points){0};
	q->user = NULL;
	if (q->waits)
		stop_waiting(q);
	else if (q->busy)
		return; /* freed when the pool gives it back */
	question_free(q);
}

/* ---- what wakes them ---- */

static void woken(struct job *j)
{
	struct series *s = container_of(j, struct series, wake);
	atomic_store(&s->wake_posted, false);
	int failed = atomic_load(&s->failed);
	if (failed && s->fatal)
		s->fatal(s->fatal_arg, failed);
	uint64_t applied = atomic_load(&s->applied_commit);
	list_for_each_safe (it, &s->waiting) {
		struct question *q = list_entry(it, struct question, node);
		if (q->want > applied)
			continue;
		stop_waiting(q);
		give_pool(q);
	}
}

void asks_wake(struct series *s)
{
	if (!s->runner.post || atomic_exchange(&s->wake_posted, true))
		return;
	s->wake = (struct job){.done = woken};
	s->runner.post(s->runner.arg, &s->wake);
}

static void give_up(struct series *s, uint64_t now_ns, int err)
{
	list_for_each_safe (it, &s->waiting) {
		struct question *q = list_entry(it, struct question, node);
		if (q->until_ns > now_ns)
			continue;
		stop_waiting(q);
		answer(q, err);
	}
}

void asks_second(struct series *s)
{
	give_up(s, clock_mono_ns(s->clock), ERR_AGAIN);
}

void asks_end(struct series *s)
{
	give_up(s, UINT64_MAX, ERR_CLOSED);
}
