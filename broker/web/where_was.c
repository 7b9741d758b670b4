/* where_was.c - /v1/things/{thing}/places: where a thing was, in each feed that it told a place to,
 * by observed time. Two questions, one within the other: which things of that name, and for each of
 * them its places. A grant for an area shows those within it, of things that are within it now. */
#include "series/series.h"

#include "base/err.h"
#include "web/observing.h"
#include "web/place.h"
#include "json/write.h"

static void next_thing(struct observing *g);

static const struct series_thing *thing_of(const struct observing *g)
{
	return &g->streams.things[0];
}

/* ---- writing ---- */

static void begin(struct observing *g)
{
	struct buf *b = g->w.b;
	if (g->w.format == AS_CSV)
		buf_add_str(b, "feed,owner,time,x,y,bbox\r\n");
	else if (g->w.format == AS_JSON) {
		buf_add_str(b, "{\"thing\":");
		json_write_string(b, g->r->param[0]);
		buf_add_str(b, ",\"places\":[");
	} else if (g->w.format == AS_GEOJSON)
		observe_features_begin(&g->w);
}

static void write_members(struct observing *g, const struct series_place *p)
{
	struct buf *b = g->w.b;
	buf_add_str(b, "{\"feed\":");
	json_write_string(b, thing_of(g)->feed);
	json_write_name(b, "owner");
	json_write_string(b, thing_of(g)->organisation);
	json_write_name(b, "time");
	observe_write_time(&g->w, b, p->time_ms);
}

static void write_row(struct observing *g, const struct series_place *p)
{
	struct observe_writer *w = &g->w;
	struct buf *b = w->b;
	const char *comma = w->rows++ ? ",\n" : "\n";
	struct grid *rd = observe_rd(w);
	switch (w->format) {
	case AS_CSV:
		observe_write_csv_text(b, thing_of(g)->feed);
		buf_add_char(b, ',');
		observe_write_csv_text(b, thing_of(g)->organisation);
		buf_add_char(b, ',');
		observe_write_bare_time(w, p->time_ms);
		place_columns(b, &p->place, rd);
		place_box_column(b, &p->place, rd);
		buf_add_str(b, "\r\n");
		return;
	case AS_GEOJSON:
		buf_addf(b, "%s{\"type\":\"Feature\",\"geometry\":", comma);
		place_geometry(b, &p->place, rd);
		buf_add_str(b, ",\"properties\":");
		write_members(g, p);
		buf_add_str(b, "}}");
		return;
	default:
		if (w->format == AS_JSON)
			buf_add_str(b, comma);
		write_members(g, p);
		json_write_name(b, "location");
		place_geometry(b, &p->place, rd);
		buf_add_str(b, w->format == AS_JSON ? "}" : "}\n");
	}
}

/* ---- asking ---- */

static void on_places(struct series_ask *a)
{
	struct observing *g = a->arg;
	const struct series_thing *t = thing_of(g);
	if (a->err && a->err != ERR_NOT_FOUND) {
		observing_fail(g, a->err);
		return;
	}
	for (size_t i = 0; i < a->n; i++) {
		const struct access_spot spot = {
		    .organisation = t->organisation, .known = true, .place = a->places[i].place};
		if (!observing_may(g, t->feed, t->thing, &spot))
			continue;
		if (g->w.rows == g->o.limit) { /* here the next page begins */
			const struct observe_cursor next = {
			    .stream = {.at = t->id, .begun = true},
			    .inner = {.time_ms = a->places[i].time_ms, .begun = true}};
			observing_finish(g, &next);
			return;
		}
		write_row(g, &a->places[i]);
	}
	if (a->more && !a->err) {
		series_ask(g->r->web->series, a);
		return;
	}
	series_ask_done(a);
	next_thing(g);
}

static void on_thing(struct series_ask *a)
{
	struct observing *g = a->arg;
	if (a->err && a->err != ERR_NOT_FOUND) {
		observing_fail(g, a->err);
		return;
	}
	if (!a->n) {
		next_thing(g);
		return;
	}
	const struct series_thing *t = thing_of(g);
	g->one = (struct series_ask){.what = SERIES_PLACES,
	                             .id = t->id,
	                             .from_ms = g->o.from_ms,
	                             .to_ms = g->o.to_ms,
	                             .done = on_places,
	                             .arg = g};
	if (t->id == g->o.cursor.stream.at)
		g->one.cursor = g->inner;
	series_ask(g->r->web->series, &g->one);
}

/* One a step: its names are needed until its places have been told. */
static void next_thing(struct observing *g)
{
	struct series_ask *a = &g->streams;
	if (g->asked && (!a->more || a->err)) {
		observing_finish(g, NULL);
		return;
	}
	g->asked = true;
	a->limit = 1;
	series_ask(g->r->web->series, a);
}

void get_thing_places(struct req *r)
{
	struct observing *g = observing_new(r, OBSERVE_PLACES);
	if (!g)
		return;
	g->o.filter.thing = r->param[0];
	struct series_ask *a = observing_question(g, SERIES_THINGS, on_thing);
	a->cursor = g->o.cursor.stream;
	g->inner = g->o.cursor.inner;
	if (a->cursor.at)
		a->cursor.at--; /* that one again */
	a->cursor.begun = a->cursor.at > 0;
	begin(g);
	next_thing(g);
}
