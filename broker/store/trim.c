/* trim.c - deleting, in transactions that nobody waits for.
 *
 * A delete copies the pages it changes, so it needs free pages too: room.c keeps a part of the map
 * and, on disk, dir/reserve for it. Pages freed by a transaction serve the one after the next; when
 * room is short a small commit (room_tick) follows, so that ingest goes on at once. */
#include "base/err.h"
#include "store/env.h"

struct trim {
	struct store *s;
	MDB_txn *txn;
	unsigned max, deleted;
	size_t bytes;
};

static bool trim_may(const struct trim *t)
{
	return t->deleted < t->max && (t->deleted == 0 || t->bytes < LIMIT_TRIM_BYTES);
}

static struct need trim_need(const struct trim *t)
{
	/* Emptied leaves are used again at once; the list of freed pages is one long value. */
	size_t listed = t->bytes / t->s->room.psize + t->deleted;
	size_t run = 1 + listed * sizeof(uint64_t) / t->s->room.psize;
	return (struct need){.single = 48, .overflow = run, .run = run};
}

/* Ends t with a commit, or without one when nothing was deleted. */
static int trim_finish(struct trim *t, int err)
{
	if (err || t->deleted == 0) {
		mdb_txn_abort(t->txn);
		return err;
	}
	struct need need = trim_need(t);
	err = room_admit(t->s, t->txn, &need, ROOM_TRIM);
	if (err) {
		mdb_txn_abort(t->txn);
		return err;
	}
	return txn_finish(t->s, t->txn, &need);
}

/* Runs work (which begins, deletes and ends) with ever fewer deletes while there is no room, then
 * once more with the reserve. */
static int trim_run(struct trim *t, int (*work)(struct trim *, void *), void *arg, bool use_reserve)
{
	assert(!t->s->txn.txn && !t->s->read_only);
	unsigned max = t->max;
	int err = work(t, arg);
	while (err == ERR_STORE_FULL) {
		if (t->max > STORE_TRIM_FEW) {
			t->max = STORE_TRIM_FEW;
		} else if (use_reserve && room_release_reserve(t->s)) {
			t->max = max;
			use_reserve = false;
		} else {
			break;
		}
		err = work(t, arg);
	}
	if (err)
		return err;
	if (t->deleted && t->s->room.tight)
		room_tick(t->s);
	room_restore_reserve(t->s);
	return (int)t->deleted;
}

/* ---- records ---- */

struct trim_log {
	struct log *log;
	uint64_t before, first; /* first: what stands first afterwards */
};

static int delete_records(struct trim *t, struct trim_log *a)
{
	MDB_cursor *c;
	MDB_val k, v;
	int rc = mdb_cursor_open(t->txn, a->log->dbi, &c);
	if (rc)
		return rc;
	a->first = a->log->last + 1;
	while (!(rc = mdb_cursor_get(c, &k, &v, MDB_FIRST))) {
		a->first = load_u64(k.mv_data);
		if (a->first >= a->before || !trim_may(t))
			break;
		t->bytes += v.mv_size;
		rc = mdb_cursor_del(c, 0);
		if (rc)
			break;
		t->deleted++;
		a->first = a->log->last + 1;
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int trim_log(struct trim *t, void *arg)
{
	struct trim_log *a = arg;
	char key[5 + STORE_NAME_BYTES_MAX];
	uint8_t row[FEED_ROW_BYTES_MAX];
	t->deleted = 0;
	t->bytes = 0;
	int rc = mdb_txn_begin(t->s->env, NULL, 0, &t->txn);
	if (rc)
		return store_err(rc);
	rc = delete_records(t, a);
	if (!rc && t->deleted) {
		MDB_val k = feed_row_key(key, span_str(a->log->name));
		MDB_val v = {feed_row_write(row, a->log, a->log->last), row};
		rc = mdb_put(t->txn, t->s->tables[STORE_META], &k, &v, 0);
	}
	return trim_finish(t, store_err(rc));
}

int store_trim(struct store *s, uint32_t feed, uint64_t before, unsigned max, bool use_reserve,
               uint64_t *ret_first)
{
	assert(max > 0 && ret_first);
	struct trim_log a = {.log = log_find(s, feed), .before = before};
	struct trim t = {.s = s, .max = max};
	if (!a.log)
		return ERR_NOT_FOUND;
	int deleted = trim_run(&t, trim_log, &a, use_reserve);
	if (deleted < 0)
		return deleted;
	if (deleted > 0)
		a.log->first = a.first;
	*ret_first = a.log->first;
	return deleted;
}

/* ---- rows of a table ---- */

struct trim_rows {
	MDB_dbi dbi;
	struct span prefix;
	unsigned keep;
};

static bool in_prefix(MDB_val k, struct span prefix)
{
	return k.mv_size >= prefix.n && memcmp(k.mv_data, prefix.p, prefix.n) == 0;
}

/* Puts c on the last row with the prefix; 0, MDB_NOTFOUND or an error. */
static int seek_last(MDB_cursor *c, struct span prefix, MDB_val *k, MDB_val *v)
{
	unsigned char after[STORE_KEY_BYTES_MAX];
	size_t n = prefix.n;
	memcpy(after, prefix.p, n);
	while (n && after[n - 1] == 0xff)
		n--;
	int rc = MDB_NOTFOUND;
	if (n) { /* the first key that sorts after all with the prefix */
		after[n - 1]++;
		*k = (MDB_val){n, after};
		rc = mdb_cursor_get(c, k, v, MDB_SET_RANGE);
	}
	rc = mdb_cursor_get(c, k, v, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
	return !rc && !in_prefix(*k, prefix) ? MDB_NOTFOUND : rc;
}

/* How many rows with the prefix are too many, at most max. */
static int count_surplus(MDB_cursor *c, const struct trim_rows *a, unsigned max, unsigned *ret)
{
	MDB_val k, v;
	unsigned n = 0;
	int rc = seek_last(c, a->prefix, &k, &v);
	while (!rc && in_prefix(k, a->prefix) && n < a->keep + max) {
		n++;
		rc = mdb_cursor_get(c, &k, &v, MDB_PREV);
	}
	*ret = n > a->keep ? n - a->keep : 0;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int trim_rows(struct trim *t, void *arg)
{
	struct trim_rows *a = arg;
	MDB_cursor *c;
	unsigned surplus = 0;
	t->deleted = 0;
	t->bytes = 0;
	int rc = mdb_txn_begin(t->s->env, NULL, 0, &t->txn);
	if (rc)
		return store_err(rc);
	rc = mdb_cursor_open(t->txn, a->dbi, &c);
	if (!rc)
		rc = count_surplus(c, a, t->max, &surplus);
	while (!rc && t->deleted < surplus && trim_may(t)) {
		MDB_val k = val_of(a->prefix), v;
		rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
		if (rc)
			break;
		assert(in_prefix(k, a->prefix));
		t->bytes += v.mv_size;
		rc = mdb_cursor_del(c, 0);
		t->deleted += !rc;
	}
	return trim_finish(t, store_err(rc));
}

int store_trim_table(struct store *s, enum store_table table, struct span prefix, unsigned keep,
                     unsigned max)
{
	assert(table > STORE_META && table < STORE_TABLES && max > 0);
	assert(prefix.n > 0 && prefix.n <= STORE_KEY_BYTES_MAX);
	struct trim_rows a = {.dbi = s->tables[table], .prefix = prefix, .keep = keep};
	struct trim t = {.s = s, .max = max};
	return trim_run(&t, trim_rows, &a, false);
}
