/* plot.h - numbers over time as a chart of characters, for terminals. Pure. */
#ifndef CLI_PLOT_H
#define CLI_PLOT_H

#include "base/buf.h"

enum { PLOT_ROWS = 12, PLOT_COLUMNS_MAX = 400 };

/* n columns of values from left to right; NAN: nothing came, a hole. from, to: the texts below the
 * ends of the axis. */
void plot_write(struct buf *b, const double *values, unsigned n, const char *from, const char *to);

#endif
