/* rebuild.h - the series made whole again from what the journal still holds, while the broker runs.
 *
 * Every record of the journal that is already on the disk of the series is read once more and
 * compared: an observation that is missing there (a piece that cannot be read any more, a row that
 * was lost) is put back, with the flags it had. What is there stays as it is; what the journal does
 * not hold any more is not touched: older pieces, figures of hours, corrections. A piece that
 * cannot be read goes when the journal held all that was in it. Where things were is mended the
 * same way.
 *
 * Each transaction leaves the series usable; one that was cut short is begun again from the start.
 */
#ifndef SERIES_REBUILD_H
#define SERIES_REBUILD_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>

struct series;

struct series_rebuild {
	bool running;
	int err;                      /* of the last one that ended */
	uint64_t records, of;         /* read; to be read */
	uint64_t observations;        /* compared */
	uint64_t restored;            /* of them were missing */
	uint64_t places;              /* places that were missing, or could not be read */
	uint64_t dropped;             /* pieces that could not be read, and are replaced */
	uint64_t left;                /* the same, older than the journal: they stay */
	int64_t started_ms, ended_ms; /* 0: not yet */
};

/* Loop. 0, or ERR_AGAIN: one is under way. */
int series_rebuild(struct series *s) MUSTCHECK;
void series_rebuild_state(struct series *s, struct series_rebuild *ret); /* any thread */

#endif
