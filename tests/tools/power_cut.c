/* power_cut.c - simulates power cuts: what a disk may hold when writes after the last sync were
 * lost, came in another order, or were torn.
 *
 *   power_cut [ROUNDS [SEED]]     prints TAP
 *
 * The system calls with which LMDB and the store write the journal are defined here, in front of
 * the C library's, and recorded. One workload runs: commits over several feeds, tables, trims (so
 * that pages are used again), a reload that adds a feed. Each round then cuts at a random moment of
 * the recording and builds the file that may be found afterwards:
 *
 *    all that was written before the last sync that had returned;
 *    of what was written after it, by 4 KB page: all, nothing, or some sectors of 512 bytes
 *
 * (a write through a descriptor with O_DSYNC is synced by itself; one sector is never torn). A
 * child opens the file as the daemon would, with the full walk, and compares: every commit that had
 * been acknowledged is there, whole, in order, and the store takes a further commit.
 *
 * So that this can fail: control rounds treat every sync as if it had not happened, and there must
 * be damage to see. */
#include "base/mem.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, SECTOR = 512, FEEDS = 4, COMMITS = 220, KEEP = 1500, CONTROL_ROUNDS = 12 };

/* ---- the recording ---- */

enum event_type { WRITE, WRITE_SYNCED, SYNC, SIZE, ACK };

struct event {
	enum event_type type;
	uint64_t at, n; /* of the file; ACK: the commit number */
	char *bytes;
};

static struct {
	struct event *events;
	size_t n, cap;
	bool on;
} tape;

static bool is_journal(int fd)
{
	char link[32], path[256];
	if (!tape.on)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	return n > 9 && memcmp(path + n - 9, "/data.mdb", 9) == 0;
}

static void record(enum event_type type, uint64_t at, const void *bytes, uint64_t n)
{
	if (tape.n == tape.cap) {
		tape.cap = tape.cap ? 2 * tape.cap : 1024;
		tape.events = xrealloc(tape.events, tape.cap * sizeof(*tape.events));
	}
	struct event e = {type, at, n, NULL};
	if (bytes) {
		e.bytes = xmalloc(n);
		memcpy(e.bytes, bytes, n);
	}
	tape.events[tape.n++] = e;
}

static void record_write(int fd, uint64_t at, const void *p, ssize_t n)
{
	if (n > 0 && is_journal(fd))
		record(fcntl(fd, F_GETFL) & O_DSYNC ? WRITE_SYNCED : WRITE, at, p, (uint64_t)n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	ssize_t done = (ssize_t)syscall(SYS_pwrite64, fd, p, n, at);
	record_write(fd, (uint64_t)at, p, done);
	return done;
}

ssize_t write(int fd, const void *p, size_t n)
{
	off_t at = is_journal(fd) ? lseek(fd, 0, SEEK_CUR) : 0;
	ssize_t done = (ssize_t)syscall(SYS_write, fd, p, n);
	record_write(fd, (uint64_t)at, p, done);
	return done;
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	off_t at = is_journal(fd) ? lseek(fd, 0, SEEK_CUR) : 0;
	ssize_t done = (ssize_t)syscall(SYS_writev, fd, iov, n), left = done;
	for (int i = 0; i < n && left > 0; i++) {
		ssize_t part = MIN_OF(left, (ssize_t)iov[i].iov_len);
		record_write(fd, (uint64_t)at, iov[i].iov_base, part);
		at += part;
		left -= part;
	}
	return done;
}

int fdatasync(int fd)
{
	int rc = (int)syscall(SYS_fdatasync, fd);
	if (rc == 0 && is_journal(fd))
		record(SYNC, 0, NULL, 0);
	return rc;
}

int fsync(int fd)
{
	int rc = (int)syscall(SYS_fsync, fd);
	if (rc == 0 && is_journal(fd))
		record(SYNC, 0, NULL, 0);
	return rc;
}

int ftruncate(int fd, off_t n)
{
	int rc = (int)syscall(SYS_ftruncate, fd, n);
	if (rc == 0 && is_journal(fd))
		record(SIZE, 0, NULL, (uint64_t)n);
	return rc;
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
	int rc = (int)syscall(SYS_fallocate, fd, mode, at, n);
	if (rc == 0 && is_journal(fd))
		record(SIZE, 0, NULL, (uint64_t)(at + n));
	return rc;
}

/* ---- small things ---- */

static uint64_t seed;

static uint64_t rng(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static NORETURN void die(const char *what, const char *why)
{
	fprintf(stderr, "power_cut: %s: %s\n", what, why);
	exit(1);
}

/* Feed, sequence, commit, then bytes that follow from them. */
static size_t make_record(char *p, uint32_t feed, uint64_t sequence)
{
	size_t n = sequence % 37 == 0 ? 7000 : sequence % 11 == 0 ? 2500 : 100 + sequence % 300;
	uint64_t head[2] = {feed, sequence};
	memcpy(p, head, sizeof(head));
	for (size_t i = sizeof(head); i < n; i++)
		p[i] = (char)(sequence * (i | 1) + feed);
	return n;
}

enum { RECORD_MAX = 8192 };

static bool whole(struct span r)
{
	char wanted[RECORD_MAX];
	uint64_t head[2];
	if (r.n < sizeof(head))
		return false;
	memcpy(head, r.p, sizeof(head));
	return make_record(wanted, (uint32_t)head[0], head[1]) == r.n && !memcmp(wanted, r.p, r.n);
}

static bool is_number(struct span r, uint64_t sequence)
{
	uint64_t head[2];
	memcpy(head, r.p, sizeof(head));
	return head[1] == sequence;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static struct store *open_store(const char *dir, char *why, size_t size)
{
	struct store *s = NULL;
	const struct store_options o = {.dir = dir,
	                                .map_bytes = 64 << 20,
	                                .feeds_max = 16,
	                                .verify = true,
	                                .check = whole,
	                                .check_sequence = is_number};
	return store_open(&o, &s, why, size) == 0 ? s : NULL;
}

/* ---- the workload ---- */

/* What commit number n made true: the last sequence of each feed. */
static uint64_t last_at[COMMITS + 1][FEEDS];

static void one_commit(struct store *s, uint64_t commit)
{
	char bytes[RECORD_MAX], key[32];
	struct store_txn *t;
	if (store_begin(s, &t) != 0)
		die("begin", "failed");
	memcpy(last_at[commit], last_at[commit - 1], sizeof(last_at[0]));
	for (unsigned n = (unsigned)(1 + rng() % 40); n; n--) {
		unsigned f = (unsigned)(rng() % (commit > COMMITS / 2 ? FEEDS : FEEDS - 1));
		uint64_t sequence = ++last_at[commit][f];
		size_t size = make_record(bytes, f + 1, sequence);
		store_append(t, f + 1, sequence, span_of(bytes, size));
	}
	store_put(t, STORE_STATE, SPAN("commit"), span_of((char *)&commit, sizeof(commit)));
	snprintf(key, sizeof(key), "session-%d", (int)(rng() % 200));
	store_put(t, STORE_SESSION, span_str(key), span_of(bytes, 100 + rng() % 3000));
	snprintf(key, sizeof(key), "session-%d", (int)(rng() % 200));
	store_del(t, STORE_SESSION, span_str(key));
	if (store_commit(t, NULL) != 0)
		die("commit", "failed");
	record(ACK, 0, NULL, commit);
}

static void run_workload(const char *dir)
{
	char why[512] = "", name[16];
	struct store_feed feed;
	uint64_t first;
	tape.on = true;
	struct store *s = open_store(dir, why, sizeof(why));
	if (!s)
		die(dir, why);
	for (uint64_t commit = 1; commit <= COMMITS; commit++) {
		for (unsigned f = 0; f < FEEDS; f++) { /* the last one comes later */
			snprintf(name, sizeof(name), "feed-%u", f);
			if (commit == (f == FEEDS - 1 ? COMMITS / 2 : 1) &&
			    store_feed_open(s, span_str(name), 1000, &feed) != 0)
				die("feed", name);
		}
		one_commit(s, commit);
		unsigned f = (unsigned)(rng() % FEEDS);
		if (last_at[commit][f] > KEEP / 4 &&
		    store_trim(s, f + 1, last_at[commit][f] - KEEP / 4, 60, false, &first) < 0)
			die("trim", "failed");
	}
	tape.on = false;
	store_close(s);
}

/* ---- the file after a cut ---- */

struct image {
	char *bytes;
	uint64_t n, cap;
};

static void image_write(struct image *im, uint64_t at, const char *p, uint64_t n)
{
	if (at + n > im->cap) {
		uint64_t cap = 2 * (at + n);
		im->bytes = xrealloc(im->bytes, cap);
		memset(im->bytes + im->cap, 0, cap - im->cap);
		im->cap = cap;
	}
	memcpy(im->bytes + at, p, n);
	im->n = MAX_OF(im->n, at + n);
}

/* A write that nobody synced: each page of it comes, or not, or by sectors. */
static void image_maybe(struct image *im, const struct event *e)
{
	for (uint64_t done = 0, n; done < e->n; done += n) {
		n = MIN_OF(e->n - done, PAGE - (e->at + done) % PAGE);
		switch (rng() % 3) {
		case 0: break;
		case 1: image_write(im, e->at + done, e->bytes + done, n); break;
		default:
			for (uint64_t at = done, k; at < done + n; at += k) {
				k = MIN_OF(done + n - at, SECTOR - (e->at + at) % SECTOR);
				if (rng() % 2)
					image_write(im, e->at + at, e->bytes + at, k);
			}
		}
	}
}

/* *ret_acked: the last commit that had been acknowledged. */
static struct image cut(size_t end, bool syncs_count, uint64_t *ret_acked)
{
	struct image im = {0};
	size_t synced = 0;
	*ret_acked = 0;
	for (size_t i = 0; i < end; i++) {
		if (tape.events[i].type == SYNC && syncs_count)
			synced = i;
		if (tape.events[i].type == ACK)
			*ret_acked = tape.events[i].n;
	}
	for (size_t i = 0; i < end; i++) {
		const struct event *e = &tape.events[i];
		if (e->type == WRITE && i > synced)
			image_maybe(&im, e);
		else if (e->type == WRITE || e->type == WRITE_SYNCED)
			image_write(&im, e->at, e->bytes, e->n);
		else if (e->type == SIZE && (i < synced || rng() % 2) && e->n > im.n)
			image_write(&im, e->n - 1, "", 1);
	}
	return im;
}

/* ---- looking ---- */

struct found {
	uint64_t n, first, last;
	bool bad;
};

static int look(void *arg, uint64_t sequence, struct span r)
{
	struct found *f = arg;
	f->bad |= !whole(r) || (f->n && sequence != f->last + 1);
	if (!f->n++)
		f->first = sequence;
	f->last = sequence;
	return 0;
}

static void check_store(struct store *s, uint64_t acked, char *why, size_t size)
{
	uint64_t commit = store_last_commit(s), noted = 0, next;
	struct buf b;
	buf_init(&b, 100);
	if (store_get(s, STORE_STATE, SPAN("commit"), &b) == 0)
		memcpy(&noted, b.p, sizeof(noted));
	buf_done(&b);
	if (commit < acked)
		snprintf(why, size, "commit %d was acknowledged, and %d is the last", (int)acked,
		         (int)commit);
	if (noted != commit)
		snprintf(why, size, "the state is of commit %d, the store of %d", (int)noted,
		         (int)commit);
	for (unsigned f = 0; f < FEEDS && commit; f++) {
		struct found found = {0};
		int err = store_read(s, f + 1, 1, SIZE_MAX, look, &found, &next);
		if (err && commit > COMMITS / 2)
			snprintf(why, size, "feed %u cannot be read", f);
		if (found.bad || (found.n && found.last != last_at[commit][f]) ||
		    (found.n < MIN_OF(last_at[commit][f], (uint64_t)KEEP / 4)))
			snprintf(why, size, "feed %u: %d records to %d, wanted to %d", f,
			         (int)found.n, (int)found.last, (int)last_at[commit][f]);
	}
	struct store_txn *t;
	if (store_begin(s, &t) != 0) {
		snprintf(why, size, "no transaction begins");
		return;
	}
	char bytes[RECORD_MAX];
	size_t n = make_record(bytes, 1, last_at[commit][0] + 1);
	if (commit)
		store_append(t, 1, last_at[commit][0] + 1, span_of(bytes, n));
	if (store_commit(t, NULL) != 0)
		snprintf(why, size, "no further commit");
}

/* In a child: what is in dir ends it, or makes a sentence, or is right. */
static void look_in_child(const char *dir, uint64_t acked, char *why, size_t size)
{
	int ends[2], status;
	if (pipe(ends) != 0)
		die("pipe", strerror(errno));
	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0)
		die("fork", strerror(errno));
	if (pid == 0) {
		alarm(30);
		why[0] = '\0';
		struct store *s = open_store(dir, why, size);
		if (s)
			check_store(s, acked, why, size);
		store_close(s);
		ssize_t done = write(ends[1], why, strlen(why) + 1);
		_exit(done > 0 ? 0 : 1);
	}
	close(ends[1]);
	ssize_t n = read(ends[0], why, size - 1);
	close(ends[0]);
	waitpid(pid, &status, 0);
	if (n <= 0)
		snprintf(why, size, "the process that opened it died (%d)", status);
}

static void one_round(const char *top, bool syncs_count, size_t end, char *why, size_t size)
{
	char dir[128], path[192];
	uint64_t acked;
	struct image im = cut(end, syncs_count, &acked);
	snprintf(dir, sizeof(dir), "%s/cut", top);
	snprintf(path, sizeof(path), "%s/journal", dir);
	mkdir(dir, 0700);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/journal/data.mdb", dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, im.bytes, im.n) != (ssize_t)im.n)
		die(path, strerror(errno));
	close(fd);
	free(im.bytes);
	look_in_child(dir, acked, why, size);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 40, failed = 0, seen = 0;
	seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
	char top[] = "/tmp/oudp-power-cut.XXXXXX", dir[64], why[640];
	if (!mkdtemp(top))
		die(top, strerror(errno));
	printf("1..%u\n# seed %llu\n", rounds + 1, (unsigned long long)seed);
	seed = seed * 2654435761u | 1;
	snprintf(dir, sizeof(dir), "%s/data", top);
	run_workload(dir);
	size_t opened = 0; /* before the first acknowledgement nothing was promised */
	while (tape.events[opened].type != ACK)
		opened++;
	for (unsigned i = 1; i <= rounds; i++) {
		size_t end = opened + rng() % (tape.n - opened) + 1;
		one_round(top, true, end, why, sizeof(why));
		printf("%sok %u - cut at event %zu of %zu%s%s\n", why[0] ? "not " : "", i, end,
		       tape.n, why[0] ? ": " : "", why);
		fflush(stdout);
		failed += why[0] != '\0';
	}
	for (unsigned i = 0; i < CONTROL_ROUNDS; i++) {
		one_round(top, false, opened + rng() % (tape.n - opened) + 1, why, sizeof(why));
		seen += why[0] != '\0';
	}
	printf("%sok %u - without syncs the loss is noticed (%u of %u)\n", seen ? "" : "not ",
	       rounds + 1, seen, (unsigned)CONTROL_ROUNDS);
	nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return failed || !seen;
}
