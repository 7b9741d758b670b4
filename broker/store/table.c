/* table.c - small state: reading it. Writing is in txn.c. */
#include "base/err.h"
#include "store/env.h"

static bool starts_with(struct span s, struct span prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

int store_scan(struct store *s, enum store_table table, struct span from, struct span prefix,
               size_t max_bytes, store_row_fn each, void *arg)
{
	assert(table < STORE_TABLES && each);
	assert(from.n <= STORE_KEY_BYTES_MAX && prefix.n <= STORE_KEY_BYTES_MAX);
	struct reader *r;
	MDB_cursor *c = NULL;
	int err = reader_get(s, &r);
	if (err)
		return err;
	int rc = mdb_cursor_open(r->txn, s->tables[table], &c);
	size_t common = MIN_OF(from.n, prefix.n), bytes = 0;
	int order = common ? memcmp(from.p, prefix.p, common) : 0;
	struct span start = order > 0 || (order == 0 && from.n > prefix.n) ? from : prefix;
	MDB_val k = val_of(start), v;
	if (!rc)
		rc = mdb_cursor_get(c, &k, &v, start.n ? MDB_SET_RANGE : MDB_FIRST);
	while (!rc && starts_with(span_of_val(k), prefix)) {
		int stop = each(arg, span_of_val(k), span_of_val(v));
		if (stop < 0)
			err = stop;
		bytes += k.mv_size + v.mv_size;
		if (stop || bytes >= max_bytes)
			break;
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	if (c)
		mdb_cursor_close(c);
	reader_put(s, r);
	return err ? err : rc == MDB_NOTFOUND ? 0 : store_err(rc);
}

int store_get(struct store *s, enum store_table table, struct span key, struct buf *ret)
{
	assert(table < STORE_TABLES);
	assert(key.n > 0 && key.n <= STORE_KEY_BYTES_MAX);
	struct reader *r;
	int err = reader_get(s, &r);
	if (err)
		return err;
	MDB_val k = val_of(key), v;
	err = store_err(mdb_get(r->txn, s->tables[table], &k, &v));
	if (!err) {
		buf_clear(ret);
		buf_add(ret, v.mv_data, v.mv_size);
		err = ret->err;
	}
	reader_put(s, r);
	return err;
}
