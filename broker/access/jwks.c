/* jwks.c - keys of an issuer, and signatures held against them; see jwt.h. */
#include "access/jwt.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "json/json.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 4096, NUMBER_BYTES = 1024, RSA_BITS_MIN = 2048, EC_BYTES = 32 };

struct key {
	char id[JWT_TEXT_BYTES];
	enum jwt_algorithm only; /* 0: any of its kind */
	bool rsa;
	EVP_PKEY *key;
};

struct jwks {
	unsigned n;
	struct key keys[LIMIT_JWKS_KEYS];
};

void jwks_free(struct jwks *k)
{
	for (unsigned i = 0; k && i < k->n; i++)
		EVP_PKEY_free(k->keys[i].key);
	free(k);
}

unsigned jwks_count(const struct jwks *k)
{
	return k ? k->n : 0;
}

/* ---- reading ---- */

static bool text_of(const struct json_tape *t, uint32_t object, const char *name,
                    char out[JWT_TEXT_BYTES])
{
	uint32_t i = json_member(t, object, span_str(name));
	out[0] = '\0';
	if (!i || t->tok[i].type != JSON_STRING || t->tok[i].len >= JWT_TEXT_BYTES)
		return false;
	out[json_unescape(json_text(t, i), out)] = '\0';
	return true;
}

/* Its length, 0 when it is not there or no number of bytes. */
static size_t bytes_of(const struct json_tape *t, uint32_t object, const char *name,
                       uint8_t out[NUMBER_BYTES])
{
	uint32_t i = json_member(t, object, span_str(name));
	if (!i || t->tok[i].type != JSON_STRING || t->tok[i].len * 3 / 4 > NUMBER_BYTES)
		return 0;
	int n = base64url_read(json_text(t, i), out);
	return n > 0 ? (size_t)n : 0;
}

static EVP_PKEY *make(const char *type, OSSL_PARAM_BLD *b)
{
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
	if (!c || !params || EVP_PKEY_fromdata_init(c) != 1 ||
	    EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(c);
	return key;
}

static EVP_PKEY *rsa_key(const struct json_tape *t, uint32_t object)
{
	uint8_t n[NUMBER_BYTES], e[NUMBER_BYTES];
	size_t n_n = bytes_of(t, object, "n", n), e_n = bytes_of(t, object, "e", e);
	EVP_PKEY *key = NULL;
	if (!n_n || !e_n || e_n > 8)
		return NULL;
	BIGNUM *bn = BN_bin2bn(n, (int)n_n, NULL), *be = BN_bin2bn(e, (int)e_n, NULL);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	if (bn && be && b && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, bn) &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, be))
		key = make("RSA", b);
	OSSL_PARAM_BLD_free(b);
	BN_free(bn);
	BN_free(be);
	if (key && EVP_PKEY_get_bits(key) < RSA_BITS_MIN) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

static EVP_PKEY *ec_key(const struct json_tape *t, uint32_t object)
{
	uint8_t x[NUMBER_BYTES], y[NUMBER_BYTES], point[1 + 2 * EC_BYTES] = {4};
	char curve[JWT_TEXT_BYTES];
	EVP_PKEY *key = NULL;
	if (!text_of(t, object, "crv", curve) || strcmp(curve, "P-256") ||
	    bytes_of(t, object, "x", x) != EC_BYTES || bytes_of(t, object, "y", y) != EC_BYTES)
		return NULL;
	memcpy(point + 1, x, EC_BYTES);
	memcpy(point + 1 + EC_BYTES, y, EC_BYTES);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	if (b && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
	    OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)))
		key = make("EC", b); /* refuses a point that is not on the curve */
	OSSL_PARAM_BLD_free(b);
	return key;
}

static void take(struct jwks *k, const struct json_tape *t, uint32_t object)
{
	char kind[JWT_TEXT_BYTES], use[JWT_TEXT_BYTES], alg[JWT_TEXT_BYTES];
	struct key *key = &k->keys[k->n];
	if (k->n == LIMIT_JWKS_KEYS || t->tok[object].type != JSON_OBJECT ||
	    (t->tok[object].flags & JSON_DUPLICATE) || !text_of(t, object, "kty", kind) ||
	    (text_of(t, object, "use", use) && strcmp(use, "sig")))
		return;
	*key = (struct key){.rsa = strcmp(kind, "RSA") == 0};
	if (text_of(t, object, "alg", alg))
		key->only = strcmp(alg, "RS256") == 0   ? JWT_RS256
		            : strcmp(alg, "PS256") == 0 ? JWT_PS256
		            : strcmp(alg, "ES256") == 0 ? JWT_ES256
		                                        : 0;
	if (*alg && (!key->only || key->rsa != (key->only != JWT_ES256)))
		return; /* for an algorithm that is not taken */
	text_of(t, object, "kid", key->id);
	key->key = key->rsa                  ? rsa_key(t, object)
	           : strcmp(kind, "EC") == 0 ? ec_key(t, object)
	                                     : NULL;
	k->n += key->key != NULL;
}

int jwks_read(struct span json, struct jwks **ret, const char **ret_why)
{
	struct json_tape t;
	size_t at;
	int err = ERR_MALFORMED;
	struct jwks *k = xcalloc(1, sizeof(*k));
	json_tape_init(&t, TOKENS);
	uint32_t keys = json_parse(&t, json, &at, ret_why) == 0 && t.tok[0].type == JSON_OBJECT
	                    ? json_member(&t, 0, SPAN("keys"))
	                    : 0;
	*ret_why = "it is no JSON Web Key Set";
	if (keys && t.tok[keys].type == JSON_ARRAY) {
		for (uint32_t e = keys + 1, n = 0; n < t.tok[keys].size; n++, e = t.tok[e].next)
			take(k, &t, e);
		*ret_why = "it has no key for RS256, PS256 or ES256 of enough bits";
		err = k->n ? 0 : ERR_NOT_FOUND;
	}
	json_tape_done(&t);
	ERR_clear_error();
	if (err)
		jwks_free(k);
	else
		*ret = k;
	return err;
}

/* ---- verifying ---- */

/* r and s of 32 bytes each (RFC 7518, 3.4) as OpenSSL wants them. Length, or 0. */
static size_t to_der(const uint8_t *p, size_t n, uint8_t out[128])
{
	ECDSA_SIG *s = ECDSA_SIG_new();
	unsigned char *at = out;
	if (!s || n != 2 * EC_BYTES ||
	    !ECDSA_SIG_set0(s, BN_bin2bn(p, EC_BYTES, NULL),
	                    BN_bin2bn(p + EC_BYTES, EC_BYTES, NULL))) {
		ECDSA_SIG_free(s);
		return 0;
	}
	int len = i2d_ECDSA_SIG(s, &at);
	ECDSA_SIG_free(s);
	return len > 0 ? (size_t)len : 0;
}

static bool verify(const struct key *k, const struct jwt *t)
{
	uint8_t der[128];
	const uint8_t *signature = t->signature;
	size_t n = t->signature_n;
	if (t->algorithm == JWT_ES256) {
		n = to_der(signature, n, der);
		signature = der;
	}
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *p = NULL;
	bool good = c && n && EVP_DigestVerifyInit(c, &p, EVP_sha256(), NULL, k->key) == 1;
	if (good && t->algorithm == JWT_PS256) /* RFC 7518, 3.5: the salt is as long as the hash */
		good = EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) == 1;
	good = good && EVP_DigestVerify(c, signature, n, (const uint8_t *)t->signed_part.p,
	                                t->signed_part.n) == 1;
	EVP_MD_CTX_free(c);
	ERR_clear_error();
	return good;
}

bool jwks_verify(const struct jwks *k, const struct jwt *t, bool *ret_unknown)
{
	bool tried = false, good = false;
	for (unsigned i = 0; i < k->n && !good; i++) {
		const struct key *key = &k->keys[i];
		if (key->rsa != (t->algorithm != JWT_ES256) ||
		    (key->only && key->only != t->algorithm) ||
		    (*t->key_id && strcmp(t->key_id, key->id)))
			continue;
		tried = true;
		good = verify(key, t);
	}
	*ret_unknown = !tried;
	return good;
}
