/* side_private.h - the inside of the second environment, for side.c (life, rows), side_verify.c
 * (the walk) and side_copy.c (backup, restore). */
#ifndef STORE_SIDE_PRIVATE_H
#define STORE_SIDE_PRIVATE_H

#include "store/env.h"
#include "store/side.h"

enum { NO_TABLE = 0 }; /* LMDB's own of this number is nobody else's */

struct side_view {
	struct side *side;
	MDB_txn *txn; /* NULL: not open */
	MDB_cursor *cursors[SIDE_TABLES];
};

struct side_txn {
	struct side *side;
	struct side_view view;
	int err; /* sticky */
	size_t bytes;
};

struct side {
	char *dir, *data_path, *clean_path;
	int lock_fd;
	bool read_only;
	bool poisoned; /* an I/O error, or never opened: no clean marker is written */
	uint64_t map_bytes, damaged;
	MDB_env *env;
	MDB_dbi tables[SIDE_TABLES]; /* NO_TABLE: of a format that does not have it */
	struct side_txn txn;
};

struct side *side_new(const struct side_options *o);
int side_open_env(struct side *s, const struct side_options *o, unsigned flags, char *why,
                  size_t size) MUSTCHECK;
/* Opens it (and with walk: reads all of it) in a child process, whose death is the answer. */
int side_verify(const struct side_options *o, bool walk, uint64_t *ret_damaged, char *why,
                size_t size) MUSTCHECK;

#endif
