/* crs.h - the names of degrees (CRS84) and of Dutch RD coordinates (EPSG:28992), between which
 * privacy/grid.h goes: to about a quarter of a metre; nothing better is claimed. Names follow the
 * geospatial module of the NL API Design Rules: the URIs of OGC, or "EPSG:28992". */
#ifndef WEB_CRS_H
#define WEB_CRS_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum crs { CRS_84, CRS_RD };

/* The system that a name means. False: none that there is. */
bool crs_find(struct span name, enum crs *ret);
const char *crs_uri(enum crs c);
/* How good coordinates of this system are, in metres; 0: as they were measured. */
double crs_accuracy_m(enum crs c);

#endif
