/* area.c - see area.h. A ray to the east crosses the sides of all rings, holes too, an odd number
 * of times from a point that is inside. */
#include "access/area.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "privacy/grid.h"
#include "sta/rings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct point {
	int32_t lon, lat;
};

struct area {
	unsigned users, n, n_rings;
	int32_t west, south, east, north;
	unsigned *ends; /* of rings in at[] */
	struct point at[];
};

static bool read_box(struct span text, struct rings *ret)
{
	char copy[128];
	double w, s, e, n;
	int used = 0;
	if (text.n >= sizeof(copy))
		return false;
	snprintf(copy, sizeof(copy), "%.*s", (int)text.n, text.p);
	if (sscanf(copy, "%lf ,%lf ,%lf ,%lf %n", &w, &s, &e, &n, &used) != 4 || copy[used] ||
	    !(w < e) || !(s < n))
		return false;
	const double corners[][2] = {{w, s}, {e, s}, {e, n}, {w, n}, {w, s}};
	ret->xy = xcalloc(ARRAY_LEN(corners), sizeof(*ret->xy));
	memcpy(ret->xy, corners, sizeof(corners));
	ret->n = ARRAY_LEN(corners);
	ret->ends = xcalloc(1, sizeof(*ret->ends));
	ret->ends[ret->n_rings++] = ret->n;
	return true;
}

static const char *to_degrees(struct rings *r)
{
	struct grid *g;
	const char *why = NULL;
	if (grid_new(&g))
		return "cannot be converted from RD on this machine";
	for (unsigned i = 0; i < r->n && !why; i++)
		if (!grid_degrees(g, r->xy[i][0], r->xy[i][1], &r->xy[i][0], &r->xy[i][1]))
			why = "has a point outside of the Dutch grid";
	grid_free(g);
	return why;
}

static const char *make(struct rings *r, struct area **ret)
{
	for (unsigned i = 0; i < r->n; i++)
		if (!(fabs(r->xy[i][0]) <= 180) || !(fabs(r->xy[i][1]) <= 90))
			return "has a point that is no longitude and latitude";
	struct area *a = xcalloc(1, sizeof(*a) + r->n * sizeof(a->at[0]));
	*a = (struct area){.users = 1,
	                   .n = r->n,
	                   .n_rings = r->n_rings,
	                   .west = INT32_MAX,
	                   .south = INT32_MAX,
	                   .east = INT32_MIN,
	                   .north = INT32_MIN,
	                   .ends = r->ends};
	r->ends = NULL;
	for (unsigned i = 0; i < r->n; i++) {
		struct point p = {(int32_t)lround(r->xy[i][0] * 1e7),
		                  (int32_t)lround(r->xy[i][1] * 1e7)};
		a->at[i] = p;
		a->west = MIN_OF(a->west, p.lon);
		a->east = MAX_OF(a->east, p.lon);
		a->south = MIN_OF(a->south, p.lat);
		a->north = MAX_OF(a->north, p.lat);
	}
	*ret = a;
	return NULL;
}

int area_read(struct span text, bool rd, struct area **ret, const char **ret_why)
{
	struct rings r = {0};
	const char *why = NULL;
	if (!read_box(text, &r) && rings_read(text, LIMIT_AREA_POINTS, &r, &why)) {
		*ret_why = why;
		return ERR_INVALID;
	}
	why = rd ? to_degrees(&r) : NULL;
	why = why ? why : make(&r, ret);
	rings_done(&r);
	if (why)
		*ret_why = why;
	return why ? ERR_INVALID : 0;
}

struct area *area_use(struct area *a)
{
	if (a)
		a->users++;
	return a;
}

void area_done(struct area *a)
{
	if (!a || --a->users)
		return;
	free(a->ends);
	free(a);
}

/* Whether the ray from (lon, lat) to the east crosses the side from p to q. */
static bool crosses(struct point p, struct point q, int32_t lon, int32_t lat)
{
	if ((p.lat > lat) == (q.lat > lat))
		return false;
	/* differences of longitudes and latitudes in 1e-7 degree: a product is below 2^63 */
	int64_t cross = ((int64_t)q.lon - p.lon) * ((int64_t)lat - p.lat) -
	                ((int64_t)lon - p.lon) * ((int64_t)q.lat - p.lat);
	return q.lat > p.lat ? cross > 0 : cross < 0;
}

static bool holds_point(const struct area *a, int32_t lon_e7, int32_t lat_e7)
{
	bool in = false;
	for (unsigned ring = 0, i = 0; ring < a->n_rings; ring++) {
		for (; i + 1 < a->ends[ring]; i++)
			in ^= crosses(a->at[i], a->at[i + 1], lon_e7, lat_e7);
		i = a->ends[ring];
	}
	return in;
}

/* On which side of the line through p and q it is: its sign. */
static double side_of(struct point p, struct point q, struct point at)
{
	return ((double)q.lon - p.lon) * ((double)at.lat - p.lat) -
	       ((double)at.lon - p.lon) * ((double)q.lat - p.lat);
}

/* Whether the side from p to q may touch the box: it does not when all is on one side of it. */
static bool touches(struct point p, struct point q, const struct box *b)
{
	const struct box around = {MIN_OF(p.lon, q.lon), MIN_OF(p.lat, q.lat), MAX_OF(p.lon, q.lon),
	                           MAX_OF(p.lat, q.lat)};
	if (!box_touches(&around, b))
		return false;
	const struct point corner[] = {{b->west_e7, b->south_e7},
	                               {b->west_e7, b->north_e7},
	                               {b->east_e7, b->south_e7},
	                               {b->east_e7, b->north_e7}};
	unsigned left = 0, right = 0;
	for (unsigned i = 0; i < ARRAY_LEN(corner); i++) {
		double side = side_of(p, q, corner[i]);
		left += side > 0;
		right += side < 0;
	}
	return left < ARRAY_LEN(corner) && right < ARRAY_LEN(corner);
}

/* A box that no side touches is inside as a whole, or outside. */
bool area_holds(const struct area *a, const struct box *place)
{
	if (place->west_e7 < a->west || place->east_e7 > a->east || place->south_e7 < a->south ||
	    place->north_e7 > a->north || !holds_point(a, place->west_e7, place->south_e7))
		return false;
	if (box_is_point(place))
		return true;
	for (unsigned ring = 0, i = 0; ring < a->n_rings; ring++) {
		for (; i + 1 < a->ends[ring]; i++)
			if (touches(a->at[i], a->at[i + 1], place))
				return false;
		i = a->ends[ring];
	}
	return true;
}
