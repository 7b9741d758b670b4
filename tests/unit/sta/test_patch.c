/* JSON Patch: the examples of RFC 6902, appendix A; what is refused; that all or nothing happens.
 */
#include "base/err.h"
#include "base/limits.h"
#include "sta/patch.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void check(const char *doc, const char *patch, bool loose, const char *want)
{
	char why[200] = "", *got = NULL;
	int err = sta_patch(span_str(doc), span_str(patch), loose, &got, why);
	if (!want) {
		assert_int_equal(err, ERR_INVALID);
		assert_true(why[0]);
		assert_null(got);
		return;
	}
	if (err)
		fail_msg("%s with %s: %s", doc, patch, why);
	json_t *a = json_loads(got, 0, NULL), *b = json_loads(want, 0, NULL);
	if (!json_equal(a, b))
		fail_msg("%s with %s is %s", doc, patch, got);
	json_decref(a);
	json_decref(b);
	free(got);
}

#define OP(op, rest) "[{\"op\":\"" op "\"," rest "}]"

static void does_as_the_standard_says(void **state UNUSED)
{
	static const char *const rows[][3] = {
	    {"{\"foo\":\"bar\"}", OP("add", "\"path\":\"/baz\",\"value\":\"qux\""),
	     "{\"baz\":\"qux\",\"foo\":\"bar\"}"},
	    {"{\"foo\":[\"bar\",\"baz\"]}", OP("add", "\"path\":\"/foo/1\",\"value\":\"qux\""),
	     "{\"foo\":[\"bar\",\"qux\",\"baz\"]}"},
	    {"{\"baz\":1,\"foo\":2}", OP("remove", "\"path\":\"/baz\""), "{\"foo\":2}"},
	    {"{\"foo\":[1,2,3]}", OP("remove", "\"path\":\"/foo/1\""), "{\"foo\":[1,3]}"},
	    {"{\"baz\":1}", OP("replace", "\"path\":\"/baz\",\"value\":2"), "{\"baz\":2}"},
	    {"{\"foo\":{\"bar\":1,\"w\":2},\"qux\":{}}",
	     OP("move", "\"from\":\"/foo/w\",\"path\":\"/qux/t\""),
	     "{\"foo\":{\"bar\":1},\"qux\":{\"t\":2}}"},
	    {"{\"foo\":[1,2,3,4]}", OP("move", "\"from\":\"/foo/1\",\"path\":\"/foo/3\""),
	     "{\"foo\":[1,3,4,2]}"},
	    {"{\"a\":[1,{\"b\":null}]}", OP("test", "\"path\":\"/a/1\",\"value\":{\"b\":null}"),
	     "{\"a\":[1,{\"b\":null}]}"},
	    {"{\"a\":1}", OP("test", "\"path\":\"/a\",\"value\":\"1\""), NULL},
	    {"{\"foo\":1}", OP("add", "\"path\":\"/b\",\"value\":{\"g\":{}},\"xyz\":1"),
	     "{\"foo\":1,\"b\":{\"g\":{}}}"},
	    {"{\"foo\":1}", OP("add", "\"path\":\"/baz/bat\",\"value\":1"), NULL},
	    {"{\"/\":9,\"~1\":10}", OP("test", "\"path\":\"/~01\",\"value\":10"),
	     "{\"/\":9,\"~1\":10}"},
	    {"{\"foo\":[1]}", OP("add", "\"path\":\"/foo/-\",\"value\":[2]"), "{\"foo\":[1,[2]]}"},
	    {"{\"a\":{\"b\":1}}", OP("copy", "\"from\":\"/a\",\"path\":\"/a/c\""),
	     "{\"a\":{\"b\":1,\"c\":{\"b\":1}}}"},
	    {"{\"a\":1}", OP("move", "\"from\":\"/a\",\"path\":\"/a\""), "{\"a\":1}"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i][0], rows[i][1], false, rows[i][2]);
}

static void refuses(void **state UNUSED)
{
	static const char *const bad[] = {"",
	                                  "{}",
	                                  "[1]",
	                                  "[{}]",
	                                  OP("remove", "\"path\":\"/no\""),
	                                  OP("remove", "\"path\":\"\""),
	                                  OP("replace", "\"path\":\"/no\",\"value\":1"),
	                                  OP("replace", "\"path\":\"\",\"value\":1"),
	                                  OP("add", "\"path\":\"a\",\"value\":1"),
	                                  OP("add", "\"path\":\"/l/7\",\"value\":1"),
	                                  OP("add", "\"path\":\"/l/01\",\"value\":1"),
	                                  OP("add", "\"path\":\"/l/x\",\"value\":1"),
	                                  OP("add", "\"path\":\"/a/x\",\"value\":1"),
	                                  OP("add", "\"path\":\"/~2\",\"value\":1"),
	                                  OP("add", "\"path\":\"/x\""),
	                                  OP("forget", "\"path\":\"/a\",\"value\":1"),
	                                  OP("copy", "\"path\":\"/x\""),
	                                  OP("copy", "\"from\":\"/no\",\"path\":\"/x\""),
	                                  OP("move", "\"from\":\"/o\",\"path\":\"/o/x\"")};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		check("{\"a\":1,\"l\":[1],\"o\":{}}", bad[i], false, NULL);
	check("{\"a\":1}",
	      "[{\"op\":\"remove\",\"path\":\"/a\"},{\"op\":\"remove\",\"path\":\"/a\"}]", false,
	      NULL);
}

static void replaces_what_is_not_there_where_only_a_part_is_known(void **state UNUSED)
{
	check("", OP("replace", "\"path\":\"/name\",\"value\":\"n\""), true, "{\"name\":\"n\"}");
	check("", OP("test", "\"path\":\"/name\",\"value\":\"n\""), true, NULL);
}

/* Copies of copies double it each time. */
static void does_not_grow_without_end(void **state UNUSED)
{
	static char patch[LIMIT_STA_PATCH * 60];
	size_t n = 0;
	patch[n++] = '[';
	for (int i = 0; i < 40; i++)
		n +=
		    (size_t)sprintf(patch + n, "%s{\"op\":\"copy\",\"from\":\"\",\"path\":\"/%d\"}",
		                    i ? "," : "", i);
	strcpy(patch + n, "]");
	check("{\"a\":\"b\"}", patch, false, NULL);
	n = 1;
	for (int i = 0; i <= LIMIT_STA_PATCH; i++)
		n += (size_t)sprintf(patch + n, "%s{\"op\":\"test\",\"path\":\"/a\",\"value\":1}",
		                     i ? "," : "");
	strcpy(patch + n, "]");
	check("{\"a\":1}", patch, false, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(does_as_the_standard_says),
	    cmocka_unit_test(refuses),
	    cmocka_unit_test(replaces_what_is_not_there_where_only_a_part_is_known),
	    cmocka_unit_test(does_not_grow_without_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
