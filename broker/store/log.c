/* log.c - the feeds' logs: finding them, making one, reading records.
 *
 * Logs are kept in an array by id; an entry never moves or goes while the store is open, and n_logs
 * is raised only after the entry is whole, so readers need no lock to find one. */
#include "base/err.h"
#include "base/mem.h"
#include "store/env.h"

#include <stdlib.h>

struct log *log_find(const struct store *s, uint32_t feed)
{
	unsigned n = atomic_load_explicit(&s->n_logs, memory_order_acquire);
	return feed >= 1 && feed <= n ? s->logs[feed - 1] : NULL;
}

static struct log *log_by_name(const struct store *s, struct span name)
{
	unsigned n = atomic_load_explicit(&s->n_logs, memory_order_acquire);
	for (unsigned i = 0; i < n; i++) {
		if (span_is(name, s->logs[i]->name))
			return s->logs[i];
	}
	return NULL;
}

static struct store_feed feed_of(const struct log *l)
{
	struct store_feed f = {
	    .id = l->id, .first = l->first, .last = l->last, .n_epochs = l->n_epochs};
	memcpy(f.epochs, l->epochs, sizeof(f.epochs));
	return f;
}

/* ---- making one ---- */

static int log_create(struct store *s, struct log *l)
{
	MDB_txn *txn;
	char name[24], key[5 + STORE_NAME_BYTES_MAX];
	uint8_t row[FEED_ROW_BYTES_MAX];
	const struct need need = {.single = 24};
	int rc = mdb_txn_begin(s->env, NULL, 0, &txn);
	if (rc)
		return store_err(rc);
	log_db_name(name, l->id);
	MDB_val k = feed_row_key(key, span_str(l->name)),
	        v = {feed_row_write(row, l, l->last), row};
	rc = mdb_dbi_open(txn, name, MDB_CREATE | MDB_INTEGERKEY, &l->dbi);
	if (!rc)
		rc = mdb_put(txn, s->tables[STORE_META], &k, &v, MDB_NOOVERWRITE);
	int err = rc ? store_err(rc) : room_admit(s, txn, &need, ROOM_INGEST);
	if (err) {
		mdb_txn_abort(txn);
		return err;
	}
	/* No reader may begin while LMDB's list of named databases changes. */
	pthread_mutex_lock(&s->readers_lock);
	err = txn_finish(s, txn, &need);
	pthread_mutex_unlock(&s->readers_lock);
	return err;
}

int store_feed_open(struct store *s, struct span name, int64_t now_ms, struct store_feed *ret)
{
	assert(name.n > 0 && name.n <= STORE_NAME_BYTES_MAX);
	assert(!s->txn.txn);
	struct log *l = log_by_name(s, name);
	if (l) {
		*ret = feed_of(l);
		return 0;
	}
	unsigned n = atomic_load(&s->n_logs);
	if (s->read_only)
		return ERR_NOT_FOUND;
	if (n == s->logs_max)
		return ERR_TOO_LARGE;
	l = xcalloc(1, sizeof(*l));
	l->id = n + 1;
	l->name = xstrndup(name.p, name.n);
	l->first = 1;
	l->n_epochs = 1;
	l->epochs[0] = (struct store_epoch){(uint32_t)MAX_OF(now_ms / 1000, 1), 1};
	int err = log_create(s, l);
	if (err) {
		free(l->name);
		free(l);
		return err;
	}
	s->logs[n] = l;
	atomic_store_explicit(&s->n_logs, n + 1, memory_order_release);
	*ret = feed_of(l);
	return 0;
}

int store_feed_each(struct store *s,
                    int (*each)(void *arg, struct span name, const struct store_feed *f), void *arg)
{
	assert(each);
	unsigned n = atomic_load_explicit(&s->n_logs, memory_order_acquire);
	for (unsigned i = 0; i < n; i++) {
		struct store_feed f = feed_of(s->logs[i]);
		int stop = each(arg, span_str(s->logs[i]->name), &f);
		if (stop)
			return stop < 0 ? stop : 0;
	}
	return 0;
}

int store_feed_names(struct store *s, int (*each)(void *arg, struct span name, uint32_t id),
                     void *arg)
{
	unsigned n = atomic_load_explicit(&s->n_logs, memory_order_acquire);
	for (unsigned i = 0; i < n; i++) {
		int stop = each(arg, span_str(s->logs[i]->name), s->logs[i]->id);
		if (stop)
			return stop < 0 ? stop : 0;
	}
	return 0;
}

/* ---- reading ---- */

struct reading {
	size_t max_bytes, bytes;
	store_record_fn each;
	void *arg;
	uint64_t next; /* after the last one shown */
	int err;
};

/* Shows the record the cursor stands on; false: that was the last one. */
static bool reading_show(struct reading *r, MDB_val k, MDB_val v)
{
	if (unlikely(k.mv_size != sizeof(uint64_t))) {
		r->err = ERR_STORE_DAMAGED;
		return false;
	}
	uint64_t sequence = load_u64(k.mv_data);
	int stop = r->each(r->arg, sequence, span_of_val(v));
	r->next = sequence + 1;
	r->bytes += v.mv_size;
	if (stop < 0)
		r->err = stop;
	return !stop && r->bytes < r->max_bytes;
}

static int cursor_forward(MDB_cursor *c, uint64_t from, struct reading *r)
{
	MDB_val k = {sizeof(from), &from}, v;
	int rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	while (!rc && reading_show(r, k, v))
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	return rc;
}

static int cursor_back(MDB_cursor *c, uint64_t from, struct reading *r)
{
	MDB_val k = {sizeof(from), &from}, v;
	int rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	if (rc == MDB_NOTFOUND)
		rc = mdb_cursor_get(c, &k, &v, MDB_LAST);
	else if (!rc && k.mv_size == sizeof(from) && load_u64(k.mv_data) > from)
		rc = mdb_cursor_get(c, &k, &v, MDB_PREV);
	while (!rc && reading_show(r, k, v))
		rc = mdb_cursor_get(c, &k, &v, MDB_PREV);
	return rc;
}

static int log_read(struct store *s, uint32_t feed, uint64_t from, struct reading *r,
                    int (*walk)(MDB_cursor *, uint64_t, struct reading *))
{
	struct log *l = log_find(s, feed);
	if (!l)
		return ERR_NOT_FOUND;
	struct reader *reader;
	MDB_cursor *c = NULL;
	int err = reader_get(s, &reader);
	if (err)
		return err;
	int rc = mdb_cursor_open(reader->txn, l->dbi, &c);
	if (!rc)
		rc = walk(c, from, r);
	if (c)
		mdb_cursor_close(c);
	reader_put(s, reader);
	if (r->err)
		return r->err;
	return rc == MDB_NOTFOUND ? 0 : store_err(rc);
}

int store_read(struct store *s, uint32_t feed, uint64_t from, size_t max_bytes,
               store_record_fn each, void *arg, uint64_t *ret_next)
{
	assert(each && ret_next);
	struct reading r = {.max_bytes = max_bytes, .each = each, .arg = arg, .next = from};
	int err = log_read(s, feed, from, &r, cursor_forward);
	if (!err)
		*ret_next = r.next;
	return err;
}

int store_read_back(struct store *s, uint32_t feed, uint64_t from, size_t max_bytes,
                    store_record_fn each, void *arg)
{
	assert(each);
	struct reading r = {.max_bytes = max_bytes, .each = each, .arg = arg};
	return log_read(s, feed, from, &r, cursor_back);
}
