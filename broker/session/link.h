/* link.h - what a session stands on: a byte stream to one client. net/ has one over TCP, web/ one
 * over WebSocket. The session appends to `out` and asks for a flush; the carrier
 * owns the link and outlives the session on it. */
#ifndef SESSION_LINK_H
#define SESSION_LINK_H

#include "base/buf.h"
#include "base/compiler.h"

#include <stdbool.h>

struct session;
struct link;
struct ssl_st;
struct identity;

struct link_ops {
	void (*flush)(struct link *l); /* out has bytes: write them at the end of this turn */
	void (*pause)(struct link *l); /* stop reading; bytes not taken are kept */
	void (*resume)(
	    struct link *l); /* read again, first what was kept; not before the next turn */
	void (*close)(
	    struct link *l); /* write what is in out, then close; the session is gone already */
};

struct link {
	const struct link_ops *ops;
	struct session *session; /* NULL once the session has let go */
	struct buf out;
	size_t in_flight; /* bytes handed to the kernel's queue and not taken yet */
	char peer[64];    /* "127.0.0.1:51234", for the log */
	/* Who comes without credentials has every right but to administer: a listener on
	 * loopback, or one that is insecure on purpose. */
	bool trusted;
	bool held;       /* by the session: what is appended now is sent later, together */
	bool known_only; /* the listener takes nobody without an identity */
	/* Who it is, when the carrier knows that already; NULL: CONNECT tells. The carrier's. */
	const struct identity *shown;
	const struct ssl_st *ssl; /* its certificate may name who it is; NULL: plain */
};

static inline size_t link_backlog(const struct link *l)
{
	return l->out.len + l->in_flight;
}

/* Hands bytes to l's session; what it does not take is kept in rx, before what comes next. To look
 * at a packet that is not whole yet costs it no more than reading its length. l->session is there,
 * and may be NULL afterwards. An error: rx is full, and the connection beyond help. */
int link_input(struct link *l, struct buf *rx, const char *p, size_t n) MUSTCHECK;
/* The same of what was kept, when reading goes on. l->session may be NULL. */
int link_input_kept(struct link *l, struct buf *rx) MUSTCHECK;

#endif
