/* observe_write.c - see observe_write.h. Rows of observations; datastreams are in
 * observe_stream.c. */
#include "web/observe_write.h"

#include "base/limits.h"
#include "series/decimal.h"
#include "web/place.h"
#include "json/json.h"
#include "json/write.h"

enum { HEAD_BYTES = 8 << 10 };

const char *const observe_types[AS_FORMATS] = {"application/json", "text/csv",
                                               "application/x-ndjson", "application/geo+json"};

/* ---- small pieces ---- */

void observe_write_flags(struct buf *b, unsigned flags, const char *sep)
{
	bool first = true;
	for (unsigned i = 0; flags && i < POINT_FLAG_WORDS; i++) {
		if (!(flags & point_flags[i].bit))
			continue;
		if (!first)
			buf_add_str(b, sep);
		first = false;
		buf_add_str(b, point_flags[i].word);
	}
}

/* Most values have a few decimals and need no search for the shortest text. */
void observe_write_number(struct buf *b, double v)
{
	int64_t scaled;
	for (unsigned d = 0; d <= 4; d++) {
		if (!decimal_scale(v, d, &scaled))
			continue;
		uint64_t n = scaled < 0 ? (uint64_t)-scaled : (uint64_t)scaled;
		uint64_t power = (uint64_t)decimal_power(d);
		if (scaled < 0)
			buf_add_char(b, '-');
		buf_add_u64(b, n / power);
		if (!d)
			return;
		char digits[5] = ".";
		uint64_t rest = n % power;
		for (unsigned i = d; i; i--, rest /= 10)
			digits[i] = (char)('0' + rest % 10);
		buf_add(b, digits, d + 1);
		return;
	}
	json_write_double(b, v);
}

void observe_write_time(struct observe_writer *w, struct buf *b, int64_t ms)
{
	char text[ZONE_TIME_BYTES + 2];
	unsigned n = zone_format(w->o->zone, ms, text + 1);
	text[0] = text[n + 1] = '"';
	buf_add(b, text, n + 2);
}

void observe_write_bare_time(struct observe_writer *w, int64_t ms)
{
	char text[ZONE_TIME_BYTES];
	buf_add(w->b, text, zone_format(w->o->zone, ms, text));
}

/* RFC 4180: quotes are doubled. */
void observe_write_csv_text(struct buf *b, struct span s)
{
	buf_add_char(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			buf_add_char(b, '"');
		buf_add_char(b, s.p[i]);
	}
	buf_add_char(b, '"');
}

/* To a part of one: 10 gives one decimal. */
static void write_fixed(struct buf *b, double v, double parts)
{
	observe_write_number(b, round(v * parts) / parts);
}

void observe_write_geometry(struct observe_writer *w, struct buf *b, const struct series_stream *s)
{
	place_geometry(b, s->has_place ? &s->place : NULL, observe_rd(w));
}

/* ---- begin and end ---- */

void observe_writer_init(struct observe_writer *w, struct buf *b, const struct observe *o,
                         enum observe_format format)
{
	*w = (struct observe_writer){.b = b, .o = o, .format = format};
	buf_init(&w->head, HEAD_BYTES);
	buf_init(&w->place, HEAD_BYTES);
}

void observe_writer_done(struct observe_writer *w)
{
	buf_done(&w->head);
	buf_done(&w->place);
}

static void write_csv_names(struct observe_writer *w)
{
	if (!w->one)
		buf_add_str(w->b, "datastream,feed,thing,property,unit,");
	if (!w->o->figures)
		buf_add_str(w->b,
		            w->o->stored ? "time,value,quality,stored" : "time,value,quality");
	else
		buf_add_str(w->b, "time,until");
	for (unsigned i = 0; i < FIGURES; i++)
		if (w->o->figures & 1u << i)
			buf_addf(w->b, ",%s", observe_figures[i]);
	buf_add_str(w->b, "\r\n");
}

void observe_features_begin(struct observe_writer *w)
{
	buf_add_str(w->b, "{\"type\":\"FeatureCollection\",");
	if (w->o->crs == CRS_RD)
		buf_addf(w->b, "\"coordRefSys\":\"%s\",", crs_uri(CRS_RD));
	buf_add_str(w->b, "\"features\":[");
}

void observe_begin(struct observe_writer *w, const struct series_stream *s,
                   const struct config_feed *feed)
{
	w->one = s != NULL || w->o->together;
	switch (w->format) {
	case AS_CSV: write_csv_names(w); break;
	case AS_NDJSON: break;
	case AS_JSON:
		buf_add_char(w->b, '{');
		if (s) {
			buf_add_str(w->b, "\"datastream\":");
			observe_stream_object(w, s, feed);
		}
		json_write_name(w->b, "tz");
		json_write_string(w->b, span_str(w->o->zone_name));
		buf_add_str(w->b, ",\"observations\":[");
		break;
	default: observe_features_begin(w);
	}
	if (s)
		observe_stream(w, s);
}

/* What stands in every row of it. */
void observe_stream(struct observe_writer *w, const struct series_stream *s)
{
	struct buf *b = &w->head;
	w->cadence_s = s->cadence_s;
	buf_clear(b);
	buf_clear(&w->place);
	if (w->format == AS_GEOJSON)
		observe_write_geometry(w, &w->place, s);
	if (w->one && w->format != AS_GEOJSON)
		return;
	if (w->format == AS_CSV) {
		buf_addf(b, "%u", s->id);
		const struct span texts[] = {s->feed, s->thing, s->member, s->unit};
		for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
			buf_add_char(b, ',');
			observe_write_csv_text(b, texts[i]);
		}
		buf_add_char(b, ',');
		return;
	}
	buf_addf(b, "\"datastream\":%u,\"feed\":", s->id);
	json_write_string(b, s->feed);
	json_write_name(b, "thing");
	json_write_string(b, s->thing);
	json_write_name(b, "property");
	json_write_string(b, s->member);
	if (s->unit.n) {
		json_write_name(b, "unit");
		json_write_string(b, s->unit);
	}
	buf_add_char(b, ',');
}

void observe_end(struct observe_writer *w, const char *next)
{
	if (w->format == AS_JSON || w->format == AS_GEOJSON) {
		buf_add_str(w->b, next ? "],\"next\":\"" : "],\"next\":null}\n");
		if (next)
			buf_addf(w->b, "%s\"}\n", next);
	}
}

/* ---- rows ---- */

static void row_begin(struct observe_writer *w, int64_t time_ms)
{
	struct buf *b = w->b;
	bool first = w->rows++ == 0;
	switch (w->format) {
	case AS_CSV:
		buf_add(b, w->head.p, w->head.len);
		observe_write_bare_time(w, time_ms);
		return;
	case AS_NDJSON: buf_add_char(b, '{'); break;
	case AS_JSON: buf_add_str(b, first ? "\n{" : ",\n{"); break;
	default:
		buf_add_str(b, first ? "\n" : ",\n");
		buf_add_str(b, "{\"type\":\"Feature\",\"geometry\":");
		buf_add(b, w->place.p, w->place.len);
		buf_add_str(b, ",\"properties\":{");
	}
	if (w->head.len)
		buf_add(b, w->head.p, w->head.len);
	buf_add_str(b, "\"time\":");
	observe_write_time(w, b, time_ms);
}

static void row_end(struct observe_writer *w)
{
	static const char *const ends[AS_FORMATS] = {"}", "\r\n", "}\n", "}}"};
	buf_add_str(w->b, ends[w->format]);
}

/* 0: it is not known. */
static void write_stored(struct observe_writer *w, int64_t stored_ms)
{
	if (w->format == AS_CSV)
		buf_add_char(w->b, ',');
	else
		json_write_name(w->b, "stored");
	if (w->format == AS_CSV && stored_ms)
		observe_write_bare_time(w, stored_ms);
	else if (stored_ms)
		observe_write_time(w, w->b, stored_ms);
	else if (w->format != AS_CSV)
		buf_add_str(w->b, "null");
}

/* A text that it was changed to stands in its details. */
static void write_text(struct observe_writer *w, struct span text)
{
	struct json_tape t = {0};
	size_t at;
	const char *why;
	uint32_t result = 0;
	if (!text.n && w->details.n) {
		json_tape_init(&t, LIMIT_STA_TOKENS);
		if (json_parse(&t, w->details, &at, &why) == 0)
			result = json_member(&t, 0, SPAN("result"));
	}
	if (result && t.tok[result].type == JSON_STRING && w->format != AS_CSV)
		buf_addf(w->b, "\"%.*s\"", (int)t.tok[result].len, json_text(&t, result).p);
	else if (w->format == AS_CSV)
		observe_write_csv_text(w->b, result ? json_text(&t, result) : text);
	else
		json_write_string(w->b, result ? json_text(&t, result) : text);
	json_tape_done(&t);
}

static void write_value(struct observe_writer *w, const struct series_value *v)
{
	struct buf *b = w->b;
	bool csv = w->format == AS_CSV;
	row_begin(w, v->time_ms);
	buf_add_str(b, csv ? "," : ",\"value\":");
	if (v->kind == POINT_NUMBER)
		observe_write_number(b, v->number);
	else if (v->kind == POINT_BOOL)
		buf_add_str(b, v->number != 0 ? "true" : "false");
	else
		write_text(w, v->text);
	if (csv) {
		buf_add_char(b, ',');
		observe_write_flags(b, v->flags, " ");
	} else if (v->flags) {
		buf_add_str(b, ",\"quality\":[\"");
		observe_write_flags(b, v->flags, "\",\"");
		buf_add_str(b, "\"]");
	}
	if (w->o->stored)
		write_stored(w, v->stored_ms);
	if (!csv && w->details.n) {
		json_write_name(b, "details");
		buf_add_span(b, w->details);
	}
	row_end(w);
}

void observe_point(struct observe_writer *w, const struct points *all, const struct point *p)
{
	struct series_value v = {.time_ms = p->time_ms,
	                         .stored_ms = (int64_t)p->stored_s * 1000,
	                         .flags = p->flags,
	                         .kind = p->kind};
	if (p->kind == POINT_TEXT)
		v.text = point_text(all, p);
	else
		v.number = p->number;
	write_value(w, &v);
}

void observe_value(struct observe_writer *w, const struct series_value *v)
{
	write_value(w, v);
}

static double figure_value(const struct observe_writer *w, const struct series_bucket *k,
                           unsigned figure)
{
	switch (figure) {
	case FIGURE_MEAN: return k->sum / (double)k->count;
	case FIGURE_MIN: return k->min;
	case FIGURE_MAX: return k->max;
	case FIGURE_SUM: return k->sum;
	case FIGURE_COUNT: return (double)k->points;
	case FIGURE_FIRST: return k->first;
	case FIGURE_LAST: return k->last;
	default:
		return fmin(1, (double)k->points * (double)w->cadence_s * 1000 /
		                   (double)(k->to_ms - k->from_ms));
	}
}

static bool has_figure(const struct observe_writer *w, const struct series_bucket *k,
                       unsigned figure)
{
	if (figure == FIGURE_COUNT)
		return true;
	return figure == FIGURE_PRESENT ? w->cadence_s > 0 : k->count > 0;
}

void observe_bucket(struct observe_writer *w, const struct series_bucket *k)
{
	struct buf *b = w->b;
	bool csv = w->format == AS_CSV;
	row_begin(w, k->from_ms);
	if (csv) {
		buf_add_char(b, ',');
		observe_write_bare_time(w, k->to_ms);
	} else {
		buf_add_str(b, ",\"until\":");
		observe_write_time(w, b, k->to_ms);
	}
	for (unsigned i = 0; i < FIGURES; i++) {
		unsigned figure = 1u << i;
		if (!(w->o->figures & figure))
			continue;
		if (csv)
			buf_add_char(b, ',');
		else
			json_write_name(b, observe_figures[i]);
		if (!has_figure(w, k, figure))
			buf_add_str(b, csv ? "" : "null");
		else if (figure == FIGURE_PRESENT)
			write_fixed(b, figure_value(w, k, figure), 10000);
		else
			observe_write_number(b, figure_value(w, k, figure));
	}
	row_end(w);
}
