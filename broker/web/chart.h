/* chart.h - one datastream drawn as SVG, for a browser without JavaScript. Pure.
 *
 * The mean of each piece of time as a line, the range from min to max behind it. Where nothing came
 * the line is broken. Colours follow prefers-color-scheme, light and dark; contrast is that of WCAG
 * 2.1 AA. Title and description are there in Dutch and in English; numbers and dates on the axes
 * are written as the language asked for writes them, times are those of the zone. */
#ifndef WEB_CHART_H
#define WEB_CHART_H

#include "base/buf.h"
#include "base/zone.h"

#include <stdbool.h>

struct chart_point { /* a piece of time in which something came */
	int64_t from_ms, to_ms;
	double mean, min, max;
};

struct chart {
	const struct chart_point *points; /* in order */
	size_t n;
	int64_t from_ms, to_ms; /* of the axis */
	uint64_t cadence_s;     /* 0: not stated */
	const struct zone *zone;
	struct span zone_name, thing, unit;
	struct span property[2]; /* its name in English, and in Dutch */
	unsigned width, height;
	bool dutch;
};

void chart_write(struct buf *b, const struct chart *c);

/* The step between labels of an axis of that length with at most so many: 1, 2 or 5 times a power
 * of ten; *ret_decimals: how many its labels need. */
double chart_step(double length, unsigned most, unsigned *ret_decimals);

#endif
