/* base: buffers, hashing, time, checksums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/rfc3339.h"
#include "base/span.h"

#include <stdio.h>
#include <stdlib.h>

static void buf_grows_to_its_maximum_and_keeps_the_error(void **state UNUSED)
{
	struct buf b;
	buf_init(&b, 1000);
	for (int i = 0; i < 99; i++)
		buf_add_str(&b, "0123456789");
	assert_int_equal(b.len, 990);
	buf_add_str(&b, "0123456789x");
	assert_int_equal(b.err, ERR_TOO_LARGE);
	assert_int_equal(b.len, 990);
	buf_add_char(&b, 'y');
	assert_int_equal(b.len, 990);
	buf_clear(&b);
	buf_addf(&b, "%d-%s", 17, "x");
	buf_add_u64(&b, UINT64_MAX);
	assert_string_equal(buf_str(&b), "17-x18446744073709551615");
	buf_drop(&b, 3);
	assert_string_equal(buf_str(&b), "x18446744073709551615");
	buf_done(&b);
}

static void crc32c_vectors(void **state UNUSED)
{
	uint8_t zeros[32] = {0};
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
	assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aau); /* RFC 3720, B.4 */
	uint8_t noise[1000];
	for (unsigned i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(i * 131 + (i >> 3));
	for (unsigned n = 0; n < 300; n++)
		assert_int_equal(crc32c(0, noise + n, 1000 - n),
		                 crc32c_portable(0, noise + n, 1000 - n));
	assert_int_equal(crc32c(crc32c(0, noise, 7), noise + 7, 93), crc32c(0, noise, 100));
}

static void the_halves_of_hash128_differ_and_depend_on_every_byte(void **state UNUSED)
{
	struct hash_key k = {1, 2}, other = {1, 3};
	char text[] = "the quick brown fox";
	uint64_t h[2], g[2];
	hash128(&k, text, sizeof(text) - 1, h);
	assert_true(h[0] != h[1] && h[0] != hash64(&k, text, sizeof(text) - 1));
	hash128(&other, text, sizeof(text) - 1, g);
	assert_true(h[0] != g[0] && h[1] != g[1]);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		text[i] ^= 1;
		hash128(&k, text, sizeof(text) - 1, g);
		assert_true(h[0] != g[0] && h[1] != g[1]);
		text[i] ^= 1;
	}
	hash128(&k, NULL, 0, g);
	assert_true(g[0] != g[1]);
}

static void siphash_1_3_depends_on_key_and_every_byte(void **state UNUSED)
{
	struct hash_key k = {1, 2}, other = {1, 3};
	char text[] = "city/air/0017";
	uint64_t h = hash64(&k, text, sizeof(text) - 1);
	assert_true(h != hash64(&other, text, sizeof(text) - 1));
	for (unsigned i = 0; i < sizeof(text) - 1; i++) {
		text[i] ^= 1;
		assert_true(h != hash64(&k, text, sizeof(text) - 1));
		text[i] ^= 1;
	}
}

static void map_agrees_with_an_array(void **state UNUSED)
{
	enum { KEYS = 500, OPS = 20000 };
	static int values[KEYS];
	bool in[KEYS] = {0};
	struct map m;
	unsigned seed = 17, n = 0;
	map_init(&m);
	for (int i = 0; i < OPS; i++) {
		seed = seed * 1103515245u + 12345u;
		unsigned k = (seed >> 8) % KEYS;
		char key[16];
		int len = snprintf(key, sizeof(key), "k%u", k);
		struct span s = span_of(key, (size_t)len);
		if ((seed >> 20) % 3) {
			assert_true((map_set(&m, s, &values[k]) != NULL) == in[k]);
			n += !in[k];
			in[k] = true;
		} else {
			assert_ptr_equal(map_remove(&m, s), in[k] ? &values[k] : NULL);
			n -= in[k];
			in[k] = false;
		}
		assert_int_equal(m.n, n);
		assert_ptr_equal(map_get(&m, s), in[k] ? &values[k] : NULL);
	}
	size_t at = 0;
	unsigned seen = 0;
	while (map_next(&m, &at, NULL))
		seen++;
	assert_int_equal(seen, n);
	map_done(&m);
}

static void rfc3339_reads_and_refuses(void **state UNUSED)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} rows[] = {
	    {"1970-01-01T00:00:00Z", 0},
	    {"2026-11-24T12:34:56.789Z", 1795523696789},
	    {"2026-11-24T13:34:56.789123456+01:00", 1795523696789},
	    {"2026-11-24t12:34:56z", 1795523696000},
	    {"2000-02-29T00:00:00Z", 951782400000},
	    {"2016-12-31T23:59:60Z", 1483228799999},
	    {"2017-01-01T00:59:60+01:00", 1483228799999},
	    {"2016-12-31T23:58:60Z", -1},
	    {"1900-02-29T00:00:00Z", -1},
	    {"2026-11-24 12:34:56Z", -1},
	    {"2026-11-24T12:34:56", -1},
	    {"2026-13-24T12:34:56Z", -1},
	    {"2026-11-31T12:34:56Z", -1},
	    {"2026-11-24T24:00:00Z", -1},
	    {"2026-11-24T12:34:56.Z", -1},
	    {"2026-11-24T12:34:56.1234567890Z", -1},
	    {"2026-11-24T12:34:56+24:00", -1},
	    {"2026-11-24T12:34:56+01:0", -1},
	    {"0000-01-01T00:00:00Z", -1},
	    {"", -1},
	};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = -2;
		int err = rfc3339_parse(span_str(rows[i].text), &ms);
		if (rows[i].ms == -1)
			assert_int_equal(err, ERR_MALFORMED);
		else
			assert_int_equal(err, 0);
		if (!err && ms != rows[i].ms)
			fail_msg("%s: %lld", rows[i].text, (long long)ms);
	}
}

static void rfc3339_round_trip(void **state UNUSED)
{
	char out[RFC3339_BYTES];
	rfc3339_format(1795523696789, out);
	assert_memory_equal(out, "2026-11-24T12:34:56.789Z", RFC3339_BYTES);
	rfc3339_format(-1, out);
	assert_memory_equal(out, "1969-12-31T23:59:59.999Z", RFC3339_BYTES);
	for (int64_t t = -62135596800000; t < 253402300800000; t += 86399123 * 997LL) {
		int64_t back;
		rfc3339_format(t, out);
		assert_int_equal(rfc3339_parse(span_of(out, RFC3339_BYTES), &back), 0);
		assert_true(back == t);
	}
}

static void numbers_and_escapes(void **state UNUSED)
{
	uint64_t v;
	assert_int_equal(span_to_u64(SPAN("18446744073709551615"), &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(span_to_u64(SPAN("18446744073709551616"), &v), ERR_TOO_LARGE);
	assert_int_equal(span_to_u64(SPAN("1x"), &v), ERR_MALFORMED);
	assert_int_equal(span_to_u64(SPAN(""), &v), ERR_MALFORMED);
	char out[32];
	assert_string_equal(log_escape(out, sizeof(out), "a\"b\n\xff", 5), "a\\x22b\\x0a\\xff");
	assert_string_equal(log_escape(out, 12, "aaaaaaaaaaaaaaaa", 16), "aaaaa...");
	assert_string_equal(err_text(ERR_STORE_FULL), "the store is full");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(buf_grows_to_its_maximum_and_keeps_the_error),
	    cmocka_unit_test(crc32c_vectors),
	    cmocka_unit_test(the_halves_of_hash128_differ_and_depend_on_every_byte),
	    cmocka_unit_test(siphash_1_3_depends_on_key_and_every_byte),
	    cmocka_unit_test(map_agrees_with_an_array),
	    cmocka_unit_test(rfc3339_reads_and_refuses),
	    cmocka_unit_test(rfc3339_round_trip),
	    cmocka_unit_test(numbers_and_escapes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
