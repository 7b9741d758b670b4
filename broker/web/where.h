/* where.h - bbox= and radius= of a query. Pure. */
#ifndef WEB_WHERE_H
#define WEB_WHERE_H

#include "base/shape.h"
#include "base/span.h"
#include "privacy/grid.h"
#include "web/ask.h"

/* minlon,minlat,maxlon,maxlat. rd: in metres of EPSG:28992, NULL: in degrees.
 * false: it is none. */
bool where_bbox(struct span s, struct grid *rd, struct shape *ret);
/* Either of them, when it is there; what is wrong is a fault. */
void where_read(const struct query *q, struct grid *rd, struct shape *ret, struct faults *faults);

#endif
