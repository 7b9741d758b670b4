/* grid.c - squares of the Dutch grid (EPSG:28992), through PROJ.
 *
 * The transformation is written out: what PROJ chooses by itself depends on the grid files of the
 * machine, and a square must not move. The seven parameters are PROJ's "Amersfoort to WGS 84 (4)";
 * they are within a quarter of a metre of the national correction grid, which a square of ten
 * metres or more does not show. */
#include "privacy/grid.h"

#include "base/err.h"
#include "base/mem.h"

#include <math.h>
#include <proj.h>
#include <stdlib.h>

static const char pipeline[] =
    "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=push +v_3 "
    "+step +proj=cart +ellps=WGS84 "
    "+step +inv +proj=helmert +x=565.4171 +y=50.3319 +z=465.5524 +rx=0.398957388243134 "
    "+ry=-0.343987817378283 +rz=1.87740163998045 +s=4.0725 +convention=coordinate_frame "
    "+step +inv +proj=cart +ellps=bessel +step +proj=pop +v_3 "
    "+step +proj=sterea +lat_0=52.1561605555556 +lon_0=5.38763888888889 +k=0.9999079 "
    "+x_0=155000 +y_0=463000 +ellps=bessel";

/* Where the grid is defined, with room for the sea. */
static const double x_min = -100000, x_max = 400000, y_min = 200000, y_max = 750000;

struct grid {
	PJ_CONTEXT *context;
	PJ *pj;
};

int grid_new(struct grid **ret)
{
	struct grid *g = xcalloc(1, sizeof(*g));
	g->context = proj_context_create();
	if (g->context) {
		proj_log_level(g->context, PJ_LOG_NONE);
		g->pj = proj_create(g->context, pipeline);
	}
	if (!g->pj) {
		grid_free(g);
		return ERR_CONFIG;
	}
	*ret = g;
	return 0;
}

void grid_free(struct grid *g)
{
	if (!g)
		return;
	proj_destroy(g->pj);
	proj_context_destroy(g->context);
	free(g);
}

static bool is_on_grid(double x, double y)
{
	return x >= x_min && x <= x_max && y >= y_min && y <= y_max;
}

bool grid_degrees(struct grid *g, double x, double y, double *lon, double *lat)
{
	if (!is_on_grid(x, y))
		return false;
	PJ_COORD c = proj_trans(g->pj, PJ_INV, proj_coord(x, y, 0, 0));
	*lon = c.xy.x;
	*lat = c.xy.y;
	return isfinite(*lon) && isfinite(*lat);
}

bool grid_metres(struct grid *g, double lon, double lat, double *x, double *y)
{
	PJ_COORD c = proj_trans(g->pj, PJ_FWD, proj_coord(lon, lat, 0, 0));
	if (!is_on_grid(c.xy.x, c.xy.y)) {
		proj_errno_reset(g->pj);
		return false;
	}
	*x = c.xy.x;
	*y = c.xy.y;
	return true;
}

bool grid_snap(struct grid *g, double metres, double *lon, double *lat)
{
	double x, y;
	if (!grid_metres(g, *lon, *lat, &x, &y))
		return false;
	PJ_COORD c = proj_trans(g->pj, PJ_INV,
	                        proj_coord((floor(x / metres) + 0.5) * metres,
	                                   (floor(y / metres) + 0.5) * metres, 0, 0));
	*lon = c.xy.x;
	*lat = c.xy.y;
	return isfinite(*lon) && isfinite(*lat);
}
