/* send.c - an answer goes out: its headers, its body in pieces, and what follows on the connection.
 */
#include "web/private.h"

#include <stdio.h>

enum { CHUNK_BYTES = LIMIT_WEB_WRITE_BYTES, CHUNK_HEAD_BYTES = 16, HEAD_BYTES = 4096 };

static int add(struct lws *wsi, const char *name, const char *value, unsigned char **p,
               unsigned char *end)
{
	return lws_add_http_header_by_name(wsi, (const unsigned char *)name,
	                                   (const unsigned char *)value, (int)strlen(value), p,
	                                   end);
}

/* What every answer says, as this one says it: pages load their own style and script, files may be
 * kept. */
static const char *common_value(const struct req *r, unsigned i)
{
	const char *name = common_headers[i].name;
	if (r->html && strcmp(name, "Content-Security-Policy:") == 0)
		return r->web->page_csp;
	if (r->cache && strcmp(name, "Cache-Control:") == 0)
		return r->cache;
	return common_headers[i].value;
}

static int add_all(struct req *r, unsigned char **p, unsigned char *end)
{
	struct lws *wsi = r->wsi;
	int err = lws_add_http_header_status(wsi, (unsigned)r->status, p, end);
	for (unsigned i = 0; i < n_common_headers; i++)
		if (!req_extra(r, common_headers[i].name))
			err |= add(wsi, common_headers[i].name, common_value(r, i), p, end);
	if (r->etag[0])
		err |= add(wsi, "ETag:", r->etag, p, end);
	if (r->html && r->content_language[0]) {
		err |= add(wsi, "Content-Language:", r->content_language, p, end);
		err |= add(wsi, "Vary:", "Accept-Language", p, end);
	}
	if (r->content_type)
		err |= add(wsi, "Content-Type:", r->content_type, p, end);
	if (is_secure(wsi)) /* RFC 6797: a year */
		err |= add(wsi, "Strict-Transport-Security:", "max-age=31536000", p, end);
	const char *name, *value;
	for (size_t at = 0; (name = req_next_extra(r, &at, &value));)
		err |= add(wsi, name, value, p, end);
	if (r->chunked)
		err |= add(wsi, "Transfer-Encoding:", "chunked", p, end);
	if (r->method == METHOD_OPTIONS) {
		err |= add(wsi, "Access-Control-Allow-Methods:",
		           "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", p, end);
		err |= add(wsi, "Access-Control-Allow-Headers:",
		           "Authorization, Content-Type, Accept, Last-Event-ID, If-None-Match, "
		           "Accept-Crs",
		           p, end);
	}
	if (r->status == 503 || r->status == 507 || r->status == 429)
		err |= add(wsi, "Retry-After:", "10", p, end);
	err |= add(wsi, "Connection:", r->stays ? "keep-alive" : "close", p, end);
	if (!r->stream && r->status != 304 && r->status != 204)
		err |= lws_add_http_header_content_length(wsi, r->out.len, p, end);
	return err | lws_finalize_http_header(wsi, p, end);
}

/* The answer is with lws. When lws has sent it, the connection waits for the next request, or
 * ends. */
static int finish(struct req *r)
{
	struct lws *wsi = r->wsi;
	struct pss *pss = lws_wsi_user(wsi);
	bool more = r->more || !list_empty(&r->behind), stays = r->stays && !more;
	bool unread = r->body_due && !r->body_done;
	r->all_given = true;
	if (lws_partial_buffered(wsi)) {
		conn_wake(wsi);
		return 0;
	}
	pss->req = NULL;
	r->wsi = NULL;
	req_release(r);
	if (stays)
		return conn_rest(wsi); /* pss is another one after this */
	return more || unread ? linger(wsi) : -1;
}

/* p has LWS_PRE bytes before it. */
static int give(struct req *r, unsigned char *p, size_t n, bool last)
{
	if (!r->stream || r->observing)
		lws_set_timeout(r->wsi, PENDING_TIMEOUT_HTTP_CONTENT, LIMIT_WEB_SEND_S);
	return n && lws_write(r->wsi, p, n, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0 ? -1
	                                                                                      : 0;
}

/* The headers, and a short body with them. */
static int send_head(struct req *r)
{
	unsigned char mem[LWS_PRE + HEAD_BYTES + CHUNK_BYTES], *start = mem + LWS_PRE, *p = start;
	r->stays = conn_may_stay(r);
	if (add_all(r, &p, start + HEAD_BYTES - 1))
		return -1;
	r->head_sent = true;
	bool headers_only = r->method == METHOD_HEAD || r->status == 304 || r->status == 204;
	bool all = headers_only || (!r->stream && r->out.len <= CHUNK_BYTES);
	if (all && !headers_only && r->out.len) {
		memcpy(p, r->out.p, r->out.len);
		p += r->out.len;
		r->web->stats.bytes_sent += r->out.len;
	}
	if (give(r, start, (size_t)(p - start), all))
		return -1;
	return all ? finish(r) : 0;
}

static int send_piece(struct req *r)
{
	unsigned char mem[LWS_PRE + CHUNK_HEAD_BYTES + CHUNK_BYTES + 2], *p = mem + LWS_PRE;
	size_t n = MIN_OF(r->out.len - r->sent, (size_t)CHUNK_BYTES), size = n;
	bool last = !r->stream && r->sent + n == r->out.len;
	if (r->chunked && n) { /* RFC 9112, 7.1 */
		size = (size_t)sprintf((char *)p, "%zx\r\n", n);
		memcpy(p + size, r->out.p + r->sent, n);
		memcpy(p + size + n, "\r\n", 2);
		size += n + 2;
	} else if (n) {
		memcpy(p, r->out.p + r->sent, n);
	}
	if (give(r, p, size, last))
		return -1;
	r->sent += n;
	r->web->stats.bytes_sent += n;
	if (last)
		return finish(r);
	if (r->sent == r->out.len) {
		buf_clear(&r->out);
		r->sent = 0;
		if (r->out.cap > 4 * LIMIT_WEB_WRITE_BYTES)
			buf_done(&r->out);
	}
	return 0;
}

static int end_chunks(struct req *r)
{
	static const char last[] = "0\r\n\r\n";
	unsigned char mem[LWS_PRE + sizeof(last)];
	memcpy(mem + LWS_PRE, last, sizeof(last));
	return give(r, mem + LWS_PRE, sizeof(last) - 1, true) ? -1 : finish(r);
}

/* A stream: what is there goes out in pieces, then the subscriber is asked for more. */
static int stream_on(struct req *r)
{
	struct live *l = r->live;
	enum live_state state = LIVE_MORE;
	if (!l && !r->observing)
		return -1;
	if (r->sent == r->out.len)
		state = l ? live_fill(l, &r->out) : observing_fill(r);
	if (r->out.err || r->broken)
		return -1;
	if (r->out.len > r->sent) {
		if (l)
			l->said_ms = uv_now(r->web->loop);
		if (send_piece(r) < 0)
			return -1;
	}
	if (r->out.len == 0 && state == LIVE_END) /* without chunks the connection's end says it */
		return r->chunked ? end_chunks(r) : -1;
	if (r->out.len || state != LIVE_WAIT)
		conn_wake(r->wsi);
	return 0;
}

int send_on(struct req *r)
{
	conn_woken(r->wsi);
	if (r->all_given)
		return finish(r);
	if (r->live && r->live->kind == LIVE_PAGE && !r->answering)
		page_fill(r->live);
	if (r->again && !r->answering)
		r->again(r);
	if (!r->answering)
		return 0;
	if (r->head_sent && r->stream)
		return stream_on(r);
	conn_wake(r->wsi);
	return r->head_sent ? send_piece(r) : send_head(r);
}
