/* tls_files.h - the PEM files of one tls block, read and judged. Used by tls.c only. */
#ifndef ACCESS_TLS_FILES_H
#define ACCESS_TLS_FILES_H

#include "access/tls.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

/* How four files looked: a change shows as another time, size or inode. */
struct tls_stamp {
	struct {
		int64_t ns;
		uint64_t size, inode;
	} file[4]; /* certificate, key, client-ca, crl; zero: absent */
};

struct tls_files {
	struct config_tls from; /* copies of the paths */
	struct tls_stamp stamp; /* taken before reading */
	X509 *certificate;      /* NULL: nothing is loaded */
	STACK_OF(X509) * chain;
	EVP_PKEY *key;
	X509_STORE *clients; /* NULL: clients are not asked for a certificate */
	STACK_OF(X509_NAME) * client_names;
	int64_t not_after_s;
};

/* 0, or ERR_CONFIG with a line for each thing that is wrong; *ret stays as it was then. */
int tls_files_load(const struct config_tls *c, int64_t now_s, struct tls_files *ret,
                   struct buf *why) MUSTCHECK;
void tls_files_done(struct tls_files *f); /* accepts a zeroed one */
/* Who signs clients and who is revoked, for connections that begin from now on. */
int tls_files_apply(const struct tls_files *f, SSL_CTX *ctx) MUSTCHECK;
/* Certificate and key, for one connection: a context cannot be rid of a former key of another
 * type. */
int tls_files_use(const struct tls_files *f, SSL *ssl) MUSTCHECK;

struct tls_stamp tls_stamp_of(const struct config_tls *c);
bool tls_stamp_same(const struct tls_stamp *a, const struct tls_stamp *b);
bool tls_stamp_same_clients(const struct tls_stamp *a, const struct tls_stamp *b);

#endif
