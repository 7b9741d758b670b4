/* Organisations, identities and grants: what is refused, what is in force when, over a restart;
 * what a guess costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "access/login.h"
#include "access/secret.h"
#include "access/slow.h"
#include "base/limits.h"
#include "unit/broker.h"

static const char config[] =
    "organisation = \"town\"\n"
    "feed \"air\" { topics = { \"air/{thing}\" } schemas = { \"any\" } access = restricted }\n"
    "feed \"own\" { topics = { \"own/{thing}\" } schemas = { \"any\" } organisation = \"vendor\" "
    "}\n"
    "feed \"open\" { topics = { \"open/{thing}\" } schemas = { \"any\" } access = public "
    "description = \"d\" licence = \"http://example.nl/l\" contact = \"mailto:a@example.nl\" "
    "theme = \"http://example.nl/t\" }\n";

struct scene {
	struct broker b;
	struct access *a;
	struct buf why;
	int err;
	char id[ACCESS_NAME_BYTES], key[SECRET_KEY_BYTES];
};

static void done(void *arg, int err, const char *id, const char *key)
{
	struct scene *s = arg;
	s->err = err;
	snprintf(s->id, sizeof(s->id), "%s", id);
	snprintf(s->key, sizeof(s->key), "%s", key ? key : "");
}

static void scene_open(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	broker_open(&s->b, config);
	assert_int_equal(access_new(s->b.hub, &s->a), 0);
	buf_init(&s->why, 1 << 16);
}

static void scene_close(struct scene *s)
{
	access_stop(s->a);
	access_free(s->a);
	buf_done(&s->why);
	broker_close(&s->b);
}

static void scene_restart(struct scene *s)
{
	access_stop(s->a);
	access_free(s->a);
	broker_restart(&s->b);
	assert_int_equal(access_new(s->b.hub, &s->a), 0);
}

enum what { ORGANISATION, IDENTITY, GRANT };

static int add(struct scene *s, enum what what, const char *json)
{
	struct access_done d = {done, s};
	struct span body = span_str(json);
	buf_clear(&s->why);
	s->err = 1;
	int err = what == ORGANISATION ? organisation_add(s->a, body, d, &s->why)
	          : what == IDENTITY   ? identity_add(s->a, body, d, &s->why)
	                               : grant_add(s->a, body, d, &s->why);
	broker_turn(&s->b);
	return err ? err : s->err;
}

static int change_grant(struct scene *s, uint64_t id, const char *json)
{
	struct access_done d = {done, s};
	buf_clear(&s->why);
	s->err = 1;
	int err = grant_change(s->a, id, span_str(json), d, &s->why);
	broker_turn(&s->b);
	return err ? err : s->err;
}

static void people(struct scene *s)
{
	assert_int_equal(add(s, ORGANISATION, "{\"name\":\"vendor\",\"title\":\"V\"}"), 0);
	assert_int_equal(add(s, ORGANISATION, "{\"name\":\"partner\"}"), 0);
	assert_int_equal(
	    add(s, IDENTITY, "{\"name\":\"gw\",\"organisation\":\"vendor\",\"kind\":\"key\"}"), 0);
	assert_int_equal(
	    add(s, IDENTITY, "{\"name\":\"p\",\"organisation\":\"partner\",\"kind\":\"key\"}"), 0);
}

static struct identity who(const struct scene *s, const char *name)
{
	const struct principal *p = access_principal(s->a, span_str(name));
	assert_non_null(p);
	return access_identity(p);
}

static bool may(const struct scene *s, const char *name, enum access_right right, const char *feed,
                const char *thing)
{
	struct identity i = who(s, name);
	const struct feed *f = hub_feed(s->b.hub, span_str(feed));
	return access_check(&i, right, f, span_str(thing)) == 0;
}

static void test_nothing_is_granted_at_first(void **state UNUSED)
{
	struct scene s;
	scene_open(&s);
	people(&s);
	assert_int_equal(strlen(s.key), SECRET_KEY_BYTES - 1);
	assert_false(may(&s, "gw", ACCESS_PUBLISH, "air", NULL));
	assert_false(may(&s, "gw", ACCESS_READ, "air", NULL));
	assert_true(may(&s, "gw", ACCESS_READ, "open", NULL));
	assert_false(may(&s, "gw", ACCESS_PUBLISH, "open", NULL));
	assert_true(may(&s, "gw", ACCESS_SUBSCRIBE, "own", NULL)); /* its organisation's */
	assert_false(may(&s, "gw", ACCESS_PUBLISH, "own", NULL));
	assert_false(may(&s, "p", ACCESS_READ, "own", NULL));
	for (enum access_right r = ACCESS_PUBLISH; r <= ACCESS_ADMIN; r++) {
		struct identity i = who(&s, "gw");
		assert_int_equal(access_check(&i, r, NULL, (struct span){0}), ERR_DENIED);
	}
	scene_close(&s);
}

static void test_grants_by_thing_time_and_state(void **state UNUSED)
{
	struct scene s;
	scene_open(&s);
	people(&s);
	assert_int_equal(add(&s, GRANT,
	                     "{\"identity\":\"gw\",\"feed\":\"a*\",\"rights\":[\"publish\"],"
	                     "\"thing\":\"v-*\",\"from\":\"2026-11-24T12:00:10Z\","
	                     "\"until\":\"2026-11-24T12:00:20Z\"}"),
	                 0);
	assert_false(may(&s, "gw", ACCESS_PUBLISH, "air", "v-1")); /* not yet */
	clock_advance(&s.b.clock, 10000);
	assert_false(access_second(s.a)); /* nobody may do less */
	assert_true(may(&s, "gw", ACCESS_PUBLISH, "air", "v-1"));
	assert_true(may(&s, "gw", ACCESS_PUBLISH, "air", NULL));
	assert_false(may(&s, "gw", ACCESS_PUBLISH, "air", "w-1"));
	assert_false(may(&s, "gw", ACCESS_PUBLISH, "air", "v"));
	assert_false(may(&s, "p", ACCESS_PUBLISH, "air", "v-1"));
	struct identity i = who(&s, "gw");
	const struct feed *air = hub_feed(s.b.hub, SPAN("air"));
	assert_int_equal(access_covers(&i, ACCESS_PUBLISH, air, (struct span){0}, NULL),
	                 ERR_DENIED);
	assert_true(access_is_partial(&i, ACCESS_PUBLISH, air));
	assert_int_equal(change_grant(&s, 1, "{\"state\":\"suspended\"}"), 0);
	assert_false(may(&s, "gw", ACCESS_PUBLISH, "air", "v-1"));
	assert_true(access_second(s.a));
	assert_non_null(access_lost(&i, true, 0));
	assert_null(access_lost(&i, false, 0));
	assert_int_equal(change_grant(&s, 1, "{\"state\":\"active\"}"), 0);
	assert_true(may(&s, "gw", ACCESS_PUBLISH, "air", "v-1"));
	i = who(&s, "gw");
	scene_restart(&s);
	assert_true(may(&s, "gw", ACCESS_PUBLISH, "air", "v-1"));
	clock_advance(&s.b.clock, 10000);
	assert_true(access_second(s.a));
	assert_false(may(&s, "gw", ACCESS_PUBLISH, "air", "v-1"));
	assert_int_equal(change_grant(&s, 1, "{\"state\":\"revoked\"}"), 0);
	assert_int_equal(change_grant(&s, 1, "{\"state\":\"active\"}"), ERR_INVALID);
	scene_close(&s);
}

static void test_an_end(void **state UNUSED)
{
	struct scene s;
	scene_open(&s);
	people(&s);
	assert_int_equal(
	    add(&s, GRANT, "{\"organisation\":\"partner\",\"feed\":\"air\",\"rights\":[\"read\"]}"),
	    0);
	struct identity i = who(&s, "p");
	assert_true(may(&s, "p", ACCESS_READ, "air", NULL));
	struct access_done d = {done, &s};
	assert_int_equal(
	    organisation_change(s.a, SPAN("partner"), SPAN("{\"ends\":\"2026-11-25\"}"), d, &s.why),
	    0);
	broker_turn(&s.b);
	assert_true(may(&s, "p", ACCESS_READ, "air", NULL));
	clock_advance(&s.b.clock, 86400000);
	assert_true(access_second(s.a));
	assert_false(may(&s, "p", ACCESS_READ, "air", NULL));
	assert_false(may(&s, "p", ACCESS_READ, "open", NULL));
	assert_non_null(access_lost(&i, false, 0));
	scene_close(&s);
}

/* As admission does: is there room, is it allowed, then it is charged. */
static int spend(const struct identity *i, const struct feed *f, const char *thing, double lat,
                 size_t bytes, int64_t now)
{
	struct access_spot spot = {.known = lat != 0,
	                           .place = box_of_point(0, (int32_t)(lat * 1e7))};
	int err = access_room(i, f, SPAN(""), bytes, now);
	if (!err)
		err = access_covers(i, ACCESS_PUBLISH, f, span_str(thing), &spot);
	return err ? err : access_spend(i, f, span_str(thing), &spot, bytes, now);
}

static uint64_t used(struct scene *s, uint64_t grant)
{
	return access_grant(s->a, grant)->used;
}

/* A message is charged to the grant that allows it, and to another that does when that is used up;
 * one that is refused before that is known, to the first that it may be of. */
static void test_who_pays(void **state UNUSED)
{
	struct scene s;
	scene_open(&s);
	people(&s);
	static const char *const grants[] = {
	    "\"area\":\"-1,50,1,51\",\"quota\":2", "\"area\":\"-1,52,1,53\",\"quota\":2",
	    "\"thing\":\"v-*\",\"quota\":1,\"size\":50", "\"area\":\"-1,50,1,53\",\"quota\":1"};
	uint64_t id[ARRAY_LEN(grants)];
	for (size_t k = 0; k < ARRAY_LEN(grants); k++) {
		char json[300];
		snprintf(json, sizeof(json),
		         "{\"identity\":\"gw\",\"feed\":\"air\",\"rights\":[\"publish\"],%s%s}",
		         grants[k], strstr(grants[k], "area") ? ",\"areaCrs\":\"CRS84\"" : "");
		assert_int_equal(add(&s, GRANT, json), 0);
		id[k] = strtoull(s.id, NULL, 10);
	}
	struct identity i = who(&s, "gw");
	const struct feed *air = hub_feed(s.b.hub, SPAN("air"));
	int64_t now = clock_wall_ms(&s.b.clock);
	assert_int_equal(spend(&i, air, "x", 52.5, 100, now), 0);
	assert_int_equal(used(&s, id[1]), 1);
	assert_int_equal(used(&s, id[0]), 0);
	assert_int_equal(spend(&i, air, "v-1", 0, 51, now), ERR_TOO_LARGE);
	assert_int_equal(spend(&i, air, "v-1", 0, 50, now), 0);
	assert_int_equal(used(&s, id[2]), 1);
	assert_int_equal(spend(&i, air, "v-1", 0, 50, now), ERR_QUOTA);
	assert_int_equal(spend(&i, air, "x", 0, 50, now), ERR_DENIED);
	assert_int_equal(spend(&i, air, "x", 52.5, 100, now), 0);
	assert_int_equal(spend(&i, air, "x", 52.5, 100, now), 0); /* the fourth grant has it too */
	assert_int_equal(used(&s, id[3]), 1);
	assert_int_equal(spend(&i, air, "x", 52.5, 100, now), ERR_QUOTA);
	assert_int_equal(access_spend(&i, air, SPAN("x"), NULL, 100, now), 0);
	assert_int_equal(used(&s, id[0]), 1);
	assert_int_equal(spend(&i, air, "x", 50.5, 100, now), 0);
	assert_int_equal(used(&s, id[0]), 2);
	assert_int_equal(access_room(&i, air, SPAN("x"), 100, now), ERR_QUOTA);
	scene_close(&s);
}

static void test_spending(void **state UNUSED)
{
	struct scene s;
	scene_open(&s);
	people(&s);
	assert_int_equal(add(&s, GRANT,
	                     "{\"identity\":\"gw\",\"feed\":\"air\",\"rights\":[\"publish\"],"
	                     "\"rate\":2,\"size\":100,\"quota\":5}"),
	                 0);
	struct identity i = who(&s, "gw");
	const struct feed *air = hub_feed(s.b.hub, SPAN("air"));
	int64_t now = clock_wall_ms(&s.b.clock);
	assert_int_equal(spend(&i, air, "x", 0, 101, now), ERR_TOO_LARGE);
	assert_int_equal(spend(&i, air, "x", 0, 100, now), 0);
	assert_int_equal(spend(&i, air, "x", 0, 100, now), 0);
	assert_int_equal(spend(&i, air, "x", 0, 100, now), ERR_SLOW);
	assert_int_equal(spend(&i, air, "x", 0, 100, now + 500), 0);
	assert_int_equal(spend(&i, air, "x", 0, 100, now + 500), ERR_SLOW);
	assert_int_equal(spend(&i, air, "x", 0, 100, now + 9000), 0); /* no more saved up */
	assert_int_equal(spend(&i, air, "x", 0, 100, now + 9000), 0);
	assert_int_equal(spend(&i, air, "x", 0, 100, now + 10000), ERR_QUOTA);
	assert_false(access_second(s.a));
	broker_turn(&s.b);
	scene_restart(&s);
	i = who(&s, "gw");
	air = hub_feed(s.b.hub, SPAN("air"));
	assert_int_equal(spend(&i, air, "x", 0, 100, now + 20000), ERR_QUOTA);
	assert_int_equal(spend(&i, air, "x", 0, 100, now + 86400000), 0);
	scene_close(&s);
}

static void test_what_is_wrong_is_said(void **state UNUSED)
{
	static const struct {
		enum what what;
		const char *json, *says;
		int err;
	} cases[] = {
	    {ORGANISATION, "{", "no JSON object", ERR_INVALID},
	    {ORGANISATION, "[]", "no JSON object", ERR_INVALID},
	    {ORGANISATION, "{}", "name: is needed", ERR_INVALID},
	    {ORGANISATION, "{\"name\":\"a\",\"name\":\"b\"}", "once", ERR_INVALID},
	    {ORGANISATION, "{\"name\":\"A B\"}", "name: is no name", ERR_INVALID},
	    {ORGANISATION, "{\"name\":\"a\",\"titel\":\"b\"}", "titel: there is no such",
	     ERR_INVALID},
	    {ORGANISATION, "{\"name\":\"a\",\"ends\":\"soon\"}", "ends: is no time", ERR_INVALID},
	    {ORGANISATION, "{\"name\":\"vendor\"}", "there is an organisation", ERR_CONFLICT},
	    {IDENTITY, "{\"name\":\"x\",\"organisation\":\"none\",\"kind\":\"key\"}",
	     "organisation: there is no", ERR_INVALID},
	    {IDENTITY, "{\"name\":\"x\",\"organisation\":\"vendor\"}", "kind: is needed",
	     ERR_INVALID},
	    {IDENTITY, "{\"name\":\"x\",\"organisation\":\"vendor\",\"kind\":\"password\"}",
	     "password: is needed", ERR_INVALID},
	    {IDENTITY,
	     "{\"name\":\"x\",\"organisation\":\"vendor\",\"kind\":\"password\",\"password\":"
	     "\"short\"}",
	     "password: is shorter", ERR_INVALID},
	    {IDENTITY, "{\"name\":\"x\",\"organisation\":\"vendor\",\"kind\":\"certificate\"}",
	     "certificate: is needed", ERR_INVALID},
	    {IDENTITY,
	     "{\"name\":\"x\",\"organisation\":\"vendor\",\"kind\":\"key\",\"secret\":\"abc\"}",
	     "secret: there is no such", ERR_INVALID},
	    {IDENTITY, "{\"name\":\"gw\",\"organisation\":\"vendor\",\"kind\":\"key\"}",
	     "there is an identity", ERR_CONFLICT},
	    {GRANT,
	     "{\"identity\":\"p\",\"organisation\":\"vendor\",\"feed\":\"air\",\"rights\":["
	     "\"read\"]}",
	     "identity: there is no such identity of this organisation", ERR_INVALID},
	    {GRANT, "{\"identity\":\"p\",\"feed\":\"nope\",\"rights\":[\"read\"]}",
	     "feed: there is no feed", ERR_INVALID},
	    {GRANT, "{\"identity\":\"p\",\"feed\":\"air\",\"rights\":[]}", "rights: is empty",
	     ERR_INVALID},
	    {GRANT,
	     "{\"identity\":\"p\",\"feed\":\"air\",\"rights\":[\"read\"],\"from\":\"2027-01-02\","
	     "\"until\":\"2027-01-01\"}",
	     "until: is not after from", ERR_INVALID},
	};
	struct scene s;
	scene_open(&s);
	people(&s);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(add(&s, cases[i].what, cases[i].json), cases[i].err);
		if (!strstr(buf_str(&s.why), cases[i].says))
			fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].json, buf_str(&s.why),
			         cases[i].says);
	}
	scene_close(&s);
}

/* A change that the store could not take did not happen. */
static void test_two_changes_of_one_row(void **state UNUSED)
{
	struct scene s;
	scene_open(&s);
	struct access_done d = {done, &s};
	s.b.hold = true;
	assert_int_equal(organisation_add(s.a, SPAN("{\"name\":\"x\"}"), d, &s.why), 0);
	assert_int_equal(organisation_add(s.a, SPAN("{\"name\":\"x\"}"), d, &s.why), ERR_CONFLICT);
	assert_null(access_organisation(s.a, SPAN("x"))); /* not before it is on disk */
	s.b.hold = false;
	broker_turn(&s.b);
	assert_non_null(access_organisation(s.a, SPAN("x")));
	scene_close(&s);
}

static void logged_in(void *owner, uint64_t token UNUSED, int err, const struct identity *who)
{
	*(int *)owner = err ? err : who->principal != NULL;
}

static void test_password_login(void **state UNUSED)
{
	struct scene s;
	struct identity i;
	unsigned wait;
	int got = 99;
	scene_open(&s);
	people(&s);
	assert_int_equal(add(&s, IDENTITY,
	                     "{\"name\":\"pw\",\"organisation\":\"vendor\",\"kind\":\"password\","
	                     "\"password\":\"a long password\"}"),
	                 0);
	struct login_request q = {.address = "192.0.2.1:99",
	                          .name = SPAN("pw"),
	                          .password = SPAN("a long password"),
	                          .has_password = true};
	assert_int_equal(access_login(s.a, &q, logged_in, &got, 0, &i, &wait), 1);
	broker_work(&s.b);
	assert_int_equal(got, 1);
	assert_int_equal(access_login(s.a, &q, logged_in, &got, 0, &i, &wait), 0); /* known again */
	assert_string_equal(i.organisation, "vendor");
	for (int k = 0; k < LIMIT_LOGIN_FAILURES; k++) {
		char wrong[40];
		int n = snprintf(wrong, sizeof(wrong), "a wrong password %d", k);
		q.password = span_of(wrong, (size_t)n);
		assert_int_equal(access_login(s.a, &q, logged_in, &got, 0, &i, &wait), 1);
		broker_work(&s.b);
		assert_int_equal(got, ERR_DENIED);
		if (k == 0) /* the same again is no guess, and costs no work */
			assert_int_equal(access_login(s.a, &q, logged_in, &got, 0, &i, &wait),
			                 ERR_DENIED);
	}
	q.password = SPAN("another wrong password");
	assert_int_equal(access_login(s.a, &q, logged_in, &got, 0, &i, &wait), ERR_SLOW);
	assert_true(wait >= 1);
	q.password = SPAN("a long password"); /* its owner is not locked out */
	assert_int_equal(access_login(s.a, &q, logged_in, &got, 0, &i, &wait), 0);
	scene_close(&s);
}

static void test_secret(void **state UNUSED)
{
	char hash[SECRET_HASH_BYTES], again[SECRET_HASH_BYTES], a[SECRET_KEY_BYTES],
	    b[SECRET_KEY_BYTES];
	assert_int_equal(secret_hash(SPAN("passw\303\266rd"), hash), 0);
	assert_int_equal(secret_hash(SPAN("passw\303\266rd"), again), 0);
	assert_string_not_equal(hash, again); /* salted */
	assert_true(secret_is(hash, SPAN("passw\303\266rd")));
	assert_false(secret_is(hash, SPAN("passw\303\266re")));
	assert_false(secret_is(hash, SPAN("")));
	assert_false(secret_is("", SPAN("")));
	assert_false(secret_is("scrypt:99:8:1:00:00", SPAN("")));
	/* RFC 7914, 12: the vector with N = 1024 has a salt of another length; ours is checked by
	 * the library's */
	secret_key_new(a);
	secret_key_new(b);
	assert_string_not_equal(a, b);
	assert_true(secret_looks_like_key(span_str(a)));
	secret_sha256_hex(SPAN("abc"), again); /* FIPS 180-2, B.1 */
	assert_string_equal(again,
	                    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_slow(void **state UNUSED)
{
	struct slow *s = slow_new((struct hash_key){1, 2});
	struct span home = SPAN("127.0.0.1"), far = SPAN("203.0.113.9"), name = SPAN("n");
	for (int i = 1; i < LIMIT_LOGIN_FAILURES; i++)
		slow_failed(s, home, name, 1000);
	assert_int_equal(slow_wait(s, home, name, 1000), 0);
	slow_failed(s, home, name, 1000);
	assert_int_equal(slow_wait(s, home, name, 1000), 1);
	assert_int_equal(slow_wait(s, home, name, 2000), 0);
	assert_int_equal(slow_wait(s, home, SPAN("other"), 1000), 0);
	assert_int_equal(slow_wait(s, far, name, 1000), 0);
	for (int i = 0; i < 20; i++)
		slow_failed(s, home, name, 3000);
	assert_int_equal(slow_wait(s, home, name, 3000), LIMIT_LOGIN_WAIT_S);
	slow_succeeded(s, home, name);
	assert_int_equal(slow_wait(s, home, name, 3000), 0);
	/* an address that tries many names; loopback, a proxy's, is not counted so */
	for (int i = 0; i < LIMIT_LOGIN_FAILURES_ADDRESS; i++) {
		char one[24];
		snprintf(one, sizeof(one), "name-%d", i);
		slow_failed(s, far, span_str(one), 5000);
		slow_failed(s, home, span_str(one), 5000);
	}
	assert_true(slow_wait(s, far, SPAN("new"), 5000) > 0);
	assert_int_equal(slow_wait(s, home, SPAN("new"), 5000), 0);
	slow_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_is_granted_at_first),
	    cmocka_unit_test(test_grants_by_thing_time_and_state),
	    cmocka_unit_test(test_an_end),
	    cmocka_unit_test(test_spending),
	    cmocka_unit_test(test_who_pays),
	    cmocka_unit_test(test_what_is_wrong_is_said),
	    cmocka_unit_test(test_two_changes_of_one_row),
	    cmocka_unit_test(test_password_login),
	    cmocka_unit_test(test_secret),
	    cmocka_unit_test(test_slow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
