/* The formats that are asserted, each with what is one and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/format.h"

static const struct {
	const char *name;
	const char *good[10], *bad[14];
} rows[] = {
    {"date-time",
     {"2026-11-24T12:00:00Z", "2026-11-24t12:00:00.123456789+01:00", "2024-02-29T23:59:60Z"},
     {"", "2026-11-24", "2026-11-24T12:00:00", "2026-11-24 12:00:00Z", "2025-02-29T00:00:00Z",
      "2026-13-01T00:00:00Z", "2026-11-24T24:00:00Z", "2026-11-24T12:00:00+24:00",
      "2026-11-24T12:00:00.Z", "2026-11-24T12:00:61Z"}},
    {"date",
     {"2026-11-24", "2024-02-29", "0001-01-01"},
     {"", "2026-11-31", "2025-02-29", "26-11-24", "2026-1-24", "2026-11-24Z", "20261124",
      "2026/11/24"}},
    {"time",
     {"12:00:00Z", "23:59:60Z", "00:00:00.5+01:00", "12:00:00-23:59"},
     {"", "12:00:00", "24:00:00Z", "12:60:00Z", "12:00Z", "12:00:00+1:00", "1:00:00Z"}},
    {"duration",
     {"P1Y", "P1M", "P1W", "P1DT2H", "PT36H", "PT1M", "P1Y2M3DT4H5M6S"},
     {"", "P", "PT", "1D", "P1", "P1H", "PT1D", "P1Y1W", "P-1D", "p1d", "P1YT"}},
    {"uri",
     {"http://example.org/", "urn:ngsi-ld:Device:17", "mailto:a@b.nl", "http://[::1]:80/x?y#z",
      "https://e.nl/a%20b"},
     {"", "//example.org", "/a", "a b", "http://e.nl/a b", "http://e.nl/%2", "1http://e.nl",
      "http://e.nl/<", "\\\\server"}},
    {"uri-reference", {"", "/a/b", "a?b#c", "//e.nl", "http://e.nl"}, {"a b", "%zz", "\\a", "a^b"}},
    {"uuid",
     {"2eb8aa08-aa98-11ea-b4aa-73b441d16380", "2EB8AA08-AA98-11EA-B4AA-73B441D16380"},
     {"", "2eb8aa08aa9811eab4aa73b441d16380", "2eb8aa08-aa98-11ea-b4aa-73b441d1638",
      "{2eb8aa08-aa98-11ea-b4aa-73b441d16380}", "2eb8aa08-aa98-11ea-b4aa-73b441d1638g"}},
    {"ipv4",
     {"127.0.0.1", "0.0.0.0", "255.255.255.255"},
     {"", "256.0.0.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4 ", "0x7f.0.0.1", "1.2.3.4/8"}},
    {"ipv6",
     {"::", "::1", "2001:db8::2", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4"},
     {"", ":", "1:2:3:4:5:6:7", "1::2::3", "12345::", "::1%eth0", "[::1]", "::1/64",
      "::256.0.0.1"}},
    {"email",
     {"a@b.nl", "a.b+c@example.org", "\"a b\"@example.org"},
     {"", "a", "@b.nl", "a@", "a b@c.nl", ".a@b.nl", "a..b@c.nl", "a@b@c.nl"}},
    {"hostname",
     {"a", "www.example.org", "a-b.nl", "1.nl", "xn--4gbwdl.xn--wgbh1c"},
     {"", "-a.nl", "a-.nl", "a_b.nl", "a..b", ".a", "a b",
      "a123456789012345678901234567890123456789012345678901234567890123.nl"}},
    {"regex",
     {"", "^a+$", "[a-z]{2,3}", "\\d\\p{L}", "(?=a)b"},
     {"(", "[a", "a**", "\\", "a{2,1}", "(?i)a", "\\Z"}},
    {"json-pointer", {"", "/a", "/a~0b~1c", "/"}, {"a", "#/a", "/a~", "/a~2"}},
};

static void formats(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum format f = format_by_name(span_str(rows[i].name));
		assert_int_not_equal(f, FORMAT_NONE);
		for (const char *const *s = rows[i].good; *s; s++)
			if (!format_valid(f, span_str(*s), NULL))
				fail_msg("%s: \"%s\" is one", rows[i].name, *s);
		for (const char *const *s = rows[i].bad; *s; s++)
			if (format_valid(f, span_str(*s), NULL))
				fail_msg("%s: \"%s\" is none", rows[i].name, *s);
		assert_true(format_title(f)[0]);
	}
	assert_int_equal(format_by_name(SPAN("idn-email")), FORMAT_NONE);
	assert_int_equal(format_by_name(SPAN("Date")), FORMAT_NONE);
}

/* A time is read with its value. */
static void date_time_has_a_value(void **state)
{
	int64_t ms = 0;
	(void)state;
	assert_true(format_valid(FORMAT_DATE_TIME, SPAN("2026-11-24T13:00:00.5+01:00"), &ms));
	assert_int_equal(ms, 1795521600500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(formats),
	                                   cmocka_unit_test(date_time_has_a_value)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
