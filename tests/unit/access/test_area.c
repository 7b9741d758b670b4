/* test_area.c - areas of grants: what is read, what is refused, and which points lie in them. */
#include "access/area.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct area *area(const char *text, bool rd)
{
	struct area *a = NULL;
	const char *why = "";
	if (area_read(span_str(text), rd, &a, &why))
		fail_msg("%s: %s", text, why);
	return a;
}

static bool holds(const struct area *a, double lon, double lat)
{
	const struct box at = box_of_point((int32_t)(lon * 1e7), (int32_t)(lat * 1e7));
	return area_holds(a, &at);
}

static void test_box(void **state UNUSED)
{
	struct area *a = area("4.8, 52.3,4.95,52.42", false);
	assert_true(holds(a, 4.9, 52.37));
	assert_false(holds(a, 4.79, 52.37));
	assert_false(holds(a, 4.96, 52.37));
	assert_false(holds(a, 4.9, 52.29));
	assert_false(holds(a, 4.9, 52.43));
	assert_false(holds(a, -4.9, -52.37));
	area_done(a);
}

/* An L, a hole, two parts; WKT and GeoJSON say the same. */
static void test_shapes(void **state UNUSED)
{
	static const char *const texts[] = {
	    "MULTIPOLYGON(((0 0, 10 0, 10 5, 5 5, 5 10, 0 10, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1)), "
	    "((20 20, 21 20, 21 21, 20 20)))",
	    "{\"type\":\"MultiPolygon\",\"coordinates\":[[[[0,0],[10,0],[10,5],[5,5],[5,10],[0,10],"
	    "[0,0]],[[1,1],[1,2],[2,2],[2,1],[1,1]]],[[[20,20],[21,20],[21,21],[20,20]]]]}",
	    "{\"type\":\"Feature\",\"properties\":{},\"geometry\":{\"type\":\"MultiPolygon\","
	    "\"coordinates\":[[[[0,0],[10,0],[10,5],[5,5],[5,10],[0,10],[0,0]],[[1,1],[1,2],[2,2],"
	    "[2,1],[1,1]]],[[[20,20],[21,20],[21,21],[20,20]]]]}}"};
	static const struct {
		double lon, lat;
		bool in;
	} points[] = {{0.5, 0.5, true},  {9, 4, true},     {4, 9, true},       {6, 6, false},
	              {1.5, 1.5, false}, {2.5, 1.5, true}, {20.8, 20.5, true}, {20.2, 20.8, false},
	              {15, 15, false},   {-1, 5, false},   {3, 5, true},       {6, 5.0001, false}};
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		struct area *a = area(texts[i], false);
		for (unsigned k = 0; k < ARRAY_LEN(points); k++)
			if (holds(a, points[k].lon, points[k].lat) != points[k].in)
				fail_msg("text %u, point %u", i, k);
		area_done(a);
	}
}

/* A box is held when all of it is. */
static void test_boxes(void **state UNUSED)
{
	static const char l[] = "MULTIPOLYGON(((0 0, 10 0, 10 5, 5 5, 5 10, 0 10, 0 0), "
	                        "(1 1, 1 2, 2 2, 2 1, 1 1)), ((20 20, 21 20, 21 21, 20 20)))";
	static const struct {
		double west, south, east, north;
		bool in;
	} boxes[] = {{3, 3, 4, 4, true},          /* inside */
	             {0.2, 0.2, 9.9, 0.9, true},  /* below the hole */
	             {0.5, 0.5, 3, 3, false},     /* around the hole */
	             {1.2, 1.2, 1.8, 1.8, false}, /* in the hole */
	             {1.5, 1.5, 3, 1.8, false},   /* out of the hole */
	             {4, 4, 6, 6, false},         /* three corners in */
	             {4, 4, 9, 4.5, true},        /* a line's box in one arm of the L */
	             {9, 1, 11, 2, false},        /* over the edge */
	             {-1, -1, 22, 22, false},     /* around all */
	             {20.8, 20.1, 20.9, 20.7, true},
	             {20.2, 20.1, 20.9, 20.5, false}, /* over the slanting side */
	             {9, 4, 20.9, 20.5, false}};      /* from one part to the other */
	struct area *a = area(l, false);
	for (unsigned i = 0; i < ARRAY_LEN(boxes); i++) {
		const struct box b = {
		    (int32_t)(boxes[i].west * 1e7), (int32_t)(boxes[i].south * 1e7),
		    (int32_t)(boxes[i].east * 1e7), (int32_t)(boxes[i].north * 1e7)};
		if (area_holds(a, &b) != boxes[i].in)
			fail_msg("box %u", i);
	}
	area_done(a);
}

/* Dam square, and where the grid of RD begins, as RDNAPTRANS has it. */
static void test_rd(void **state UNUSED)
{
	struct area *a = area("POLYGON((121300 487300,121500 487300,121500 487500,121300 487500,"
	                      "121300 487300))",
	                      true);
	assert_true(holds(a, 4.8926, 52.3731));
	assert_false(holds(a, 4.8926, 52.3755));
	assert_false(holds(a, 4.8970, 52.3731));
	area_done(a);
	a = area("154900,462900,155100,463100", true);
	assert_true(holds(a, 5.38720621, 52.15517440)); /* its zero, in WGS 84 */
	area_done(a);
}

static void test_refused(void **state UNUSED)
{
	char many[40000] = "POLYGON((0 0";
	size_t n = strlen(many);
	for (unsigned i = 0; i < LIMIT_AREA_POINTS; i++)
		n += (size_t)snprintf(many + n, sizeof(many) - n, ",%u 1", i + 1);
	snprintf(many + n, sizeof(many) - n, ",0 -1,0 0))");
	const struct {
		const char *text;
		bool rd;
		const char *why;
	} bad[] = {
	    {"", false, "neither WKT"},
	    {"4.8,52.3,4.95", false, "neither WKT"},
	    {"4.95,52.3,4.8,52.42", false, "neither WKT"},
	    {"nan,52.3,4.8,52.42", false, "neither WKT"},
	    {"4.8,52.3,4.95,52.42 more", false, "neither WKT"},
	    {"POINT(4.9 52.3)", false, "neither POLYGON"},
	    {"POLYGON EMPTY", false, "empty"},
	    {"POLYGON((0 0,1 1,1 0,0 1,0 0))", false, "cross"},
	    {"POLYGON((0 0,200 0,200 1,0 0))", false, "longitude"},
	    {"POLYGON((0 0,1 0,1 91,0 0))", false, "longitude"},
	    {"POLYGON((4 52,5 52,5 53,4 52))", true, "outside of the Dutch grid"},
	    {"121300,487300,121500,487500", false, "longitude"},
	    {"{\"type\":\"Polygon\"}", false, "neither WKT"},
	    {"{\"type\":\"LineString\",\"coordinates\":[[0,0],[1,1]]}", false, "neither POLYGON"},
	    {many, false, "more points"}};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct area *a;
		const char *why = "";
		if (area_read(span_str(bad[i].text), bad[i].rd, &a, &why) != ERR_INVALID ||
		    !strstr(why, bad[i].why))
			fail_msg("%.60s: %s", bad[i].text, why);
	}
}

/* The largest numbers there are: products stay within 64 bits. */
static void test_the_whole_world(void **state UNUSED)
{
	struct area *a = area("POLYGON((-180 -90,180 -90,180 90,-180 90,-180 -90))", false);
	assert_true(holds(a, 0, 0));
	const struct box corners[] = {box_of_point(-1799999999, 899999999),
	                              box_of_point(1799999999, -899999999),
	                              {-1799999999, -899999999, 1799999999, 899999999}};
	for (unsigned i = 0; i < ARRAY_LEN(corners); i++)
		assert_true(area_holds(a, &corners[i]));
	assert_ptr_equal(area_use(a), a);
	area_done(a);
	assert_true(holds(a, 179, -89));
	area_done(a);
	area_done(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_box),     cmocka_unit_test(test_shapes),
	    cmocka_unit_test(test_boxes),   cmocka_unit_test(test_rd),
	    cmocka_unit_test(test_refused), cmocka_unit_test(test_the_whole_world),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
