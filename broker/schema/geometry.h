/* geometry.h - where a message says that something is: GeoJSON, or members named longitude and
 * latitude. Pure. A tape of the json room in, the box around it out; nothing is allocated.
 *
 * Of GeoJSON (RFC 7946, 3.1): Point, MultiPoint, LineString, Polygon, MultiLineString,
 * MultiPolygon, and a GeometryCollection of these; a geometry without a type is a Point. The box is
 * around all its positions; heights and the member bbox are not looked at. */
#ifndef SCHEMA_GEOMETRY_H
#define SCHEMA_GEOMETRY_H

#include "base/box.h"
#include "json/json.h"

enum geometry_found {
	GEOMETRY_NONE, /* it is no place that is known here, or an empty one */
	GEOMETRY_FOUND,
	GEOMETRY_LATITUDE,  /* *ret_bad is not from -90 to 90 */
	GEOMETRY_LONGITUDE, /* *ret_bad is not from -180 to 180 */
	GEOMETRY_LONG       /* more than LIMIT_PLACE_POSITIONS */
};

/* Of the value at i of the tape. *ret_bad: the token that is wrong. */
enum geometry_found geometry_read(const struct json_tape *t, uint32_t i, struct box *ret,
                                  uint32_t *ret_bad) MUSTCHECK;
/* The tokens of longitude and latitude of the object at i, when it is one point. */
bool geometry_point(const struct json_tape *t, uint32_t i, uint32_t *ret_lon,
                    uint32_t *ret_lat) MUSTCHECK;

/* v degrees, at most `most` on either side of 0, in 1e-7 degree. */
bool geometry_degrees(double v, double most, int32_t *ret_e7) MUSTCHECK;

#endif
