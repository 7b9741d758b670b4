/* erase_series.h - the time series' part of erasing a thing: finds its numbers, in whichever feeds,
 * and takes them out one after the other. Loop thread. Doing it twice finds nothing the second
 * time.
 *
 * The engine erases a thing whole: what it published while it was being erased stays in the log and
 * may be missing in the series. */
#ifndef REGISTER_ERASE_SERIES_H
#define REGISTER_ERASE_SERIES_H

#include "register/ledger.h"
#include "series/series.h"

enum { ERASE_SERIES_STEP = 100 }; /* things found in one step of the engine */

struct erase_series {
	/* the caller's */
	struct series *series;
	const struct erasure *e;
	const char *thing; /* NULL: known by its hash only */
	void (*done)(struct erase_series *s);
	/* the answer */
	int err;
	uint64_t points;
	unsigned things;

	/* its own */
	struct series_ask ask;
	struct series_correction one;
	uint32_t found[ERASE_SERIES_STEP];
	unsigned n, at;
};

/* s lives until done(), or until erase_series_stop(). */
void erase_series_begin(struct erase_series *s);
void erase_series_stop(struct erase_series *s); /* done() is not called any more */

#endif
