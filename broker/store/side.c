/* side.c - see side.h. On disk: data-dir/series/ with data.mdb, lock.mdb, "lock" (held by the one
 * writer) and "clean" (written when it was closed, removed at the next open). */
#include "store/side.h"

#include "base/err.h"
#include "base/mem.h"
#include "store/env.h"
#include "store/side_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const table_names[SIDE_TABLES] = {
    [SIDE_META] = "meta",    [SIDE_THING] = "thing", [SIDE_STREAM] = "stream",
    [SIDE_CHUNK] = "chunk",  [SIDE_PLACE] = "place", [SIDE_AMEND] = "amend",
    [SIDE_DETAIL] = "detail"};

static MDB_val val_text(const char *s)
{
	return (MDB_val){strlen(s), (void *)(uintptr_t)s};
}

/* ---- opening ---- */

static int create(MDB_env *env, const uint8_t id[16])
{
	MDB_txn *txn;
	MDB_dbi dbi = 0;
	uint32_t format = SIDE_FORMAT;
	int rc = mdb_txn_begin(env, NULL, 0, &txn);
	if (rc)
		return rc;
	for (int i = SIDE_TABLES - 1; i >= 0 && !rc; i--) /* SIDE_META comes last: dbi is its */
		rc = mdb_dbi_open(txn, table_names[i], MDB_CREATE, &dbi);
	MDB_val k = val_text(store_key_format), v = {sizeof(format), &format};
	if (!rc)
		rc = mdb_put(txn, dbi, &k, &v, 0);
	k = val_text(store_key_id);
	v = (MDB_val){16, (void *)(uintptr_t)id};
	if (!rc)
		rc = mdb_put(txn, dbi, &k, &v, 0);
	if (!rc)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

/* A new one with this id in the directory to, made aside first. */
static int side_make(const char *data_dir, const char *to, const uint8_t id[16], char *why,
                     size_t size)
{
	auto_free char *fresh = store_path(data_dir, "series.new");
	auto_free char *data = store_path(fresh, "data.mdb");
	MDB_env *env = NULL;
	int err = store_make_dir(fresh, why, size);
	if (err)
		return err;
	unlink(data);
	int rc = env_open(fresh, 1 << 20, 0, SIDE_TABLES, &env);
	if (!rc) {
		rc = create(env, id);
		mdb_env_close(env);
	}
	if (!rc)
		rc = -store_sync_dir(fresh);
	if (!rc && rename(fresh, to) != 0)
		rc = errno;
	if (!rc)
		rc = -store_sync_dir(data_dir);
	return rc ? env_explain(rc, data, why, size) : 0;
}

static int damaged(const struct side *s, const char *what, char *why, size_t size)
{
	store_why(
	    why, size,
	    "%s is damaged: %s; restore a backup with 'oudp restore', or move %s away to have "
	    "the series made again from what the log still holds",
	    s->data_path, what, s->dir);
	return ERR_STORE_DAMAGED;
}

static int check_head(struct side *s, MDB_txn *txn, const struct side_options *o, char *why,
                      size_t size)
{
	MDB_val k = val_text(store_key_format), v;
	uint32_t format;
	if (mdb_get(txn, s->tables[SIDE_META], &k, &v) || v.mv_size != sizeof(format))
		return damaged(s, "format", why, size);
	memcpy(&format, v.mv_data, sizeof(format));
	if (format < SIDE_FORMAT_OLDEST || format > SIDE_FORMAT) {
		store_why(why, size,
		          "%s has format %u and this oudpd knows formats %u to %u only: it was "
		          "written by another version; install that one, or restore a backup of "
		          "this one",
		          s->data_path, format, (unsigned)SIDE_FORMAT_OLDEST,
		          (unsigned)SIDE_FORMAT);
		return ERR_STORE_FORMAT;
	}
	k = val_text(store_key_id);
	if (mdb_get(txn, s->tables[SIDE_META], &k, &v) || v.mv_size != 16)
		return damaged(s, "id", why, size);
	if (memcmp(v.mv_data, o->store_id, 16) == 0)
		return 0;
	store_why(why, size,
	          "%s belongs to another journal than the one beside it: put the two that belong "
	          "together in one data-dir, or move %s away to have the series made again",
	          s->data_path, s->dir);
	return ERR_STORE_FORMAT;
}

static int side_load(struct side *s, const struct side_options *o, char *why, size_t size)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
	if (rc)
		return env_explain(rc, s->data_path, why, size);
	int err = 0;
	for (unsigned i = 0; i < SIDE_TABLES && !err; i++) {
		rc = mdb_dbi_open(txn, table_names[i], 0, &s->tables[i]);
		if (rc == MDB_NOTFOUND && i == SIDE_DETAIL)
			s->tables[i] = NO_TABLE;
		else if (rc)
			err = damaged(s, table_names[i], why, size);
	}
	if (!err)
		err = check_head(s, txn, o, why, size);
	if (!err)
		return store_err(mdb_txn_commit(txn)); /* keeps the handles */
	mdb_txn_abort(txn);
	return err;
}

int side_open_env(struct side *s, const struct side_options *o, unsigned flags, char *why,
                  size_t size)
{
	struct stat st;
	if (stat(s->data_path, &st) != 0)
		return env_explain(errno, s->data_path, why, size);
	uint64_t map = MAX_OF(o->map_bytes, 4 * (uint64_t)st.st_size);
	int rc = env_open(s->dir, map, flags | MDB_NORDAHEAD, SIDE_TABLES, &s->env);
	if (rc) {
		s->env = NULL;
		return env_explain(rc, s->data_path, why, size);
	}
	int err = env_check_size(s->env, s->data_path, why, size);
	return err ? err : side_load(s, o, why, size);
}

struct side *side_new(const struct side_options *o)
{
	struct side *s = xcalloc(1, sizeof(*s));
	s->lock_fd = -1;
	s->dir = store_path(o->data_dir, "series");
	s->data_path = store_path(s->dir, "data.mdb");
	s->clean_path = store_path(s->dir, "clean");
	s->map_bytes = o->map_bytes;
	s->read_only = o->read_only;
	return s;
}

/* What is written from now on is not for programs that know the former format only. */
static int raise_format(struct side *s)
{
	bool raised;
	MDB_txn *txn;
	int rc = mdb_txn_begin(s->env, NULL, 0, &txn);
	if (rc)
		return rc;
	rc = env_put_format(txn, s->tables[SIDE_META], SIDE_FORMAT, &raised);
	if (!rc && raised && s->tables[SIDE_DETAIL] == NO_TABLE)
		rc = mdb_dbi_open(txn, table_names[SIDE_DETAIL], MDB_CREATE,
		                  &s->tables[SIDE_DETAIL]);
	if (!rc && raised)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static int open_writer(struct side *s, const struct side_options *o, char *why, size_t size)
{
	struct stat st;
	int err = 0, dead;
	bool walk = o->verify;
	if (stat(s->dir, &st) != 0)
		err = side_make(o->data_dir, s->dir, o->store_id, why, size);
	err = err ? err : store_lock(s->dir, &s->lock_fd, why, size);
	if (err)
		return err;
	if (stat(s->data_path, &st) == 0 && access(s->clean_path, F_OK) != 0)
		walk |= st.st_size <= LIMIT_STORE_WALK_BYTES;
	err = side_verify(o, walk, &s->damaged, why, size);
	err = err ? err : side_open_env(s, o, 0, why, size);
	if (err)
		return err;
	int rc = mdb_reader_check(s->env, &dead);
	rc = rc ? rc : raise_format(s);
	if (!rc && unlink(s->clean_path) == 0)
		rc = -store_sync_dir(s->dir);
	return rc ? env_explain(rc, s->data_path, why, size) : 0;
}

int side_open(const struct side_options *o, struct side **ret, char *why, size_t size)
{
	struct side *s = side_new(o);
	int err = s->read_only ? side_open_env(s, o, MDB_RDONLY, why, size)
	                       : open_writer(s, o, why, size);
	if (err) {
		s->poisoned = true;
		side_close(s);
		return err;
	}
	*ret = s;
	return 0;
}

void side_close(struct side *s)
{
	if (!s)
		return;
	assert(!s->txn.view.txn);
	if (s->env)
		mdb_env_close(s->env);
	if (!s->read_only && !s->poisoned && store_write_file(s->clean_path, "clean\n", 6) != 0)
		unlink(s->clean_path); /* then the next start looks closer: no harm */
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->dir);
	free(s->data_path);
	free(s->clean_path);
	free(s);
}

uint64_t side_damaged(const struct side *s)
{
	return s->damaged;
}

/* ---- writing ---- */

int side_begin(struct side *s, struct side_txn **ret)
{
	struct side_txn *t = &s->txn;
	assert(!s->read_only && !t->view.txn);
	*t = (struct side_txn){.side = s, .view.side = s};
	int rc = mdb_txn_begin(s->env, NULL, 0, &t->view.txn);
	if (rc) {
		t->view.txn = NULL;
		s->poisoned |= rc == MDB_PANIC;
		return store_err(rc);
	}
	*ret = t;
	return 0;
}

struct side_view *side_txn_view(struct side_txn *t)
{
	return &t->view;
}

void side_put(struct side_txn *t, enum side_table table, struct span key, struct span value)
{
	assert(key.n > 0 && key.n <= SIDE_KEY_BYTES_MAX);
	if (t->err)
		return;
	MDB_val k = val_of(key), v = val_of(value);
	t->err = store_err(mdb_put(t->view.txn, t->side->tables[table], &k, &v, 0));
	t->bytes += key.n + value.n;
}

void side_del(struct side_txn *t, enum side_table table, struct span key)
{
	if (t->err)
		return;
	MDB_val k = val_of(key);
	int rc = mdb_del(t->view.txn, t->side->tables[table], &k, NULL);
	if (rc != MDB_NOTFOUND)
		t->err = store_err(rc);
	t->bytes += key.n;
}

size_t side_txn_bytes(const struct side_txn *t)
{
	return t->bytes;
}

int side_commit(struct side_txn *t)
{
	struct side *s = t->side;
	int err = t->err;
	if (err) {
		mdb_txn_abort(t->view.txn);
	} else {
		int rc = mdb_txn_commit(t->view.txn);
		err = store_err(rc);
		/* A short write on a full disk is EIO too; it is one when nothing can begin. */
		MDB_txn *probe;
		if (rc == EIO && mdb_txn_begin(s->env, NULL, 0, &probe) == 0) {
			mdb_txn_abort(probe);
			err = ERR_STORE_FULL;
		}
	}
	t->view.txn = NULL; /* its cursors were freed with it */
	s->poisoned |= err == ERR_STORE_IO;
	return err;
}

void side_abort(struct side_txn *t)
{
	mdb_txn_abort(t->view.txn);
	t->view.txn = NULL;
}

/* ---- reading ---- */

int side_view_open(struct side *s, struct side_view **ret)
{
	struct side_view *v = xcalloc(1, sizeof(*v));
	v->side = s;
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &v->txn);
	if (rc) {
		free(v);
		return store_err(rc);
	}
	*ret = v;
	return 0;
}

void side_view_close(struct side_view *v)
{
	if (!v)
		return;
	for (unsigned i = 0; i < SIDE_TABLES; i++)
		if (v->cursors[i])
			mdb_cursor_close(v->cursors[i]);
	mdb_txn_abort(v->txn);
	free(v);
}

int side_get(struct side_view *v, enum side_table table, struct span key, struct span *ret)
{
	MDB_val k = val_of(key), value;
	if (v->side->tables[table] == NO_TABLE)
		return ERR_NOT_FOUND;
	int rc = mdb_get(v->txn, v->side->tables[table], &k, &value);
	if (!rc)
		*ret = span_of_val(value);
	return store_err(rc);
}

static int move(struct side_view *v, enum side_table table, MDB_val *k, MDB_cursor_op op,
                struct span *ret_key, struct span *ret_value)
{
	MDB_val value;
	MDB_cursor **c = &v->cursors[table];
	if (v->side->tables[table] == NO_TABLE)
		return ERR_NOT_FOUND;
	int rc = *c ? 0 : mdb_cursor_open(v->txn, v->side->tables[table], c);
	if (!rc)
		rc = mdb_cursor_get(*c, k, &value, op);
	if (rc)
		return store_err(rc);
	*ret_key = span_of_val(*k);
	*ret_value = span_of_val(value);
	return 0;
}

int side_seek(struct side_view *v, enum side_table table, struct span key, struct span *ret_key,
              struct span *ret_value)
{
	MDB_val k = val_of(key);
	return move(v, table, &k, MDB_SET_RANGE, ret_key, ret_value);
}

int side_seek_back(struct side_view *v, enum side_table table, struct span key,
                   struct span *ret_key, struct span *ret_value)
{
	MDB_val k = val_of(key);
	struct span at, value;
	int err = move(v, table, &k, MDB_SET_RANGE, &at, &value);
	if (!err && span_eq(at, key)) {
		*ret_key = at;
		*ret_value = value;
		return 0;
	}
	if (err && err != ERR_NOT_FOUND)
		return err;
	return move(v, table, &k, err ? MDB_LAST : MDB_PREV, ret_key, ret_value);
}

int side_next(struct side_view *v, enum side_table table, struct span *ret_key,
              struct span *ret_value)
{
	MDB_val k = {0};
	return move(v, table, &k, MDB_NEXT, ret_key, ret_value);
}

int side_prev(struct side_view *v, enum side_table table, struct span *ret_key,
              struct span *ret_value)
{
	MDB_val k = {0};
	return move(v, table, &k, MDB_PREV, ret_key, ret_value);
}

int side_usage(struct side *s, struct side_usage *ret)
{
	struct side_usage u = {.map_bytes = s->map_bytes};
	MDB_txn *txn;
	MDB_envinfo info;
	struct stat st;
	int rc = mdb_env_info(s->env, &info);
	if (!rc && stat(s->data_path, &st) != 0)
		rc = errno;
	if (!rc)
		rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
	if (rc)
		return store_err(rc);
	u.file_bytes = (uint64_t)st.st_size;
	for (unsigned i = 0; i < SIDE_TABLES && !rc; i++) {
		MDB_stat m;
		if (s->tables[i] == NO_TABLE)
			continue;
		rc = mdb_stat(txn, s->tables[i], &m);
		if (rc)
			break;
		u.rows[i] = m.ms_entries;
		u.used_bytes +=
		    (uint64_t)(m.ms_branch_pages + m.ms_leaf_pages + m.ms_overflow_pages) *
		    m.ms_psize;
	}
	mdb_txn_abort(txn);
	if (!rc)
		*ret = u;
	return store_err(rc);
}
