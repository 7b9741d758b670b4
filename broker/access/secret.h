/* secret.h - passwords and keys: made, kept as hashes, compared in constant time. Pure but for
 * chance; any thread. */
#ifndef ACCESS_SECRET_H
#define ACCESS_SECRET_H

#include "base/compiler.h"
#include "base/span.h"

enum {
	SECRET_HASH_BYTES = 128, /* text of a hashed password, terminated */
	SECRET_KEY_BYTES = 49,   /* "oudp_" and 256 bits in base64url, terminated */
	SHA256_HEX_BYTES = 65
};

/* scrypt (RFC 7914) with a fresh salt: "scrypt:log2 N:r:p:salt:hash". Takes LIMIT_SCRYPT_LOG_N's
 * time and memory: not on the loop. 0 or -ENOMEM. */
int secret_hash(struct span password, char out[SECRET_HASH_BYTES]) MUSTCHECK;
/* Whether hash is of password, under the cost that stands in it. As slow. */
bool secret_is(const char *hash, struct span password);

void secret_key_new(char out[SECRET_KEY_BYTES]);
bool secret_looks_like_key(struct span s);
void secret_sha256(struct span s, uint8_t out[32]);
void secret_sha256_hex(struct span s, char out[SHA256_HEX_BYTES]);
bool secret_same(const void *a, const void *b, size_t n); /* in constant time */
void secret_wipe(void *p, size_t n);

#endif
