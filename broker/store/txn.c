/* txn.c - the write transaction, and the one place where LMDB's errors become ours.
 *
 * Nothing is written before store_commit(): LMDB collects the changed pages in memory. The commit
 * first asks room.c whether the pages may be had; so a full disk is mostly met before the first
 * write. When LMDB fails while it writes (its pages are new ones that nothing refers to yet) the
 * store is as it was. When it fails at its last step, the root page, it marks the environment as
 * unusable (MDB_PANIC on the next transaction): ERR_STORE_IO, the process must end, whatever errno
 * said. */
#include "base/err.h"
#include "store/env.h"

#include <errno.h>

int store_err(int rc)
{
	switch (rc) {
	case 0: return 0;
	case MDB_NOTFOUND: return ERR_NOT_FOUND;
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
	case EFBIG: return ERR_STORE_FULL;
	case MDB_TXN_FULL: return ERR_TOO_LARGE;
	case MDB_PANIC:
	case EIO: return ERR_STORE_IO;
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE: return ERR_STORE_FORMAT;
	case MDB_READERS_FULL: return ERR_AGAIN;
	default: return rc < 0 ? ERR_STORE_DAMAGED : -rc;
	}
}

/* ---- how many pages ---- */

static size_t pages_of(size_t bytes, size_t psize)
{
	return (bytes + psize - 1) / psize;
}

/* The bytes a node takes in its leaf; a value over half a page goes to pages of its own. */
static size_t node_bytes(struct need *n, size_t psize, size_t key, size_t value)
{
	enum { PAGE_HEAD = 16, NODE_HEAD = 8, SLOT = 2 };
	size_t node = NODE_HEAD + SLOT + key + value + 1;
	if (node <= (psize - PAGE_HEAD) / 2)
		return node;
	size_t pages = pages_of(value + PAGE_HEAD, psize);
	n->overflow += pages;
	n->run = MAX_OF(n->run, pages);
	return NODE_HEAD + SLOT + key + sizeof(uint64_t) + 1;
}

void need_value(struct need *n, size_t psize, size_t key, size_t value)
{
	n->single += 2 * pages_of(node_bytes(n, psize, key, value), psize);
}

/* Appended nodes fill a leaf up to the first that does not fit. */
static void need_log(struct need *n, size_t psize, const struct log *l, unsigned depth)
{
	size_t full = psize - 16 - MIN_OF(l->txn_node_max, psize / 2);
	n->single += pages_of(l->txn_bytes, full) + 2 * depth + 2;
}

static struct need txn_need(struct store_txn *t)
{
	struct need n = t->need;
	size_t psize = t->store->room.psize;
	MDB_stat st;
	for (unsigned i = 0; i < t->n_touched; i++) {
		if (mdb_stat(t->txn, t->touched[i]->dbi, &st) == 0)
			need_log(&n, psize, t->touched[i], st.ms_depth);
	}
	for (unsigned i = 0; i < STORE_TABLES; i++) {
		if (!t->table_puts[i] || mdb_stat(t->txn, t->store->tables[i], &st) != 0)
			continue;
		size_t pages = st.ms_branch_pages + st.ms_leaf_pages;
		n.single += MIN_OF(t->table_puts[i] * (st.ms_depth + 1), pages) + 2 +
		            2 * pages_of(t->table_bytes[i], psize);
	}
	n.single += 4 + t->n_touched / 8; /* the rows of the named databases themselves */
	return n;
}

/* ---- begin, change ---- */

int store_begin(struct store *s, struct store_txn **ret)
{
	struct store_txn *t = &s->txn;
	assert(!s->read_only);
	assert(!t->txn); /* one at a time */
	int rc = mdb_txn_begin(s->env, NULL, 0, &t->txn);
	if (rc) {
		t->txn = NULL;
		s->poisoned |= rc == MDB_PANIC;
		return store_err(rc);
	}
	t->store = s;
	t->err = 0;
	t->bytes = 0;
	t->need = (struct need){0};
	t->n_touched = 0;
	memset(t->table_puts, 0, sizeof(t->table_puts));
	memset(t->table_bytes, 0, sizeof(t->table_bytes));
	*ret = t;
	return 0;
}

uint64_t store_txn_commit(const struct store_txn *t)
{
	assert(t->txn);
	return atomic_load_explicit(&t->store->last_commit, memory_order_relaxed) + 1;
}

/* Counts the bytes of a change; false: the transaction has failed, or is over its bound. */
static bool txn_account(struct store_txn *t, size_t bytes)
{
	assert(t->txn);
	if (t->err)
		return false;
	if (bytes > LIMIT_STORE_TXN_BYTES - t->bytes) {
		t->err = ERR_TOO_LARGE;
		return false;
	}
	t->bytes += bytes;
	return true;
}

static int log_touch(struct store_txn *t, struct log *l)
{
	int rc = mdb_cursor_open(t->txn, l->dbi, &l->cursor);
	if (rc)
		return rc;
	l->touched = true;
	l->txn_last = l->last;
	l->txn_bytes = l->txn_node_max = 0;
	t->touched[t->n_touched++] = l;
	return 0;
}

void store_append(struct store_txn *t, uint32_t feed, uint64_t sequence, struct span record)
{
	struct log *l = log_find(t->store, feed);
	assert(l);
	if (!txn_account(t, sizeof(sequence) + record.n))
		return;
	int rc = l->touched ? 0 : log_touch(t, l);
	if (!rc) {
		assert(sequence == l->txn_last + 1); /* dense: the caller counts */
		MDB_val key = {sizeof(sequence), &sequence}, value = val_of(record);
		rc = mdb_cursor_put(l->cursor, &key, &value, MDB_APPEND);
	}
	if (unlikely(rc)) {
		t->err = store_err(rc);
		return;
	}
	l->txn_last = sequence;
	size_t node = node_bytes(&t->need, t->store->room.psize, sizeof(sequence), record.n);
	l->txn_bytes += node;
	l->txn_node_max = MAX_OF(l->txn_node_max, node);
}

static void check_key(enum store_table table, struct span key)
{
	assert(table > STORE_META && table < STORE_TABLES);
	assert(key.n > 0 && key.n <= STORE_KEY_BYTES_MAX);
}

void store_put(struct store_txn *t, enum store_table table, struct span key, struct span value)
{
	check_key(table, key);
	if (!txn_account(t, key.n + value.n))
		return;
	MDB_val k = val_of(key), v = val_of(value);
	t->err = store_err(mdb_put(t->txn, t->store->tables[table], &k, &v, 0));
	t->table_puts[table]++;
	t->table_bytes[table] += node_bytes(&t->need, t->store->room.psize, key.n, value.n);
}

void store_del(struct store_txn *t, enum store_table table, struct span key)
{
	check_key(table, key);
	if (!txn_account(t, key.n))
		return;
	MDB_val k = val_of(key);
	int rc = mdb_del(t->txn, t->store->tables[table], &k, NULL);
	if (rc != MDB_NOTFOUND)
		t->err = store_err(rc);
	t->table_puts[table]++;
}

int txn_put_u64(MDB_txn *txn, MDB_dbi dbi, const char *key, uint64_t value)
{
	MDB_val k = {strlen(key), (void *)(uintptr_t)key}, v = {sizeof(value), &value};
	return mdb_put(txn, dbi, &k, &v, 0);
}

/* ---- end ---- */

/* What a failed commit was. EIO is also what LMDB makes of a short write, and a write is short on a
 * full disk: a probe tells the two apart. */
static int commit_failed(struct store *s, int rc, const struct need *need)
{
	MDB_txn *probe;
	int again = mdb_txn_begin(s->env, NULL, 0, &probe);
	if (again) {
		s->poisoned = true;
		return ERR_STORE_IO;
	}
	mdb_txn_abort(probe);
	int err = store_err(rc);
	if (rc == EIO && room_disk_full(s, (need->single + need->overflow) * s->room.psize))
		err = ERR_STORE_FULL;
	if (err == ERR_STORE_FULL)
		room_failed(s, need);
	if (err == ERR_STORE_IO)
		s->poisoned = true;
	return err;
}

int txn_finish(struct store *s, MDB_txn *txn, const struct need *need)
{
	int rc = mdb_txn_commit(txn);
	if (rc)
		return commit_failed(s, rc, need);
	room_committed(s, need);
	return 0;
}

static void txn_end(struct store_txn *t, bool committed)
{
	for (unsigned i = 0; i < t->n_touched; i++) {
		struct log *l = t->touched[i];
		if (committed) {
			if (l->first > l->last)
				l->first = l->last + 1;
			l->last = l->txn_last;
		}
		l->touched = false;
		l->cursor = NULL; /* freed by LMDB with the transaction */
	}
	t->n_touched = 0;
	t->txn = NULL;
}

int store_commit(struct store_txn *t, uint64_t *ret_commit)
{
	assert(t->txn);
	struct store *s = t->store;
	uint64_t commit = store_txn_commit(t);
	struct need need = {0};
	if (!t->err) {
		t->err =
		    store_err(txn_put_u64(t->txn, s->tables[STORE_META], store_key_commit, commit));
		need = txn_need(t);
	}
	int err = t->err ? t->err : room_admit(s, t->txn, &need, ROOM_INGEST);
	if (err) {
		mdb_txn_abort(t->txn);
		if (err == ERR_STORE_FULL)
			room_tick_if_useful(s);
	} else {
		err = txn_finish(s, t->txn, &need);
	}
	txn_end(t, !err);
	s->poisoned |= err == ERR_STORE_IO;
	if (err)
		return err;
	atomic_store_explicit(&s->last_commit, commit, memory_order_release);
	if (ret_commit)
		*ret_commit = commit;
	return 0;
}

void store_abort(struct store_txn *t)
{
	assert(t->txn);
	mdb_txn_abort(t->txn);
	txn_end(t, false);
}
