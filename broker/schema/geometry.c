/* geometry.c - see geometry.h. */
#include "schema/geometry.h"

#include "base/limits.h"

struct reading {
	const struct json_tape *t;
	struct box box;
	unsigned positions;
	uint32_t bad;
};

bool geometry_degrees(double v, double most, int32_t *ret_e7)
{
	if (!(v >= -most && v <= most))
		return false;
	*ret_e7 = (int32_t)(v * 1e7 + (v < 0 ? -0.5 : 0.5));
	return true;
}

static bool is_number(const struct json_tape *t, uint32_t i)
{
	return i && t->tok[i].type == JSON_NUMBER;
}

static enum geometry_found add(struct reading *r, uint32_t lon, uint32_t lat)
{
	struct box at;
	int32_t lon_e7, lat_e7;
	if (!geometry_degrees(json_double(json_text(r->t, lat)), 90, &lat_e7)) {
		r->bad = lat;
		return GEOMETRY_LATITUDE;
	}
	if (!geometry_degrees(json_double(json_text(r->t, lon)), 180, &lon_e7)) {
		r->bad = lon;
		return GEOMETRY_LONGITUDE;
	}
	at = box_of_point(lon_e7, lat_e7);
	r->box = r->positions++ ? box_with(r->box, &at) : at;
	return r->positions <= LIMIT_PLACE_POSITIONS ? GEOMETRY_FOUND : GEOMETRY_LONG;
}

/* depth: of arrays above the positions. */
static enum geometry_found add_array(struct reading *r, uint32_t i, unsigned depth)
{
	const struct json_token *tok = r->t->tok;
	enum geometry_found found = GEOMETRY_FOUND;
	if (tok[i].type != JSON_ARRAY)
		return GEOMETRY_NONE;
	uint32_t c = i + 1;
	if (depth == 0)
		return tok[i].size >= 2 && is_number(r->t, c) && is_number(r->t, tok[c].next)
		           ? add(r, c, tok[c].next)
		           : GEOMETRY_NONE;
	for (uint32_t k = 0; k < tok[i].size && found == GEOMETRY_FOUND; k++, c = tok[c].next)
		found = add_array(r, c, depth - 1);
	return found;
}

/* Of the type: how deep positions stand in its coordinates; -1: no such type. */
static int depth_of(const struct json_tape *t, uint32_t type)
{
	static const struct {
		struct span name;
		int depth;
	} types[] = {
	    {{"Point", 5}, 0},       {{"LineString", 10}, 1},      {{"Polygon", 7}, 2},
	    {{"MultiPoint", 10}, 1}, {{"MultiLineString", 15}, 2}, {{"MultiPolygon", 12}, 3}};
	if (t->tok[type].type != JSON_STRING)
		return -1;
	for (unsigned i = 0; i < ARRAY_LEN(types); i++)
		if (json_string_is(t, type, types[i].name))
			return types[i].depth;
	return -1;
}

/* The coordinates of the object at i; 0: it has none. */
static uint32_t coordinates(const struct json_tape *t, uint32_t i)
{
	uint32_t c = json_member(t, i, SPAN("coordinates"));
	return c && t->tok[c].type == JSON_ARRAY ? c : 0;
}

static enum geometry_found add_geometry(struct reading *r, uint32_t i, uint32_t c)
{
	uint32_t type = json_member(r->t, i, SPAN("type"));
	int depth = type ? depth_of(r->t, type) : 0;
	return depth >= 0 ? add_array(r, c, (unsigned)depth) : GEOMETRY_NONE;
}

static enum geometry_found add_collection(struct reading *r, uint32_t i)
{
	const struct json_token *tok = r->t->tok;
	enum geometry_found found = GEOMETRY_FOUND;
	if (tok[i].type != JSON_ARRAY)
		return GEOMETRY_NONE;
	uint32_t c = i + 1;
	for (uint32_t k = 0; k < tok[i].size && found == GEOMETRY_FOUND; k++, c = tok[c].next) {
		uint32_t of = tok[c].type == JSON_OBJECT ? coordinates(r->t, c) : 0;
		found = of ? add_geometry(r, c, of) : GEOMETRY_NONE;
	}
	return found;
}

/* Members of the object that are named so. */
static bool named_point(const struct json_tape *t, uint32_t i, uint32_t *lon, uint32_t *lat)
{
	static const char *const names[][2] = {
	    {"lon", "lat"}, {"longitude", "latitude"}, {"lng", "lat"}};
	*lon = *lat = 0;
	for (size_t k = 0; k < ARRAY_LEN(names) && !(*lon && *lat); k++) {
		*lon = json_member(t, i, span_str(names[k][0]));
		*lat = json_member(t, i, span_str(names[k][1]));
	}
	return is_number(t, *lon) && is_number(t, *lat);
}

bool geometry_point(const struct json_tape *t, uint32_t i, uint32_t *ret_lon, uint32_t *ret_lat)
{
	if (t->tok[i].type != JSON_OBJECT)
		return false;
	uint32_t c = coordinates(t, i), type = c ? json_member(t, i, SPAN("type")) : 0;
	if (!c)
		return named_point(t, i, ret_lon, ret_lat);
	if (t->tok[c].size < 2 || (type && depth_of(t, type) != 0))
		return false;
	*ret_lon = c + 1;
	*ret_lat = t->tok[c + 1].next;
	return is_number(t, *ret_lon) && is_number(t, *ret_lat);
}

enum geometry_found geometry_read(const struct json_tape *t, uint32_t i, struct box *ret,
                                  uint32_t *ret_bad)
{
	struct reading r = {.t = t};
	uint32_t lon, lat, of;
	enum geometry_found found;
	if (t->tok[i].type != JSON_OBJECT)
		return GEOMETRY_NONE;
	if ((of = coordinates(t, i)) != 0)
		found = add_geometry(&r, i, of);
	else if (named_point(t, i, &lon, &lat))
		found = add(&r, lon, lat);
	else if ((of = json_member(t, i, SPAN("geometries"))) != 0)
		found = add_collection(&r, of);
	else
		found = GEOMETRY_NONE;
	*ret = r.box;
	*ret_bad = r.bad;
	return found == GEOMETRY_FOUND && !r.positions ? GEOMETRY_NONE : found;
}
