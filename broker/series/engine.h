/* engine.h - the engine of the series at work: its life, its hooks, its figures. Asking is
 * series.h's.
 *
 * States of an observation, and what moves it:
 *
 *   committed in the journal --apply()--> tail in memory --flush--> chunk on disk --expire-->
 * rollup
 *
 * A thread of its own (a parameter: without series_start() whoever calls series_work() is it) reads
 * the journal behind the commits. Its answers never wait for the disk of the series, and no
 * acknowledgement waits for it.
 *
 * Exactly once: each datastream's row says up to which sequence of its feed its chunks are complete
 * and changes with them in one transaction. The checkpoint of a feed says up to where all rows are.
 * A start goes on from the checkpoint and passes over, for each datastream, what its row covers.
 * Before anything new is answered, its number is on disk.
 *
 * Locks: `state` guards what answers come from (held for one block of the journal, or one slice of
 * an answer, a fraction of a millisecond); `hand` guards the hand-over from the loop (never held
 * for long). */
#ifndef SERIES_ENGINE_H
#define SERIES_ENGINE_H

#include "series/series.h"
#include "store/side.h"

struct series_options {
	struct hub *hub;
	struct side *side;
	struct hub_runner runner;          /* .post may be NULL without series_start() */
	void (*fatal)(void *arg, int err); /* on the loop: the series' disk failed */
	void *arg;
	/* Where the register has a thing; false: it says nothing. Any thread, under a lock: look at
	 * a table, do no more. NULL: there is no register. */
	bool (*registered)(void *arg, struct span organisation, struct span thing, struct box *ret);
	void *registered_arg;
};

/* Reads names, newest values and positions from the side. 0, or an error with a sentence in why
 * (among them: the series are ahead of the journal, which is then an older copy). Damaged rows are
 * passed over and counted. */
int series_open(const struct series_options *o, struct series **ret, struct buf *why) MUSTCHECK;
int series_start(struct series *s) MUSTCHECK; /* the thread; signals are not for it */
/* Writes what is in memory (at most LIMIT_SERIES_STOP_S), ends the thread, answers questions with
 * ERR_CLOSED. Before the loop ends. */
void series_stop(struct series *s);
void series_close(struct series *s); /* accepts NULL */

/* After hub_configure(): feeds, their contracts, the meaning of members. Loop. */
void series_configure(struct series *s);

/* The register has another place of a thing than before; NULL: none any more. Loop. */
void series_registered(struct series *s, struct span organisation, struct span thing,
                       const struct box *place);

/* ---- hooks of the hub; loop ---- */
void series_record(struct series *s, const struct feed *f);
void series_commit(struct series *s, uint64_t commit);
/* Once a second: tells the hub what retention may take, and whether publishers must wait. */
void series_second(struct series *s);

/* For side_open(): does the row pass its checksum? */
bool series_row_is_whole(enum side_table table, struct span key, struct span value);

/* One bounded piece of work; false: there is nothing to do now. For tests, and for rebuild. */
bool series_work(struct series *s);
/* Writes all that is in memory, now. For tests. */
int series_flush(struct series *s) MUSTCHECK;

/* ---- figures ---- */
struct series_stats {
	uint64_t things, streams, streams_refused; /* over max */
	uint64_t applied_records, points, points_late, points_future, duplicates, flagged;
	uint64_t tail_points, tail_bytes;
	uint64_t lag_records;      /* committed, not applied */
	uint64_t checkpoint_age_s; /* since everything in memory was on disk */
	uint64_t flushes, flushed_points, flush_errors;
	uint64_t damaged;     /* rows and records that failed their checksum, since the start */
	uint64_t gap_records; /* the journal lost them before they were applied (a trim) */
	uint64_t expired_points, amended;
	uint64_t news_left_out; /* of news.h: nobody took them in time */
	uint64_t file_bytes, used_bytes, map_bytes;
	bool full; /* the series' disk or map: applied in memory only */
	bool throttling;
};
void series_stats(struct series *s, struct series_stats *ret);

#endif
