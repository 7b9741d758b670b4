/* Bodies of multipart/mixed: boundaries, parts, what breaks off, requests within parts. */
#include "base/err.h"
#include "sta/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void check(struct span s, const char *want)
{
	if (!span_is(s, want))
		fail_msg("\"%.*s\" is not \"%s\"", (int)s.n, s.p, want);
}

static void knows_the_type(void **state UNUSED)
{
	static const char *const good[] = {"multipart/mixed", "Multipart/Mixed; boundary=x",
	                                   " multipart/mixed;boundary=x"},
	                         *const bad[] = {"", "multipart/mixedup", "application/json",
	                                         "multipart/form-data; boundary=x"};
	for (unsigned i = 0; i < ARRAY_LEN(good); i++)
		assert_true(multipart_is(span_str(good[i])));
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(multipart_is(span_str(bad[i])));
}

static void finds_the_boundary(void **state UNUSED)
{
	static const struct {
		const char *type, *boundary;
	} rows[] = {{"multipart/mixed; boundary=x", "x"},
	            {"multipart/mixed;BOUNDARY=x;a=b", "x"},
	            {"multipart/mixed; a=b; boundary=\"x y\"", "x y"},
	            {"multipart/mixed; boundary=", NULL},
	            {"multipart/mixed; boundary=\"\"", NULL},
	            {"multipart/mixed", NULL},
	            {"multipart/mixed; boundary=1234567890123456789012345678901234567890"
	             "1234567890123456789012345678901",
	             NULL}};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct multipart m;
		int err = multipart_begin(&m, span_str(rows[i].type), SPAN(""));
		assert_int_equal(err, rows[i].boundary ? 0 : ERR_MALFORMED);
		if (rows[i].boundary)
			assert_string_equal(m.boundary, rows[i].boundary);
	}
}

/* Parts as "head|body", and whether the end came. */
static void parts(const char *body, const char *const *want, bool ended)
{
	struct multipart m;
	struct multipart_part p;
	assert_int_equal(multipart_begin(&m, SPAN("multipart/mixed; boundary=x"), span_str(body)),
	                 0);
	for (; *want; want += 2) {
		assert_true(multipart_next(&m, &p));
		check(p.head, want[0]);
		check(p.body, want[1]);
	}
	assert_false(multipart_next(&m, &p));
	assert_int_equal(m.ended, ended);
}

static void splits(void **state UNUSED)
{
	parts("--x\r\nA: b\r\n\r\none\r\n--x\r\n\r\ntwo\r\nlines\r\n--x--\r\n",
	      (const char *[]){"A: b\r\n", "one", "", "two\r\nlines", NULL}, true);
	parts("--x\nA: b\n\none\n\n--x--", (const char *[]){"A: b\n", "one\n", NULL}, true);
	parts("before\r\n--x  \r\n\r\n\r\n--x--after", (const char *[]){NULL}, false);
	parts("before\r\n--x  \r\n\r\n\r\n--x--\r\nafter", (const char *[]){"", "", NULL}, true);
	parts("--xy\r\n\r\n--x\r\n\r\na--x\r\n --x\r\n--x-\r\n--x--",
	      (const char *[]){"", "a--x\r\n --x\r\n--x-", NULL}, true);
	parts("--x--", (const char *[]){NULL}, true);
	parts("", (const char *[]){NULL}, false);
	parts("--x\r\n\r\nbroken", (const char *[]){NULL}, false);
	parts("--x\r\nA: b\r\n--x--", (const char *[]){"A: b", "", NULL}, true);
}

static void finds_headers(void **state UNUSED)
{
	struct span head = SPAN("Content-Type:application/http\r\ncontent-id:  7 \r\nX\r\n:\r\n");
	check(multipart_header(head, "content-type"), "application/http");
	check(multipart_header(head, "Content-ID"), "7");
	check(multipart_header(head, "Content"), "");
	check(multipart_header(head, "X"), "");
}

static void reads_requests(void **state UNUSED)
{
	struct http_text h;
	assert_true(http_text_read(
	    SPAN("\r\nPOST /a?$filter=b eq 'c' HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}\r\n"), &h));
	check(h.method, "POST");
	check(h.target, "/a?$filter=b eq 'c'");
	check(h.body, "{}");
	assert_true(http_text_read(SPAN("GET Things HTTP/1.0\nContent-Length: 99\n\nab"), &h));
	check(h.body, "ab");
	static const char *const bad[] = {
	    "",     "\r\n",          "GET",          "GET Things",       "GET Things 1.1",
	    "GET ", "GET  HTTP/1.1", "GET HTTP/1.1", "GET Things HTTP/2"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(http_text_read(span_str(bad[i]), &h));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(knows_the_type), cmocka_unit_test(finds_the_boundary),
	    cmocka_unit_test(splits),         cmocka_unit_test(finds_headers),
	    cmocka_unit_test(reads_requests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
