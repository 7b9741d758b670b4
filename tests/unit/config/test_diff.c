/* test_diff.c - what a reload says, and what it keeps. */
#include "check.h"

static void diff(const struct config *from, const struct config *to, const char *changes,
                 const char *restart)
{
	struct buf c, r;
	buf_init(&c, CHECK_BYTES);
	buf_init(&r, CHECK_BYTES);
	config_diff(from, to, &c, &r);
	assert_string_equal(buf_str(&c), changes);
	assert_string_equal(buf_str(&r), restart);
	buf_done(&c);
	buf_done(&r);
}

static const char before[] =
    "system = one journal-size = 1TB\n"
    "listener \"l\" { protocol = mqtt }\n"
    "listener \"m\" { protocol = http tls = \"t\" }\n"
    "tls \"t\" { certificate = \"/c\" key = \"/k\" }\n"
    "feed \"f\" { topics = { \"a\" } schemas = { any } }\n"
    "feed \"g\" { topics = { \"b\", \"c/{thing}\" } schemas = { \"s/1\" } title = G }\n";

static void nothing(void **state)
{
	(void)state;
	struct config *a = accepted(before), *b = accepted(before);
	diff(a, b, "", "");
	config_free(a);
	config_free(b);
}

static const char after[] =
    "system = two journal-size = 2TB data-dir = \"/other\" max-connections = 7\n"
    "listener \"l\" { protocol = mqtt port = 1884 }\n"
    "listener \"n\" { protocol = admin }\n"
    "feed \"h\" { topics = { \"h\" } schemas = { any } }\n"
    "feed \"g\" { topics = { \"b\" } schemas = { \"s/2\", \"s/1\" } title = \"G \\\"$1\\\"\"\n"
    "keep-messages = 7d keep-messages-max = 5GiB access = restricted personal-data = true\n"
    "purpose = p legal-ground = g dpia = d }\n";

static void everything(void **state)
{
	(void)state;
	struct config *a = accepted(before), *b = accepted(after);
	diff(a, b,
	     "system \"one\" -> \"two\"\n"
	     "tls t: removed\n"
	     "feed f: removed\n"
	     "feed g: title \"G\" -> \"G \\\"\\$1\\\"\"\n"
	     "feed g: topics { \"b\", \"c/{thing}\" } -> { \"b\" }\n"
	     "feed g: schemas { \"s/1\" } -> { \"s/2\", \"s/1\" }\n"
	     "feed g: access internal -> restricted\n"
	     "feed g: keep-messages \"14d\" -> \"7d\"\n"
	     "feed g: keep-messages-max \"20GB\" -> \"5GiB\"\n"
	     "feed g: purpose \"\" -> \"p\"\n"
	     "feed g: legal-ground \"\" -> \"g\"\n"
	     "feed g: personal-data false -> true\n"
	     "feed g: dpia \"\" -> \"d\"\n"
	     "feed h: added\n",
	     "data-dir \"/var/lib/oudp\" -> \"/other\"\n"
	     "admin-socket \"/var/lib/oudp/oudpd.sock\" -> \"/other/oudpd.sock\"\n"
	     "journal-size \"1TB\" -> \"2TB\"\n"
	     "max-connections 50000 -> 7\n"
	     "listener l: port 1883 -> 1884\n"
	     "listener m: removed\n"
	     "listener n: added\n");
	config_free(a);
	config_free(b);
}

/* After config_keep() the new configuration is the old one where only a restart could change it,
 * and itself everywhere else. */
static void keep(void **state)
{
	(void)state;
	struct config *a = accepted(before), *b = accepted(after), *again = accepted(after);
	config_keep(a, b);
	assert_string_equal(b->data_dir, "/var/lib/oudp");
	assert_string_equal(b->admin_socket, "/var/lib/oudp/oudpd.sock");
	assert_int_equal(b->journal_size_bytes, a->journal_size_bytes);
	assert_string_equal(b->system, "two");
	assert_int_equal(b->n_listeners, 2);
	assert_int_equal(b->listeners[0].port, 1883);
	assert_true(b->listeners[0].loopback);
	assert_string_equal(b->listeners[1].name, "m");
	assert_int_equal(b->listeners[1].port, 8443);
	/* its tls block stays with the listener that goes on using it */
	assert_non_null(config_tls_find(b, "t"));
	assert_string_equal(config_tls_find(b, "t")->certificate, "/c");
	struct buf changes, restart;
	buf_init(&changes, CHECK_BYTES);
	buf_init(&restart, CHECK_BYTES);
	config_diff(a, b, &changes, &restart);
	assert_int_equal(restart.len, 0);
	buf_done(&changes);
	buf_done(&restart);
	diff(again, b, "tls t: added\n",
	     "data-dir \"/other\" -> \"/var/lib/oudp\"\n"
	     "admin-socket \"/other/oudpd.sock\" -> \"/var/lib/oudp/oudpd.sock\"\n"
	     "journal-size \"2TB\" -> \"1TB\"\n"
	     "max-connections 7 -> 50000\n"
	     "listener l: port 1884 -> 1883\n"
	     "listener n: removed\n"
	     "listener m: added\n");
	config_free(a);
	config_free(b);
	config_free(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing),
	    cmocka_unit_test(everything),
	    cmocka_unit_test(keep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
