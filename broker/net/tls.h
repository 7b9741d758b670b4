/* tls.h - the TLS of one MQTT connection: OpenSSL between two pieces of memory. Ciphertext is read
 * from where it was received and written to the end of a buffer, so nothing is allocated for a
 * message; what a turn has to say becomes as few TLS records as it fits in. Knows no socket. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/buf.h"

#include <stdbool.h>

struct tls_stream;
struct tls_way; /* how OpenSSL reads and writes: one per struct tcp */
struct ssl_ctx_st;
struct ssl_st;

enum { TLS_RECORD_BYTES_MAX = 17 << 10 }; /* RFC 8446, 5.2, and its head: what may be kept back */

struct tls_way *tls_way_new(void);
void tls_way_free(struct tls_way *w); /* accepts NULL; after the last stream */

struct tls_stream *tls_stream_new(struct tls_way *w, struct ssl_ctx_st *ctx); /* NULL: no memory */
void tls_stream_free(struct tls_stream *t);                                   /* accepts NULL */

/* All n bytes of ciphertext; plaintext into plain, which has room for n + TLS_RECORD_BYTES_MAX.
 * What TLS itself has to answer is appended to wire. Returns the bytes in plain; *ret_end: 0, or
 * ERR_CLOSED (the peer said goodbye), ERR_PROTOCOL (close: wire may hold an alert). */
size_t tls_stream_read(struct tls_stream *t, const char *p, size_t n, char *plain, struct buf *wire,
                       int *ret_end);
/* Encrypts all of plain to the end of wire and empties plain. Not before tls_stream_is_up(). */
int tls_stream_write(struct tls_stream *t, struct buf *plain, struct buf *wire) MUSTCHECK;
void tls_stream_bye(struct tls_stream *t, struct buf *wire); /* close_notify */
bool tls_stream_is_up(const struct tls_stream *t);           /* the handshake is done */
const struct ssl_st *tls_stream_ssl(const struct tls_stream *t);

#endif
