/* keep.c - see keep.h. */
#include "web/keep.h"

#include "base/mem.h"
#include "web/private.h"

#include <stdlib.h>

enum { CONNECTION_BYTES = 128 };

struct conn *conn_of(struct lws *wsi)
{
	return lws_get_opaque_user_data(wsi);
}

void conn_open(struct lws *wsi, struct address *address)
{
	struct conn *c = xcalloc(1, sizeof(*c));
	list_init(&c->node);
	c->wsi = wsi;
	c->address = address;
	lws_set_opaque_user_data(wsi, c);
}

void conn_gone(struct lws *wsi)
{
	struct conn *c = conn_of(wsi);
	if (!c)
		return;
	stalled_end(c);
	addresses_leave(web_of(wsi)->addresses, c->address);
	list_remove(&c->node);
	lws_set_opaque_user_data(wsi, NULL);
	free(c);
}

void conn_begin(struct lws *wsi)
{
	struct conn *c = conn_of(wsi);
	if (!c)
		return;
	list_remove(&c->node);
	c->requests++;
	c->waited = false;
}

void conn_ask_lws(struct conn *c)
{
	if (c->held)
		lws_rx_flow_control(c->wsi, 1);
	c->asked = true;
	c->held = c->waited = false;
	lws_callback_on_writable(c->wsi);
}

void conn_wake(struct lws *wsi)
{
	struct conn *c = conn_of(wsi);
	if (c && c->stalled)
		stalled_wait(c);
	else if (c)
		conn_ask_lws(c);
	else
		lws_callback_on_writable(wsi);
}

void conn_woken(struct lws *wsi)
{
	struct conn *c = conn_of(wsi);
	if (c)
		c->asked = c->waited = false;
}

/* ---- may it stay? ---- */

bool is_http_1_1(struct lws *wsi)
{
	char version[16];
	return lws_hdr_copy(wsi, version, sizeof(version), WSI_TOKEN_HTTP) > 0 &&
	       strcmp(version, "HTTP/1.1") == 0;
}

/* Whether the client ends it: it names the option "close", or more than can be looked through. */
static bool says_close(struct lws *wsi)
{
	char said[CONNECTION_BYTES];
	if (lws_hdr_total_length(wsi, WSI_TOKEN_CONNECTION) <= 0)
		return false;
	if (lws_hdr_copy(wsi, said, sizeof(said), WSI_TOKEN_CONNECTION) < 0)
		return true;
	for (const char *at = said; *at;) {
		at += strspn(at, ", \t");
		size_t n = strcspn(at, ", \t");
		if (n == 5 && strncasecmp(at, "close", 5) == 0)
			return true;
		at += n;
	}
	return false;
}

void conn_ask(struct req *r)
{
	r->last = !is_http_1_1(r->wsi) || says_close(r->wsi);
}

bool conn_may_stay(struct req *r)
{
	const struct conn *c = conn_of(r->wsi);
	bool whole = !r->body_due || r->body_done, judged = list_empty(&r->behind);
	return c && c->requests < LIMIT_WEB_REQUESTS && whole && judged && !r->more && !r->last &&
	       !r->web->draining && (!r->stream || r->chunked);
}

/* ---- who rests ---- */

int conn_rest(struct lws *wsi)
{
	struct web *w = web_of(wsi);
	struct conn *c = conn_of(wsi);
	stalled_end(c);
	if (c->held)
		lws_rx_flow_control(wsi, 1);
	c->held = false;
	if (w->draining || lws_http_transaction_completed(wsi))
		return -1;
	list_append(&w->resting, &c->node); /* who rests longest is first */
	return 0;
}

static void end(struct conn *c)
{
	list_remove(&c->node);
	lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
}

bool conns_make_room(struct web *w, const struct address *of)
{
	list_for_each (it, &w->resting) {
		struct conn *c = list_entry(it, struct conn, node);
		if (!of || c->address == of) {
			end(c);
			return true;
		}
	}
	return false;
}

void conns_drain(struct web *w)
{
	while (!list_empty(&w->resting))
		end(list_entry(w->resting.next, struct conn, node));
}
