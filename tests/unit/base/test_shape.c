/* What is asked about a place: distances to boxes against looking at many of their points, shapes
 * against boxes on a grid of the earth, and the boxes in which a shape lies. */
#include "base/shape.h"

#include "unit/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const int64_t LON = 1800000000, LAT = 900000000;

static int32_t within(int64_t v, int64_t most)
{
	return (int32_t)(v < -most ? -most : v > most ? most : v);
}

static int32_t near_to(int32_t middle, int64_t spread, int64_t most)
{
	return within(middle + (int64_t)rnd_below(2 * (uint64_t)spread) - spread, most);
}

static double radians(double e7)
{
	return e7 / 1e7 * M_PI / 180;
}

/* By the angle between two vectors: another formula than that of the code. */
static double metres(double lon, double lat, double lon2, double lat2)
{
	double a[3] = {cos(radians(lat)) * cos(radians(lon)), cos(radians(lat)) * sin(radians(lon)),
	               sin(radians(lat))},
	       b[3] = {cos(radians(lat2)) * cos(radians(lon2)),
	               cos(radians(lat2)) * sin(radians(lon2)), sin(radians(lat2))};
	double x = a[1] * b[2] - a[2] * b[1], y = a[2] * b[0] - a[0] * b[2],
	       z = a[0] * b[1] - a[1] * b[0];
	return EARTH_M *
	       atan2(sqrt(x * x + y * y + z * z), a[0] * b[0] + a[1] * b[1] + a[2] * b[2]);
}

enum { STEPS = 400 };

/* The least of many points of its edges and its inside; *ret_step: how far they are apart. */
static double least(const struct box *b, int32_t lon, int32_t lat, double *ret_step)
{
	double wide = (double)b->east_e7 - b->west_e7, tall = (double)b->north_e7 - b->south_e7;
	double best = INFINITY;
	if (lon >= b->west_e7 && lon <= b->east_e7 && lat >= b->south_e7 && lat <= b->north_e7)
		best = 0;
	for (unsigned i = 0; i <= STEPS; i++) {
		double x = b->west_e7 + wide * i / STEPS, y = b->south_e7 + tall * i / STEPS;
		best = fmin(best, metres(lon, lat, b->west_e7, y));
		best = fmin(best, metres(lon, lat, b->east_e7, y));
		best = fmin(best, metres(lon, lat, x, b->south_e7));
		best = fmin(best, metres(lon, lat, x, b->north_e7));
	}
	*ret_step = fmax(wide, tall) / STEPS / 1e7 * 111320;
	return best;
}

static struct box any_box(int64_t spread)
{
	int32_t w = near_to(49000000, spread, LON), s = near_to(523000000, spread, LAT),
	        e = near_to(49000000, spread, LON), n = near_to(523000000, spread, LAT);
	unsigned kind = (unsigned)rnd_below(4);
	struct box b = {MIN_OF(w, e), MIN_OF(s, n), MAX_OF(w, e), MAX_OF(s, n)};
	if (kind == 0)
		b = box_of_point(w, s);
	else if (kind == 1)
		b.east_e7 = b.west_e7;
	return b;
}

static void distances(void **unused UNUSED)
{
	static const int64_t spreads[] = {2000, 500000, 50000000, 1900000000};
	for (unsigned i = 0; i < 4000; i++) {
		int64_t spread = spreads[i % ARRAY_LEN(spreads)];
		struct box b = any_box(spread);
		int32_t lon = near_to(49000000, spread * 2, LON),
		        lat = near_to(523000000, spread * 2, LAT);
		double step, seen = least(&b, lon, lat, &step), got = box_metres(&b, lon, lat);
		if (got > seen + 1e-3 || got < seen - step - 1e-3)
			fail_msg("%d %d from %d %d %d %d: %f, of points %f", lon, lat, b.west_e7,
			         b.south_e7, b.east_e7, b.north_e7, got, seen);
	}
	/* Dam to the Domtoren: 34.6 km; and over 180 degrees, and over the pole */
	struct box dam = box_of_point(48926000, 523731000);
	assert_true(fabs(box_metres(&dam, 51214000, 520907000) - 35060) < 100);
	struct box date_line = {1790000000, -10000000, 1800000000, 10000000};
	assert_true(fabs(box_metres(&date_line, -1799000000, 0) - 11119.5) < 1);
	struct box pole = {0, 890000000, 10000000, 900000000};
	assert_true(fabs(box_metres(&pole, -1700000000, 899000000) - 11119.5) < 1);
}

/* bbox: on a coarse grid, where each cell is in it or not. */
static bool cells_meet(const struct shape *s, const struct box *b)
{
	for (int32_t x = b->west_e7; x <= b->east_e7; x++)
		for (int32_t y = b->south_e7; y <= b->north_e7; y++) {
			bool lon = s->west_e7 <= s->east_e7 ? x >= s->west_e7 && x <= s->east_e7
			                                    : x >= s->west_e7 || x <= s->east_e7;
			if (lon && y >= s->south_e7 && y <= s->north_e7)
				return true;
		}
	return false;
}

static void boxes_of_a_bbox(void **unused UNUSED)
{
	for (unsigned i = 0; i < 20000; i++) {
		int32_t v[8];
		for (unsigned k = 0; k < ARRAY_LEN(v); k++)
			v[k] = (int32_t)rnd_below(12);
		struct box b = {MIN_OF(v[0], v[1]), MIN_OF(v[2], v[3]), MAX_OF(v[0], v[1]),
		                MAX_OF(v[2], v[3])};
		struct shape s = {.kind = SHAPE_BBOX,
		                  .west_e7 = v[4],
		                  .east_e7 = v[5],
		                  .south_e7 = MIN_OF(v[6], v[7]),
		                  .north_e7 = MAX_OF(v[6], v[7])};
		assert_int_equal(shape_meets(&s, &b), cells_meet(&s, &b));
	}
}

/* What meets a shape touches one of its boxes. */
static void boxes_hold_shapes(void **unused UNUSED)
{
	static const int64_t spreads[] = {2000, 500000, 50000000, 1900000000};
	unsigned met = 0;
	for (unsigned i = 0; i < 40000; i++) {
		int64_t spread = spreads[i % ARRAY_LEN(spreads)];
		struct box b = any_box(spread), areas[SHAPE_BOXES];
		struct shape s = {.kind = rnd_below(2) ? SHAPE_RADIUS : SHAPE_BBOX,
		                  .lon_e7 = near_to(49000000, spread, LON),
		                  .lat_e7 = near_to(523000000, spread, LAT),
		                  .radius_m = (double)rnd_below((uint64_t)spread) / 100};
		struct box area = any_box(spread);
		bool over = rnd_below(8) == 0;
		s.west_e7 = over ? area.east_e7 : area.west_e7;
		s.east_e7 = over ? area.west_e7 : area.east_e7;
		s.south_e7 = area.south_e7;
		s.north_e7 = area.north_e7;
		unsigned n = shape_boxes(&s, areas), touches = 0;
		for (unsigned k = 0; k < n; k++)
			touches += box_touches(&areas[k], &b);
		met += shape_meets(&s, &b);
		assert_true(touches || !shape_meets(&s, &b));
	}
	assert_true(met > 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(distances),
	                                   cmocka_unit_test(boxes_of_a_bbox),
	                                   cmocka_unit_test(boxes_hold_shapes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
