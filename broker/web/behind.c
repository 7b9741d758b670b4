/* behind.c - whether bytes stand behind a request, put aside by lws; and who waits for an answer.
 *
 * lws can be asked only whether any connection that it may read has something put aside. So after
 * each turn, which has few new requests and mostly no such bytes, it is asked once; and when there
 * are some, once for each new request, while those that are known to have some are held for a
 * moment. Bytes can be put aside only in the turn in which a request comes: later lws does not
 * read, or says so (http.c, body_came()). */
#include "web/keep.h"
#include "web/private.h"

#include <sys/socket.h>

enum { DROP_BYTES = 16 << 10, ANY_MS = 1000 };

static bool has_any(const struct web *w)
{
	return lws_service_adjust_timeout(w->context, ANY_MS, 0) == 0;
}

void behind_known(struct req *r)
{
	r->more = true;
	list_remove(&r->behind);
	list_append(&r->web->with_more, &r->behind);
}

void behind_came(struct req *r)
{
	list_remove(&r->behind);
	list_append(&r->web->came, &r->behind);
}

/* All who are known and all who came are held, but this one. What is read elsewhere, as a large
 * upload over TLS is, makes a yes that says nothing: then it is asked again in the next turn, and
 * who is answered before that is taken for one with such bytes. */
static void judge_one(struct req *r)
{
	lws_rx_flow_control(r->wsi, 1);
	if (!has_any(r->web)) {
		list_remove(&r->behind);
		return;
	}
	lws_rx_flow_control(r->wsi, 0);
	if (!has_any(r->web))
		behind_known(r);
}

static void hold_each(struct list *of, bool hold)
{
	list_for_each (it, of) {
		struct lws *wsi = list_entry(it, struct req, behind)->wsi;
		lws_rx_flow_control(wsi, !hold && !conn_of(wsi)->held);
	}
}

void behind_judge(struct web *w)
{
	if (list_empty(&w->came))
		return;
	hold_each(&w->with_more, true);
	if (!has_any(w)) {
		while (!list_empty(&w->came))
			list_remove(w->came.next);
	} else {
		hold_each(&w->came, true);
		list_for_each_safe (it, &w->came)
			judge_one(list_entry(it, struct req, behind));
		hold_each(&w->came, false);
	}
	hold_each(&w->with_more, false);
}

/* ---- who waits ---- */

/* Nobody answers what comes after it. -1: nothing more can come. */
static int drop_behind(struct req *r)
{
	char mem[DROP_BYTES];
	ssize_t n = recv(lws_get_socket_fd(r->wsi), mem, sizeof(mem), MSG_DONTWAIT);
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ? -1 : 0;
}

/* A client that has ended its side, or sends more, is ready to be read in every turn, and lws does
 * not read it before its answer: the loop would not rest. So who waits for longer than a tick is
 * not looked at. That cannot be where bytes were put aside: lws asks for room to write at once, and
 * while it is held does not take it. There what comes is dropped, and an end is the end. Who waits
 * for room is the affair of stalled.c. */
void behind_tick(struct web *w)
{
	list_for_each (it, &w->reqs) {
		struct req *r = list_entry(it, struct req, node);
		struct conn *c = r->wsi ? conn_of(r->wsi) : NULL;
		if (!c || c->held || (r->body_due && !r->body_done))
			continue;
		if (c->asked) {
			if (c->waited)
				stalled_look(c, r->more);
		} else if (r->more && drop_behind(r)) {
			lws_set_timeout(r->wsi, PENDING_TIMEOUT_USER_REASON_BASE,
			                LWS_TO_KILL_ASYNC);
		} else if (!r->more && c->waited && list_empty(&r->behind)) {
			c->held = true;
			lws_rx_flow_control(r->wsi, 0);
		}
		c->waited = true;
	}
}
