/* Where a message says that something is: every geometry of GeoJSON and its box, what is no place,
 * and what is wrong. */
#include "schema/geometry.h"

#include "base/buf.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum geometry_found read(const char *text, struct box *ret, char bad[32])
{
	struct json_tape t;
	const char *why;
	size_t at;
	uint32_t token = 0;
	json_tape_init(&t, 4 << 20);
	if (json_parse(&t, span_str(text), &at, &why))
		fail_msg("%s: %s", text, why);
	enum geometry_found found = geometry_read(&t, 0, ret, &token);
	uint32_t lon, lat;
	if (geometry_point(&t, 0, &lon, &lat)) /* what is one point is a point, or out of range */
		assert_true(found > GEOMETRY_FOUND ||
		            (found == GEOMETRY_FOUND && box_is_point(ret)));
	struct span wrong = found > GEOMETRY_FOUND && token ? json_text(&t, token) : SPAN("");
	snprintf(bad, 32, "%.*s", (int)wrong.n, wrong.p);
	json_tape_done(&t);
	return found;
}

static void geometries(void **state UNUSED)
{
	static const struct {
		const char *text;
		int32_t box[4];
	} rows[] = {
	    {"{\"type\":\"Point\",\"coordinates\":[4.5,-52,3]}", {45, -520, 45, -520}},
	    {"{\"coordinates\":[4.5,52]}", {45, 520, 45, 520}},
	    {"{\"lat\":52,\"lon\":4.5}", {45, 520, 45, 520}},
	    {"{\"lat\":52,\"lng\":4.5}", {45, 520, 45, 520}},
	    {"{\"latitude\":52,\"longitude\":4.5}", {45, 520, 45, 520}},
	    {"{\"type\":\"MultiPoint\",\"coordinates\":[[4,52],[5,51.5]]}", {40, 515, 50, 520}},
	    {"{\"type\":\"LineString\",\"coordinates\":[[4,52],[5,51.5],[4.5,53]]}",
	     {40, 515, 50, 530}},
	    {"{\"type\":\"LineString\",\"coordinates\":[[4,52],[4,52]]}", {40, 520, 40, 520}},
	    {"{\"type\":\"Polygon\",\"coordinates\":[[[4,52],[5,52],[5,53,9],[4,52]],"
	     "[[4.4,52.1],[4.6,52.1],[4.6,52.2],[4.4,52.1]]],\"bbox\":[0,0,1,1]}",
	     {40, 520, 50, 530}},
	    {"{\"coordinates\":[[[4,52],[5,51]],[[-1,0],[2,3]]],\"type\":\"MultiLineString\"}",
	     {-10, 0, 50, 520}},
	    {"{\"type\":\"MultiPolygon\",\"coordinates\":[[[[4,52],[5,52],[5,53],[4,52]]],"
	     "[[[-180,-90],[180,-90],[180,90],[-180,-90]]]]}",
	     {-1800, -900, 1800, 900}},
	    {"{\"type\":\"GeometryCollection\",\"geometries\":[{\"type\":\"Point\",\"coordinates\":"
	     "[4,52]},{\"type\":\"LineString\",\"coordinates\":[[5,51],[5.5,51.1]]}]}",
	     {40, 510, 55, 520}},
	    {"{\"type\":\"Po\\u006cygon\",\"coordinates\":[[],[[4,52],[5,53]]]}",
	     {40, 520, 50, 530}}};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct box b;
		char bad[32];
		if (read(rows[i].text, &b, bad) != GEOMETRY_FOUND)
			fail_msg("%s is no place", rows[i].text);
		const int32_t got[] = {b.west_e7, b.south_e7, b.east_e7, b.north_e7};
		for (unsigned k = 0; k < 4; k++)
			if (got[k] != rows[i].box[k] * 1000000)
				fail_msg("%s: side %u is %d", rows[i].text, k, got[k]);
	}
}

static void no_places(void **state UNUSED)
{
	static const char *const rows[] = {
	    "4",
	    "[4,52]",
	    "{}",
	    "{\"lat\":52}",
	    "{\"lat\":\"52\",\"lon\":4}",
	    "{\"type\":\"Point\",\"coordinates\":[4]}",
	    "{\"type\":\"Point\",\"coordinates\":[]}",
	    "{\"type\":\"Point\",\"coordinates\":[\"4\",52]}",
	    "{\"type\":\"Point\",\"coordinates\":null}",
	    "{\"type\":\"Point\",\"coordinates\":[[4,52]]}",
	    "{\"coordinates\":[[4,52]]}",
	    "{\"type\":\"Circle\",\"coordinates\":[4,52]}",
	    "{\"type\":4,\"coordinates\":[4,52]}",
	    "{\"type\":\"LineString\",\"coordinates\":[4,52]}",
	    "{\"type\":\"LineString\",\"coordinates\":[[4,52],5]}",
	    "{\"type\":\"LineString\",\"coordinates\":[[4,52],[]]}",
	    "{\"type\":\"LineString\",\"coordinates\":[]}",
	    "{\"type\":\"Polygon\",\"coordinates\":[1,2]}",
	    "{\"type\":\"Polygon\",\"coordinates\":[[4,52],[5,53]]}",
	    "{\"type\":\"MultiPolygon\",\"coordinates\":[[[4,52],[5,53]]]}",
	    "{\"type\":\"GeometryCollection\",\"geometries\":[]}",
	    "{\"type\":\"GeometryCollection\",\"geometries\":[4]}",
	    "{\"type\":\"GeometryCollection\",\"geometries\":[{\"type\":\"GeometryCollection\","
	    "\"geometries\":[{\"type\":\"Point\",\"coordinates\":[4,52]}]}]}"};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct box b;
		char bad[32];
		if (read(rows[i], &b, bad) != GEOMETRY_NONE)
			fail_msg("%s is a place", rows[i]);
	}
}

static void wrong_places(void **state UNUSED)
{
	static const struct {
		const char *text;
		enum geometry_found found;
		const char *bad;
	} rows[] = {{"{\"type\":\"Point\",\"coordinates\":[4,90.1]}", GEOMETRY_LATITUDE, "90.1"},
	            {"{\"longitude\":200,\"latitude\":1}", GEOMETRY_LONGITUDE, "200"},
	            {"{\"type\":\"LineString\",\"coordinates\":[[4,52],[5,-91]]}",
	             GEOMETRY_LATITUDE, "-91"},
	            {"{\"type\":\"Polygon\",\"coordinates\":[[[4,52],[1e99,3],[4,52]]]}",
	             GEOMETRY_LONGITUDE, "1e99"}};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct box b;
		char bad[32];
		assert_int_equal(read(rows[i].text, &b, bad), rows[i].found);
		assert_string_equal(bad, rows[i].bad);
	}
}

static void too_long(void **state UNUSED)
{
	struct buf b;
	struct box at;
	char bad[32];
	for (unsigned n = LIMIT_PLACE_POSITIONS; n <= LIMIT_PLACE_POSITIONS + 1; n++) {
		buf_init(&b, 1 << 20);
		buf_add_str(&b, "{\"type\":\"LineString\",\"coordinates\":[");
		for (unsigned i = 0; i < n; i++)
			buf_add_str(&b, i ? ",[4,52]" : "[4,52]");
		buf_add_str(&b, "]}");
		assert_int_equal(read(buf_str(&b), &at, bad),
		                 n > LIMIT_PLACE_POSITIONS ? GEOMETRY_LONG : GEOMETRY_FOUND);
		buf_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(geometries), cmocka_unit_test(no_places),
	    cmocka_unit_test(wrong_places), cmocka_unit_test(too_long)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
