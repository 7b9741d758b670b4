/* env.h - the inside of the store room: what its files share. LMDB types stop here.
 *
 *   env.c     opening, closing, lock, clean marker      load.c   what an open store knows of itself
 *   txn.c     the one write transaction; LMDB's errors  log.c    feeds' logs: numbering and reading
 *   table.c   small state                               trim.c   deleting, outside of commits
 *   room.c    may this transaction still grow the file? reader.c pooled read transactions
 *   verify.c  the walk, in a child process              usage.c  figures
 *   backup.c, restore.c, compact.c  copies, page by page of content   erase.c  rewriting rows
 *
 * Names on disk (environment dir/journal/): named databases "meta", "quarantine", ... for the
 * tables and "log.<id>" for each feed, key = sequence (MDB_INTEGERKEY), value = record. Keys of
 * "meta": "format" u32, "id" 16 bytes, "commit" u64, "tick" u64, "feed/<name>" a row (load.c).
 * Integers are little endian. */
#ifndef STORE_ENV_H
#define STORE_ENV_H

#include "base/limits.h"
#include "store/store.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
	STORE_NAME_BYTES_MAX = 255, /* of a feed: its row's key is "feed/" and the name */
	STORE_TRIM_FEW = 16         /* deletes tried where more did not fit */
};

/* Upper bounds of the pages a transaction takes. */
struct need {
	size_t single;   /* pages one at a time */
	size_t overflow; /* pages in runs (values that do not fit half a page) */
	size_t run;      /* the longest run */
};

struct log {
	uint32_t id;
	char *name;
	MDB_dbi dbi;
	uint64_t first, last; /* as committed; first == last + 1: empty */
	unsigned n_epochs;
	struct store_epoch epochs[STORE_EPOCHS_MAX];
	/* of the open write transaction */
	bool touched;
	uint64_t txn_last;
	size_t txn_bytes, txn_node_max;
	MDB_cursor *cursor;
};

struct store_txn {
	struct store *store;
	MDB_txn *txn; /* NULL: not open */
	int err;      /* sticky: the first one */
	size_t bytes; /* of keys and values */
	struct need need;
	unsigned n_touched;
	struct log **touched; /* room for all logs */
	size_t table_puts[STORE_TABLES], table_bytes[STORE_TABLES];
};

struct reader {
	MDB_txn *txn; /* reset while idle */
};

/* room.c: see there. */
struct room {
	size_t psize;
	uint64_t limit_pages;     /* ingest ends here */
	uint64_t map_pages;       /* trimming ends here */
	uint64_t allocated_pages; /* the file has disk blocks up to here; UINT64_MAX: cannot tell */
	uint64_t reserve_bytes;
	bool reserve_held;
	bool tight;                   /* commits live on pages freed earlier */
	bool tick_helps;              /* enough was freed, but by the last transaction */
	uint64_t credit, credit_runs; /* free pages that may be used; those in runs of credit_run */
	size_t credit_run;
	size_t refused_pages; /* 0, or what the refused commit needed */
};

struct store {
	char *dir, *journal_path, *data_path, *clean_path, *reserve_path;
	int lock_fd, data_fd;
	bool read_only, probing; /* probing: in the child that looks first */
	bool poisoned;           /* an I/O error, or never opened: no clean marker is written */
	MDB_env *env;
	MDB_dbi tables[STORE_TABLES];
	uint8_t id[16];
	_Atomic uint64_t last_commit;
	struct log **logs; /* by id - 1 */
	unsigned logs_max;
	_Atomic unsigned n_logs;
	struct store_txn txn;
	struct room room;
	pthread_mutex_t readers_lock;
	pthread_cond_t readers_free;
	struct reader readers[LIMIT_STORE_READERS];
	unsigned n_readers, n_idle, idle[LIMIT_STORE_READERS];
};

/* ---- env.c ---- */
void store_why(char *why, size_t size, const char *fmt, ...) PRINTF(3, 4);
char *store_path(const char *dir, const char *name); /* malloc'ed dir/name */
int store_sync_dir(const char *path) MUSTCHECK;
int store_make_dir(const char *path, char *why, size_t size) MUSTCHECK;
int store_write_file(const char *path, const char *text, size_t n) MUSTCHECK; /* synced */
/* Takes dir/lock; it is held until the descriptor is closed. */
int store_lock(const char *dir, int *ret_fd, char *why, size_t size) MUSTCHECK;
/* Opens the environment in the directory journal. Returns an LMDB code. */
int env_open(const char *journal, uint64_t map_bytes, unsigned flags, unsigned dbs_max,
             MDB_env **ret) MUSTCHECK;
/* A file that is shorter than its last page says: ERR_STORE_DAMAGED instead of a SIGBUS later. */
int env_check_size(MDB_env *env, const char *data_path, char *why, size_t size) MUSTCHECK;
/* The child's way in: reads only, and without locks when the parent holds dir/lock. */
int env_probe(const struct store_options *o, struct store **ret, char *why, size_t size) MUSTCHECK;
/* A sentence for a failure to open path; returns the code of ours. */
int env_explain(int rc, const char *path, char *why, size_t size);

/* ---- load.c ---- */
enum { FEED_ROW_BYTES_MAX = 16 + 12 * STORE_EPOCHS_MAX };
extern const char *const store_table_names[STORE_TABLES];
extern const char store_key_format[], store_key_id[], store_key_commit[], store_key_tick[];
/* Makes tables, format and identity in an empty environment; id NULL: a random one. LMDB code. */
int store_create(MDB_env *env, const uint8_t id[16]) MUSTCHECK;
/* What is written from now on is not for programs that know a former format only. LMDB code. */
int store_raise_format(MDB_env *env, MDB_dbi meta) MUSTCHECK;
/* The row that says the format; *ret_raised: it said another one. LMDB's code. */
int env_put_format(MDB_txn *txn, MDB_dbi meta, uint32_t format, bool *ret_raised) MUSTCHECK;
/* Fills s (env is open) from the environment, in one read transaction. */
int store_load(struct store *s, unsigned feeds_max, char *why, size_t size) MUSTCHECK;
void store_unload(struct store *s);
size_t feed_row_write(uint8_t out[FEED_ROW_BYTES_MAX], const struct log *l, uint64_t high);
int feed_row_read(struct span value, struct log *ret, uint64_t *ret_high) MUSTCHECK;
MDB_val feed_row_key(char out[5 + STORE_NAME_BYTES_MAX], struct span name);
void log_db_name(char out[24], uint32_t id);
uint64_t load_u64(const void *p);

/* ---- txn.c ---- */
int store_err(int rc); /* LMDB's code or errno as ours */
int txn_put_u64(MDB_txn *txn, MDB_dbi dbi, const char *key, uint64_t value) MUSTCHECK;
/* Ends txn. On failure the store is as it was; returns a code of ours. */
int txn_finish(struct store *s, MDB_txn *txn, const struct need *need) MUSTCHECK;
void need_value(struct need *n, size_t psize, size_t key, size_t value);

/* ---- log.c ---- */
struct log *log_find(const struct store *s, uint32_t feed); /* NULL: no such feed */

/* ---- room.c ---- */
/* Makes the map larger when a store that was filled under a larger one leaves no room for trimming.
 * Before the first transaction. */
int room_map(MDB_env *env, uint64_t map_bytes) MUSTCHECK;
void room_init(struct store *s, uint64_t map_bytes, uint64_t reserve_bytes);
enum room_who { ROOM_INGEST, ROOM_TRIM };
/* 0 when the transaction may commit, else ERR_STORE_FULL. */
int room_admit(struct store *s, MDB_txn *txn, const struct need *need, enum room_who who) MUSTCHECK;
void room_committed(struct store *s, const struct need *need);
void room_failed(struct store *s, const struct need *need); /* a commit met a full disk */
/* A small commit, so that pages freed before it can be used by the next one. */
void room_tick(struct store *s);
/* The same, when the last refusal said that it would help. */
void room_tick_if_useful(struct store *s);
bool room_release_reserve(struct store *s);         /* true: there was one */
bool room_restore_reserve(struct store *s);         /* true: it is held */
bool room_disk_full(struct store *s, size_t bytes); /* after an EIO: was it a short write? */
/* Pages of the free list: all, and those that no reader still needs. */
int room_free_pages(struct store *s, uint64_t *ret_all) MUSTCHECK;

/* ---- reader.c ---- */
void readers_init(struct store *s);
void readers_done(struct store *s);
int reader_get(struct store *s, struct reader **ret) MUSTCHECK;
void reader_put(struct store *s, struct reader *r);

/* ---- verify.c ---- */
/* Opens (and with walk: walks) the store in a child process. 0, or a code with a sentence. */
int store_verify(const struct store_options *o, const char *journal, bool walk, char *why,
                 size_t size) MUSTCHECK;

static inline MDB_val val_of(struct span s)
{
	return (MDB_val){s.n, (void *)(uintptr_t)s.p};
}
static inline struct span span_of_val(MDB_val v)
{
	return (struct span){v.mv_data, v.mv_size};
}

#endif
