/* tls.c - see tls.h: the policy, the contexts, and what a reload does. The files are tls_files.c's.
 */
#include "access/tls.h"

#include "access/tls_files.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXTS = LIMIT_LISTENERS, DAY_S = 86400 };

struct ticket_key {
	unsigned char name[16], cipher[32], mac[32];
	int64_t made_s; /* 0: none */
};

struct tls {
	char *name;
	struct tls_files files; /* in force */
	struct tls_stamp tried; /* of the files that were refused last */
	SSL_CTX *contexts[CONTEXTS];
	unsigned n_contexts;
	struct ticket_key keys[2]; /* the one that seals, and the one before it */
	uint64_t handshakes;
	int64_t warned_s;
};

struct tls_set {
	struct tls *all[LIMIT_LISTENERS];
	unsigned n;
	int64_t looked_s;
};

/* ---- policy ---- */

static const char suites_13[] =
    "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
static const char suites_12[] =
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256";
static const char groups[] = "X25519:P-256:P-384";
static const char signatures[] =
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
    "RSA+SHA256:RSA+SHA384:RSA+SHA512";

/* ---- ticket keys ---- */

static void new_ticket_key(struct tls *t, int64_t now_s, bool forget)
{
	if (forget)
		OPENSSL_cleanse(t->keys, sizeof(t->keys));
	t->keys[1] = t->keys[0];
	struct ticket_key *k = &t->keys[0];
	if (RAND_bytes(k->name, sizeof(k->name)) != 1 ||
	    RAND_bytes(k->cipher, sizeof(k->cipher)) != 1 ||
	    RAND_bytes(k->mac, sizeof(k->mac)) != 1)
		fatal("no random bytes for TLS ticket keys");
	k->made_s = now_s ? now_s : 1;
}

/* OpenSSL's contract: 1 sealed or opened, 2 opened but give a new one, 0 not ours: a full
 * handshake, -1 failed. */
static int ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac, int seal)
{
	struct tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct ticket_key *k = &t->keys[0];
	if (seal) {
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			return -1;
		memcpy(name, k->name, sizeof(k->name));
	} else {
		unsigned i = 0;
		while (i < 2 && (!t->keys[i].made_s || CRYPTO_memcmp(name, t->keys[i].name, 16)))
			i++;
		if (i == 2)
			return 0;
		k = &t->keys[i];
	}
	OSSL_PARAM p[] = {
	    OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k->mac, sizeof(k->mac)),
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
	    OSSL_PARAM_construct_end()};
	if (EVP_MAC_CTX_set_params(mac, p) != 1 ||
	    EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv, seal) != 1)
		return -1;
	/* Clients use a ticket of 1.3 once (RFC 8446, C.4): without a new one each second handshake
	 * would be a full one. Where certificates of clients are looked at, a chain of tickets must
	 * not outlast them, so that the next look is two hours away at most. */
	bool renew = k != &t->keys[0] || SSL_version(ssl) == TLS1_3_VERSION;
	return !seal && renew && !t->files.from.client_ca ? 2 : 1;
}

/* ---- contexts ---- */

static void count_handshake(const SSL *ssl, int where, int ret UNUSED)
{
	if (where & SSL_CB_HANDSHAKE_START)
		((struct tls *)SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->handshakes++;
}

static int give_certificate(SSL *ssl, void *arg)
{
	return tls_files_use(&((struct tls *)arg)->files, ssl) == 0;
}

int tls_serve(struct tls *t, SSL_CTX *ctx)
{
	if (t->n_contexts == CONTEXTS)
		return ERR_TOO_LARGE;
	SSL_CTX_set_app_data(ctx, t);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	                             SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets need no memory */
	SSL_CTX_set_timeout(ctx, LIMIT_TLS_TICKET_KEY_S);
	SSL_CTX_set_info_callback(ctx, count_handshake);
	SSL_CTX_set_cert_cb(ctx, give_certificate, t);
	bool good = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	            SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	            SSL_CTX_set_ciphersuites(ctx, suites_13) == 1 &&
	            SSL_CTX_set_cipher_list(ctx, suites_12) == 1 &&
	            SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
	            SSL_CTX_set1_sigalgs_list(ctx, signatures) == 1 &&
	            SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
	            SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
	            SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"oudpd", 5) == 1 &&
	            SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket) == 1;
	if (!good || tls_files_apply(&t->files, ctx))
		return ERR_CONFIG;
	t->contexts[t->n_contexts++] = ctx;
	return 0;
}

SSL_CTX *tls_context_new(struct tls *t)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	if (ctx && tls_serve(t, ctx)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

/* ---- the set ---- */

int tls_set_new(const struct config *c, int64_t now_s, struct tls_set **ret, struct buf *why)
{
	struct tls_set *s = xcalloc(1, sizeof(*s));
	int err = 0;
	for (size_t i = 0; i < c->n_tls; i++) {
		struct tls *t = xcalloc(1, sizeof(*t));
		assert(s->n < LIMIT_LISTENERS);
		s->all[s->n++] = t;
		t->name = xstrdup(c->tls[i].name);
		new_ticket_key(t, now_s, true);
		if (tls_files_load(&c->tls[i], now_s, &t->files, why))
			err = ERR_CONFIG;
	}
	if (err) {
		tls_set_free(s);
		return err;
	}
	s->looked_s = now_s;
	*ret = s;
	return 0;
}

void tls_set_free(struct tls_set *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->n; i++) {
		tls_files_done(&s->all[i]->files);
		OPENSSL_cleanse(s->all[i]->keys, sizeof(s->all[i]->keys));
		free(s->all[i]->name);
		free(s->all[i]);
	}
	free(s);
}

struct tls *tls_find(const struct tls_set *s, const char *name)
{
	for (unsigned i = 0; s && i < s->n; i++)
		if (strcmp(s->all[i]->name, name) == 0)
			return s->all[i];
	return NULL;
}

/* Takes over the files. */
static void take(struct tls *t, struct tls_files *files, int64_t now_s)
{
	bool revocations = !tls_stamp_same_clients(&t->files.stamp, &files->stamp);
	for (unsigned i = 0; i < t->n_contexts; i++)
		if (tls_files_apply(files, t->contexts[i]))
			fatal("tls \"%s\": what was read could not be taken into force", t->name);
	tls_files_done(&t->files);
	t->files = *files;
	t->warned_s = 0;
	if (revocations)
		new_ticket_key(t, now_s, true);
}

int tls_set_reload(struct tls_set *s, const struct config *c, int64_t now_s, struct buf *why)
{
	struct tls_files *now = xcalloc(s->n + 1, sizeof(*now));
	int err = 0;
	for (unsigned i = 0; i < s->n; i++) {
		const struct config_tls *ct = config_tls_find(c, s->all[i]->name);
		if (ct && tls_files_load(ct, now_s, &now[i], why))
			err = ERR_CONFIG;
	}
	for (unsigned i = 0; i < s->n; i++) {
		if (!err && now[i].certificate)
			take(s->all[i], &now[i], now_s);
		else
			tls_files_done(&now[i]);
	}
	free(now);
	return err;
}

int tls_set_look(struct tls_set *s, int64_t now_s, struct buf *why)
{
	int result = 0;
	if (now_s >= s->looked_s && now_s < s->looked_s + LIMIT_TLS_LOOK_S)
		return 0;
	s->looked_s = now_s;
	for (unsigned i = 0; i < s->n; i++) {
		struct tls *t = s->all[i];
		struct tls_stamp stamp = tls_stamp_of(&t->files.from);
		if (tls_stamp_same(&stamp, &t->files.stamp) || tls_stamp_same(&stamp, &t->tried))
			continue;
		struct tls_files files = {0};
		if (tls_files_load(&t->files.from, now_s, &files, why)) {
			t->tried = stamp;
			result = ERR_CONFIG;
		} else {
			take(t, &files, now_s);
			result = result ? result : 1;
		}
	}
	return result;
}

void tls_set_tick(struct tls_set *s, int64_t now_s)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct tls *t = s->all[i];
		if (now_s - t->keys[0].made_s >= LIMIT_TLS_TICKET_KEY_S)
			new_ticket_key(t, now_s, false);
		int64_t left_s = t->files.not_after_s - now_s;
		if (left_s < (int64_t)LIMIT_TLS_WARN_DAYS * DAY_S && now_s >= t->warned_s + DAY_S) {
			t->warned_s = now_s;
			if (left_s > 0)
				log_warn("A certificate ends soon: put a new one in its place. "
				         "tls=%s days=%lld",
				         t->name, (long long)(left_s / DAY_S));
			else
				log_error("A certificate has expired: clients refuse it. tls=%s",
				          t->name);
		}
	}
}

unsigned tls_count(const struct tls_set *s)
{
	return s ? s->n : 0;
}

struct tls_facts tls_facts(const struct tls_set *s, unsigned i)
{
	assert(i < s->n);
	return (struct tls_facts){.name = s->all[i]->name,
	                          .not_after_s = s->all[i]->files.not_after_s,
	                          .handshakes = s->all[i]->handshakes};
}
