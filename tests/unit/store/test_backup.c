/* test_backup.c - backup of a store at rest and of one that is being written, and restore. A backup
 * is made by another process than the writer's, as the oudp command is. */
#include "fixture.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <time.h>

static const char *dir_below(const char *dir, const char *name)
{
	return xstrdup(path_in(dir, name));
}

static void make_store(const char *dir)
{
	struct store *s = open_store(dir);
	struct store_txn *t;
	uint64_t first;
	uint32_t a = open_feed(s, "a").id, b = open_feed(s, "b").id, c = open_feed(s, "c").id;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(append_some(s, a, i * 100 + 1, 100, 250), 0);
	assert_int_equal(store_trim(s, a, 101, 100, false, &first), 100);
	assert_int_equal(append_some(s, b, 1, 50, 9000), 0);
	assert_int_equal(store_trim(s, b, 51, 100, false, &first), 50); /* emptied */
	(void)c;                                                        /* never written */
	assert_int_equal(store_begin(s, &t), 0);
	store_put(t, STORE_SESSION, SPAN("client"), SPAN("its session"));
	store_put(t, STORE_QUARANTINE, SPAN("\0\0\0\1\0\0\0\0\0\0\0\7"), SPAN("refused"));
	store_put(t, STORE_STATE, SPAN("big"), record_of(9, 9, 50000));
	assert_int_equal(store_commit(t, NULL), 0);
	store_close(s);
}

static bool contains(const char *path, const void *what, size_t n)
{
	int fd = open(path, O_RDONLY);
	size_t size = (size_t)file_size(path);
	char *p = xmalloc(size);
	assert_int_equal(read(fd, p, size), size);
	close(fd);
	bool found = memmem(p, size, what, n) != NULL;
	free(p);
	return found;
}

/* How many of the deleted records have bytes in the file still. */
static unsigned count_deleted(const char *path)
{
	unsigned n = 0;
	for (uint64_t i = 1; i <= 100; i++)
		n += contains(path, record_of(1, i, 250).p + 16, 200);
	for (uint64_t i = 1; i <= 50; i++)
		n += contains(path, record_of(2, i, 9000).p + 16, 2000);
	return n;
}

static void check_get(struct store *s, enum store_table table, struct span key, struct span wanted)
{
	struct buf b;
	buf_init(&b, 100000);
	assert_int_equal(store_get(s, table, key, &b), 0);
	assert_int_equal(b.len, wanted.n);
	assert_memory_equal(b.p, wanted.p, wanted.n);
	buf_done(&b);
}

static int backup(const char *from, const char *to)
{
	why[0] = '\0';
	return store_backup(from, to, NULL, why, sizeof(why));
}

static int restore(const char *from, const char *to, int64_t now_ms)
{
	why[0] = '\0';
	return store_restore(from, to, now_ms, NULL, why, sizeof(why));
}

static void a_store_comes_back(void **state)
{
	(void)state;
	const char *top = temp_dir();
	const char *dir = dir_below(top, "data"), *to = dir_below(top, "backup");
	const char *again = dir_below(top, "again");
	uint8_t id[16], id_again[16];
	struct stat st;
	make_store(dir);
	char *data = xstrdup(path_in(dir, "journal/data.mdb"));
	assert_true(count_deleted(data) > 0);
	assert_int_equal(backup(dir, to), 0);
	char *copy = xstrdup(path_in(to, "journal/data.mdb"));
	assert_int_equal(count_deleted(copy), 0);
	assert_true(contains(copy, record_of(1, 150, 250).p, 250));
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(path_in(to, "backup"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(contains(path_in(to, "backup"), "commit 7\nrecords 400\nfeeds 3\n", 29));

	assert_int_equal(restore(to, again, 1800000000000), 0);
	struct store *s = open_store(again), *old = open_store(dir);
	store_id(s, id_again);
	store_id(old, id);
	assert_memory_equal(id, id_again, 16);
	assert_int_equal(store_last_commit(s), store_last_commit(old));
	store_close(old);
	struct store_feed a = open_feed(s, "a"), b = open_feed(s, "b"), c = open_feed(s, "c");
	assert_int_equal(a.first, 101);
	assert_int_equal(a.last, 500);
	assert_int_equal(a.n_epochs, 2);
	assert_int_equal(a.epochs[0].epoch, 1700000000);
	assert_int_equal(a.epochs[1].epoch, 1800000000);
	assert_int_equal(a.epochs[1].first, 501);
	assert_int_equal(b.first, 51);
	assert_int_equal(b.last, 50);
	assert_int_equal(b.epochs[1].first, 51);
	assert_int_equal(c.last, 0);
	assert_int_equal(c.epochs[1].first, 1);
	assert_int_equal(read_all(s, a.id).n, 400);
	check_get(s, STORE_SESSION, SPAN("client"), SPAN("its session"));
	check_get(s, STORE_QUARANTINE, SPAN("\0\0\0\1\0\0\0\0\0\0\0\7"), SPAN("refused"));
	check_get(s, STORE_STATE, SPAN("big"), record_of(9, 9, 50000));
	assert_int_equal(append_some(s, b.id, 51, 10, 100), 0);
	assert_int_equal(append_some(s, a.id, 501, 10, 100), 0);
	store_close(s);
	s = open_store(again);
	assert_int_equal(open_feed(s, "a").n_epochs, 2);
	assert_int_equal(open_feed(s, "b").first, 51);
	store_close(s);
	free(data);
	free(copy);
	free((char *)(uintptr_t)dir);
	free((char *)(uintptr_t)to);
	free((char *)(uintptr_t)again);
	remove_dir(top);
}

static void epochs_rise_and_only_the_latest_are_kept(void **state)
{
	(void)state;
	const char *top = temp_dir();
	const char *from = dir_below(top, "data");
	make_store(from);
	struct store_feed f;
	for (unsigned i = 1; i <= STORE_EPOCHS_MAX + 4; i++) {
		char name[16];
		snprintf(name, sizeof(name), "b%u", i);
		const char *to = dir_below(top, name);
		snprintf(name, sizeof(name), "d%u", i);
		const char *data = dir_below(top, name);
		assert_int_equal(backup(from, to), 0);
		assert_int_equal(restore(to, data, 1000), 0); /* a clock that went back */
		struct store *s = open_store(data);
		f = open_feed(s, "a");
		assert_int_equal(f.n_epochs, MIN_OF(i + 1, (unsigned)STORE_EPOCHS_MAX));
		assert_int_equal(f.epochs[f.n_epochs - 1].epoch, 1700000000 + i);
		assert_int_equal(f.epochs[f.n_epochs - 1].first, f.last + 1);
		assert_int_equal(append_some(s, f.id, f.last + 1, 3, 100), 0);
		store_close(s);
		free((char *)(uintptr_t)to);
		free((char *)(uintptr_t)from);
		from = data;
	}
	assert_int_equal(f.epochs[0].epoch, 1700000000 + 5);
	free((char *)(uintptr_t)from);
	remove_dir(top);
}

static void refusals_say_why(void **state)
{
	(void)state;
	const char *top = temp_dir();
	const char *dir = dir_below(top, "data"), *to = dir_below(top, "backup");
	const char *again = dir_below(top, "again");
	assert_int_equal(backup(dir, to), -ENOENT);
	assert_non_null(strstr(why, "no store in"));
	make_store(dir);
	assert_int_equal(backup(dir, to), 0);
	assert_int_equal(backup(dir, to), -ENOTEMPTY);
	assert_non_null(strstr(why, "not empty"));
	assert_int_equal(backup(dir, path_in(top, "no/such/place")), -ENOENT);

	assert_int_equal(restore(to, dir, 1), -EEXIST);
	assert_non_null(strstr(why, "already holds a store"));
	assert_int_equal(restore(dir, again, 1), ERR_STORE_FORMAT); /* a data-dir is not a backup */
	assert_non_null(strstr(why, "not a whole backup"));
	struct store *s = open_store(again);
	assert_int_equal(restore(to, again, 1), -EBUSY);
	store_close(s);
	assert_int_equal(rename(path_in(again, "journal"), path_in(again, "old")), 0);

	/* A backup whose file was spoiled. */
	char *copy = path_in(to, "journal/data.mdb");
	int fd = open(copy, O_RDWR);
	static const char noise[4096] = "noise";
	for (unsigned page = 2; page < 40; page++)
		assert_int_equal(pwrite(fd, noise, sizeof(noise), page * 4096), sizeof(noise));
	close(fd);
	assert_int_equal(restore(to, again, 1), ERR_STORE_DAMAGED);
	assert_non_null(strstr(why, "backup/journal/data.mdb is damaged"));
	assert_int_not_equal(access(path_in(again, "journal"), F_OK), 0);
	assert_int_not_equal(access(path_in(again, "journal.new"), F_OK), 0);
	free((char *)(uintptr_t)dir);
	free((char *)(uintptr_t)to);
	free((char *)(uintptr_t)again);
	remove_dir(top);
}

static void a_full_disk_is_named(void **state)
{
	(void)state;
	const char *top = temp_dir();
	const char *dir = dir_below(top, "data"), *to = dir_below(top, "small");
	make_store(dir);
	assert_int_equal(mkdir(to, 0700), 0);
	if (mount("tmpfs", to, "tmpfs", 0, "size=64k") != 0) {
		print_message("# SKIP a small disk is mounted by root only\n");
		free((char *)(uintptr_t)dir);
		free((char *)(uintptr_t)to);
		remove_dir(top);
		skip();
		return;
	}
	int err = backup(dir, to);
	bool left =
	    access(path_in(to, "backup"), F_OK) == 0 || access(path_in(to, "journal"), F_OK) == 0;
	assert_int_equal(umount(to), 0);
	assert_true(err == ERR_STORE_FULL || err == ERR_STORE_IO);
	assert_non_null(strstr(why, "the disk is full"));
	assert_false(left);
	free((char *)(uintptr_t)dir);
	free((char *)(uintptr_t)to);
	remove_dir(top);
}

/* ---- while the daemon writes ---- */

enum { FEEDS = 3, KEEP = 20000 };

/* In every commit: some records for each feed, and a row that says how many there are of each. Now
 * and then a quarantine row; later it is retried: the row goes and a record comes, in one commit.
 * New feeds are made too. */
static void write_on(const char *dir, int ready)
{
	struct store *s = NULL;
	struct store_options o = options(dir);
	o.feeds_max = 100;
	uint64_t last[FEEDS] = {0}, first;
	if (open_with(&o, &s) != 0)
		_exit(2);
	for (unsigned f = 0; f < FEEDS; f++) {
		struct store_feed feed;
		char name[2] = {(char)('a' + f), 0};
		if (store_feed_open(s, span_str(name), 1000, &feed) != 0)
			_exit(3);
	}
	for (uint64_t round = 1;; round++) {
		struct store_txn *t;
		if (store_begin(s, &t) != 0)
			_exit(4);
		for (unsigned f = 0; f < FEEDS; f++) {
			for (unsigned i = 0; i < 150; i++) {
				last[f]++;
				store_append(t, f + 1, last[f], record_of(f + 1, last[f], 300));
			}
		}
		char key[12] = {0};
		key[3] = (char)(round % 2 + 1);
		for (unsigned i = 0; i < 8; i++)
			key[4 + i] = (char)(round >> (56 - 8 * i));
		store_put(t, STORE_QUARANTINE, span_of(key, 12), record_of(7, round, 5000));
		store_put(t, STORE_STATE, SPAN("round"), span_of((char *)&round, 8));
		store_put(t, STORE_STATE, SPAN("last"), span_of((char *)last, sizeof(last)));
		if (store_commit(t, NULL) != 0)
			_exit(5);
		for (unsigned f = 0; f < FEEDS; f++) {
			if (last[f] > KEEP &&
			    store_trim(s, f + 1, last[f] - KEEP, 2000, false, &first) < 0)
				_exit(6);
		}
		if (round % 40 == 0) {
			struct store_feed feed;
			char name[24];
			snprintf(name, sizeof(name), "new-%d", (int)(round / 40));
			if (round < 3000 && store_feed_open(s, span_str(name), 1000, &feed) != 0)
				_exit(7);
		}
		if (round == 150 && write(ready, "x", 1) != 1)
			_exit(8);
	}
}

struct rows {
	uint64_t n[3], last[3];
};

static int count_row(void *arg, struct span key, struct span value)
{
	struct rows *r = arg;
	uint64_t row = 0;
	for (unsigned i = 0; i < 8; i++)
		row = row << 8 | (unsigned char)key.p[4 + i];
	check_record(7, row, value);
	r->n[(unsigned)key.p[3]]++;
	r->last[(unsigned)key.p[3]] = row;
	return 0;
}

static void check_copy(const char *dir)
{
	struct store *s = NULL;
	struct store_options o = options(dir);
	struct buf b;
	uint64_t last[FEEDS], round;
	o.verify = true;
	o.feeds_max = 100;
	if (open_with(&o, &s) != 0)
		fail_msg("the copy does not open: %s", why);
	buf_init(&b, 1000);
	assert_int_equal(store_get(s, STORE_STATE, SPAN("last"), &b), 0);
	memcpy(last, b.p, sizeof(last));
	assert_int_equal(store_get(s, STORE_STATE, SPAN("round"), &b), 0);
	memcpy(&round, b.p, sizeof(round));
	buf_done(&b);
	/* Everything is of one commit. */
	assert_int_equal(store_last_commit(s), round);
	for (unsigned f = 0; f < FEEDS; f++) {
		struct seen seen = read_all(s, f + 1);
		assert_int_equal(seen.last, last[f]);
		assert_true(seen.n >= KEEP / 2);
		assert_int_equal(last[f], round * 150);
	}
	struct rows rows = {0};
	assert_int_equal(
	    store_scan(s, STORE_QUARANTINE, SPAN(""), SPAN(""), SIZE_MAX, count_row, &rows), 0);
	assert_int_equal(rows.n[1] + rows.n[2], round);
	assert_int_equal(MAX_OF(rows.last[1], rows.last[2]), round);
	store_close(s);
}

static void a_backup_of_a_running_store_is_of_one_commit(void **state)
{
	(void)state;
	const char *top = temp_dir();
	const char *dir = dir_below(top, "data");
	int ends[2], status;
	char byte;
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		write_on(dir, ends[1]);
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	for (unsigned i = 0; i < 4; i++) {
		char name[16];
		snprintf(name, sizeof(name), "backup-%u", i);
		const char *to = dir_below(top, name);
		snprintf(name, sizeof(name), "data-%u", i);
		const char *again = dir_below(top, name);
		if (backup(dir, to) != 0)
			fail_msg("backup: %s", why);
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0); /* it still writes */
		if (restore(to, again, 2000000000000) != 0)
			fail_msg("restore: %s", why);
		check_copy(again);
		free((char *)(uintptr_t)to);
		free((char *)(uintptr_t)again);
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	close(ends[0]);
	free((char *)(uintptr_t)dir);
	remove_dir(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_store_comes_back),
	    cmocka_unit_test(epochs_rise_and_only_the_latest_are_kept),
	    cmocka_unit_test(refusals_say_why),
	    cmocka_unit_test(a_full_disk_is_named),
	    cmocka_unit_test(a_backup_of_a_running_store_is_of_one_commit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
