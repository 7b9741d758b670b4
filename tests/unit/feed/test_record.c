/* test_record.c - the bytes of a record: the layout of record.h by hand, what was built is read
 * back, and what is not whole is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "feed/record_build.h"

#include <stdlib.h>

/* One record written down byte by byte: the format on disk, which must not change unnoticed. */
static const unsigned char golden[] = {
    /* version, flags: QoS 1, JSON, location; 2 results; checksum, filled in by the test */
    1, 0x1a, 2, 0, 0, 0, 0, 0,
    /* sequence, commit */
    0x15, 0xcd, 0x5b, 7, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0x80,
    /* storedTime 1700000000123, phenomenonTime -1 */
    0x7b, 0x68, 0xe5, 0xcf, 0x8b, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    /* epoch, expiry, latitude 52.0904558, longitude -5.1213753 */
    9, 0, 0, 0x80, 0xff, 0, 0, 0, 0x6e, 0x5f, 0x0c, 0x1f, 0x47, 0x8a, 0xf2, 0xfc,
    /* topic 5, thing 2, publisher 1, organisation 3, schema 4, version 258 */
    5, 0, 2, 0, 1, 0, 3, 0, 4, 0, 2, 1,
    /* properties 2, results 16 + 8 + 2 + 0 and 16 + 1 + 3, payload 7 */
    2, 0, 0, 0, 46, 0, 0, 0, 7, 0, 0, 0,
    /* topic, thing, publisher, organisation, schema, properties */
    'a', '/', 't', '1', '/', 't', '1', 'p', 'o', 'r', 'g', 'a', 'i', 'r', 'q', 1, 1,
    /* a number with a time: type 1, has time, member 2, text 0, 1.5, time 2 */
    1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 2, 0, 0, 0, 0, 0, 0, 0, 'n', 'o',
    /* a text: type 3, no time, member 1, text 3, 0.0 */
    3, 0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 's', 'o', 'p', 'n',
    /* payload */
    '{', '"', 'a', '"', ':', '1', '}'};

static struct span seal(unsigned char *p, size_t n)
{
	uint32_t crc = crc32c(crc32c(0, p, 4), p + 8, n - 8);
	for (unsigned i = 0; i < 4; i++)
		p[4 + i] = (unsigned char)(crc >> 8 * i);
	return span_of((char *)p, n);
}

static struct span golden_copy(void)
{
	static unsigned char copy[sizeof(golden)];
	memcpy(copy, golden, sizeof(golden));
	return seal(copy, sizeof(copy));
}

static void is_text(struct span s, const char *wanted)
{
	assert_int_equal(s.n, strlen(wanted));
	assert_memory_equal(s.p, wanted, s.n);
}

static void the_layout_is_what_the_header_says(void **state)
{
	(void)state;
	struct record r;
	struct span bytes = golden_copy();
	assert_int_equal(record_read(bytes, true, &r), 0);
	assert_ptr_equal(r.bytes.p, bytes.p);
	assert_int_equal(r.bytes.n, sizeof(golden));
	assert_int_equal(r.flags, RECORD_JSON | RECORD_LOCATION | 1 << RECORD_QOS_SHIFT);
	assert_int_equal(record_qos(&r), 1);
	assert_int_equal(r.sequence, 123456789);
	assert_true(r.commit == 0x8000000000000102);
	assert_int_equal(r.stored_ms, 1700000000123);
	assert_int_equal(r.phenomenon_ms, -1);
	assert_int_equal(r.epoch, 0x80000009);
	assert_int_equal(r.expiry_s, 255);
	assert_int_equal(r.place.south_e7, 520904558);
	assert_int_equal(r.place.west_e7, -51213753);
	assert_true(box_is_point(&r.place));
	assert_int_equal(r.schema_version, 258);
	assert_int_equal(r.n_results, 2);
	is_text(r.topic, "a/t1/");
	is_text(r.thing, "t1");
	is_text(r.publisher, "p");
	is_text(r.organisation, "org");
	is_text(r.schema, "airq");
	is_text(r.properties, "\1\1");
	is_text(r.payload, "{\"a\":1}");

	size_t at = 0;
	struct record_result one;
	assert_true(record_next_result(&r, &at, &one));
	assert_int_equal(one.type, 1);
	assert_true(one.has_time);
	assert_int_equal(one.time_ms, 2);
	assert_true(one.number == 1.5);
	is_text(one.member, "no");
	is_text(one.text, "");
	assert_true(record_next_result(&r, &at, &one));
	assert_int_equal(one.type, 3);
	assert_false(one.has_time);
	assert_int_equal(one.time_ms, 0);
	is_text(one.member, "s");
	is_text(one.text, "opn");
	assert_false(record_next_result(&r, &at, &one));
	assert_int_equal(at, r.results.n);
}

static void what_was_built_is_read_back(void **state)
{
	(void)state;
	static struct extract e = {.n_results = 2,
	                           .has_location = true,
	                           .place = {1800000000, -900000000, 1800000000, -900000000}};
	e.results[0] = (struct extract_result){.member = SPAN("pm25"), .number = 12.25};
	e.results[1] = (struct extract_result){
	    .member = SPAN("name"), .text = SPAN("x"), .has_time = true, .time_ms = -5};
	const struct record_parts p = {.topic = SPAN("city/air/x"),
	                               .thing = SPAN("x"),
	                               .organisation = SPAN("city"),
	                               .schema = SPAN("air-quality-observed"),
	                               .payload = SPAN("{}"),
	                               .extract = &e,
	                               .phenomenon_ms = 77,
	                               .expiry_s = 88,
	                               .schema_version = 2,
	                               .flags = RECORD_JSON | RECORD_RETAIN};
	size_t n = record_size(&p), at = 0;
	uint8_t *bytes = malloc(n);
	struct record r;
	struct record_result one;
	record_build(&p, bytes);
	record_set_place(bytes, 1000, 3);
	record_seal(bytes, n, 2000, 4000);
	assert_int_equal(record_read(span_of((char *)bytes, n), true, &r), 0);
	assert_int_equal(r.sequence, 1000);
	assert_int_equal(r.epoch, 3);
	assert_int_equal(r.commit, 2000);
	assert_int_equal(r.stored_ms, 4000);
	assert_int_equal(r.phenomenon_ms, 77);
	assert_int_equal(r.expiry_s, 88);
	assert_int_equal(r.flags, RECORD_JSON | RECORD_RETAIN | RECORD_LOCATION);
	assert_true(box_same(&r.place, &e.place));
	is_text(r.topic, "city/air/x");
	is_text(r.publisher, "");
	is_text(r.schema, "air-quality-observed");
	is_text(r.payload, "{}");
	assert_true(record_next_result(&r, &at, &one) && one.number == 12.25 && !one.has_time);
	assert_true(record_next_result(&r, &at, &one) && one.time_ms == -5);
	is_text(one.text, "x");
	assert_false(record_next_result(&r, &at, &one));
	free(bytes);
}

static void what_is_not_whole_is_refused(void **state)
{
	(void)state;
	struct record r, untouched;
	memset(&untouched, 0x5a, sizeof(untouched));
	r = untouched;
	for (size_t n = 0; n < sizeof(golden); n++) { /* cut anywhere; exactly sized for ASan */
		char *cut = malloc(n ? n : 1);
		memcpy(cut, golden_copy().p, n);
		assert_int_equal(record_read(span_of(cut, n), false, &r), ERR_STORE_DAMAGED);
		free(cut);
	}
	unsigned char longer[sizeof(golden) + 1];
	memcpy(longer, golden, sizeof(golden));
	assert_int_equal(record_read(seal(longer, sizeof(longer)), true, &r), ERR_STORE_DAMAGED);

	/* Every bit from the checksum on. */
	unsigned char bad[sizeof(golden)];
	for (size_t bit = 4 * 8; bit < sizeof(golden) * 8; bit++) {
		memcpy(bad, golden_copy().p, sizeof(bad));
		bad[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_equal(record_read(span_of((char *)bad, sizeof(bad)), true, &r),
		                 ERR_STORE_DAMAGED);
	}
	memcpy(bad, golden_copy().p, sizeof(bad));
	bad[0] = RECORD_VERSION + 1;
	assert_int_equal(record_read(span_of((char *)bad, sizeof(bad)), true, &r),
	                 ERR_STORE_FORMAT);
	bad[0] = 0;
	assert_int_equal(record_read(span_of((char *)bad, sizeof(bad)), true, &r),
	                 ERR_STORE_DAMAGED);
	assert_memory_equal(&r, &untouched, sizeof(r));
}

/* Lengths in the results that lead out of them end the walk. */
static void results_never_lead_out_of_the_record(void **state)
{
	(void)state;
	unsigned char bad[sizeof(golden)];
	struct record r;
	struct record_result one;
	size_t at = 0, start = RECORD_HEAD_BYTES + 17;
	memcpy(bad, golden, sizeof(bad));
	bad[start + 2] = 0xff; /* member */
	assert_int_equal(record_read(seal(bad, sizeof(bad)), true, &r), 0);
	assert_false(record_next_result(&r, &at, &one));
	assert_int_equal(at, 0);
	memcpy(bad, golden, sizeof(bad));
	memset(bad + start + 4, 0xff, 4); /* text */
	assert_int_equal(record_read(seal(bad, sizeof(bad)), true, &r), 0);
	assert_false(record_next_result(&r, &at, &one));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_layout_is_what_the_header_says),
	    cmocka_unit_test(what_was_built_is_read_back),
	    cmocka_unit_test(what_is_not_whole_is_refused),
	    cmocka_unit_test(results_never_lead_out_of_the_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
