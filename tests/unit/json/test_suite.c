/* test_suite.c - JSONTestSuite, and jansson as the oracle on its files, on ours, and on what
 * becomes of them when bytes are changed. The suite is not ours: it is looked for in
 * $OUDP_SHARED/json-test-suite and ../shared/json-test-suite. */
#include "agree.h"

#include "check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	FILES_MAX = 1000,
	MUTATED_BYTES = 2000, /* larger files are only taken as they are */
	MUTATIONS = 300       /* of each file and seed */
};

struct file {
	char name[256];
	struct span text;
};

struct world {
	struct file suite[FILES_MAX], seeds[FILES_MAX];
	size_t n_suite, n_seeds;
	struct json_tape tape;
};

/* What the suite leaves open (i_), and what we do. */
static const struct {
	const char *name;
	bool accepted;
	const char *why;
} left_open[] = {
    {"i_number_double_huge_neg_exp", true, "a number; as a double it is 0"},
    {"i_number_huge_exp", true, "a number; as a double it is infinite"},
    {"i_number_neg_int_huge_exp", true, "the same, negative"},
    {"i_number_pos_double_huge_exp", true, "the same"},
    {"i_number_real_neg_overflow", true, "the same, negative"},
    {"i_number_real_pos_overflow", true, "the same"},
    {"i_number_real_underflow", true, "a number; as a double it is 0"},
    {"i_number_too_big_neg_int", true, "compared exactly, whatever its size"},
    {"i_number_too_big_pos_int", true, "compared exactly, whatever its size"},
    {"i_number_very_big_negative_int", true, "compared exactly, whatever its size"},
    {"i_object_key_lone_2nd_surrogate", false, "no code point: no UTF-8 for it"},
    {"i_string_1st_surrogate_but_2nd_missing", false, "no code point"},
    {"i_string_1st_valid_surrogate_2nd_invalid", false, "no code point"},
    {"i_string_incomplete_surrogate_and_escape_valid", false, "no code point"},
    {"i_string_incomplete_surrogate_pair", false, "no code point"},
    {"i_string_incomplete_surrogates_escape_valid", false, "no code point"},
    {"i_string_invalid_lonely_surrogate", false, "no code point"},
    {"i_string_invalid_surrogate", false, "no code point"},
    {"i_string_inverted_surrogates_U+1D11E", false, "no code point"},
    {"i_string_lone_second_surrogate", false, "no code point"},
    {"i_string_UTF-16LE_with_BOM", false, "RFC 8259 section 8.1: UTF-8 only"},
    {"i_string_utf16BE_no_BOM", false, "RFC 8259 section 8.1: UTF-8 only"},
    {"i_string_utf16LE_no_BOM", false, "RFC 8259 section 8.1: UTF-8 only"},
    {"i_string_UTF-8_invalid_sequence", false, "not UTF-8"},
    {"i_string_UTF8_surrogate_U+D800", false, "not UTF-8"},
    {"i_string_invalid_utf-8", false, "not UTF-8"},
    {"i_string_iso_latin_1", false, "not UTF-8"},
    {"i_string_lone_utf8_continuation_byte", false, "not UTF-8"},
    {"i_string_not_in_unicode_range", false, "not UTF-8"},
    {"i_string_overlong_sequence_2_bytes", false, "not UTF-8: overlong"},
    {"i_string_overlong_sequence_6_bytes", false, "not UTF-8: overlong"},
    {"i_string_overlong_sequence_6_bytes_null", false, "not UTF-8: overlong"},
    {"i_string_truncated-utf-8", false, "not UTF-8"},
    {"i_structure_500_nested_arrays", false, "deeper than LIMIT_JSON_DEPTH"},
    {"i_structure_UTF-8_BOM_empty_object", false, "RFC 8259 section 8.1: no BOM is sent"},
};

static struct span read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("%s: cannot be read", path);
	struct buf b;
	buf_init(&b, 64 << 20);
	char chunk[4096];
	for (size_t n; (n = fread(chunk, 1, sizeof(chunk), f)) > 0;)
		buf_add(&b, chunk, n);
	fclose(f);
	assert_int_equal(b.err, 0);
	return span_of(b.p, b.len);
}

static size_t read_folder(const char *path, struct file *files)
{
	struct dirent **names;
	size_t n = 0;
	int found = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < found; i++) {
		if (names[i]->d_name[0] != '.' && n < FILES_MAX) {
			char full[600];
			snprintf(full, sizeof(full), "%s/%s", path, names[i]->d_name);
			snprintf(files[n].name, sizeof(files[n].name), "%s", names[i]->d_name);
			files[n++].text = read_file(full);
		}
		free(names[i]);
	}
	if (found >= 0)
		free(names);
	return n;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	if (!w)
		return -1;
	const char *shared = getenv("OUDP_SHARED");
	char path[500];
	snprintf(path, sizeof(path), "%s/json-test-suite/test_parsing",
	         shared ? shared : "../shared");
	w->n_suite = read_folder(path, w->suite);
	w->n_seeds = read_folder("tests/corpus/fuzz_json", w->seeds);
	json_tape_init(&w->tape, 1 << 20);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	for (size_t i = 0; i < w->n_suite; i++)
		free((char *)(uintptr_t)w->suite[i].text.p);
	for (size_t i = 0; i < w->n_seeds; i++)
		free((char *)(uintptr_t)w->seeds[i].text.p);
	json_tape_done(&w->tape);
	free(w);
	return 0;
}

static bool is_there(const struct world *w)
{
	if (w->n_suite == 0)
		print_message("# SKIP JSONTestSuite is not there: looked for in "
		              "../shared/json-test-suite and $OUDP_SHARED\n");
	return w->n_suite > 0;
}

static void every_file_is_judged_right(void **state)
{
	struct world *w = *state;
	unsigned accepted = 0, refused = 0, wrong = 0;
	if (!is_there(w))
		skip();
	for (size_t i = 0; i < w->n_suite; i++) {
		char kind = w->suite[i].name[0];
		if (kind != 'y' && kind != 'n')
			continue;
		bool is = parse(&w->tape, w->suite[i].text) == 0;
		if (is != (kind == 'y')) {
			print_error("%s: %s\n", w->suite[i].name, is ? "accepted" : "refused");
			wrong++;
		}
		*(is ? &accepted : &refused) += 1;
	}
	print_message("accepted %u, refused %u\n", accepted, refused);
	assert_int_equal(wrong, 0);
	assert_in_range(accepted, 90, FILES_MAX); /* the folder is the suite */
	assert_in_range(refused, 180, FILES_MAX);
}

static void what_is_left_open_is_decided(void **state)
{
	struct world *w = *state;
	if (!is_there(w))
		skip();
	unsigned found = 0;
	for (size_t i = 0; i < w->n_suite; i++) {
		if (w->suite[i].name[0] != 'i')
			continue;
		size_t row = 0;
		char name[sizeof(w->suite[i].name)];
		strcpy(name, w->suite[i].name);
		*strrchr(name, '.') = '\0';
		while (row < ARRAY_LEN(left_open) && strcmp(left_open[row].name, name) != 0)
			row++;
		if (row == ARRAY_LEN(left_open))
			fail_msg("%s: not decided", name);
		int err = parse(&w->tape, w->suite[i].text);
		if ((err == 0) != left_open[row].accepted)
			fail_msg("%s: %d, but: %s", name, err, left_open[row].why);
		found++;
	}
	assert_int_equal(found, ARRAY_LEN(left_open));
}

static void check_agree(struct world *w, const char *name, struct span text)
{
	const char *bad = agree(&w->tape, text);
	if (!bad)
		return;
	print_error("%s: %s, bytes:", name, bad);
	for (size_t i = 0; i < text.n && i < MUTATED_BYTES; i++)
		print_error(" %02x", (unsigned char)text.p[i]);
	fail_msg("\n");
}

static void jansson_agrees_on_every_file(void **state)
{
	struct world *w = *state;
	for (size_t i = 0; i < w->n_suite; i++)
		check_agree(w, w->suite[i].name, w->suite[i].text);
	for (size_t i = 0; i < w->n_seeds; i++)
		check_agree(w, w->seeds[i].name, w->seeds[i].text);
	assert_in_range(w->n_seeds, 20, FILES_MAX); /* run at the top of the repository? */
}

/* Changes 1 to 4 places: a byte, a piece of JSON put in, a stretch taken out or doubled. */
static size_t mutate(char *p, size_t n, size_t max, uint64_t *seed)
{
	static const char *const pieces[] = {
	    "{",
	    "}",
	    "[",
	    "]",
	    ":",
	    ",",
	    "\"",
	    "\\",
	    "\"a\":",
	    "\"a\":1,",
	    "\\u0061",
	    "\\ud834\\udd1e",
	    "\\ud800",
	    "\\n",
	    "\xc3\xa9",
	    "\xe2\x82\xac",
	    "\xed\xa0\x80",
	    "\xf0\x9d\x84\x9e",
	    "0",
	    "-",
	    ".5",
	    "e9",
	    "E-3",
	    "12345678901234567890",
	    "true",
	    "false",
	    "null",
	    " ",
	    "\n",
	    "\t",
	    "\r",
	    "\x7f",
	    "\x1f",
	    "[[",
	    "{\"b\":{}}",
	    "1e400",
	};
	for (uint64_t changes = 1 + next_random(seed) % 4; changes > 0; changes--) {
		uint64_t r = next_random(seed);
		size_t at = n ? (r >> 16) % n : 0, len = n ? (r >> 32) % MIN_OF(n - at, 20u) : 0;
		const char *piece = pieces[(r >> 40) % ARRAY_LEN(pieces)];
		switch (r % 4) {
		case 0:
			if (n)
				p[at] = (char)(r >> 48);
			break;
		case 1: len = strlen(piece); break;
		case 2:
			memmove(p + at, p + at + len, n - at - len);
			n -= len;
			continue;
		default: piece = NULL;
		}
		if (r % 4 == 0 || n + len > max)
			continue;
		memmove(p + at + len, p + at, n - at); /* of a doubled stretch this is the copy */
		if (piece)
			memcpy(p + at, piece, len);
		n += len;
	}
	return n;
}

static void mutate_all(struct world *w, const struct file *files, size_t n, uint64_t seed)
{
	static char text[2 * MUTATED_BYTES];
	for (size_t i = 0; i < n; i++) {
		size_t len = files[i].text.n;
		if (len > MUTATED_BYTES)
			continue;
		for (int round = 0; round < MUTATIONS; round++) {
			if (len)
				memcpy(text, files[i].text.p, len);
			size_t now = mutate(text, len, sizeof(text), &seed);
			check_agree(w, files[i].name, span_of(text, now));
		}
	}
}

static void jansson_agrees_on_mutations(void **state)
{
	struct world *w = *state;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t seeds[] = {20261124, (uint64_t)now.tv_sec << 20 ^ (uint64_t)now.tv_nsec};
	for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
		print_message("seed %llu\n", (unsigned long long)seeds[i]);
		mutate_all(w, w->suite, w->n_suite, seeds[i]);
		mutate_all(w, w->seeds, w->n_seeds, seeds[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_file_is_judged_right),
	    cmocka_unit_test(what_is_left_open_is_decided),
	    cmocka_unit_test(jansson_agrees_on_every_file),
	    cmocka_unit_test(jansson_agrees_on_mutations),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
