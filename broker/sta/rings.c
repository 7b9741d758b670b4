/* rings.c - see rings.h. */
#include "sta/rings.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "sta/geojson.h"

#include <geos_c.h>
#include <stdlib.h>

enum { RINGS = 64 }; /* of one area: a few parts, a few holes */

static bool is_sound(struct span text)
{
	json_t *j = json_loadb(text.p, text.n, 0, NULL);
	bool sound = j && geojson_is_sound(j);
	json_decref(j);
	return sound;
}

static GEOSGeometry *read_text(GEOSContextHandle_t h, struct span text)
{
	auto_free char *copy = xstrndup(text.p, text.n);
	GEOSGeometry *g = NULL;
	if (text.n && text.p[0] == '{') {
		GEOSGeoJSONReader *r = GEOSGeoJSONReader_create_r(h);
		if (r) {
			g = is_sound(text) ? GEOSGeoJSONReader_readGeometry_r(h, r, copy) : NULL;
			GEOSGeoJSONReader_destroy_r(h, r);
		}
	} else {
		GEOSWKTReader *r = GEOSWKTReader_create_r(h);
		if (r) {
			g = GEOSWKTReader_read_r(h, r, copy);
			GEOSWKTReader_destroy_r(h, r);
		}
	}
	return g;
}

/* 0, or what is wrong. */
static const char *add_ring(GEOSContextHandle_t h, const GEOSGeometry *ring, unsigned max_points,
                            struct rings *ret)
{
	const GEOSCoordSequence *s = ring ? GEOSGeom_getCoordSeq_r(h, ring) : NULL;
	unsigned n = 0;
	if (!s || !GEOSCoordSeq_getSize_r(h, s, &n))
		return "cannot be read";
	if (ret->n + n > max_points)
		return "has more points than an area may have";
	if (ret->n_rings == RINGS)
		return "has more parts and holes than an area may have";
	for (unsigned i = 0; i < n; i++)
		if (!GEOSCoordSeq_getXY_r(h, s, i, &ret->xy[ret->n + i][0],
		                          &ret->xy[ret->n + i][1]))
			return "cannot be read";
	ret->n += n;
	ret->ends[ret->n_rings++] = ret->n;
	return NULL;
}

static const char *add_polygon(GEOSContextHandle_t h, const GEOSGeometry *p, unsigned max_points,
                               struct rings *ret)
{
	const char *why = add_ring(h, GEOSGetExteriorRing_r(h, p), max_points, ret);
	int holes = GEOSGetNumInteriorRings_r(h, p);
	for (int i = 0; i < holes && !why; i++)
		why = add_ring(h, GEOSGetInteriorRingN_r(h, p, i), max_points, ret);
	return why;
}

static const char *take(GEOSContextHandle_t h, const GEOSGeometry *g, unsigned max_points,
                        struct rings *ret)
{
	int type = GEOSGeomTypeId_r(h, g);
	const char *why = NULL;
	if (type != GEOS_POLYGON && type != GEOS_MULTIPOLYGON)
		return "is neither POLYGON nor MULTIPOLYGON";
	if (GEOSisEmpty_r(h, g) != 0)
		return "is empty";
	if (GEOSisValid_r(h, g) != 1)
		return "is no valid polygon: its lines cross, or a hole lies outside";
	ret->xy = xcalloc(max_points, sizeof(*ret->xy));
	ret->ends = xcalloc(RINGS, sizeof(*ret->ends));
	for (int i = 0; i < GEOSGetNumGeometries_r(h, g) && !why; i++)
		why = add_polygon(h, GEOSGetGeometryN_r(h, g, i), max_points, ret);
	return why;
}

int rings_read(struct span text, unsigned max_points, struct rings *ret, const char **ret_why)
{
	GEOSContextHandle_t h = GEOS_init_r();
	struct rings r = {0};
	if (!h)
		fatal("out of memory for a geometry");
	GEOSGeometry *g = read_text(h, text);
	const char *why = g ? take(h, g, max_points, &r)
	                    : "is neither WKT (POLYGON((4.8 52.3, ...))) nor GeoJSON";
	if (g)
		GEOSGeom_destroy_r(h, g);
	GEOS_finish_r(h);
	if (why) {
		rings_done(&r);
		*ret_why = why;
		return ERR_INVALID;
	}
	*ret = r;
	return 0;
}

void rings_done(struct rings *r)
{
	free(r->xy);
	free(r->ends);
	*r = (struct rings){0};
}
