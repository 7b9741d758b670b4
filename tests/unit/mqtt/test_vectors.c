/* test_vectors.c - every packet and property, as bytes: decoded and encoded again they are the same
 * bytes. Properties stand in the order the encoder writes (ascending, user properties last; in
 * PUBLISH alias, expiry, subscription identifiers, then the stored ones). */
#include "../../fuzz/reencode.h"
#include "hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct vector {
	enum mqtt_version version;
	enum side side;
	const char *packet;
} vectors[] = {
    /* 3.1.1 */
    {4, FROM_CLIENT, "10 * 0004 'MQTT' 04 02 003c 0000"},
    {4, FROM_CLIENT, "10 * 0004 'MQTT' 04 00 0000 0003 'abc'"},
    {4, FROM_CLIENT,
     "10 * 0004 'MQTT' 04 ee 000a 0001 'c' 0003 'w/t' 0002 'hi' 0001 'u' 0002 00ff"},
    {4, FROM_CLIENT, "10 * 0004 'MQTT' 04 82 0000 0001 'c' 0000"},
    {4, FROM_SERVER, "20 02 00 00"},
    {4, FROM_SERVER, "20 02 01 00"},
    {4, FROM_SERVER, "20 02 00 01"},
    {4, FROM_SERVER, "20 02 00 02"},
    {4, FROM_SERVER, "20 02 00 03"},
    {4, FROM_SERVER, "20 02 00 04"},
    {4, FROM_SERVER, "20 02 00 05"},
    {4, FROM_CLIENT, "30 * 0003 'a/b'"},
    {4, FROM_CLIENT, "31 * 0003 'a/b' 'payload'"},
    {4, FROM_CLIENT, "32 * 0003 'a/b' 0001 'x'"},
    {4, FROM_CLIENT, "3d * 0003 'a/b' ffff 'x'"},
    {4, FROM_CLIENT, "40 02 1234"},
    {4, FROM_CLIENT, "50 02 1234"},
    {4, FROM_CLIENT, "62 02 1234"},
    {4, FROM_CLIENT, "70 02 1234"},
    {4, FROM_CLIENT, "82 * 0001 0003 'a/+' 00 0001 '#' 02"},
    {4, FROM_SERVER, "90 * 0001 00 01 02 80"},
    {4, FROM_CLIENT, "a2 * 0001 0003 'a/+' 0001 '#'"},
    {4, FROM_SERVER, "b0 02 0001"},
    {4, FROM_CLIENT, "c0 00"},
    {4, FROM_SERVER, "d0 00"},
    {4, FROM_CLIENT, "e0 00"},
    /* 5.0: CONNECT */
    {5, FROM_CLIENT, "10 * 0004 'MQTT' 05 02 003c 00 0000"},
    {5, FROM_CLIENT, "10 * 0004 'MQTT' 05 40 0000 00 0001 'c' 0002 'pw'"}, /* no user name */
    {5, FROM_CLIENT, "10 * 0004 'MQTT' 05 02 0000 05 11 ffffffff 0000"},
    {5, FROM_CLIENT, "10 * 0004 'MQTT' 05 02 0000 0e 15 0005 'SCRAM' 16 0003 00ff00 0000"},
    {5, FROM_CLIENT, "10 * 0004 'MQTT' 05 02 0000 02 17 00 0000"},
    {5, FROM_CLIENT, "10 * 0004 'MQTT' 05 02 0000 02 19 01 0000"},
    {5, FROM_CLIENT, "10 * 0004 'MQTT' 05 02 0000 03 21 0001 0000"},
    {5, FROM_CLIENT, "10 * 0004 'MQTT' 05 02 0000 03 22 0000 0000"},
    {5, FROM_CLIENT, "10 * 0004 'MQTT' 05 02 0000 05 27 00000001 0000"},
    {5, FROM_CLIENT,
     "10 * 0004 'MQTT' 05 02 0000 0e 26 0001 'k' 0001 'v' 26 0001 'k' 0001 'w' 0000"},
    {5, FROM_CLIENT,
     "10 * 0004 'MQTT' 05 f6 000a 00 0001 'c' 00 0003 'w/t' 0002 'hi' 0001 'u' 0001 'p'"},
    {5, FROM_CLIENT,
     "10 * 0004 'MQTT' 05 2e 0000 00 0000 20 01 01 02 00000010 03 0001 't' 08 0001 'r' 09 0002 "
     "0001 "
     "18 00000005 26 0001 'k' 0001 'v' 0003 'w/t' 0000"},
    /* CONNACK */
    {5, FROM_SERVER, "20 03 00 00 00"},
    {5, FROM_SERVER, "20 03 01 00 00"},
    {5, FROM_SERVER, "20 03 00 87 00"},
    {5, FROM_SERVER, "20 * 00 00 05 11 0000000a"},
    {5, FROM_SERVER, "20 * 00 00 06 12 0003 'gen'"},
    {5, FROM_SERVER, "20 * 00 00 03 13 003c"},
    {5, FROM_SERVER, "20 * 00 00 08 15 0001 'm' 16 0001 00"},
    {5, FROM_SERVER, "20 * 00 00 04 1a 0001 'r'"},
    {5, FROM_SERVER, "20 * 00 9c 04 1c 0001 's'"},
    {5, FROM_SERVER, "20 * 00 80 06 1f 0003 'why'"},
    {5, FROM_SERVER, "20 * 00 00 15 21 0400 22 0000 24 01 25 01 27 00100000 28 01 29 00 2a 01"},
    {5, FROM_SERVER, "20 * 00 00 07 26 0001 'k' 0001 'v'"},
    /* PUBLISH */
    {5, FROM_CLIENT, "30 * 0003 'a/b' 00"},
    {5, FROM_CLIENT, "3b * 0003 'a/b' 0007 00 'x'"},
    {5, FROM_CLIENT, "34 * 0000 0007 03 23 0001 'x'"}, /* empty topic, alias */
    {5, FROM_CLIENT, "30 * 0001 'a' 02 01 01 'x'"},
    {5, FROM_CLIENT, "30 * 0001 'a' 05 02 00000000"},
    {5, FROM_CLIENT, "30 * 0001 'a' 07 03 0004 'text'"},
    {5, FROM_CLIENT, "30 * 0001 'a' 04 08 0001 'r'"},
    {5, FROM_CLIENT, "30 * 0001 'a' 04 09 0001 00"},
    {5, FROM_CLIENT, "30 * 0001 'a' 0e 26 0001 'z' 0001 '1' 26 0001 'a' 0001 '2'"},
    {5, FROM_CLIENT,
     "30 * 0001 'a' 10 23 ffff 02 00000001 26 0001 'z' 0000 01 00 "
     "'{}'"},
    {5, FROM_SERVER, "32 * 0001 'a' 0001 0a 0b 01 0b 8001 0b ffffff7f 'x'"},
    /* acknowledgements */
    {5, FROM_CLIENT, "40 02 0001"},
    {5, FROM_CLIENT, "40 03 0001 10"},
    {5, FROM_CLIENT, "40 * 0001 99 06 1f 0003 'bad'"},
    {5, FROM_CLIENT, "40 * 0001 00 06 1f 0003 'dup'"},
    {5, FROM_CLIENT, "50 03 0001 97"},
    {5, FROM_CLIENT, "50 * 0001 87 07 26 0001 'k' 0001 'v'"},
    {5, FROM_CLIENT, "62 03 0001 92"},
    {5, FROM_CLIENT, "70 * 0001 92 04 1f 0001 'x'"},
    /* SUBSCRIBE and the rest */
    {5, FROM_CLIENT, "82 * 0001 00 0003 'a/+' 2e 0001 '#' 11"},
    {5, FROM_CLIENT, "82 * 0001 0c 0b ffffff7f 26 0001 'k' 0001 'v' 000c '$share/g/a/b' 02"},
    {5, FROM_SERVER, "90 * 0001 00 00 01 02 80 83 87 8f 91 97 9e a1 a2"},
    {5, FROM_SERVER, "90 * 0001 04 1f 0001 'x' 00"},
    {5, FROM_CLIENT, "a2 * 0001 00 0003 'a/+' 0001 '#'"},
    {5, FROM_CLIENT, "a2 * 0001 07 26 0001 'k' 0001 'v' 0001 'a'"},
    {5, FROM_SERVER, "b0 * 0001 00 00 11 80 83 87 8f 91"},
    {5, FROM_SERVER, "b0 * 0001 04 1f 0001 'x' 00"},
    {5, FROM_CLIENT, "c0 00"},
    {5, FROM_SERVER, "d0 00"},
    {5, FROM_CLIENT, "e0 00"},
    {5, FROM_CLIENT, "e0 01 04"},
    {5, FROM_CLIENT, "e0 * 00 05 11 00000000"},
    {5, FROM_CLIENT, "e0 * 81 0b 1f 0001 'x' 26 0001 'k' 0001 'v'"},
    {5, FROM_SERVER, "e0 * 9d 04 1c 0001 's'"},
    {5, FROM_SERVER, "e0 01 8b"},
    {5, FROM_CLIENT, "f0 00"},
    {5, FROM_CLIENT, "f0 * 19 04 15 0001 'm'"},
    {5, FROM_SERVER, "f0 * 18 13 15 0001 'm' 16 0001 00 1f 0001 'x' 26 0001 'k' 0001 'v'"},
};

static void test_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		uint8_t in[512], out[512];
		size_t n = hex(v->packet, in, sizeof(in));
		enum mqtt_reason reason = 0;
		struct wire w = wire_of(out, sizeof(out));
		struct any_view view;
		struct frame f;

		if (frame_next(in, n, 1024, &f) || f.total != n ||
		    any_decode(v->version, v->side, &f, &view, &reason))
			fail_msg("vector %zu does not decode (0x%02x): %s", i, reason, v->packet);
		any_encode(&w, v->version, &view);
		assert_int_equal(w.err, 0);
		if (w.len != n || memcmp(in, out, n) != 0)
			fail_msg("vector %zu comes out different: %s", i, v->packet);
	}
}

/* Cut anywhere, a packet whose fixed header is made to fit is refused or says less, and nothing
 * behind its end is read (the buffer is exactly as long: the address sanitizer looks on). */
static void test_cut_short(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		uint8_t in[512];
		size_t n = hex(vectors[i].packet, in, sizeof(in));

		for (size_t cut = 2; cut < n; cut++) {
			uint8_t *copy = malloc(cut);
			enum mqtt_reason reason = 0;
			struct any_view view;
			struct frame f;

			memcpy(copy, in, cut);
			copy[1] = (uint8_t)(cut - 2);
			assert_int_equal(frame_next(copy, cut, 1024, &f), 0);
			if (any_decode(vectors[i].version, vectors[i].side, &f, &view, &reason))
				assert_true(reason >= 0x80);
			free(copy);
		}
	}
}

/* An encoder without room writes nothing and says so, at every capacity. */
static void test_no_room(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		uint8_t in[512];
		size_t n = hex(vectors[i].packet, in, sizeof(in));
		enum mqtt_reason reason;
		struct any_view view;
		struct frame f;

		assert_int_equal(frame_next(in, n, 1024, &f), 0);
		assert_int_equal(
		    any_decode(vectors[i].version, vectors[i].side, &f, &view, &reason), 0);
		for (size_t cap = 0; cap < n; cap++) {
			uint8_t *out = malloc(cap + 1);
			struct wire w = wire_of(out, cap);

			any_encode(&w, vectors[i].version, &view);
			assert_int_equal(w.err, ERR_TOO_LARGE);
			assert_int_equal(w.len, 0);
			free(out);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both_ways),
	    cmocka_unit_test(test_cut_short),
	    cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
