/* erased.h - tombstones: what is left of a record that was erased. It keeps its sequence, commit,
 * epoch and stored time, so that the log stays dense and in order; it has expired long ago, so that
 * every reader passes over it knowingly. */
#ifndef FEED_ERASED_H
#define FEED_ERASED_H

#include "feed/hub.h"
#include "feed/quarantine.h"
#include "feed/record.h"

/* Writes the tombstone of r, sealed. */
void record_tombstone(const struct record *r, uint8_t out[RECORD_HEAD_BYTES]);
static inline bool record_is_erased(const struct record *r)
{
	return record_qos(r) == 3;
}

/* The store has tombstones at these sequences of f: so has memory, from now on. */
void hub_erased(struct hub *h, struct feed *f, const uint64_t *sequences, unsigned n);
void hub_quarantine_erased(struct hub *h, uint32_t feed_id); /* a row is gone */

#endif
