/* shape.c - see shape.h. */
#include "base/shape.h"

#include <math.h>

static const double E7 = 1e7;
static const int32_t LON_E7 = 1800000000, LAT_E7 = 900000000;

bool shape_meets(const struct shape *s, const struct box *b)
{
	if (s->kind == SHAPE_EVERYWHERE)
		return true;
	if (s->kind == SHAPE_RADIUS)
		return box_metres(b, s->lon_e7, s->lat_e7) <= s->radius_m;
	bool lon = s->west_e7 <= s->east_e7 ? b->west_e7 <= s->east_e7 && b->east_e7 >= s->west_e7
	                                    : b->east_e7 >= s->west_e7 || b->west_e7 <= s->east_e7;
	return lon && b->south_e7 <= s->north_e7 && b->north_e7 >= s->south_e7;
}

static unsigned in_pieces(int64_t west, int64_t south, int64_t east, int64_t north, struct box *out)
{
	south = MAX_OF(south, (int64_t)-LAT_E7);
	north = MIN_OF(north, (int64_t)LAT_E7);
	if (south > north)
		return 0;
	if (west < -LON_E7)
		west += 2 * (int64_t)LON_E7;
	if (east > LON_E7)
		east -= 2 * (int64_t)LON_E7;
	int32_t s = (int32_t)south, n = (int32_t)north;
	if (west <= east) {
		out[0] = (struct box){(int32_t)west, s, (int32_t)east, n};
		return 1;
	}
	out[0] = (struct box){(int32_t)west, s, LON_E7, n};
	out[1] = (struct box){-LON_E7, s, (int32_t)east, n};
	return 2;
}

static unsigned of_radius(const struct shape *s, struct box *out)
{
	double r = s->radius_m / EARTH_M, lat = s->lat_e7 / E7 * M_PI / 180;
	double high = fabs(lat) + r, wide = high < M_PI / 2 ? asin(sin(r) / cos(lat)) : M_PI;
	/* A little more, for what is lost in rounding. */
	int64_t dlat = (int64_t)(MIN_OF(r, M_PI) * 180 / M_PI * E7) + 2,
	        dlon = (int64_t)(wide * 180 / M_PI * E7) + 2;
	int64_t south = s->lat_e7 - dlat, north = s->lat_e7 + dlat;
	if (dlon >= LON_E7)
		return in_pieces(-LON_E7, south, LON_E7, north, out);
	return in_pieces(s->lon_e7 - dlon, south, s->lon_e7 + dlon, north, out);
}

unsigned shape_boxes(const struct shape *s, struct box out[SHAPE_BOXES])
{
	switch (s->kind) {
	case SHAPE_BBOX: return in_pieces(s->west_e7, s->south_e7, s->east_e7, s->north_e7, out);
	case SHAPE_RADIUS: return of_radius(s, out);
	case SHAPE_EVERYWHERE: break;
	}
	return in_pieces(-LON_E7, -LAT_E7, LON_E7, LAT_E7, out);
}
