/* crs.h - places in degrees (CRS84) and in Dutch RD coordinates (EPSG:28992), by PROJ.
 *
 * Without the grids of RDNAPTRANS the transformation is good to about a quarter of a metre within
 * the Netherlands; nothing better is claimed. Names follow the geospatial module of the NL API
 * Design Rules: the URIs of OGC, or "EPSG:28992". One thread at a time per struct crs_tool. */
#ifndef WEB_CRS_H
#define WEB_CRS_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum crs { CRS_84, CRS_RD };

struct crs_tool;
struct crs_tool *crs_new(void);    /* NULL: PROJ knows no RD: is proj-data installed? */
void crs_free(struct crs_tool *t); /* accepts NULL */

/* The system that a name means. False: none that there is. */
bool crs_find(struct span name, enum crs *ret);
const char *crs_uri(enum crs c);
/* How good coordinates of this system are, in metres; 0: as they were measured. */
double crs_accuracy_m(enum crs c);

/* RD, in metres. False: too far away for them. */
bool crs_to_rd(struct crs_tool *t, double lon, double lat, double *ret_x, double *ret_y);
bool crs_from_rd(struct crs_tool *t, double x, double y, double *ret_lon, double *ret_lat);

#endif
