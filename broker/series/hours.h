/* hours.h - figures of hours that an answer worked out of a chunk, kept in memory for the next one:
 * a page that draws a month asks for the same month again and again.
 *
 * Found by what the chunk is (its datastream, its place and its checksum), so nothing has to be
 * taken back when a chunk is written anew: the new one is another. Bounded by
 * LIMIT_SERIES_HOURS_BYTES; the ones not asked for go first. Any thread. */
#ifndef SERIES_HOURS_H
#define SERIES_HOURS_H

#include "series/chunks.h"

struct hour {
	int64_t first_ms, last_ms; /* of its observations */
	uint32_t points;
	struct figures figures;
};

/* Of one chunk, in order; as many as there are hours with observations. */
struct chunk_hours {
	uint32_t n, users;
	struct hour h[];
};

struct hours_cache;
struct hours_cache *hours_cache_new(void);
void hours_cache_free(struct hours_cache *c); /* accepts NULL */

/* Those of the chunk that at stands on, which holds numbers or truth values only: known already,
 * or worked out now. To be given back. NULL: it cannot be read, or hours would be no shorter than
 * the observations themselves. */
const struct chunk_hours *hours_of(struct hours_cache *c, const struct chunks_at *at);
void hours_give_back(struct hours_cache *c, const struct chunk_hours *h);

#endif
