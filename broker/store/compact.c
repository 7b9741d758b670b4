/* compact.c - `oudp compact`: the content of a store, copied into a new one that takes its place. A
 * live page of LMDB keeps bytes of what was deleted or rewritten in its slack, and a free page
 * keeps them all; a copy of the content has none of them.
 *
 * The daemon does not run: data-dir/lock is held. Old and new change places in one step each
 * (RENAME_EXCHANGE), the series first: they say the same as before, so that either journal fits
 * them. Cut short in between, the one is compact and the other not yet. */
#include "base/err.h"
#include "base/mem.h"
#include "store/env.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files of a directory, and the directory. */
static void remove_directory(const char *dir, const char *name)
{
	auto_free char *path = store_path(dir, name);
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));) {
		auto_free char *file = store_path(path, e->d_name);
		(void)unlink(file); /* not "." and ".." */
	}
	if (d)
		closedir(d);
	(void)rmdir(path);
}

/* What a compaction left, or one that was cut short: what was there before, or a copy that did not
 * take its place, and the manifest. */
static void remove_copy(const char *dir)
{
	auto_free char *parent = xstrdup(dir);
	char *slash = strrchr(parent, '/');
	assert(slash);
	*slash = '\0';
	remove_directory(dir, "journal");
	remove_directory(dir, "series");
	remove_directory(parent, slash + 1);
}

/* Not only the names go: who reads the device finds zeroes where the file system writes in place.
 */
static int wipe(const char *path)
{
	static const char zero[1 << 16];
	struct stat st;
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st))
		return -errno;
	for (off_t at = 0; at < st.st_size;) {
		off_t data = lseek(fd, at, SEEK_DATA); /* holes stay holes */
		if (data < 0)
			break;
		off_t hole = lseek(fd, data, SEEK_HOLE);
		for (at = data; at < hole;) {
			ssize_t n = pwrite(fd, zero, MIN_OF((size_t)(hole - at), sizeof(zero)), at);
			if (n <= 0)
				return n < 0 ? -errno : -EIO;
			at += n;
		}
	}
	return fsync(fd) ? -errno : 0;
}

/* name: journal or series; a store without series has none to change. */
static int exchange(const char *data_dir, const char *fresh, const char *name, char *why,
                    size_t size)
{
	auto_free char *now = store_path(data_dir, name), *clean = store_path(data_dir, "clean"),
	               *copy = store_path(fresh, name);
	unlink(clean); /* it speaks of the old file */
	if (access(copy, F_OK) && errno == ENOENT)
		return 0;
	if (renameat2(AT_FDCWD, copy, AT_FDCWD, now, RENAME_EXCHANGE)) {
		int err = -errno;
		store_why(why, size, "%s and %s cannot change places: %s", copy, now,
		          strerror(errno));
		return err;
	}
	return store_sync_dir(data_dir);
}

static int wipe_old(const char *fresh, const char *file, char *why, size_t size)
{
	auto_free char *old = store_path(fresh, file);
	int err = wipe(old);
	if (err)
		store_why(why, size,
		          "the store is compact, but %s could not be overwritten: %s; remove it",
		          old, strerror(-err));
	return err;
}

int store_compact(const char *data_dir, const struct store_watch *watch, char *why, size_t why_size)
{
	auto_free char *fresh = store_path(data_dir, "compact");
	auto_close int lock = -1;
	int err = store_lock(data_dir, &lock, why, why_size);
	if (err)
		return err;
	remove_copy(fresh); /* of one that was cut short */
	err = store_backup(data_dir, fresh, watch, why, why_size);
	if (!err)
		err = exchange(data_dir, fresh, "series", why, why_size);
	if (!err)
		err = exchange(data_dir, fresh, "journal", why, why_size);
	if (!err)
		err = wipe_old(fresh, "series/data.mdb", why, why_size);
	if (!err)
		err = wipe_old(fresh, "journal/data.mdb", why, why_size);
	remove_copy(fresh);
	return err;
}
