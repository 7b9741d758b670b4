/* observe_stream.c - datastreams as JSON, CSV, NDJSON and GeoJSON: what there is, whose it is, how
 * fresh it is. See observe_write.h. */
#include "web/observe_write.h"

#include "base/limits.h"
#include "web/place.h"
#include "json/write.h"

int observe_fresh(uint64_t cadence_s, int64_t last_stored_ms, int64_t now_ms)
{
	if (!cadence_s || !last_stored_ms)
		return -1;
	return now_ms - last_stored_ms <= (int64_t)(cadence_s * 10 * LIMIT_FRESH_PERCENT);
}

static void text(struct buf *b, const char *name, struct span s)
{
	if (!s.n)
		return;
	json_write_name(b, name);
	json_write_string(b, s);
}

static void time_member(struct observe_writer *w, const char *name, bool has, int64_t ms)
{
	if (!has)
		return;
	json_write_name(w->b, name);
	observe_write_time(w, w->b, ms);
}

static void value(struct observe_writer *w, const char *name, const struct series_value *v)
{
	struct buf *b = w->b;
	json_write_name(b, name);
	buf_add_str(b, "{\"time\":");
	observe_write_time(w, b, v->time_ms);
	json_write_name(b, "value");
	if (v->kind == POINT_TEXT)
		json_write_string(b, v->text);
	else if (v->kind == POINT_BOOL)
		buf_add_str(b, v->number != 0 ? "true" : "false");
	else
		observe_write_number(b, v->number);
	if (v->flags) {
		buf_add_str(b, ",\"quality\":[\"");
		observe_write_flags(b, v->flags, "\",\"");
		buf_add_str(b, "\"]");
	}
	buf_add_char(b, '}');
}

static void contract(struct buf *b, const struct config_feed *f)
{
	static const char *const access[] = {"public", "restricted", "internal"};
	if (!f)
		return;
	text(b, "title", span_str(f->title));
	text(b, "licence", span_str(f->licence));
	text(b, "contact", span_str(f->contact));
	text(b, "theme", span_str(f->theme));
	text(b, "access", span_str(access[f->access]));
}

/* The members, from "id" on, without braces. */
static void members(struct observe_writer *w, const struct series_stream *s,
                    const struct config_feed *f)
{
	struct buf *b = w->b;
	int fresh = observe_fresh(s->cadence_s, s->stored_ms, w->now_ms);
	buf_addf(b, "\"id\":%u", s->id);
	text(b, "feed", s->feed);
	text(b, "owner", s->organisation);
	text(b, "thing", s->thing);
	text(b, "property", s->member);
	text(b, "observedProperty", s->property);
	text(b, "unit", s->unit);
	text(b, "schema", s->schema);
	contract(b, f);
	buf_addf(b, ",\"count\":%llu", (unsigned long long)s->count);
	time_member(w, "first", s->count > 0, s->first_ms);
	time_member(w, "last", s->count > 0, s->last_ms);
	time_member(w, "retrievableSince", s->count > 0, MAX_OF(s->first_ms, s->since_ms));
	time_member(w, "lastStored", s->stored_ms > 0, s->stored_ms);
	if (s->cadence_s)
		buf_addf(b, ",\"cadence\":%llu", (unsigned long long)s->cadence_s);
	buf_addf(b, ",\"fresh\":%s", fresh < 0 ? "null" : fresh ? "true" : "false");
	if (s->has_latest)
		value(w, "latest", &s->latest);
	if (s->has_future)
		value(w, "future", &s->future);
}

void observe_stream_object(struct observe_writer *w, const struct series_stream *s,
                           const struct config_feed *f)
{
	struct buf *b = w->b;
	buf_add_char(b, '{');
	members(w, s, f);
	json_write_name(b, "location");
	observe_write_geometry(w, b, s);
	if (w->o->crs == CRS_RD)
		buf_addf(b, ",\"crs\":\"%s\",\"crsAccuracy\":%g", crs_uri(CRS_RD),
		         crs_accuracy_m(CRS_RD));
	buf_addf(b, ",\"observations\":\"/v1/datastreams/%u/observations\"", s->id);
	buf_addf(b, ",\"chart\":\"/v1/datastreams/%u/chart.svg\"}", s->id);
}

/* ---- lists ---- */

void observe_list_begin(struct observe_writer *w)
{
	switch (w->format) {
	case AS_CSV:
		buf_add_str(w->b, "id,feed,owner,thing,property,unit,observed_property,licence,"
		                  "count,first,last,last_stored,fresh,value,x,y,bbox\r\n");
		break;
	case AS_JSON: buf_add_str(w->b, "{\"datastreams\":["); break;
	case AS_GEOJSON: observe_features_begin(w); break;
	default: break;
	}
}

static void csv_text(struct buf *b, struct span s)
{
	buf_add_char(b, ',');
	observe_write_csv_text(b, s);
}

static void csv_time(struct observe_writer *w, bool has, int64_t ms)
{
	char t[ZONE_TIME_BYTES];
	buf_add_char(w->b, ',');
	if (has)
		buf_add(w->b, t, zone_format(w->o->zone, ms, t));
}

static void csv_place(struct observe_writer *w, const struct series_stream *s)
{
	const struct box *place = s->has_place ? &s->place : NULL;
	place_columns(w->b, place, observe_rd(w));
	place_box_column(w->b, place, observe_rd(w));
}

static void csv_row(struct observe_writer *w, const struct series_stream *s,
                    const struct config_feed *f)
{
	struct buf *b = w->b;
	int fresh = observe_fresh(s->cadence_s, s->stored_ms, w->now_ms);
	const struct span texts[] = {s->feed,
	                             s->organisation,
	                             s->thing,
	                             s->member,
	                             s->unit,
	                             s->property,
	                             f ? span_str(f->licence) : SPAN("")};
	buf_addf(b, "%u", s->id);
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++)
		csv_text(b, texts[i]);
	buf_addf(b, ",%llu", (unsigned long long)s->count);
	csv_time(w, s->count > 0, s->first_ms);
	csv_time(w, s->count > 0, s->last_ms);
	csv_time(w, s->stored_ms > 0, s->stored_ms);
	buf_add_str(b, fresh < 0 ? "," : fresh ? ",true" : ",false");
	if (!s->has_latest)
		buf_add_char(b, ',');
	else if (s->latest.kind == POINT_TEXT)
		csv_text(b, s->latest.text);
	else {
		buf_add_char(b, ',');
		observe_write_number(b, s->latest.number);
	}
	csv_place(w, s);
	buf_add_str(b, "\r\n");
}

void observe_list_row(struct observe_writer *w, const struct series_stream *s,
                      const struct config_feed *f)
{
	bool first = w->rows++ == 0;
	switch (w->format) {
	case AS_CSV: csv_row(w, s, f); return;
	case AS_GEOJSON:
		buf_add_str(w->b, first ? "\n" : ",\n");
		buf_addf(w->b, "{\"type\":\"Feature\",\"id\":%u,\"geometry\":", s->id);
		observe_write_geometry(w, w->b, s);
		buf_add_str(w->b, ",\"properties\":{");
		members(w, s, f);
		buf_add_str(w->b, "}}");
		return;
	case AS_JSON: buf_add_str(w->b, first ? "\n" : ",\n"); break;
	default: break;
	}
	observe_stream_object(w, s, f);
	if (w->format == AS_NDJSON)
		buf_add_char(w->b, '\n');
}
