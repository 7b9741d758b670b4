/* The query of the time series: times by the local clock, aggregates, places, cursors; media types;
 * rows as JSON, CSV, NDJSON and GeoJSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/limits.h"
#include "web/accept.h"
#include "web/observe_write.h"

#include <stdio.h>
#include <stdlib.h>

static const int64_t now = 1795521600000; /* 2026-11-24T12:00:00Z */

struct zones {
	struct zone *utc, *amsterdam;
};

static const struct zone *zone_of(void *arg, struct span name)
{
	struct zones *z = arg;
	return span_is(name, "UTC")                ? z->utc
	       : span_is(name, "Europe/Amsterdam") ? z->amsterdam
	                                           : NULL;
}

static int setup(void **state)
{
	struct zones *z = calloc(1, sizeof(*z));
	*state = z;
	return zone_load("/nowhere", SPAN("UTC"), &z->utc) ||
	       zone_load("/usr/share/zoneinfo", SPAN("Europe/Amsterdam"), &z->amsterdam);
}

static int teardown(void **state)
{
	struct zones *z = *state;
	zone_free(z->utc);
	zone_free(z->amsterdam);
	free(z);
	return 0;
}

static struct faults ask(void **state, const char *text, enum observe_way way, struct observe *ret)
{
	static struct query q; /* the filter points into it */
	static struct grid *crs;
	struct faults faults = {0};
	query_init(&q);
	for (const char *at = text; *at;) {
		size_t n = strcspn(at, "&");
		assert_int_equal(query_add(&q, span_of(at, n)), 0);
		at += n + (at[n] == '&');
	}
	if (strstr(text, "crs="))
		assert_int_equal(grid_new(&crs), 0);
	struct observe_context c = {now, zone_of, *state, crs};
	observe_read(&q, way, &c, ret, &faults);
	grid_free(crs);
	crs = NULL;
	return faults;
}

static void times(void **state)
{
	struct observe o;
	assert_int_equal(ask(state, "", OBSERVE_ONE, &o).n, 0);
	assert_true(!o.has_from && o.from_ms == SERIES_TIME_MIN && o.to_ms == SERIES_TIME_MAX);
	assert_true(o.limit == 1000 && !o.figures && !o.latest && !o.descending);
	assert_int_equal(ask(state, "from=2026-11-24T12:00:00Z&to=2026-11-25", OBSERVE_ONE, &o).n,
	                 0);
	assert_true(o.from_ms == now && o.to_ms == now + 12 * 3600000);
	assert_int_equal(
	    ask(state, "tz=Europe/Amsterdam&from=2026-11-24&to=2026-11-24T13:00", OBSERVE_ONE, &o)
	        .n,
	    0);
	assert_true(o.from_ms == now - 13 * 3600000 && o.to_ms == now);
	assert_int_equal(ask(state, "last=PT1H", OBSERVE_ONE, &o).n, 0);
	assert_true(o.from_ms == now - 3600000 && o.to_ms == SERIES_TIME_MAX);
	assert_int_equal(ask(state, "", OBSERVE_MANY, &o).n, 0);
	assert_true(o.latest);
	assert_int_equal(ask(state, "last=PT1H&limit=all", OBSERVE_MANY, &o).n, 0);
	assert_true(!o.latest && o.limit == UINT64_MAX);
}

static void aggregates_and_filters(void **state)
{
	struct observe o;
	assert_int_equal(ask(state, "aggregate=mean,max&interval=PT1H", OBSERVE_ONE, &o).n, 0);
	assert_true(o.figures == (FIGURE_MEAN | FIGURE_MAX) && o.interval.ms == 3600000);
	assert_int_equal(
	    ask(state, "feed=air&property=pm25&bbox=4.7,52.3,5,52.4", OBSERVE_MANY, &o).n, 0);
	assert_true(span_is(o.filter.feed, "air") && span_is(o.filter.member, "pm25"));
	assert_true(o.filter.shape.kind == SHAPE_BBOX && o.filter.shape.west_e7 == 47000000 &&
	            o.filter.shape.north_e7 == 524000000);
	assert_int_equal(ask(state, "radius=4.9,52.37,500", OBSERVE_STREAMS, &o).n, 0);
	assert_true(o.filter.shape.kind == SHAPE_RADIUS && o.filter.shape.radius_m == 500);
	/* the point that RD begins from is 5.38720621 E, 52.15517440 N (RDNAPTRANS) */
	assert_int_equal(
	    ask(state, "radius=155000,463000,500&crs=EPSG:28992", OBSERVE_STREAMS, &o).n, 0);
	assert_true(abs(o.filter.shape.lon_e7 - 53872062) < 50 &&
	            abs(o.filter.shape.lat_e7 - 521551744) < 50);
	assert_int_equal(ask(state,
	                     "bbox=154000,462000,156000,464000&crs=http://www.opengis.net/def/crs/"
	                     "EPSG/0/28992",
	                     OBSERVE_STREAMS, &o)
	                     .n,
	                 0);
	assert_true(o.filter.shape.west_e7 < 53872062 && o.filter.shape.east_e7 > 53872062);
}

static void wrong_values(void **state)
{
	static const char *const one[][2] = {
	    {"from=yesterday", "from"},
	    {"from=2026-13-01", "from"},
	    {"from=2026-11-24T25:00", "from"},
	    {"to=2026-11-24 12:00", "to"},
	    {"from=2026-11-24&to=2026-11-24", "to"},
	    {"last=1h", "last"},
	    {"last=PT1H&from=2026-11-24", "last"},
	    {"tz=Nergens", "tz"},
	    {"tz=", "tz"},
	    {"aggregate=mean", "interval"},
	    {"interval=PT1H", "aggregate"},
	    {"aggregate=mean,&interval=PT1H", "aggregate"},
	    {"aggregate=median&interval=PT1H", "aggregate"},
	    {"aggregate=&interval=PT1H", "aggregate"},
	    {"aggregate=mean&interval=1h", "interval"},
	    {"aggregate=mean&interval=PT1H&order=desc", "order"},
	    {"aggregate=mean&interval=PT1H&stored-since=2026-11-24", "stored-since"},
	    {"aggregate=mean&interval=PT1H&stored=true", "stored"},
	    {"stored=yes", "stored"},
	    {"order=up", "order"},
	    {"limit=0", "limit"},
	    {"limit=10001", "limit"},
	    {"limit=every", "limit"},
	    {"cursor=x", "cursor"},
	    {"cursor=1:2", "cursor"},
	    {"cursor=1:2:3:4", "cursor"},
	    {"format=xml", "format"},
	    {"original=yes", "original"},
	    {"crs=EPSG:4326", "crs"},
	    {"bbox=1,2,3,4", "bbox"}, /* of one datastream there is nothing to filter */
	};
	static const char *const many[][2] = {{"bbox=1,2,3", "bbox"},
	                                      {"bbox=1,5,3,4", "bbox"},
	                                      {"bbox=1,2,3,nan", "bbox"},
	                                      {"bbox=1,2,3,95", "bbox"},
	                                      {"radius=5,52", "radius"},
	                                      {"radius=5,52,-1", "radius"},
	                                      {"radius=5,52,1&bbox=1,2,3,4", "radius"},
	                                      {"radius=1,2,1&crs=EPSG:28992", "radius"},
	                                      {"thing=", "thing"}};
	struct observe o;
	for (unsigned i = 0; i < ARRAY_LEN(one); i++) {
		struct faults f = ask(state, one[i][0], OBSERVE_ONE, &o);
		if (f.n != 1 || strcmp(f.one[0].parameter, one[i][1]) != 0)
			print_error("%s: %u faults: %s\n", one[i][0], f.n, f.one[0].detail);
		assert_int_equal(f.n, 1);
		assert_string_equal(f.one[0].parameter, one[i][1]);
	}
	for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
		struct faults f = ask(state, many[i][0], OBSERVE_MANY, &o);
		assert_int_equal(f.n, 1);
		assert_string_equal(f.one[0].parameter, many[i][1]);
	}
	assert_int_equal(ask(state, "from=x&limit=0&nope=1", OBSERVE_ONE, &o).n, 3);
}

static void cursors(void **state UNUSED)
{
	char text[OBSERVE_CURSOR_BYTES];
	struct observe_cursor back, c = {.stream = {.at = 12, .begun = true}};
	observe_cursor_write(&c, text);
	assert_string_equal(text, "12");
	assert_int_equal(observe_cursor_read(span_str(text), &back), 0);
	assert_true(back.stream.at == 12 && back.stream.begun && !back.inner.begun);
	c.inner = (struct series_cursor){-1577923200000, 3, true};
	observe_cursor_write(&c, text);
	assert_int_equal(observe_cursor_read(span_str(text), &back), 0);
	assert_true(back.inner.time_ms == c.inner.time_ms && back.inner.at == 3 &&
	            back.inner.begun);
}

static void media_types(void **state UNUSED)
{
	static const struct {
		const char *header;
		int best;
	} rows[] = {{"", AS_JSON},
	            {"*/*", AS_JSON},
	            {"text/csv", AS_CSV},
	            {"text/*", AS_CSV},
	            {"application/json;q=0.5, text/csv", AS_CSV},
	            {"text/csv;q=0.9, application/geo+json;q=0.95", AS_GEOJSON},
	            {"text/html, application/xhtml+xml, */*;q=0.8", AS_JSON},
	            {"application/x-ndjson", AS_NDJSON},
	            {"application/json;q=0, */*", AS_CSV},
	            {"Text/CSV ; header=present", AS_CSV},
	            {"image/png", -1},
	            {"text/csv;q=0", -1}};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(accept_choose(span_str(rows[i].header), observe_types, AS_FORMATS),
		                 rows[i].best);
}

static const char *rows_as(void **state, const char *text, enum observe_format format, bool one,
                           struct buf *b)
{
	struct observe o;
	struct observe_writer w;
	struct points p;
	struct series_stream s = {.id = 7,
	                          .feed = SPAN("air"),
	                          .organisation = SPAN("gemeente-test"),
	                          .thing = SPAN("pole \"1\""),
	                          .member = SPAN("pm25"),
	                          .unit = SPAN("ug/m3"),
	                          .has_place = true,
	                          .place = box_of_point(49000000, 523700000),
	                          .cadence_s = 1800};
	assert_int_equal(ask(state, text, OBSERVE_MANY, &o).n, 0);
	buf_clear(b);
	points_init(&p, 10);
	struct point *first = points_add(&p), *second = points_add(&p);
	first->time_ms = now;
	first->number = 21.5;
	first->flags = POINT_LATE | POINT_STUCK;
	second->time_ms = now + 1;
	second->kind = POINT_TEXT;
	assert_int_equal(points_text(&p, SPAN("say \"yes\""), &second->text), 0);
	observe_writer_init(&w, b, &o, format);
	w.one = one;
	if (one)
		observe_begin(&w, &s, NULL);
	else
		observe_begin(&w, NULL, NULL);
	observe_stream(&w, &s);
	if (o.figures) {
		struct series_bucket k = {.from_ms = now,
		                          .to_ms = now + 3600000,
		                          .points = 2,
		                          .count = 2,
		                          .min = -1,
		                          .max = 2.5,
		                          .sum = 1.5};
		observe_bucket(&w, &k);
		k.points = k.count = 0;
		observe_bucket(&w, &k);
	} else {
		observe_point(&w, &p, &p.p[0]);
		observe_point(&w, &p, &p.p[1]);
	}
	observe_end(&w, "7");
	observe_writer_done(&w);
	points_done(&p);
	return buf_str(b);
}

static void formats(void **state)
{
	struct buf b;
	buf_init(&b, 1 << 20);
	assert_string_equal(rows_as(state, "", AS_CSV, true, &b),
	                    "time,value,quality\r\n"
	                    "2026-11-24T12:00:00Z,21.5,late stuck\r\n"
	                    "2026-11-24T12:00:00.001Z,\"say \"\"yes\"\"\",\r\n");
	assert_string_equal(rows_as(state, "tz=Europe/Amsterdam", AS_CSV, false, &b),
	                    "datastream,feed,thing,property,unit,time,value,quality\r\n"
	                    "7,\"air\",\"pole \"\"1\"\"\",\"pm25\",\"ug/m3\",2026-11-24T13:00:00+"
	                    "01:00,21.5,late stuck\r\n"
	                    "7,\"air\",\"pole \"\"1\"\"\",\"pm25\",\"ug/m3\",2026-11-24T13:00:00."
	                    "001+01:00,\"say \"\"yes\"\"\",\r\n");
	assert_string_equal(
	    rows_as(state, "", AS_NDJSON, true, &b),
	    "{\"time\":\"2026-11-24T12:00:00Z\",\"value\":21.5,\"quality\":[\"late\",\"stuck\"]}\n"
	    "{\"time\":\"2026-11-24T12:00:00.001Z\",\"value\":\"say \\\"yes\\\"\"}\n");
	assert_string_equal(
	    rows_as(state, "", AS_JSON, false, &b),
	    "{\"tz\":\"UTC\",\"observations\":[\n"
	    "{\"datastream\":7,\"feed\":\"air\",\"thing\":\"pole \\\"1\\\"\",\"property\":\"pm25\","
	    "\"unit\":\"ug/m3\",\"time\":\"2026-11-24T12:00:00Z\",\"value\":21.5,\"quality\":["
	    "\"late\",\"stuck\"]},\n"
	    "{\"datastream\":7,\"feed\":\"air\",\"thing\":\"pole \\\"1\\\"\",\"property\":\"pm25\","
	    "\"unit\":\"ug/m3\",\"time\":\"2026-11-24T12:00:00.001Z\",\"value\":\"say "
	    "\\\"yes\\\"\"}],\"next\":\"7\"}\n");
	assert_string_equal(
	    rows_as(state, "aggregate=mean,min,max,count,present&interval=PT1H", AS_CSV, true, &b),
	    "time,until,mean,min,max,count,present\r\n"
	    "2026-11-24T12:00:00Z,2026-11-24T13:00:00Z,0.75,-1,2.5,2,1\r\n"
	    "2026-11-24T12:00:00Z,2026-11-24T13:00:00Z,,,,0,0\r\n");
	const char *geo = rows_as(state, "aggregate=mean&interval=PT1H", AS_GEOJSON, false, &b);
	assert_non_null(strstr(geo, "{\"type\":\"FeatureCollection\",\"features\":["));
	assert_non_null(
	    strstr(geo, "\"geometry\":{\"type\":\"Point\",\"coordinates\":[4.9,52.37]}"));
	assert_non_null(strstr(geo, "\"mean\":0.75}}"));
	buf_done(&b);
}

static void numbers(void **state UNUSED)
{
	static const struct {
		double v;
		const char *text;
	} rows[] = {{0, "0"},       {21.5, "21.5"},           {-0.05, "-0.05"},
	            {1e-7, "1e-7"}, {123456789, "123456789"}, {0.1 + 0.2, "0.30000000000000004"},
	            {-3, "-3"},     {1.0001, "1.0001"},       {1e21, "1e+21"}};
	struct buf b;
	buf_init(&b, 100);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&b);
		observe_write_number(&b, rows[i].v);
		assert_string_equal(buf_str(&b), rows[i].text);
	}
	buf_done(&b);
}

static void freshness(void **state UNUSED)
{
	assert_int_equal(observe_fresh(0, now, now), -1);
	assert_int_equal(observe_fresh(600, 0, now), -1);
	assert_int_equal(observe_fresh(600, now - 900000, now), 1);
	assert_int_equal(observe_fresh(600, now - 900001, now), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(times, setup, teardown),
	    cmocka_unit_test_setup_teardown(aggregates_and_filters, setup, teardown),
	    cmocka_unit_test_setup_teardown(wrong_values, setup, teardown),
	    cmocka_unit_test(cursors),
	    cmocka_unit_test(media_types),
	    cmocka_unit_test_setup_teardown(formats, setup, teardown),
	    cmocka_unit_test(numbers),
	    cmocka_unit_test(freshness)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
