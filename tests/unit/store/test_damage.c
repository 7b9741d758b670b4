/* test_damage.c - files that are not what was written: refused in words, or opened because what was
 * hit holds nothing. Whatever happens to the process that looks, this one lives, and soon. */
#include "fixture.h"

#include <fcntl.h>
#include <time.h>

enum { PAGE = 4096 };

static bool whole(struct span r)
{
	uint64_t head[2];
	if (r.n < 16)
		return false;
	memcpy(head, r.p, sizeof(head));
	struct span wanted = record_of((uint32_t)head[0], head[1], r.n);
	return memcmp(r.p, wanted.p, r.n) == 0;
}

static bool is_number(struct span r, uint64_t sequence)
{
	uint64_t head[2];
	memcpy(head, r.p, sizeof(head));
	return head[1] == sequence;
}

static struct store_options checked(const char *dir)
{
	struct store_options o = options(dir);
	o.verify = true;
	o.check = whole;
	o.check_sequence = is_number;
	return o;
}

static int open_close(const struct store_options *o)
{
	struct store *s = NULL;
	int err = open_with(o, &s);
	store_close(s);
	return err;
}

static struct span slurp(const char *path)
{
	size_t n = (size_t)file_size(path);
	char *p = xmalloc(n);
	int fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, p, n), n);
	close(fd);
	return span_of(p, n);
}

static void spill(const char *path, struct span bytes)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, bytes.p, bytes.n), bytes.n);
	close(fd);
}

/* A store with a bit of everything: three feeds, large records, tables, pages that were freed. */
static void make_store(const char *dir)
{
	struct store *s = open_store(dir);
	struct store_txn *t;
	uint64_t first;
	for (unsigned f = 1; f <= 3; f++) {
		char name[8], key[32];
		snprintf(name, sizeof(name), "feed-%u", f);
		assert_int_equal(open_feed(s, name).id, f);
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(append_some(s, f, i * 200 + 1, 200, f == 2 ? 3000 : 200),
			                 0);
		assert_int_equal(store_trim(s, f, 150, 1000, false, &first), 149);
		assert_int_equal(store_begin(s, &t), 0);
		for (unsigned i = 0; i < 300; i++) {
			snprintf(key, sizeof(key), "key-%u-%u", f, i * 7919 % 300);
			store_put(t, STORE_SESSION, span_str(key), record_of(f, i, 100));
		}
		assert_int_equal(store_commit(t, NULL), 0);
	}
	store_close(s);
}

static void a_whole_store_passes(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	make_store(dir);
	struct store_options o = checked(dir);
	assert_int_equal(open_close(&o), 0);
	assert_string_equal(why, "");
	remove_dir(dir);
}

static void a_file_cut_short_is_refused(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	make_store(dir);
	char *data = xstrdup(path_in(dir, "journal/data.mdb"));
	struct span bytes = slurp(data);
	/* The file is longer than its last page: blocks are taken ahead. Find the least that opens.
	 */
	struct store_options o = options(dir);
	size_t low = 0, high = bytes.n / PAGE;
	while (high - low > 1) {
		size_t middle = (low + high) / 2;
		spill(data, span_of(bytes.p, middle * PAGE));
		*(open_close(&o) ? &low : &high) = middle;
		spill(data, bytes);
	}
	assert_in_range(high, 600, bytes.n / PAGE);
	for (size_t cut = 0; cut < 40; cut++) {
		size_t n = cut < 10   ? cut * 1000
		           : cut < 20 ? (high - cut + 9) * PAGE
		                      : cut * high * 100;
		n = MIN_OF(n, high * PAGE - 1);
		spill(data, span_of(bytes.p, n));
		int err = open_close(&o);
		if (err != ERR_STORE_DAMAGED && err != -ENOENT)
			fail_msg("cut to %zu bytes: %d %s", n, err, why);
		assert_non_null(strstr(why, "data.mdb"));
		assert_true(n < 2 * PAGE || strstr(why, "cut short"));
		assert_true(n < 2 * PAGE || strstr(why, "oudp restore"));
	}
	free((char *)(uintptr_t)bytes.p);
	free(data);
	remove_dir(dir);
}

static uint64_t rng(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Noise on a page, a page over another, two pages swapped, single bits. */
static void spoil(char *p, size_t pages, uint64_t *r)
{
	char *a = p + rng(r) % pages * PAGE, *b = p + rng(r) % pages * PAGE;
	char held[PAGE];
	switch (rng(r) % 5) {
	case 0:
		for (unsigned i = 0; i < PAGE; i++)
			a[i] = (char)rng(r);
		break;
	case 1: memmove(a, b, PAGE); break;
	case 2: /* the page of another number, but with its own */
		memcpy(held, b, PAGE);
		memcpy(held, a, 8);
		memcpy(a, held, PAGE);
		break;
	case 3:
		memcpy(held, a, PAGE);
		memmove(a, b, PAGE);
		memcpy(b, held, PAGE);
		break;
	default:
		for (unsigned i = 0; i < 8; i++)
			a[rng(r) % PAGE] ^= (char)(1 << rng(r) % 8);
	}
}

static void noise_is_refused_or_harmless(void **state)
{
	(void)state;
	enum { ROUNDS = 250 };
	const char *dir = temp_dir();
	make_store(dir);
	char *data = xstrdup(path_in(dir, "journal/data.mdb"));
	struct span bytes = slurp(data);
	struct store_options o = checked(dir);
	char *spoiled = xmalloc(bytes.n);
	uint64_t r = 0x9e3779b97f4a7c15;
	unsigned refused = 0, harmless = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		memcpy(spoiled, bytes.p, bytes.n);
		for (unsigned i = 0; i <= round % 3; i++)
			spoil(spoiled, 800, &r);
		spill(data, span_of(spoiled, bytes.n));
		struct store *s = NULL;
		int err = open_with(&o, &s);
		if (err) {
			assert_true(err == ERR_STORE_DAMAGED || err == ERR_STORE_FORMAT);
			assert_non_null(strstr(why, "data.mdb"));
			refused++;
			continue;
		}
		for (uint32_t f = 1; f <= 3; f++) {
			struct seen seen = read_all(s, f);
			assert_int_equal(seen.first, 150);
			assert_int_equal(seen.last, 800); /* never an older root */
		}
		store_close(s);
		harmless++;
	}
	assert_true(refused > ROUNDS / 3);
	assert_true(harmless > 0);
	free(spoiled);
	free((char *)(uintptr_t)bytes.p);
	free(data);
	remove_dir(dir);
}

/* One byte of one record: no structure is broken, only the check can know. */
static void flip_a_record_byte(const char *dir)
{
	char *data = path_in(dir, "journal/data.mdb");
	struct span bytes = slurp(data);
	char *p = (char *)(uintptr_t)bytes.p;
	unsigned flipped = 0;
	for (uint64_t sequence = 700; sequence < 702; sequence++) {
		struct span wanted = record_of(1, sequence, 200);
		for (char *at = p; (at = memmem(at, bytes.n - (size_t)(at - p), wanted.p, 200));
		     at++) {
			at[150] ^= 4;
			flipped++;
		}
	}
	assert_true(flipped > 0);
	spill(data, bytes);
	free(p);
}

static void wait_for_the_clock_of_files(void)
{
	const struct timespec t = {0, 20000000};
	nanosleep(&t, NULL);
}

static void a_touched_file_is_walked_without_being_asked(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	make_store(dir);
	struct store_options o = options(dir);
	o.check = whole;
	assert_int_equal(open_close(&o), 0);
	wait_for_the_clock_of_files();
	flip_a_record_byte(dir);
	assert_int_equal(open_close(&o), ERR_STORE_DAMAGED);
	assert_non_null(strstr(why, "checksum in feed 'feed-1', at 70"));
	/* It is still so the next time. */
	assert_int_equal(open_close(&o), ERR_STORE_DAMAGED);
	o.check = NULL;
	assert_int_equal(open_close(&o), 0);
	remove_dir(dir);
}

static void an_unclean_end_is_walked_and_a_clean_one_is_not(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	char *clean = xstrdup(path_in(dir, "clean"));
	make_store(dir);
	assert_int_equal(access(clean, F_OK), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct store *s = NULL;
		struct store_options o = options(dir);
		_exit(open_with(&o, &s) != 0 || access(clean, F_OK) == 0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0); /* it left without closing: no marker */
	flip_a_record_byte(dir);
	struct store_options o = options(dir);
	o.check = whole;
	assert_int_equal(open_close(&o), ERR_STORE_DAMAGED);
	free(clean);
	remove_dir(dir);
}

static void an_older_copy_is_noticed(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	make_store(dir);
	char *data = xstrdup(path_in(dir, "journal/data.mdb"));
	struct span bytes = slurp(data);
	struct store *s = open_store(dir);
	assert_int_equal(append_some(s, 1, 801, 10, 200), 0);
	store_close(s);
	spill(data, bytes);
	struct store_options o = options(dir);
	assert_int_equal(open_close(&o), ERR_STORE_DAMAGED);
	assert_non_null(strstr(why, "stands at commit 15, but was closed at commit 16"));
	assert_int_equal(unlink(path_in(dir, "clean")), 0); /* what the sentence says */
	assert_int_equal(open_close(&o), 0);
	free((char *)(uintptr_t)bytes.p);
	free(data);
	remove_dir(dir);
}

static void set_format(const char *data, char format)
{
	struct span bytes = slurp(data);
	char *p = (char *)(uintptr_t)bytes.p, *at = p;
	unsigned n = 0;
	for (; (at = memmem(at, bytes.n - (size_t)(at - p), "format\2\0\0", 9)); at++, n++)
		at[6] = format;
	assert_true(n > 0);
	spill(data, bytes);
	free(p);
}

/* So that an older program refuses it from then on; who only reads changes nothing. */
static void a_former_format_is_raised(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	make_store(dir);
	char *data = path_in(dir, "journal/data.mdb");
	set_format(data, 1);
	struct store_options o = options(dir);
	o.read_only = true;
	assert_int_equal(open_close(&o), 0);
	struct span bytes = slurp(data);
	assert_null(memmem(bytes.p, bytes.n, "format\2\0\0", 9));
	free((char *)(uintptr_t)bytes.p);
	o.read_only = false;
	assert_int_equal(open_close(&o), 0);
	bytes = slurp(data);
	assert_non_null(memmem(bytes.p, bytes.n, "format\2\0\0", 9));
	free((char *)(uintptr_t)bytes.p);
	assert_int_equal(open_close(&o), 0);
	remove_dir(dir);
}

static void a_newer_format_is_refused_in_words(void **state)
{
	(void)state;
	const char *dir = temp_dir();
	make_store(dir);
	char *data = path_in(dir, "journal/data.mdb");
	set_format(data, 3);
	struct store_options o = options(dir);
	assert_int_equal(open_close(&o), ERR_STORE_FORMAT);
	assert_non_null(strstr(why, "format 3"));
	o.read_only = true;
	assert_int_equal(open_close(&o), ERR_STORE_FORMAT);
	remove_dir(dir);
}

static void what_is_not_a_journal_is_refused(void **state)
{
	(void)state;
	static char zeros[3 * PAGE];
	const char *dir = temp_dir();
	make_store(dir);
	char *data = xstrdup(path_in(dir, "journal/data.mdb"));
	struct store_options o = options(dir);
	spill(data, span_of(zeros, sizeof(zeros)));
	assert_int_equal(open_close(&o), ERR_STORE_DAMAGED);
	spill(data, SPAN("this is a text"));
	assert_int_equal(open_close(&o), ERR_STORE_DAMAGED);
	memset(zeros, 0xff, sizeof(zeros));
	spill(data, span_of(zeros, sizeof(zeros)));
	assert_int_equal(open_close(&o), ERR_STORE_DAMAGED);
	assert_int_equal(unlink(data), 0);
	assert_int_equal(mkdir(data, 0700), 0);
	assert_true(open_close(&o) < 0);
	assert_non_null(strstr(why, "data.mdb"));
	free(data);
	remove_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_store_passes),
	    cmocka_unit_test(a_file_cut_short_is_refused),
	    cmocka_unit_test(noise_is_refused_or_harmless),
	    cmocka_unit_test(a_touched_file_is_walked_without_being_asked),
	    cmocka_unit_test(an_unclean_end_is_walked_and_a_clean_one_is_not),
	    cmocka_unit_test(an_older_copy_is_noticed),
	    cmocka_unit_test(a_former_format_is_raised),
	    cmocka_unit_test(a_newer_format_is_refused_in_words),
	    cmocka_unit_test(what_is_not_a_journal_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
