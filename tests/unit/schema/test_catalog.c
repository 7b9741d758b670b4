/* Schema directories: who wins, in what order, what is wrong all at once, and that nothing outside
 * them is read. */
#include "base/err.h"
#include "schema/catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[64];

static void put(const char *path, const char *text)
{
	char full[512];
	int n = snprintf(full, sizeof(full), "%s/%s", root, path);
	assert_true(n > 0 && (size_t)n < sizeof(full));
	for (char *p = full + strlen(root) + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(full, 0700);
		*p = '/';
	}
	FILE *f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int load(struct catalog **ret, struct buf *why)
{
	char a[100], b[100], c[100];
	const char *dirs[] = {a, b, c, NULL};
	snprintf(a, sizeof(a), "%s/a", root);
	snprintf(b, sizeof(b), "%s/b", root);
	snprintf(c, sizeof(c), "%s/not-there", root);
	buf_init(why, 1 << 16);
	return catalog_load(dirs, ret, why);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(root, "/tmp/oudp-catalog-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[100];
	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static void order_and_precedence(void **state)
{
	struct catalog *c = NULL;
	struct buf why;
	(void)state;
	put("a/air/10/schema.json", "{\"title\":\"ten\"}");
	put("a/air/2/schema.json", "{\"title\":\"two of a\"}");
	put("b/air/2/schema.json", "{\"title\":\"two of b\"}");
	put("b/aaa/1/schema.json", "true");
	put("b/README", "not a schema");
	put("b/.hidden/1/schema.json", "not JSON");
	assert_int_equal(load(&c, &why), 0);
	assert_int_equal(why.len, 0);
	assert_int_equal(catalog_count(c), 3);
	assert_string_equal(schema_id(catalog_at(c, 0)), "aaa/1");
	assert_string_equal(schema_id(catalog_at(c, 1)), "air/2");
	assert_string_equal(schema_id(catalog_at(c, 2)), "air/10");
	const struct schema *sc = catalog_find(c, SPAN("air/2"));
	assert_non_null(sc);
	assert_true(span_is(schema_source(sc), "{\"title\":\"two of a\"}"));
	assert_string_equal(schema_name(sc), "air");
	assert_int_equal(schema_version(sc), 2);
	assert_null(catalog_find(c, SPAN("air/3")));
	catalog_free(c);
	buf_done(&why);
}

static void references(void **state)
{
	struct catalog *c = NULL;
	struct buf why;
	struct verdict v;
	struct schema_scratch s;
	(void)state;
	put("a/common/1/schema.json", "{\"$defs\":{\"level\":{\"maximum\":10}}}");
	put("b/noise/1/schema.json",
	    "{\"properties\":{\"l\":{\"$ref\":\"../../common/1/schema.json#/$defs/level\"}}}");
	assert_int_equal(load(&c, &why), 0);
	const struct schema *sc = catalog_find(c, SPAN("noise/1"));
	assert_non_null(sc);
	schema_scratch_init(&s, 1000);
	assert_int_equal(schema_parse(&s, SPAN("{\"l\":11}"), &v), 0);
	assert_int_equal(schema_check(sc, &s, NULL, &v), ERR_INVALID);
	assert_string_equal(v.text, "noise/1: /l: 11 is more than maximum 10");
	schema_scratch_done(&s);
	catalog_free(c);
	buf_done(&why);
}

static void all_errors_at_once(void **state)
{
	struct catalog *c = NULL;
	struct buf why;
	char expected[2000], outside[100], link_path[100];
	(void)state;
	put("a/air/1/schema.json", "{\"type\":\"numbr\"}");
	put("a/air/v2/schema.json", "true");
	put("a/air/03/schema.json", "true");
	put("a/bad name/1/schema.json", "true");
	put("a/empty/1/other.json", "true");
	put("a/far/1/schema.json", "{\"$ref\":\"../../../outside.json\"}");
	put("outside.json", "true");
	put("b/air/1/schema.json", "true"); /* hidden by the broken one of a */
	put("b/link/1/other.json", "true");
	snprintf(outside, sizeof(outside), "%s/outside.json", root);
	snprintf(link_path, sizeof(link_path), "%s/b/link/1/schema.json", root);
	assert_int_equal(symlink(outside, link_path), 0);
	assert_int_equal(load(&c, &why), ERR_CONFIG);
	assert_null(c);
	snprintf(
	    expected, sizeof(expected),
	    "%1$s/a/air/03: a version is a number from 1 to 65535\n"
	    "%1$s/a/air/1/schema.json: /type: is not a type: null, boolean, integer, number, "
	    "string, array or object\n"
	    "%1$s/a/air/v2: a version is a number from 1 to 65535\n"
	    "%1$s/a/bad name: a schema's name has letters, digits, '-', '_' and '.'\n"
	    "%1$s/a/empty/1/schema.json: is missing\n"
	    "%1$s/a/far/1/schema.json: /$ref: cannot be resolved: oudp:///outside.json is not in "
	    "the schema directories\n"
	    "%1$s/b/link/1/schema.json: is missing\n",
	    root);
	assert_string_equal(buf_str(&why), expected);
	buf_done(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(order_and_precedence, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(references, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(all_errors_at_once, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
