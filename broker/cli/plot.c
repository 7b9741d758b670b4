/* plot.c - see plot.h. */
#include "cli/plot.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { EIGHTHS = 8, LABEL = 10 };

/* A cell filled from below, in eighths. */
static const char *const blocks[EIGHTHS + 1] = {" ",      "\u2581", "\u2582", "\u2583", "\u2584",
                                                "\u2585", "\u2586", "\u2587", "\u2588"};

static void write_label(struct buf *b, double v, double range)
{
	int digits = range > 0 ? (int)ceil(1 - log10(range)) : 1;
	digits = digits < 0 ? 0 : digits > 6 ? 6 : digits;
	buf_addf(b, "%*.*f ", LABEL, digits, v);
}

void plot_write(struct buf *b, const double *values, unsigned n, const char *from, const char *to)
{
	double low = INFINITY, high = -INFINITY;
	for (unsigned i = 0; i < n; i++)
		if (!isnan(values[i])) {
			low = fmin(low, values[i]);
			high = fmax(high, values[i]);
		}
	if (low > high) {
		buf_add_str(b, "nothing came in this time\n");
		return;
	}
	double range = high - low, full = PLOT_ROWS * EIGHTHS;
	for (int row = PLOT_ROWS - 1; row >= 0; row--) {
		bool labelled = row == PLOT_ROWS - 1 || row == 0 || row == PLOT_ROWS / 2;
		if (labelled)
			write_label(b, low + range * (row + (row ? 1 : 0)) / PLOT_ROWS, range);
		else
			buf_addf(b, "%*s ", LABEL, "");
		buf_add_str(b, labelled ? "\u2524" : "\u2502");
		for (unsigned i = 0; i < n; i++) {
			if (isnan(values[i])) {
				buf_add_char(b, ' ');
				continue;
			}
			/* the lowest value still shows */
			double height =
			    range > 0 ? 1 + (values[i] - low) / range * (full - 1) : full / 2;
			int here = (int)lround(height) - row * EIGHTHS;
			buf_add_str(b, blocks[here < 0 ? 0 : here > EIGHTHS ? EIGHTHS : here]);
		}
		buf_add_char(b, '\n');
	}
	int room = (int)n - (int)strlen(from) - (int)strlen(to);
	buf_addf(b, "%*s  %s%*s%s\n", LABEL, "", from, room > 1 ? room : 1, "", to);
}
