/* period.h - lengths of time as ISO 8601 writes them, and the pieces that they cut time into. Pure.
 *
 * PT15M, PT1H, PT6H, P1D, P1W, P1M, P1Y, and multiples. Pieces follow the local clock of a zone: a
 * day may have 23 or 25 hours. Up to an hour they all have the same length (a clock that is put
 * back shows an hour twice: two pieces); above, they begin when the clock shows a multiple: PT6H
 * at 0, 6, 12 and 18 o'clock. Weeks begin on Monday, months on the 1st, P3M with the quarter. */
#ifndef BASE_PERIOD_H
#define BASE_PERIOD_H

#include "base/zone.h"

struct period { /* one of them is not 0 */
	int32_t months;
	int32_t days;
	int64_t ms;
};

/* 0; ERR_MALFORMED; ERR_INVALID: mixes months, days and hours, is nothing, or longer than a
 * hundred years. Whole numbers only, but fractions of a second down to a millisecond. */
int period_parse(struct span s, struct period *ret) MUSTCHECK;
/* The beginning of the piece that utc_ms is in. */
int64_t period_floor(const struct period *p, const struct zone *z, int64_t utc_ms);
/* The beginning of the next one; begin is one that period_floor() or this gave. */
int64_t period_next(const struct period *p, const struct zone *z, int64_t begin);
/* About how long one is. */
int64_t period_about_ms(const struct period *p);

#endif
