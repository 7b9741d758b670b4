/* where.c - see where.h. */
#include "web/where.h"

#include <math.h>
#include <stdlib.h>

enum { NUMBERS_BYTES = 160 };

/* Plain decimal numbers with commas between them: strtod() alone takes "nan", "inf" and
 * hexadecimal. */
static bool numbers(struct span s, unsigned n, double *ret)
{
	char text[NUMBERS_BYTES];
	if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, '\0', s.n))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	const char *at = text;
	for (unsigned i = 0; i < n; i++) {
		char *end;
		size_t plain = strspn(at, "+-0123456789.eE");
		ret[i] = plain ? strtod(at, &end) : 0;
		if (!plain || end != at + plain || !isfinite(ret[i]) ||
		    *end != (i + 1 < n ? ',' : '\0'))
			return false;
		at = end + 1;
	}
	return true;
}

static int32_t e7(double degrees)
{
	return (int32_t)lround(degrees * 1e7);
}

static bool is_place(double lon, double lat)
{
	return lon >= -180 && lon <= 180 && lat >= -90 && lat <= 90;
}

/* The box around the four corners: a rectangle of RD is not one of degrees. */
static bool box_from_rd(struct grid *rd, double box[4])
{
	double out[4] = {180, 90, -180, -90};
	for (unsigned i = 0; i < 4; i++) {
		double lon, lat;
		if (!grid_degrees(rd, box[i & 1 ? 2 : 0], box[i & 2 ? 3 : 1], &lon, &lat))
			return false;
		out[0] = fmin(out[0], lon);
		out[1] = fmin(out[1], lat);
		out[2] = fmax(out[2], lon);
		out[3] = fmax(out[3], lat);
	}
	memcpy(box, out, sizeof(out));
	return true;
}

bool where_bbox(struct span s, struct grid *rd, struct shape *ret)
{
	double box[4];
	if (!numbers(s, 4, box) || box[1] > box[3])
		return false;
	if (rd && (box[0] > box[2] || !box_from_rd(rd, box)))
		return false;
	if (!is_place(box[0], box[1]) || !is_place(box[2], box[3]))
		return false;
	*ret = (struct shape){.kind = SHAPE_BBOX,
	                      .west_e7 = e7(box[0]),
	                      .south_e7 = e7(box[1]),
	                      .east_e7 = e7(box[2]),
	                      .north_e7 = e7(box[3])};
	return true;
}

/* lon,lat,metres */
static bool where_radius(struct span s, struct grid *rd, struct shape *ret)
{
	double n[3];
	if (!numbers(s, 3, n) || n[2] <= 0)
		return false;
	if (rd && !grid_degrees(rd, n[0], n[1], &n[0], &n[1]))
		return false;
	if (!is_place(n[0], n[1]))
		return false;
	*ret = (struct shape){
	    .kind = SHAPE_RADIUS, .lon_e7 = e7(n[0]), .lat_e7 = e7(n[1]), .radius_m = n[2]};
	return true;
}

void where_read(const struct query *q, struct grid *rd, struct shape *ret, struct faults *faults)
{
	struct span bbox, radius;
	bool has_bbox = query_get(q, "bbox", &bbox), has_radius = query_get(q, "radius", &radius);
	if (has_bbox && has_radius)
		fault(faults, SPAN("radius"), "bbox and radius exclude each other");
	else if (has_bbox && !where_bbox(bbox, rd, ret))
		fault(faults, SPAN("bbox"), "bbox is not %s",
		      rd ? "minx,miny,maxx,maxy in metres of EPSG:28992"
		         : "minlon,minlat,maxlon,maxlat in degrees");
	else if (has_radius && !where_radius(radius, rd, ret))
		fault(faults, SPAN("radius"), "radius is not %s",
		      rd ? "x,y,metres in EPSG:28992" : "lon,lat,metres");
}
