/* fuzz_store_open - a store whose file was changed: opening it refuses or gives a store that can be
 * read to its end; never this process's death, never an endless loop.
 *
 * The input is a list of changes to a good file: u16 page, u16 offset, u8 kind, u8 n, then for kind
 *   0  n bytes that overwrite       1  nothing: the page is replaced by page n
 *   2  nothing: as 1, but the page keeps its own number      3  nothing: the file is cut here */
#include "base/err.h"
#include "base/mem.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, FEEDS = 3, RECORDS = 60 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static char dir[64], data_path[96];
static char *good;
static size_t good_n;

static struct span a_record(uint32_t feed, uint64_t sequence)
{
	static char bytes[6000];
	memset(bytes, (int)(feed * 16 + sequence % 16), sizeof(bytes));
	memcpy(bytes, &sequence, sizeof(sequence));
	return span_of(bytes, sequence % 9 == 0 ? sizeof(bytes) : 150);
}

static bool is_number(struct span r, uint64_t sequence)
{
	uint64_t found = 0;
	memcpy(&found, r.p, MIN_OF(r.n, sizeof(found)));
	return r.n >= 8 && found == sequence;
}

static struct store *try_open(int *ret_err)
{
	struct store *s = NULL;
	char why[512] = "";
	const struct store_options o = {.dir = dir,
	                                .map_bytes = 4 << 20,
	                                .feeds_max = 4,
	                                .verify = true,
	                                .check_sequence = is_number};
	*ret_err = store_open(&o, &s, why, sizeof(why));
	assert(*ret_err == 0 || why[0]);
	return s;
}

static void remove_files(void)
{
	static const char *const names[] = {"journal/data.mdb", "journal/lock.mdb", "journal",
	                                    "lock", "clean"};
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		char path[128];
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		if (unlink(path) != 0)
			rmdir(path);
	}
}

static void at_exit(void)
{
	remove_files();
	rmdir(dir);
}

/* Two epochs of commits and a trim: old and new root, a free list, overflow pages. */
static void make_good(void)
{
	struct store_feed f;
	struct store_txn *t;
	uint64_t first;
	int err;
	snprintf(dir, sizeof(dir), "%s/oudp-fuzz.XXXXXX",
	         access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(dir))
		abort();
	atexit(at_exit);
	snprintf(data_path, sizeof(data_path), "%s/journal/data.mdb", dir);
	struct store *s = try_open(&err);
	assert(s);
	for (uint32_t feed = 1; feed <= FEEDS; feed++) {
		char name[8] = {(char)('a' + feed), 0};
		err = store_feed_open(s, span_str(name), 5000, &f);
		assert(!err);
		for (uint64_t i = 1; i <= RECORDS; i += 20) {
			err = store_begin(s, &t);
			assert(!err);
			for (uint64_t k = i; k < i + 20; k++)
				store_append(t, feed, k, a_record(feed, k));
			store_put(t, STORE_STATE, span_str(name), a_record(feed, i));
			err = store_commit(t, NULL);
			assert(!err);
		}
		err = store_trim(s, feed, 25, 100, false, &first);
		assert(err == 24);
	}
	store_close(s);
	int fd = open(data_path, O_RDONLY);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0)
		abort();
	good_n = (size_t)st.st_size;
	good = xmalloc(good_n);
	if (read(fd, good, good_n) != (ssize_t)good_n)
		abort();
	close(fd);
}

/* Changes bytes; returns how long the file is then. */
static size_t change(char *bytes, const uint8_t *p, size_t n)
{
	size_t pages = good_n / PAGE, size = good_n;
	while (n >= 6) {
		size_t page = (size_t)(p[0] | p[1] << 8) % pages,
		       offset = (p[2] | p[3] << 8) % PAGE;
		size_t many = p[5];
		char *at = bytes + page * PAGE, *from = bytes + many % pages * PAGE;
		uint8_t kind = p[4] % 4;
		p += 6;
		n -= 6;
		if (kind == 0) {
			many = MIN_OF(MIN_OF(many, n), PAGE - offset);
			memcpy(at + offset, p, many);
			p += many;
			n -= many;
		} else if (kind == 3) {
			size = MIN_OF(size, page * PAGE + offset);
		} else {
			memmove(at + (kind == 2 ? 8 : 0), from + (kind == 2 ? 8 : 0),
			        PAGE - (kind == 2 ? 8 : 0));
		}
	}
	return size;
}

static int count(void *arg, uint64_t sequence, struct span r)
{
	uint64_t *n = arg;
	volatile char sink = r.n ? r.p[r.n - 1] : 0;
	(void)sink;
	(void)sequence;
	assert(++*n <= RECORDS);
	return 0;
}

static int count_row(void *arg, struct span key, struct span value)
{
	return count(arg, key.n, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (!good)
		make_good();
	char *bytes = xmalloc(good_n);
	memcpy(bytes, good, good_n);
	size_t size = change(bytes, p, n);
	int fd = open(data_path, O_WRONLY | O_CREAT | O_TRUNC, 0600), err;
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		abort();
	close(fd);
	free(bytes);
	struct store *s = try_open(&err);
	assert(s || err == ERR_STORE_DAMAGED || err == ERR_STORE_FORMAT);
	for (uint32_t feed = 1; s && feed <= FEEDS; feed++) {
		uint64_t seen = 0, rows = 0, next;
		err = store_read(s, feed, 1, SIZE_MAX, count, &seen, &next);
		assert(!err || err == ERR_NOT_FOUND);
		err = store_scan(s, STORE_STATE, SPAN(""), SPAN(""), SIZE_MAX, count_row, &rows);
		assert(!err && rows <= FEEDS);
	}
	store_close(s);
	return 0;
}
