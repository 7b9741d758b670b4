/* compact.c - `oudp compact`: the content of a store, copied into a new one that takes its place. A
 * live page of LMDB keeps bytes of what was deleted or rewritten in its slack, and a free page
 * keeps them all; a copy of the content has none of them.
 *
 * The daemon does not run: data-dir/lock is held. The two journals change places in one step
 * (RENAME_EXCHANGE); before it the old one is whole, after it the new one is. */
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

/* What a compaction left, or one that was cut short: the journal that was there, the copy of the
 * series that a backup makes, its manifest. */
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

static int exchange(const char *data_dir, const char *fresh, char *why, size_t size)
{
	auto_free char *journal = store_path(data_dir, "journal"),
	               *clean = store_path(data_dir, "clean"), *copy = store_path(fresh, "journal");
	unlink(clean); /* it speaks of the old file */
	if (renameat2(AT_FDCWD, copy, AT_FDCWD, journal, RENAME_EXCHANGE)) {
		int err = -errno;
		store_why(why, size, "%s and %s cannot change places: %s", copy, journal,
		          strerror(errno));
		return err;
	}
	return store_sync_dir(data_dir);
}

int store_compact(const char *data_dir, char *why, size_t why_size)
{
	auto_free char *fresh = store_path(data_dir, "compact"),
	               *old = store_path(fresh, "journal/data.mdb");
	auto_close int lock = -1;
	int err = store_lock(data_dir, &lock, why, why_size);
	if (err)
		return err;
	remove_copy(fresh); /* of one that was cut short */
	err = store_backup(data_dir, fresh, why, why_size);
	if (!err)
		err = exchange(data_dir, fresh, why, why_size);
	if (!err && (err = wipe(old)) != 0)
		store_why(why, why_size,
		          "the store is compact, but %s could not be overwritten: %s; remove it",
		          old, strerror(-err));
	remove_copy(fresh);
	return err;
}
