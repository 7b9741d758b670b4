/* fixture.h - what the store's tests share: a directory that goes away, a store in it, and records
 * whose bytes follow from feed and sequence, so that any of them can be checked by itself. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "store/store.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAP_BYTES = 256 << 20, RECORD_MAX = 1 << 16 };

static char why[512];

static inline const char *temp_dir(void)
{
	static char dir[64];
	snprintf(dir, sizeof(dir), "/tmp/oudp-store.XXXXXX");
	assert_non_null(mkdtemp(dir));
	return xstrdup(dir);
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static inline void remove_dir(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free((char *)(uintptr_t)dir);
}

static inline char *path_in(const char *dir, const char *name)
{
	static char paths[4][256];
	static unsigned turn;
	char *path = paths[turn++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static inline struct store_options options(const char *dir)
{
	return (struct store_options){.dir = dir, .map_bytes = MAP_BYTES, .feeds_max = 8};
}

static inline int open_with(const struct store_options *o, struct store **s)
{
	why[0] = '\0';
	return store_open(o, s, why, sizeof(why));
}

static inline struct store *open_store(const char *dir)
{
	struct store *s = NULL;
	struct store_options o = options(dir);
	if (open_with(&o, &s) != 0)
		fail_msg("store_open: %s", why);
	return s;
}

static inline struct store_feed open_feed(struct store *s, const char *name)
{
	struct store_feed f;
	assert_int_equal(store_feed_open(s, span_str(name), 1700000000000, &f), 0);
	return f;
}

/* The bytes of a record: feed, sequence, then noise that follows from them. */
static inline void fill_record(char *p, uint32_t feed, uint64_t sequence, size_t n)
{
	uint64_t words[2] = {feed, sequence};
	memcpy(p, words, 16);
	uint64_t r = (sequence << 16 | feed) * 0x9e3779b97f4a7c15 | 1;
	for (size_t i = 16; i < n; i += 8) {
		r ^= r << 13;
		r ^= r >> 7;
		r ^= r << 17;
		memcpy(p + i, &r, MIN_OF(n - i, (size_t)8));
	}
}

static inline struct span record_of(uint32_t feed, uint64_t sequence, size_t n)
{
	static char bytes[RECORD_MAX];
	assert_true(n >= 16 && n <= sizeof(bytes));
	fill_record(bytes, feed, sequence, n);
	return span_of(bytes, n);
}

static inline void check_record(uint32_t feed, uint64_t sequence, struct span r)
{
	struct span wanted = record_of(feed, sequence, r.n);
	assert_memory_equal(r.p, wanted.p, r.n);
}

static inline int append_some(struct store *s, uint32_t feed, uint64_t first, unsigned n,
                              size_t bytes)
{
	struct store_txn *t;
	int err = store_begin(s, &t);
	if (err)
		return err;
	for (unsigned i = 0; i < n; i++)
		store_append(t, feed, first + i, record_of(feed, first + i, bytes));
	return store_commit(t, NULL);
}

/* Counts the records of a feed and checks each, and that they are dense. */
struct seen {
	uint32_t feed;
	uint64_t n, first, last, bytes;
};

static inline int see(void *arg, uint64_t sequence, struct span record)
{
	struct seen *seen = arg;
	check_record(seen->feed, sequence, record);
	if (seen->n++ == 0)
		seen->first = sequence;
	else
		assert_int_equal(sequence, seen->last + 1);
	seen->last = sequence;
	seen->bytes += record.n;
	return 0;
}

static inline struct seen read_all(struct store *s, uint32_t feed)
{
	struct seen seen = {.feed = feed};
	uint64_t next = 1, from = 0;
	while (next != from) {
		from = next;
		assert_int_equal(store_read(s, feed, from, 64 << 10, see, &seen, &next), 0);
	}
	return seen;
}

static inline off_t file_size(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

#endif
