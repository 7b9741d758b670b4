/* What the daemon says of itself: the Prometheus text and /v1/status, against a real hub. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/broker.h"

#include "status/status.h"
#include "json/json.h"

static const char conf[] =
    "oin = \"00000001234567890000\"\n"
    "feed \"a\" { topics = { \"a/{thing}\" } schemas = { \"any\" } title = \"A \\\"1\\\"\" }\n"
    "feed \"b\" { topics = { \"b/{thing}\" } schemas = { \"any\" } priority = urgent }\n";

static void outside(void *arg UNUSED, struct status_outside *o)
{
	assert_int_equal(o->mqtt_connections, 0); /* comes zeroed */
	o->mqtt_connections = 3;
	o->sessions_away = 5;
	o->backlog = 77;
	o->websocket_connections = 4;
	o->web_delivered = 5;
	o->mqtt_delivered = 6;
}

static void ignore(const struct answer *a UNUSED, int err UNUSED) {}

static void put(struct broker *b, const char *topic, const char *payload)
{
	assert_int_equal(broker_put(b, topic, payload, ignore), 0);
}

static struct status *open_status(struct broker *b)
{
	struct status *s;
	struct status_options o = {.hub = b->hub,
	                           .ingest = b->ingest,
	                           .runner = {b, broker_give, broker_give},
	                           .outside = outside};
	assert_int_equal(status_new(&o, &s), 0);
	broker_work(b);
	return s;
}

static void has(struct buf *b, const char *line)
{
	const char *text = buf_str(b), *at = strstr(text, line);
	if (!at)
		print_error("not there: %s\n", line);
	assert_non_null(at);
	assert_true(at == text || at[-1] == '\n');
}

static void metrics(void **state UNUSED)
{
	struct broker b;
	struct buf text;
	broker_open(&b, conf);
	struct status *s = open_status(&b);
	put(&b, "a/1", "{\"n\":1}");
	put(&b, "a/1", "{\"n\":1}");
	put(&b, "a/2", "{\"n\":2}");
	put(&b, "nowhere", "x");
	broker_turn(&b);
	buf_init(&text, 1 << 20);
	status_write_metrics(s, &text);
	assert_int_equal(text.err, 0);
	has(&text, "# TYPE oudp_messages_total counter\n");
	has(&text, "oudp_messages_total{feed=\"a\",verdict=\"stored\"} 3\n");
	has(&text, "oudp_messages_total{feed=\"a\",verdict=\"duplicate\"} 0\n");
	has(&text, "oudp_messages_total{feed=\"b\",verdict=\"stored\"} 0\n");
	has(&text, "oudp_messages_total{feed=\"\",verdict=\"unrouted\"} 1\n");
	has(&text, "oudp_feed_last_sequence{feed=\"a\"} 3\n");
	has(&text, "oudp_quarantine_rows{feed=\"a\"} 0\n");
	has(&text, "oudp_connections{protocol=\"mqtt\"} 3\n");
	has(&text, "oudp_sessions{state=\"away\"} 5\n");
	has(&text, "oudp_session_backlog_records 77\n");
	has(&text, "oudp_connections{protocol=\"websocket\"} 4\n");
	has(&text, "oudp_delivered_total{way=\"web\"} 5\n");
	has(&text, "oudp_commit_seconds_bucket{le=\"+Inf\"} ");
	has(&text, "# TYPE process_resident_memory_bytes gauge\n");
	assert_int_equal(text.p[text.len - 1], '\n');
	buf_done(&text);
	status_free(s);
	broker_close(&b);
}

static struct span member(const struct json_tape *t, uint32_t i, const char *name)
{
	uint32_t at = json_member(t, i, span_str(name));
	if (!at)
		print_error("no member %s\n", name);
	assert_true(at != 0);
	return json_text(t, at);
}

static void the_status_is_json(void **state UNUSED)
{
	struct broker b;
	struct buf text;
	struct json_tape t;
	size_t at;
	const char *why;
	broker_open(&b, conf);
	struct status *s = open_status(&b);
	put(&b, "a/1", "{\"n\":1}");
	broker_turn(&b);
	status_tick(s);
	broker_work(&b);
	buf_init(&text, 1 << 20);
	json_tape_init(&t, 1000);
	status_write_json(s, &text);
	assert_int_equal(json_parse(&t, span_of(text.p, text.len), &at, &why), 0);
	assert_true(span_is(member(&t, 0, "ready"), "true"));
	assert_int_equal(member(&t, 0, "storeId").n, 32);
	uint32_t counters = json_member(&t, 0, SPAN("counters"));
	assert_true(span_is(member(&t, counters, "stored"), "1"));
	assert_true(span_is(member(&t, counters, "delivered"), "11"));
	uint32_t feeds = json_member(&t, 0, SPAN("feeds"));
	assert_int_equal(t.tok[feeds].size, 3); /* the alerts too */
	assert_true(span_is(member(&t, feeds + 1, "name"), "a"));
	assert_true(span_is(member(&t, feeds + 1, "title"), "A \\\"1\\\""));
	assert_true(span_is(member(&t, feeds + 1, "records"), "1"));
	assert_true(span_is(member(&t, feeds + 1, "lastStored"), "2026-11-24T12:00:00.000Z") ||
	            member(&t, feeds + 1, "lastStored").n == 24);
	json_tape_done(&t);
	buf_done(&text);
	status_free(s);
	broker_close(&b);
}

/* A refresh that is still on the pool when the status goes frees itself. */
static void freed_during_a_refresh(void **state UNUSED)
{
	struct broker b;
	struct status *s;
	broker_open(&b, conf);
	struct status_options o = {.hub = b.hub,
	                           .ingest = b.ingest,
	                           .runner = {&b, broker_give, broker_give},
	                           .outside = outside};
	assert_int_equal(status_new(&o, &s), 0);
	assert_true(b.n_todo > 0);
	status_free(s);
	broker_work(&b);
	broker_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(metrics),
	    cmocka_unit_test(the_status_is_json),
	    cmocka_unit_test(freed_during_a_refresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
