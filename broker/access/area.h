/* area.h - the piece of the country that a grant is for. Read once, then whole numbers: whether a
 * place lies in it costs no allocation and at most LIMIT_AREA_POINTS steps, for most places four
 * comparisons. It never changes, so any thread may ask; it is counted on the loop. */
#ifndef ACCESS_AREA_H
#define ACCESS_AREA_H

#include "base/box.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct area;

/* text: "west,south,east,north", or a polygon as WKT or GeoJSON. rd: in metres of the Dutch grid
 * (EPSG:28992), else longitude and latitude in degrees (CRS84). The sides are straight in degrees:
 * in RD a side of a kilometre is off by a few centimetres. 0, or ERR_INVALID and a static piece of
 * a sentence in *ret_why: "is ...". */
int area_read(struct span text, bool rd, struct area **ret, const char **ret_why) MUSTCHECK;
struct area *area_use(struct area *a); /* one user more; accepts NULL */
void area_done(struct area *a);        /* one less; accepts NULL */

/* The whole box. A point on the edge may be either. */
bool area_holds(const struct area *a, const struct box *place);

#endif
