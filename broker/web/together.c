/* together.c - /v1/observations?together=true: aggregates of all datastreams that fit, as if they
 * were one: the mean of a district, hour by hour. They must have one unit. */
#include "base/err.h"
#include "base/mem.h"
#include "base/search.h"
#include "web/observing.h"

#include <stdio.h>
#include <stdlib.h>

enum { UNIT_BYTES = 80 };

struct together {
	char unit[UNIT_BYTES];
	bool begun, mixed;
	bool over;    /* there is no other datastream */
	bool stalled; /* none is begun before one has ended */
	unsigned busy;
	struct series_ask ask[LIMIT_SERIES_AT_ONCE]; /* arg NULL: free */
	int64_t *edges;                              /* of the pieces */
	size_t n;
	struct series_bucket k[]; /* one behind the other, from the first to the last */
};

static void add(struct series_bucket *to, const struct series_bucket *k)
{
	to->rollup |= k->rollup;
	to->points += k->points;
	if (!k->count)
		return;
	bool none = to->count == 0;
	if (none || k->first_ms < to->first_ms) {
		to->first = k->first;
		to->first_ms = k->first_ms;
	}
	if (none || k->last_ms >= to->last_ms) {
		to->last = k->last;
		to->last_ms = k->last_ms;
	}
	to->min = none ? k->min : MIN_OF(to->min, k->min);
	to->max = none ? k->max : MAX_OF(to->max, k->max);
	to->sum += k->sum;
	to->count += k->count;
}

/* All datastreams have the same pieces; where theirs begin differs. */
static struct series_bucket *piece_at(struct together *t, int64_t from_ms)
{
	size_t at = search_first(i, 0, t->n, t->k[i].from_ms < from_ms);
	return at < t->n && t->k[at].from_ms == from_ms ? &t->k[at] : NULL;
}

static void drop(struct observing *g)
{
	struct together *t = g->more;
	for (unsigned i = 0; i < LIMIT_SERIES_AT_ONCE; i++)
		series_ask_done(&t->ask[i]);
	free(t->edges);
	t->edges = NULL;
}

static void answer(struct observing *g)
{
	const struct together *t = g->more;
	if (t->mixed) {
		problem(g->r, 400,
		        "together takes datastreams of one unit: name a property or an "
		        "observed-property");
		return;
	}
	observe_begin(&g->w, NULL, NULL);
	for (size_t i = 0; i < t->n; i++)
		if (t->k[i].points)
			observe_bucket(&g->w, &t->k[i]);
	observe_end(&g->w, NULL);
	observing_send(g, NULL);
}

static void finish(struct observing *g, const char *next UNUSED)
{
	struct together *t = g->more;
	t->over = true;
	if (!t->busy)
		answer(g);
}

static void on_buckets(struct series_ask *a)
{
	struct observing *g = a->arg;
	struct together *t = g->more;
	bool failed = a->err && a->err != ERR_NOT_FOUND;
	for (size_t i = 0; !a->err && i < a->n; i++) {
		struct series_bucket *to =
		    a->buckets[i].points ? piece_at(t, a->buckets[i].from_ms) : NULL;
		if (to)
			add(to, &a->buckets[i]);
	}
	if (!a->err && a->more) {
		series_ask(g->r->web->series, a);
		return;
	}
	int err = a->err;
	series_ask_done(a);
	*a = (struct series_ask){0};
	t->busy--;
	if (failed) {
		drop(g); /* the others tell nothing any more */
		observing_fail(g, err);
	} else if (t->over) {
		finish(g, NULL);
	} else if (t->stalled) {
		t->stalled = false;
		observing_go_on(g);
	}
}

/* The datastream whose turn it is, beside others. */
static bool take(struct observing *g)
{
	struct together *t = g->more;
	const struct series_stream *s = observing_stream(g);
	if (!s->rolled && (!s->count || s->first_ms >= g->o.to_ms || s->last_ms < g->o.from_ms))
		return true;
	if (!t->begun)
		snprintf(t->unit, sizeof(t->unit), "%.*s", (int)s->unit.n, s->unit.p);
	t->begun = true;
	t->mixed |= !span_is(s->unit, t->unit);
	unsigned i = 0;
	while (t->ask[i].arg)
		i++;
	assert(i < LIMIT_SERIES_AT_ONCE);
	t->ask[i] = (struct series_ask){.what = SERIES_AGGREGATE,
	                                .id = s->id,
	                                .edges = t->edges,
	                                .n_edges = t->n + 1,
	                                .original = g->o.original,
	                                .done = on_buckets,
	                                .arg = g};
	t->busy++;
	t->stalled = t->busy == LIMIT_SERIES_AT_ONCE;
	series_ask(g->r->web->series, &t->ask[i]);
	return !t->stalled;
}

/* How many pieces; with k their edges, too. */
static size_t pieces(const struct observe *o, struct series_bucket *k)
{
	size_t n = 0;
	int64_t at = period_floor(&o->interval, o->zone, o->from_ms);
	for (; at < o->to_ms && n <= LIMIT_SERIES_TOGETHER; n++) {
		int64_t next = period_next(&o->interval, o->zone, at);
		if (k)
			k[n] = (struct series_bucket){.from_ms = at, .to_ms = next};
		at = next;
	}
	return n;
}

bool together_begin(struct observing *g)
{
	size_t n = pieces(&g->o, NULL);
	if (n > LIMIT_SERIES_TOGETHER) {
		problem(g->r, 400,
		        "from, to and interval make more than %d pieces of time: ask for a longer "
		        "interval or a shorter time",
		        LIMIT_SERIES_TOGETHER);
		return false;
	}
	struct together *t = xcalloc(1, sizeof(*t) + n * sizeof(t->k[0]));
	t->n = pieces(&g->o, t->k);
	t->edges = xcalloc(n + 1, sizeof(*t->edges));
	for (size_t i = 0; i < n; i++) {
		t->edges[i] = t->k[i].from_ms;
		t->edges[i + 1] = t->k[i].to_ms;
	}
	g->more = t;
	g->begin = take;
	g->drop = drop;
	g->finish = finish;
	return true;
}
