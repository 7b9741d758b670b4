/* secret.c - see secret.h. OpenSSL does the work. */
#include "access/secret.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>

enum { SALT_BYTES = 16, HASH_BYTES = 32, BLOCK = 8, PARALLEL = 1, LOG_N_MAX = 20 };
static const char key_begin[] = "oudp_";

static void chance(void *p, size_t n)
{
	if (RAND_bytes(p, (int)n) != 1)
		fatal("The system gives no random bytes.");
}

static void to_hex(const uint8_t *p, size_t n, char *out)
{
	static const char digit[] = "0123456789abcdef";
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digit[p[i] >> 4];
		out[2 * i + 1] = digit[p[i] & 15];
	}
	out[2 * n] = '\0';
}

static bool from_hex(const char *s, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned v;
		if (sscanf(s + 2 * i, "%2x", &v) != 1)
			return false;
		out[i] = (uint8_t)v;
	}
	return s[2 * n] == '\0' || s[2 * n] == ':';
}

static int scrypt(struct span password, const uint8_t *salt, unsigned log_n, unsigned r, unsigned p,
                  uint8_t out[HASH_BYTES])
{
	uint64_t n = UINT64_C(1) << log_n, memory = 128 * n * r + (1 << 20);
	return EVP_PBE_scrypt(password.p ? password.p : "", password.n, salt, SALT_BYTES, n, r, p,
	                      memory, out, HASH_BYTES) == 1
	           ? 0
	           : -ENOMEM;
}

int secret_hash(struct span password, char out[SECRET_HASH_BYTES])
{
	uint8_t salt[SALT_BYTES], hash[HASH_BYTES];
	char salt_text[2 * SALT_BYTES + 1], hash_text[2 * HASH_BYTES + 1];
	chance(salt, sizeof(salt));
	int err = scrypt(password, salt, LIMIT_SCRYPT_LOG_N, BLOCK, PARALLEL, hash);
	if (err)
		return err;
	to_hex(salt, sizeof(salt), salt_text);
	to_hex(hash, sizeof(hash), hash_text);
	int n = snprintf(out, SECRET_HASH_BYTES, "scrypt:%d:%d:%d:%s:%s", LIMIT_SCRYPT_LOG_N, BLOCK,
	                 PARALLEL, salt_text, hash_text);
	assert(n > 0 && n < SECRET_HASH_BYTES);
	OPENSSL_cleanse(hash, sizeof(hash));
	return 0;
}

bool secret_is(const char *hash, struct span password)
{
	unsigned log_n, r, p;
	char salt_text[2 * SALT_BYTES + 1], hash_text[2 * HASH_BYTES + 1];
	uint8_t salt[SALT_BYTES], want[HASH_BYTES], got[HASH_BYTES];
	if (sscanf(hash, "scrypt:%2u:%2u:%2u:%32[0-9a-f]:%64[0-9a-f]", &log_n, &r, &p, salt_text,
	           hash_text) != 5 ||
	    log_n < 1 || log_n > LOG_N_MAX || r < 1 || p < 1 ||
	    !from_hex(salt_text, salt, sizeof(salt)) || !from_hex(hash_text, want, sizeof(want)))
		return false;
	bool same =
	    scrypt(password, salt, log_n, r, p, got) == 0 && secret_same(want, got, sizeof(want));
	OPENSSL_cleanse(got, sizeof(got));
	return same;
}

/* RFC 4648, section 5, without padding. */
static size_t base64url(const uint8_t *p, size_t n, char *out)
{
	int len = EVP_EncodeBlock((unsigned char *)out, p, (int)n);
	while (len && out[len - 1] == '=')
		len--;
	for (int i = 0; i < len; i++)
		out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
	out[len] = '\0';
	return (size_t)len;
}

void secret_key_new(char out[SECRET_KEY_BYTES])
{
	uint8_t bytes[32];
	char text[48];
	chance(bytes, sizeof(bytes));
	size_t n = base64url(bytes, sizeof(bytes), text);
	assert(sizeof(key_begin) + n == SECRET_KEY_BYTES);
	memcpy(out, key_begin, sizeof(key_begin) - 1);
	memcpy(out + sizeof(key_begin) - 1, text, n + 1);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	OPENSSL_cleanse(text, sizeof(text));
}

bool secret_looks_like_key(struct span s)
{
	return s.n == SECRET_KEY_BYTES - 1 && memcmp(s.p, key_begin, sizeof(key_begin) - 1) == 0;
}

void secret_sha256(struct span s, uint8_t out[32])
{
	SHA256((const unsigned char *)(s.n ? s.p : ""), s.n, out);
}

void secret_sha256_hex(struct span s, char out[SHA256_HEX_BYTES])
{
	uint8_t hash[32];
	secret_sha256(s, hash);
	to_hex(hash, sizeof(hash), out);
}

bool secret_same(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void secret_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}
