/* restore.c - puts a backup back into an empty data-dir.
 *
 * The backup is walked first, in a child. Then its content is copied once more into
 * data-dir/journal.new, where every feed gets a new epoch that begins after its last record: a
 * subscriber whose cursor is further (it saw records that the backup does not have) is told so, and
 * the numbers are not given out twice under one epoch. The rename to data-dir/journal comes last.
 */
#include "base/err.h"
#include "base/mem.h"
#include "store/copy.h"
#include "store/side.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void new_epoch(struct log *l, int64_t now_ms)
{
	struct store_epoch e = {(uint32_t)MAX_OF(now_ms / 1000, 1), l->last + 1};
	e.epoch = MAX_OF(e.epoch, l->epochs[l->n_epochs - 1].epoch + 1);
	if (l->n_epochs == STORE_EPOCHS_MAX) {
		memmove(l->epochs, l->epochs + 1, sizeof(e) * (STORE_EPOCHS_MAX - 1));
		l->n_epochs--;
	}
	l->epochs[l->n_epochs++] = e;
}

static int copy_feed(struct copy *c, struct store *from, const struct log *l, int64_t now_ms)
{
	char key[5 + STORE_NAME_BYTES_MAX];
	uint8_t row[FEED_ROW_BYTES_MAX];
	struct log now = *l;
	new_epoch(&now, now_ms);
	MDB_val k = feed_row_key(key, span_str(l->name)),
	        v = {feed_row_write(row, &now, l->last), row};
	int rc = copy_log_create(c, l->id);
	if (!rc)
		rc = copy_put(c, c->tables[STORE_META], k, v, 0);
	if (rc)
		return store_err(rc);
	return l->last ? copy_log(c, from, l, l->last) : 0;
}

static int copy_state(struct copy *c, struct store *from)
{
	struct reader *r;
	int err = reader_get(from, &r);
	if (err)
		return err;
	int rc = 0;
	for (unsigned i = STORE_META + 1; i < STORE_TABLES && !rc; i++)
		rc = copy_table(c, from, r->txn, i);
	reader_put(from, r);
	uint64_t commit = store_last_commit(from);
	MDB_val k = {strlen(store_key_commit), (void *)(uintptr_t)store_key_commit};
	MDB_val v = {sizeof(commit), &commit};
	if (!rc)
		rc = copy_put(c, c->tables[STORE_META], k, v, 0);
	return store_err(rc);
}

/* The backup's own word: it is whole, and it belongs to the journal beside it. */
static int check_manifest(const char *dir, const struct store *from, char *why, size_t size)
{
	auto_free char *path = store_path(dir, "backup");
	char text[512] = "", id[33];
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0) {
		store_why(why, size, "%s is not a whole backup: %s: %s", dir, path,
		          strerror(errno));
		return ERR_STORE_FORMAT;
	}
	if (strncmp(text, "oudp-backup 1\n", 14) != 0) {
		store_why(why, size, "%s is not a backup that this version can read", path);
		return ERR_STORE_FORMAT;
	}
	for (unsigned i = 0; from && i < 16; i++)
		snprintf(id + 2 * i, 3, "%02x", from->id[i]);
	const char *at = strstr(text, "\nstore ");
	if (from && (!at || strncmp(at + 7, id, 32) != 0)) {
		store_why(why, size, "%s and %s/journal are not of one store", path, dir);
		return ERR_STORE_FORMAT;
	}
	return 0;
}

static int restore_into(struct store *from, const char *data_dir, int64_t now_ms,
                        const struct store_watch *watch, char *why, size_t size)
{
	struct copy c;
	auto_free char *fresh = store_path(data_dir, "journal.new");
	auto_free char *journal = store_path(data_dir, "journal");
	int err = copy_open(&c, fresh, from, why, size);
	bool copying = !err;
	if (!err)
		err = copy_state(&c, from);
	if (!err)
		copy_watch(&c, from, watch);
	for (unsigned i = 0, n = atomic_load(&from->n_logs); i < n && !err; i++)
		err = copy_feed(&c, from, from->logs[i], now_ms);
	if (!err)
		err = copy_finish(&c);
	if (!err) {
		auto_free char *clean = store_path(data_dir, "clean");
		unlink(clean); /* of the store that was here before: it speaks of another one */
		err = rename(fresh, journal) == 0 ? 0 : -errno;
	}
	if (!err)
		err = store_sync_dir(data_dir);
	if (err && copying)
		copy_explain(err, from->dir, data_dir, why, size);
	copy_close(&c, !err);
	return err;
}

static int check_free(const char *data_dir, char *why, size_t size)
{
	struct stat st;
	auto_free char *data = store_path(data_dir, "journal/data.mdb");
	if (stat(data, &st) != 0)
		return 0;
	store_why(why, size, "%s already holds a store: move %s/journal away first", data_dir,
	          data_dir);
	return -EEXIST;
}

int store_restore(const char *dir, const char *data_dir, int64_t now_ms,
                  const struct store_watch *watch, char *why, size_t why_size)
{
	const struct store_options o = {
	    .dir = dir, .map_bytes = 1 << 20, .feeds_max = LIMIT_FEEDS, .verify = true};
	struct store *from = NULL;
	auto_close int lock = -1;
	int err = check_manifest(dir, NULL, why, why_size);
	if (!err)
		err = store_make_dir(data_dir, why, why_size);
	if (!err)
		err = store_lock(data_dir, &lock, why, why_size);
	if (!err)
		err = check_free(data_dir, why, why_size);
	if (!err) {
		auto_free char *journal = store_path(dir, "journal");
		err = store_verify(&o, journal, true, why, why_size);
	}
	if (err)
		return err;
	if (watch)
		watch->fn(watch->arg, 0, 0);
	err = env_probe(&o, &from, why, why_size);
	if (!err)
		err = check_manifest(dir, from, why, why_size);
	if (!err) /* first: the journal is what makes a store of it */
		err = side_copy(dir, data_dir, from->id, why, why_size);
	if (!err)
		err = restore_into(from, data_dir, now_ms, watch, why, why_size);
	store_close(from);
	return err;
}
