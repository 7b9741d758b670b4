/* sta_entity.c - see sta_entity.h. Member names are those of SensorThings 1.1 (OGC 18-088, 8.2). */
#include "web/sta_entity.h"

#include "base/hash.h"
#include "sta/build.h"
#include "sta/detail.h"
#include "web/html.h"

#include <stdio.h>

static void joined(json_t *o, const char *name, struct span a, const char *between, struct span b)
{
	struct buf t;
	buf_init(&t, 4096);
	buf_add_span(&t, a);
	buf_add_str(&t, between);
	buf_add_span(&t, b);
	sta_text(o, name, span_of(t.p, t.len));
	buf_done(&t);
}

int64_t sta_timed_id(uint32_t number, int64_t ms)
{
	if (number >> (63 - STA_ID_SHIFT) || ms < 0 || ms >> STA_ID_SHIFT)
		return -1;
	return (int64_t)number << STA_ID_SHIFT | ms;
}

/* The key is fixed: the number of a property is the same everywhere and always. */
int64_t sta_property_id(const struct series_stream *s)
{
	static const struct hash_key key = {0x6f7564702d737461, 0x70726f7065727479};
	struct span of = s->property.n ? s->property : s->member;
	return (int64_t)(hash64(&key, of.p, of.n) >> 11);
}

/* Whose it is: on every entity that has properties. */
static json_t *owned(struct span organisation)
{
	json_t *p = sta_object();
	sta_text(p, "organisation", organisation);
	return p;
}

json_t *sta_thing(const struct series_thing *t, const struct sta_entry *e)
{
	json_t *p = owned(t->organisation), *j = sta_object();
	sta_text(p, "feed", t->feed);
	sta_text(p, "thing", t->thing);
	if (t->first_stored_ms)
		sta_time(p, "firstStored", t->first_stored_ms);
	if (t->last_stored_ms)
		sta_time(p, "lastStored", t->last_stored_ms);
	sta_text(j, "name", t->thing);
	joined(j, "description", t->thing, " in feed ", t->feed);
	if (e->text.n)
		sta_registered(j, p, e->text);
	sta_put(j, "properties", p);
	return j;
}

/* GeoJSON (RFC 7946, 3.2) for what has no place: an Observation must have a FeatureOfInterest. */
static json_t *nowhere(void)
{
	json_t *j = sta_object();
	sta_string(j, "type", "Feature");
	sta_null(j, "geometry");
	sta_put(j, "properties", sta_object());
	return j;
}

json_t *sta_place(const struct series_thing *t, const struct sta_entry *e, const char *member,
                  bool wanted)
{
	if ((!t->has_place || t->registered) && !e->place.known && !wanted)
		return NULL;
	json_t *j = sta_object();
	joined(j, "name", SPAN("place of "), "", t->thing);
	bool told = t->has_place && !t->registered;
	const struct box *at = told ? &t->place : e->place.known ? &e->place.place : NULL;
	sta_string(j, "description",
	           told ? box_is_point(at) ? "where it said it is, CRS84"
	                                   : "the box around where it said it is, CRS84"
	           : at ? "where the register has it, CRS84"
	                : "nobody said where it is");
	sta_string(j, "encodingType", "application/geo+json");
	if (at)
		sta_place_geometry(j, member, at);
	else
		sta_put(j, member, nowhere());
	sta_put(j, "properties", owned(t->organisation));
	return j;
}

json_t *sta_sensor(const struct series_thing *t, const char *base_url)
{
	json_t *j = sta_object();
	struct buf url;
	buf_init(&url, 4096);
	buf_addf(&url, "%s/v1/things/", base_url);
	html_percent(&url, t->thing);
	joined(j, "name", SPAN("sensor of "), "", t->thing);
	sta_string(j, "description", "what reports for this thing");
	sta_string(j, "encodingType", "application/json");
	sta_text(j, "metadata", span_of(url.p, url.err ? 0 : url.len));
	sta_put(j, "properties", owned(t->organisation));
	buf_done(&url);
	return j;
}

static const char *observation_type(const struct series_stream *s)
{
	if (!s->has_latest)
		return "OM_Observation";
	return s->latest.kind == POINT_NUMBER ? "OM_Measurement"
	       : s->latest.kind == POINT_BOOL ? "OM_TruthObservation"
	                                      : "OM_CategoryObservation";
}

static json_t *unit_of(const struct series_stream *s)
{
	json_t *u = sta_object();
	if (s->unit.n) {
		sta_text(u, "name", s->unit);
		sta_text(u, "symbol", s->unit);
		sta_string(u, "definition", "https://ucum.org/ucum");
	} else { /* the standard wants the members there */
		sta_null(u, "name");
		sta_null(u, "symbol");
		sta_null(u, "definition");
	}
	return u;
}

static json_t *stream_properties(const struct series_stream *s, const char *base_url)
{
	json_t *p = owned(s->organisation);
	sta_text(p, "feed", s->feed);
	sta_text(p, "thing", s->thing);
	sta_text(p, "member", s->member);
	if (s->schema.n) {
		struct buf url;
		buf_init(&url, 1024);
		buf_addf(&url, "%s/v1/schemas/%.*s", base_url, (int)s->schema.n, s->schema.p);
		sta_text(p, "schema", span_of(url.p, url.len));
		buf_done(&url);
	}
	if (s->cadence_s)
		sta_integer(p, "cadenceSeconds", (int64_t)s->cadence_s);
	if (s->count)
		sta_time(p, "retrievableSince", MAX_OF(s->since_ms, s->first_ms));
	if (s->stored_ms)
		sta_time(p, "lastStored", s->stored_ms);
	return p;
}

json_t *sta_datastream(const struct series_stream *s, const char *base_url)
{
	char uri[100];
	json_t *j = sta_object();
	snprintf(uri, sizeof(uri), "http://www.opengis.net/def/observationType/OGC-OM/2.0/%s",
	         observation_type(s));
	joined(j, "name", s->thing, " ", s->member);
	joined(j, "description", s->member, " of ", s->thing);
	sta_string(j, "observationType", uri);
	sta_put(j, "unitOfMeasurement", unit_of(s));
	if (s->has_place)
		sta_place_geometry(j, "observedArea", &s->place);
	if (s->count)
		sta_interval(j, "phenomenonTime", s->first_ms, s->last_ms);
	sta_put(j, "properties", stream_properties(s, base_url));
	return j;
}

json_t *sta_property(const struct series_stream *s)
{
	json_t *j = sta_object();
	struct span of = s->property.n ? s->property : s->member;
	size_t at = of.n;
	while (at && of.p[at - 1] != '/' && of.p[at - 1] != '#' && of.p[at - 1] != ':')
		at--;
	sta_text(j, "name", span_of(of.p + at, of.n - at));
	sta_text(j, "description", s->property.n ? of : SPAN("no schema says what it is"));
	sta_text(j, "definition", of);
	return j;
}

json_t *sta_quality(unsigned flags)
{
	json_t *words = NULL;
	for (unsigned i = 0; i < POINT_FLAG_WORDS; i++) {
		if (!(flags & point_flags[i].bit))
			continue;
		if (!words)
			words = sta_array();
		sta_append(words, point_flags[i].word);
	}
	return words;
}

json_t *sta_observation(const struct points *points, const struct point *p,
                        const struct series_detail *d)
{
	json_t *j = sta_object(), *quality;
	unsigned flags = p->flags;
	if ((flags & POINT_CUT) && d && sta_detail_has(d->text, STA_D_RESULT))
		flags &= ~(unsigned)POINT_CUT; /* the whole is shown */
	sta_time(j, "phenomenonTime", p->time_ms);
	sta_null(j, "resultTime");
	if (p->stored_s)
		sta_time(j, "storedTime", (int64_t)p->stored_s * 1000);
	if (p->kind == POINT_NUMBER)
		sta_number(j, "result", p->number);
	else if (p->kind == POINT_BOOL)
		sta_truth(j, "result", p->number != 0);
	else
		sta_text(j, "result", point_text(points, p));
	if ((quality = sta_quality(flags)))
		sta_put(j, "resultQuality", quality);
	if (d && d->text.n)
		sta_detail_show(j, d->text);
	return j;
}

json_t *sta_historical(int64_t ms)
{
	json_t *j = sta_object();
	sta_time(j, "time", ms);
	return j;
}
