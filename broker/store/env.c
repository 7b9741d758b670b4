/* env.c - opening and closing a store: lock, directories, size check, walk, environment, clean
 * marker.
 *
 * dir/lock     flock'ed by the one daemon, holds its pid
 * dir/journal  the LMDB environment: data.mdb, lock.mdb
 * dir/clean    written by store_close(), removed at the next open: size and times of data.mdb.
 * Missing or different: the store was not closed, or somebody touched it since dir/reserve  disk
 * kept for trimming (room.c) */
#include "store/env.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROOT_BYTES = 2 * 512 }; /* LMDB's two root pages are at least this */

/* ---- small things ---- */

void store_why(char *why, size_t size, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, size, fmt, ap);
	va_end(ap);
}

char *store_path(const char *dir, const char *name)
{
	char *path = NULL;
	if (asprintf(&path, "%s/%s", dir, name) < 0)
		path = NULL;
	assert(path);
	return path;
}

int store_sync_dir(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		return -errno;
	return 0;
}

int store_make_dir(const char *path, char *why, size_t size)
{
	if (mkdir(path, 0700) == 0)
		return 0;
	int err = errno;
	struct stat st;
	if (err == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	store_why(why, size,
	          "cannot make the directory %s: %s; make it and give it to the user that oudpd "
	          "runs as",
	          path, strerror(err));
	return -err;
}

int store_write_file(const char *path, const char *text, size_t n)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	ssize_t done = write(fd, text, n);
	if (done < 0 || fsync(fd) != 0)
		return -errno;
	return (size_t)done == n ? 0 : -ENOSPC;
}

int env_explain(int rc, const char *path, char *why, size_t size)
{
	int err = store_err(rc);
	switch (err) {
	case ERR_STORE_DAMAGED:
		store_why(why, size, "%s is damaged (%s); restore a backup with 'oudp restore'",
		          path, mdb_strerror(rc));
		break;
	case ERR_STORE_FORMAT:
		store_why(why, size, "%s was written by another version of LMDB (%s)", path,
		          mdb_strerror(rc));
		break;
	case ERR_STORE_FULL:
		store_why(why, size, "no room for %s: %s; make room on the disk", path,
		          rc > 0 ? strerror(rc) : mdb_strerror(rc));
		break;
	case -EACCES:
	case -EPERM:
	case -EROFS:
		store_why(why, size,
		          "cannot open %s: %s; it must belong to the user that oudpd runs as, on a "
		          "file system that can be written",
		          path, strerror(rc));
		break;
	case -ENOMEM:
		store_why(why, size,
		          "cannot map %s: %s; make journal-size or series-size in the "
		          "configuration smaller",
		          path, strerror(rc));
		break;
	default: store_why(why, size, "cannot open %s: %s", path, mdb_strerror(rc));
	}
	return err;
}

/* ---- the lock ---- */

int store_lock(const char *dir, int *ret_fd, char *why, size_t size)
{
	auto_free char *path = store_path(dir, "lock");
	char pid[32] = "";
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return env_explain(errno, path, why, size);
	/* The child of a start that was killed may hold it for a moment longer than its parent
	 * lived. */
	int tries = LIMIT_STORE_LOCK_TRIES;
	while (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK && --tries > 0)
		usleep(LIMIT_STORE_LOCK_WAIT_US);
	if (tries == 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
		int err = errno;
		ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);
		long number = n > 0 ? strtol(pid, NULL, 10) : 0;
		if (err == EWOULDBLOCK)
			store_why(why, size,
			          "%s is in use by another oudpd (process %ld); stop that one "
			          "first",
			          dir, number);
		else
			store_why(why, size, "cannot lock %s: %s", path, strerror(err));
		close(fd);
		return err == EWOULDBLOCK ? -EBUSY : -err;
	}
	int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) < 0) {
		int err = errno;
		if (err != ENOSPC &&
		    err != EDQUOT) { /* the pid is a courtesy: not on a full disk */
			close(fd);
			return env_explain(err, path, why, size);
		}
	}
	*ret_fd = fd;
	return 0;
}

/* ---- the clean marker ---- */

static bool marker_text(const struct store *s, uint64_t commit, char *out, size_t size)
{
	struct stat st;
	if (stat(s->data_path, &st) != 0)
		return false;
	snprintf(out, size, "commit %llu size %lld times %lld.%09ld %lld.%09ld\n",
	         (unsigned long long)commit, (long long)st.st_size, (long long)st.st_mtim.tv_sec,
	         st.st_mtim.tv_nsec, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	return true;
}

/* Whether the file is the one that was closed. *ret_commit: the last commit then, 0: no marker. */
static bool marker_fits(const struct store *s, uint64_t *ret_commit)
{
	char wanted[192], found[192] = "";
	unsigned long long commit = 0;
	auto_close int fd = open(s->clean_path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, found, sizeof(found) - 1) <= 0 ||
	    sscanf(found, "commit %llu ", &commit) != 1)
		return false;
	*ret_commit = commit;
	return marker_text(s, commit, wanted, sizeof(wanted)) && strcmp(found, wanted) == 0;
}

static void marker_write(const struct store *s)
{
	char text[192];
	if (!marker_text(s, store_last_commit(s), text, sizeof(text)) ||
	    store_write_file(s->clean_path, text, strlen(text)) != 0)
		unlink(s->clean_path); /* then the next start looks closer: no harm */
}

/* Commits never go back: LMDB falls back to its older root page when the newer one is spoiled, and
 * somebody may have put an older copy in place. */
static int check_commit(const struct store *s, uint64_t closed_at, char *why, size_t size)
{
	unsigned long long commit = store_last_commit(s);
	if (commit >= closed_at)
		return 0;
	store_why(why, size,
	          "%s stands at commit %llu, but was closed at commit %llu: its root page is "
	          "damaged, or an older copy was put in its place; restore a backup with 'oudp "
	          "restore', or remove %s to go on with what is there",
	          s->data_path, commit, (unsigned long long)closed_at, s->clean_path);
	return ERR_STORE_DAMAGED;
}

/* ---- the environment ---- */

int env_open(const char *journal, uint64_t map_bytes, unsigned flags, unsigned dbs_max,
             MDB_env **ret)
{
	MDB_env *env;
	int rc = mdb_env_create(&env);
	if (rc)
		return rc;
	rc = mdb_env_set_mapsize(env, map_bytes);
	if (!rc)
		rc = mdb_env_set_maxdbs(env, dbs_max);
	if (!rc)
		rc = mdb_env_set_maxreaders(env, LIMIT_STORE_READER_SLOTS);
	if (!rc)
		rc = mdb_env_open(env, journal, MDB_NOTLS | flags, 0600);
	if (rc)
		mdb_env_close(env);
	else
		*ret = env;
	return rc;
}

int env_check_size(MDB_env *env, const char *data_path, char *why, size_t size)
{
	MDB_envinfo info;
	MDB_stat env_st;
	struct stat st;
	int rc = mdb_env_info(env, &info);
	if (!rc)
		rc = mdb_env_stat(env, &env_st);
	if (!rc && stat(data_path, &st) != 0)
		rc = errno;
	if (rc)
		return env_explain(rc, data_path, why, size);
	uint64_t pages = (uint64_t)st.st_size / env_st.ms_psize;
	if (info.me_last_pgno < pages)
		return 0;
	store_why(why, size,
	          "%s is cut short: %llu of %llu pages are there; restore a backup with 'oudp "
	          "restore'",
	          data_path, (unsigned long long)pages, (unsigned long long)info.me_last_pgno + 1);
	return ERR_STORE_DAMAGED;
}

/* A new environment is made aside and moved into its place when it is whole; when the directory is
 * there already and empty (a mount point) it is made inside. */
static int make_journal(const struct store *s, char *why, size_t size)
{
	struct stat st;
	MDB_env *env = NULL;
	bool inside = stat(s->journal_path, &st) == 0;
	auto_free char *path =
	    inside ? xstrdup(s->journal_path) : store_path(s->dir, "journal.new");
	auto_free char *data = store_path(path, "data.mdb");
	int err = store_make_dir(path, why, size);
	if (err)
		return err;
	unlink(data);
	int rc = env_open(path, 1 << 20, 0, STORE_TABLES, &env);
	if (!rc) {
		rc = store_create(env, NULL);
		mdb_env_close(env);
	}
	if (!rc)
		rc = -store_sync_dir(path);
	if (!rc && !inside && rename(path, s->journal_path) != 0)
		rc = errno;
	if (!rc)
		rc = -store_sync_dir(s->dir);
	return rc ? env_explain(rc, data, why, size) : 0;
}

static void assert_failed(MDB_env *env, const char *text)
{
	(void)env;
	(void)text;
	abort(); /* LMDB would print first */
}

/* A root page with a wild page size or last page makes mmap(2) fail. */
static bool root_lies(int rc, uint64_t map)
{
	if (rc != ENOMEM)
		return rc == EINVAL || rc == EOVERFLOW;
	void *p = mmap(NULL, map, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return false; /* the map we asked for is too large */
	munmap(p, map);
	return true;
}

static int open_environment(struct store *s, const struct store_options *o, char *why, size_t size)
{
	struct stat st;
	unsigned logs_max = 2 * o->feeds_max;
	if (stat(s->data_path, &st) != 0)
		return env_explain(errno, s->data_path, why, size);
	if (st.st_size < ROOT_BYTES) {
		store_why(why, size,
		          "%s is cut short to %lld bytes; restore a backup with 'oudp restore'",
		          s->data_path, (long long)st.st_size);
		return ERR_STORE_DAMAGED;
	}
	/* A reader must see what a daemon with a larger map writes. */
	uint64_t map = o->map_bytes;
	if (s->read_only)
		map = MAX_OF(map, 4 * (uint64_t)st.st_size + (1ull << 30));
	unsigned flags = s->read_only ? MDB_RDONLY : 0;
	if (s->probing && !o->read_only)
		flags |= MDB_NOLOCK;
	for (;;) {
		int rc = env_open(s->journal_path, map, flags, logs_max + STORE_TABLES, &s->env);
		if (rc) {
			s->env = NULL;
			return env_explain(root_lies(rc, map) ? MDB_CORRUPTED : rc, s->data_path,
			                   why, size);
		}
		if (s->probing)
			mdb_env_set_assert(s->env, assert_failed);
		int err = env_check_size(s->env, s->data_path, why, size);
		if (!err)
			err = room_map(s->env, map);
		if (!err)
			err = store_load(s, logs_max, why, size);
		unsigned known = atomic_load(&s->n_logs);
		/* Logs of feeds that are gone stay: there must be room for as many new ones. */
		if (err != -E2BIG && (err || known + o->feeds_max <= logs_max))
			return err;
		logs_max = err ? 2 * logs_max : known + o->feeds_max;
		store_unload(s);
		mdb_env_close(s->env);
		s->env = NULL;
	}
}

/* ---- open, close ---- */

static int open_writer(struct store *s, const struct store_options *o, char *why, size_t size)
{
	struct stat st;
	uint64_t closed_at = 0;
	int dead;
	int err = store_make_dir(s->dir, why, size);
	if (!err)
		err = store_lock(s->dir, &s->lock_fd, why, size);
	if (err)
		return err;
	if (stat(s->data_path, &st) != 0) {
		err = make_journal(s, why, size);
	} else {
		bool small = st.st_size <= LIMIT_STORE_WALK_BYTES;
		bool clean = marker_fits(s, &closed_at);
		err = store_verify(o, s->journal_path, o->verify || (small && !clean), why, size);
	}
	if (!err && (s->data_fd = open(s->data_path, O_RDWR | O_CLOEXEC)) < 0)
		err = env_explain(errno, s->data_path, why, size);
	if (!err)
		err = open_environment(s, o, why, size);
	if (!err)
		err = check_commit(s, closed_at, why, size);
	if (err)
		return err;
	int rc = mdb_reader_check(s->env, &dead);
	if (!rc && unlink(s->clean_path) == 0)
		rc = -store_sync_dir(s->dir);
	if (!rc)
		rc = store_raise_format(s->env, s->tables[STORE_META]);
	if (rc == MDB_MAP_FULL || rc == ENOSPC) /* with the next start: a full store must open */
		rc = 0;
	if (rc)
		return env_explain(rc, s->data_path, why, size);
	room_init(s, o->map_bytes, o->reserve_bytes);
	room_restore_reserve(s);
	return 0;
}

static int open_reader(struct store *s, const struct store_options *o, char *why, size_t size)
{
	struct stat st;
	if (stat(s->data_path, &st) != 0) {
		int err = errno;
		store_why(why, size, "there is no store in %s: %s: %s", s->dir, s->data_path,
		          strerror(err));
		return -err;
	}
	int err = o->verify ? store_verify(o, s->journal_path, true, why, size) : 0;
	if (!err)
		err = open_environment(s, o, why, size);
	if (!err)
		room_init(s, o->map_bytes, 0);
	return err;
}

static struct store *store_new(const struct store_options *o)
{
	assert(o->dir && o->feeds_max > 0);
	assert(o->map_bytes >= 1 << 20);
	struct store *s = xcalloc(1, sizeof(*s));
	s->lock_fd = s->data_fd = -1;
	s->read_only = o->read_only;
	s->dir = xstrdup(o->dir);
	s->journal_path = store_path(s->dir, "journal");
	s->data_path = store_path(s->journal_path, "data.mdb");
	s->clean_path = store_path(s->dir, "clean");
	s->reserve_path = store_path(s->dir, "reserve");
	readers_init(s);
	return s;
}

int env_probe(const struct store_options *o, struct store **ret, char *why, size_t size)
{
	*ret = store_new(o);
	(*ret)->read_only = (*ret)->probing = true;
	return open_environment(*ret, o, why, size);
}

int store_open(const struct store_options *o, struct store **ret, char *why, size_t why_size)
{
	assert(why_size > 0);
	struct store *s = store_new(o);
	int err =
	    o->read_only ? open_reader(s, o, why, why_size) : open_writer(s, o, why, why_size);
	if (err) {
		s->poisoned = true; /* whatever it was: the next start looks close */
		store_close(s);
		return err;
	}
	*ret = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->txn.txn)
		store_abort(&s->txn);
	readers_done(s);
	store_unload(s);
	if (s->env)
		mdb_env_close(s->env);
	if (s->data_fd >= 0)
		close(s->data_fd);
	if (!s->read_only && !s->poisoned)
		marker_write(s);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->dir);
	free(s->journal_path);
	free(s->data_path);
	free(s->clean_path);
	free(s->reserve_path);
	free(s);
}

void store_id(const struct store *s, uint8_t ret[16])
{
	memcpy(ret, s->id, sizeof(s->id));
}

uint64_t store_last_commit(const struct store *s)
{
	return atomic_load_explicit(&s->last_commit, memory_order_acquire);
}
