/* observing.c - see observing.h. */
#include "web/observing.h"

#include "base/civil.h"
#include "base/err.h"
#include "base/mem.h"
#include "web/accept.h"

#include <stdio.h>
#include <stdlib.h>

enum { STREAMS_STEP = 200, LINK_BYTES = 1400, CRS_NAME_BYTES = 128, HOUR_MS = 3600000 };
static const int64_t OLDEST_MS = -62167219200000; /* the year 0, as RFC 3339 has it */

static void next_stream(struct observing *g);
static void ask_one(struct observing *g);

/* ---- helpers ---- */

const struct series_stream *observing_stream(const struct observing *g)
{
	assert(g->at < g->streams.n);
	return &g->streams.streams[g->at];
}

static const struct config_feed *observing_feed(const struct observing *g, struct span name)
{
	const struct feed *f = hub_feed(g->r->web->hub, name);
	return f ? f->conf : NULL;
}

void observing_fail(struct observing *g, int err)
{
	struct req *r = g->r;
	g->ended = true;
	if (r->answering) { /* the beginning is on its way */
		r->broken = true;
		conn_wake(r->wsi);
	} else if (err == ERR_NOT_FOUND) {
		problem(r, 404, "there is no such datastream");
	} else if (err == ERR_TOO_LARGE) {
		problem(r, 400,
		        "from, to and interval make more than %d pieces of time: ask for a longer "
		        "interval or a shorter time",
		        LIMIT_SERIES_PIECES);
	} else {
		problem(r, 503, "the time series cannot be read now: %s", err_text(err));
	}
}

/* "</path?query&cursor=...>" into a Link header. */
static void observing_link(struct observing *g, const char *cursor)
{
	static const char names[] =
	    "feed thing property observed-property organisation bbox radius "
	    "from to last aggregate interval tz order limit format original "
	    "rejected stored stored-since crs";
	struct buf b;
	buf_init(&b, LINK_BYTES);
	buf_addf(&b, "<%s?cursor=%s", g->r->path, cursor);
	filter_write_query(&b, &g->r->query, names);
	buf_add_str(&b, ">; rel=\"next\"");
	if (!b.err) /* else the cursor stands in the body */
		respond_header(g->r, "Link:", buf_str(&b));
	buf_done(&b);
}

/* ---- the end ---- */

void observing_finish(struct observing *g, const struct observe_cursor *next)
{
	char cursor[OBSERVE_CURSOR_BYTES];
	g->ended = true;
	if (next)
		observe_cursor_write(next, cursor);
	if (g->finish) {
		g->finish(g, next ? cursor : NULL);
		return;
	}
	observe_end(&g->w, next ? cursor : NULL);
	observing_send(g, next ? cursor : NULL);
}

void observing_send(struct observing *g, const char *cursor)
{
	struct req *r = g->r;
	req_count(r);
	if (r->answering) {
		conn_wake(r->wsi);
		return;
	}
	if (cursor)
		observing_link(g, cursor);
	respond_tagged(r, observe_types[g->w.format]);
}

static bool is_full(const struct observing *g)
{
	return g->w.rows >= g->o.limit;
}

/* ---- a stream to a slow client ---- */

/* Whether to go on now. */
static bool has_room(struct observing *g)
{
	struct req *r = g->r;
	req_count(r);
	if (g->o.limit != UINT64_MAX || r->out.len - r->sent < LIMIT_SERIES_ANSWER_BYTES)
		return true;
	if (!r->answering) {
		r->chunked = is_http_1_1(r->wsi);
		stream_begin(r, observe_types[g->w.format]);
	}
	g->waits = true;
	conn_wake(r->wsi);
	return false;
}

enum live_state observing_fill(struct req *r)
{
	struct observing *g = r->observing;
	if (g->ended)
		return LIVE_END;
	if (g->waits) {
		g->waits = false;
		lws_set_timeout(r->wsi, NO_PENDING_TIMEOUT, 0);
		if (g->one.done)
			ask_one(g);
		else
			next_stream(g);
	}
	return LIVE_WAIT;
}

/* ---- the observations of one datastream ---- */

/* What the page's end would be after the rows so far. done: of this datastream there is no more. */
static void page_end(struct observing *g, bool done, struct series_cursor inner)
{
	struct observe_cursor c = {.stream = {.at = observing_stream(g)->id, .begun = true}};
	bool last = g->id || (g->at + 1 == g->streams.n && !g->streams.more);
	if (done && last) {
		observing_finish(g, NULL);
		return;
	}
	if (!done)
		c.inner = inner;
	observing_finish(g, &c);
}

static void one_done(struct observing *g)
{
	series_ask_done(&g->one);
	g->one = (struct series_ask){0};
	g->at++;
	next_stream(g);
}

static void on_points(struct series_ask *a)
{
	struct observing *g = a->arg;
	if (a->err && a->err != ERR_NOT_FOUND) {
		observing_fail(g, a->err);
		return;
	}
	for (size_t i = 0; i < a->points.n; i++) {
		const struct series_detail *d = series_detail(a, i);
		g->w.details = d ? d->text : (struct span){0};
		observe_point(&g->w, &a->points, &a->points.p[i]);
	}
	g->w.details = (struct span){0};
	if (is_full(g))
		page_end(g, !a->more, a->cursor);
	else if (!a->more)
		one_done(g);
	else if (has_room(g))
		ask_one(g);
}

/* Of what it has, single or in figures of hours. */
static int64_t end_of(const struct observing *g)
{
	const struct series_stream *s = observing_stream(g);
	int64_t last = s->count ? s->last_ms + 1 : INT64_MIN;
	return MIN_OF(g->one.to_ms, s->rolled ? MAX_OF(last, s->since_ms) : last);
}

/* The pieces from begin on, as many as one step takes. */
static void set_edges(struct observing *g, int64_t begin)
{
	struct series_ask *a = &g->one;
	int64_t end = end_of(g);
	uint64_t room = g->o.limit - g->w.rows;
	size_t most = (size_t)MIN_OF(room, (uint64_t)LIMIT_SERIES_EDGE_PIECES), n = 0;
	g->edges[n++] = begin;
	while (n <= most && begin < end) {
		begin = period_next(&g->o.interval, g->o.zone, begin);
		g->edges[n++] = begin;
	}
	g->pieces += (int64_t)n;
	a->edges = g->edges;
	a->n_edges = n;
	a->cursor = (struct series_cursor){0};
}

static void on_buckets(struct series_ask *a)
{
	struct observing *g = a->arg;
	int64_t end = end_of(g);
	if (a->err && a->err != ERR_NOT_FOUND) {
		observing_fail(g, a->err);
		return;
	}
	for (size_t i = 0; i < a->n; i++) {
		if (g->bucket)
			g->bucket(g, &a->buckets[i]);
		else if (a->buckets[i].points)
			observe_bucket(&g->w, &a->buckets[i]);
	}
	int64_t next = a->more && a->n ? a->buckets[a->n - 1].to_ms : g->edges[a->n_edges - 1];
	bool done = !a->more && next >= end;
	if (is_full(g))
		page_end(g, done, (struct series_cursor){next, 0, true});
	else if (done)
		one_done(g);
	else if (g->pieces > LIMIT_SERIES_PIECES)
		observing_fail(g, ERR_TOO_LARGE);
	else {
		if (!a->more) {
			series_ask_done(a);
			set_edges(g, next);
		}
		if (has_room(g))
			ask_one(g);
	}
}

static void ask_one(struct observing *g)
{
	struct series_ask *a = &g->one;
	uint64_t room = g->o.limit - g->w.rows;
	a->limit = a->what == SERIES_AGGREGATE || room > LIMIT_SERIES_STEP_ROWS ? 0 : (size_t)room;
	series_ask(g->r->web->series, a);
}

static void begin_pieces(struct observing *g, int64_t first)
{
	struct series_ask *a = &g->one;
	if (first >= end_of(g)) {
		one_done(g);
		return;
	}
	a->what = SERIES_AGGREGATE;
	a->done = on_buckets;
	a->cursor = (struct series_cursor){0};
	if (g->way == OBSERVE_CHART) {
		a->edges = g->edges;
		a->n_edges = charting_edges(g);
	} else {
		set_edges(g, period_floor(&g->o.interval, g->o.zone, first));
	}
	ask_one(g);
}

static int64_t first_single(const struct observing *g)
{
	const struct series_stream *s = observing_stream(g);
	return s->count ? MAX_OF(s->first_ms, g->one.from_ms) : INT64_MAX;
}

/* One piece over all hours: it says when they begin. */
static void on_hours(struct series_ask *a)
{
	struct observing *g = a->arg;
	int64_t first = first_single(g);
	if (a->err && a->err != ERR_NOT_FOUND) {
		observing_fail(g, a->err);
		return;
	}
	if (!a->n && a->more) {
		series_ask(g->r->web->series, a);
		return;
	}
	if (a->n && a->buckets[0].points)
		first = MIN_OF(first, MAX_OF(a->buckets[0].first_ms, a->from_ms));
	series_ask_done(a);
	begin_pieces(g, first);
}

/* Where observations have become figures of hours, the pieces begin with those: an empty piece of
 * every second since 1970 would be none the less. */
static bool asks_hours(struct observing *g)
{
	const struct series_stream *s = observing_stream(g);
	struct series_ask *a = &g->one;
	int64_t begin = MAX_OF(a->from_ms, OLDEST_MS), end = MIN_OF(a->to_ms, s->since_ms);
	if (!s->rolled || begin >= end)
		return false;
	a->what = SERIES_AGGREGATE;
	a->done = on_hours;
	a->edges = g->edges;
	a->n_edges = 2;
	g->edges[0] = floor_div(begin, HOUR_MS) * HOUR_MS;
	g->edges[1] = end;
	series_ask(g->r->web->series, a);
	return true;
}

static void begin_one(struct observing *g)
{
	const struct series_stream *s = observing_stream(g);
	struct series_ask *a = &g->one;
	*a = (struct series_ask){.id = s->id,
	                         .from_ms = g->o.from_ms,
	                         .to_ms = g->o.to_ms,
	                         .original = g->o.original,
	                         .rejected = g->o.rejected,
	                         .stored = g->o.stored,
	                         .details = !g->o.figures,
	                         .descending = g->o.descending,
	                         .stored_since_ms = g->o.stored_since_ms,
	                         .arg = g};
	struct series_cursor inner = g->inner;
	g->inner = (struct series_cursor){0};
	g->pieces = 0;
	if (!g->id)
		observe_stream(&g->w, s);
	if (!g->o.figures) {
		a->what = SERIES_RAW;
		a->done = on_points;
		a->cursor = inner;
		ask_one(g);
		return;
	}
	if (inner.begun)
		begin_pieces(g, inner.time_ms);
	else if (!asks_hours(g))
		begin_pieces(g, first_single(g));
}

/* ---- which datastreams ---- */

static void ask_streams(struct observing *g)
{
	struct series_ask *a = &g->streams;
	uint64_t room = g->o.limit - g->w.rows;
	bool by_row = g->o.latest || g->way == OBSERVE_STREAMS;
	a->limit = by_row && room < STREAMS_STEP ? (size_t)room : STREAMS_STEP;
	g->at = 0;
	series_ask(g->r->web->series, a);
}

/* The permit is of when the question began; a grant may have ended since. */
bool observing_may(const struct observing *g, struct span feed, struct span thing,
                   const struct access_spot *spot)
{
	const struct feed *f = hub_feed(g->r->web->hub, feed);
	return f ? access_covers(&g->r->who, ACCESS_READ, f, thing, spot) == 0 : g->permit->all;
}

static bool may_stream(const struct observing *g, const struct series_stream *s)
{
	const struct access_spot spot = {
	    .organisation = s->organisation, .known = s->has_place, .place = s->place};
	return observing_may(g, s->feed, s->thing, &spot);
}

/* One row for each; then true when its turn is over. */
static bool by_row(struct observing *g)
{
	const struct series_stream *s = observing_stream(g);
	if (g->object) {
		g->object(g);
	} else if (g->way == OBSERVE_STREAMS) {
		observe_list_row(&g->w, s, observing_feed(g, s->feed));
	} else if (g->o.latest) {
		if (!s->has_latest)
			return true;
		observe_stream(&g->w, s);
		observe_value(&g->w, &s->latest);
	} else {
		return false;
	}
	return true;
}

static void next_stream(struct observing *g)
{
	while (!g->ended) {
		if (g->at == g->streams.n) {
			if (!g->streams.more)
				observing_finish(g, NULL);
			else if (has_room(g))
				ask_streams(g);
			return;
		}
		if (!may_stream(g, observing_stream(g))) {
			g->at++;
			continue;
		}
		if (g->begin) {
			bool another = g->begin(g);
			g->at++;
			if (!another)
				return;
			continue;
		}
		if (!by_row(g)) {
			begin_one(g);
			return;
		}
		if (is_full(g))
			page_end(g, true, (struct series_cursor){0});
		g->at++;
	}
}

void observing_go_on(struct observing *g)
{
	next_stream(g);
}

static void on_streams(struct series_ask *a)
{
	struct observing *g = a->arg;
	if (a->err && (a->err != ERR_NOT_FOUND || g->id)) {
		observing_fail(g, a->err);
		return;
	}
	bool none = a->n ? !may_stream(g, a->streams) : !a->more;
	if (g->id && none) {
		observing_fail(g, ERR_NOT_FOUND);
		return;
	}
	if (a->n && g->inner.begun && !g->id && a->streams[0].id != g->o.cursor.stream.at)
		g->inner.begun =
		    false; /* it no longer fits the filter: the next one, from its start */
	if (!g->asked && (a->n || !a->more)) {
		g->asked = true;
		if (g->way == OBSERVE_STREAMS && !g->object)
			observe_list_begin(&g->w);
		else if (!g->bucket && !g->object && !g->begin)
			observe_begin(&g->w, g->id ? a->streams : NULL,
			              g->id ? observing_feed(g, a->streams->feed) : NULL);
	}
	next_stream(g);
}

struct series_ask *observing_question(struct observing *g, enum series_what what,
                                      void (*done)(struct series_ask *a))
{
	struct series_ask *a = &g->streams;
	req_wait(g->r);
	a->what = what;
	a->filter = g->o.filter;
	permit_put(g->permit, &a->filter);
	a->done = done;
	a->arg = g;
	return a;
}

/* Puts the first question. */
static void observing_begin(struct observing *g)
{
	struct series_ask *a = observing_question(g, SERIES_STREAMS, on_streams);
	a->filter.stream_id = g->id;
	if (g->id) /* it is there, also when nothing came since */
		a->filter.stored_since_ms = 0;
	g->inner = g->o.cursor.inner;
	if (!g->id) {
		a->cursor = g->o.cursor.stream;
		if (g->inner.begun && a->cursor.at)
			a->cursor.at--; /* that one again */
		a->cursor.begun = a->cursor.at > 0;
	}
	ask_streams(g);
}

/* ---- the request ---- */

static bool choose_format(struct req *r, const struct observe *o, enum observe_format *ret)
{
	static const char *const words[AS_FORMATS] = {"json", "csv", "ndjson", "geojson"};
	int n = -1;
	for (int i = 0; o->format.n && i < AS_FORMATS; i++)
		if (span_is(o->format, words[i]))
			n = i;
	if (n < 0)
		n = accept_choose(span_str(r->accept), observe_types, AS_FORMATS);
	if (n < 0) {
		problem(r, 406, "this resource comes as %s, %s, %s or %s", observe_types[AS_JSON],
		        observe_types[AS_CSV], observe_types[AS_NDJSON], observe_types[AS_GEOJSON]);
		return false;
	}
	*ret = (enum observe_format)n;
	return true;
}

/* Accept-Crs of the geospatial module of the API Design Rules; crs= goes before it. */
static bool choose_crs(struct req *r, struct observe *o)
{
	char name[CRS_NAME_BYTES] = "";
	int n = lws_hdr_custom_length(r->wsi, "accept-crs:", 11);
	if (n > 0 && lws_hdr_custom_copy(r->wsi, name, sizeof(name), "accept-crs:", 11) < 0)
		name[0] = '?';
	if (!o->crs_asked && name[0] &&
	    (!crs_find(span_str(name), &o->crs) || (o->crs == CRS_RD && !r->web->crs))) {
		problem(r, 406, "places come in CRS84 or EPSG:28992");
		return false;
	}
	snprintf(name, sizeof(name), "<%s>", crs_uri(o->crs));
	respond_header(r, "Content-Crs:", name);
	respond_header(r, "Vary:", "Accept, Accept-Crs");
	return true;
}

static struct grid *crs_of(struct web *w)
{
	if (!w->crs_tried && grid_new(&w->crs))
		log_warn("Places are not given in EPSG:28992: PROJ does not know it.");
	w->crs_tried = true;
	return w->crs;
}

struct observing *observing_new(struct req *r, enum observe_way way)
{
	struct faults faults = {0};
	struct span v;
	if (!r->web->series) {
		problem(r, 404, "this server keeps no time series");
		return NULL;
	}
	if (r->web->observings >= LIMIT_SERIES_ANSWERS) {
		problem(r, 503, "too many answers from the time series are being made: ask again");
		return NULL;
	}
	struct observing *g = xcalloc(1, sizeof(*g));
	struct web *w = r->web;
	bool crs =
	    query_get(&r->query, "crs", &v) || lws_hdr_custom_length(r->wsi, "accept-crs:", 11) > 0;
	struct observe_context c = {.now_ms = clock_wall_ms(hub_clock(w->hub)),
	                            .zone = web_zone,
	                            .arg = w,
	                            .crs = crs ? crs_of(w) : NULL};
	w->observings++;
	g->r = r;
	g->way = way;
	r->observing = g;
	observe_read(&r->query, way, &c, &g->o, &faults);
	enum observe_format format = AS_JSON;
	if (faults.n)
		problem_faults(r, 400, &faults);
	else if (way == OBSERVE_CHART || (choose_format(r, &g->o, &format) && choose_crs(r, &g->o)))
		g->permit = permit_new(r);
	observe_writer_init(&g->w, &r->out, &g->o, format);
	g->w.crs = w->crs;
	g->w.now_ms = c.now_ms;
	if (g->o.figures || way == OBSERVE_CHART)
		g->edges = xcalloc(LIMIT_SERIES_EDGE_PIECES + 2, sizeof(*g->edges));
	return r->answering ? NULL : g;
}

void observing_free(struct observing *g)
{
	if (!g)
		return;
	series_ask_done(&g->streams);
	series_ask_done(&g->one);
	observe_writer_done(&g->w);
	permit_done(g->permit);
	g->r->web->observings--;
	if (g->drop)
		g->drop(g);
	free(g->edges);
	free(g->more);
	free(g);
}

void observing_begin_one(struct observing *g)
{
	uint64_t id;
	if (span_to_u64(g->r->param[0], &id) || id == 0 || id > UINT32_MAX) {
		observing_fail(g, ERR_NOT_FOUND);
		return;
	}
	g->id = (uint32_t)id;
	observing_begin(g);
}

void get_datastreams(struct req *r)
{
	struct observing *g = observing_new(r, OBSERVE_STREAMS);
	if (g)
		observing_begin(g);
}

void get_thing_datastreams(struct req *r)
{
	struct observing *g = observing_new(r, OBSERVE_STREAMS);
	if (!g)
		return;
	g->o.filter.thing = r->param[0];
	observing_begin(g);
}

static void finish_object(struct observing *g, const char *next UNUSED)
{
	respond_tagged(g->r, "application/json");
}

/* The list of one, without the list. */
static void put_object(struct observing *g)
{
	const struct series_stream *s = observing_stream(g);
	observe_stream_object(&g->w, s, observing_feed(g, s->feed));
}

void get_datastream(struct req *r)
{
	struct observing *g = observing_new(r, OBSERVE_STREAMS);
	if (!g)
		return;
	g->object = put_object;
	g->finish = finish_object;
	observing_begin_one(g);
}

void get_datastream_observations(struct req *r)
{
	struct observing *g = observing_new(r, OBSERVE_ONE);
	if (g)
		observing_begin_one(g);
}

void get_observations(struct req *r)
{
	struct observing *g = observing_new(r, OBSERVE_MANY);
	if (g && (!g->o.together || together_begin(g)))
		observing_begin(g);
}
