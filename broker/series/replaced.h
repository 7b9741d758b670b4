/* replaced.h - what the journal says of one datastream, beside what is on disk: which observations
 * are missing there, and putting them back. Used by rebuild.c alone. */
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

#endif
