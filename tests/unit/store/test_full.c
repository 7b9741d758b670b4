/* test_full.c - a full map and a full disk: nothing is lost, trimming makes room, ingest goes on
 * without a restart. The disks are small tmpfs mounts; where mounting is not permitted those tests
 * are skipped. */
#include "fixture.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

struct filler {
	struct store *s;
	uint32_t id;
	uint64_t first, next;
	size_t bytes; /* of a record; 0: of many sizes */
};

static size_t size_of(const struct filler *f, uint64_t sequence)
{
	static const size_t mixed[] = {200, 300, 5000, 300, 1500, 2500, 300, 20000, 700, 64000};
	return f->bytes ? f->bytes : mixed[sequence % ARRAY_LEN(mixed)];
}

static int add(struct filler *f, unsigned n)
{
	struct store_txn *t;
	int err = store_begin(f->s, &t);
	if (err)
		return err;
	for (unsigned i = 0; i < n; i++)
		store_append(t, f->id, f->next + i,
		             record_of(f->id, f->next + i, size_of(f, f->next + i)));
	err = store_commit(t, NULL);
	if (!err)
		f->next += n;
	return err;
}

/* Commits until the store is full; how many commits it took. */
static unsigned fill(struct filler *f, unsigned per_commit)
{
	for (unsigned n = 0; n < 100000; n++) {
		int err = add(f, per_commit);
		if (err) {
			assert_int_equal(err, ERR_STORE_FULL);
			return n;
		}
	}
	fail_msg("never full");
	return 0;
}

static int trim(struct filler *f, uint64_t n, bool use_reserve)
{
	uint64_t first;
	int deleted = store_trim(f->s, f->id, f->first + n, (unsigned)n, use_reserve, &first);
	if (deleted > 0)
		f->first = first;
	return deleted;
}

static void check_all(struct filler *f)
{
	struct seen seen = read_all(f->s, f->id);
	assert_int_equal(seen.first, f->first);
	assert_int_equal(seen.last, f->next - 1);
	assert_int_equal(seen.n, f->next - f->first);
}

static struct filler open_filler(const char *dir, uint64_t map, uint64_t reserve, size_t bytes)
{
	struct store_options o = options(dir);
	struct filler f = {.first = 1, .next = 1, .bytes = bytes};
	o.map_bytes = map;
	o.reserve_bytes = reserve;
	if (open_with(&o, &f.s) != 0)
		fail_msg("store_open: %s", why);
	f.id = open_feed(f.s, "a").id;
	return f;
}

/* ---- the map ---- */

static void full_map(uint64_t map, size_t bytes, unsigned per_commit, unsigned rounds)
{
	const char *dir = temp_dir();
	struct filler f = open_filler(dir, map, 0, bytes);
	struct store_usage u;
	fill(&f, per_commit);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(add(&f, per_commit), ERR_STORE_FULL);
	check_all(&f);
	uint64_t held = f.next - f.first, commit = store_last_commit(f.s);
	assert_in_range(file_size(path_in(dir, "journal/data.mdb")), map / 2, map);
	for (unsigned round = 0; round < rounds; round++) {
		assert_int_equal(trim(&f, held / 4, false), held / 4);
		/* What was freed may be used now, not after a restart. */
		assert_int_equal(add(&f, per_commit), 0);
		fill(&f, per_commit);
		assert_in_range(f.next - f.first, held * 3 / 4, held * 5 / 4);
	}
	check_all(&f);
	assert_true(store_last_commit(f.s) > commit + rounds);
	assert_int_equal(store_usage(f.s, &u), 0);
	assert_in_range(file_size(path_in(dir, "journal/data.mdb")), map / 2, map);
	store_close(f.s);
	f.s = open_store(dir);
	check_all(&f);
	store_close(f.s);
	remove_dir(dir);
}

static void a_full_map_is_trimmed_and_goes_on(void **state)
{
	(void)state;
	full_map(8 << 20, 300, 100, 30);
	full_map(32 << 20, 300, 2000, 8);
}

static void large_records_too(void **state)
{
	(void)state;
	full_map(32 << 20, 3000, 50, 8);
	full_map(64 << 20, 0, 20, 8);
}

static void many_small_commits_do_not_eat_the_reserve(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct filler f = open_filler(dir, 4 << 20, 0, 300);
	fill(&f, 1);
	for (unsigned i = 0; i < 2000; i++) {
		int err = add(&f, 1 + i % 3);
		assert_true(err == 0 || err == ERR_STORE_FULL);
	}
	assert_int_equal(trim(&f, 1000, false), 1000);
	assert_int_equal(add(&f, 100), 0);
	assert_in_range(file_size(path_in(dir, "journal/data.mdb")), 2 << 20, 4 << 20);
	check_all(&f);
	store_close(f.s);
	remove_dir(dir);
}

static void full_is_full_for_small_commits_too(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct filler f = open_filler(dir, 32 << 20, 0, 300);
	fill(&f, 2000);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(add(&f, 1), ERR_STORE_FULL);
	assert_int_equal(trim(&f, 5000, false), 5000);
	assert_int_equal(add(&f, 1), 0);
	assert_int_equal(add(&f, 1), 0);
	check_all(&f);
	store_close(f.s);
	remove_dir(dir);
}

/* One message that never fits does not keep out those that do. */
static void a_huge_message_is_refused_alone(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct filler f = open_filler(dir, 8 << 20, 0, RECORD_MAX);
	assert_int_equal(add(&f, 150), ERR_STORE_FULL); /* 9.6 MB */
	assert_int_equal(add(&f, 10), 0);
	check_all(&f);
	store_close(f.s);
	remove_dir(dir);
}

/* While somebody reads, freed pages are his. */
struct held {
	struct filler *f;
	bool done;
};

static int trim_and_fill_meanwhile(void *arg, uint64_t sequence, struct span record)
{
	struct held *h = arg;
	struct filler *f = h->f;
	check_record(f->id, sequence, record);
	assert_int_equal(trim(f, 1000, false), 1000);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(add(f, 50), ERR_STORE_FULL);
	check_record(f->id, sequence, record); /* still what it was */
	h->done = true;
	return 1;
}

static void an_open_reader_keeps_its_pages(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct filler f = open_filler(dir, 8 << 20, 0, 300);
	struct held h = {.f = &f};
	uint64_t next;
	fill(&f, 50);
	assert_int_equal(store_read(f.s, f.id, 1, 1, trim_and_fill_meanwhile, &h, &next), 0);
	assert_true(h.done);
	assert_int_equal(add(&f, 50), 0);
	check_all(&f);
	assert_in_range(file_size(path_in(dir, "journal/data.mdb")), 4 << 20, 8 << 20);
	store_close(f.s);
	remove_dir(dir);
}

static void a_map_made_smaller_still_opens_and_trims(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	struct filler f = open_filler(dir, 32 << 20, 0, 300);
	fill(&f, 1000);
	store_close(f.s);
	struct filler g = open_filler(dir, 4 << 20, 0, 300);
	g.next = f.next;
	assert_int_equal(add(&g, 100), ERR_STORE_FULL);
	assert_int_equal(trim(&g, 2000, false), 2000);
	assert_int_equal(add(&g, 100), 0);
	check_all(&g);
	store_close(g.s);
	remove_dir(dir);
}

/* ---- the disk ---- */

static bool small_disk(const char *dir, unsigned mb)
{
	char size[32];
	snprintf(size, sizeof(size), "size=%um", mb);
	if (mount("tmpfs", dir, "tmpfs", 0, size) == 0)
		return true;
	print_message("# SKIP a small disk is mounted by root only\n");
	remove_dir(dir);
	return false;
}

static void unmount(const char *dir)
{
	assert_int_equal(umount(dir), 0);
	remove_dir(dir);
}

static uint64_t disk_free(const char *dir)
{
	struct statvfs fs;
	assert_int_equal(statvfs(dir, &fs), 0);
	return (uint64_t)fs.f_bavail * fs.f_frsize;
}

/* Takes all of the disk but leave bytes. */
static void take_disk(const char *dir, const char *name, uint64_t leave)
{
	char *path = path_in(dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	uint64_t bytes = disk_free(dir) - leave;
	if (bytes)
		assert_int_equal(posix_fallocate(fd, 0, (off_t)bytes), 0);
	close(fd);
}

static void full_disk(size_t bytes, unsigned per_commit)
{
	const char *dir = temp_dir();
	uint64_t held;
	if (!small_disk(dir, 40)) {
		skip();
		return;
	}
	struct filler f = open_filler(dir, 1 << 30, 8 << 20, bytes);
	assert_int_equal(file_size(path_in(dir, "reserve")), 8 << 20);
	fill(&f, per_commit);
	take_disk(dir, "ballast", 0);
	take_disk(dir, "ballast2", 0);
	assert_int_equal(disk_free(dir), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(add(&f, per_commit), ERR_STORE_FULL);
	check_all(&f);
	assert_int_equal(access(path_in(dir, "reserve"), F_OK), 0);
	held = f.next - f.first;

	for (unsigned round = 0; round < 6; round++) {
		assert_int_equal(trim(&f, held / 4, true), held / 4);
		assert_int_equal(add(&f, per_commit), 0);
		fill(&f, per_commit);
	}
	check_all(&f);

	/* Room on the disk: the reserve comes back and the file grows again. */
	assert_int_equal(unlink(path_in(dir, "ballast")), 0);
	assert_int_equal(unlink(path_in(dir, "ballast2")), 0);
	if (disk_free(dir) > 16 << 20) {
		assert_int_equal(add(&f, per_commit), 0);
		assert_int_equal(file_size(path_in(dir, "reserve")), 8 << 20);
	}
	store_close(f.s);
	struct filler again = open_filler(dir, 1 << 30, 8 << 20, bytes);
	again.first = f.first;
	again.next = f.next;
	check_all(&again);
	store_close(again.s);
	unmount(dir);
}

static void a_full_disk_is_trimmed_and_goes_on(void **state)
{
	(void)state;
	full_disk(300, 500);
}

static void a_full_disk_with_large_records(void **state)
{
	(void)state;
	full_disk(0, 20);
}

/* Everything was taken before the journal could grow: only the reserve can help. */
static void the_reserve_is_what_helps(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	if (!small_disk(dir, 24)) {
		skip();
		return;
	}
	struct filler f = open_filler(dir, 1 << 30, 4 << 20, 300);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(add(&f, 500), 0);
	fill(&f, 500); /* ends what was taken ahead */
	take_disk(dir, "ballast", 0);
	while (add(&f, 1) == 0)
		;
	assert_int_equal(disk_free(dir), 0);
	assert_int_equal(access(path_in(dir, "reserve"), F_OK), 0);
	assert_int_equal(trim(&f, 2000, true), 2000);
	assert_int_equal(add(&f, 500), 0);
	/* Ingest lives on what was freed, not on the disk that the reserve gave back. */
	uint64_t left = disk_free(dir);
	fill(&f, 100);
	assert_true(disk_free(dir) >= left);
	check_all(&f);
	store_close(f.s);
	unmount(dir);
}

static void others_may_fill_the_disk_for_a_while(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	if (!small_disk(dir, 32)) {
		skip();
		return;
	}
	struct filler f = open_filler(dir, 1 << 30, 0, 300);
	assert_int_equal(add(&f, 1000), 0);
	take_disk(dir, "ballast", 0);
	fill(&f, 1000);
	assert_int_equal(add(&f, 1000), ERR_STORE_FULL);
	check_all(&f);
	assert_int_equal(unlink(path_in(dir, "ballast")), 0);
	assert_int_equal(add(&f, 1000), 0);
	check_all(&f);
	store_close(f.s);
	unmount(dir);
}

static void a_start_on_a_full_disk_reads_and_trims(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	if (!small_disk(dir, 32)) {
		skip();
		return;
	}
	struct filler f = open_filler(dir, 1 << 30, 4 << 20, 300);
	assert_int_equal(add(&f, 8000), 0);
	store_close(f.s);
	assert_int_equal(unlink(path_in(dir, "reserve")), 0);
	take_disk(dir, "ballast", 0);
	struct filler g = open_filler(dir, 1 << 30, 4 << 20, 300);
	g.next = f.next;
	check_all(&g);
	fill(&g, 100);
	assert_int_equal(trim(&g, 2000, true), 2000);
	assert_int_equal(add(&g, 100), 0);
	check_all(&g);
	store_close(g.s);
	unmount(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_full_map_is_trimmed_and_goes_on),
	    cmocka_unit_test(large_records_too),
	    cmocka_unit_test(many_small_commits_do_not_eat_the_reserve),
	    cmocka_unit_test(full_is_full_for_small_commits_too),
	    cmocka_unit_test(a_huge_message_is_refused_alone),
	    cmocka_unit_test(an_open_reader_keeps_its_pages),
	    cmocka_unit_test(a_map_made_smaller_still_opens_and_trims),
	    cmocka_unit_test(a_full_disk_is_trimmed_and_goes_on),
	    cmocka_unit_test(a_full_disk_with_large_records),
	    cmocka_unit_test(the_reserve_is_what_helps),
	    cmocka_unit_test(others_may_fill_the_disk_for_a_while),
	    cmocka_unit_test(a_start_on_a_full_disk_reads_and_trims),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
