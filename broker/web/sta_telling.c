/* sta_telling.c - what a round tells each listener; see sta_telling.h. */
#include "web/sta_telling.h"

#include "base/err.h"
#include "session/session.h"
#include "sta/build.h"
#include "sta/run.h"
#include "web/sta_entity.h"
#include "web/sta_multi.h"

#include <stdio.h>
#include <stdlib.h>

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

static int64_t id_of(struct telling *g, struct context *c, enum sta_type t);

/* From the stream that the observation is shown in, a Datastream or a written MultiDatastream. */
static int64_t over_stream(struct telling *g, struct context *c, const char *relation)
{
	int64_t id = over(g, STA_DATASTREAM, relation, id_of(g, c, STA_DATASTREAM));
	return id > 0 ? id
	              : over(g, STA_MULTI_DATASTREAM, relation,
	                     over(g, STA_OBSERVATION, "MultiDatastream",
	                          id_of(g, c, STA_OBSERVATION)));
}

static int64_t look_up(struct telling *g, struct context *c, enum sta_type t)
{
	int64_t id;
	switch (t) {
	case STA_OBSERVATION:
		id = c->stream ? sta_shown_in(&g->written, c->stream, c->ms) : 0;
		return id ? id : -1;
	case STA_HISTORICAL_LOCATION: return sta_timed_id(c->thing, c->placed_ms);
	case STA_DATASTREAM:
		return over(g, STA_OBSERVATION, "Datastream", id_of(g, c, STA_OBSERVATION));
	case STA_FEATURE:
		return over(g, STA_OBSERVATION, "FeatureOfInterest", id_of(g, c, STA_OBSERVATION));
	case STA_SENSOR: return over_stream(g, c, "Sensor");
	case STA_THING:
		id = over_stream(g, c, "Thing");
		return id > 0 ? id : c->thing; /* it said where it is, and no more */
	case STA_MULTI_DATASTREAM:
		id = over(g, STA_OBSERVATION, "MultiDatastream", id_of(g, c, STA_OBSERVATION));
		return id > 0 ? id : c->thing; /* that of a derived Thing */
	case STA_OBSERVED_PROPERTY:
		return over(g, STA_DATASTREAM, "ObservedProperty", id_of(g, c, STA_DATASTREAM));
	default: return c->thing; /* Location: that of a derived Thing */
	}
}

static int64_t id_of(struct telling *g, struct context *c, enum sta_type t)
{
	if (!c->id[t])
		c->id[t] = look_up(g, c, t);
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
	if (t == STA_OBSERVATION || sta_is_stream(t))
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
	bool derived = multi && id_of(g, c, STA_MULTI_DATASTREAM) == c->thing;
	int64_t id = derived ? sta_multi_id(c->thing, c->ms) : id_of(g, c, t);
	if ((derived ? id < 0 : id > 0) && can_have_changed(g, c, i) && !seen(g, id))
		tell(g, id);
}

static void tell_item(struct telling *g, const struct item *i)
{
	struct record_result x;
	size_t at = 0;
	bool any = false;
	const struct series_spot spot = {i->n.placed, i->n.place};
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

/* An entity that somebody wrote: it is told where the path leads to it; and where the path leads on
 * from it, what it leads to. */
static void tell_note(struct telling *g, const struct note *n)
{
	const struct sta_query *q = &g->q;
	enum sta_type t = sta_query_type(q);
	const struct sta_relation *last = q->step[q->n_steps - 1].relation;
	int64_t id = n->id;
	bool same = t == n->type || (t == STA_FEATURE && n->type == STA_LOCATION);
	if (!same &&
	    (!last || last->from != n->type || last->many || sta_path_end(&g->request, &id)))
		return;
	if ((!same || sta_path_leads_to(&g->request, id) == 0) && !seen(g, id))
		tell(g, id);
}

/* The Locations that a Thing has from now on, be they new or not. */
static int tell_place(void *arg, int64_t id, json_t *entity UNUSED, struct span token UNUSED)
{
	struct telling *g = arg;
	if (sta_path_leads_to(&g->request, id) == 0 && !seen(g, id))
		tell(g, id);
	return 0;
}

static void tell_places(struct telling *g, const struct note *n)
{
	const struct sta_relation *last = g->q.step[g->q.n_steps - 1].relation;
	struct sta_list l = {.type = STA_LOCATION,
	                     .relation = last,
	                     .id = n->id,
	                     .from_ms = INT64_MIN,
	                     .to_ms = INT64_MAX};
	if (n->type == STA_THING && last && last->from == STA_THING && last->to == STA_LOCATION &&
	    g->source.walk(g->source.arg, &l, tell_place, g) < 0)
		g->t->dropped_round++;
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
	                                .hints = t->w->sta_hints};
	g->source = sta_written_source(&g->written, &g->things, t->w->entities);
	g->request = (struct sta_request){
	    .q = &g->q, .source = &g->source, .root = root, .now_ms = t->now_ms};
	memset(g->seen, 0, sizeof(g->seen));
	g->n_seen = 0;
	while (next_item(&t->of_round, &at, &i) && t->n_told < LIMIT_STA_TOLD) {
		i.number = series_find_thing(t->w->series, i.feed, i.organisation, i.thing);
		tell_item(g, &i);
	}
	for (unsigned k = 0; k < t->n_notes_of_round && t->n_told < LIMIT_STA_TOLD; k++) {
		tell_note(g, &t->note_of_round[k]);
		tell_places(g, &t->note_of_round[k]);
	}
}

void sta_telling_work(struct job *job)
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
