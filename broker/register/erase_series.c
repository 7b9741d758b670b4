/* erase_series.c - see erase_series.h. */
#include "register/erase_series.h"

#include "base/err.h"

static void finish(struct erase_series *s, int err)
{
	void (*done)(struct erase_series *) = s->done;
	series_ask_done(&s->ask);
	s->err = err;
	if (done)
		done(s);
}

static void next_one(struct erase_series *s);

static void on_erased(struct series_correction *c)
{
	struct erase_series *s = c->arg;
	if (!s->done)
		return; /* stopped */
	if (c->err && c->err != ERR_NOT_FOUND) {
		finish(s, c->err);
		return;
	}
	s->points += c->points;
	s->things++;
	next_one(s);
}

/* Of those found; then the next step of the question. */
static void next_one(struct erase_series *s)
{
	if (s->at < s->n) {
		s->one = (struct series_correction){.what = SERIES_ERASE,
		                                    .thing_id = s->found[s->at++],
		                                    .done = on_erased,
		                                    .arg = s};
		series_correct(s->series, &s->one);
	} else if (s->ask.more) {
		series_ask(s->series, &s->ask);
	} else {
		finish(s, 0);
	}
}

static void on_things(struct series_ask *a)
{
	struct erase_series *s = a->arg;
	if (a->err) {
		finish(s, a->err == ERR_NOT_FOUND ? 0 : a->err);
		return;
	}
	s->n = s->at = 0;
	for (size_t i = 0; i < a->n; i++)
		if (s->thing ? span_is(a->things[i].thing, s->thing)
		             : erasure_matches(s->e, a->things[i].organisation, a->things[i].thing))
			s->found[s->n++] = a->things[i].id;
	next_one(s);
}

void erase_series_begin(struct erase_series *s)
{
	s->err = 0;
	s->points = s->things = s->n = s->at = 0;
	s->ask = (struct series_ask){
	    .what = SERIES_THINGS, .limit = ERASE_SERIES_STEP, .done = on_things, .arg = s};
	s->ask.filter.organisation = span_str(s->e->organisation);
	if (s->thing)
		s->ask.filter.thing = span_str(s->thing);
	series_ask(s->series, &s->ask);
}

void erase_series_stop(struct erase_series *s)
{
	s->done = NULL;
	series_ask_done(&s->ask);
}
