/* page_silent.c - things that are silent for so long that their last message is not among the
 * newest of its feed: the time series still know them, and when they were heard of last. */
#include "web/pages.h"

#include "base/mem.h"
#include "series/series.h"
#include "web/permit.h"

#include <stdlib.h>
#include <string.h>

/* More than a page shows, so that filters find what they look for; under a megabyte. */
enum { KEPT = 2000 };

struct silent { /* req.own */
	struct req *req;
	struct series_ask ask;
	struct permit *permit;
	handler_fn again;
	char feed[80];
	uint64_t until_ms;
	bool known, more;
	unsigned n;
	struct seen_thing *things[KEPT];
};

static void silent_free(void *own)
{
	struct silent *x = own;
	series_ask_done(&x->ask); /* also while it is under way */
	permit_done(x->permit);
	x->req->web->observings--;
	for (unsigned i = 0; i < x->n; i++)
		free(x->things[i]);
	free(x);
}

static void keep(struct silent *x, const struct page *p, struct feed *f,
                 const struct series_thing *t)
{
	struct seen_thing one = {.feed = f,
	                         .thing = t->thing,
	                         .organisation = t->organisation,
	                         .stored_ms = t->last_stored_ms,
	                         .phenomenon_ms = t->last_observed_ms,
	                         .has_location = t->has_place,
	                         .place = t->place};
	if (!t->last_stored_ms || !page_is_silent(p, &one) || !page_may_see_thing(p->r, &one))
		return;
	if (x->n == KEPT) {
		x->more = true;
		return;
	}
	size_t bytes = sizeof(one) + t->thing.n + t->organisation.n;
	struct seen_thing *s = xmalloc(bytes);
	char *text = (char *)(s + 1);
	*s = one;
	memcpy(text, t->thing.p, t->thing.n);
	memcpy(text + t->thing.n, t->organisation.n ? t->organisation.p : "", t->organisation.n);
	s->thing = span_of(text, t->thing.n);
	s->organisation = span_of(text + t->thing.n, t->organisation.n);
	x->things[x->n++] = s;
}

static void on_things(struct series_ask *a)
{
	struct req *r = a->arg;
	struct silent *x = r->own;
	struct web *w = r->web;
	const struct page p = {.r = r, .now_ms = clock_wall_ms(hub_clock(w->hub))};
	for (size_t i = 0; !a->err && i < a->n; i++) {
		struct feed *f = hub_feed(w->hub, a->things[i].feed);
		if (f && page_may_see(r, f) && page_measures(f))
			keep(x, &p, f, &a->things[i]);
	}
	if (!a->err && a->more && uv_now(w->loop) < x->until_ms) {
		series_ask(w->series, a);
		return;
	}
	x->more = x->more || a->more;
	x->known = true;
	x->again(r);
}

bool page_knows_silent(struct req *r, const struct feed *only, const struct shape *area,
                       handler_fn again)
{
	struct silent *x = r->own;
	if (x || !r->web->series)
		return !x || x->known;
	if (r->web->observings >= LIMIT_SERIES_ANSWERS)
		return true; /* the newest messages have to do */
	r->web->observings++;
	x = xcalloc(1, sizeof(*x));
	x->req = r;
	x->again = again;
	x->until_ms = uv_now(r->web->loop) + LIMIT_PAGE_WAIT_MS;
	x->permit = permit_new(r);
	r->own = x;
	r->own_free = silent_free;
	x->ask.what = SERIES_THINGS;
	if (only && only->name.n < sizeof(x->feed)) {
		memcpy(x->feed, only->name.p, only->name.n);
		x->ask.filter.feed = span_of(x->feed, only->name.n);
	}
	x->ask.filter.shape = *area;
	permit_put(x->permit, &x->ask.filter);
	x->ask.done = on_things;
	x->ask.arg = r;
	req_wait(r);
	series_ask(r->web->series, &x->ask);
	return false;
}

const struct seen_thing *page_silent_at(const struct req *r, unsigned i, bool *ret_more)
{
	const struct silent *x = r->own;
	*ret_more = x && x->more;
	return x && i < x->n ? x->things[i] : NULL;
}
