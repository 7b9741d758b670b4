/* store.h - what the disk holds. LMDB lives in this room and nowhere else; no LMDB type is named
 * here.
 *
 * One environment, the journal: the feeds' logs, the quarantine, and tables of small state. A write
 * transaction is all or nothing and on disk (full sync) when store_commit() returns 0. Nothing here
 * understands a record: values are bytes.
 *
 * Threads: writes from one thread at a time (the journal writer). Reads from any thread; a read
 * opens and ends its own short transaction, copies what it returns, and is bounded by max_bytes.
 * store_feed_open() and everything in "opening" happen before other threads start, or on the writer
 * thread between transactions.
 *
 * Errors: ERR_STORE_FULL (map or disk full: nothing was written, room may be made), ERR_STORE_IO
 * (the caller must end the process), ERR_STORE_DAMAGED, ERR_STORE_FORMAT, ERR_NOT_FOUND,
 * ERR_TOO_LARGE (a transaction over LIMIT_STORE_TXN_BYTES, more than feeds_max new feeds), -errno.
 *
 * Full: the last part of the map (a quarter, at most LIMIT_RESERVE_BYTES) and dir/reserve on disk
 * are kept for trimming. Once a commit was refused, smaller ones are too until what it needed is
 * free. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct store;
struct store_txn;

/* Bump when the layout changes; an older program refuses a newer number. 2: records whose place is
 * not a point (feed/record.h). Older ones are read. */
enum { STORE_FORMAT = 2, STORE_FORMAT_OLDEST = 1 };

struct store_options {
	const char *dir; /* data-dir; made (0700) when absent; the journal is dir/journal/ */
	uint64_t
	    map_bytes; /* the most the journal may take; sparse, address space only until used */
	uint64_t reserve_bytes; /* disk kept aside in dir/reserve for store_trim() on a full disk */
	unsigned feeds_max;     /* feeds that may be added beside those the store knows already */
	bool read_only;         /* a second process that looks (backup) */
	bool verify;            /* walk everything first, in a child process */
	/* Says whether a record of a log is whole (its checksum); used by the walk only. NULL: the
	 * walk looks at structure and density alone. */
	bool (*check)(struct span record);
	/* Says whether a record is the one of this sequence: a page written to the wrong place is
	 * whole. NULL: not asked. */
	bool (*check_sequence)(struct span record, uint64_t sequence);
};

/* ---- opening. why (size bytes) gets a sentence that tells the administrator what to do.
 *
 * What opening does, in this order: takes dir/lock (one daemon per data-dir), compares the file
 * with its own last page, opens and, where needed, walks it in a child process (always with
 * o->verify; after an unclean start, or when the file was touched since the last clean stop, up to
 * LIMIT_STORE_WALK_BYTES), and only then opens it here. Forks: call it before there are threads. A
 * process must not open the same store twice. ---- */
int store_open(const struct store_options *o, struct store **ret, char *why,
               size_t why_size) MUSTCHECK;
void store_close(struct store *s);                     /* accepts NULL */
void store_id(const struct store *s, uint8_t ret[16]); /* random, made at creation */
uint64_t store_last_commit(const struct store *s);     /* 0 in a new store */

/* A feed's numbering. An epoch begins at its first sequence and ends where the next begins. Kept in
 * the store so that an old cursor (epoch:sequence) can be judged. */
struct store_epoch {
	uint32_t epoch;
	uint64_t first; /* first sequence given out in this epoch */
};
enum { STORE_EPOCHS_MAX = 16 }; /* the latest so many are kept */

struct store_feed {
	uint32_t id;          /* 1..; 0 is "unrouted" in the quarantine */
	uint64_t first, last; /* sequences present; last is the highest ever given out; empty: first
	                         = last + 1 */
	unsigned n_epochs;
	struct store_epoch epochs[STORE_EPOCHS_MAX]; /* oldest first; the last one is current */
};

/* Finds or creates the log of the feed called name. now_ms seeds a new epoch (seconds, above all
 * former). */
int store_feed_open(struct store *s, struct span name, int64_t now_ms,
                    struct store_feed *ret) MUSTCHECK;
/* Calls each(arg, name, feed) for every feed the store knows, also those no longer configured. Not
 * beside the writer, who moves first and last. */
int store_feed_each(struct store *s,
                    int (*each)(void *arg, struct span name, const struct store_feed *f),
                    void *arg) MUSTCHECK;

/* The same for name and id, which never change: any thread, also beside the writer. */
int store_feed_names(struct store *s, int (*each)(void *arg, struct span name, uint32_t id),
                     void *arg) MUSTCHECK;

/* ---- writing: one thread ---- */
enum store_table { /* small state; key and value are bytes; keys sort as memcmp does, at most 500
	              bytes */
	           STORE_META,       /* format, ids, feeds: the store's own; not for others */
	           STORE_QUARANTINE, /* key: feed id (u32 big endian), row id (u64 big endian) */
	           STORE_SESSION,
	           STORE_SUBSCRIPTION,
	           STORE_PACKET_ID,
	           STORE_RETAINED, /* key: topic; value: the record */
	           STORE_STATE,    /* anything else, keys prefixed by their owner */
	           STORE_TABLES
};
enum { STORE_KEY_BYTES_MAX = 500 }; /* a longer or an empty key is a programming error */

int store_begin(struct store *s, struct store_txn **ret) MUSTCHECK;
uint64_t store_txn_commit(const struct store_txn *t); /* the number that its commit will get */
/* Errors are sticky: call as often as you like, store_commit() returns the first. Values are
 * copied. */
void store_append(struct store_txn *t, uint32_t feed, uint64_t sequence, struct span record);
void store_put(struct store_txn *t, enum store_table table, struct span key, struct span value);
void store_del(struct store_txn *t, enum store_table table, struct span key); /* absent is fine */
/* Writes the global commit number (last + 1), syncs, and ends t whatever happens. ret_commit may be
 * NULL. ERR_STORE_FULL leaves the store as it was; so does a full disk (ENOSPC, EDQUOT). */
int store_commit(struct store_txn *t, uint64_t *ret_commit) MUSTCHECK;
void store_abort(struct store_txn *t);

/* Deletes records of feed with sequence < before, at most max of them, in a transaction of its own
 * that nobody waits for, and remembers the highest sequence so that an emptied log does not start
 * again. use_reserve: may spend the reserve (an administrator's trim on a full disk); it is put
 * back when there is room again. *ret_first: the first sequence now present. Returns how many were
 * deleted, or an error. */
int store_trim(struct store *s, uint32_t feed, uint64_t before, unsigned max, bool use_reserve,
               uint64_t *ret_first) MUSTCHECK;
/* The same for rows of the quarantine: the oldest of feed until at most keep are left. */
int store_trim_table(struct store *s, enum store_table table, struct span prefix, unsigned keep,
                     unsigned max) MUSTCHECK;

/* Changes what is there already, in a transaction of its own that nobody waits for and that has no
 * commit number: records (same sequence, other bytes; one that was trimmed meanwhile is passed
 * over) and rows (value n == 0: it goes). May use the room kept for trimming. */
struct store_record {
	uint64_t sequence;
	struct span bytes;
};
struct store_row {
	enum store_table table;
	struct span key, value;
};
struct store_rewrite {
	uint32_t feed; /* of the records */
	const struct store_record *record;
	unsigned n_records;
	const struct store_row *row;
	unsigned n_rows;
};
int store_rewrite(struct store *s, const struct store_rewrite *w) MUSTCHECK;

/* ---- reading: any thread ---- */
/* Calls each(arg, sequence, record) in order from the first sequence >= from, until each returns
 * non-zero or max_bytes of records were shown (the last one may go over it, so that there is always
 * progress). The record is valid during the call only, and the call must be short: the transaction
 * is open. A record at which each stopped counts as shown; a negative return is passed on. Returns
 * 0 or an error. *ret_next: the sequence to go on from. */
typedef int (*store_record_fn)(void *arg, uint64_t sequence, struct span record);
int store_read(struct store *s, uint32_t feed, uint64_t from, size_t max_bytes,
               store_record_fn each, void *arg, uint64_t *ret_next) MUSTCHECK;
/* The same backwards from the highest sequence <= from. */
int store_read_back(struct store *s, uint32_t feed, uint64_t from, size_t max_bytes,
                    store_record_fn each, void *arg) MUSTCHECK;
typedef int (*store_row_fn)(void *arg, struct span key, struct span value);
int store_scan(struct store *s, enum store_table table, struct span from, struct span prefix,
               size_t max_bytes, store_row_fn each, void *arg) MUSTCHECK;
int store_get(struct store *s, enum store_table table, struct span key, struct buf *ret) MUSTCHECK;

struct store_usage {
	uint64_t map_bytes;  /* what ingest may fill; the part kept for trimming is not in it */
	uint64_t used_bytes; /* pages that hold something */
	uint64_t free_bytes; /* map_bytes - used_bytes, or 0 */
	uint64_t disk_free_bytes;
	unsigned readers, readers_max;
};
int store_usage(struct store *s, struct store_usage *ret) MUSTCHECK;
int store_feed_bytes(struct store *s, uint32_t feed, uint64_t *ret_records,
                     uint64_t *ret_bytes) MUSTCHECK;

/* ---- whole-store work (store/backup.c, store/verify.c); used by the oudp command ---- */
/* Told now and then how many records are copied, of how many (0: it is not known yet: the time
 * series are copied first); on the caller's thread. NULL where a watch is asked for: nobody looks.
 */
struct store_watch {
	void (*fn)(void *arg, uint64_t records, uint64_t of);
	void *arg;
};
/* Copies logically, in short read transactions, up to the commit current at the start, into a new
 * store in dir (absent or empty). Hot: the daemon may be writing; but never from the process that
 * has data_dir open. Records and small state are exactly those of one commit; a quarantine row that
 * was retried meanwhile may be there twice, as row and as record. */
int store_backup(const char *data_dir, const char *dir, const struct store_watch *watch, char *why,
                 size_t why_size) MUSTCHECK;
/* Puts a backup back into an empty data_dir. Every feed gets a new epoch that begins after its last
 * record, so that cursors which saw more are told ("rewound"). */
int store_restore(const char *dir, const char *data_dir, int64_t now_ms,
                  const struct store_watch *watch, char *why, size_t why_size) MUSTCHECK;

/* Makes the store anew from its content, so that it holds no byte of what was deleted; the daemon
 * is stopped. Needs as much free disk as the content takes. Cut short, it changed nothing. */
int store_compact(const char *data_dir, const struct store_watch *watch, char *why,
                  size_t why_size) MUSTCHECK;

#endif
