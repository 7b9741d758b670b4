/* copy.c - see copy.h. */
#include "store/copy.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { COPY_ROOM_BYTES = 1 << 20 }; /* less than this free: it was the disk */

static int begin(struct copy *c)
{
	if (c->txn)
		return 0;
	c->bytes = 0;
	return mdb_txn_begin(c->env, NULL, 0, &c->txn);
}

int copy_open(struct copy *c, const char *journal, const struct store *from, char *why, size_t size)
{
	struct stat st;
	*c = (struct copy){.journal = xstrdup(journal)};
	if (stat(from->data_path, &st) != 0)
		return env_explain(errno, from->data_path, why, size);
	int err = store_make_dir(c->journal, why, size);
	if (err)
		return err;
	/* Address space; the content of a file fits twice its size. */
	uint64_t map = 2 * (uint64_t)st.st_size + (1ull << 30);
	int rc = env_open(c->journal, map, MDB_NOSYNC, from->logs_max + STORE_TABLES, &c->env);
	if (!rc)
		rc = store_create(c->env, from->id);
	if (!rc)
		rc = begin(c);
	for (unsigned i = 0; i < STORE_TABLES && !rc; i++)
		rc = mdb_dbi_open(c->txn, store_table_names[i], 0, &c->tables[i]);
	return rc ? env_explain(rc, c->journal, why, size) : 0;
}

int copy_put(struct copy *c, MDB_dbi dbi, MDB_val k, MDB_val v, unsigned flags)
{
	int rc = begin(c);
	if (!rc)
		rc = mdb_put(c->txn, dbi, &k, &v, flags);
	c->bytes += k.mv_size + v.mv_size;
	if (!rc && c->bytes >= LIMIT_STORE_COPY_BYTES) {
		rc = mdb_txn_commit(c->txn);
		c->txn = NULL;
	}
	return rc;
}

int copy_log_create(struct copy *c, uint32_t id)
{
	char name[24];
	MDB_dbi dbi;
	log_db_name(name, id);
	int rc = begin(c);
	return rc ? rc : mdb_dbi_open(c->txn, name, MDB_CREATE | MDB_INTEGERKEY, &dbi);
}

int copy_flush(struct copy *c)
{
	if (!c->txn)
		return 0;
	int rc = mdb_txn_commit(c->txn);
	c->txn = NULL;
	return store_err(rc);
}

/* ---- tables and logs ---- */

int copy_table(struct copy *c, const struct store *from, MDB_txn *txn, enum store_table table)
{
	MDB_cursor *cur;
	MDB_val k, v;
	int rc = mdb_cursor_open(txn, from->tables[table], &cur);
	if (rc)
		return rc;
	while (!(rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT))) {
		rc = copy_put(c, c->tables[table], k, v, MDB_APPEND);
		if (rc)
			break;
	}
	mdb_cursor_close(cur);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

struct log_copy {
	struct copy *to;
	MDB_dbi dbi;
	uint64_t next, last; /* next expected; 0: any */
	uint64_t records;
	int rc;
	bool overtaken, end;
};

static int copy_record(void *arg, uint64_t sequence, struct span record)
{
	struct log_copy *a = arg;
	if (sequence > a->last) {
		a->end = true;
		return 1;
	}
	if (a->next && sequence != a->next) {
		a->overtaken = true;
		return 1;
	}
	MDB_val k = {sizeof(sequence), &sequence};
	a->rc = copy_put(a->to, a->dbi, k, val_of(record), MDB_APPEND);
	a->next = sequence + 1;
	a->records++;
	a->end = sequence == a->last;
	return a->rc != 0 || a->end;
}

static int log_open(struct copy *c, uint32_t id, MDB_dbi *ret)
{
	char name[24];
	log_db_name(name, id);
	int rc = begin(c);
	return rc ? rc : mdb_dbi_open(c->txn, name, MDB_INTEGERKEY, ret);
}

void copy_watch(struct copy *c, const struct store *from, const struct store_watch *watch)
{
	c->watch = watch;
	c->all = 0;
	for (unsigned i = 0, n = atomic_load(&from->n_logs); i < n; i++)
		c->all += from->logs[i]->last + 1 - from->logs[i]->first;
}

int copy_log(struct copy *c, struct store *from, const struct log *l, uint64_t last)
{
	uint64_t next = 1;
	struct log_copy a = {.to = c, .last = last};
	a.rc = log_open(c, l->id, &a.dbi);
	while (!a.rc && !a.end) {
		uint64_t start = a.next ? a.next : next;
		int err =
		    store_read(from, l->id, start, LIMIT_STORE_COPY_BYTES, copy_record, &a, &next);
		if (err)
			return err;
		if (a.overtaken) { /* trimmed behind us: what we have would leave a hole */
			a.rc = begin(c);
			if (!a.rc)
				a.rc = mdb_drop(c->txn, a.dbi, 0);
			a.next = a.records = 0;
			a.overtaken = false;
			next = start;
			continue;
		}
		err = a.rc ? 0 : copy_flush(c);
		if (err)
			return err;
		if (c->watch)
			c->watch->fn(c->watch->arg, c->records + a.records, c->all);
		if (next == start)
			a.end = true;
	}
	c->records += a.records;
	return store_err(a.rc);
}

/* ---- end ---- */

int copy_finish(struct copy *c)
{
	int err = copy_flush(c);
	if (!err)
		err = store_err(mdb_env_sync(c->env, 1));
	if (err)
		return err;
	mdb_env_close(c->env);
	c->env = NULL;
	auto_free char *lock = store_path(c->journal, "lock.mdb");
	unlink(lock); /* belongs to processes, not to the copy */
	return store_sync_dir(c->journal);
}

void copy_close(struct copy *c, bool keep)
{
	if (c->txn)
		mdb_txn_abort(c->txn);
	if (c->env)
		mdb_env_close(c->env);
	if (!keep && c->journal) {
		auto_free char *data = store_path(c->journal, "data.mdb");
		auto_free char *lock = store_path(c->journal, "lock.mdb");
		unlink(data);
		unlink(lock);
		rmdir(c->journal);
	}
	free(c->journal);
	*c = (struct copy){0};
}

void copy_explain(int err, const char *from, const char *to, char *why, size_t size)
{
	struct statvfs fs;
	/* LMDB calls a short write EIO, and a write is short on a full disk. */
	bool full = statvfs(to, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < COPY_ROOM_BYTES;
	store_why(why, size, "cannot copy %s to %s: %s", from, to,
	          full ? "the disk is full" : err_text(err));
}
