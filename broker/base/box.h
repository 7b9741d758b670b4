/* box.h - a piece of the earth between two meridians and two parallels: where something is. A point
 * is a box without size; of a line or a surface it is what is around it.
 *
 * Units: 1e-7 degree, WGS84. West is never east of east: what lies on both sides of 180 degrees has
 * a box around the whole earth. */
#ifndef BASE_BOX_H
#define BASE_BOX_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>

struct box {
	int32_t west_e7, south_e7, east_e7, north_e7; /* west <= east, south <= north */
};

static inline struct box box_of_point(int32_t lon_e7, int32_t lat_e7)
{
	return (struct box){lon_e7, lat_e7, lon_e7, lat_e7};
}
static inline bool box_is_point(const struct box *b)
{
	return b->west_e7 == b->east_e7 && b->south_e7 == b->north_e7;
}
static inline bool box_same(const struct box *a, const struct box *b)
{
	return a->west_e7 == b->west_e7 && a->south_e7 == b->south_e7 && a->east_e7 == b->east_e7 &&
	       a->north_e7 == b->north_e7;
}
static inline bool box_touches(const struct box *a, const struct box *b)
{
	return a->west_e7 <= b->east_e7 && b->west_e7 <= a->east_e7 && a->south_e7 <= b->north_e7 &&
	       b->south_e7 <= a->north_e7;
}
/* Grown to hold the other too. */
static inline struct box box_with(struct box a, const struct box *b)
{
	return (struct box){MIN_OF(a.west_e7, b->west_e7), MIN_OF(a.south_e7, b->south_e7),
	                    MAX_OF(a.east_e7, b->east_e7), MAX_OF(a.north_e7, b->north_e7)};
}
/* Of bytes that came from a disk: is it a box on the earth? */
static inline bool box_is_sound(const struct box *b)
{
	return b->west_e7 <= b->east_e7 && b->south_e7 <= b->north_e7 &&
	       b->west_e7 >= -1800000000 && b->east_e7 <= 1800000000 && b->south_e7 >= -900000000 &&
	       b->north_e7 <= 900000000;
}

/* Its middle, in degrees: of a point, the point. */
static inline double box_lon(const struct box *b)
{
	return ((double)b->west_e7 + b->east_e7) / 2 / 1e7;
}
static inline double box_lat(const struct box *b)
{
	return ((double)b->south_e7 + b->north_e7) / 2 / 1e7;
}

#define EARTH_M 6371008.8 /* mean radius of WGS84, IUGG */
/* From the point to the nearest point of the box, along the sphere, in metres. */
double box_metres(const struct box *b, int32_t lon_e7, int32_t lat_e7);

#endif
