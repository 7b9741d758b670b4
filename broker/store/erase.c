/* erase.c - rewriting rows that are there, in transactions that no publisher waits for: records
 * that were erased become tombstones, rows go. The bytes that were there stay in the slack of pages
 * until they are used again; compact.c makes a store without them. */
#include "base/err.h"
#include "store/env.h"

static int rewrite_records(struct store *s, MDB_txn *txn, const struct store_rewrite *w,
                           struct need *need)
{
	for (unsigned i = 0; i < w->n_records; i++) {
		const struct log *l = log_find(s, w->feed);
		uint64_t sequence = w->record[i].sequence;
		MDB_val k = {sizeof(sequence), &sequence}, v;
		if (!l)
			return MDB_NOTFOUND;
		int rc = mdb_get(txn, l->dbi, &k, &v);
		if (rc == MDB_NOTFOUND) /* trimmed meanwhile */
			continue;
		need_value(need, s->room.psize, sizeof(sequence), w->record[i].bytes.n);
		need->single += 2;
		v = val_of(w->record[i].bytes);
		rc = rc ? rc : mdb_put(txn, l->dbi, &k, &v, 0);
		if (rc)
			return rc;
	}
	return 0;
}

static int rewrite_rows(struct store *s, MDB_txn *txn, const struct store_rewrite *w,
                        struct need *need)
{
	for (unsigned i = 0; i < w->n_rows; i++) {
		const struct store_row *row = &w->row[i];
		MDB_val k = val_of(row->key), v = val_of(row->value);
		assert(row->table > STORE_META && row->table < STORE_TABLES);
		need_value(need, s->room.psize, row->key.n, row->value.n);
		need->single += 2;
		int rc = row->value.n ? mdb_put(txn, s->tables[row->table], &k, &v, 0)
		                      : mdb_del(txn, s->tables[row->table], &k, NULL);
		if (rc && rc != MDB_NOTFOUND)
			return rc;
	}
	return 0;
}

int store_rewrite(struct store *s, const struct store_rewrite *w)
{
	MDB_txn *txn;
	size_t listed = w->n_records + w->n_rows;
	size_t run = 1 + listed * 4 * sizeof(uint64_t) / s->room.psize;
	struct need need = {.single = 48, .overflow = run, .run = run};
	assert(!s->txn.txn && !s->read_only);
	int rc = mdb_txn_begin(s->env, NULL, 0, &txn);
	if (rc)
		return store_err(rc);
	rc = rewrite_records(s, txn, w, &need);
	rc = rc ? rc : rewrite_rows(s, txn, w, &need);
	int err = rc ? store_err(rc) : room_admit(s, txn, &need, ROOM_TRIM);
	if (err) {
		mdb_txn_abort(txn);
		return err;
	}
	err = txn_finish(s, txn, &need);
	if (!err && s->room.tight)
		room_tick(s);
	return err;
}
