/* grid.h - EPSG:28992 (RD) within a quarter of a metre, always by the same constants, so that a
 * square stays where it is, and a place has one pair of metres, whatever grids a machine has. One
 * thread at a time per grid. */
#ifndef PRIVACY_GRID_H
#define PRIVACY_GRID_H

#include "base/compiler.h"

#include <stdbool.h>

struct grid;
int grid_new(struct grid **ret) MUSTCHECK;
void grid_free(struct grid *g); /* accepts NULL */
/* Degrees to the middle of the square of size m; false: outside of the grid. */
bool grid_snap(struct grid *g, double metres, double *lon, double *lat);
/* Metres to degrees and back; false: outside of the grid. */
bool grid_degrees(struct grid *g, double x, double y, double *lon, double *lat);
bool grid_metres(struct grid *g, double lon, double lat, double *x, double *y);

#endif
