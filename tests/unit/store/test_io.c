/* test_io.c - a device that fails. The test defines the system calls that LMDB and the store write
 * with, in front of the C library's, and lets them fail when told. */
#include "fixture.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static struct {
	int sync, fallocate, root; /* errno to fail with; root: the write of LMDB's root page */
	bool short_write;
	unsigned syncs, failed;
} fault;

int fdatasync(int fd)
{
	fault.syncs++;
	if (fault.sync) {
		fault.failed++;
		errno = fault.sync;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	if (fault.sync) {
		fault.failed++;
		errno = fault.sync;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

int fallocate(int fd, int mode, off_t from, off_t n)
{
	if (fault.fallocate) {
		fault.failed++;
		errno = fault.fallocate;
		return -1;
	}
	return (int)syscall(SYS_fallocate, fd, mode, from, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (fault.root && fcntl(fd, F_GETFL) & O_DSYNC) {
		fault.failed++;
		errno = fault.root;
		return -1;
	}
	if (fault.short_write && n >= 4096) {
		fault.failed++;
		n /= 2;
	}
	return (ssize_t)syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	if (fault.short_write && n > 1) {
		fault.failed++;
		n--;
	}
	return (ssize_t)syscall(SYS_writev, fd, iov, n);
}

static void the_faults_are_in_the_way(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	memset(&fault, 0, sizeof(fault));
	struct store *s = open_store(dir);
	uint32_t id = open_feed(s, "a").id;
	unsigned before = fault.syncs;
	assert_int_equal(append_some(s, id, 1, 1, 100), 0);
	assert_true(fault.syncs > before); /* every commit syncs */
	store_close(s);
	remove_dir(dir);
}

/* After err the store is closed without a clean marker, and holds records 1..10 when opened again.
 */
static void fails_with_io_error(void (*set)(void))
{
	const char *dir = temp_dir();
	memset(&fault, 0, sizeof(fault));
	struct store *s = open_store(dir);
	uint32_t id = open_feed(s, "a").id;
	assert_int_equal(append_some(s, id, 1, 10, 300), 0);
	set();
	assert_int_equal(append_some(s, id, 11, 2000, 300), ERR_STORE_IO);
	assert_true(fault.failed > 0);
	memset(&fault, 0, sizeof(fault));
	store_close(s);
	assert_int_not_equal(access(path_in(dir, "clean"), F_OK), 0);
	s = open_store(dir);
	assert_int_equal(read_all(s, id).n, 10);
	assert_int_equal(store_last_commit(s), 1);
	assert_int_equal(append_some(s, id, 11, 10, 300), 0);
	store_close(s);
	remove_dir(dir);
}

static void set_sync(void)
{
	fault.sync = EIO;
}
static void set_fallocate(void)
{
	fault.fallocate = EIO;
}
static void set_short(void)
{
	fault.short_write = true;
}

static void a_failed_sync_is_an_io_error(void **state)
{
	(void)state;
	fails_with_io_error(set_sync);
}

static void a_failed_allocation_is_an_io_error(void **state)
{
	(void)state;
	fails_with_io_error(set_fallocate);
}

static void a_short_write_on_a_disk_with_room_is_an_io_error(void **state)
{
	(void)state;
	fails_with_io_error(set_short);
}

/* LMDB's root page: whether it arrived is not known, so the process must end, also for ENOSPC. */
static void a_failed_root_page_poisons(void **state)
{
	(void)state;
	static const int errors[] = {EIO, ENOSPC};
	for (unsigned i = 0; i < ARRAY_LEN(errors); i++) {
		const char *dir = temp_dir();
		struct store_txn *t;
		memset(&fault, 0, sizeof(fault));
		struct store *s = open_store(dir);
		uint32_t id = open_feed(s, "a").id;
		assert_int_equal(append_some(s, id, 1, 10, 300), 0);
		fault.root = errors[i];
		assert_int_equal(append_some(s, id, 11, 10, 300), ERR_STORE_IO);
		memset(&fault, 0, sizeof(fault));
		assert_int_equal(store_begin(s, &t), ERR_STORE_IO);
		store_close(s);
		s = open_store(dir);
		assert_int_equal(read_all(s, id).n, 10);
		store_close(s);
		remove_dir(dir);
	}
}

static void a_full_disk_at_the_sync_is_full(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	memset(&fault, 0, sizeof(fault));
	struct store *s = open_store(dir);
	uint32_t id = open_feed(s, "a").id;
	assert_int_equal(append_some(s, id, 1, 10, 300), 0);
	fault.sync = EDQUOT;
	assert_int_equal(append_some(s, id, 11, 10, 300), ERR_STORE_FULL);
	memset(&fault, 0, sizeof(fault));
	assert_int_equal(append_some(s, id, 11, 10, 300), 0);
	assert_int_equal(read_all(s, id).n, 20);
	store_close(s);
	remove_dir(dir);
}

/* A file system without fallocate(2): LMDB meets the full disk as a short write, which it calls
 * EIO. */
static void a_full_disk_without_fallocate_is_full(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	if (mount("tmpfs", dir, "tmpfs", 0, "size=12m") != 0) {
		print_message("# SKIP a small disk is mounted by root only\n");
		remove_dir(dir);
		skip();
		return;
	}
	memset(&fault, 0, sizeof(fault));
	fault.fallocate = EOPNOTSUPP;
	struct store *s = open_store(dir);
	uint32_t id = open_feed(s, "a").id;
	uint64_t next = 1, first;
	int err;
	while ((err = append_some(s, id, next, 1000, 300)) == 0)
		next += 1000;
	assert_int_equal(err, ERR_STORE_FULL);
	assert_int_equal(append_some(s, id, next, 1000, 300), ERR_STORE_FULL);
	assert_int_equal(read_all(s, id).n, next - 1);
	assert_int_equal(store_trim(s, id, 5001, 5000, true, &first), 5000);
	assert_int_equal(append_some(s, id, next, 1000, 300), 0);
	assert_int_equal(read_all(s, id).n, next + 999 - 5000);
	store_close(s);
	assert_int_equal(umount(dir), 0);
	remove_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_faults_are_in_the_way),
	    cmocka_unit_test(a_failed_sync_is_an_io_error),
	    cmocka_unit_test(a_failed_allocation_is_an_io_error),
	    cmocka_unit_test(a_short_write_on_a_disk_with_room_is_an_io_error),
	    cmocka_unit_test(a_failed_root_page_poisons),
	    cmocka_unit_test(a_full_disk_at_the_sync_is_full),
	    cmocka_unit_test(a_full_disk_without_fallocate_is_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
