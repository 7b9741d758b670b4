/* test_malformed.c - every rule that can be decided from a packet alone: the tag, a packet that
 * breaks it, and what the decoder says. */
#include "../../fuzz/reencode.h"
#include "hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define BAD   ERR_MALFORMED, 0x81
#define PROTO ERR_PROTOCOL, 0x82
#define C     FROM_CLIENT
#define S     FROM_SERVER

static const struct broken {
	const char *rule;
	enum mqtt_version version;
	enum side side;
	const char *packet;
	int err;
	unsigned reason;
} broken[] = {
    /* strings */
    {"MQTT-1.5.4-1 surrogate", 5, C, "30 * 0003 eda080 00", BAD},
    {"MQTT-1.5.4-1 overlong", 5, C, "30 * 0002 c080 00", BAD},
    {"MQTT-1.5.4-1 cut", 5, C, "30 * 0002 e282 00", BAD},
    {"MQTT-1.5.4-2 U+0000", 5, C, "30 * 0003 610062 00", BAD},
    {"3.1.1 MQTT-1.5.3-1", 4, C, "30 * 0003 eda080", BAD},
    {"3.1.1 MQTT-1.5.3-2", 4, C, "30 * 0003 610062", BAD},
    {"MQTT-1.5.4-1 client id", 5, C, "10 * 0004 'MQTT' 05 02 003c 00 0001 ff", BAD},
    {"MQTT-1.5.4-2 user name", 4, C, "10 * 0004 'MQTT' 04 82 0000 0001 'c' 0001 00", BAD},
    {"MQTT-1.5.4-1 content type", 5, C, "30 * 0001 'a' 04 03 0001 ff", BAD},
    {"MQTT-1.5.7-1 name of a pair", 5, C, "30 * 0001 'a' 07 26 0001 ff 0001 'v'", BAD},
    {"MQTT-1.5.7-1 value of a pair", 5, C, "30 * 0001 'a' 07 26 0001 'k' 0001 00", BAD},
    /* lengths */
    {"MQTT-1.5.5-1 packet", 5, C, "c0 8000", BAD},
    {"MQTT-1.5.5-1 publish", 5, C, "30 8400 0001 'a' 00", BAD},
    {"MQTT-1.5.5-1 puback", 5, C, "40 8200 0001", BAD},
    {"MQTT-1.5.5-1 subscription id", 5, C, "82 * 0001 03 0b 8100 0001 'a' 00", BAD},
    {"MQTT-1.5.5-1 section", 5, C, "30 * 0001 'a' 8000", BAD},
    {"MQTT-2.2.2-1 no section", 5, C, "30 * 0001 'a'", BAD},
    {"section longer than packet", 5, C, "30 * 0001 'a' 05 01 01", BAD},
    {"section length of five bytes", 5, C, "30 * 0001 'a' ffffffff7f", BAD},
    {"topic longer than packet", 4, C, "30 * 0009 'a'", BAD},
    {"no topic at all", 4, C, "30 00", BAD},
    /* fixed header flags */
    {"MQTT-2.1.3-1 CONNECT", 5, C, "11 * 0004 'MQTT' 05 02 003c 00 0000", BAD},
    {"3.1.1 MQTT-2.2.2-2 CONNECT", 4, C, "12 * 0004 'MQTT' 04 02 003c 0000", BAD},
    {"MQTT-2.1.3-1 CONNACK", 5, S, "21 03 00 00 00", BAD},
    {"MQTT-2.1.3-1 PUBACK", 5, C, "42 02 0001", BAD},
    {"MQTT-2.1.3-1 PUBREC", 5, C, "51 02 0001", BAD},
    {"MQTT-3.6.1-1 PUBREL", 5, C, "60 02 0001", BAD},
    {"3.1.1 MQTT-3.6.1-1 PUBREL", 4, C, "60 02 0001", BAD},
    {"MQTT-2.1.3-1 PUBCOMP", 5, C, "72 02 0001", BAD},
    {"MQTT-3.8.1-1 SUBSCRIBE", 5, C, "80 * 0001 00 0001 'a' 00", BAD},
    {"MQTT-2.1.3-1 SUBACK", 5, S, "92 * 0001 00 00", BAD},
    {"MQTT-3.10.1-1 UNSUBSCRIBE", 5, C, "a0 * 0001 00 0001 'a'", BAD},
    {"MQTT-2.1.3-1 UNSUBACK", 5, S, "b1 * 0001 00 00", BAD},
    {"MQTT-2.1.3-1 PINGREQ", 4, C, "c1 00", BAD},
    {"MQTT-2.1.3-1 PINGRESP", 4, S, "d8 00", BAD},
    {"MQTT-3.14.1-1 DISCONNECT", 5, C, "e1 00", BAD},
    {"MQTT-3.15.1-1 AUTH", 5, C, "f1 00", BAD},
    {"AUTH on 3.1.1", 4, C, "f0 00", BAD},
    {"type 0", 5, C, "00 00", BAD},
    /* CONNECT */
    {"MQTT-3.1.2-1 name", 5, C, "10 * 0004 'MQTX' 05 02 003c 00 0000", ERR_PROTOCOL, 0x84},
    {"MQTT-3.1.2-1 old name", 4, C, "10 * 0006 'MQIsdp' 03 02 003c 0000", ERR_PROTOCOL, 0x84},
    {"MQTT-3.1.2-2 level 6", 5, C, "10 * 0004 'MQTT' 06 02 003c 00 0000", ERR_PROTOCOL, 0x84},
    {"3.1.1 MQTT-3.1.2-2 level 3", 4, C, "10 * 0004 'MQTT' 03 02 003c 0000", ERR_PROTOCOL, 0x84},
    {"MQTT-3.1.2-3 reserved", 5, C, "10 * 0004 'MQTT' 05 03 003c 00 0000", BAD},
    {"3.1.1 MQTT-3.1.2-3 reserved", 4, C, "10 * 0004 'MQTT' 04 03 003c 0000", BAD},
    {"MQTT-3.1.2-11 will QoS", 5, C, "10 * 0004 'MQTT' 05 0a 003c 00 0000", BAD},
    {"MQTT-3.1.2-13 will retain", 5, C, "10 * 0004 'MQTT' 05 22 003c 00 0000", BAD},
    {"3.1.1 MQTT-3.1.2-15 will retain", 4, C, "10 * 0004 'MQTT' 04 22 003c 0000", BAD},
    {"MQTT-3.1.2-12 will QoS 3", 5, C, "10 * 0004 'MQTT' 05 1e 0000 00 0000 00 0001 'w' 0000", BAD},
    {"3.1.1 MQTT-3.1.2-14", 4, C, "10 * 0004 'MQTT' 04 1e 0000 0000 0001 'w' 0000", BAD},
    {"3.1.1 MQTT-3.1.2-22", 4, C, "10 * 0004 'MQTT' 04 42 0000 0000 0001 'p'", BAD},
    {"MQTT-3.1.2-17 user name missing", 5, C, "10 * 0004 'MQTT' 05 82 0000 00 0000", BAD},
    {"MQTT-3.1.2-19 password missing", 5, C, "10 * 0004 'MQTT' 05 c2 0000 00 0000 0001 'u'", BAD},
    {"MQTT-3.1.2-16 user name unannounced", 5, C, "10 * 0004 'MQTT' 05 02 0000 00 0000 0001 'u'",
     BAD},
    {"MQTT-3.1.3-3 no client id", 5, C, "10 * 0004 'MQTT' 05 02 0000 00", BAD},
    {"3.1.1 MQTT-3.1.3-8 empty client id", 4, C, "10 * 0004 'MQTT' 04 00 0000 0000", ERR_PROTOCOL,
     0x85},
    {"MQTT-3.1.3-11 will topic", 5, C, "10 * 0004 'MQTT' 05 06 0000 00 0000 00 0001 ff 0000", BAD},
    {"MQTT-3.3.2-2 will topic", 5, C, "10 * 0004 'MQTT' 05 06 0000 00 0000 00 0001 '#' 0000",
     ERR_PROTOCOL, 0x90},
    {"MQTT-4.7.3-1 will topic", 4, C, "10 * 0004 'MQTT' 04 06 0000 0000 0000 0000", ERR_PROTOCOL,
     0x90},
    {"will cut", 4, C, "10 * 0004 'MQTT' 04 06 0000 0000 0001 'w' 0002 'x'", BAD},
    {"CONNECT without flags", 4, C, "10 * 0004 'MQTT' 04", BAD},
    {"CONNECT empty", 4, C, "10 00", BAD},
    {"3.1.2.11.10 data without method", 5, C, "10 * 0004 'MQTT' 05 02 0000 04 16 0001 00 0000",
     PROTO},
    {"3.1.2.11.3 receive maximum 0", 5, C, "10 * 0004 'MQTT' 05 02 0000 03 21 0000 0000", PROTO},
    {"3.1.2.11.4 packet size 0", 5, C, "10 * 0004 'MQTT' 05 02 0000 05 27 00000000 0000", PROTO},
    {"3.1.2.11.6 response information 2", 5, C, "10 * 0004 'MQTT' 05 02 0000 02 19 02 0000", PROTO},
    {"3.1.2.11.7 problem information 2", 5, C, "10 * 0004 'MQTT' 05 02 0000 02 17 02 0000", PROTO},
    {"will property in CONNECT", 5, C, "10 * 0004 'MQTT' 05 02 0000 05 18 00000000 0000", BAD},
    {"CONNECT property in will", 5, C,
     "10 * 0004 'MQTT' 05 06 0000 00 0000 05 11 00000000 0001 'w' 0000", BAD},
    /* CONNACK */
    {"MQTT-3.2.2-1 flags", 5, S, "20 03 02 00 00", BAD},
    {"MQTT-3.2.2-6 session present", 5, S, "20 03 01 87 00", PROTO},
    {"3.1.1 MQTT-3.2.2-4", 4, S, "20 02 01 05", PROTO},
    {"MQTT-3.2.2-8 code", 5, S, "20 03 00 01 00", PROTO},
    {"3.2.2.3.4 maximum QoS 2", 5, S, "20 * 00 00 02 24 02", PROTO},
    {"3.2.2.3.5 retain available 2", 5, S, "20 * 00 00 02 25 02", PROTO},
    {"3.2.2.3.11 wildcard 2", 5, S, "20 * 00 00 02 28 02", PROTO},
    {"3.2.2.3.12 identifiers 2", 5, S, "20 * 00 00 02 29 02", PROTO},
    {"3.2.2.3.13 shared 2", 5, S, "20 * 00 00 02 2a 02", PROTO},
    {"trailing", 5, S, "20 * 00 00 00 00", BAD},
    {"trailing 3.1.1", 4, S, "20 * 00 00 00", BAD},
    {"cut", 4, S, "20 01 00", BAD},
    /* PUBLISH */
    {"MQTT-3.3.1-4 QoS 3", 5, C, "36 * 0001 'a' 0001 00", BAD},
    {"3.1.1 MQTT-3.3.1-4 QoS 3", 4, C, "36 * 0001 'a' 0001", BAD},
    {"MQTT-3.3.1-2 DUP", 5, C, "38 * 0001 'a' 00", BAD},
    {"3.1.1 MQTT-3.3.1-2 DUP", 4, C, "38 * 0001 'a'", BAD},
    {"MQTT-2.2.1-3 id 0", 5, C, "32 * 0001 'a' 0000 00", BAD},
    {"3.1.1 MQTT-2.3.1-1 id 0", 4, C, "32 * 0001 'a' 0000", BAD},
    {"MQTT-2.2.1-3 no id", 4, C, "32 * 0001 'a' 00", BAD},
    {"MQTT-3.3.2-2 '+'", 5, C, "30 * 0003 'a/+' 00", ERR_PROTOCOL, 0x90},
    {"MQTT-3.3.2-2 '#'", 4, C, "30 * 0003 'a/#'", ERR_PROTOCOL, 0x90},
    {"MQTT-3.3.2-2 in a long topic", 4, C, "30 * 0014 'city/air/north/a+b/c'", ERR_PROTOCOL, 0x90},
    {"MQTT-4.7.3-1 empty topic", 4, C, "30 * 0000", BAD},
    {"3.3.2.1 empty topic without alias", 5, C, "30 * 0000 00", PROTO},
    {"MQTT-3.3.2-8 alias 0", 5, C, "30 * 0001 'a' 03 23 0000", ERR_PROTOCOL, 0x94},
    {"MQTT-3.3.2-14 response topic", 5, C, "30 * 0001 'a' 04 08 0001 '#'", PROTO},
    {"MQTT-3.3.4-6 subscription id", 5, C, "30 * 0001 'a' 02 0b 01", PROTO},
    {"3.3.2.3.8 subscription id 0", 5, S, "30 * 0001 'a' 02 0b 00", PROTO},
    {"payload format 2", 5, C, "30 * 0001 'a' 02 01 02", PROTO},
    {"payload format twice", 5, C, "30 * 0001 'a' 04 01 00 01 00", PROTO},
    {"message expiry twice", 5, C, "30 * 0001 'a' 0a 02 00000001 02 00000001", PROTO},
    {"content type twice", 5, C, "30 * 0001 'a' 06 03 0000 03 0000", PROTO},
    {"response topic twice", 5, C, "30 * 0001 'a' 08 08 0001 'r' 08 0001 'r'", PROTO},
    {"correlation data twice", 5, C, "30 * 0001 'a' 06 09 0000 09 0000", PROTO},
    {"topic alias twice", 5, C, "30 * 0001 'a' 06 23 0001 23 0001", PROTO},
    {"2.2.2.2 not of PUBLISH", 5, C, "30 * 0001 'a' 05 11 00000001", BAD},
    {"2.2.2.2 unknown", 5, C, "30 * 0001 'a' 02 04 00", BAD},
    {"2.2.2.2 unknown, high", 5, C, "30 * 0001 'a' 02 7f 00", BAD},
    {"2.2.2.2 identifier of two bytes", 5, C, "30 * 0001 'a' 03 8100 01", BAD},
    {"2.2.2.2 identifier 0", 5, C, "30 * 0001 'a' 01 00", BAD},
    {"property cut", 5, C, "30 * 0001 'a' 03 02 0000", BAD},
    {"pair cut", 5, C, "30 * 0001 'a' 04 26 0001 'k'", BAD},
    /* acknowledgements */
    {"MQTT-2.2.1-3 id 0", 5, C, "40 02 0000", BAD},
    {"id cut", 5, C, "40 01 00", BAD},
    {"trailing 3.1.1", 4, C, "40 03 0001 00", BAD},
    {"trailing", 5, C, "40 * 0001 00 00 00", BAD},
    {"MQTT-3.4.2-1 code", 5, C, "40 03 0001 92", PROTO},
    {"MQTT-3.5.2-1 code", 5, C, "50 03 0001 01", PROTO},
    {"MQTT-3.6.2-1 code", 5, C, "62 03 0001 80", PROTO},
    {"MQTT-3.7.2-1 code", 5, C, "70 03 0001 10", PROTO},
    {"reason string twice", 5, C, "40 * 0001 00 06 1f 0000 1f 0000", PROTO},
    {"2.2.2.2 not of PUBACK", 5, C, "40 * 0001 00 02 01 00", BAD},
    /* SUBSCRIBE, UNSUBSCRIBE and their answers */
    {"MQTT-3.8.3-2 no filter", 5, C, "82 * 0001 00", PROTO},
    {"3.1.1 MQTT-3.8.3-3 no filter", 4, C, "82 * 0001", PROTO},
    {"MQTT-2.2.1-3 id 0", 5, C, "82 * 0000 00 0001 'a' 00", BAD},
    {"MQTT-3.8.3-1 filter", 5, C, "82 * 0001 00 0001 ff 00", BAD},
    {"MQTT-4.7.3-1 empty filter", 5, C, "82 * 0001 00 0000 00", BAD},
    {"no options", 5, C, "82 * 0001 00 0001 'a'", BAD},
    {"MQTT-3.8.3-5 reserved", 5, C, "82 * 0001 00 0001 'a' 40", BAD},
    {"MQTT-3.8.3-5 reserved", 5, C, "82 * 0001 00 0001 'a' 80", BAD},
    {"3.8.3.1 QoS 3", 5, C, "82 * 0001 00 0001 'a' 03", PROTO},
    {"3.8.3.1 retain handling 3", 5, C, "82 * 0001 00 0001 'a' 30", PROTO},
    {"3.1.1 MQTT-3-8.3-4 QoS 3", 4, C, "82 * 0001 0001 'a' 03", BAD},
    {"3.1.1 MQTT-3-8.3-4 reserved", 4, C, "82 * 0001 0001 'a' 04", BAD},
    {"MQTT-3.8.3-4 no local, shared", 5, C, "82 * 0001 00 000a '$share/g/a' 04", PROTO},
    {"second filter", 5, C, "82 * 0001 00 0001 'a' 00 0001 'b' 03", PROTO},
    {"3.8.2.1.2 identifier 0", 5, C, "82 * 0001 02 0b 00 0001 'a' 00", PROTO},
    {"3.8.2.1.2 identifier twice", 5, C, "82 * 0001 04 0b 01 0b 02 0001 'a' 00", PROTO},
    {"MQTT-3.10.3-2 no filter", 5, C, "a2 * 0001 00", PROTO},
    {"3.1.1 MQTT-3.10.3-2 no filter", 4, C, "a2 * 0001", PROTO},
    {"MQTT-3.10.3-1 filter", 5, C, "a2 * 0001 00 0001 00", BAD},
    {"MQTT-4.7.3-1 empty filter", 4, C, "a2 * 0001 0000", BAD},
    {"MQTT-2.2.1-3 id 0", 4, C, "a2 * 0000 0001 'a'", BAD},
    {"identifier in UNSUBSCRIBE", 5, C, "a2 * 0001 02 0b 01 0001 'a'", BAD},
    {"MQTT-3.9.3-2 code", 5, S, "90 * 0001 00 03", PROTO},
    {"3.1.1 MQTT-3.9.3-2 code", 4, S, "90 * 0001 87", PROTO},
    {"SUBACK without codes", 5, S, "90 * 0001 00", BAD},
    {"MQTT-3.11.3-2 code", 5, S, "b0 * 0001 00 01", PROTO},
    {"UNSUBACK with payload on 3.1.1", 4, S, "b0 * 0001 00", BAD},
    {"UNSUBACK without codes", 5, S, "b0 * 0001 00", BAD},
    /* the rest */
    {"PINGREQ with a body", 5, C, "c0 01 00", BAD},
    {"DISCONNECT with a body on 3.1.1", 4, C, "e0 01 00", BAD},
    {"MQTT-3.14.2-1 code", 5, C, "e0 01 8b", PROTO},
    {"MQTT-3.14.2-1 code of a server", 5, S, "e0 01 04", PROTO},
    {"MQTT-3.14.2-2 expiry from a server", 5, S, "e0 * 00 05 11 00000000", PROTO},
    {"server reference from a client", 5, C, "e0 * 00 04 1c 0001 's'", PROTO},
    {"trailing", 5, C, "e0 * 00 00 00", BAD},
    {"MQTT-3.15.2-1 code", 5, C, "f0 * 01 04 15 0001 'm'", PROTO},
    {"3.15.2.2.2 no method", 5, C, "f0 * 18 00", PROTO},
    {"3.15.2.1 reason alone", 5, C, "f0 01 18", BAD},
};

static void test_every_rule(void **state)
{
	unsigned failed = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		const struct broken *b = &broken[i];
		uint8_t in[256], *exact;
		size_t n = hex(b->packet, in, sizeof(in));
		enum mqtt_reason reason = 0;
		struct any_view view;
		struct frame f;
		int err;

		exact = malloc(n);
		memcpy(exact, in, n);
		assert_int_equal(frame_next(exact, n, 1024, &f), 0);
		assert_int_equal(f.total, n);
		err = any_decode(b->version, b->side, &f, &view, &reason);
		if (err != b->err || (unsigned)reason != b->reason) {
			printf("%s (%s): %d 0x%02x, not %d 0x%02x\n", b->rule, b->packet, err,
			       reason, b->err, b->reason);
			failed++;
		}
		free(exact);
	}
	assert_int_equal(failed, 0);
}

/* The version a refused CONNECT is answered in. */
static void test_connect_version(void **state)
{
	static const struct {
		const char *packet;
		uint8_t version;
	} cases[] = {
	    {"10 * 0004 'MQTT' 05 03", 5},
	    {"10 * 0004 'MQTT' 04", 4},
	    {"10 * 0006 'MQIsdp' 03", 3},
	    {"10 * 0004 'MQTT' 06", 6},
	    {"10 * 0004 'MQTT'", 0},
	    {"10 * 0004 'http' 05", 0},
	    {"10 00", 0},
	    {"c0 00", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t in[64];
		struct frame f;

		assert_int_equal(
		    frame_next(in, hex(cases[i].packet, in, sizeof(in)), sizeof(in), &f), 0);
		assert_int_equal(mqtt_connect_version(&f), cases[i].version);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_rule),
	    cmocka_unit_test(test_connect_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
