/* chunks.h - the chunks of one column of one datastream on disk: putting points where they belong,
 * taking them away, walking them.
 *
 * Chunks of a column follow one another in time and do not overlap (they may touch where many
 * points have one time: then they differ in part). A chunk that cannot be read stays where it is,
 * is counted, and is passed over. */
#ifndef SERIES_CHUNKS_H
#define SERIES_CHUNKS_H

#include "config/config.h"
#include "series/chunk.h"
#include "series/rows.h"
#include "store/side.h"

/* Orders by time; what came first stays first. */
int points_sort(struct points *s) MUSTCHECK;
/* Of points sorted by time: those of one time become what the feed's duplicates says (CONFIG_KEEP
 * flags all but the first). In place; returns how many went. */
size_t points_unique(struct points *s, enum config_duplicates how);
/* a and b sorted, a came before b: both in order, at the end of ret. 0 or as points_copy(). */
int points_merge(struct points *ret, const struct points *a, const struct points *b) MUSTCHECK;

struct chunks_merged {
	uint64_t damaged;    /* chunks passed over */
	int64_t more_points; /* on disk now, less those before */
};
/* Puts add (sorted, not empty) into the column. stored_s: none of those of which it is not known
 * was stored later. 0 or ERR_TOO_LARGE, -ENOMEM; errors of the store are the transaction's. */
int chunks_put(struct side_txn *t, uint32_t stream, enum row_column c, struct points *add,
               enum config_duplicates how, uint32_t stored_s, struct chunks_merged *ret) MUSTCHECK;

/* The same of all that the column has of one time, in the order of group: those on disk are among
 * them, and are replaced. */
int chunks_put_group(struct side_txn *t, uint32_t stream, enum row_column c,
                     const struct points *group, struct chunks_merged *ret) MUSTCHECK;

/* Where a walk stands: on a chunk, with its head read. */
struct chunks_at {
	uint32_t stream;
	enum row_column column;
	int64_t first_ms;
	uint16_t part;
	uint32_t stored_s; /* none of its points was stored later */
	struct span chunk; /* valid as long as the view says */
	bool whole;        /* false: it cannot be read; head is not set */
	struct chunk_head head;
};
/* On the chunk that holds t, else the first after it. 0, ERR_NOT_FOUND, or an error. Among chunks
 * that begin at one time, the first of them. */
int chunks_find(struct side_view *v, uint32_t stream, enum row_column c, int64_t t,
                struct chunks_at *ret) MUSTCHECK;
/* On the last chunk that begins at or before t. */
int chunks_find_back(struct side_view *v, uint32_t stream, enum row_column c, int64_t t,
                     struct chunks_at *ret) MUSTCHECK;
int chunks_next(struct side_view *v, struct chunks_at *at) MUSTCHECK; /* ERR_NOT_FOUND: no more */
int chunks_prev(struct side_view *v, struct chunks_at *at) MUSTCHECK;

#endif
