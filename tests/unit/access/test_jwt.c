/* base64url in its only form; an ES256 and an RS256 token of RFC 7515, appendix A; a key set's
 * keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "access/jwt.h"
#include "access/ticket.h"
#include "base/err.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

/* RFC 7515, A.2 and A.3: their claims have no sub, so that they are no tokens of ours; their keys
 * and signatures are held against each other all the same. */
static const char es_key[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
                             "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                             "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
static const char es_token[] =
    "eyJhbGciOiJFUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    "."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

static void test_base64url(void **state UNUSED)
{
	static const struct {
		const char *text;
		int n;
		const char *bytes;
	} cases[] = {
	    {"", 0, ""},        {"Zg", 1, "f"},         {"Zm8", 2, "fo"},
	    {"Zm9v", 3, "foo"}, {"-_8", 2, "\xfb\xff"}, {"Z", -1, NULL},
	    {"Zg==", -1, NULL}, {"Zh", -1, NULL},       {"+/8", -1, NULL},
	    {"Zm 9", -1, NULL}, {"Zm9", -1, NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t out[8];
		int n = base64url_read(span_str(cases[i].text), out);
		if (n != cases[i].n)
			fail_msg("%s: %d", cases[i].text, n);
		if (n > 0)
			assert_memory_equal(out, cases[i].bytes, (size_t)n);
	}
}

static int read_token(const char *text, struct jwt *ret, const char **why)
{
	static char mem[LIMIT_TOKEN_BYTES];
	return jwt_read(span_str(text), mem, ret, why);
}

static void test_rfc7515(void **state UNUSED)
{
	struct jwks *keys;
	struct jwt t;
	const char *why;
	bool unknown;
	assert_int_equal(jwks_read(span_str(es_key), &keys, &why), 0);
	assert_int_equal(read_token(es_token, &t, &why), ERR_MALFORMED);
	assert_string_equal(why, "it has no iss or no sub");
	assert_int_equal(t.algorithm, JWT_ES256);
	assert_true(jwks_verify(keys, &t, &unknown));
	t.signature[63] ^= 1;
	assert_false(jwks_verify(keys, &t, &unknown));
	assert_false(unknown);
	t.algorithm = JWT_RS256; /* the key says what it is for, not the token */
	assert_false(jwks_verify(keys, &t, &unknown));
	assert_true(unknown);
	jwks_free(keys);
}

static void test_keys_that_are_not_taken(void **state UNUSED)
{
	static const char *const sets[] = {
	    "{}",
	    "[]",
	    "{\"keys\":{}}",
	    "x",
	    "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
	    "1qS0gZH75\"}]}",
	    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", /* too short */
	    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}]}",
	    /* not on the curve */
	    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
	    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	    "\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}]}",
	    /* for another use */
	    "{\"keys\":[{\"kty\":\"EC\",\"use\":\"enc\",\"crv\":\"P-256\","
	    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}",
	    "{\"keys\":[{\"kty\":\"EC\",\"alg\":\"ES384\",\"crv\":\"P-256\","
	    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}",
	};
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct jwks *keys;
		const char *why = NULL;
		int err = jwks_read(span_str(sets[i]), &keys, &why);
		if (!err || !why)
			fail_msg("taken: %s", sets[i]);
	}
}

static void test_tickets(void **state UNUSED)
{
	struct tickets *t = tickets_new(&ticket_rule);
	struct identity who = {.name = SPAN("x")}, got;
	char one[TICKET_BYTES], other[TICKET_BYTES];
	assert_int_equal(ticket_new(t, &who, 1000, one), 0);
	assert_int_equal(ticket_new(t, &who, 1000, other), 0);
	assert_int_equal(strlen(one), TICKET_BYTES - 1);
	assert_true(ticket_take(t, span_str(one), 2000, &got));
	assert_true(span_is(got.name, "x"));
	assert_false(ticket_take(t, span_str(one), 2000, &got)); /* once */
	assert_false(ticket_take(t, span_str(other), 1000 + LIMIT_TICKET_S * 1000, &got));
	for (int i = 0; i < LIMIT_TICKETS_EACH; i++)
		assert_int_equal(ticket_new(t, &who, 1000000, one), 0);
	assert_int_equal(ticket_new(t, &who, 1000000, one), ERR_AGAIN);
	assert_int_equal(ticket_new(t, &who, 2000000, one), 0);
	tickets_free(t);

	t = tickets_new(&signin_rule); /* of a browser: as often as it likes, until it is ended */
	assert_int_equal(ticket_new(t, &who, 1000, one), 0);
	assert_false(ticket_looks_like(span_str(one)));
	for (int i = 0; i < 3; i++)
		assert_true(ticket_take(t, span_str(one), 2000, &got));
	assert_false(ticket_take(t, span_str(other), 2000, &got));
	assert_false(ticket_take(t, span_str(one), 1000 + LIMIT_SIGNIN_S * 1000LL, &got));
	assert_int_equal(ticket_new(t, &who, 1000, one), 0);
	ticket_end(t, span_str(one));
	ticket_end(t, span_str(other));
	assert_false(ticket_take(t, span_str(one), 2000, &got));
	tickets_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_base64url),
	    cmocka_unit_test(test_rfc7515),
	    cmocka_unit_test(test_keys_that_are_not_taken),
	    cmocka_unit_test(test_tickets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
