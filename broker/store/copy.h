/* copy.h - a new environment that is being filled with the content of another: for backup and
 * restore.
 *
 * Written without syncs in transactions of bounded size, then synced once: nobody reads it before
 * copy_finish() returned 0. */
#ifndef STORE_COPY_H
#define STORE_COPY_H

#include "store/env.h"

struct copy {
	MDB_env *env;
	MDB_txn *txn; /* NULL: none open */
	MDB_dbi tables[STORE_TABLES];
	size_t bytes; /* put since the last flush */
	uint64_t records;
	char *journal;
	const struct store_watch *watch; /* NULL: nobody looks */
	uint64_t all;                    /* records that there are to copy */
};

/* Makes the directory journal with empty tables and the identity of from. A code of ours. */
int copy_open(struct copy *c, const char *journal, const struct store *from, char *why,
              size_t size) MUSTCHECK;

/* From here on watch is told; watch may be NULL. */
void copy_watch(struct copy *c, const struct store *from, const struct store_watch *watch);

/* LMDB codes. */
int copy_put(struct copy *c, MDB_dbi dbi, MDB_val k, MDB_val v, unsigned flags) MUSTCHECK;
int copy_log_create(struct copy *c, uint32_t id) MUSTCHECK;
int copy_table(struct copy *c, const struct store *from, MDB_txn *txn,
               enum store_table table) MUSTCHECK;

/* Codes of ours. */
/* The records of l up to last, in short read transactions. When the log's head is trimmed while it
 * is being copied and overtakes the copy, what was copied is dropped: no holes. */
int copy_log(struct copy *c, struct store *from, const struct log *l, uint64_t last) MUSTCHECK;
int copy_flush(struct copy *c) MUSTCHECK;  /* commits what was put */
int copy_finish(struct copy *c) MUSTCHECK; /* flushes, syncs, and closes the environment */
/* Accepts a zeroed copy. keep: else the directory is taken away again. */
void copy_close(struct copy *c, bool keep);
/* A sentence for a copy that failed on the way. */
void copy_explain(int err, const char *from, const char *to, char *why, size_t size);

#endif
