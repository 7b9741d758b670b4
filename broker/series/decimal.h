/* decimal.h - doubles that are whole multiples of a power of ten, exactly. Pure. */
#ifndef SERIES_DECIMAL_H
#define SERIES_DECIMAL_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { DECIMALS_MAX = 9 };

/* Sums of CHUNK_POINTS_MAX of them fit in 63 bits. */
#define DECIMAL_SCALED_MAX 1125899906842624.0 /* 2^50 */

static inline double decimal_power(unsigned d)
{
	static const double power[DECIMALS_MAX + 1] = {1e0, 1e1, 1e2, 1e3, 1e4,
	                                               1e5, 1e6, 1e7, 1e8, 1e9};
	return power[d];
}

/* Both are exact, so the division gives the double nearest to scaled * 10^-d: what a reader of that
 * decimal text would have got. */
static inline double decimal_number(int64_t scaled, unsigned d)
{
	return (double)scaled / decimal_power(d);
}

/* True and *ret when x is the double of *ret * 10^-d, bit for bit. */
static inline bool decimal_scale(double x, unsigned d, int64_t *ret)
{
	double y = x * decimal_power(d);
	if (!(y <= DECIMAL_SCALED_MAX && y >= -DECIMAL_SCALED_MAX))
		return false;
	int64_t scaled = (int64_t)(y + (y < 0 ? -0.5 : 0.5));
	double back = decimal_number(scaled, d);
	uint64_t a, b;
	memcpy(&a, &back, 8);
	memcpy(&b, &x, 8);
	*ret = scaled;
	return a == b;
}

#endif
