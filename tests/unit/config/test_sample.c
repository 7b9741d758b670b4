/* test_sample.c - the files in conf/: they load, and the complete one says what oudpd does without
 * it. Run from the top of the source tree. */
#include "check.h"
#include "config/table.h"

#include <stdio.h>

static void load(const char *path, struct config **ret)
{
	struct buf errors;
	buf_init(&errors, CHECK_BYTES);
	int err = config_load(path, ret, &errors);
	assert_string_equal(buf_str(&errors), "");
	assert_int_equal(err, 0);
	buf_done(&errors);
}

static void same(const struct config *a, const struct config *b)
{
	struct buf changes, restart;
	buf_init(&changes, CHECK_BYTES);
	buf_init(&restart, CHECK_BYTES);
	config_diff(a, b, &changes, &restart);
	assert_string_equal(buf_str(&changes), "");
	assert_string_equal(buf_str(&restart), "");
	buf_done(&changes);
	buf_done(&restart);
}

static void complete(void **state)
{
	(void)state;
	struct config *c = NULL, *embedded = accepted(config_embedded());
	load("conf/oudpd.conf", &c);
	same(embedded, c);
	config_free(c);
	config_free(embedded);
}

static void minimal(void **state)
{
	(void)state;
	struct config *c = NULL, *embedded = accepted(config_embedded());
	load("conf/oudpd-minimal.conf", &c);
	assert_int_equal(c->n_feeds, 2);
	assert_true(c->feeds[1].alerts);
	assert_string_equal(c->feeds[0].name, "air-quality");
	/* but for its title and the other feeds it is the default */
	free(c->feeds[0].title);
	c->feeds[0].title = strdup("Luchtkwaliteit");
	size_t n = embedded->n_feeds;
	embedded->n_feeds = c->n_feeds = 1;
	same(embedded, c);
	embedded->n_feeds = n;
	c->n_feeds = 2;
	config_free(c);
	config_free(embedded);
}

static void file_is_what_is_printed(void **state)
{
	(void)state;
	struct buf sample;
	buf_init(&sample, CHECK_BYTES);
	config_print_sample(&sample);
	FILE *f = fopen("conf/oudpd.conf", "r");
	assert_non_null(f);
	char text[20000];
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	fclose(f);
	assert_string_equal(text, buf_str(&sample));
	buf_done(&sample);
}

/* With every '#option' put into force the sample must still be one that can be read: the examples
 * are right. */
static void examples(void **state)
{
	(void)state;
	struct buf sample, text, errors;
	buf_init(&sample, CHECK_BYTES);
	buf_init(&text, CHECK_BYTES);
	buf_init(&errors, CHECK_BYTES);
	config_print_sample(&sample);
	const char *p = buf_str(&sample);
	for (bool fresh = true; *p; p++) {
		bool off = fresh && *p == '#' && p[1] != ' ';
		fresh = *p == '\n' || (fresh && *p == '\t');
		/* include() is left out, and port: 1883 is there already */
		if (!off || !strncmp(p, "#include", 8))
			buf_add_char(&text, *p);
	}
	struct config *c = NULL;
	int err = config_parse("t", buf_str(&text), false, &c, &errors);
	assert_string_equal(buf_str(&errors), "");
	assert_int_equal(err, 0);
	assert_string_equal(c->listeners[0].tls, "city");
	assert_string_equal(c->tls[0].crl, "/etc/oudp/tls/clients.crl");
	assert_string_equal(c->schema_dirs[1], "/usr/share/oudp/schemas");
	assert_string_equal(c->feeds[0].dpia, "https://voorbeeld.nl/dpia/lucht");
	config_free(c);
	buf_done(&sample);
	buf_done(&text);
	buf_done(&errors);
}

/* Every option of every block stands in the sample, set or as '#option'. */
static void every_option(void **state)
{
	(void)state;
	struct buf sample;
	buf_init(&sample, CHECK_BYTES);
	config_print_sample(&sample);
	for (size_t i = 0; i < config_n_rows; i++) {
		char name[64];
		snprintf(name, sizeof(name), "%s = ", config_rows[i].name);
		if (!strstr(buf_str(&sample), name))
			fail_msg("%s is not in the sample", name);
		assert_non_null(config_rows[i].help);
	}
	buf_done(&sample);
}

static void table(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, CHECK_BYTES);
	config_print_table(&b);
	assert_non_null(strstr(buf_str(&b), "-\toin\treload\t00000001234567890000\n"));
	assert_non_null(strstr(buf_str(&b), "listener\tprotocol\trestart\trequired\n"));
	assert_non_null(strstr(buf_str(&b), "feed\tkeep-messages\treload\t14d\n"));
	assert_non_null(strstr(buf_str(&b), "feed\tlicence\treload\tnone\n"));
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(complete),
	    cmocka_unit_test(minimal),
	    cmocka_unit_test(file_is_what_is_printed),
	    cmocka_unit_test(examples),
	    cmocka_unit_test(every_option),
	    cmocka_unit_test(table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
