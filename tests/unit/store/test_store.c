/* test_store.c - what one process sees of a store: logs, tables, commits, numbering, refusals. */
#include "fixture.h"

#include <fcntl.h>
#include <sys/mount.h>

/* ---- logs ---- */

static void records_come_back_as_written(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct store *s = open_store(dir);
	struct store_feed a = open_feed(s, "a"), b = open_feed(s, "b");
	assert_int_equal(a.id, 1);
	assert_int_equal(b.id, 2);
	assert_int_equal(a.first, 1);
	assert_int_equal(a.last, 0);
	assert_int_equal(a.n_epochs, 1);
	assert_int_equal(a.epochs[0].epoch, 1700000000);
	assert_int_equal(a.epochs[0].first, 1);

	static const size_t sizes[] = {16, 300, 2000, 2030, 2040, 4000, 4080, 4081, 20000, 65536};
	struct store_txn *t;
	uint64_t commit = 0;
	assert_int_equal(store_begin(s, &t), 0);
	assert_int_equal(store_txn_commit(t), 1);
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) { /* interleaved on purpose */
		store_append(t, a.id, i + 1, record_of(a.id, i + 1, sizes[i]));
		store_append(t, b.id, i + 1, record_of(b.id, i + 1, 100));
	}
	assert_int_equal(store_commit(t, &commit), 0);
	assert_int_equal(commit, 1);
	assert_int_equal(store_last_commit(s), 1);
	struct seen in_a = read_all(s, a.id), in_b = read_all(s, b.id);
	assert_int_equal(in_a.n, ARRAY_LEN(sizes));
	assert_int_equal(in_a.first, 1);
	assert_int_equal(in_a.bytes,
	                 16 + 300 + 2000 + 2030 + 2040 + 4000 + 4080 + 4081 + 20000 + 65536);
	assert_int_equal(in_b.n, ARRAY_LEN(sizes));

	store_close(s);
	s = open_store(dir);
	assert_int_equal(store_last_commit(s), 1);
	assert_int_equal(read_all(s, a.id).bytes, in_a.bytes);
	b = open_feed(s, "b");
	assert_int_equal(b.id, 2);
	assert_int_equal(b.last, ARRAY_LEN(sizes));
	assert_int_equal(append_some(s, b.id, b.last + 1, 5, 50), 0);
	assert_int_equal(read_all(s, b.id).n, ARRAY_LEN(sizes) + 5);
	store_close(s);
	remove_dir(dir);
}

struct stop {
	uint64_t seen[64];
	unsigned n, after;
	int answer;
};

static int stop_after(void *arg, uint64_t sequence, struct span record)
{
	struct stop *stop = arg;
	(void)record;
	stop->seen[stop->n++] = sequence;
	return stop->n == stop->after ? stop->answer : 0;
}

static void reading_starts_and_stops_where_asked(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct store *s = open_store(dir);
	uint32_t id = open_feed(s, "a").id;
	uint64_t next = 77;
	assert_int_equal(append_some(s, id, 1, 50, 100), 0);

	struct stop stop = {.after = 3, .answer = 1};
	assert_int_equal(store_read(s, id, 10, 1 << 20, stop_after, &stop, &next), 0);
	assert_int_equal(stop.n, 3);
	assert_int_equal(stop.seen[0], 10);
	assert_int_equal(stop.seen[2], 12);
	assert_int_equal(next, 13);

	stop = (struct stop){.after = 2, .answer = -ENOMEM};
	next = 77;
	assert_int_equal(store_read(s, id, 1, 1 << 20, stop_after, &stop, &next), -ENOMEM);
	assert_int_equal(next, 77); /* untouched on failure */

	stop = (struct stop){0};
	assert_int_equal(store_read(s, id, 1, 250, stop_after, &stop, &next), 0);
	assert_int_equal(stop.n, 3); /* 300 bytes: the one that goes over is shown */
	assert_int_equal(next, 4);
	stop = (struct stop){0};
	assert_int_equal(store_read(s, id, 51, 250, stop_after, &stop, &next), 0);
	assert_int_equal(stop.n, 0);
	assert_int_equal(next, 51);
	assert_int_equal(store_read(s, 9, 1, 250, stop_after, &stop, &next), ERR_NOT_FOUND);

	stop = (struct stop){.after = 3, .answer = 1};
	assert_int_equal(store_read_back(s, id, 20, 1 << 20, stop_after, &stop), 0);
	assert_int_equal(stop.seen[0], 20);
	assert_int_equal(stop.seen[2], 18);
	stop = (struct stop){0};
	assert_int_equal(store_read_back(s, id, UINT64_MAX, 1 << 20, stop_after, &stop), 0);
	assert_int_equal(stop.n, 50);
	assert_int_equal(stop.seen[0], 50);
	assert_int_equal(stop.seen[49], 1);
	stop = (struct stop){0};
	assert_int_equal(store_read_back(s, id, 0, 1 << 20, stop_after, &stop), 0);
	assert_int_equal(stop.n, 0);
	store_close(s);
	remove_dir(dir);
}

static void nothing_is_seen_before_its_commit(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct store *s = open_store(dir);
	uint32_t id = open_feed(s, "a").id;
	struct store_txn *t;
	assert_int_equal(append_some(s, id, 1, 3, 100), 0);
	assert_int_equal(store_begin(s, &t), 0);
	store_append(t, id, 4, record_of(id, 4, 100));
	store_put(t, STORE_STATE, SPAN("k"), SPAN("v"));
	assert_int_equal(read_all(s, id).last, 3);
	store_abort(t);
	assert_int_equal(store_last_commit(s), 1);
	assert_int_equal(read_all(s, id).last, 3);
	/* The number that was given back is given out again. */
	assert_int_equal(append_some(s, id, 4, 1, 200), 0);
	assert_int_equal(read_all(s, id).last, 4);
	assert_int_equal(store_last_commit(s), 2);
	struct buf b;
	buf_init(&b, 100);
	assert_int_equal(store_get(s, STORE_STATE, SPAN("k"), &b), ERR_NOT_FOUND);
	buf_done(&b);
	store_close(s);
	remove_dir(dir);
}

static void too_large_a_transaction_is_refused_whole(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct store *s = open_store(dir);
	uint32_t id = open_feed(s, "a").id;
	struct store_txn *t;
	assert_int_equal(store_begin(s, &t), 0);
	for (uint64_t i = 1; i <= 2 + LIMIT_STORE_TXN_BYTES / RECORD_MAX; i++)
		store_append(t, id, i, record_of(id, i, RECORD_MAX));
	assert_int_equal(store_commit(t, NULL), ERR_TOO_LARGE);
	assert_int_equal(read_all(s, id).n, 0);
	assert_int_equal(append_some(s, id, 1, 1, 100), 0);
	store_close(s);
	remove_dir(dir);
}

/* What must not happen ends the process, also in a release build. */
static int dies(void (*f)(struct store *s), const char *dir)
{
	int status;
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(0);
		signal(SIGABRT, SIG_DFL);
		struct store *s = NULL;
		struct store_options o = options(dir);
		if (open_with(&o, &s) == 0)
			f(s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void leave_a_hole(struct store *s)
{
	struct store_feed f;
	struct store_txn *t;
	if (store_feed_open(s, SPAN("a"), 1, &f) == 0 && store_begin(s, &t) == 0)
		store_append(t, f.id, 2, SPAN("record two without record one"));
}

static void long_key(struct store *s)
{
	static const char key[STORE_KEY_BYTES_MAX + 1];
	struct store_txn *t;
	if (store_begin(s, &t) == 0)
		store_put(t, STORE_STATE, span_of(key, sizeof(key)), SPAN("v"));
}

static void in_meta(struct store *s)
{
	struct store_txn *t;
	if (store_begin(s, &t) == 0)
		store_put(t, STORE_META, SPAN("format"), SPAN("9"));
}

static void programming_errors_abort(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	assert_int_equal(dies(leave_a_hole, dir), SIGABRT);
	assert_int_equal(dies(long_key, dir), SIGABRT);
	assert_int_equal(dies(in_meta, dir), SIGABRT);
	remove_dir(dir);
}

/* ---- feeds ---- */

struct names {
	char text[256];
};

static int add_name(void *arg, struct span name, const struct store_feed *f)
{
	struct names *n = arg;
	size_t at = strlen(n->text);
	snprintf(n->text + at, sizeof(n->text) - at, "%.*s:%u:%d ", (int)name.n, name.p, f->id,
	         (int)f->last);
	return 0;
}

static void feeds_are_known_by_name_for_good(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct store *s = open_store(dir);
	struct names names = {""};
	uint32_t b = open_feed(s, "b").id, a = open_feed(s, "a").id;
	assert_int_equal(append_some(s, a, 1, 7, 40), 0);
	assert_int_equal(open_feed(s, "b").id, b);
	store_close(s);
	s = open_store(dir);
	assert_int_equal(store_feed_each(s, add_name, &names), 0);
	assert_string_equal(names.text, "b:1:0 a:2:7 ");
	store_close(s);
	remove_dir(dir);
}

static void feeds_that_are_gone_leave_room_for_new_ones(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	char name[16];
	struct store_options o = options(dir);
	struct store *s;
	o.feeds_max = 2;
	for (unsigned round = 0; round < 4; round++) {
		assert_int_equal(open_with(&o, &s), 0);
		for (unsigned i = 0; i < 2; i++) {
			snprintf(name, sizeof(name), "feed-%u-%u", round, i);
			uint32_t id = open_feed(s, name).id;
			assert_int_equal(id, 2 * round + i + 1);
			assert_int_equal(append_some(s, id, 1, 3, 64), 0);
		}
		store_close(s);
	}
	assert_int_equal(open_with(&o, &s), 0);
	for (uint32_t id = 1; id <= 8; id++)
		assert_int_equal(read_all(s, id).n, 3);
	store_close(s);
	remove_dir(dir);
}

/* ---- trimming ---- */

static void trimming_deletes_from_the_front_and_remembers(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct store *s = open_store(dir);
	uint32_t id = open_feed(s, "a").id;
	uint64_t first = 0, records, bytes;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(append_some(s, id, i * 1000 + 1, 1000, 300), 0);
	assert_int_equal(store_trim(s, id, 501, 300, false, &first), 300);
	assert_int_equal(first, 301);
	assert_int_equal(store_trim(s, id, 501, 300, false, &first), 200);
	assert_int_equal(first, 501);
	assert_int_equal(store_trim(s, id, 501, 300, false, &first), 0);
	assert_int_equal(first, 501);
	struct seen seen = read_all(s, id);
	assert_int_equal(seen.first, 501);
	assert_int_equal(seen.n, 9500);
	assert_int_equal(store_feed_bytes(s, id, &records, &bytes), 0);
	assert_int_equal(records, 9500);
	assert_in_range(bytes, 9500 * 300, 9500 * 400);

	int n;
	while ((n = store_trim(s, id, UINT64_MAX, 2000, false, &first)) > 0)
		;
	assert_int_equal(n, 0);
	assert_int_equal(first, 10001);
	assert_int_equal(read_all(s, id).n, 0);
	store_close(s);

	s = open_store(dir); /* an emptied log goes on counting */
	struct store_feed f = open_feed(s, "a");
	assert_int_equal(f.last, 10000);
	assert_int_equal(f.first, 10001);
	assert_int_equal(append_some(s, id, 10001, 2, 300), 0);
	store_close(s);
	s = open_store(dir);
	f = open_feed(s, "a");
	assert_int_equal(f.first, 10001);
	assert_int_equal(f.last, 10002);
	assert_int_equal(store_trim(s, 99, 5, 5, false, &first), ERR_NOT_FOUND);
	store_close(s);
	remove_dir(dir);
}

static void trimmed_pages_are_used_again(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct store *s = open_store(dir);
	uint32_t id = open_feed(s, "a").id;
	uint64_t next = 1, first;
	off_t size = 0;
	for (unsigned round = 0; round < 60; round++) {
		assert_int_equal(append_some(s, id, next, 2000, 300), 0);
		next += 2000;
		if (next > 10001) {
			int n = store_trim(s, id, next - 10000, 2000, false, &first);
			assert_in_range(n, 1, 2000);
		}
		if (round == 20)
			size = file_size(path_in(dir, "journal/data.mdb"));
	}
	assert_int_equal(read_all(s, id).n, 10000);
	/* 40 more rounds of 690 KB each: the file does not follow. */
	assert_in_range(file_size(path_in(dir, "journal/data.mdb")), size, size + (2 << 20));
	store_close(s);
	remove_dir(dir);
}

/* ---- tables ---- */

struct rows {
	char text[512];
	unsigned n, stop_at;
};

static int add_row(void *arg, struct span key, struct span value)
{
	struct rows *r = arg;
	size_t at = strlen(r->text);
	snprintf(r->text + at, sizeof(r->text) - at, "%.*s=%.*s ", (int)key.n, key.p, (int)value.n,
	         value.p);
	return ++r->n == r->stop_at;
}

static const char *scan(struct store *s, const char *from, const char *prefix, size_t max_bytes,
                        unsigned stop_at)
{
	static struct rows rows;
	rows = (struct rows){.stop_at = stop_at};
	assert_int_equal(
	    store_scan(s, STORE_STATE, span_str(from), span_str(prefix), max_bytes, add_row, &rows),
	    0);
	return rows.text;
}

static void tables_hold_rows_in_order(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct store *s = open_store(dir);
	struct store_txn *t;
	static const char *const keys[] = {"b/2", "a/1", "b/10", "b/1", "c", "b"};
	assert_int_equal(store_begin(s, &t), 0);
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		store_put(t, STORE_STATE, span_str(keys[i]), span_of("uvwxyz" + i, 1));
	store_put(t, STORE_SESSION, SPAN("b/1"), SPAN("another table"));
	store_put(t, STORE_STATE, SPAN("c"), SPAN("replaced"));
	store_put(t, STORE_STATE, SPAN("d"), SPAN(""));
	store_del(t, STORE_STATE, SPAN("a/1"));
	store_del(t, STORE_STATE, SPAN("absent"));
	assert_int_equal(store_commit(t, NULL), 0);

	assert_string_equal(scan(s, "", "", 1000, 0), "b=z b/1=x b/10=w b/2=u c=replaced d= ");
	assert_string_equal(scan(s, "", "b/", 1000, 0), "b/1=x b/10=w b/2=u ");
	assert_string_equal(scan(s, "b/10", "b/", 1000, 0), "b/10=w b/2=u ");
	assert_string_equal(scan(s, "b/10", "", 1000, 0), "b/10=w b/2=u c=replaced d= ");
	assert_string_equal(scan(s, "a", "b/", 1000, 0), "b/1=x b/10=w b/2=u ");
	assert_string_equal(scan(s, "c", "b/", 1000, 0), "");
	assert_string_equal(scan(s, "", "zz", 1000, 0), "");
	assert_string_equal(scan(s, "", "b/", 1, 0), "b/1=x ");
	assert_string_equal(scan(s, "", "b/", 1000, 2), "b/1=x b/10=w ");

	struct buf b;
	buf_init(&b, 5);
	buf_add_str(&b, "old");
	assert_int_equal(store_get(s, STORE_STATE, SPAN("b/1"), &b), 0);
	assert_string_equal(buf_str(&b), "x");
	assert_int_equal(store_get(s, STORE_STATE, SPAN("nothing"), &b), ERR_NOT_FOUND);
	assert_string_equal(buf_str(&b), "x");
	assert_int_equal(store_get(s, STORE_STATE, SPAN("c"), &b), ERR_TOO_LARGE);
	buf_done(&b);
	store_close(s);
	remove_dir(dir);
}

static void put_row(struct store_txn *t, uint32_t feed, uint64_t row, size_t bytes)
{
	unsigned char key[12];
	for (unsigned i = 0; i < 4; i++)
		key[i] = (unsigned char)(feed >> (24 - 8 * i));
	for (unsigned i = 0; i < 8; i++)
		key[4 + i] = (unsigned char)(row >> (56 - 8 * i));
	store_put(t, STORE_QUARANTINE, span_of((char *)key, 12), record_of(feed, row, bytes));
}

static int count_rows(void *arg, struct span key, struct span value)
{
	uint64_t *first_and_n = arg, row = 0;
	(void)value;
	for (unsigned i = 4; i < 12; i++)
		row = row << 8 | (unsigned char)key.p[i];
	if (first_and_n[1]++ == 0)
		first_and_n[0] = row;
	return 0;
}

static void the_oldest_rows_of_a_prefix_go(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct store *s = open_store(dir);
	struct store_txn *t;
	static const struct span prefixes[] = {
	    {"\0\0\0\1", 4}, {"\0\0\0\2", 4}, {"\xff\xff\xff\xff", 4}};
	static const uint32_t feeds[] = {1, 2, 0xffffffff};
	assert_int_equal(store_begin(s, &t), 0);
	for (uint64_t row = 1; row <= 100; row++) {
		for (unsigned i = 0; i < 3; i++)
			put_row(t, feeds[i], row, row % 10 ? 100 : 9000);
	}
	assert_int_equal(store_commit(t, NULL), 0);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t got[2] = {0};
		assert_int_equal(store_trim_table(s, STORE_QUARANTINE, prefixes[i], 30, 50), 50);
		assert_int_equal(store_trim_table(s, STORE_QUARANTINE, prefixes[i], 30, 50), 20);
		assert_int_equal(store_trim_table(s, STORE_QUARANTINE, prefixes[i], 30, 50), 0);
		assert_int_equal(store_scan(s, STORE_QUARANTINE, prefixes[i], prefixes[i], 1 << 20,
		                            count_rows, got),
		                 0);
		assert_int_equal(got[0], 71);
		assert_int_equal(got[1], 30);
	}
	assert_int_equal(store_trim_table(s, STORE_QUARANTINE, SPAN("\0\0\0\3"), 0, 50), 0);
	store_close(s);
	remove_dir(dir);
}

/* ---- opening ---- */

static void a_store_has_one_owner_and_one_identity(void **state)
{
	(void)state;
	const char *dir = temp_dir(), *other_dir = temp_dir();
	struct store *s = open_store(dir), *second = NULL, *other = open_store(other_dir);
	struct store_options o = options(dir);
	uint8_t id[16], again[16];
	char pid[32];
	store_id(s, id);
	store_id(other, again);
	assert_memory_not_equal(id, again, 16);
	store_close(other);
	assert_int_equal(open_with(&o, &second), -EBUSY);
	assert_null(second);
	snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	assert_non_null(strstr(why, pid));
	assert_non_null(strstr(why, dir));
	store_close(s);
	s = open_store(dir);
	store_id(s, again);
	assert_memory_equal(id, again, 16);
	store_close(s);

	struct stat st;
	assert_int_equal(stat(path_in(dir, "journal"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	static const char *const files[] = {"journal/data.mdb", "journal/lock.mdb", "lock",
	                                    "clean"};
	for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
		assert_int_equal(stat(path_in(dir, files[i]), &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	remove_dir(dir);
	remove_dir(other_dir);
}

static void a_second_reader_needs_a_store(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct store *s = NULL;
	struct store_options o = options(dir);
	o.read_only = true;
	assert_int_equal(open_with(&o, &s), -ENOENT);
	assert_non_null(strstr(why, "no store in"));
	store_close(open_store(dir));
	assert_int_equal(open_with(&o, &s), 0);
	struct store_feed f;
	assert_int_equal(store_feed_open(s, SPAN("new"), 1, &f), ERR_NOT_FOUND);
	store_close(s);
	remove_dir(dir);
}

static void a_directory_that_cannot_be_written_is_named(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct store *s = NULL;
	struct store_options o = options(dir);
	if (mount("tmpfs", dir, "tmpfs", MS_RDONLY, "size=1m") != 0) {
		print_message("# SKIP a disk is mounted by root only\n");
		remove_dir(dir);
		skip();
		return;
	}
	int err = open_with(&o, &s);
	char below[256];
	snprintf(below, sizeof(below), "%s/data", dir);
	o.dir = below;
	char first[512];
	memcpy(first, why, sizeof(first));
	int err_below = open_with(&o, &s);
	umount(dir);
	assert_int_equal(err, -EROFS);
	assert_non_null(strstr(first, dir));
	assert_int_equal(err_below, -EROFS);
	assert_non_null(strstr(why, below));
	assert_non_null(strstr(why, "Read-only"));
	o.dir = "/dev/null/x";
	assert_int_equal(open_with(&o, &s), -ENOTDIR);
	remove_dir(dir);
}

static void usage_adds_up(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct store *s = open_store(dir);
	struct store_usage before, after;
	uint32_t id = open_feed(s, "a").id;
	assert_int_equal(store_usage(s, &before), 0);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(append_some(s, id, i * 1000 + 1, 1000, 300), 0);
	assert_int_equal(store_usage(s, &after), 0);
	assert_in_range(after.used_bytes - before.used_bytes, 20000 * 300, 20000 * 350);
	assert_int_equal(after.map_bytes, MAP_BYTES - LIMIT_RESERVE_BYTES);
	assert_int_equal(after.used_bytes + after.free_bytes, after.map_bytes);
	assert_true(after.disk_free_bytes > 0);
	assert_int_equal(after.readers_max, LIMIT_STORE_READER_SLOTS);
	assert_in_range(after.readers, 1, 4);
	store_close(s);
	remove_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_come_back_as_written),
	    cmocka_unit_test(reading_starts_and_stops_where_asked),
	    cmocka_unit_test(nothing_is_seen_before_its_commit),
	    cmocka_unit_test(too_large_a_transaction_is_refused_whole),
	    cmocka_unit_test(programming_errors_abort),
	    cmocka_unit_test(feeds_are_known_by_name_for_good),
	    cmocka_unit_test(feeds_that_are_gone_leave_room_for_new_ones),
	    cmocka_unit_test(trimming_deletes_from_the_front_and_remembers),
	    cmocka_unit_test(trimmed_pages_are_used_again),
	    cmocka_unit_test(tables_hold_rows_in_order),
	    cmocka_unit_test(the_oldest_rows_of_a_prefix_go),
	    cmocka_unit_test(a_store_has_one_owner_and_one_identity),
	    cmocka_unit_test(a_second_reader_needs_a_store),
	    cmocka_unit_test(a_directory_that_cannot_be_written_is_named),
	    cmocka_unit_test(usage_adds_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
