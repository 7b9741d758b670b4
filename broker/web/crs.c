/* crs.c - see crs.h. PROJ lives here and nowhere else. */
#include "web/crs.h"

#include "base/mem.h"

#include <math.h>
#include <proj.h>
#include <stdlib.h>

struct crs_tool {
	PJ_CONTEXT *context;
	PJ *rd; /* forward: CRS84 to RD */
};

static const char uri_84[] = "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
                  uri_rd[] = "http://www.opengis.net/def/crs/EPSG/0/28992";
enum { X_LOW = -100000, X_HIGH = 400000, Y_LOW = 200000, Y_HIGH = 750000 };

struct crs_tool *crs_new(void)
{
	struct crs_tool *t = xcalloc(1, sizeof(*t));
	t->context = proj_context_create();
	t->rd = proj_create_crs_to_crs(t->context, "OGC:CRS84", "EPSG:28992", NULL);
	if (!t->rd) {
		crs_free(t);
		return NULL;
	}
	return t;
}

void crs_free(struct crs_tool *t)
{
	if (!t)
		return;
	proj_destroy(t->rd);
	proj_context_destroy(t->context);
	free(t);
}

bool crs_find(struct span name, enum crs *ret)
{
	static const struct {
		const char *name;
		enum crs crs;
	} rows[] = {{uri_84, CRS_84}, {"OGC:CRS84", CRS_84},  {"CRS84", CRS_84},
	            {uri_rd, CRS_RD}, {"EPSG:28992", CRS_RD}, {"epsg:28992", CRS_RD}};
	if (name.n > 2 && name.p[0] == '<' && name.p[name.n - 1] == '>')
		name = span_of(name.p + 1, name.n - 2);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (span_is(name, rows[i].name)) {
			*ret = rows[i].crs;
			return true;
		}
	return false;
}

const char *crs_uri(enum crs c)
{
	return c == CRS_RD ? uri_rd : uri_84;
}

double crs_accuracy_m(enum crs c)
{
	return c == CRS_RD ? 0.25 : 0;
}

bool crs_to_rd(struct crs_tool *t, double lon, double lat, double *ret_x, double *ret_y)
{
	PJ_COORD c = proj_trans(t->rd, PJ_FWD, proj_coord(lon, lat, 0, 0));
	if (!(c.xy.x >= X_LOW && c.xy.x <= X_HIGH && c.xy.y >= Y_LOW && c.xy.y <= Y_HIGH))
		return false;
	*ret_x = c.xy.x;
	*ret_y = c.xy.y;
	return true;
}

bool crs_from_rd(struct crs_tool *t, double x, double y, double *ret_lon, double *ret_lat)
{
	if (!(x >= X_LOW && x <= X_HIGH && y >= Y_LOW && y <= Y_HIGH))
		return false;
	PJ_COORD c = proj_trans(t->rd, PJ_INV, proj_coord(x, y, 0, 0));
	if (!isfinite(c.xy.x) || !isfinite(c.xy.y))
		return false;
	*ret_lon = c.xy.x;
	*ret_lat = c.xy.y;
	return true;
}
