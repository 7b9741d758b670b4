/* jwt.h - a signed token (JWT, RFC 7519; JWS compact, RFC 7515): taken apart, and held against keys
 * and claims. Reading is pure and fuzzed; what verifies is OpenSSL.
 *
 * Taken: RS256, PS256 and ES256, and nothing else: not "none", no HMAC, no "crit". The key says
 * which algorithm it is for, not the token: an RSA key verifies RS256 or PS256 only, a P-256 key
 * ES256 only. Never sent on, never logged. */
#ifndef ACCESS_JWT_H
#define ACCESS_JWT_H

#include "base/compiler.h"
#include "base/span.h"

enum { JWT_TEXT_BYTES = 257 };
enum jwt_algorithm { JWT_RS256 = 1, JWT_PS256, JWT_ES256 };

struct jwt {
	enum jwt_algorithm algorithm;
	char key_id[JWT_TEXT_BYTES]; /* "": none named */
	char issuer[JWT_TEXT_BYTES];
	char subject[JWT_TEXT_BYTES];
	int64_t expires_s, not_before_s; /* not_before_s 0: not said */
	struct span claims;              /* JSON, for jwt_is_for(); in the caller's memory */
	struct span signed_part;         /* of the text */
	uint8_t signature[512];
	size_t signature_n;
};

/* base64url without padding (RFC 7515, 2), in its only form: the bits beyond the end are zero.
 * Returns the length or -1; out has room for 3/4 of s. */
int base64url_read(struct span s, uint8_t *out);

/* Whether this may be a token at all: three parts of base64url. */
bool jwt_looks_like(struct span text);
/* Reads text; mem (as large as text) takes its parts decoded. 0, or ERR_MALFORMED (with *ret_why, a
 * static text). exp, iss and sub must be there. Says nothing about who signed it. */
int jwt_read(struct span text, char *mem, struct jwt *ret, const char **ret_why) MUSTCHECK;
/* Whether audience is its aud, or among them. */
bool jwt_is_for(const struct jwt *t, const char *audience);

/* ---- keys: JWKS (RFC 7517) ---- */
struct jwks;
/* Keys that cannot verify what is taken (use "enc", another kty or alg, an RSA key under 2048 bits)
 * are passed over. 0; ERR_MALFORMED (no JWKS), ERR_NOT_FOUND (none of use), with *ret_why. */
int jwks_read(struct span json, struct jwks **ret, const char **ret_why) MUSTCHECK;
void jwks_free(struct jwks *k); /* accepts NULL */
unsigned jwks_count(const struct jwks *k);
/* Whether one of the keys has signed t: the one that it names; without a name any that fits. False
 * and *ret_unknown: it names a key that is not there. */
bool jwks_verify(const struct jwks *k, const struct jwt *t, bool *ret_unknown);

#endif
