/* load.c - what an open store knows of itself: its tables, its identity, its feeds.
 *
 * A feed's row in "meta": u32 id, u32 number of epochs, u64 high, then for each epoch u32 epoch,
 * u64 first. high is the highest sequence when the log was last trimmed (or restored): an emptied
 * log goes on counting from there. */
#include "base/err.h"
#include "base/mem.h"
#include "store/env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

const char *const store_table_names[STORE_TABLES] = {
    [STORE_META] = "meta",           [STORE_QUARANTINE] = "quarantine",
    [STORE_SESSION] = "session",     [STORE_SUBSCRIPTION] = "subscription",
    [STORE_PACKET_ID] = "packet-id", [STORE_RETAINED] = "retained",
    [STORE_STATE] = "state"};
const char store_key_format[] = "format", store_key_id[] = "id", store_key_commit[] = "commit",
           store_key_tick[] = "tick";

uint64_t load_u64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t load_u32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

void log_db_name(char out[24], uint32_t id)
{
	snprintf(out, 24, "log.%u", id);
}

/* ---- rows of feeds ---- */

MDB_val feed_row_key(char out[5 + STORE_NAME_BYTES_MAX], struct span name)
{
	assert(name.n <= STORE_NAME_BYTES_MAX);
	memcpy(out, "feed/", 5);
	memcpy(out + 5, name.p, name.n);
	return (MDB_val){5 + name.n, out};
}

size_t feed_row_write(uint8_t out[FEED_ROW_BYTES_MAX], const struct log *l, uint64_t high)
{
	assert(l->n_epochs >= 1 && l->n_epochs <= STORE_EPOCHS_MAX);
	uint32_t n = l->n_epochs;
	memcpy(out, &l->id, 4);
	memcpy(out + 4, &n, 4);
	memcpy(out + 8, &high, 8);
	for (unsigned i = 0; i < n; i++) {
		memcpy(out + 16 + 12 * i, &l->epochs[i].epoch, 4);
		memcpy(out + 20 + 12 * i, &l->epochs[i].first, 8);
	}
	return 16 + 12 * (size_t)n;
}

int feed_row_read(struct span value, struct log *ret, uint64_t *ret_high)
{
	if (value.n < 16)
		return ERR_STORE_DAMAGED;
	uint32_t n = load_u32(value.p + 4);
	if (n < 1 || n > STORE_EPOCHS_MAX || value.n != 16 + 12 * (size_t)n)
		return ERR_STORE_DAMAGED;
	ret->id = load_u32(value.p);
	ret->n_epochs = n;
	for (unsigned i = 0; i < n; i++) {
		struct store_epoch e = {load_u32(value.p + 16 + 12 * i),
		                        load_u64(value.p + 20 + 12 * i)};
		const struct store_epoch *before = i ? &ret->epochs[i - 1] : NULL;
		if (e.first < 1 ||
		    (before && (e.epoch <= before->epoch || e.first < before->first)))
			return ERR_STORE_DAMAGED;
		ret->epochs[i] = e;
	}
	*ret_high = load_u64(value.p + 8);
	return 0;
}

/* ---- a new store ---- */

int store_create(MDB_env *env, const uint8_t id[16])
{
	MDB_txn *txn;
	MDB_dbi dbi;
	uint8_t fresh[16];
	uint32_t format = STORE_FORMAT;
	if (!id && getrandom(fresh, sizeof(fresh), 0) != sizeof(fresh))
		return errno;
	int rc = mdb_txn_begin(env, NULL, 0, &txn);
	if (rc)
		return rc;
	for (int i = STORE_TABLES - 1; i >= 0 && !rc; i--) /* STORE_META comes last: dbi is its */
		rc = mdb_dbi_open(txn, store_table_names[i], MDB_CREATE, &dbi);
	MDB_val k = {sizeof(store_key_format) - 1, (void *)(uintptr_t)store_key_format};
	MDB_val v = {sizeof(format), &format};
	if (!rc)
		rc = mdb_put(txn, dbi, &k, &v, 0);
	k = (MDB_val){sizeof(store_key_id) - 1, (void *)(uintptr_t)store_key_id};
	v = (MDB_val){sizeof(fresh), (void *)(uintptr_t)(id ? id : fresh)};
	if (!rc)
		rc = mdb_put(txn, dbi, &k, &v, 0);
	if (!rc)
		rc = txn_put_u64(txn, dbi, store_key_commit, 0);
	if (!rc)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

int env_put_format(MDB_txn *txn, MDB_dbi meta, uint32_t format, bool *ret_raised)
{
	MDB_val k = val_of(span_str(store_key_format)), v;
	int rc = mdb_get(txn, meta, &k, &v);
	*ret_raised = !rc && memcmp(v.mv_data, &format, sizeof(format)) != 0;
	if (!*ret_raised)
		return rc;
	v = (MDB_val){sizeof(format), &format};
	return mdb_put(txn, meta, &k, &v, 0);
}

int store_raise_format(MDB_env *env, MDB_dbi meta)
{
	bool raised;
	MDB_txn *txn;
	int rc = mdb_txn_begin(env, NULL, 0, &txn);
	if (rc)
		return rc;
	rc = env_put_format(txn, meta, STORE_FORMAT, &raised);
	if (!rc && raised)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

/* ---- loading ---- */

struct loading {
	struct store *s;
	MDB_txn *txn;
	char *why;
	size_t why_size;
};

static int damaged(struct loading *ld, const char *what)
{
	store_why(ld->why, ld->why_size,
	          "%s is damaged: %s; restore a backup with 'oudp restore', or start with --verify "
	          "to learn more",
	          ld->s->data_path, what);
	return ERR_STORE_DAMAGED;
}

static int load_value(struct loading *ld, const char *key, size_t size, void *ret)
{
	MDB_val k = {strlen(key), (void *)(uintptr_t)key}, v;
	int rc = mdb_get(ld->txn, ld->s->tables[STORE_META], &k, &v);
	if (rc || v.mv_size != size)
		return damaged(ld, key);
	memcpy(ret, v.mv_data, size);
	return 0;
}

/* The flags of a named database decide how LMDB reads it: they must be those we made it with. */
static bool flags_are(MDB_txn *txn, MDB_dbi dbi, unsigned wanted)
{
	unsigned flags;
	return mdb_dbi_flags(txn, dbi, &flags) == 0 && flags == wanted;
}

static int load_tables(struct loading *ld)
{
	struct store *s = ld->s;
	for (unsigned i = 0; i < STORE_TABLES; i++) {
		int rc = mdb_dbi_open(ld->txn, store_table_names[i], 0, &s->tables[i]);
		if (rc == MDB_NOTFOUND && i == STORE_META) {
			store_why(ld->why, ld->why_size, "%s is not a journal of oudpd",
			          s->data_path);
			return ERR_STORE_FORMAT;
		}
		if (rc || !flags_are(ld->txn, s->tables[i], 0))
			return damaged(ld, store_table_names[i]);
	}
	uint32_t format = 0;
	uint64_t commit = 0;
	int err = load_value(ld, store_key_format, sizeof(format), &format);
	if (!err && (format < STORE_FORMAT_OLDEST || format > STORE_FORMAT)) {
		store_why(ld->why, ld->why_size,
		          "%s has format %u and this oudpd knows formats %u to %u only: it was "
		          "written by another version; install that one, or restore a backup of "
		          "this one",
		          s->data_path, format, (unsigned)STORE_FORMAT_OLDEST,
		          (unsigned)STORE_FORMAT);
		return ERR_STORE_FORMAT;
	}
	if (!err)
		err = load_value(ld, store_key_id, sizeof(s->id), s->id);
	if (!err)
		err = load_value(ld, store_key_commit, sizeof(commit), &commit);
	if (!err)
		atomic_store(&s->last_commit, commit);
	return err;
}

/* Opens the log of l and finds its first and last sequence. */
static int load_log(struct loading *ld, struct log *l, uint64_t high)
{
	char name[24];
	MDB_cursor *c = NULL;
	MDB_val k, v;
	log_db_name(name, l->id);
	int rc = mdb_dbi_open(ld->txn, name, MDB_INTEGERKEY, &l->dbi);
	if (!rc)
		rc = mdb_cursor_open(ld->txn, l->dbi, &c);
	if (rc)
		return rc == MDB_DBS_FULL ? -E2BIG : damaged(ld, "the log of a feed is missing");
	if (!flags_are(ld->txn, l->dbi, MDB_INTEGERKEY)) {
		mdb_cursor_close(c);
		return damaged(ld, "the log of a feed is none");
	}
	rc = mdb_cursor_get(c, &k, &v, MDB_FIRST);
	bool whole = rc || k.mv_size == sizeof(uint64_t);
	l->first = rc || !whole ? high + 1 : load_u64(k.mv_data);
	l->last = high;
	if (!rc && whole) {
		rc = mdb_cursor_get(c, &k, &v, MDB_LAST);
		whole = rc || k.mv_size == sizeof(uint64_t);
		l->last = rc || !whole ? 0 : load_u64(k.mv_data);
	}
	mdb_cursor_close(c);
	if ((rc && rc != MDB_NOTFOUND) || !whole || l->last < high || l->first > l->last + 1)
		return damaged(ld, "the numbers of a feed's log");
	if (l->epochs[l->n_epochs - 1].first > l->last + 1)
		return damaged(ld, "the epochs of a feed");
	return 0;
}

static int load_row(struct loading *ld, struct span name, struct span value)
{
	struct store *s = ld->s;
	struct log row = {0};
	uint64_t high;
	if (name.n == 0 || name.n > STORE_NAME_BYTES_MAX || feed_row_read(value, &row, &high))
		return damaged(ld, "the row of a feed");
	if (row.id == 0 || row.id > LIMIT_FEEDS * 100u)
		return damaged(ld, "the id of a feed");
	if (row.id > s->logs_max)
		return -E2BIG;
	if (s->logs[row.id - 1])
		return damaged(ld, "two feeds have one log");
	struct log *l = xcalloc(1, sizeof(*l));
	*l = row;
	l->name = xstrndup(name.p, name.n);
	s->logs[row.id - 1] = l;
	atomic_fetch_add(&s->n_logs, 1);
	return load_log(ld, l, high);
}

static int load_feeds(struct loading *ld)
{
	struct store *s = ld->s;
	MDB_cursor *c;
	MDB_val k = {5, (void *)(uintptr_t) "feed/"}, v;
	int err = store_err(mdb_cursor_open(ld->txn, s->tables[STORE_META], &c));
	if (err)
		return err;
	int rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	while (!rc && !err && k.mv_size > 5 && memcmp(k.mv_data, "feed/", 5) == 0) {
		err = load_row(ld, span_of((char *)k.mv_data + 5, k.mv_size - 5), span_of_val(v));
		if (!err)
			rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	if (!err && rc && rc != MDB_NOTFOUND)
		return damaged(ld, "the rows of the feeds");
	for (unsigned i = 0, n = atomic_load(&s->n_logs); i < n && !err; i++) {
		if (!s->logs[i])
			return damaged(ld, "the row of a feed is missing");
	}
	return err;
}

int store_load(struct store *s, unsigned feeds_max, char *why, size_t size)
{
	struct loading ld = {.s = s, .why = why, .why_size = size};
	s->logs_max = feeds_max;
	s->logs = xcalloc(feeds_max, sizeof(struct log *));
	s->txn.touched = xcalloc(feeds_max, sizeof(struct log *));
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &ld.txn);
	if (rc)
		return env_explain(rc, s->data_path, why, size);
	int err = load_tables(&ld);
	if (!err)
		err = load_feeds(&ld);
	if (err) {
		mdb_txn_abort(ld.txn);
		return err;
	}
	return store_err(mdb_txn_commit(ld.txn)); /* keeps the handles that it opened */
}

void store_unload(struct store *s)
{
	for (unsigned i = 0; s->logs && i < s->logs_max; i++) {
		if (s->logs[i])
			free(s->logs[i]->name);
		free(s->logs[i]);
	}
	free(s->logs);
	free(s->txn.touched);
	s->logs = s->txn.touched = NULL;
	s->logs_max = 0;
	atomic_store(&s->n_logs, 0);
}
