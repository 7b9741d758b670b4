/* keep.h - a connection from one request to the next (RFC 9112, 9.3): whether it stays open after
 * an answer, how long it then waits, and how it ends without losing what was said. Loop thread.
 *
 *   keep.c     may it stay? who rests      behind.c   what stands behind a request
 *   linger.c   the end, without a reset    stalled.c  who takes its answer slowly
 *
 * lws 4.1.6 reads as much as the socket has. What stands behind the end of a request it puts aside,
 * and there are two faults in how it goes on from that: while the request is being answered it says
 * again and again, and in one place without end, that the body is complete; and a next request that
 * is read from there and has a body takes its own head for the body, out of memory that was given
 * back (lws_http_action() uses up the list that lws_read_h1() stands on). So when something was put
 * aside, the answer is the connection's last and says so: a client that sent more repeats it
 * elsewhere (9.3.2). What still lies in the socket is not concerned: it is read anew. */
#ifndef WEB_KEEP_H
#define WEB_KEEP_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address;
struct lws;
struct req;
struct stalled;
struct web;

/* Of each connection to a listener of ours, from its accept to its end. */
struct conn {
	struct list node; /* of web.resting */
	struct lws *wsi;
	struct address *address; /* NULL: not counted */
	unsigned requests;
	bool asked;  /* lws is to say when there is room in the socket */
	bool waited; /* a tick ago too */
	bool held;   /* neither read nor written: it waits for its answer, or for room */
	struct stalled *stalled; /* NULL: lws itself looks for room */
};

struct conn *conn_of(struct lws *wsi); /* NULL before conn_open() */
void conn_open(struct lws *wsi, struct address *address);
void conn_gone(struct lws *wsi);
void conn_begin(struct lws *wsi); /* a request has begun */

/* There is something to write, or to look at: LWS_CALLBACK_HTTP_WRITEABLE follows, which calls
 * conn_woken(). Of requests, and never lws_callback_on_writable(). */
void conn_wake(struct lws *wsi);
void conn_woken(struct lws *wsi);
void conn_ask_lws(struct conn *c); /* no longer held; within keep.h */

/* Sets r->last as the client said it. */
void conn_ask(struct req *r);
/* In lws's callback for writing, just before the answer. */
bool conn_may_stay(struct req *r);
int conn_rest(struct lws *wsi); /* answered: it waits for the next request; -1: close it */
/* One that rests is closed; of: one of this address, or NULL. False: there is none. */
bool conns_make_room(struct web *w, const struct address *of);
void conns_drain(struct web *w); /* all that rest */

bool is_http_1_1(struct lws *wsi);

/* ---- behind.c ---- */

void behind_came(struct req *r);  /* the request has come as a whole */
void behind_known(struct req *r); /* bytes came behind it */
void behind_judge(struct web *w); /* sets r->more of those; at the end of each turn */
void behind_tick(struct web *w);  /* who waits for long costs nothing meanwhile */

/* ---- stalled.c ---- */

/* Of one that has waited for room for a tick; more: bytes of it are put aside. */
void stalled_look(struct conn *c, bool more);
void stalled_wait(struct conn *c); /* c->stalled: held until there is room */
void stalled_end(struct conn *c);  /* c->stalled may be NULL */

/* ---- linger.c ---- */

/* wsi is closed by lws after this (-1 is the callback's answer); what still comes is read and
 * dropped, so that no reset overtakes the answer. Always -1. */
int linger(struct lws *wsi);
void linger_tick(struct web *w, uint64_t now_ms);
void linger_end(struct web *w); /* all; the loop runs on for a turn */

#endif
