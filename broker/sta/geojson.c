/* geojson.c - see geojson.h. */
#include "sta/geojson.h"

#include "base/compiler.h"

#include <string.h>

enum { DEEPEST = 32 }; /* collections in collections */

static bool is_position(const json_t *j)
{
	return json_array_size(j) >= 2 && json_is_number(json_array_get(j, 0)) &&
	       json_is_number(json_array_get(j, 1));
}

/* depth: of arrays above the positions. */
static bool are_positions(const json_t *j, unsigned depth)
{
	if (depth == 0)
		return is_position(j);
	if (!json_is_array(j))
		return false;
	for (size_t i = 0; i < json_array_size(j); i++)
		if (!are_positions(json_array_get(j, i), depth - 1))
			return false;
	return true;
}

static bool is_sound(const json_t *j, unsigned depth);

static bool are_sound(const json_t *array, unsigned depth)
{
	if (!json_is_array(array))
		return false;
	for (size_t i = 0; i < json_array_size(array); i++)
		if (!is_sound(json_array_get(array, i), depth))
			return false;
	return true;
}

static bool is_sound(const json_t *j, unsigned depth)
{
	static const struct {
		const char *type;
		unsigned depth;
	} rows[] = {{"Point", 0},   {"MultiPoint", 1},      {"LineString", 1},
	            {"Polygon", 2}, {"MultiLineString", 2}, {"MultiPolygon", 3}};
	const char *type = json_string_value(json_object_get(j, "type"));
	if (!type || depth == DEEPEST)
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(type, rows[i].type) == 0)
			return are_positions(json_object_get(j, "coordinates"), rows[i].depth);
	if (strcmp(type, "GeometryCollection") == 0)
		return are_sound(json_object_get(j, "geometries"), depth + 1);
	if (strcmp(type, "Feature") == 0)
		return is_sound(json_object_get(j, "geometry"), depth + 1);
	return strcmp(type, "FeatureCollection") == 0 &&
	       are_sound(json_object_get(j, "features"), depth + 1);
}

bool geojson_is_sound(const json_t *j)
{
	return is_sound(j, 0);
}
