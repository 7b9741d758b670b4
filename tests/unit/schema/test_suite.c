/* The official JSON Schema test suite: all required tests of 2020-12 and draft-07, and the optional
 * ones for the formats and patterns that are asserted here. What is not passed stands in a table
 * with its reason; a test of it that passes is a failure too, so that the table stays true. */
#include "base/err.h"
#include "base/mem.h"
#include "schema/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define SUITE   "../shared/json-schema-test-suite"
/* Debian's json-schema-test-suite: an older one, of draft-07 */
#define PACKAGE "/usr/share/json-schema-test-suite"

static const char *root = SUITE; /* of the drafts' folders; remotes/ is here, or beside it */

struct exception {
	const char *file;  /* in either draft */
	const char *group; /* starts with; NULL: all */
	const char *test;  /* starts with; NULL: all */
	const char *reason;
};

static const struct exception EXCEPTIONS[] = {
    {"optional/format/hostname.json", "validation of A-label (punycode)", NULL,
     "what xn-- labels decode to is not looked at: it takes the tables of IDNA"},
    {"optional/format/date-time.json", NULL, "a second fraction of fifteen nines",
     "a time has at most nine digits of a second here"},
    {NULL},
};

struct score {
	unsigned run, passed, excepted;
};

static char *read_file(const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		return NULL;
	char *p = xmalloc(4 << 20);
	*ret_n = fread(p, 1, 4 << 20, f);
	fclose(f);
	return p;
}

static int load_remote(void *ctx, struct span uri, struct buf *out)
{
	static const char ROOT[] = "http://localhost:1234/";
	char path[512];
	size_t n = 0;
	(void)ctx;
	if (uri.n < sizeof(ROOT) || memcmp(uri.p, ROOT, sizeof(ROOT) - 1) != 0)
		return ERR_NOT_FOUND;
	snprintf(path, sizeof(path), "%s/remotes/%.*s", strcmp(root, SUITE) == 0 ? SUITE : PACKAGE,
	         (int)(uri.n - sizeof(ROOT) + 1), uri.p + sizeof(ROOT) - 1);
	char *p = read_file(path, &n);
	if (!p)
		return ERR_NOT_FOUND;
	buf_add(out, p, n);
	free(p);
	return 0;
}

static struct span text_of(const struct json_tape *t, uint32_t i)
{
	struct span s = json_text(t, i);
	return t->tok[i].type == JSON_STRING ? span_of(s.p - 1, s.n + 2) : s;
}

static struct span member_text(const struct json_tape *t, uint32_t i, const char *name)
{
	return json_text(t, json_member(t, i, span_str(name)));
}

static bool starts(struct span s, const char *with)
{
	return !with || (s.n >= strlen(with) && memcmp(s.p, with, strlen(with)) == 0);
}

static const struct exception *excepted(const char *file, struct span group, struct span test)
{
	for (const struct exception *e = EXCEPTIONS; e->file; e++)
		if (strcmp(e->file, strchr(file, '/') + 1) == 0 && starts(group, e->group) &&
		    starts(test, e->test))
			return e;
	return NULL;
}

static void judge(struct score *score, const char *file, struct span group, struct span test,
                  bool right, const char *why)
{
	const struct exception *e = excepted(file, group, test);
	score->run++;
	score->passed += right;
	score->excepted += e && !right;
	if (right && e && e->test)
		fail_msg("%s: %.*s: %.*s: passes, take it off the table", file, (int)group.n,
		         group.p, (int)test.n, test.p);
	if (!right && !e) {
		print_error("%s: %.*s: %.*s: %s\n", file, (int)group.n, group.p, (int)test.n,
		            test.p, why);
	}
}

static void run_group(struct score *score, const char *file, const struct json_tape *t, uint32_t g,
                      struct schema_scratch *s)
{
	struct schema_options opt = {.load = load_remote,
	                             .uri = "oudp:///suite/1/schema.json",
	                             .draft =
	                                 strncmp(file, "draft7", 6) == 0 ? DRAFT_07 : DRAFT_2020,
	                             .format_annotates = strstr(file, "/format.json") != NULL};
	struct schema *sc = NULL;
	char why[600] = "";
	struct span group = member_text(t, g, "description");
	struct span source = text_of(t, json_member(t, g, SPAN("schema")));
	int err = schema_build(source, "suite", 1, &opt, &sc, why, sizeof(why));
	uint32_t tests = json_member(t, g, SPAN("tests"));
	for (uint32_t k = tests + 1; k < t->tok[tests].next; k = t->tok[k].next) {
		struct span name = member_text(t, k, "description");
		bool valid = t->tok[json_member(t, k, SPAN("valid"))].type == JSON_TRUE;
		struct verdict v = {.text = "is accepted"};
		struct extract e;
		bool right = false;
		if (err) {
			snprintf(v.text, sizeof(v.text), "%.390s", why);
		} else {
			struct span data = text_of(t, json_member(t, k, SPAN("data")));
			assert_int_equal(schema_parse(s, data, &v), 0);
			right = (schema_check(sc, s, &e, &v) == 0) == valid;
			struct verdict all[8];
			unsigned n = schema_errors(sc, s, all, 8);
			right &= (n == 0) == valid; /* both ways of walking agree */
		}
		judge(score, file, group, name, right, v.text);
	}
	schema_free(sc);
}

static void run_file(struct score *score, const char *draft, const char *name)
{
	char path[600], file[512];
	size_t n = 0, at = 0;
	const char *why = "";
	snprintf(file, sizeof(file), "%s/%s", draft, name);
	snprintf(path, sizeof(path), "%s/%s", root, file);
	char *p = read_file(path, &n);
	assert_non_null(p);
	struct json_tape t;
	struct schema_scratch s;
	json_tape_init(&t, 1 << 20);
	schema_scratch_init(&s, 1 << 20);
	assert_int_equal(json_parse(&t, span_of(p, n), &at, &why), 0);
	for (uint32_t g = 1; g < t.n; g = t.tok[g].next)
		run_group(score, file, &t, g, &s);
	schema_scratch_done(&s);
	json_tape_done(&t);
	free(p);
}

static void run_list(const char *title, const char *draft, const char *const *names, size_t n,
                     unsigned least)
{
	struct score score = {0};
	if (access(root, R_OK) != 0) {
		print_message("# SKIP the JSON Schema Test Suite is not there: looked for in %s\n",
		              root);
		skip();
	}
	for (size_t i = 0; i < n; i++)
		run_file(&score, draft, names[i]);
	print_message("%s: %u of %u pass, %u are known not to\n", title, score.passed, score.run,
	              score.excepted);
	assert_int_equal(score.passed + score.excepted, score.run);
	assert_true(score.run >= least);
}

static void required_2020(void **state)
{
	static const char *const FILES[] = {"additionalProperties.json",
	                                    "allOf.json",
	                                    "anchor.json",
	                                    "anyOf.json",
	                                    "boolean_schema.json",
	                                    "const.json",
	                                    "contains.json",
	                                    "content.json",
	                                    "default.json",
	                                    "defs.json",
	                                    "dependentRequired.json",
	                                    "dependentSchemas.json",
	                                    "dynamicRef.json",
	                                    "enum.json",
	                                    "exclusiveMaximum.json",
	                                    "exclusiveMinimum.json",
	                                    "format.json",
	                                    "if-then-else.json",
	                                    "infinite-loop-detection.json",
	                                    "items.json",
	                                    "maxContains.json",
	                                    "maxItems.json",
	                                    "maxLength.json",
	                                    "maxProperties.json",
	                                    "maximum.json",
	                                    "minContains.json",
	                                    "minItems.json",
	                                    "minLength.json",
	                                    "minProperties.json",
	                                    "minimum.json",
	                                    "multipleOf.json",
	                                    "not.json",
	                                    "oneOf.json",
	                                    "pattern.json",
	                                    "patternProperties.json",
	                                    "prefixItems.json",
	                                    "properties.json",
	                                    "propertyNames.json",
	                                    "ref.json",
	                                    "refRemote.json",
	                                    "required.json",
	                                    "type.json",
	                                    "unevaluatedItems.json",
	                                    "unevaluatedProperties.json",
	                                    "uniqueItems.json",
	                                    "vocabulary.json"};
	(void)state;
	run_list("2020-12, required", "draft2020-12", FILES, ARRAY_LEN(FILES), 1200);
}

static const char *const FILES_07[] = {"additionalItems.json",
                                       "additionalProperties.json",
                                       "allOf.json",
                                       "anyOf.json",
                                       "boolean_schema.json",
                                       "const.json",
                                       "contains.json",
                                       "default.json",
                                       "definitions.json",
                                       "dependencies.json",
                                       "enum.json",
                                       "exclusiveMaximum.json",
                                       "exclusiveMinimum.json",
                                       "format.json",
                                       "if-then-else.json",
                                       "infinite-loop-detection.json",
                                       "items.json",
                                       "maxItems.json",
                                       "maxLength.json",
                                       "maxProperties.json",
                                       "maximum.json",
                                       "minItems.json",
                                       "minLength.json",
                                       "minProperties.json",
                                       "minimum.json",
                                       "multipleOf.json",
                                       "not.json",
                                       "oneOf.json",
                                       "pattern.json",
                                       "patternProperties.json",
                                       "properties.json",
                                       "propertyNames.json",
                                       "ref.json",
                                       "refRemote.json",
                                       "required.json",
                                       "type.json",
                                       "uniqueItems.json"};

static void required_07(void **state)
{
	(void)state;
	run_list("draft-07, required", "draft7", FILES_07, ARRAY_LEN(FILES_07), 900);
}

static const char *const OPTIONAL[] = {"optional/bignum.json",
                                       "optional/ecmascript-regex.json",
                                       "optional/float-overflow.json",
                                       "optional/non-bmp-regex.json",
                                       "optional/format/date.json",
                                       "optional/format/date-time.json",
                                       "optional/format/time.json",
                                       "optional/format/duration.json",
                                       "optional/format/uri.json",
                                       "optional/format/uri-reference.json",
                                       "optional/format/uuid.json",
                                       "optional/format/ipv4.json",
                                       "optional/format/ipv6.json",
                                       "optional/format/email.json",
                                       "optional/format/hostname.json",
                                       "optional/format/regex.json",
                                       "optional/format/json-pointer.json"};

static void optional_2020(void **state)
{
	(void)state;
	run_list("2020-12, optional and asserted", "draft2020-12", OPTIONAL, ARRAY_LEN(OPTIONAL),
	         400);
}

/* Those of a list that this edition of the suite has. */
static size_t add_there(const char **names, size_t n, const char *const *list, size_t n_list)
{
	for (size_t i = 0; i < n_list; i++) {
		char path[600];
		snprintf(path, sizeof(path), "%s/draft7/%s", root, list[i]);
		if (access(path, R_OK) == 0)
			names[n++] = list[i];
	}
	return n;
}

static void optional_07(void **state)
{
	static const char *names[ARRAY_LEN(OPTIONAL)];
	(void)state;
	size_t n = add_there(names, 0, OPTIONAL, ARRAY_LEN(OPTIONAL)); /* duration, uuid: younger */
	run_list("draft-07, optional and asserted", "draft7", names, n, 300);
}

static void package_07(void **state)
{
	static const char *names[ARRAY_LEN(FILES_07) + ARRAY_LEN(OPTIONAL)];
	(void)state;
	root = PACKAGE "/tests";
	size_t n = add_there(names, 0, FILES_07, ARRAY_LEN(FILES_07));
	n = add_there(names, n, OPTIONAL, ARRAY_LEN(OPTIONAL));
	run_list("draft-07, Debian's edition", "draft7", names, n, 500);
	root = SUITE;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(required_2020), cmocka_unit_test(required_07),
	    cmocka_unit_test(optional_2020), cmocka_unit_test(optional_07),
	    cmocka_unit_test(package_07),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
