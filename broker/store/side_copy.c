/* side_copy.c - the second environment copied into a new one, row by row: backup and restore, and
 * with it nothing of what was deleted.
 *
 * Hot: the daemon may be writing. Views are short, so the copy is of many moments; it is whole all
 * the same because of the order. First the small state, with the positions up to which the journal
 * was applied: what comes later may be ahead of it, never behind. Then each datastream in one view
 * with all that belongs to it, so its row fits its chunks. Last the things, so that none is missing
 * that a datastream names. */
#include "base/err.h"
#include "base/mem.h"
#include "store/side_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct copying {
	struct side *from, *to;
	struct side_txn *t; /* NULL: none open */
};

static int flush(struct copying *c)
{
	struct side_txn *t = c->t;
	c->t = NULL;
	return t ? side_commit(t) : 0;
}

static int put(struct copying *c, enum side_table table, struct span key, struct span value)
{
	int err = c->t ? 0 : side_begin(c->to, &c->t);
	if (err)
		return err;
	side_put(c->t, table, key, value);
	return side_txn_bytes(c->t) < LIMIT_STORE_COPY_BYTES ? 0 : flush(c);
}

static bool begins(struct span key, struct span prefix)
{
	return key.n >= prefix.n && memcmp(key.p, prefix.p, prefix.n) == 0;
}

/* All rows of table whose keys begin so. */
static int copy_belonging(struct copying *c, struct side_view *v, enum side_table table,
                          struct span prefix, size_t *bytes)
{
	struct span key, value;
	int err = side_seek(v, table, prefix, &key, &value);
	while (!err && begins(key, prefix)) {
		err = put(c, table, key, value);
		*bytes += key.n + value.n;
		err = err ? err : side_next(v, table, &key, &value);
	}
	return err == ERR_NOT_FOUND ? 0 : err;
}

/* Rows from last on (with last itself only when it is the begin), in one view. 1: there are more,
 * 0, or an error. last keeps the key of the last one. */
static int copy_piece(struct copying *c, enum side_table table, char *last, size_t *last_n)
{
	struct side_view *v;
	struct span key, value;
	size_t bytes = 0;
	int err = side_view_open(c->from, &v);
	if (err)
		return err;
	err = side_seek(v, table, span_of(last, *last_n), &key, &value);
	if (!err && *last_n > 1 && span_eq(key, span_of(last, *last_n)))
		err = side_next(v, table, &key, &value);
	while (!err && bytes < LIMIT_STORE_COPY_BYTES) {
		assert(key.n <= SIDE_KEY_BYTES_MAX);
		memcpy(last, key.p, key.n);
		*last_n = key.n;
		bytes += key.n + value.n;
		bool own = table == SIDE_META &&
		           (span_is(key, store_key_format) || span_is(key, store_key_id));
		if (!own)
			err = put(c, table, key, value);
		if (!err && table == SIDE_STREAM)
			err = copy_belonging(c, v, SIDE_CHUNK, key, &bytes);
		if (!err && table == SIDE_STREAM)
			err = copy_belonging(c, v, SIDE_AMEND, key, &bytes);
		if (!err && table == SIDE_STREAM)
			err = copy_belonging(c, v, SIDE_DETAIL, key, &bytes);
		err = err ? err : side_next(v, table, &key, &value);
	}
	side_view_close(v);
	return err == ERR_NOT_FOUND ? 0 : err ? err : 1;
}

static int copy_table(struct copying *c, enum side_table table)
{
	char last[SIDE_KEY_BYTES_MAX] = "";
	size_t last_n = 1; /* "\0": before every key */
	int more;
	while ((more = copy_piece(c, table, last, &last_n)) == 1)
		;
	return more;
}

static int copy_all(struct copying *c)
{
	static const enum side_table order[] = {SIDE_META, SIDE_STREAM, SIDE_THING, SIDE_PLACE};
	int err = 0;
	for (unsigned i = 0; i < ARRAY_LEN(order) && !err; i++)
		err = copy_table(c, order[i]);
	return err ? err : flush(c);
}

int side_copy(const char *from_dir, const char *to_dir, const uint8_t id[16], char *why,
              size_t size)
{
	struct side_options from = {.data_dir = from_dir, .read_only = true},
	                    to = {.data_dir = to_dir};
	struct copying c = {0};
	struct stat st;
	auto_free char *data = store_path(from_dir, "series/data.mdb");
	if (stat(data, &st) != 0)
		return errno == ENOENT ? 0 : env_explain(errno, data, why, size);
	memcpy(from.store_id, id, 16);
	memcpy(to.store_id, id, 16);
	to.map_bytes = 2 * (uint64_t)st.st_size + (1ull << 30);
	uint64_t damaged;
	int err = side_verify(&from, false, &damaged, why, size);
	err = err ? err : side_open(&from, &c.from, why, size);
	err = err ? err : side_open(&to, &c.to, why, size);
	if (!err) {
		err = copy_all(&c);
		if (err)
			store_why(why, size, "the series of %s cannot be copied to %s: %s",
			          from_dir, to_dir, err_text(err));
	}
	if (c.t)
		side_abort(c.t);
	side_close(c.to);
	side_close(c.from);
	return err;
}
