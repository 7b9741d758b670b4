/* room.c - may this transaction still take pages? Keeps ingest out of the last part of the map and
 * of the disk, so that trimming always has what it needs.
 *
 * LMDB takes a page from its free list, else it makes the file longer; the file never gets shorter.
 * From the public figures (last page, free list) and an upper bound of what a transaction takes:
 *
 *   1. the file may grow: last page + need is under the limit, and disk blocks are there. Blocks
 * are taken ahead of the commit with fallocate(2), so that a full disk is met here and not as a
 *      short write inside LMDB;
 *   2. it may not, but enough pages are free: freed before the oldest reader. Counting them costs a
 *      walk of the free list, so the count is kept as a credit that commits draw from;
 *   3. neither: ERR_STORE_FULL.
 *
 * The map: ingest ends at limit_pages, trimming at map_pages. The disk: dir/reserve is a file of
 * reserve_bytes; while it is missing (the disk was full at start, or a trim spent it) the journal's
 * file does not grow for ingest, so what a trim frees on disk is not eaten by the next batch.
 *
 * Values of more than half a page need runs of pages. LMDB finds them in its free list or makes the
 * file longer: what free runs there are is counted as LMDB takes them, from the lowest page. The
 * rest of the uncertainty is carried by half of the map's reserve; behind it large values are
 * refused. */
#include "base/err.h"
#include "base/mem.h"
#include "store/env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	ROOM_SLACK_PAGES = 32,        /* the free list's own pages, the rows of named databases */
	ROOM_GROW_PAGES_MIN = 64,     /* a small store does not take much of the disk */
	ROOM_REFUSED_PAGES_MAX = 256, /* 1 MB: one huge message does not keep out all others */
	ROOM_DISK_BYTES = 4 << 20     /* left over beside the reserve before it is made again */
};

static uint64_t map_reserve(uint64_t map_bytes)
{
	return MIN_OF((uint64_t)LIMIT_RESERVE_BYTES, map_bytes / 4);
}

int room_map(MDB_env *env, uint64_t map_bytes)
{
	MDB_envinfo info;
	MDB_stat st;
	int rc = mdb_env_info(env, &info);
	if (!rc)
		rc = mdb_env_stat(env, &st);
	if (rc)
		return store_err(rc);
	uint64_t end = (info.me_last_pgno + 1) * (uint64_t)st.ms_psize,
	         kept = map_reserve(map_bytes);
	if (end + kept / 2 <= info.me_mapsize)
		return 0;
	return store_err(mdb_env_set_mapsize(env, end + kept));
}

void room_init(struct store *s, uint64_t map_bytes, uint64_t reserve_bytes)
{
	MDB_envinfo info;
	MDB_stat st;
	int rc = mdb_env_info(s->env, &info);
	if (!rc)
		rc = mdb_env_stat(s->env, &st);
	assert(!rc);
	struct room *r = &s->room;
	*r = (struct room){.psize = st.ms_psize, .reserve_bytes = reserve_bytes};
	r->map_pages = info.me_mapsize / r->psize;
	r->limit_pages = (map_bytes - map_reserve(map_bytes)) / r->psize;
	r->allocated_pages = info.me_last_pgno + 1;
	r->reserve_held = reserve_bytes == 0;
}

/* ---- the reserve on disk ---- */

static uint64_t disk_free(const struct store *s)
{
	struct statvfs fs;
	if (statvfs(s->dir, &fs) != 0)
		return 0;
	return (uint64_t)fs.f_bavail * fs.f_frsize;
}

bool room_restore_reserve(struct store *s)
{
	struct room *r = &s->room;
	if (r->reserve_held || s->read_only)
		return r->reserve_held;
	auto_close int fd = open(s->reserve_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	off_t there = lseek(fd, 0, SEEK_END);
	uint64_t missing = r->reserve_bytes - MIN_OF((uint64_t)MAX_OF(there, 0), r->reserve_bytes);
	if (missing && disk_free(s) < missing + ROOM_DISK_BYTES)
		goto no;
	if (posix_fallocate(fd, 0, (off_t)r->reserve_bytes) != 0 || fsync(fd) != 0)
		goto no;
	r->reserve_held = true;
	return true;
no:
	unlink(s->reserve_path);
	return false;
}

bool room_release_reserve(struct store *s)
{
	s->room.reserve_held = s->room.reserve_bytes == 0;
	return unlink(s->reserve_path) == 0;
}

/* ---- growing the file ---- */

/* Takes disk blocks up to page end. 0, or an errno. */
static int allocate(struct store *s, uint64_t end)
{
	struct room *r = &s->room;
	assert(end > r->allocated_pages);
	off_t from = (off_t)(r->allocated_pages * r->psize);
	off_t n = (off_t)((end - r->allocated_pages) * r->psize);
	while (fallocate(s->data_fd, 0, from, n) != 0) {
		if (errno == EOPNOTSUPP || errno == ENOSYS) {
			r->allocated_pages = UINT64_MAX; /* LMDB's own writes will tell */
			return 0;
		}
		if (errno != EINTR)
			return errno;
	}
	r->allocated_pages = end;
	return 0;
}

static int grow(struct store *s, uint64_t last, uint64_t want, enum room_who who)
{
	struct room *r = &s->room;
	if (who == ROOM_INGEST && !r->reserve_held && !room_restore_reserve(s))
		return ERR_STORE_FULL;
	uint64_t ahead = MIN_OF(last / 8, (uint64_t)LIMIT_STORE_GROW_BYTES / r->psize);
	uint64_t end = want + MAX_OF(ahead, (uint64_t)ROOM_GROW_PAGES_MIN);
	uint64_t limit = MAX_OF(who == ROOM_TRIM ? r->map_pages : r->limit_pages, want);
	int rc = allocate(s, MIN_OF(end, limit));
	if (rc == ENOSPC || rc == EDQUOT)
		rc = allocate(s, want);
	return store_err(rc);
}

/* ---- free pages ---- */

/* mdb_reader_list() gives one line per reader: pid, thread, transaction or '-'. */
static int oldest_reader(const char *line, void *arg)
{
	size_t txnid, *oldest = arg;
	if (sscanf(line, "%*d %*x %zu", &txnid) == 1 && txnid < *oldest)
		*oldest = txnid;
	return 0;
}

struct free_walk {
	size_t oldest; /* rows of transactions before it may be used now, */
	size_t reader; /* ... and before it after one more commit */
	uint64_t all, usable, soon;
	uint64_t *bits; /* NULL, or one per page of the map: usable */
	uint64_t n_bits;
};

/* Rows of the free list: key = transaction that freed them, value = a count and the pages. */
static int walk_free_list(MDB_txn *txn, struct free_walk *w)
{
	MDB_cursor *c;
	MDB_val k, v;
	int rc = mdb_cursor_open(txn, 0, &c); /* 0: LMDB's free list */
	if (rc)
		return rc;
	while (!(rc = mdb_cursor_get(c, &k, &v, MDB_NEXT))) {
		size_t id = load_u64(k.mv_data), n = load_u64(v.mv_data);
		const char *pages = (char *)v.mv_data + sizeof(n);
		if (n > v.mv_size / sizeof(n) - 1) {
			rc = MDB_CORRUPTED;
			break;
		}
		w->all += n;
		w->soon += id < w->reader ? n : 0;
		if (id >= w->oldest)
			continue;
		w->usable += n;
		for (size_t i = 0; w->bits && i < n; i++) {
			uint64_t page = load_u64(pages + i * sizeof(page));
			if (page < w->n_bits)
				w->bits[page / 64] |= 1ull << (page % 64);
		}
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Pages in runs of run, after the lowest skip pages went to others. */
static uint64_t count_runs(const struct free_walk *w, uint64_t skip, size_t run)
{
	uint64_t pages = 0, length = 0;
	for (uint64_t at = 0; at < w->n_bits; at++) {
		uint64_t word = w->bits[at / 64];
		if (!word && at % 64 == 0 && length == 0) {
			at += 63;
			continue;
		}
		if (word >> (at % 64) & 1) {
			if (skip)
				skip--;
			else
				length++;
			continue;
		}
		pages += length / run * run;
		length = 0;
	}
	return pages + length / run * run;
}

static int walk(struct store *s, struct free_walk *w)
{
	struct reader *r;
	int err = reader_get(s, &r);
	if (err)
		return err;
	err = store_err(walk_free_list(r->txn, w));
	reader_put(s, r);
	return err;
}

int room_free_pages(struct store *s, uint64_t *ret_all)
{
	struct free_walk w = {0};
	int err = walk(s, &w);
	if (!err)
		*ret_all = w.all;
	return err;
}

static uint64_t credit_need(const struct need *n, uint64_t all)
{
	return n->single + n->overflow + ROOM_SLACK_PAGES + all / 256;
}

/* Counts anew. txn is the write transaction that wants to commit. */
static int recount(struct store *s, MDB_txn *txn, const struct need *need, uint64_t *ret_all)
{
	struct room *r = &s->room;
	struct free_walk w = {.reader = SIZE_MAX};
	int dead;
	int rc = mdb_reader_check(s->env, &dead); /* a backup that was killed holds pages */
	if (!rc && mdb_reader_list(s->env, oldest_reader, &w.reader) < 0)
		rc = EIO;
	if (rc)
		return store_err(rc);
	w.oldest = MIN_OF(w.reader, mdb_txn_id(txn) - 1);
	r->credit_run = 1;
	while (need->run > r->credit_run)
		r->credit_run *= 2;
	if (need->overflow) {
		w.n_bits = r->map_pages;
		w.bits = xcalloc(w.n_bits / 64 + 1, sizeof(*w.bits));
	}
	int err = walk(s, &w);
	if (!err) {
		r->credit = w.usable;
		r->credit_runs =
		    w.bits ? count_runs(&w, credit_need(need, w.all), r->credit_run) : 0;
		r->tick_helps = w.soon > w.usable && w.soon >= credit_need(need, w.all);
		*ret_all = w.all;
	}
	free(w.bits);
	return err;
}

static bool credit_is_enough(const struct room *r, const struct need *need, uint64_t all)
{
	if (r->credit < credit_need(need, all))
		return false;
	return !need->overflow || (need->run <= r->credit_run && r->credit_runs >= need->overflow);
}

/* ---- the question ---- */

static size_t pages_of(const struct need *n)
{
	return n->single + n->overflow;
}

/* What a refused commit needed must be free before a smaller one is taken: a store is full for all,
 * and does not answer some from its last pages. */
static struct need at_least_refused(const struct room *r, const struct need *need)
{
	struct need n = *need;
	if (pages_of(need) < r->refused_pages)
		n.single += r->refused_pages - pages_of(need);
	return n;
}

static int admit_by_growing(struct store *s, const struct need *need, uint64_t last,
                            enum room_who who)
{
	struct room *r = &s->room;
	uint64_t pages = need->single + need->overflow + ROOM_SLACK_PAGES;
	uint64_t want = last + 1 + pages;
	if (want > (who == ROOM_TRIM ? r->map_pages : r->limit_pages))
		return ERR_STORE_FULL;
	if (want > r->allocated_pages)
		return grow(s, last, want, who);
	if (r->allocated_pages == UINT64_MAX && r->refused_pages && disk_free(s) < pages * r->psize)
		return ERR_STORE_FULL;
	return 0;
}

static int admit_by_credit(struct store *s, MDB_txn *txn, const struct need *need, uint64_t last)
{
	struct room *r = &s->room;
	uint64_t all = 0;
	if (need->overflow && last >= r->limit_pages + (r->map_pages - r->limit_pages) / 2)
		return ERR_STORE_FULL;
	if (credit_is_enough(r, need, 0))
		return 0;
	int err = recount(s, txn, need, &all);
	if (err)
		return err;
	return credit_is_enough(r, need, all) ? 0 : ERR_STORE_FULL;
}

static void room_refused(struct room *r, const struct need *need)
{
	size_t pages = MIN_OF(pages_of(need), (size_t)ROOM_REFUSED_PAGES_MAX);
	r->refused_pages = MAX_OF(r->refused_pages, MAX_OF(pages, (size_t)1));
}

int room_admit(struct store *s, MDB_txn *txn, const struct need *need, enum room_who who)
{
	struct room *r = &s->room;
	MDB_envinfo info;
	struct need more = who == ROOM_INGEST ? at_least_refused(r, need) : *need;
	int err = store_err(mdb_env_info(s->env, &info));
	if (err)
		return err;
	r->tick_helps = false;
	err = admit_by_growing(s, &more, info.me_last_pgno, who);
	if (err == 0 || err == ERR_STORE_FULL)
		r->tight = err != 0 || (who == ROOM_TRIM && r->tight);
	if (err == ERR_STORE_FULL && who == ROOM_TRIM)
		return 0; /* let it try: it needs far less than its bound */
	if (err == ERR_STORE_FULL)
		err = admit_by_credit(s, txn, &more, info.me_last_pgno);
	if (who == ROOM_INGEST && err == 0)
		r->refused_pages = 0;
	if (who == ROOM_INGEST && err == ERR_STORE_FULL)
		room_refused(r, need);
	return err;
}

void room_committed(struct store *s, const struct need *need)
{
	struct room *r = &s->room;
	uint64_t used = need->single + need->overflow;
	r->credit -= MIN_OF(r->credit, used);
	r->credit_runs -= MIN_OF(r->credit_runs, used);
}

void room_failed(struct store *s, const struct need *need)
{
	MDB_envinfo info;
	s->room.tight = true;
	room_refused(&s->room, need);
	s->room.credit = s->room.credit_runs = 0;
	if (s->room.allocated_pages != UINT64_MAX && mdb_env_info(s->env, &info) == 0)
		s->room.allocated_pages = info.me_last_pgno + 1;
}

void room_tick(struct store *s)
{
	MDB_txn *txn;
	const struct need need = {.single = 16};
	if (mdb_txn_begin(s->env, NULL, 0, &txn) != 0)
		return;
	int rc = txn_put_u64(txn, s->tables[STORE_META], store_key_tick, mdb_txn_id(txn));
	if (rc) {
		mdb_txn_abort(txn);
		return;
	}
	/* It may fail like any other; then there was no room for it either, and it is tried again.
	 */
	int err = txn_finish(s, txn, &need);
	(void)err;
}

void room_tick_if_useful(struct store *s)
{
	if (s->room.tick_helps)
		room_tick(s);
	s->room.tick_helps = false;
}

bool room_disk_full(struct store *s, size_t bytes)
{
	enum { CHUNK = 64 << 10 };
	static const char zeros[CHUNK];
	auto_free char *path = store_path(s->journal_path, "probe");
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == ENOSPC || errno == EDQUOT;
	bool full = false;
	for (size_t done = 0; done < bytes + CHUNK && !full; done += CHUNK) {
		ssize_t n = write(fd, zeros, CHUNK);
		full = n >= 0 ? n < CHUNK : errno == ENOSPC || errno == EDQUOT;
		if (n < 0 && !full)
			break;
	}
	unlink(path);
	return full;
}
