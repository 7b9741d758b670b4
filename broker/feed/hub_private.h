/* hub_private.h - the hub's inside, for the files of feed/ that share it: hub.c (life,
 * configuration), batch.c (filling, committing), ring.c (records in memory), cursor.c and block.c
 * (readers), retention.c. */
#ifndef FEED_HUB_PRIVATE_H
#define FEED_HUB_PRIVATE_H

#include "base/hash.h"
#include "base/limits.h"
#include "feed/cursor.h"
#include "feed/hub.h"
#include "topic/route.h"

/* A piece of the memory in which records lie one after the other, each behind a slab_head. From the
 * end of mem downwards: where each head stands (uint32_t), so that they can be fetched ahead when
 * the piece is given up. */
struct slab {
	struct list node;    /* struct hub.slabs, oldest first; the last one is being filled */
	uint32_t size, used; /* of mem; size is a multiple of 8 */
	uint32_t n;          /* records */
	uint64_t last_batch; /* number of the last batch with a record in it */
	uint8_t mem[];
};
struct slab_head {
	uint32_t bytes; /* of the record */
	uint32_t feed;  /* index, or UINT32_MAX: abandoned */
};

struct text_chunk {
	struct text_chunk *next;
	size_t used, size;
	char mem[];
};

struct batch_record {
	uint8_t *bytes;
	uint32_t n, feed;
};

struct batch {
	struct job job;
	struct hub *hub;
	uint64_t number;
	struct batch_record *rec;
	unsigned n_rec, cap_rec;
	struct answer *ans;
	unsigned n_ans, cap_ans;
	struct buf ops; /* struct op_head, key, value; in order */
	unsigned n_ops;
	struct text_chunk *text;
	size_t bytes, bulk_bytes, text_bytes;
	bool urgent;
	uint64_t handed_ns;
	/* written by the writer */
	uint64_t commit;
	int64_t stored_ms;
	int err;
};

struct op_head {
	uint32_t key, value; /* bytes */
	uint8_t table, del;
};

struct hub {
	struct store *store;
	const struct clock *clock;
	struct hub_runner runner;
	struct hub_hooks hooks;
	const struct config *config;
	const struct catalog *catalog;
	struct route_table *routes;
	struct versions *versions;

	struct feed **feeds; /* by index; LIMIT_FEEDS * 2 so that renames over reloads fit */
	unsigned n_feeds;
	struct map by_name;
	struct map published; /* published.c: what was put since the start, by schema id */

	/* batches */
	struct batch *filling, *committing, *spare[2];
	uint64_t batch_number, done_number;
	uint64_t last_commit, quarantine_next;
	int64_t last_stored_ms;
	bool full, throttled, was_refused,
	    intake_closed; /* was_refused: somebody was told "no room" */
	uint64_t full_since_ns, retry_ns;
	uint64_t last_handed_ns, gap_started_ns;
	unsigned gap_size,
	    gap_off; /* records when the wait began; commits for which waiting is off */

	struct list slabs, free_slabs;
	unsigned n_free_slabs;
	size_t slab_bytes;

	struct list touched; /* struct feed.in_batch */
	struct list blocks;  /* struct block.node, least recently used first */
	unsigned n_blocks;
	uint64_t second_ns;        /* block_idle()'s: the clock is not asked for each record */
	struct list block_waiters; /* cursors for which there was no block */
	bool retention_running, retention_held;
	unsigned retention_at;
	uint64_t retention_next_ns;

	struct hub_stats stats;
};

/* cursor.c: takes all cursors off the list first, for they may wait again, then wakes each. */
void cursor_wake_all(struct list *waiting);

/* batch.c */
struct batch *batch_new(struct hub *h);
void batch_free(struct batch *b);

/* ring.c */
uint8_t *ring_alloc(struct hub *h, size_t bytes);
void ring_alloc_undo(struct hub *h, const uint8_t *bytes, size_t n);
void ring_own(uint8_t *bytes, uint32_t feed);         /* feed UINT32_MAX: abandoned */
void ring_push(struct feed *f, const uint8_t *bytes); /* at sequence f->last, just committed */
void ring_free(struct hub *h);

/* block.c */
struct block;
/* The block that holds f's sequence, loaded; or NULL: c was put on a list and will be woken, or
 * *ret_err. */
struct block *block_get(struct hub *h, struct cursor *c, int *ret_err);
/* The record, or the next one that the disk still has: *ret_sequence tells. NULL: none in this
 * block. */
const uint8_t *block_record(struct block *b, uint64_t sequence, uint64_t *ret_sequence,
                            size_t *ret_n);
void block_idle(struct hub *h, uint64_t now_ns); /* gives back what nobody read for a while */
void block_forget(struct hub *h, const struct feed *f); /* the feed's head was deleted */
void block_free_all(struct hub *h);

#endif
