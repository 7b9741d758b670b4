/* box.c - see box.h. */
#include "base/box.h"

#include <math.h>

static double radians(int32_t e7)
{
	return e7 / 1e7 * M_PI / 180;
}

static double metres(double lat, double other_lat, double dlon)
{
	double a = sin((other_lat - lat) / 2), b = sin(dlon / 2);
	double h = a * a + cos(lat) * cos(other_lat) * b * b;
	return 2 * EARTH_M * asin(sqrt(MIN_OF(h, 1.0)));
}

/* To the piece of a meridian, dlon away, from south to north. */
static double to_meridian(double lat, double dlon, double south, double north)
{
	/* The foot of the perpendicular, unless it is beyond an end. */
	double foot = atan2(sin(lat), cos(lat) * cos(dlon));
	if (foot > south && foot < north)
		return metres(lat, foot, dlon);
	return fmin(metres(lat, south, dlon), metres(lat, north, dlon));
}

double box_metres(const struct box *b, int32_t lon_e7, int32_t lat_e7)
{
	double lat = radians(lat_e7), south = radians(b->south_e7), north = radians(b->north_e7);
	if (box_is_point(b))
		return metres(lat, south, radians(b->west_e7) - radians(lon_e7));
	if (lon_e7 >= b->west_e7 && lon_e7 <= b->east_e7)
		return metres(lat, fmin(fmax(lat, south), north), 0);
	return fmin(to_meridian(lat, radians(b->west_e7) - radians(lon_e7), south, north),
	            to_meridian(lat, radians(b->east_e7) - radians(lon_e7), south, north));
}
