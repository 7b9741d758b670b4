/* What counts as a change of a schema and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/schema.h"

#include <stdio.h>
#include <stdlib.h>

static void digest_of(const char *text, const char *const *dirs, uint8_t out[SCHEMA_DIGEST_BYTES])
{
	struct schema *sc = NULL;
	char why[300] = "";
	if (schema_compile(span_str(text), "t", 1, dirs, &sc, why, sizeof(why)))
		fail_msg("%s: %s", text, why);
	schema_digest(sc, out);
	schema_free(sc);
}

static const struct {
	const char *a, *b;
	bool same;
} rows[] = {
    {"{\"type\":\"number\",\"minimum\":1}", "{ \"minimum\" : 1.0,\n\"type\": \"number\" }", true},
    {"{\"maximum\":10}", "{\"maximum\":1e1}", true},
    {"{\"maximum\":-10}", "{\"maximum\":10}", false},
    {"{\"maximum\":0}", "{\"maximum\":-0.0}", true},
    {"{\"maximum\":123456789012345678901}", "{\"maximum\":123456789012345678902}", false},
    {"{\"enum\":[\"a\",\"b\"]}", "{\"enum\":[\"\\u0061\",\"b\"]}", true},
    {"{\"enum\":[1,12]}", "{\"enum\":[11,2]}", false},
    {"{\"enum\":[\"a\",\"b\"]}", "{\"enum\":[\"b\",\"a\"]}", false},
    {"{\"title\":\"a\",\"description\":\"b\"}",
     "{\"$comment\":\"c\",\"examples\":[1],\"default\":2}", true},
    {"{\"properties\":{\"title\":{\"title\":\"x\"}}}", "{\"properties\":{\"title\":{}}}", true},
    {"{\"properties\":{\"title\":{\"type\":\"string\"}}}", "{\"properties\":{}}", false},
    {"{\"const\":{\"title\":1}}", "{\"const\":{\"title\":2}}", false},
    {"{\"enum\":[{\"description\":1}]}", "{\"enum\":[{\"description\":2}]}", false},
    {"{\"allOf\":[{\"title\":\"a\"}]}", "{\"allOf\":[{}]}", true},
    {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"items\":[{\"title\":\"a\"}]}",
     "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"items\":[{}]}", true},
    {"{\"x-new\":1}", "{\"x-new\":2}", false},
    {"{\"type\":\"number\",\"x-oudp\":{\"role\":\"result\",\"unit\":\"Cel\",\"observedProperty\":"
     "\"http://e/p\"}}",
     "{\"type\":\"number\",\"x-oudp\":{\"role\":\"result\",\"unit\":\"K\",\"observedProperty\":"
     "\"http://e/p\"}}",
     false},
};

static void changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t a[SCHEMA_DIGEST_BYTES], b[SCHEMA_DIGEST_BYTES];
		digest_of(rows[i].a, NULL, a);
		digest_of(rows[i].b, NULL, b);
		if ((memcmp(a, b, sizeof(a)) == 0) != rows[i].same)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
	}
}

static void write_common(const char *dir, const char *text)
{
	char path[200];
	snprintf(path, sizeof(path), "mkdir -p %s/common/1", dir);
	assert_int_equal(system(path), 0);
	snprintf(path, sizeof(path), "%s/common/1/schema.json", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* A file that it refers to is part of what it means. */
static void files_count(void **state)
{
	(void)state;
	static const char USER[] = "{\"$ref\":\"../../common/1/schema.json#/$defs/x\"}";
	char dir[] = "/tmp/oudp-digest-XXXXXX", cmd[100];
	uint8_t a[SCHEMA_DIGEST_BYTES], b[SCHEMA_DIGEST_BYTES];
	assert_non_null(mkdtemp(dir));
	const char *dirs[] = {dir, NULL};
	write_common(dir, "{\"$defs\":{\"x\":{\"maximum\":1}}}");
	digest_of(USER, dirs, a);
	write_common(dir, "{\"title\":\"t\",\"$defs\":{\"x\":{\"maximum\":1.0}}}");
	digest_of(USER, dirs, b);
	assert_memory_equal(a, b, sizeof(a));
	write_common(dir, "{\"$defs\":{\"x\":{\"maximum\":2}}}");
	digest_of(USER, dirs, b);
	assert_memory_not_equal(a, b, sizeof(a));
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	assert_int_equal(system(cmd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(changes),
	                                   cmocka_unit_test(files_count)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
