/* Which versions are sent: counted by feed, moved with the thing, bounded, kept over a reload and
 * found again in the log; and what becomes of a version that has ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/broker.h"

#include "base/limits.h"
#include "base/rfc3339.h"

#include <sys/stat.h>

enum { DAY_MS = 86400000 };

static int last_verdict;
static char last_reason[400];

static void answered(const struct answer *a, int err)
{
	assert_int_equal(err, 0);
	last_verdict = a->verdict;
	snprintf(last_reason, sizeof(last_reason), "%s", a->reason ? a->reason : "");
}

static void put(struct broker *b, const char *topic, const char *payload)
{
	last_verdict = 0;
	if (broker_put(b, topic, payload, answered)) {
		broker_turn(b);
		assert_int_equal(broker_put(b, topic, payload, answered), 0);
	}
}

static void put_now(struct broker *b, const char *topic, const char *payload)
{
	put(b, topic, payload);
	broker_turn(b);
	assert_int_not_equal(last_verdict, 0);
}

static const struct feed_version *version(const struct broker *b, const char *id)
{
	const struct feed *f = hub_feed(b->hub, SPAN("f"));
	for (unsigned i = 0; i < FEED_VERSIONS_MAX; i++)
		if (strcmp(f->versions[i].id, id) == 0)
			return &f->versions[i];
	fail_msg("no version %s", id);
	return NULL;
}

static void expect(const struct broker *b, const char *id, uint64_t messages, uint64_t refused,
                   unsigned things)
{
	const struct feed_version *v = version(b, id);
	assert_int_equal(v->messages, messages);
	assert_int_equal(v->refused, refused);
	assert_int_equal(v->things, things);
}

static char dir[] = "/tmp/oudp-versions-XXXXXX";

static void write_schema(const char *id, const char *text)
{
	char path[200];
	snprintf(path, sizeof(path), "mkdir -p %s/%s", dir, id);
	assert_int_equal(system(path), 0);
	snprintf(path, sizeof(path), "%s/%s/schema.json", dir, id);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

#define RESULT "\"x-oudp\":{\"role\":\"result\",\"unit\":\"1\",\"observedProperty\":\"http://e/x\"}"

static void write_version(unsigned v, unsigned maximum)
{
	char id[20], text[400];
	snprintf(id, sizeof(id), "s/%u", v);
	snprintf(text, sizeof(text),
	         "{\"required\":[\"version\",\"x\"],\"properties\":{\"version\":{\"const\":%u,"
	         "\"x-oudp\":{\"role\":\"version\"}},"
	         "\"x\":{\"type\":\"number\",\"maximum\":%u," RESULT "}}}",
	         v, maximum);
	write_schema(id, text);
}

static int make_schemas(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	for (unsigned v = 1; v <= 18; v++)
		write_version(v, v * 10);
	return 0;
}

static int remove_schemas(void **state)
{
	(void)state;
	char cmd[100];
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

#define FEED(schemas) "feed \"f\" { topics = { \"f/{thing}\" } schemas = { " schemas " } }"

/* Nothing is committed before the next turn. why: empty, to be freed. */
static int try_configure(struct broker *b, const char *text, struct buf *why)
{
	struct config *c = NULL;
	struct catalog *cat = NULL;
	const char *dirs[] = {dir, NULL};
	buf_init(why, 1 << 16);
	int err = config_parse("t", text, false, &c, why);
	err = err ? err : catalog_load(dirs, &cat, why);
	hub_runner_set(b->hub, (struct hub_runner){b, broker_give, NULL}); /* opens logs inline */
	err = err ? err : hub_configure(b->hub, c, cat, why);
	hub_runner_set(b->hub, (struct hub_runner){b, broker_give, broker_give});
	config_free(err ? c : b->config);
	catalog_free(err ? cat : b->catalog);
	if (!err) {
		b->config = c;
		b->catalog = cat;
	}
	return err;
}

static void configure(struct broker *b, const char *text)
{
	struct buf why;
	if (try_configure(b, text, &why))
		fail_msg("%s", buf_str(&why));
	buf_done(&why);
}

static void open_with(struct broker *b, const char *text)
{
	broker_open(b, "organisation = \"o\"\n");
	configure(b, text);
}

static void things_move(void **state)
{
	(void)state;
	struct broker b;
	open_with(&b, FEED("\"s/2\", \"s/1\""));
	put_now(&b, "f/a", "{\"version\":1,\"x\":1}");
	put_now(&b, "f/b", "{\"version\":1,\"x\":2}");
	put_now(&b, "f/b", "{\"version\":1,\"x\":3}");
	expect(&b, "s/1", 3, 0, 2);
	expect(&b, "s/2", 0, 0, 0);
	put_now(&b, "f/b", "{\"version\":2,\"x\":4}");
	expect(&b, "s/1", 3, 0, 1);
	expect(&b, "s/2", 1, 0, 1);
	/* the verdict is that of the version the payload names, not of the first */
	put_now(&b, "f/b", "{\"version\":1,\"x\":11}");
	assert_int_equal(last_verdict, VERDICT_REFUSED);
	assert_string_equal(last_reason, "s/1: /x: 11 is more than maximum 10");
	expect(&b, "s/1", 3, 1, 1);
	/* and of the first when it names none that is known */
	put_now(&b, "f/b", "{\"version\":7,\"x\":1}");
	assert_string_equal(last_reason, "s/2: /version: 7 is not 2");
	/* the log remembers the newest version of each thing */
	broker_restart(&b);
	expect(&b, "s/1", 0, 0, 1);
	expect(&b, "s/2", 0, 0, 1);
	broker_close(&b);
}

static void slots_outlive_reloads(void **state)
{
	(void)state;
	struct broker b;
	open_with(&b, FEED("\"s/1\""));
	put_now(&b, "f/a", "{\"version\":1,\"x\":1}");
	configure(&b, FEED("\"s/2\", \"s/1\""));
	expect(&b, "s/1", 1, 0, 1);
	put_now(&b, "f/b", "{\"version\":2,\"x\":1}");
	configure(&b, FEED("\"s/2\""));
	expect(&b, "s/1", 1, 0, 1);
	assert_int_equal(version_state(version(&b, "s/1"), 0), VERSION_FORMER);
	/* more versions than there are places: those of former times go, their things with them */
	for (unsigned v = 3; v <= 18; v++) {
		char text[200];
		snprintf(text, sizeof(text), FEED("\"s/%u\", \"s/2\""), v);
		configure(&b, text);
		expect(&b, "s/2", 1, 0, 1);
	}
	put_now(&b, "f/a", "{\"version\":2,\"x\":1}");
	expect(&b, "s/2", 2, 0, 2);
	broker_close(&b);
}

/* Ten times as many things as there is room for: the counts stay those of the table. */
static void bounded(void **state)
{
	(void)state;
	struct broker b;
	open_with(&b, "feed \"f\" { topics = { \"f/{thing}\" } schemas = { \"s/2\", \"s/1\" } "
	              "duplicates = keep }");
	struct versions *v = versions_new();
	struct feed *f = hub_feed(b.hub, SPAN("f"));
	for (unsigned i = 0; i < 10 * LIMIT_VERSION_THINGS; i++) {
		char thing[20];
		int n = snprintf(thing, sizeof(thing), "%u", i);
		struct record r = {.thing = span_of(thing, (size_t)n),
		                   .schema = SPAN("s"),
		                   .schema_version = (uint16_t)(1 + i % 2)};
		versions_seen(v, b.hub, f, &r);
	}
	unsigned things = version(&b, "s/1")->things + version(&b, "s/2")->things;
	assert_in_range(things, LIMIT_VERSION_THINGS * 99 / 100, LIMIT_VERSION_THINGS);
	assert_int_equal(version(&b, "s/1")->messages, 5 * LIMIT_VERSION_THINGS);
	versions_free(v);
	broker_close(&b);
}

static void until(void **state)
{
	(void)state;
	struct broker b; /* it is 2026-11-24T12:00:00Z */
	open_with(&b, FEED("\"s/2\", \"s/1 until 2026-12-25\""));
	const struct feed_version *v = version(&b, "s/1");
	int64_t now = clock_wall_ms(&b.clock), end;
	assert_int_equal(rfc3339_parse(SPAN("2026-12-25T00:00:00Z"), &end), 0);
	assert_int_equal(v->until_ms, end);
	assert_int_equal(version_state(v, now), VERSION_TAKEN);
	assert_int_equal(version_state(v, end - 30 * (int64_t)DAY_MS), VERSION_ENDING);
	assert_int_equal(version_state(v, end - 1), VERSION_ENDING);
	assert_int_equal(version_state(v, end), VERSION_ENDED);
	put_now(&b, "f/a", "{\"version\":1,\"x\":1}");
	assert_int_equal(last_verdict, VERDICT_STORED);
	clock_advance(&b.clock, end - now);
	put_now(&b, "f/a", "{\"version\":1,\"x\":2}");
	assert_int_equal(last_verdict, VERDICT_REFUSED);
	assert_string_equal(
	    last_reason, "s/1: /: this version was taken until 2026-12-25T00:00:00.000Z; send s/2");
	expect(&b, "s/1", 1, 1, 1);
	put_now(&b, "f/a", "{\"version\":2,\"x\":3}");
	assert_int_equal(last_verdict, VERDICT_STORED);
	struct verdict all[4];
	assert_int_equal(ingest_explain(b.ingest, hub_feed(b.hub, SPAN("f")),
	                                SPAN("{\"version\":1,\"x\":2}"), all, 4),
	                 1);
	assert_string_equal(all[0].rule, "until");
	/* put off: it is taken again; the only one, and ended: nothing is */
	configure(&b, FEED("\"s/2\", \"s/1 until 2027-03-01T00:00:00+01:00\""));
	put_now(&b, "f/a", "{\"version\":1,\"x\":4}");
	assert_int_equal(last_verdict, VERDICT_STORED);
	configure(&b, FEED("\"s/1 until 2026-12-01\""));
	put_now(&b, "f/a", "{\"version\":1,\"x\":5}");
	assert_string_equal(
	    last_reason,
	    "s/1: /: this version was taken until 2026-12-01T00:00:00.000Z; none is taken now");
	put_now(&b, "f/a", "{\"x\":5}");
	assert_int_equal(last_verdict, VERDICT_REFUSED);
	broker_close(&b);
}

static void refuses(struct broker *b, const char *text)
{
	struct buf why;
	assert_int_equal(try_configure(b, text, &why), ERR_CONFIG);
	assert_non_null(strstr(buf_str(&why), "means something else"));
	buf_done(&why);
}

/* A reload may come before the digest of the one before it is committed. */
static void a_version_is_guarded_at_once(void **state)
{
	(void)state;
	static const char
	    one[] = FEED("\"s/1\""),
	    draft[] =
	        "feed \"f\" { topics = { \"f/{thing}\" } schemas = { \"s/1\" } draft = true }";
	struct broker b;
	open_with(&b, one);
	write_version(1, 11);
	refuses(&b, one);
	broker_turn(&b);
	refuses(&b, one);
	configure(&b, draft); /* forgets it */
	configure(&b, one);   /* and it is taken as it is now */
	write_version(1, 10);
	refuses(&b, one);
	broker_turn(&b);
	refuses(&b, one);
	broker_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(things_move),
	    cmocka_unit_test(slots_outlive_reloads),
	    cmocka_unit_test(bounded),
	    cmocka_unit_test(until),
	    cmocka_unit_test(a_version_is_guarded_at_once),
	};
	return cmocka_run_group_tests(tests, make_schemas, remove_schemas);
}
