/* side.h - the second environment: what is derived from the journal (the series). LMDB as well,
 * with a lock, a format number and a marker of its own; it carries the journal's store id and is
 * refused beside another one.
 *
 * Rows are bytes in few tables; keys sort as memcmp does. One thread writes, in transactions that
 * are all or nothing and on disk when side_commit() returned 0; any thread reads, each in a view of
 * its own, which is short: nothing that a view returned outlives it.
 *
 * Errors as in store.h: ERR_STORE_FULL leaves everything as it was, after ERR_STORE_IO the process
 * ends. */
#ifndef STORE_SIDE_H
#define STORE_SIDE_H

#include "base/compiler.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct side;
struct side_txn;
struct side_view;

/* Bump when a row's layout changes; older programs refuse newer ones. 2: rows of datastreams may
 * say since when they have their value, and how many are implausible. 3: the table of details. 4:
 * places that are not points, and chunks say when each observation was stored. Older ones are read.
 */
enum { SIDE_FORMAT = 4, SIDE_FORMAT_OLDEST = 1 };

enum side_table {
	SIDE_META, /* the environment's own, and small state under keys of the caller ("pos/...") */
	SIDE_THING,
	SIDE_STREAM,
	SIDE_CHUNK,
	SIDE_PLACE,
	SIDE_AMEND,
	SIDE_DETAIL, /* since format 3: where it is not yet there it is empty */
	SIDE_TABLES
};
enum { SIDE_KEY_BYTES_MAX = 64 };

struct side_options {
	const char *data_dir; /* the environment is data_dir/series/ */
	uint64_t map_bytes;   /* the most it may take; address space only, until used */
	uint8_t store_id[16]; /* of the journal beside it */
	bool read_only;       /* a second process that looks */
	bool verify;          /* walk all of it first, in a child process */
	/* Says whether a row is whole, for the walk; NULL: structure alone. A row that is not is
	 * counted, told and left: readers pass over it. */
	bool (*check)(enum side_table table, struct span key, struct span value);
};

/* why (size bytes) gets a sentence that tells the administrator what to do. Forks when it walks
 * (asked, or after an unclean stop up to LIMIT_STORE_WALK_BYTES): before there are threads. */
int side_open(const struct side_options *o, struct side **ret, char *why, size_t size) MUSTCHECK;
void side_close(struct side *s);             /* accepts NULL; no view may be open */
uint64_t side_damaged(const struct side *s); /* rows that the walk found not whole */

/* ---- writing: one thread. Errors are sticky, side_commit() returns the first. ---- */
int side_begin(struct side *s, struct side_txn **ret) MUSTCHECK;
/* What the transaction sees so far; lives until its end. What it returns is valid until the next
 * change. */
struct side_view *side_txn_view(struct side_txn *t);
void side_put(struct side_txn *t, enum side_table table, struct span key, struct span value);
void side_del(struct side_txn *t, enum side_table table, struct span key); /* absent is fine */
size_t side_txn_bytes(const struct side_txn *t); /* changed so far: keep it far under 64 MB */
int side_commit(struct side_txn *t) MUSTCHECK;
void side_abort(struct side_txn *t);

/* ---- reading ---- */
int side_view_open(struct side *s, struct side_view **ret) MUSTCHECK;
void side_view_close(struct side_view *v); /* accepts NULL */
/* All return 0, ERR_NOT_FOUND at an end, or an error. A view has one position per table. */
int side_get(struct side_view *v, enum side_table table, struct span key,
             struct span *ret) MUSTCHECK;
int side_seek(struct side_view *v, enum side_table table, struct span key, struct span *ret_key,
              struct span *ret_value) MUSTCHECK; /* the first row >= key */
int side_seek_back(struct side_view *v, enum side_table table, struct span key,
                   struct span *ret_key, struct span *ret_value) MUSTCHECK; /* the last <= key */
int side_next(struct side_view *v, enum side_table table, struct span *ret_key,
              struct span *ret_value) MUSTCHECK;
int side_prev(struct side_view *v, enum side_table table, struct span *ret_key,
              struct span *ret_value) MUSTCHECK;

/* Copies the rows of from_dir/series/ into a new to_dir/series/, in short views: the daemon may be
 * writing. Rows of "chunk", "amend" and "detail" belong to the row of "stream" whose key theirs
 * begin with, and are copied in one view with it. 0 when there is nothing to copy. */
int side_copy(const char *from_dir, const char *to_dir, const uint8_t id[16], char *why,
              size_t size) MUSTCHECK;

struct side_usage {
	uint64_t map_bytes, file_bytes, used_bytes;
	uint64_t rows[SIDE_TABLES];
};
int side_usage(struct side *s, struct side_usage *ret) MUSTCHECK;

#endif
