/* sta_tell.c - see sta_tell.h. */
#include "web/sta_tell.h"

#include "base/err.h"
#include "base/mem.h"
#include "session/session.h"
#include "sta/build.h"
#include "sta/run.h"
#include "web/sta_entity.h"
#include "web/sta_multi.h"
#include "web/sta_written.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- news: what a record was about ---- */

struct news { /* feed, organisation, thing and results follow */
	int64_t ms;
	uint32_t n_results, results_n;
	uint16_t feed_n, organisation_n, thing_n;
	bool placed;
	int32_t lon_e7, lat_e7; /* when placed */
};

struct listener { /* one subscription */
	uint64_t session;
	struct permit *permit;
	char *filter;
	size_t n;
};

struct told { /* filter and payload follow */
	uint64_t session;
	uint32_t filter_n, payload_n;
	bool changed; /* it is told when it is another one than before */
};

struct sta_teller {
	struct web *w;
	struct buf news; /* the next round's */
	uint64_t dropped;
	bool busy;
	/* of the round */
	struct job job;
	struct series_ask wait;
	struct buf of_round, told;
	unsigned n_told, dropped_round;
	struct listener *listener;
	unsigned n_listeners, cap_listeners;
	int64_t now_ms;
};

struct sta_teller *sta_teller_new(struct web *w)
{
	if (!w->series || !w->sessions || !w->entities)
		return NULL;
	struct sta_teller *t = xcalloc(1, sizeof(*t));
	t->w = w;
	buf_init(&t->news, LIMIT_STA_NEWS_BYTES);
	buf_init(&t->of_round, LIMIT_STA_NEWS_BYTES);
	buf_init(&t->told, LIMIT_STA_TOLD_BYTES);
	return t;
}

void sta_teller_free(struct sta_teller *t)
{
	if (!t || t->busy) /* a thread has it still: the process ends */
		return;
	buf_done(&t->news);
	buf_done(&t->of_round);
	buf_done(&t->told);
	free(t->listener);
	free(t);
}

bool sta_teller_idle(const struct sta_teller *t)
{
	return !t || !t->busy;
}

void sta_teller_record(struct sta_teller *t, const struct feed *f, const struct record *r)
{
	if (likely(!t || !sessions_have_questions(t->w->sessions)))
		return;
	if (!r->thing.n || (!r->n_results && !(r->flags & RECORD_LOCATION)))
		return;
	struct news n = {.ms = r->phenomenon_ms,
	                 .n_results = r->n_results,
	                 .results_n = (uint32_t)r->results.n,
	                 .feed_n = (uint16_t)f->name.n,
	                 .organisation_n = (uint16_t)r->organisation.n,
	                 .thing_n = (uint16_t)r->thing.n,
	                 .placed = (r->flags & RECORD_LOCATION) != 0,
	                 .lon_e7 = r->lon_e7,
	                 .lat_e7 = r->lat_e7};
	size_t all = sizeof(n) + n.feed_n + n.organisation_n + n.thing_n + n.results_n;
	if (t->news.len + all > LIMIT_STA_NEWS_BYTES) {
		t->dropped++;
		return;
	}
	buf_add(&t->news, (const char *)&n, sizeof(n));
	buf_add_span(&t->news, f->name);
	buf_add_span(&t->news, r->organisation);
	buf_add_span(&t->news, r->thing);
	buf_add_span(&t->news, r->results);
}

/* One of the round: names, and results as of a record. */
struct item {
	struct news n;
	struct span feed, organisation, thing;
	struct record results;
	uint32_t number; /* of the thing in the series */
};

static bool next_item(const struct buf *b, size_t *at, struct item *ret)
{
	if (*at >= b->len)
		return false;
	memcpy(&ret->n, b->p + *at, sizeof(ret->n));
	const char *p = b->p + *at + sizeof(ret->n);
	ret->feed = span_of(p, ret->n.feed_n);
	ret->organisation = span_of(p += ret->n.feed_n, ret->n.organisation_n);
	ret->thing = span_of(p += ret->n.organisation_n, ret->n.thing_n);
	ret->results = (struct record){.results = span_of(p += ret->n.thing_n, ret->n.results_n),
	                               .n_results = (uint16_t)ret->n.n_results};
	*at = (size_t)(p + ret->n.results_n - b->p);
	return true;
}

/* ---- on the reader's thread: what is told to one listener ---- */

enum { SEEN_SLOTS = 1 << 14 };

struct telling {
	struct sta_teller *t;
	const struct listener *to;
	struct sta_things things;
	struct sta_written written;
	struct sta_source source;
	struct sta_request request;
	struct sta_query q;
	struct buf out;
	int64_t seen[SEEN_SLOTS]; /* entities that were told in this round, 0: free */
	unsigned n_seen;
};

/* What one observation is about, found as the question needs it. */
struct context {
	uint32_t thing, stream;
	int64_t ms, placed_ms; /* of the observation; of the place */
	int64_t id[STA_TYPES]; /* 0: not looked up, -1: there is none */
};

static int64_t over(struct telling *g, enum sta_type from, const char *relation, int64_t id)
{
	int64_t other;
	const struct sta_relation *r = sta_find_relation(from, span_str(relation));
	if (id <= 0 || g->source.one(g->source.arg, r, id, &other))
		return -1;
	return other;
}

static int64_t id_of(struct telling *g, struct context *c, enum sta_type t)
{
	if (c->id[t])
		return c->id[t];
	switch (t) {
	case STA_OBSERVATION: c->id[t] = c->stream ? sta_timed_id(c->stream, c->ms) : -1; break;
	case STA_HISTORICAL_LOCATION: c->id[t] = sta_timed_id(c->thing, c->placed_ms); break;
	case STA_DATASTREAM:
		c->id[t] = over(g, STA_OBSERVATION, "Datastream", id_of(g, c, STA_OBSERVATION));
		break;
	case STA_FEATURE:
		c->id[t] =
		    over(g, STA_OBSERVATION, "FeatureOfInterest", id_of(g, c, STA_OBSERVATION));
		break;
	case STA_SENSOR:
		c->id[t] = over(g, STA_DATASTREAM, "Sensor", id_of(g, c, STA_DATASTREAM));
		break;
	case STA_THING:
		c->id[t] = over(g, STA_DATASTREAM, "Thing", id_of(g, c, STA_DATASTREAM));
		if (c->id[t] <= 0)
			c->id[t] = c->thing; /* it said where it is, and no more */
		break;
	case STA_OBSERVED_PROPERTY:
		c->id[t] = over(g, STA_DATASTREAM, "ObservedProperty", id_of(g, c, STA_DATASTREAM));
		break;
	default: c->id[t] = c->thing; /* Location: that of a derived Thing */
	}
	return c->id[t];
}

static bool leads_there(struct telling *g, struct context *c)
{
	for (unsigned i = 0; i < g->q.n_steps; i++) {
		const struct sta_step *s = &g->q.step[i];
		if (s->has_id && id_of(g, c, s->type) != s->id)
			return false;
	}
	return true;
}

/* Whether an entity of this type can have changed by an observation: descriptions have not, unless
 * it is the first of its Datastream. */
static bool can_have_changed(struct telling *g, struct context *c, const struct item *i)
{
	json_t *entity = NULL;
	enum sta_type t = sta_query_type(&g->q);
	if (t == STA_OBSERVATION || t == STA_DATASTREAM || t == STA_MULTI_DATASTREAM)
		return c->stream != 0;
	if (t == STA_THING)
		return true;
	if (t == STA_SENSOR || t == STA_OBSERVED_PROPERTY) {
		struct series_ask a = {.what = SERIES_STREAMS};
		a.filter.stream_id = c->stream;
		bool first = c->stream && series_step(g->t->w->series, &a) == 0 && a.n &&
		             a.streams[0].first_ms == a.streams[0].last_ms;
		series_ask_done(&a);
		return first;
	}
	int err = i->n.placed ? g->source.get(g->source.arg, STA_HISTORICAL_LOCATION,
	                                      sta_timed_id(c->thing, c->placed_ms), &entity)
	                      : ERR_NOT_FOUND;
	sta_drop(entity);
	return err == 0;
}

/* Whether it was told already; notes it. A full table tells again. */
static bool seen(struct telling *g, int64_t id)
{
	size_t at = (size_t)((uint64_t)id * 0x9e3779b97f4a7c15u >> 50) % SEEN_SLOTS;
	for (; g->seen[at]; at = (at + 1) % SEEN_SLOTS)
		if (g->seen[at] == id)
			return true;
	if (g->n_seen < SEEN_SLOTS / 2) {
		g->seen[at] = id;
		g->n_seen++;
	}
	return false;
}

static void tell(struct telling *g, int64_t id)
{
	struct sta_teller *t = g->t;
	enum sta_type type = sta_query_type(&g->q);
	buf_clear(&g->out);
	if (sta_run_entity(&g->request, id, &g->out) || !g->out.len)
		return;
	struct told x = {.session = g->to->session,
	                 .filter_n = (uint32_t)g->to->n,
	                 .payload_n = (uint32_t)g->out.len,
	                 .changed = type != STA_OBSERVATION && type != STA_HISTORICAL_LOCATION};
	size_t all = sizeof(x) + x.filter_n + x.payload_n;
	if (t->n_told >= LIMIT_STA_TOLD || t->told.len + all > LIMIT_STA_TOLD_BYTES) {
		t->dropped_round++;
		return;
	}
	buf_add(&t->told, (const char *)&x, sizeof(x));
	buf_add(&t->told, g->to->filter, g->to->n);
	buf_add(&t->told, g->out.p, g->out.len);
	t->n_told++;
}

static void tell_context(struct telling *g, struct context *c, const struct item *i)
{
	enum sta_type t = sta_query_type(&g->q);
	if (!leads_there(g, c))
		return;
	const struct sta_relation *last = g->q.step[g->q.n_steps - 1].relation;
	bool multi = t == STA_OBSERVATION && last && last->from == STA_MULTI_DATASTREAM;
	int64_t id = multi ? sta_multi_id(c->thing, c->ms) : id_of(g, c, t);
	if ((multi ? id < 0 : id > 0) && can_have_changed(g, c, i) && !seen(g, id))
		tell(g, id);
}

static void tell_item(struct telling *g, const struct item *i)
{
	struct record_result x;
	size_t at = 0;
	bool any = false;
	const struct series_spot spot = {i->n.placed, i->n.lon_e7, i->n.lat_e7};
	if (!i->number || !permit_may(g->to->permit, i->feed, i->organisation, i->thing, &spot))
		return;
	while (record_next_result(&i->results, &at, &x)) {
		struct context c = {.thing = i->number,
		                    .ms = x.has_time ? x.time_ms : i->n.ms,
		                    .placed_ms = i->n.ms};
		c.stream = series_find_stream(g->t->w->series, i->number, x.member);
		if (c.stream)
			tell_context(g, &c, i);
		any = any || c.stream;
	}
	struct context c = {.thing = i->number, .ms = i->n.ms, .placed_ms = i->n.ms};
	if (!any)
		tell_context(g, &c, i);
}

static void tell_listener(struct telling *g, const struct listener *to)
{
	struct sta_teller *t = g->t;
	struct item i;
	size_t at = 0;
	char root[512];
	if (!session_question_read(span_of(to->filter, to->n), &g->q))
		return;
	snprintf(root, sizeof(root), "%s/sta/v1.1", t->w->base_url);
	g->to = to;
	g->things = (struct sta_things){.series = t->w->series,
	                                .permit = to->permit,
	                                .register_ = t->w->things,
	                                .base_url = t->w->base_url,
	                                .written = sta_written_stream,
	                                .written_arg = &g->written};
	g->written = (struct sta_written){.entities = t->w->entities,
	                                  .permit = to->permit,
	                                  .inner = sta_things_source(&g->things)};
	g->source = sta_written_source(&g->written);
	g->request = (struct sta_request){
	    .q = &g->q, .source = &g->source, .root = root, .now_ms = t->now_ms};
	memset(g->seen, 0, sizeof(g->seen));
	g->n_seen = 0;
	while (next_item(&t->of_round, &at, &i) && t->n_told < LIMIT_STA_TOLD) {
		i.number = series_find_thing(t->w->series, i.feed, i.organisation, i.thing);
		tell_item(g, &i);
	}
}

static void work(struct job *job)
{
	struct sta_teller *t = container_of(job, struct sta_teller, job);
	struct telling *g = calloc(1, sizeof(*g));
	if (!g)
		return;
	g->t = t;
	entities_fill(t->w->entities, t->w->series);
	buf_init(&g->out, LIMIT_PACKET_BYTES_MAX);
	for (unsigned i = 0; i < t->n_listeners; i++)
		tell_listener(g, &t->listener[i]);
	buf_done(&g->out);
	free(g);
}

/* ---- a round, on the loop ---- */

static void end_round(struct sta_teller *t)
{
	for (unsigned i = 0; i < t->n_listeners; i++) {
		permit_done(t->listener[i].permit);
		free(t->listener[i].filter);
	}
	t->n_listeners = 0;
	buf_clear(&t->of_round);
	buf_clear(&t->told);
	t->dropped += t->dropped_round;
	t->n_told = t->dropped_round = 0;
	if (t->dropped)
		log_debug("Changes were not told to subscribers of SensorThings: there were too "
		          "many. changes=%llu",
		          (unsigned long long)t->dropped);
	t->dropped = 0;
	t->busy = false;
}

static void done(struct job *job)
{
	struct sta_teller *t = container_of(job, struct sta_teller, job);
	for (size_t at = 0; at < t->told.len;) {
		struct told x;
		memcpy(&x, t->told.p + at, sizeof(x));
		const char *filter = t->told.p + at + sizeof(x);
		sessions_tell(t->w->sessions, x.session, span_of(filter, x.filter_n),
		              span_of(filter + x.filter_n, x.payload_n), x.changed);
		at += sizeof(x) + x.filter_n + x.payload_n;
	}
	end_round(t);
}

static void applied(struct series_ask *a)
{
	struct sta_teller *t = a->arg;
	int err = a->err == ERR_NOT_FOUND ? 0 : a->err;
	series_ask_done(a);
	if (err) {
		log_debug("The series are behind: changes were not told. error=\"%s\"",
		          err_text(err));
		end_round(t);
		return;
	}
	hub_pool(t->w->hub, &t->job);
}

static void add_listener(void *arg, uint64_t session, struct span filter,
                         const struct identity *who)
{
	struct sta_teller *t = arg;
	if (t->n_listeners == t->cap_listeners) {
		t->cap_listeners = t->cap_listeners ? 2 * t->cap_listeners : 16;
		t->listener = xrealloc(t->listener, t->cap_listeners * sizeof(*t->listener));
	}
	struct listener *l = &t->listener[t->n_listeners++];
	const struct listener *former = t->n_listeners > 1 ? l - 1 : NULL;
	*l = (struct listener){
	    .session = session, .filter = xstrndup(filter.p, filter.n), .n = filter.n};
	if (former && former->session == session) { /* a session's come one after the other */
		l->permit = former->permit;
		l->permit->users++;
	} else {
		l->permit = permit_to(ACCESS_SUBSCRIBE, who, t->w, "mqtt");
	}
}

void sta_teller_turn(struct sta_teller *t)
{
	if (likely(!t || !t->news.len) || t->busy || t->w->draining)
		return;
	struct buf empty = t->of_round;
	t->of_round = t->news;
	t->news = empty;
	t->busy = true;
	t->now_ms = clock_wall_ms(hub_clock(t->w->hub));
	sessions_each_question(t->w->sessions, add_listener, t);
	t->job = (struct job){.work = work, .done = done};
	t->wait = (struct series_ask){.what = SERIES_THINGS, .limit = 1, .done = applied, .arg = t};
	series_ask(t->w->series, &t->wait);
}
