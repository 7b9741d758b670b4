/* Entries of the register: what is taken, what is told, dates, patches, rows; and that the manual
 * lists every member. */
#include "base/err.h"
#include "base/mem.h"
#include "register/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LEAST                                                                                      \
	"\"name\":{\"nl\":\"n\"},\"owner\":{\"organisation\":\"o\"},\"goal\":{\"nl\":\"g\"},"      \
	"\"legalGround\":\"l\",\"personalData\":false"

static struct entry read_good(const char *json)
{
	struct entry e;
	struct entry_faults f = {0};
	if (entry_read(span_str(json), &e, &f))
		fail_msg("%s: %s %s", json, f.one[0].pointer, f.one[0].detail);
	return e;
}

static void has_fault(const char *json, const char *pointer, const char *part)
{
	struct entry e;
	struct entry_faults f = {0};
	if (entry_read(span_str(json), &e, &f) == 0)
		fail_msg("%s was taken", json);
	for (unsigned i = 0; i < f.n; i++)
		if (strcmp(f.one[i].pointer, pointer) == 0 && strstr(f.one[i].detail, part))
			return;
	fail_msg("%s: no fault %s %s; the first is %s %s", json, pointer, part, f.one[0].pointer,
	         f.one[0].detail);
}

static void takes_the_least(void **state UNUSED)
{
	struct entry e = read_good("{" LEAST "}");
	assert_int_equal(e.state, ENTRY_ACTIVE);
	assert_false(e.has_location || e.is_public || e.personal_data || e.permit_ms);
	assert_string_equal(e.text, "{" LEAST "}");
	entry_done(&e);
}

static void reads_what_the_broker_needs(void **state UNUSED)
{
	struct entry e = read_good(
	    "{" LEAST ",\"id\":\"x\",\"version\":7,\"seen\":{},\"note\":null,\"public\":true,"
	    "\"state\":\"planned\","
	    "\"location\":{\"latitude\":-0.00000005,\"longitude\":4.8896},\"activeFrom\":\"1970-01-"
	    "02\","
	    "\"activeUntil\":\"1970-01-03\",\"permit\":{\"until\":\"1970-01-05T00:00:00+01:00\"}}");
	assert_true(e.is_public && e.has_location && e.state == ENTRY_PLANNED);
	assert_int_equal(e.lat_e7, -1);
	assert_int_equal(e.lon_e7, 48896000);
	assert_int_equal(e.from_ms, 86400000);
	assert_int_equal(e.until_ms, 3 * 86400000);
	assert_int_equal(e.permit_ms, 4 * 86400000 - 3600000);
	assert_null(strstr(e.text, "\"id\""));
	assert_null(strstr(e.text, "seen"));
	assert_null(strstr(e.text, "note"));
	assert_non_null(strstr(e.text, "4.8896}"));
	entry_done(&e);
}

static void tells_faults_where_they_are(void **state UNUSED)
{
	has_fault("", "", "no JSON");
	has_fault("[]", "", "must be an object");
	has_fault("7", "", "no JSON");
	has_fault("{}", "/name/nl", "missing");
	has_fault("{" LEAST ",\"a\":{\"b\":1}}", "/a", "no such member");
	has_fault("{" LEAST ",\"a.b\":1}", "", "no member");
	has_fault("{" LEAST ",\"themes\":\"x\"}", "/themes", "must be a list");
	has_fault("{" LEAST ",\"themes\":[\"x\",5]}", "/themes/1", "must be a text");
	has_fault("{" LEAST ",\"themes\":[[]]}", "/themes/0", "must be a text");
	has_fault("{" LEAST ",\"observes\":[{\"unit\":\"\"}]}", "/observes/0/unit", "empty");
	has_fault("{" LEAST
	          ",\"devices\":[{\"id\":\"d\",\"from\":\"2026-01-02\",\"until\":\"2026-01-01\"}]}",
	          "/devices/0", "before");
	has_fault("{" LEAST ",\"dataLink\":\"javascript:x\"}", "/dataLink", "address");
	has_fault("{" LEAST ",\"dataLink\":\"https://\"}", "/dataLink", "address");
	has_fault("{" LEAST ",\"location\":{\"latitude\":1}}", "/location", "both");
	has_fault("{" LEAST ",\"activeFrom\":\"2026-13-01\"}", "/activeFrom", "no date");
	has_fault("{" LEAST ",\"note\":\"a\\u0001\"}", "/note", "control");
	has_fault("{" LEAST ",\"name\":{\"nl\":\"again\"}}", "", "duplicate");
}

static void patches(void **state UNUSED)
{
	struct entry e,
	    before =
	        read_good("{" LEAST ",\"permit\":{\"reference\":\"r\",\"until\":\"2026-01-01\"}}");
	struct entry_faults f = {0};
	struct span text = span_of(before.text, before.n);
	assert_int_equal(
	    entry_patch(text, SPAN("{\"permit\":{\"until\":null},\"state\":\"ended\"}"), &e, &f),
	    0);
	assert_string_equal(e.text,
	                    "{" LEAST ",\"permit\":{\"reference\":\"r\"},\"state\":\"ended\"}");
	entry_done(&e);
	assert_int_equal(entry_patch(text, SPAN("{\"name\":null}"), &e, &f), ERR_INVALID);
	assert_int_equal(entry_patch(text, SPAN("5"), &e, &f), ERR_INVALID);
	entry_done(&before);
}

static void knows_when_it_is_valid(void **state UNUSED)
{
	const int64_t day = 86400000, t = 1000 * day;
	struct entry e = {.state = ENTRY_ACTIVE};
	assert_null(entry_invalid(&e, t));
	e.permit_ms = t;
	assert_non_null(entry_invalid(&e, t));
	assert_null(entry_invalid(&e, t - 1));
	e.permit_ms = 0;
	e.from_ms = t;
	assert_null(entry_invalid(&e, t));
	assert_non_null(entry_invalid(&e, t - 1));
	e.from_ms = 0;
	e.state = ENTRY_ENDED;
	assert_non_null(entry_invalid(&e, t));
}

static void ids(void **state UNUSED)
{
	char longest[LIMIT_THING_ID_BYTES + 1];
	memset(longest, 'x', sizeof(longest));
	assert_true(entry_is_id(SPAN("urn:ngsi-ld:Device:17")));
	assert_true(entry_is_id(SPAN("caf\xc3\xa9 1")));
	assert_true(entry_is_id(span_of(longest, LIMIT_THING_ID_BYTES)));
	assert_false(entry_is_id(span_of(longest, sizeof(longest))));
	const char *const bad[] = {"", "a/b", "a+", "#", "a\nb", "\xff"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(entry_is_id(span_str(bad[i])));
}

static void rows_come_back(void **state UNUSED)
{
	struct entry_row in = {.code = "0123456789",
	                       .by = "a \"b\"",
	                       .changed_ms = 77,
	                       .document = SPAN("{\"a\":1}")},
	                 out;
	struct buf b;
	char *document;
	buf_init(&b, 4096);
	entry_row_write(&in, &b);
	assert_int_equal(entry_row_read(span_of(b.p, b.len), &out, &document), 0);
	assert_string_equal(out.code, in.code);
	assert_string_equal(out.by, in.by);
	assert_int_equal(out.changed_ms, 77);
	assert_true(span_eq(out.document, in.document));
	free(document);
	buf_clear(&b);
	in.document = (struct span){0};
	entry_row_write(&in, &b);
	assert_int_equal(entry_row_read(span_of(b.p, b.len), &out, &document), 0);
	assert_int_equal(out.document.n, 0);
	assert_int_equal(entry_row_read(SPAN("{}"), &out, &document), ERR_STORE_FORMAT);
	buf_done(&b);
}

static void the_manual_lists_every_member(void **state UNUSED)
{
	static char page[1 << 16];
	FILE *f = fopen("man/oudp-register.7", "re");
	assert_non_null(f);
	page[fread(page, 1, sizeof(page) - 1, f)] = '\0';
	fclose(f);
	for (unsigned i = 0; i < entry_n_fields; i++) {
		char item[128];
		snprintf(item, sizeof(item), "\n.It Ic %s\n", entry_fields[i].path);
		if (!strstr(page, item))
			fail_msg("oudp-register(7) has no item %s", entry_fields[i].path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(takes_the_least),
	                                   cmocka_unit_test(reads_what_the_broker_needs),
	                                   cmocka_unit_test(tells_faults_where_they_are),
	                                   cmocka_unit_test(patches),
	                                   cmocka_unit_test(knows_when_it_is_valid),
	                                   cmocka_unit_test(ids),
	                                   cmocka_unit_test(rows_come_back),
	                                   cmocka_unit_test(the_manual_lists_every_member)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
