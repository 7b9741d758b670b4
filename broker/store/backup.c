/* backup.c - a copy of the content, made while the daemon goes on.
 *
 * Not a copy of the file: live pages of LMDB keep bytes of deleted records in their slack.
 * Everything is read in short transactions and appended to a new environment.
 *
 *   0. the series, in pieces (side_copy.c);
 *   1. the quarantine, in pieces; how far it got per feed is remembered;
 *   2. one transaction, the captured commit: identity, commit number, the feeds' rows and their
 * last sequence, the small tables, and the quarantine's rows added since 1;
 *   3. each log, in pieces, up to the sequence captured in 2. What is trimmed meanwhile only raises
 *      the first one; a log whose head overtook the copy is begun again.
 *
 * So records and small state are exactly those of one commit. The quarantine may also hold rows
 * that were retried between 1 and 2 (there twice, never lost).
 *
 * The last thing written is DIR/backup: text, "oudp-backup 1", then "key value" lines. A directory
 * without it is not a backup. */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "store/copy.h"
#include "store/side.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CAPTURE_TRIES = 8, PREFIX_BYTES = 4, ROW_KEY_BYTES = 12 };

struct backup {
	struct store *from;
	struct copy to;
	uint64_t commit, records;
	uint64_t *last; /* by id - 1: the last sequence at the captured commit */
	struct buf
	    progress; /* of the quarantine: keys of ROW_KEY_BYTES, the last one copied per feed */
	bool series_copied;
	const struct store_watch *watch;
	char *why;
	size_t why_size;
};

/* ---- the quarantine ---- */

static void progress_set(struct backup *b, MDB_val key)
{
	char *at = b->progress.len ? b->progress.p + b->progress.len - ROW_KEY_BYTES : NULL;
	if (key.mv_size != ROW_KEY_BYTES)
		return;
	if (at && memcmp(at, key.mv_data, PREFIX_BYTES) == 0)
		memcpy(at, key.mv_data, ROW_KEY_BYTES);
	else
		buf_add(&b->progress, key.mv_data, ROW_KEY_BYTES);
}

/* Whether the row was copied in step 1; if so *k becomes the key to go on after. */
static bool progress_skip(const struct backup *b, MDB_val *k)
{
	if (k->mv_size != ROW_KEY_BYTES)
		return false;
	for (size_t at = 0; at < b->progress.len; at += ROW_KEY_BYTES) {
		char *p = b->progress.p + at;
		if (memcmp(p, k->mv_data, PREFIX_BYTES) == 0 &&
		    memcmp(k->mv_data, p, ROW_KEY_BYTES) <= 0) {
			k->mv_data = p;
			return true;
		}
	}
	return false;
}

/* One piece, from the key after `after` (empty: from the start). *ret_more: there is more. */
static int quarantine_piece(struct backup *b, char after[STORE_KEY_BYTES_MAX], size_t *n,
                            bool *ret_more)
{
	MDB_dbi dbi = b->from->tables[STORE_QUARANTINE];
	struct reader *r;
	MDB_cursor *c;
	MDB_val k = {*n, after}, v;
	size_t bytes = 0;
	int err = reader_get(b->from, &r);
	if (err)
		return err;
	int rc = mdb_cursor_open(r->txn, dbi, &c);
	if (rc)
		goto out;
	rc = mdb_cursor_get(c, &k, &v, *n ? MDB_SET_RANGE : MDB_FIRST);
	if (!rc && *n && k.mv_size == *n && memcmp(k.mv_data, after, *n) == 0)
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	while (!rc && bytes < LIMIT_STORE_COPY_BYTES) {
		rc = copy_put(&b->to, b->to.tables[STORE_QUARANTINE], k, v, MDB_APPEND);
		if (rc)
			break;
		progress_set(b, k);
		memcpy(after, k.mv_data, k.mv_size);
		*n = k.mv_size;
		bytes += k.mv_size + v.mv_size;
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
out:
	reader_put(b->from, r);
	*ret_more = !rc;
	return rc == MDB_NOTFOUND ? 0 : store_err(rc);
}

static int copy_quarantine(struct backup *b)
{
	char after[STORE_KEY_BYTES_MAX];
	size_t n = 0;
	bool more = true;
	int err = 0;
	while (!err && more) {
		err = quarantine_piece(b, after, &n, &more);
		if (!err)
			err = copy_flush(&b->to);
	}
	return err ? err : b->progress.err;
}

static int copy_quarantine_rest(struct backup *b, MDB_txn *txn)
{
	MDB_cursor *c;
	MDB_val k, v;
	int rc = mdb_cursor_open(txn, b->from->tables[STORE_QUARANTINE], &c);
	if (rc)
		return rc;
	rc = mdb_cursor_get(c, &k, &v, MDB_FIRST);
	while (!rc) {
		if (progress_skip(b, &k)) {
			char after[ROW_KEY_BYTES + 1] = {0}; /* the least key that sorts behind */
			memcpy(after, k.mv_data, ROW_KEY_BYTES);
			k = (MDB_val){sizeof(after), after};
			rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
			continue;
		}
		rc = copy_put(&b->to, b->to.tables[STORE_QUARANTINE], k, v, 0);
		if (!rc)
			rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* ---- the captured commit ---- */

static int capture_last(struct backup *b, MDB_txn *txn, const struct log *l, uint64_t high)
{
	MDB_cursor *c;
	MDB_val k, v;
	int rc = mdb_cursor_open(txn, l->dbi, &c);
	if (rc)
		return rc;
	rc = mdb_cursor_get(c, &k, &v, MDB_LAST);
	b->last[l->id - 1] = rc ? high : load_u64(k.mv_data);
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The rows of the feeds, each with the captured last sequence as its high mark. */
static int capture_feeds(struct backup *b, MDB_txn *txn)
{
	MDB_cursor *c;
	MDB_val k = {5, (void *)(uintptr_t) "feed/"}, v;
	uint8_t row[FEED_ROW_BYTES_MAX];
	int rc = mdb_cursor_open(txn, b->from->tables[STORE_META], &c);
	if (rc)
		return rc;
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	while (!rc && k.mv_size > 5 && memcmp(k.mv_data, "feed/", 5) == 0) {
		struct log now;
		uint64_t high;
		if (feed_row_read(span_of_val(v), &now, &high) != 0)
			rc = MDB_CORRUPTED;
		const struct log *known = rc ? NULL : log_find(b->from, now.id);
		if (!rc && !known)
			rc = MDB_BAD_DBI; /* made after we opened */
		if (!rc)
			rc = capture_last(b, txn, known, high);
		if (rc)
			break;
		MDB_val kept = {feed_row_write(row, &now, b->last[now.id - 1]), row};
		rc = copy_log_create(&b->to, now.id);
		if (!rc)
			rc = copy_put(&b->to, b->to.tables[STORE_META], k, kept, 0);
		if (!rc)
			rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* MDB_BAD_DBI: a feed was made since the store was opened. */
static int capture(struct backup *b)
{
	struct reader *r;
	MDB_val k = {strlen(store_key_commit), (void *)(uintptr_t)store_key_commit}, v;
	int err = reader_get(b->from, &r);
	if (err)
		return err;
	int rc = mdb_get(r->txn, b->from->tables[STORE_META], &k, &v);
	if (!rc && v.mv_size != sizeof(b->commit))
		rc = MDB_CORRUPTED;
	if (!rc) {
		b->commit = load_u64(v.mv_data);
		rc = copy_put(&b->to, b->to.tables[STORE_META], k, v, 0);
	}
	if (!rc)
		rc = capture_feeds(b, r->txn);
	for (unsigned i = STORE_META + 1; i < STORE_TABLES && !rc; i++) {
		if (i != STORE_QUARANTINE)
			rc = copy_table(&b->to, b->from, r->txn, i);
	}
	if (!rc)
		rc = copy_quarantine_rest(b, r->txn);
	reader_put(b->from, r);
	if (rc == MDB_BAD_DBI)
		return ERR_AGAIN;
	return rc ? store_err(rc) : copy_flush(&b->to);
}

/* ---- the whole ---- */

static int copy_logs(struct backup *b)
{
	int err = 0;
	copy_watch(&b->to, b->from, b->watch);
	for (unsigned i = 0, n = atomic_load(&b->from->n_logs); i < n && !err; i++) {
		if (b->last[i] > 0)
			err = copy_log(&b->to, b->from, b->from->logs[i], b->last[i]);
	}
	return err;
}

static int write_manifest(const struct backup *b, const char *dir)
{
	char text[256], id[33], when[RFC3339_BYTES + 1] = "";
	struct clock clock = clock_system();
	for (unsigned i = 0; i < 16; i++)
		snprintf(id + 2 * i, 3, "%02x", b->from->id[i]);
	rfc3339_format(clock_wall_ms(&clock), when);
	int n = snprintf(text, sizeof(text),
	                 "oudp-backup 1\nstore %s\ncommit %llu\nrecords %llu\nfeeds %u\ntime %s\n",
	                 id, (unsigned long long)b->commit, (unsigned long long)b->to.records,
	                 atomic_load(&b->from->n_logs), when);
	auto_free char *temporary = store_path(dir, "backup.new"),
	               *path = store_path(dir, "backup");
	int err = store_write_file(temporary, text, (size_t)n);
	if (!err && rename(temporary, path) != 0)
		err = -errno;
	return err ? err : store_sync_dir(dir);
}

static int backup_try(struct backup *b, const char *data_dir, const char *dir)
{
	const struct store_options o = {
	    .dir = data_dir, .read_only = true, .map_bytes = 1 << 20, .feeds_max = LIMIT_FEEDS};
	b->from = NULL;
	b->progress.len = 0;
	int err = store_open(&o, &b->from, b->why, b->why_size);
	if (err)
		return err;
	b->last = xcalloc(b->from->logs_max, sizeof(*b->last));
	if (b->watch)
		b->watch->fn(b->watch->arg, 0, 0);
	if (!b->series_copied) /* what is copied before the journal is never ahead of it */
		err = side_copy(data_dir, dir, b->from->id, b->why, b->why_size);
	if (err)
		return err;
	b->series_copied = true;
	auto_free char *journal = store_path(dir, "journal");
	err = copy_open(&b->to, journal, b->from, b->why, b->why_size);
	if (err)
		return err;
	err = copy_quarantine(b);
	if (!err)
		err = capture(b);
	if (!err)
		err = copy_logs(b);
	if (!err)
		err = copy_finish(&b->to);
	if (!err)
		err = write_manifest(b, dir);
	if (err)
		copy_explain(err, data_dir, dir, b->why, b->why_size);
	return err;
}

static void backup_done(struct backup *b, bool keep)
{
	copy_close(&b->to, keep);
	store_close(b->from);
	free(b->last);
	b->from = NULL;
	b->last = NULL;
}

/* Makes dir, or finds it empty. */
static int empty_dir(const char *dir, char *why, size_t size)
{
	int err = store_make_dir(dir, why, size);
	if (err)
		return err;
	DIR *d = opendir(dir);
	if (!d)
		return env_explain(errno, dir, why, size);
	for (struct dirent *e; (e = readdir(d)) && !err;) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			err = -ENOTEMPTY;
	}
	closedir(d);
	if (err)
		store_why(why, size, "%s is not empty: name a new directory", dir);
	return err;
}

int store_backup(const char *data_dir, const char *dir, const struct store_watch *watch, char *why,
                 size_t why_size)
{
	struct backup b = {.watch = watch, .why = why, .why_size = why_size};
	buf_init(&b.progress, LIMIT_FEEDS * 100 * ROW_KEY_BYTES);
	int err = empty_dir(dir, why, why_size);
	if (err)
		goto out;
	for (unsigned i = 0; i < CAPTURE_TRIES; i++) {
		err = backup_try(&b, data_dir, dir);
		backup_done(&b, !err);
		if (err != ERR_AGAIN)
			break;
	}
out:
	buf_done(&b.progress);
	return err;
}
