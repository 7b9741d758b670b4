/* Tokens, key sets and tickets as a stranger may send them. What was read stays within its bounds;
 * what is signed by nobody is verified by no key. */
#include "access/jwt.h"
#include "access/ticket.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void try_keys(struct span text, const struct jwt *t)
{
	struct jwks *keys;
	const char *why = NULL;
	bool unknown;
	if (jwks_read(text, &keys, &why)) {
		assert(why);
		return;
	}
	assert(jwks_count(keys) >= 1 && jwks_count(keys) <= LIMIT_JWKS_KEYS);
	if (t)
		(void)jwks_verify(keys, t, &unknown);
	jwks_free(keys);
}

/* The token, a line end, a key set: either may be left out. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *p = (const char *)data, *nl = n ? memchr(p, '\n', n) : NULL;
	struct span token = span_of(p, nl ? (size_t)(nl - p) : n);
	struct jwt t;
	const char *why = NULL;
	struct identity who;
	char *mem = malloc(token.n + 1);
	if (!mem)
		return 0;
	int err = jwt_read(token, mem, &t, &why);
	assert(!err == !why);
	if (!err) {
		assert(jwt_looks_like(token) && t.algorithm && t.expires_s > 0);
		assert(strlen(t.issuer) < JWT_TEXT_BYTES && strlen(t.subject) < JWT_TEXT_BYTES);
		assert(t.signature_n <= sizeof(t.signature) && t.signed_part.n < token.n);
		(void)jwt_is_for(&t, "oudp");
	}
	if (nl)
		try_keys(span_of(nl + 1, n - token.n - 1), err ? NULL : &t);
	struct tickets *tickets = tickets_new(&ticket_rule);
	bool taken = ticket_take(tickets, token, 1, &who);
	assert(!taken); /* none was given out */
	tickets_free(tickets);
	free(mem);
	return 0;
}
