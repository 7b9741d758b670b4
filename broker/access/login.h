/* login.h - who is it? Credentials of MQTT, HTTP and WebSocket become an identity of the book.
 *
 * What is shown decides, the most explicit first: a key (a password or bearer token that begins
 * with "oudp_"), a signed token (JWT), a name and a password, a client certificate of the
 * connection; nothing: anonymous. What is shown and is not right is refused, also where anonymous
 * may come in; but a certificate that no identity is bound to is nothing shown.
 *
 * Keys, tokens and certificates are looked up at once. A password is verified on the reader pool,
 * one at a time; one that was right before is known again by a keyed hash in memory, so that
 * devices which come back together are not kept waiting. Loop thread only. */
#ifndef ACCESS_LOGIN_H
#define ACCESS_LOGIN_H

#include "access/book.h"

struct ssl_st;

struct login_request {
	const char *address;  /* of the peer, with or without a port: "127.0.0.1:51234" */
	struct span name;     /* user name; n == 0: none */
	struct span password; /* may hold a key or a token */
	bool has_password;
	bool bearer;              /* password came as a bearer token: no name and password */
	const struct ssl_st *ssl; /* NULL: no certificate */
	bool trusted;             /* anonymous on this listener: access.h */
	bool known_only;          /* the listener wants an identity of everybody */
};

/* 0 with *ret; 1: done() will be called, on a later turn, with the same in err and who (NULL unless
 * err is 0). ERR_DENIED: what was shown is wrong. ERR_NOT_FOUND: nothing was, and it must be.
 * ERR_SLOW: too many failures, *ret_wait_s says for how long. ERR_AGAIN: too many passwords wait.
 */
typedef void (*login_fn)(void *owner, uint64_t token, int err, const struct identity *who);
int access_login(struct access *a, const struct login_request *q, login_fn done, void *owner,
                 uint64_t token, struct identity *ret, unsigned *ret_wait_s) MUSTCHECK;

struct login_stats {
	uint64_t failed, slowed, busy;
};
const struct login_stats *login_stats(const struct access *a);

#endif
