/* tls.c - see tls.h. The BIO of a stream points at what the running call was given; outside of a
 * call it has nothing to read and nowhere to write. */
#include "net/tls.h"

#include "base/err.h"
#include "base/mem.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

struct tls_way {
	BIO_METHOD *method;
};

struct tls_stream {
	SSL *ssl;
	const char *in;
	size_t in_n;
	struct buf *out;
};

static int way_read(BIO *b, char *to, int n)
{
	struct tls_stream *t = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	if (!t->in_n) {
		BIO_set_retry_read(b);
		return -1;
	}
	size_t take = MIN_OF((size_t)n, t->in_n);
	memcpy(to, t->in, take);
	t->in += take;
	t->in_n -= take;
	return (int)take;
}

static int way_write(BIO *b, const char *from, int n)
{
	struct tls_stream *t = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	if (!t->out)
		return -1;
	buf_add(t->out, from, (size_t)n);
	return t->out->err ? -1 : n;
}

static long way_ctrl(BIO *b UNUSED, int command, long n UNUSED, void *p UNUSED)
{
	return command == BIO_CTRL_FLUSH;
}

struct tls_way *tls_way_new(void)
{
	struct tls_way *w = xcalloc(1, sizeof(*w));
	w->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "oudpd memory");
	if (!w->method || BIO_meth_set_read(w->method, way_read) != 1 ||
	    BIO_meth_set_write(w->method, way_write) != 1 ||
	    BIO_meth_set_ctrl(w->method, way_ctrl) != 1) {
		tls_way_free(w);
		return NULL;
	}
	return w;
}

void tls_way_free(struct tls_way *w)
{
	if (!w)
		return;
	BIO_meth_free(w->method);
	free(w);
}

struct tls_stream *tls_stream_new(struct tls_way *w, SSL_CTX *ctx)
{
	struct tls_stream *t = xcalloc(1, sizeof(*t));
	BIO *b = BIO_new(w->method);
	t->ssl = SSL_new(ctx);
	if (!b || !t->ssl) {
		BIO_free(b);
		tls_stream_free(t);
		ERR_clear_error();
		return NULL;
	}
	BIO_set_data(b, t);
	BIO_set_init(b, 1);
	SSL_set_bio(t->ssl, b, b);
	SSL_set_accept_state(t->ssl);
	return t;
}

void tls_stream_free(struct tls_stream *t)
{
	if (!t)
		return;
	SSL_free(t->ssl);
	free(t);
}

size_t tls_stream_read(struct tls_stream *t, const char *p, size_t n, char *plain, struct buf *wire,
                       int *ret_end)
{
	size_t got = 0, size = n + TLS_RECORD_BYTES_MAX;
	*ret_end = 0;
	t->in = p;
	t->in_n = n;
	t->out = wire;
	ERR_clear_error();
	for (;;) {
		int r = SSL_read(t->ssl, plain + got, (int)MIN_OF(size - got, (size_t)INT_MAX));
		if (r > 0) {
			got += (size_t)r;
			assert(got < size); /* plaintext is never longer than what it came in */
			continue;
		}
		int why = SSL_get_error(t->ssl, r);
		if (why == SSL_ERROR_ZERO_RETURN)
			*ret_end = ERR_CLOSED;
		else if (why != SSL_ERROR_WANT_READ)
			*ret_end = ERR_PROTOCOL;
		break;
	}
	assert(*ret_end || t->in_n == 0);
	t->in_n = 0;
	t->out = NULL;
	return got;
}

int tls_stream_write(struct tls_stream *t, struct buf *plain, struct buf *wire)
{
	size_t at = 0;
	t->out = wire;
	ERR_clear_error();
	while (at < plain->len) {
		int r =
		    SSL_write(t->ssl, plain->p + at, (int)MIN_OF(plain->len - at, (size_t)INT_MAX));
		if (r <= 0)
			break;
		at += (size_t)r;
	}
	t->out = NULL;
	if (at < plain->len) {
		ERR_clear_error();
		return ERR_PROTOCOL;
	}
	buf_clear(plain);
	return 0;
}

void tls_stream_bye(struct tls_stream *t, struct buf *wire)
{
	t->out = wire;
	ERR_clear_error();
	if (SSL_is_init_finished(t->ssl) && SSL_shutdown(t->ssl) < 0)
		ERR_clear_error(); /* the peer has no use for it then */
	t->out = NULL;
}

bool tls_stream_is_up(const struct tls_stream *t)
{
	return SSL_is_init_finished(t->ssl);
}

const SSL *tls_stream_ssl(const struct tls_stream *t)
{
	return t->ssl;
}
