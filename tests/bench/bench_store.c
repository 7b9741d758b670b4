/* bench_store.c - how fast the journal takes and gives records. 300-byte records, full sync.
 *
 *   bench_store [dir]     (default: a directory under ., on the disk that is to be measured)
 *
 * For each number of feeds: records per second at 1,000 and at 8,000 a commit, spread evenly, and
 * the median and the 99th percentile of a commit. Then the scan of one log. About 15 seconds. */
#include "base/clock.h"
#include "base/mem.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECORD_BYTES = 300, SECONDS_NS = 1000000000, COMMITS_MAX = 20000 };

static double now_s(void)
{
	struct clock c = clock_system();
	return (double)clock_mono_ns(&c) / SECONDS_NS;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench_store: %s: %s\n", what, why);
	exit(1);
}

static struct store *open_store(const char *dir)
{
	char why[512] = "";
	struct store *s;
	const struct store_options o = {
	    .dir = dir, .map_bytes = 64ull << 30, .reserve_bytes = 16 << 20, .feeds_max = 1000};
	if (store_open(&o, &s, why, sizeof(why)) != 0)
		die("open", why);
	return s;
}

static void remove_store(const char *dir)
{
	static const char *const names[] = {
	    "journal/data.mdb", "journal/lock.mdb", "journal", "reserve", "lock", "clean"};
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		char path[512];
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		if (unlink(path) != 0)
			rmdir(path);
	}
	rmdir(dir);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

struct load {
	struct store *s;
	unsigned feeds, per_commit;
	uint32_t ids[1000];
	uint64_t last[1000];
	uint64_t at; /* the feed whose turn it is */
	double commit_s[COMMITS_MAX];
};

static void one_commit(struct load *l, unsigned n)
{
	static char record[RECORD_BYTES];
	struct store_txn *t;
	if (store_begin(l->s, &t) != 0)
		die("begin", "failed");
	/* Grouped by feed, as the batch hands them over. */
	unsigned each = l->per_commit / l->feeds, rest = l->per_commit % l->feeds;
	unsigned touched = each ? l->feeds : rest;
	for (unsigned i = 0; i < touched; i++) {
		uint64_t f = l->at++ % l->feeds;
		unsigned k = each + (each && i < rest) + !each;
		for (; k; k--) {
			l->last[f]++;
			memcpy(record + 8, &l->last[f], 8);
			store_append(t, l->ids[f], l->last[f], span_of(record, RECORD_BYTES));
		}
	}
	double from = now_s();
	int err = store_commit(t, NULL);
	if (err)
		die("commit", "failed");
	l->commit_s[n] = now_s() - from;
}

static void bench_append(const char *dir, unsigned feeds, unsigned per_commit, double seconds)
{
	struct load *l = xcalloc(1, sizeof(*l));
	l->s = open_store(dir);
	l->feeds = feeds;
	l->per_commit = per_commit;
	for (unsigned i = 0; i < feeds; i++) {
		char name[16];
		struct store_feed f;
		snprintf(name, sizeof(name), "feed-%u", i);
		if (store_feed_open(l->s, span_str(name), 1000, &f) != 0)
			die("feed", name);
		l->ids[i] = f.id;
	}
	double from = now_s(), took;
	unsigned n = 0;
	do {
		one_commit(l, n++);
		took = now_s() - from;
	} while (took < seconds && n < COMMITS_MAX);
	qsort(l->commit_s, n, sizeof(double), by_size);
	printf("append  %4u feeds  %4u a commit  %8.0f records/s  commit p50 %6.2f ms  p99 %6.2f "
	       "ms\n",
	       feeds, per_commit, n * (double)per_commit / took, l->commit_s[n / 2] * 1e3,
	       l->commit_s[n * 99 / 100] * 1e3);
	fflush(stdout);
	store_close(l->s);
	free(l);
}

static int count(void *arg, uint64_t sequence, struct span record)
{
	uint64_t *sum = arg, first;
	memcpy(&first, record.p + 8, 8);
	*sum += first == sequence;
	return 0;
}

static void bench_scan(const char *dir)
{
	struct store *s = open_store(dir);
	uint64_t seen = 0, next = 1, from = 0, records, bytes;
	double started = now_s();
	while (next != from) {
		from = next;
		if (store_read(s, 1, from, 256 << 10, count, &seen, &next) != 0)
			die("read", "failed");
	}
	double took = now_s() - started;
	if (store_feed_bytes(s, 1, &records, &bytes) != 0 || records != seen)
		die("scan", "not every record was there");
	printf("scan    %llu records  %8.0f records/s  %.0f bytes of file a record\n",
	       (unsigned long long)seen, (double)seen / took, (double)bytes / (double)seen);
	store_close(s);
}

/* Append and retention side by side, as in a log that has reached its size: the free list is in
 * use. */
static void bench_steady(const char *dir)
{
	static char record[RECORD_BYTES];
	struct store *s = open_store(dir);
	struct store_feed f;
	uint64_t first, last = 0, trimmed = 0;
	double append_s = 0, trim_s = 0, worst_s = 0, started = now_s();
	if (store_feed_open(s, SPAN("steady"), 1000, &f) != 0)
		die("feed", "steady");
	while (now_s() - started < 3) {
		struct store_txn *t;
		double from = now_s();
		if (store_begin(s, &t) != 0)
			die("begin", "failed");
		for (unsigned i = 0; i < 2000; i++)
			store_append(t, f.id, ++last, span_of(record, RECORD_BYTES));
		if (store_commit(t, NULL) != 0)
			die("commit", "failed");
		append_s += now_s() - from;
		if (last <= 200000)
			continue;
		from = now_s();
		int n = store_trim(s, f.id, last - 200000, 2000, false, &first);
		if (n < 0)
			die("trim", "failed");
		trimmed += (uint64_t)n;
		trim_s += now_s() - from;
		worst_s = now_s() - from > worst_s ? now_s() - from : worst_s;
	}
	printf(
	    "steady  append %8.0f records/s  trim %8.0f records/s, %.2f ms for 2000, worst %.2f\n",
	    (double)last / append_s, (double)trimmed / trim_s, trim_s / (double)trimmed * 2e6,
	    worst_s * 1e3);
	store_close(s);
}

static bool anything(struct span record)
{
	return record.n == RECORD_BYTES;
}

/* The walk of an unclean start, and a backup: of what bench_append left behind. */
static void bench_walk(const char *dir)
{
	char why[512] = "", to[300], path[320];
	struct store *s;
	struct stat st;
	const struct store_options o = {.dir = dir,
	                                .map_bytes = 64ull << 30,
	                                .feeds_max = 1000,
	                                .verify = true,
	                                .check = anything};
	snprintf(path, sizeof(path), "%s/journal/data.mdb", dir);
	double mb = stat(path, &st) == 0 ? (double)st.st_size / 1e6 : 0, from = now_s();
	if (store_open(&o, &s, why, sizeof(why)) != 0)
		die("walk", why);
	double took = now_s() - from;
	printf("walk    %.0f MB in %.2f s\n", mb, took);
	store_close(s);
	snprintf(to, sizeof(to), "%s.backup", dir);
	from = now_s();
	if (store_backup(dir, to, NULL, why, sizeof(why)) != 0)
		die("backup", why);
	took = now_s() - from;
	printf("backup  %.0f MB in %.2f s\n", mb, took);
	snprintf(path, sizeof(path), "%s/backup", to);
	unlink(path);
	remove_store(to);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const unsigned feeds[] = {1, 10, 50, 200, 1000};
	char dir[256] = "bench_store.XXXXXX";
	if (argc > 1)
		snprintf(dir, sizeof(dir), "%s/bench_store.XXXXXX", argv[1]);
	if (!mkdtemp(dir))
		die("mkdtemp", dir);
	for (unsigned i = 0; i < ARRAY_LEN(feeds); i++) {
		bench_append(dir, feeds[i], 1000, 1.0);
		if (i == 0) {
			bench_scan(dir);
			bench_walk(dir);
		}
		remove_store(dir);
		mkdir(dir, 0700);
		bench_append(dir, feeds[i], 8000, 1.0);
		remove_store(dir);
		mkdir(dir, 0700);
	}
	bench_steady(dir);
	remove_store(dir);
	return 0;
}
