/* private.h - what status.c gathers and render.c writes. */
#ifndef STATUS_PRIVATE_H
#define STATUS_PRIVATE_H

#include "status/status.h"

struct refresh;
struct feed_size {
	uint64_t records, bytes, appended_before;
};

struct status {
	struct status_options o;
	uint64_t started_ns, stored_before, ticks;
	double stored_per_second;
	struct store_usage usage;
	struct feed_size
	    *sizes; /* by feed index; a feed that is newer than the refresh has none yet */
	unsigned n_sizes;
	struct refresh *refresh;
};

/* Messages that were committed since the start; the broker's own account of itself is none. */
uint64_t status_stored(const struct status *s);

/* contract.c: members of the feed's contract, from its block of the configuration; begins with a
 * comma. */
void status_write_contract(const struct config_feed *f, struct buf *b);

/* series.c: nothing where there are none. */
void status_series_metrics(const struct status *s, struct buf *b);
void status_write_series(const struct status *s, struct buf *b); /* begins with a comma */

#endif
