/* tls_files.c - see tls_files.h. Every sentence says which file and what to do about it. */
#include "access/tls_files.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ERROR_BYTES = 256, RSA_BITS_MIN = 2048, EC_BITS_MIN = 256 };

/* ---- stamps ---- */

struct tls_stamp tls_stamp_of(const struct config_tls *c)
{
	const char *paths[4] = {c->certificate, c->key, c->client_ca, c->crl};
	struct tls_stamp s = {0};
	for (unsigned i = 0; i < 4; i++) {
		struct stat st;
		if (!paths[i] || stat(paths[i], &st))
			continue;
		s.file[i].ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
		s.file[i].size = (uint64_t)st.st_size;
		s.file[i].inode = st.st_ino;
	}
	return s;
}

static bool same(const struct tls_stamp *a, const struct tls_stamp *b, unsigned from)
{
	for (unsigned i = from; i < 4; i++)
		if (a->file[i].ns != b->file[i].ns || a->file[i].size != b->file[i].size ||
		    a->file[i].inode != b->file[i].inode)
			return false;
	return true;
}

bool tls_stamp_same(const struct tls_stamp *a, const struct tls_stamp *b)
{
	return same(a, b, 0);
}

bool tls_stamp_same_clients(const struct tls_stamp *a, const struct tls_stamp *b)
{
	return same(a, b, 2);
}

/* ---- reading ---- */

struct reading {
	const struct config_tls *c;
	struct buf *why;
	bool bad;
};

static void bad(struct reading *r, const char *option, const char *path, const char *fmt, ...)
    PRINTF(4, 5);
static void bad(struct reading *r, const char *option, const char *path, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_addf(r->why, "tls \"%s\": %s %s: %s\n", r->c->name, option, path, text);
	r->bad = true;
	ERR_clear_error();
}

/* The file, or NULL after a sentence. */
static BIO *open_file(struct reading *r, const char *option, const char *path)
{
	struct stat st;
	if (stat(path, &st) == 0 && st.st_size > LIMIT_TLS_FILE_BYTES) {
		bad(r, option, path, "is larger than %d bytes", LIMIT_TLS_FILE_BYTES);
		return NULL;
	}
	errno = 0;
	BIO *b = BIO_new_file(path, "re");
	if (!b)
		bad(r, option, path, "cannot be read: %s; oudpd's user must be able to",
		    strerror(errno ? errno : EIO));
	return b;
}

/* No dialogue on a terminal: a key with a passphrase is refused in words. */
static int no_passphrase(char *out UNUSED, int size UNUSED, int write UNUSED, void *arg)
{
	*(bool *)arg = true;
	return -1;
}

static void read_certificate(struct reading *r, struct tls_files *f)
{
	BIO *b = open_file(r, "certificate", r->c->certificate);
	if (!b)
		return;
	f->certificate = PEM_read_bio_X509(b, NULL, NULL, NULL);
	f->chain = sk_X509_new_null();
	X509 *next;
	if (!f->certificate)
		bad(r, "certificate", r->c->certificate, "holds no certificate in PEM");
	while (f->certificate && (next = PEM_read_bio_X509(b, NULL, NULL, NULL)))
		if (sk_X509_num(f->chain) >= LIMIT_TLS_CHAIN || !sk_X509_push(f->chain, next)) {
			X509_free(next);
			bad(r, "certificate", r->c->certificate,
			    "more than %d certificates in the chain", LIMIT_TLS_CHAIN);
			break;
		}
	ERR_clear_error(); /* the end of the file is one */
	BIO_free(b);
}

static void read_key(struct reading *r, struct tls_files *f)
{
	bool locked = false;
	BIO *b = open_file(r, "key", r->c->key);
	if (!b)
		return;
	f->key = PEM_read_bio_PrivateKey(b, NULL, no_passphrase, &locked);
	BIO_free(b);
	if (!f->key)
		bad(r, "key", r->c->key, "%s",
		    locked ? "has a passphrase, which nobody can type; write it without"
		           : "holds no private key in PEM");
}

static void judge_key(struct reading *r, const struct tls_files *f)
{
	int bits = EVP_PKEY_get_bits(f->key);
	if (X509_check_private_key(f->certificate, f->key) != 1)
		bad(r, "key", r->c->key, "does not belong to the certificate %s",
		    r->c->certificate);
	else if (EVP_PKEY_is_a(f->key, "RSA") && bits < RSA_BITS_MIN)
		bad(r, "key", r->c->key, "RSA with %d bits is too weak; make one of 3072", bits);
	else if (EVP_PKEY_is_a(f->key, "EC") && bits < EC_BITS_MIN)
		bad(r, "key", r->c->key, "a curve of %d bits is too weak; take P-256 or P-384",
		    bits);
	ERR_clear_error();
}

/* since 1970 */
static int64_t tls_seconds_of(const ASN1_TIME *t)
{
	struct tm tm;
	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void judge_time(struct reading *r, struct tls_files *f, int64_t now_s)
{
	int64_t from = tls_seconds_of(X509_get0_notBefore(f->certificate));
	f->not_after_s = tls_seconds_of(X509_get0_notAfter(f->certificate));
	if (f->not_after_s <= now_s)
		bad(r, "certificate", r->c->certificate, "has expired %lld days ago; get a new one",
		    (long long)((now_s - f->not_after_s) / 86400));
	else if (from > now_s)
		bad(r, "certificate", r->c->certificate,
		    "is not valid before %lld days from now; is the clock right?",
		    (long long)((from - now_s) / 86400 + 1));
}

/* Who signs clients: every certificate of the file into the store, and their names for the clients
 * that pick a certificate by them. */
static void read_clients(struct reading *r, struct tls_files *f)
{
	unsigned n = 0;
	BIO *b = open_file(r, "client-ca", r->c->client_ca);
	if (!b)
		return;
	f->clients = X509_STORE_new();
	f->client_names = sk_X509_NAME_new_null();
	for (X509 *x; (x = PEM_read_bio_X509(b, NULL, NULL, NULL)); n++) {
		X509_NAME *name = X509_NAME_dup(X509_get_subject_name(x));
		if (!name || !sk_X509_NAME_push(f->client_names, name))
			X509_NAME_free(name);
		if (X509_STORE_add_cert(f->clients, x) != 1)
			bad(r, "client-ca", r->c->client_ca, "certificate %u cannot be used",
			    n + 1);
		X509_free(x);
	}
	ERR_clear_error();
	BIO_free(b);
	if (!n)
		bad(r, "client-ca", r->c->client_ca, "holds no certificate in PEM");
}

/* With a list of revocations a client is refused when its issuer's list is missing or stale: what
 * cannot be looked up is not trusted. */
static void read_revoked(struct reading *r, struct tls_files *f, int64_t now_s)
{
	unsigned n = 0;
	BIO *b = open_file(r, "crl", r->c->crl);
	if (!b)
		return;
	for (X509_CRL *x; (x = PEM_read_bio_X509_CRL(b, NULL, NULL, NULL)); n++) {
		const ASN1_TIME *next = X509_CRL_get0_nextUpdate(x);
		if (next && tls_seconds_of(next) <= now_s)
			bad(r, "crl", r->c->crl, "is stale: it had to be renewed %lld days ago",
			    (long long)((now_s - tls_seconds_of(next)) / 86400));
		if (X509_STORE_add_crl(f->clients, x) != 1)
			bad(r, "crl", r->c->crl, "list %u cannot be used", n + 1);
		X509_CRL_free(x);
	}
	ERR_clear_error();
	BIO_free(b);
	if (!n)
		bad(r, "crl", r->c->crl, "holds no list of revocations in PEM");
	X509_STORE_set_flags(f->clients, X509_V_FLAG_CRL_CHECK);
}

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

int tls_files_load(const struct config_tls *c, int64_t now_s, struct tls_files *ret,
                   struct buf *why)
{
	struct tls_files f = {.stamp = tls_stamp_of(c)};
	f.from = (struct config_tls){copy(c->name), copy(c->certificate), copy(c->key),
	                             copy(c->client_ca), copy(c->crl)};
	struct reading r = {.c = &f.from, .why = why};
	read_certificate(&r, &f);
	read_key(&r, &f);
	if (f.certificate && f.key)
		judge_key(&r, &f);
	if (f.certificate)
		judge_time(&r, &f, now_s);
	if (c->client_ca)
		read_clients(&r, &f);
	if (c->crl && f.clients)
		read_revoked(&r, &f, now_s);
	if (r.bad) {
		tls_files_done(&f);
		return ERR_CONFIG;
	}
	*ret = f;
	return 0;
}

void tls_files_done(struct tls_files *f)
{
	X509_free(f->certificate);
	sk_X509_pop_free(f->chain, X509_free);
	EVP_PKEY_free(f->key);
	X509_STORE_free(f->clients);
	sk_X509_NAME_pop_free(f->client_names, X509_NAME_free);
	free(f->from.name);
	free(f->from.certificate);
	free(f->from.key);
	free(f->from.client_ca);
	free(f->from.crl);
	memset(f, 0, sizeof(*f));
}

int tls_files_use(const struct tls_files *f, SSL *ssl)
{
	return SSL_use_cert_and_key(ssl, f->certificate, f->key, f->chain, 1) == 1 ? 0 : ERR_CONFIG;
}

int tls_files_apply(const struct tls_files *f, SSL_CTX *ctx)
{
	X509_STORE *clients = f->clients ? f->clients : X509_STORE_new();
	bool good = clients && SSL_CTX_set1_verify_cert_store(ctx, clients) == 1;
	if (!f->clients)
		X509_STORE_free(clients);
	if (f->clients) {
		SSL_CTX_set_client_CA_list(ctx, SSL_dup_CA_list(f->client_names));
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	} else {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	}
	ERR_clear_error();
	return good ? 0 : ERR_CONFIG;
}

/* ---- names of clients ---- */

static int give(int (*each)(void *arg, struct span name), void *arg, const char *prefix,
                const char *p, size_t n)
{
	char name[LIMIT_CERTIFICATE_NAME_BYTES + 1];
	size_t front = strlen(prefix);
	if (!n || front + n > LIMIT_CERTIFICATE_NAME_BYTES || memchr(p, 0, n))
		return 0;
	memcpy(name, prefix, front);
	memcpy(name + front, p, n);
	return each(arg, span_of(name, front + n));
}

static int subject_name(X509 *x, int (*each)(void *arg, struct span name), void *arg)
{
	char *p;
	int result = 0;
	BIO *b = BIO_new(BIO_s_mem());
	if (b && X509_NAME_print_ex(b, X509_get_subject_name(x), 0,
	                            XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
		long n = BIO_get_mem_data(b, &p);
		result = n > 0 ? give(each, arg, "subject:", p, (size_t)n) : 0;
	}
	BIO_free(b);
	return result;
}

int64_t tls_client_not_after_s(const struct ssl_st *ssl)
{
	X509 *x = ssl ? SSL_get1_peer_certificate(ssl) : NULL;
	int64_t s = x ? tls_seconds_of(X509_get0_notAfter(x)) : 0;
	X509_free(x);
	return s;
}

int tls_client_names(const SSL *ssl, int (*each)(void *arg, struct span name), void *arg)
{
	X509 *x =
	    ssl && SSL_get_verify_result(ssl) == X509_V_OK ? SSL_get0_peer_certificate(ssl) : NULL;
	if (!x)
		return 0;
	int result = 0;
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; !result && names && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
		const char *prefix = g->type == GEN_DNS     ? "DNS:"
		                     : g->type == GEN_URI   ? "URI:"
		                     : g->type == GEN_EMAIL ? "email:"
		                                            : NULL;
		if (prefix) /* all three are IA5 strings */
			result =
			    give(each, arg, prefix, (const char *)ASN1_STRING_get0_data(g->d.ia5),
			         (size_t)ASN1_STRING_length(g->d.ia5));
	}
	GENERAL_NAMES_free(names);
	if (!result)
		result = subject_name(x, each, arg);
	ERR_clear_error();
	return result;
}
