/* observe.c - see observe.h. */
#include "web/observe.h"

#include "base/civil.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/rfc3339.h"
#include "web/where.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIMIT_DEFAULT = 1000, STREAMS_DEFAULT = 100, DAY_MS = 86400000 };

const char *const observe_figures[FIGURES] = {"mean",  "min",   "max",  "sum",
                                              "count", "first", "last", "present"};

static const char *const parameters[] = {
    [OBSERVE_ONE] = "from to last aggregate interval tz order limit cursor format original "
                    "rejected stored stored-since crs",
    [OBSERVE_MANY] = "feed thing property observed-property organisation bbox radius from to last "
                     "aggregate interval together tz order limit cursor format original "
                     "rejected stored stored-since crs",
    [OBSERVE_STREAMS] = "feed thing property observed-property organisation bbox radius tz limit "
                        "cursor format stored-since crs",
    [OBSERVE_CHART] = "from to last tz width height lang original",
    [OBSERVE_FRESH] = "feed organisation tz",
    [OBSERVE_PLACES] = "feed organisation from to last tz limit cursor format crs"};

struct reading {
	const struct query *q;
	const struct observe_context *c;
	struct observe *o;
	struct faults *faults;
};

/* ---- times ---- */

static bool two(const char *p, int low, int high, int *ret)
{
	*ret = (p[0] - '0') * 10 + (p[1] - '0');
	return p[0] >= '0' && p[0] <= '9' && p[1] >= '0' && p[1] <= '9' && *ret >= low &&
	       *ret <= high;
}

/* 2026-11-24 or 2026-11-24T12:00[:00], without an offset. */
static int local_time(struct span s, int64_t *ret_ms)
{
	char text[] = "0000-00-00T00:00:00Z";
	int h, m, sec = 0;
	if (s.n != 10 && s.n != 16 && s.n != 19)
		return ERR_MALFORMED;
	memcpy(text, s.p, 10);
	if (s.n > 10 && (s.p[10] != 'T' || s.p[13] != ':' || !two(s.p + 11, 0, 23, &h) ||
	                 !two(s.p + 14, 0, 59, &m)))
		return ERR_MALFORMED;
	if (s.n == 19 && (s.p[16] != ':' || !two(s.p + 17, 0, 59, &sec)))
		return ERR_MALFORMED;
	if (s.n > 10)
		memcpy(text + 11, s.p + 11, s.n - 11);
	return rfc3339_parse(span_of(text, sizeof(text) - 1), ret_ms);
}

int observe_time(struct span s, const struct zone *z, int64_t *ret_ms)
{
	int64_t local;
	if (rfc3339_parse(s, ret_ms) == 0)
		return 0;
	if (local_time(s, &local))
		return ERR_MALFORMED;
	*ret_ms = zone_utc(z, local);
	return 0;
}

static bool read_time(struct reading *r, const char *name, int64_t *ret)
{
	struct span v;
	if (!query_get(r->q, name, &v))
		return false;
	if (observe_time(v, r->o->zone, ret))
		fault(
		    r->faults, span_str(name),
		    "%s is not a time, such as 2026-11-24 or 2026-11-24T12:00:00Z (write a + in it "
		    "as %%2B)",
		    name);
	return true;
}

static void read_range(struct reading *r)
{
	struct observe *o = r->o;
	struct period back;
	struct span v;
	o->from_ms = SERIES_TIME_MIN;
	o->to_ms = SERIES_TIME_MAX;
	o->has_from = read_time(r, "from", &o->from_ms);
	o->has_to = read_time(r, "to", &o->to_ms);
	if (query_get(r->q, "last", &v)) {
		if (o->has_from || o->has_to)
			fault(r->faults, SPAN("last"), "last goes without from and to");
		else if (period_parse(v, &back))
			fault(r->faults, SPAN("last"),
			      "last is a length of time, such as PT24H or P7D");
		else
			o->from_ms = r->c->now_ms - period_about_ms(&back);
		o->has_from = true;
	}
	if (o->has_from && o->has_to && o->from_ms >= o->to_ms)
		fault(r->faults, SPAN("to"), "to is not after from");
	read_time(r, "stored-since", &o->stored_since_ms);
}

static void read_zone(struct reading *r)
{
	struct span name = SPAN("UTC");
	bool given = query_get(r->q, "tz", &name);
	r->o->zone = name.n <= ZONE_NAME_BYTES ? r->c->zone(r->c->arg, name) : NULL;
	if (!r->o->zone) {
		assert(given);
		fault(r->faults, SPAN("tz"),
		      "tz is not a time zone of this machine, such as Europe/Amsterdam");
		name = SPAN("UTC");
		r->o->zone = r->c->zone(r->c->arg, name);
	}
	snprintf(r->o->zone_name, sizeof(r->o->zone_name), "%.*s", (int)name.n, name.p);
}

/* ---- aggregates ---- */

static unsigned figure_of(struct span word)
{
	for (unsigned i = 0; i < FIGURES; i++)
		if (span_is(word, observe_figures[i]))
			return 1u << i;
	return 0;
}

static void read_aggregate(struct reading *r)
{
	struct observe *o = r->o;
	struct span v, interval;
	bool has = query_get(r->q, "aggregate", &v),
	     has_interval = query_get(r->q, "interval", &interval);
	for (; has && v.n;) {
		const char *comma = memchr(v.p, ',', v.n);
		size_t n = comma ? (size_t)(comma - v.p) : v.n;
		unsigned one = figure_of(span_of(v.p, n));
		if (!one || (comma && n + 1 == v.n)) {
			o->figures = 0;
			break;
		}
		o->figures |= one;
		n += comma ? 1 : 0;
		v = span_of(v.p + n, v.n - n);
	}
	if (has && !o->figures)
		fault(
		    r->faults, SPAN("aggregate"),
		    "aggregate is one or more, with commas, of mean, min, max, sum, count, first, "
		    "last and present");
	if (has != has_interval)
		fault(r->faults, has ? SPAN("interval") : SPAN("aggregate"),
		      "aggregate and interval go together: aggregate=mean&interval=PT1H");
	else if (has_interval && period_parse(interval, &o->interval))
		fault(r->faults, SPAN("interval"),
		      "interval is a length of time, such as PT15M, PT1H, P1D or P1M");
	if (has && o->stored_since_ms)
		fault(r->faults, SPAN("stored-since"),
		      "stored-since goes with single observations, without aggregate");
	if (has && o->stored)
		fault(r->faults, SPAN("stored"),
		      "stored goes with single observations, without aggregate");
}

/* ---- places ---- */

static void read_filter(struct reading *r)
{
	struct series_filter *f = &r->o->filter;
	const struct {
		const char *name;
		struct span *to;
	} rows[] = {{"feed", &f->feed},
	            {"thing", &f->thing},
	            {"property", &f->member},
	            {"observed-property", &f->property},
	            {"organisation", &f->organisation}};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (query_get(r->q, rows[i].name, rows[i].to) && rows[i].to->n == 0)
			fault(r->faults, span_str(rows[i].name), "%s is empty", rows[i].name);
	where_read(r->q, r->o->crs == CRS_RD ? r->c->crs : NULL, &f->shape, r->faults);
}

static void read_crs(struct reading *r)
{
	struct span v;
	if (!query_get(r->q, "crs", &v))
		return;
	r->o->crs_asked = true;
	if (!crs_find(v, &r->o->crs))
		fault(r->faults, SPAN("crs"), "crs is CRS84 or EPSG:28992, or the URI of one");
	else if (r->o->crs == CRS_RD && !r->c->crs) {
		fault(r->faults, SPAN("crs"),
		      "this server cannot do EPSG:28992: its PROJ does not know it");
		r->o->crs = CRS_84;
	}
}

/* ---- pages ---- */

static void read_number(struct reading *r, const char *name, uint64_t low, uint64_t high,
                        uint64_t *ret)
{
	struct span v;
	uint64_t n;
	if (!query_get(r->q, name, &v))
		return;
	if (span_to_u64(v, &n) || n < low || n > high)
		fault(r->faults, span_str(name), "%s is not a whole number from %llu to %llu", name,
		      (unsigned long long)low, (unsigned long long)high);
	else
		*ret = n;
}

static void read_flag(struct reading *r, const char *name, bool *ret)
{
	struct span v;
	if (!query_get(r->q, name, &v))
		return;
	*ret = span_is(v, "true");
	if (!*ret && !span_is(v, "false"))
		fault(r->faults, span_str(name), "%s is true or false", name);
}

static void read_words(struct reading *r)
{
	struct observe *o = r->o;
	struct span v;
	if (query_get(r->q, "order", &v)) {
		o->descending = span_is(v, "desc");
		if (!o->descending && !span_is(v, "asc"))
			fault(r->faults, SPAN("order"), "order is asc or desc, by observed time");
		else if (o->descending && o->figures)
			fault(r->faults, SPAN("order"), "aggregates come in the order of time");
	}
	if (query_get(r->q, "format", &o->format) && !span_is(o->format, "json") &&
	    !span_is(o->format, "csv") && !span_is(o->format, "ndjson") &&
	    !span_is(o->format, "geojson"))
		fault(r->faults, SPAN("format"), "format is json, csv, ndjson or geojson");
	o->lang_asked = query_get(r->q, "lang", &v);
	o->dutch = o->lang_asked && span_is(v, "nl");
	if (o->lang_asked && !o->dutch && !span_is(v, "en"))
		fault(r->faults, SPAN("lang"), "lang is nl or en");
}

static void read_page(struct reading *r, enum observe_way way)
{
	struct observe *o = r->o;
	struct span v;
	bool streams = way == OBSERVE_STREAMS;
	uint64_t most = streams ? LIMIT_SERIES_PAGE_STREAMS : LIMIT_SERIES_PAGE_ROWS;
	o->limit = streams ? STREAMS_DEFAULT : LIMIT_DEFAULT;
	if (way != OBSERVE_PLACES && query_get(r->q, "limit", &v) && span_is(v, "all"))
		o->limit = UINT64_MAX;
	else
		read_number(r, "limit", 1, most, &o->limit);
	if (query_get(r->q, "cursor", &v) && observe_cursor_read(v, &o->cursor))
		fault(r->faults, SPAN("cursor"), "cursor is not one that a page has given");
}

static void check_together(struct reading *r)
{
	struct observe *o = r->o;
	struct span v;
	read_flag(r, "together", &o->together);
	if (!o->together)
		return;
	if (!o->figures || !o->has_from || !o->has_to)
		fault(r->faults, SPAN("together"), "together goes with aggregate, from and to");
	if (o->figures & FIGURE_PRESENT)
		fault(r->faults, SPAN("aggregate"), "present is said of one datastream");
	if (query_get(r->q, "cursor", &v))
		fault(r->faults, SPAN("cursor"), "together is answered whole");
}

void observe_read(const struct query *q, enum observe_way way, const struct observe_context *c,
                  struct observe *ret, struct faults *faults)
{
	struct reading r = {q, c, ret, faults};
	uint64_t width = LIMIT_CHART_WIDTH_DEFAULT, height = LIMIT_CHART_HEIGHT_DEFAULT;
	*ret = (struct observe){0};
	for (unsigned i = 0; i < q->n; i++)
		if (!query_is_among(q->pair[i].name, parameters[way]))
			fault(faults, q->pair[i].name, "unknown query parameter");
	read_zone(&r);
	read_range(&r);
	read_flag(&r, "stored", &ret->stored);
	read_aggregate(&r);
	read_crs(&r);
	read_filter(&r);
	read_words(&r);
	read_flag(&r, "original", &ret->original);
	read_flag(&r, "rejected", &ret->rejected);
	read_page(&r, way);
	check_together(&r);
	read_number(&r, "width", LIMIT_CHART_MIN, LIMIT_CHART_MAX, &width);
	read_number(&r, "height", LIMIT_CHART_MIN, LIMIT_CHART_MAX, &height);
	ret->width = (unsigned)width;
	ret->height = (unsigned)height;
	ret->latest = way == OBSERVE_MANY && !ret->has_from && !ret->has_to && !ret->figures &&
	              !ret->stored_since_ms;
	ret->filter.stored_since_ms = ret->stored_since_ms;
}

/* ---- cursors ---- */

void observe_cursor_write(const struct observe_cursor *c, char out[OBSERVE_CURSOR_BYTES])
{
	int n = snprintf(out, OBSERVE_CURSOR_BYTES, "%llu", (unsigned long long)c->stream.at);
	if (c->inner.begun)
		snprintf(out + n, OBSERVE_CURSOR_BYTES - (size_t)n, ":%lld:%llu",
		         (long long)c->inner.time_ms, (unsigned long long)c->inner.at);
}

/* A whole number with a sign before the next ':' or the end. */
static bool take_number(struct span *s, int64_t *ret)
{
	if (!s->n)
		return false;
	const char *colon = memchr(s->p, ':', s->n);
	size_t n = colon ? (size_t)(colon - s->p) : s->n;
	bool minus = n && s->p[0] == '-';
	uint64_t v;
	if (n > 20 || span_to_u64(span_of(s->p + minus, n - minus), &v) || v > INT64_MAX)
		return false;
	*ret = minus ? -(int64_t)v : (int64_t)v;
	n += colon ? 1 : 0;
	*s = span_of(s->p + n, s->n - n);
	return true;
}

int observe_cursor_read(struct span s, struct observe_cursor *ret)
{
	int64_t stream, time, at;
	if (!take_number(&s, &stream) || stream < 0)
		return ERR_MALFORMED;
	*ret = (struct observe_cursor){.stream = {.at = (uint64_t)stream, .begun = true}};
	if (s.n == 0)
		return 0;
	if (!take_number(&s, &time) || !take_number(&s, &at) || at < 0 || s.n)
		return ERR_MALFORMED;
	ret->inner = (struct series_cursor){time, (uint64_t)at, true};
	return 0;
}
