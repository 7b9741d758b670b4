/* test_files.c - configuration from files: includes by name and by pattern, relative paths, and
 * what is said about files that are not as they should be. */
#include "base/mem.h"
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/oudp-config-XXXXXX"; /* of the whole run */

static int set_up(void **state)
{
	(void)state;
	char path[100];
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/feeds.d", dir);
	return mkdir(path, 0700);
}

static int tear_down(void **state)
{
	(void)state;
	char command[100];
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) ? -1 : 0;
}

static char *in_dir(const char *name)
{
	static char path[200];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void put_feed(const char *name, const char *feed)
{
	char text[200];
	snprintf(text, sizeof(text), "feed \"%s\" { topics = { \"%s\" } schemas = { any } }\n",
	         feed, feed);
	put(name, text);
}

/* Loads "oudpd.conf"; problems with every "@" standing for the directory. */
static struct config *load(const char *problems)
{
	struct config *c = NULL;
	struct buf errors, expected;
	buf_init(&errors, CHECK_BYTES);
	buf_init(&expected, CHECK_BYTES);
	int err = config_load(in_dir("oudpd.conf"), &c, &errors);
	for (const char *p = problems; *p; p++) {
		if (*p == '@')
			buf_add_str(&expected, dir);
		else
			buf_add_char(&expected, *p);
	}
	assert_string_equal(buf_str(&errors), buf_str(&expected));
	assert_true((err == 0) == (c != NULL));
	buf_done(&errors);
	buf_done(&expected);
	return c;
}

static void patterns(void **state)
{
	(void)state;
	put_feed("feeds.d/20-b.conf", "b");
	put_feed("feeds.d/10-c.conf", "c");
	put_feed("feeds.d/30-a.conf", "a");
	put_feed("feeds.d/40-d.conf.off", "d");
	put("oudpd.conf", "include(\"feeds.d/*.conf\")\n" FEED("") "include('none.d/*.conf')\n");
	struct config *c = load("");
	assert_non_null(c);
	assert_int_equal(c->n_feeds,
	                 5); /* oudp-alerts; the file's own first, then sorted by file name */
	assert_string_equal(c->feeds[0].name, "f");
	assert_string_equal(c->feeds[1].name, "c");
	assert_string_equal(c->feeds[2].name, "b");
	assert_string_equal(c->feeds[3].name, "a");
	assert_string_equal(c->path, in_dir("oudpd.conf"));
	config_free(c);
}

static void within_an_include(void **state)
{
	(void)state;
	put("oudpd.conf", "include(\"feeds.d/one.inc\")\n");
	put("feeds.d/one.inc", "\n\ninclude(\"two.inc\") data-dir = \"data/\"\n"
	                       "schema-dirs = { \"s\", \"/tmp\" }\n"); /* relative to feeds.d */
	put_feed("feeds.d/two.inc", "deep");
	struct config *c =
	    load("@/feeds.d/one.inc:4: warning: schema-dirs: cannot look into @/feeds.d/s:"
	         " No such file or directory; make it, or take it out\n");
	assert_non_null(c);
	assert_string_equal(c->feeds[0].name, "deep");
	assert_string_equal(c->data_dir, in_dir("feeds.d/data"));
	assert_string_equal(c->schema_dirs[0], in_dir("feeds.d/s"));
	assert_string_equal(c->schema_dirs[1], "/tmp");
	assert_string_equal(c->admin_socket, in_dir("feeds.d/data/oudpd.sock"));
	config_free(c);
}

static void problems_of_an_include(void **state)
{
	(void)state;
	put("oudpd.conf", "system = a\n" FEED("") "include(\"bad.inc\")\noin = 1\n");
	put("bad.inc", "\nsystem = b\nfeed \"f\" { topics = { \"a\" } schemas = { 1 } }\n"
	               "journal-size = 1B\n");
	assert_null(
	    load("@/oudpd.conf:4: oin: \"1\" is no OIN; write its 20 digits\n"
	         "@/bad.inc:2: system is given twice; the first is at @/oudpd.conf:1: take"
	         " one out\n"
	         "@/bad.inc:3: feed \"f\" is given twice; the first is at @/oudpd.conf:2:"
	         " rename one or take it out\n"
	         "@/bad.inc:3: schemas: \"1\" is no schema; write name/version, such as"
	         " \"air-quality-observed/1\", or \"any\"\n"
	         "@/bad.inc:4: journal-size: \"1B\" is out of range; write 8MiB to 64TiB\n"));
}

/* A broken include does not hide what is wrong elsewhere, and makes nothing else look wrong. */
static void broken_include(void **state)
{
	(void)state;
	put("oudpd.conf", "include(\"bad.inc\")\nlistener \"l\" { protocol = mqtt tls = \"t\" }\n"
	                  "oin = 1\n");
	put("bad.inc", "tls \"t\" {\n");
	assert_null(
	    load("@/oudpd.conf:3: oin: \"1\" is no OIN; write its 20 digits\n"
	         "@/bad.inc:1: this brace is not closed; write the '}' that ends its block or"
	         " list\n"));
}

static void files_that_are_not(void **state)
{
	(void)state;
	put("oudpd.conf", FEED("") "\ninclude(\"none.conf\")\ninclude(\"feeds.d\")\n");
	assert_null(load("@/oudpd.conf:3: include: there is no file @/none.conf\n"
	                 "@/oudpd.conf:4: cannot read @/feeds.d: Is a directory\n"));
	unlink(in_dir("oudpd.conf"));
	assert_null(load("@/oudpd.conf: cannot open @/oudpd.conf: No such file or directory\n"));
	FILE *f = fopen(in_dir("oudpd.conf"), "w");
	assert_non_null(f);
	fwrite("system = a\0b", 1, 12, f);
	fclose(f);
	assert_null(load("@/oudpd.conf: @/oudpd.conf holds a zero byte; it must be a text file\n"));
}

static void too_large(void **state)
{
	(void)state;
	put("oudpd.conf", "");
	assert_int_equal(truncate(in_dir("oudpd.conf"), (4 << 20) + 1), 0);
	assert_null(load("@/oudpd.conf: @/oudpd.conf is larger than 4194304 bytes; split it with"
	                 " include()\n"));
}

static void circles(void **state)
{
	(void)state;
	put("oudpd.conf", FEED("") "include(\"oudpd.conf\")\ninclude(\"a.inc\")\n"
	                           "include(\"./a.inc\")\n");
	put("a.inc", "include(\"oud*.conf\")\n");
	assert_null(
	    load("@/oudpd.conf:2: include: @/oudpd.conf is read already; include a file once\n"
	         "@/oudpd.conf:4: include: @/./a.inc is read already; include a file once\n"
	         "@/a.inc:1: include: @/oudpd.conf is read already; include a file once\n"));
}

static void depth(void **state)
{
	(void)state;
	put("oudpd.conf", FEED("") "include(\"d1\")");
	for (int i = 1; i < 9; i++) {
		char name[20], text[40];
		snprintf(name, sizeof(name), "d%d", i);
		snprintf(text, sizeof(text), "include(\"d%d\")", i + 1);
		put(name, text);
	}
	put("d9", "system = deep");
	assert_null(
	    load("@/d8:1: include: at most 2000 files, 8 deep; put some of them together\n"));
	put("d8", "system = deep");
	struct config *c = load("");
	assert_non_null(c);
	assert_string_equal(c->system, "deep");
	config_free(c);
}

static void tls_files(void **state)
{
	(void)state;
	put("oudpd.conf", FEED("") "listener \"l\" { protocol = mqtt tls = \"t\" }\n"
	                           "tls \"t\" {\n certificate = \"c.pem\"\n key = \"k.pem\"\n"
	                           " client-ca = \"ca.pem\"\n crl = \"/none/crl\"\n}\n");
	assert_null(load("@/oudpd.conf:4: certificate: cannot read @/c.pem: No such file or"
	                 " directory; oudpd's user must be able to\n"
	                 "@/oudpd.conf:5: key: cannot read @/k.pem: No such file or directory;"
	                 " oudpd's user must be able to\n"
	                 "@/oudpd.conf:6: client-ca: cannot read @/ca.pem: No such file or"
	                 " directory; oudpd's user must be able to\n"
	                 "@/oudpd.conf:7: crl: cannot read /none/crl: No such file or directory;"
	                 " oudpd's user must be able to\n"));
	put("oudpd.conf", FEED("") "listener \"l\" { protocol = mqtt tls = \"t\" }\n"
	                           "tls \"t\" {\n certificate = \"c.pem\"\n key = \"k.pem\"\n}\n");
	put("c.pem", "");
	put("k.pem", "");
	assert_int_equal(chmod(in_dir("k.pem"), 0600), 0);
	struct config *c = load("");
	assert_non_null(c);
	assert_string_equal(c->tls[0].key, in_dir("k.pem"));
	assert_null(c->tls[0].client_ca);
	assert_null(c->tls[0].crl);
	config_free(c);
	assert_int_equal(chmod(in_dir("k.pem"), 0644), 0);
	c = load("@/oudpd.conf:5: warning: everyone on this machine can read @/k.pem; chmod o-r"
	         " it\n");
	assert_non_null(c);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(patterns),
	    cmocka_unit_test(within_an_include),
	    cmocka_unit_test(problems_of_an_include),
	    cmocka_unit_test(broken_include),
	    cmocka_unit_test(files_that_are_not),
	    cmocka_unit_test(too_large),
	    cmocka_unit_test(circles),
	    cmocka_unit_test(depth),
	    cmocka_unit_test(tls_files),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
