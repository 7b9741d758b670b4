/* place.h - places as they are answered: GeoJSON geometries and columns, in degrees or in RD.
 *
 * A place that is not a point is told by the box around it, for that is what the series keep: a
 * Polygon of its four corners with the member bbox (RFC 7946, 5), which says that it is no more
 * than that; a LineString when it has no width. In RD the corners are those of the degrees, so the
 * sides are not quite upright. */
#ifndef WEB_PLACE_H
#define WEB_PLACE_H

#include "base/box.h"
#include "base/buf.h"
#include "privacy/grid.h"

/* rd NULL: in degrees. place NULL, or too far away for RD: "null". */
void place_geometry(struct buf *b, const struct box *place, struct grid *rd);
/* [west,south,east,north] in degrees. */
void place_bbox(struct buf *b, const struct box *place);
/* ",x,y": of its middle; ",," as above. */
void place_columns(struct buf *b, const struct box *place, struct grid *rd);
/* ",\"west,south,east,north\"" as bbox= takes it, and "," for a point or as above. */
void place_box_column(struct buf *b, const struct box *place, struct grid *rd);

#endif
