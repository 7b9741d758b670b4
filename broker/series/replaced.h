/* replaced.h - what the journal says of one datastream, or of where a thing was, beside what is on
 * disk: what is missing there, and putting it back. Used by rebuild.c alone. */
#ifndef SERIES_REPLACED_H
#define SERIES_REPLACED_H

#include "series/private.h"

struct replayed {               /* an observation of the journal */
	uint32_t stream, order; /* order: as it came, within a window */
	struct tail_point p;
};
/* For qsort(): by datastream, time, order. */
int replayed_order(const void *a, const void *b);

/* Between the first and the last that were put back, what comes later in the journal goes before
 * what is on disk. Zeroed: nothing was. */
struct restored_range {
	bool is_set;
	int64_t first_ms, last_ms;
};

struct replacing {
	struct side *side;
	enum config_duplicates how;
	struct restored_range *range; /* of the datastream that is looked at */
	uint64_t restored;
	struct side_view *view; /* until something is missing; then there is a transaction */
	struct side_txn *txn;
};

/* a[0..n) of this datastream, in order. 0 or an error. */
int replace_missing(struct replacing *x, uint32_t id, const struct replayed *a, size_t n) MUSTCHECK;
/* Commits what was put back; err: drops it. Returns err, or what became of it. */
int replace_end(struct replacing *x, int err) MUSTCHECK;

/* ---- places ---- */

struct replayed_place { /* the thing was there, and not before */
	uint32_t order;
	struct place p;
};
int replayed_place_order(const void *a, const void *b); /* by thing, time, order */

struct replacing_places {
	struct side *side;
	bool whole;           /* the journal has the feed from its begin */
	int64_t keep_from_ms; /* what was before is not kept, and not put back */
	uint64_t restored;
};
/* Of a[0..n), in order, those that are missing or cannot be read; one transaction. */
int replace_places(struct replacing_places *x, const struct replayed_place *a, size_t n) MUSTCHECK;

/* Rows of this thing that cannot be read: those from coverage_ms on go, for the journal had said it
 * if anything were there. */
struct places_left {
	uint64_t dropped, left;
};
int replace_places_end(struct side *side, uint32_t thing, int64_t coverage_ms,
                       struct places_left *ret) MUSTCHECK;

#endif
