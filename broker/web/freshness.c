/* freshness.c - GET /v1/things/{thing}/freshness: 200 while something came within the cadence of
 * each of its feeds, else 503: for a monitor that knows nothing but a status. */
#include "base/err.h"
#include "base/mem.h"
#include "register/register.h"
#include "web/observing.h"
#include "json/write.h"

#include <stdio.h>

struct freshness {
	unsigned n;      /* feeds of the thing that may be seen */
	unsigned silent; /* of those */
	unsigned judged; /* have a cadence */
	char detail[400];
};

static void write_feed(struct observing *g, const struct series_thing *t, int fresh)
{
	struct buf *b = &g->w.place;
	buf_add_str(b, b->len ? ",{" : "{");
	json_write_name(b, "feed");
	json_write_string(b, t->feed);
	json_write_name(b, "organisation");
	json_write_string(b, t->organisation);
	if (t->last_stored_ms) {
		json_write_name(b, "lastStored");
		observe_write_time(&g->w, b, t->last_stored_ms);
		json_write_name(b, "lastObserved");
		observe_write_time(&g->w, b, t->last_observed_ms);
	}
	if (t->cadence_s)
		buf_addf(b, ",\"cadence\":%llu,\"silentAfter\":%llu",
		         (unsigned long long)t->cadence_s,
		         (unsigned long long)t->cadence_s * LIMIT_FRESH_PERCENT / 100);
	buf_addf(b, ",\"fresh\":%s}", fresh < 0 ? "null" : fresh ? "true" : "false");
}

static void take(struct observing *g, const struct series_thing *t)
{
	struct freshness *s = g->more;
	int fresh = observe_fresh(t->cadence_s, t->last_stored_ms, g->w.now_ms);
	s->n++;
	s->judged += fresh >= 0;
	write_feed(g, t, fresh);
	if (fresh)
		return;
	if (!s->silent++)
		snprintf(s->detail, sizeof(s->detail),
		         "nothing came from %.*s in %.*s for %lld s; its cadence is %llu s",
		         (int)MIN_OF(t->thing.n, (size_t)200), t->thing.p, (int)t->feed.n,
		         t->feed.p, (long long)(g->w.now_ms - t->last_stored_ms) / 1000,
		         (unsigned long long)t->cadence_s);
}

static bool is_registered(const struct observing *g)
{
	const struct things *all = g->r->web->things;
	struct span organisation = g->o.filter.organisation.n ? g->o.filter.organisation
	                                                      : span_str(g->r->who.organisation);
	const struct thing *t = all ? things_find(all, organisation, g->r->param[0]) : NULL;
	return t && t->registered && (t->entry.is_public || g->permit->all);
}

static void answer(struct observing *g)
{
	struct req *r = g->r;
	const struct freshness *s = g->more;
	struct buf *b = &r->out;
	bool silent = s->silent > 0;
	if (!s->n && !is_registered(g)) {
		problem(r, 404, "there is no such thing");
		return;
	}
	buf_add_char(b, '{');
	if (silent || !s->n) {
		buf_addf(b, "\"status\":503,\"title\":\"%s\",\"detail\":", status_title(503));
		json_write_string(
		    b, span_str(s->n ? s->detail : "it is registered, and nothing has come yet"));
	}
	json_write_name(b, "thing");
	json_write_string(b, r->param[0]);
	buf_addf(b, ",\"fresh\":%s,\"feeds\":[",
	         silent || !s->n ? "false"
	         : s->judged     ? "true"
	                         : "null");
	buf_add(b, g->w.place.p, g->w.place.len);
	buf_add_str(b, "]}\n");
	respond(r, silent || !s->n ? 503 : 200,
	        silent || !s->n ? "application/problem+json" : "application/json");
}

static void on_things(struct series_ask *a)
{
	struct observing *g = a->arg;
	if (a->err && a->err != ERR_NOT_FOUND) {
		observing_fail(g, a->err);
		return;
	}
	for (size_t i = 0; i < a->n; i++) {
		const struct series_thing *t = &a->things[i];
		const struct access_spot spot = {
		    .organisation = t->organisation, .known = t->has_place, .place = t->place};
		if (observing_may(g, t->feed, t->thing, &spot))
			take(g, t);
	}
	if (a->more && !a->err)
		series_ask(g->r->web->series, a);
	else
		answer(g);
}

void get_thing_freshness(struct req *r)
{
	struct observing *g = observing_new(r, OBSERVE_FRESH);
	if (!g)
		return;
	g->more = xcalloc(1, sizeof(struct freshness));
	g->o.filter.thing = r->param[0];
	series_ask(r->web->series, observing_question(g, SERIES_THINGS, on_things));
}
