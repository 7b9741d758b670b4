/* geo.c - spatial functions by GEOS. Coordinates are longitude and latitude as they are (CRS84), so
 * distances are degrees, as with the other servers of SensorThings. A literal is read once and kept
 * for the request: it meets many entities. */
#include "sta/value.h"

#include "base/mem.h"
#include "sta/geojson.h"

#include <geos_c.h>
#include <stdlib.h>

enum { KEPT = 8 };

struct sta_geo {
	GEOSContextHandle_t geos;
	GEOSWKTReader *wkt;
	GEOSGeoJSONReader *json;
	struct {
		const char *p;
		GEOSGeometry *geometry;
	} kept[KEPT];
};

struct sta_geo *sta_geo_new(void)
{
	struct sta_geo *g = xcalloc(1, sizeof(*g));
	g->geos = GEOS_init_r();
	g->wkt = g->geos ? GEOSWKTReader_create_r(g->geos) : NULL;
	g->json = g->geos ? GEOSGeoJSONReader_create_r(g->geos) : NULL;
	return g;
}

void sta_geo_free(struct sta_geo *g)
{
	if (!g)
		return;
	for (unsigned i = 0; i < KEPT; i++)
		if (g->kept[i].geometry)
			GEOSGeom_destroy_r(g->geos, g->kept[i].geometry);
	if (g->wkt)
		GEOSWKTReader_destroy_r(g->geos, g->wkt);
	if (g->json)
		GEOSGeoJSONReader_destroy_r(g->geos, g->json);
	if (g->geos)
		GEOS_finish_r(g->geos);
	free(g);
}

static GEOSGeometry *from_wkt(struct sta_geo *g, struct span text)
{
	auto_free char *copy = xstrndup(text.p, text.n);
	char *wkt = copy, *semicolon = strchr(copy, ';');
	if (strncmp(copy, "SRID=", 5) == 0 && semicolon)
		wkt = semicolon + 1;
	return GEOSWKTReader_read_r(g->geos, g->wkt, wkt);
}

bool sta_geo_reads(struct sta_geo *g, struct span wkt)
{
	GEOSGeometry *x = g->geos ? from_wkt(g, wkt) : NULL;
	if (x)
		GEOSGeom_destroy_r(g->geos, x);
	return x != NULL;
}

static GEOSGeometry *from_json(struct sta_geo *g, const json_t *j)
{
	const json_t *inner = json_object_get(j, "geometry"); /* a Feature */
	if (json_is_object(inner))
		j = inner;
	const char *type = json_string_value(json_object_get(j, "type"));
	const json_t *c = json_object_get(j, "coordinates");
	if (type && strcmp(type, "Point") == 0 && json_array_size(c) >= 2 &&
	    json_is_number(json_array_get(c, 0)) && json_is_number(json_array_get(c, 1)))
		return GEOSGeom_createPointFromXY_r(g->geos,
		                                    json_number_value(json_array_get(c, 0)),
		                                    json_number_value(json_array_get(c, 1)));
	if (!geojson_is_sound(j))
		return NULL;
	auto_free char *text = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);
	return text ? GEOSGeoJSONReader_readGeometry_r(g->geos, g->json, text) : NULL;
}

/* *ret_own: the caller destroys it. */
static GEOSGeometry *geometry(struct sta_geo *g, const struct sta_value *v, bool *ret_own)
{
	*ret_own = true;
	if (v->kind == STA_V_JSON)
		return from_json(g, v->json);
	if (v->kind != STA_V_WKT)
		return NULL;
	for (unsigned i = 0; i < KEPT; i++) {
		if (!g->kept[i].geometry) {
			g->kept[i].geometry = from_wkt(g, v->text);
			g->kept[i].p = v->text.p;
		}
		if (g->kept[i].p == v->text.p) {
			*ret_own = false;
			return g->kept[i].geometry;
		}
	}
	return from_wkt(g, v->text);
}

static bool number(double v, struct sta_value *ret)
{
	*ret = (struct sta_value){.kind = STA_V_NUMBER, .number = v};
	return v - v == 0;
}

static bool relate(struct sta_geo *g, enum sta_function f, const GEOSGeometry *a,
                   const GEOSGeometry *b, struct span pattern, struct sta_value *ret)
{
	GEOSContextHandle_t h = g->geos;
	char nine[10] = "";
	char yes; /* 2: it went wrong */
	switch (f) {
	case STA_F_ST_EQUALS: yes = GEOSEquals_r(h, a, b); break;
	case STA_F_ST_DISJOINT: yes = GEOSDisjoint_r(h, a, b); break;
	case STA_F_ST_TOUCHES: yes = GEOSTouches_r(h, a, b); break;
	case STA_F_ST_WITHIN: yes = GEOSWithin_r(h, a, b); break;
	case STA_F_ST_OVERLAPS: yes = GEOSOverlaps_r(h, a, b); break;
	case STA_F_ST_CROSSES: yes = GEOSCrosses_r(h, a, b); break;
	case STA_F_ST_CONTAINS: yes = GEOSContains_r(h, a, b); break;
	case STA_F_ST_RELATE:
		if (pattern.n != 9)
			return false;
		memcpy(nine, pattern.p, 9);
		yes = GEOSRelatePattern_r(h, a, b, nine);
		break;
	default: yes = GEOSIntersects_r(h, a, b); break;
	}
	*ret = (struct sta_value){.kind = STA_V_BOOL, .truth = yes == 1};
	return yes != 2;
}

bool sta_geo_call(struct sta_geo *g, enum sta_function f, const struct sta_value *a,
                  const struct sta_value *b, struct span pattern, struct sta_value *ret)
{
	bool own_a = false, own_b = false, good = false;
	double v;
	if (!g->geos)
		return false;
	GEOSGeometry *x = geometry(g, a, &own_a), *y = b ? geometry(g, b, &own_b) : NULL;
	if (x && f == STA_F_GEO_LENGTH) /* an area has none */
		good = GEOSGeom_getDimensions_r(g->geos, x) == 2
		           ? number(0, ret)
		           : GEOSLength_r(g->geos, x, &v) == 1 && number(v, ret);
	else if (x && y && f == STA_F_GEO_DISTANCE)
		good = GEOSDistance_r(g->geos, x, y, &v) == 1 && number(v, ret);
	else if (x && y)
		good = relate(g, f, x, y, pattern, ret);
	if (x && own_a)
		GEOSGeom_destroy_r(g->geos, x);
	if (y && own_b)
		GEOSGeom_destroy_r(g->geos, y);
	return good;
}
