/* tls.h - what a tls block of the configuration says, as OpenSSL wants it: certificate, key, who
 * signs clients, who is revoked; and the one policy that all listeners have. net/ and web/ bring
 * the bytes; this file knows no socket.
 *
 * The policy is NCSC-NL 2025-05, good and sufficient: TLS 1.2 and 1.3, ECDHE with AES-GCM or
 * ChaCha20, X25519, P-256, P-384, no renegotiation, no compression, no early data. Tickets are
 * sealed with keys of our own that live LIMIT_TLS_TICKET_KEY_S and are forgotten after twice that.
 *
 * A struct tls serves any number of SSL_CTX: tls_serve() puts it into one, and whatever is loaded
 * later goes into the same contexts in place. A connection keeps the certificate that it began
 * with. When the revocations change, tickets of before are not taken any more: a resumption does
 * not look at them. Loop thread only. */
#ifndef ACCESS_TLS_H
#define ACCESS_TLS_H

#include "config/config.h"

struct ssl_ctx_st;
struct ssl_st;
struct tls;
struct tls_set; /* all tls blocks that listeners name */

/* Reads the files of every block; all that is wrong goes to why, a line each: "tls "city": ...".
 * Certificates are judged at now_s (seconds since 1970): expired ones are an error. */
int tls_set_new(const struct config *c, int64_t now_s, struct tls_set **ret,
                struct buf *why) MUSTCHECK;
void tls_set_free(struct tls_set *s);                            /* accepts NULL */
struct tls *tls_find(const struct tls_set *s, const char *name); /* NULL: no such block */

/* Policy and certificate into ctx, which must live as long as the set. */
int tls_serve(struct tls *t, struct ssl_ctx_st *ctx) MUSTCHECK;
struct ssl_ctx_st *tls_context_new(struct tls *t); /* for SSL_CTX_free(); NULL: no memory */

/* A reload: everything is read from what c says now, and taken into force when all of it is good.
 * ERR_CONFIG: nothing has changed. */
int tls_set_reload(struct tls_set *s, const struct config *c, int64_t now_s,
                   struct buf *why) MUSTCHECK;
/* Looks whether files have changed and takes them; call now and then. Blocks that cannot be taken
 * stay as they were, and are tried again when they change once more. 1: something was taken, 0:
 * nothing, ERR_CONFIG: why says which; never twice the same. */
int tls_set_look(struct tls_set *s, int64_t now_s, struct buf *why) MUSTCHECK;
void tls_set_tick(struct tls_set *s, int64_t now_s); /* once a second: ticket keys */

/* What the status says: certificate number i, until n. */
struct tls_facts {
	const char *name;
	int64_t not_after_s; /* of the certificate */
	uint64_t handshakes; /* begun */
};
unsigned tls_count(const struct tls_set *s);
struct tls_facts tls_facts(const struct tls_set *s, unsigned i);

/* Calls each() with every name of the client's verified certificate, "DNS:...", "URI:...",
 * "email:..." of its subjectAltName and "subject:..." (RFC 2253), until it returns non-zero, which
 * is returned. 0 when there is no certificate. Names with a zero byte or over
 * LIMIT_CERTIFICATE_NAME_BYTES are left out. ssl NULL: no certificate. */
int tls_client_names(const struct ssl_st *ssl, int (*each)(void *arg, struct span name), void *arg);
int64_t tls_client_not_after_s(const struct ssl_st *ssl); /* 0: there is no certificate */

#endif
