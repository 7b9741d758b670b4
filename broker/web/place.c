/* place.c - see place.h. */
#include "web/place.h"

#include "json/write.h"

#include <math.h>

enum { CORNERS = 4, WEST = 0, SOUTH, EAST, NORTH };

struct corners { /* from the south-west on, counterclockwise: RFC 7946, 3.1.6 */
	double x[CORNERS], y[CORNERS];
};

static bool corners_of(const struct box *b, struct grid *rd, struct corners *ret)
{
	double w = b->west_e7 / 1e7, s = b->south_e7 / 1e7, e = b->east_e7 / 1e7,
	       n = b->north_e7 / 1e7;
	*ret = (struct corners){{w, e, e, w}, {s, s, n, n}};
	for (unsigned i = 0; rd && i < CORNERS; i++)
		if (!grid_metres(rd, ret->x[i], ret->y[i], &ret->x[i], &ret->y[i]))
			return false;
	return true;
}

static void around(const struct corners *c, double ret[4])
{
	ret[WEST] = fmin(c->x[0], c->x[3]);
	ret[SOUTH] = fmin(c->y[0], c->y[1]);
	ret[EAST] = fmax(c->x[1], c->x[2]);
	ret[NORTH] = fmax(c->y[2], c->y[3]);
}

static void number(struct buf *b, double v, bool rd)
{
	if (rd) /* centimetres: more would only look exact */
		buf_addf(b, "%.2f", v);
	else
		json_write_double(b, v);
}

static void position(struct buf *b, const struct corners *c, unsigned i, bool rd)
{
	buf_add_char(b, '[');
	number(b, c->x[i], rd);
	buf_add_char(b, ',');
	number(b, c->y[i], rd);
	buf_add_char(b, ']');
}

static void write_bbox(struct buf *b, const struct corners *c, bool rd)
{
	double box[4];
	around(c, box);
	for (unsigned i = 0; i < 4; i++) {
		buf_add_char(b, i ? ',' : '[');
		number(b, box[i], rd);
	}
	buf_add_char(b, ']');
}

void place_geometry(struct buf *b, const struct box *place, struct grid *rd)
{
	struct corners c;
	if (!place || !corners_of(place, rd, &c)) {
		buf_add_str(b, "null");
		return;
	}
	if (box_is_point(place)) {
		buf_add_str(b, "{\"type\":\"Point\",\"coordinates\":");
		position(b, &c, 0, rd);
		buf_add_char(b, '}');
		return;
	}
	bool line = place->west_e7 == place->east_e7 || place->south_e7 == place->north_e7;
	buf_addf(b, "{\"type\":\"%s\",\"bbox\":", line ? "LineString" : "Polygon");
	write_bbox(b, &c, rd);
	buf_add_str(b, line ? ",\"coordinates\":[" : ",\"coordinates\":[[");
	position(b, &c, 0, rd);
	for (unsigned i = line ? 2 : 1; i <= (line ? 2 : CORNERS); i++) {
		buf_add_char(b, ',');
		position(b, &c, i % CORNERS, rd);
	}
	buf_add_str(b, line ? "]}" : "]]}");
}

void place_bbox(struct buf *b, const struct box *place)
{
	struct corners c;
	if (corners_of(place, NULL, &c))
		write_bbox(b, &c, false);
}

void place_columns(struct buf *b, const struct box *place, struct grid *rd)
{
	double x = place ? box_lon(place) : 0, y = place ? box_lat(place) : 0;
	if (!place || (rd && !grid_metres(rd, x, y, &x, &y)))
		buf_add_str(b, ",,");
	else
		buf_addf(b, rd ? ",%.2f,%.2f" : ",%.7f,%.7f", x, y);
}

void place_box_column(struct buf *b, const struct box *place, struct grid *rd)
{
	struct corners c;
	double box[4];
	buf_add_char(b, ',');
	if (!place || box_is_point(place) || !corners_of(place, rd, &c))
		return;
	around(&c, box);
	buf_addf(b, rd ? "\"%.2f,%.2f,%.2f,%.2f\"" : "\"%.7f,%.7f,%.7f,%.7f\"", box[WEST],
	         box[SOUTH], box[EAST], box[NORTH]);
}
