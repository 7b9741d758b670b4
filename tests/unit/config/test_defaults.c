/* test_defaults.c - what oudpd does without a file, and what a file may leave out. */
#include "base/limits.h"
#include "check.h"

#include <stdio.h>
#include <unistd.h>

static void embedded_default(void **state)
{
	(void)state;
	unsetenv("STATE_DIRECTORY");
	struct config *c = accepted(config_embedded());
	assert_string_equal(c->organisation, "gemeente-voorbeeld");
	assert_string_equal(c->oin, "00000001234567890000");
	assert_string_equal(c->system, "oudp");
	assert_string_equal(c->domain, "stad");
	assert_string_equal(c->data_dir, "/var/lib/oudp");
	assert_string_equal(c->admin_socket, "/var/lib/oudp/oudpd.sock");
	assert_int_equal(c->journal_size_bytes, 256000000000);
	assert_int_equal(c->max_packet_bytes, LIMIT_PACKET_BYTES);
	assert_int_equal(c->max_connections, LIMIT_CONNECTIONS);
	assert_int_equal(c->unrouted_max, 10000);
	assert_null(c->path);
	assert_int_equal(c->n_tls, 0);

	static const struct {
		const char *name;
		int protocol, port;
	} listeners[] = {
	    {"mqtt", CONFIG_MQTT, 1883}, {"web", CONFIG_HTTP, 8080}, {"admin", CONFIG_ADMIN, 9883}};
	assert_int_equal(c->n_listeners, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(c->listeners[i].name, listeners[i].name);
		assert_int_equal(c->listeners[i].protocol, listeners[i].protocol);
		assert_string_equal(c->listeners[i].address, "127.0.0.1");
		assert_int_equal(c->listeners[i].port, listeners[i].port);
		assert_null(c->listeners[i].tls);
		assert_false(c->listeners[i].insecure);
		assert_true(c->listeners[i].loopback);
	}
	config_free(c);
}

static void embedded_feeds(void **state)
{
	(void)state;
	static const char *const feeds[][3] = {
	    {"air-quality", "city/air/{thing}", "air-quality-observed/1"},
	    {"noise", "city/noise/{thing}", "noise-level-observed/1"},
	    {"weather", "city/weather/{thing}", "weather-observed/1"},
	    {"traffic-flow", "city/traffic/{thing}", "traffic-flow-observed/1"},
	    {"parking", "city/parking/{thing}", "off-street-parking/1"},
	    {"devices", "city/device/{thing}", "device-measurement/1"},
	    {"water", "city/water/{thing}", "water-observed/1"},
	    {"groundwater", "city/groundwater/{thing}", "phreatic-observed/1"},
	    {"crowd-flow", "city/crowd/{thing}", "crowd-flow-observed/1"},
	    {"parking-spots", "city/parking-spot/{thing}", "parking-spot/1"},
	    {"charging", "city/charging/{thing}", "ev-charging-station/1"},
	    {"waste", "city/waste/{thing}", "waste-container/1"},
	    {"lighting", "city/lighting/{thing}", "streetlight/1"},
	    {"environment", "city/environment/{thing}", "environment-observed/1"},
	    {"flood", "city/flood/{thing}", "flood-monitoring/1"},
	    {"sensorthings", "sta/{thing}", "any"},
	};
	struct config *c = accepted(config_embedded());
	assert_int_equal(c->n_feeds, ARRAY_LEN(feeds) + 1);
	assert_true(c->feeds[ARRAY_LEN(feeds)].alerts);
	for (size_t i = 0; i < ARRAY_LEN(feeds); i++) {
		const struct config_feed *f = config_feed_find(c, span_str(feeds[i][0]));
		assert_ptr_equal(f, &c->feeds[i]);
		assert_string_equal(f->topics[0], feeds[i][1]);
		assert_null(f->topics[1]);
		assert_string_equal(f->schemas[0], feeds[i][2]);
		assert_null(f->schemas[1]);
		assert_true(*f->title);
	}
	assert_null(config_feed_find(c, SPAN("air")));
	config_free(c);
}

static void a_feed_of_two_lines(void **state)
{
	(void)state;
	struct config *c = accepted(FEED(""));
	assert_int_equal(c->n_listeners, 3); /* the three of the default */
	assert_int_equal(c->listeners[1].port, 8080);
	const struct config_feed *f = &c->feeds[0];
	assert_string_equal(f->name, "f");
	assert_string_equal(f->title, "f");
	assert_string_equal(f->description, "");
	assert_int_equal(f->access, CONFIG_INTERNAL);
	assert_int_equal(f->priority, CONFIG_NORMAL);
	assert_int_equal(f->keep_messages_s, 14 * 86400);
	assert_int_equal(f->keep_messages_max_bytes, 20000000000);
	assert_int_equal(f->keep_series_s, 730 * 86400);
	assert_int_equal(f->duplicates, CONFIG_IGNORE);
	assert_int_equal(f->max_future_s, 300);
	assert_int_equal(f->max_age_s, 30 * 86400);
	assert_int_equal(f->bad_time, CONFIG_REFUSE);
	assert_int_equal(f->cadence_s, 0);
	assert_string_equal(f->licence, "");
	assert_string_equal(f->dpia, "");
	assert_false(f->personal_data);
	assert_int_equal(f->registration, CONFIG_OPTIONAL);
	assert_null(f->privacy[0]);
	assert_int_equal(f->quarantine_max, 10000);
	config_free(c);
}

static void every_option_of_a_feed(void **state)
{
	(void)state;
	struct config *c = accepted(
	    "feed \"f\" { title = \"T \\\"1\\\"\" description = 'it is'\n"
	    "topics = { \"a/{thing}\", # one\n \"b/#\", } schemas = { s/2, s/1 }\n"
	    "access = public priority = urgent keep-messages = 0 keep-messages-max = \"3 MiB\"\n"
	    "keep-series = 1y duplicates = keep max-future = 1h max-age = 0 bad-time = flag\n"
	    "cadence = \"10m\" licence = \"http://l\" contact = \"c\" theme = \"http://th\"\n"
	    "purpose = \"p\" legal-ground = \"g\" personal-data = no dpia = \"d\"\n"
	    "registration = optional privacy = { } quarantine-max = 1 }\n");
	const struct config_feed *f = &c->feeds[0];
	assert_string_equal(f->title, "T \"1\"");
	assert_string_equal(f->description, "it is");
	assert_string_equal(f->topics[0], "a/{thing}");
	assert_string_equal(f->topics[1], "b/#");
	assert_null(f->topics[2]);
	assert_string_equal(f->schemas[0], "s/2");
	assert_string_equal(f->schemas[1], "s/1");
	assert_int_equal(f->access, CONFIG_PUBLIC);
	assert_int_equal(f->priority, CONFIG_URGENT);
	assert_int_equal(f->keep_messages_s, 0);
	assert_int_equal(f->keep_messages_max_bytes, 3 << 20);
	assert_int_equal(f->keep_series_s, 365 * 86400);
	assert_int_equal(f->duplicates, CONFIG_KEEP);
	assert_int_equal(f->max_future_s, 3600);
	assert_int_equal(f->max_age_s, 0);
	assert_int_equal(f->bad_time, CONFIG_FLAG);
	assert_int_equal(f->cadence_s, 600);
	assert_string_equal(f->licence, "http://l");
	assert_string_equal(f->contact, "c");
	assert_string_equal(f->theme, "http://th");
	assert_string_equal(f->purpose, "p");
	assert_string_equal(f->legal_ground, "g");
	assert_string_equal(f->dpia, "d");
	assert_int_equal(f->quarantine_max, 1);
	config_free(c);
}

static void state_directory(void **state)
{
	(void)state;
	setenv("STATE_DIRECTORY", "/srv/one:/srv/two", 1);
	struct config *c = accepted(FEED(""));
	assert_string_equal(c->data_dir, "/srv/one");
	assert_string_equal(c->admin_socket, "/srv/one/oudpd.sock");
	config_free(c);
	c = accepted("data-dir = \"/d/\"\n" FEED(""));
	assert_string_equal(c->data_dir, "/d");
	assert_string_equal(c->admin_socket, "/d/oudpd.sock");
	config_free(c);
	setenv("OUDP_TEST_DIR", "/e", 1);
	c = accepted("data-dir = \"${OUDP_TEST_DIR}/x\" admin-socket = \"/run/a\"\n" FEED(""));
	assert_string_equal(c->data_dir, "/e/x");
	assert_string_equal(c->admin_socket, "/run/a");
	config_free(c);
	unsetenv("STATE_DIRECTORY");
}

static void schema_dirs(void **state)
{
	(void)state;
	struct config *c = accepted(FEED(""));
	assert_string_equal(c->schema_dirs[0], "/etc/oudp/schemas");
	size_t n = 1;
	while (c->schema_dirs[n])
		n++;
	assert_true(n >= 2 && n <= 4);
	config_free(c);
	c = accepted("schema-dirs = { \"/a\" } schema-dirs += { \"/b/\" }\n" FEED(""));
	assert_string_equal(c->schema_dirs[0], "/a");
	assert_string_equal(c->schema_dirs[1], "/b");
	assert_null(c->schema_dirs[2]);
	config_free(c);
}

static void ports_of_the_protocol(void **state)
{
	(void)state;
	struct config *c =
	    accepted("listener \"a\" { protocol = mqtt }\n"
	             "listener \"b\" { protocol = http tls = \"t\" }\n"
	             "listener \"c\" { protocol = mqtt tls = \"t\" address = \"::1\" }\n"
	             "listener \"d\" { protocol = admin tls = \"t\" }\n"
	             "tls \"t\" { certificate = \"/c\" key = \"/k\" crl = \"/r\""
	             " client-ca = \"/ca\" }\n" FEED(""));
	assert_int_equal(c->n_listeners, 4);
	assert_int_equal(c->listeners[0].port, 1883);
	assert_int_equal(c->listeners[1].port, 8443);
	assert_string_equal(c->listeners[1].tls, "t");
	assert_int_equal(c->listeners[2].port, 8883);
	assert_true(c->listeners[2].loopback);
	assert_int_equal(c->listeners[3].port, 9883);
	const struct config_tls *t = config_tls_find(c, "t");
	assert_non_null(t);
	assert_string_equal(t->certificate, "/c");
	assert_string_equal(t->key, "/k");
	assert_string_equal(t->client_ca, "/ca");
	assert_string_equal(t->crl, "/r");
	assert_null(config_tls_find(c, "u"));
	config_free(c);
}

static void loopback(void **state)
{
	(void)state;
	static const struct {
		const char *address;
		bool loopback;
	} rows[] = {
	    {"127.0.0.1", true},    {"127.9.8.7", true}, {"localhost", true},
	    {"::1", true},          {"0.0.0.0", false},  {"::", false},
	    {"128.0.0.1", false},   {"::2", false},      {"::ffff:127.0.0.1", true},
	    {"192.168.0.1", false}, {"fe80::1", false},  {"::ffff:10.0.0.1", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[256];
		snprintf(text, sizeof(text),
		         "oin = \"12345678901234567890\" listener \"l\" { protocol = mqtt insecure"
		         " = true address = \"%s\" }\n" FEED(""),
		         rows[i].address);
		struct config *c = accepted(text);
		assert_int_equal(c->listeners[0].loopback, rows[i].loopback);
		config_free(c);
	}
}

static void words(void **state)
{
	(void)state;
	assert_string_equal(config_access_text(CONFIG_PUBLIC), "public");
	assert_string_equal(config_access_text(CONFIG_RESTRICTED), "restricted");
	assert_string_equal(config_access_text(CONFIG_INTERNAL), "internal");
	assert_string_equal(config_priority_text(CONFIG_URGENT), "urgent");
	assert_string_equal(config_priority_text(CONFIG_NORMAL), "normal");
	assert_string_equal(config_priority_text(CONFIG_BULK), "bulk");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(embedded_default),
	    cmocka_unit_test(embedded_feeds),
	    cmocka_unit_test(a_feed_of_two_lines),
	    cmocka_unit_test(every_option_of_a_feed),
	    cmocka_unit_test(state_directory),
	    cmocka_unit_test(schema_dirs),
	    cmocka_unit_test(ports_of_the_protocol),
	    cmocka_unit_test(loopback),
	    cmocka_unit_test(words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
