/* geojson.h - whether a GeoJSON object may be given to GEOS. The reader of GEOS 3.11 looks at two
 * numbers of each position without asking whether they are there, so each position is looked at
 * here first: RFC 7946, 3.1.1. Pure; collections in collections are looked into 32 deep, and no
 * deeper ones are sound. */
#ifndef STA_GEOJSON_H
#define STA_GEOJSON_H

#include <jansson.h>
#include <stdbool.h>

/* A geometry, a Feature or a FeatureCollection whose positions are two numbers at least. */
bool geojson_is_sound(const json_t *j);

#endif
