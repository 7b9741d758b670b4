/* http.c - requests and responses over lws: headers in, body in, one response out in pieces. */
#include "base/err.h"
#include "base/mem.h"
#include "web/private.h"
#include "json/write.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHUNK_BYTES = 16 << 10, HEAD_BYTES = 4096 };

static const struct {
	const char *name, *value;
} common[] = {
    /* NLGov REST API Design Rules 2.2.1: API-Version and the security headers on every answer */
    {"API-Version:", "1.0.0"},
    {"Cache-Control:", "no-store"},
    {"Content-Security-Policy:", "default-src 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options:", "nosniff"},
    {"X-Frame-Options:", "DENY"},
    {"Referrer-Policy:", "no-referrer"},
    {"Access-Control-Allow-Origin:", "*"},
    {"Access-Control-Expose-Headers:", "API-Version, Link, Location"},
};

/* ---- answering ---- */

void respond_header(struct req *r, const char *name, const char *value)
{
	snprintf(r->extra_name, sizeof(r->extra_name), "%s", name);
	snprintf(r->extra_value, sizeof(r->extra_value), "%s", value);
}

void respond(struct req *r, int status, const char *content_type)
{
	assert(!r->answering);
	r->answering = true;
	r->status = status;
	r->content_type = content_type;
	if (status >= 500)
		r->web->stats.responses_5xx++;
	else if (status >= 400)
		r->web->stats.responses_4xx++;
	if (r->wsi)
		lws_callback_on_writable(r->wsi);
}

static const char *status_title(int status)
{
	switch (status) {
	case 400: return "Bad Request";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 406: return "Not Acceptable";
	case 411: return "Length Required";
	case 413: return "Content Too Large";
	case 415: return "Unsupported Media Type";
	case 503: return "Service Unavailable";
	case 507: return "Insufficient Storage";
	default: return "Internal Server Error";
	}
}

void problem(struct req *r, int status, const char *fmt, ...)
{
	char detail[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	buf_clear(&r->out);
	buf_addf(&r->out, "{\"status\":%d,\"title\":\"%s\",\"detail\":", status,
	         status_title(status));
	json_write_string(&r->out, span_str(detail));
	buf_add_char(&r->out, '}');
	respond(r, status, "application/problem+json");
}

static int add(struct lws *wsi, const char *name, const char *value, unsigned char **p,
               unsigned char *end)
{
	return lws_add_http_header_by_name(wsi, (const unsigned char *)name,
	                                   (const unsigned char *)value, (int)strlen(value), p,
	                                   end);
}

static int send_head(struct req *r)
{
	unsigned char mem[LWS_PRE + HEAD_BYTES], *start = mem + LWS_PRE, *p = start,
	                                         *end = mem + sizeof(mem) - 1;
	struct lws *wsi = r->wsi;
	if (lws_add_http_header_status(wsi, (unsigned)r->status, &p, end))
		return -1;
	for (unsigned i = 0; i < ARRAY_LEN(common); i++)
		if (add(wsi, common[i].name, common[i].value, &p, end))
			return -1;
	if (r->content_type && add(wsi, "Content-Type:", r->content_type, &p, end))
		return -1;
	if (r->extra_name[0] && add(wsi, r->extra_name, r->extra_value, &p, end))
		return -1;
	if (r->method == METHOD_OPTIONS &&
	    (add(wsi, "Access-Control-Allow-Methods:", "GET, HEAD, POST, OPTIONS", &p, end) ||
	     add(wsi, "Access-Control-Allow-Headers:", "Content-Type, Accept, Last-Event-ID", &p,
	         end)))
		return -1;
	if (!r->stream && lws_add_http_header_content_length(wsi, r->out.len, &p, end))
		return -1;
	if (lws_finalize_http_header(wsi, &p, end))
		return -1;
	r->head_sent = true;
	bool last = r->method == METHOD_HEAD || (!r->stream && r->out.len == 0);
	int n = lws_write(wsi, start, (size_t)(p - start),
	                  last ? LWS_WRITE_HTTP_HEADERS | LWS_WRITE_H2_STREAM_END
	                       : LWS_WRITE_HTTP_HEADERS);
	return n < 0 ? -1 : last;
}

void stream_begin(struct req *r, const char *content_type)
{
	r->stream = true;
	respond(r, 200, content_type);
	lws_set_timeout(r->wsi, NO_PENDING_TIMEOUT, 0);
}

/* lws_http_transaction_completed() lets the connection go on with the next request. */
static int complete(struct req *r)
{
	struct lws *wsi = r->wsi;
	struct pss *pss = lws_wsi_user(wsi);
	if (pss)
		pss->req = NULL;
	r->wsi = NULL;
	req_release(r);
	return lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* 0: go on; 1: the answer is complete, r is gone; -1: close. */
static int send_piece(struct req *r)
{
	unsigned char mem[LWS_PRE + CHUNK_BYTES];
	size_t n = MIN_OF(r->out.len - r->sent, (size_t)CHUNK_BYTES);
	bool last = !r->stream && r->sent + n == r->out.len;
	if (n)
		memcpy(mem + LWS_PRE, r->out.p + r->sent, n);
	if (n &&
	    lws_write(r->wsi, mem + LWS_PRE, n, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
		return -1;
	r->sent += n;
	r->web->stats.bytes_sent += n;
	if (last)
		return complete(r) ? -1 : 1;
	if (r->sent == r->out.len) {
		buf_clear(&r->out);
		r->sent = 0;
	}
	return 0;
}

static int writeable(struct req *r)
{
	if (r->live && r->live->kind == LIVE_PAGE && !r->answering)
		live_fill(r->live);
	if (!r->answering)
		return 0;
	if (!r->head_sent) {
		int n = send_head(r);
		if (n)
			return n < 0 ? -1 : complete(r);
		lws_callback_on_writable(r->wsi);
		return 0;
	}
	if (r->stream && r->sent == r->out.len) {
		if (!r->live || r->live->ended)
			return -1; /* the end of a stream without a length is the end of the
			              connection */
		live_fill(r->live);
	}
	int sent = send_piece(r);
	if (sent) /* an error, or the answer is complete and r is gone */
		return sent < 0 ? -1 : 0;
	if (r->out.len > r->sent) {
		lws_callback_on_writable(r->wsi);
	} else if (r->stream && r->live) {
		live_fill(r->live);
		lws_callback_on_writable(r->wsi);
	}
	return 0;
}

/* ---- asking ---- */

void req_release(struct req *r)
{
	if (r->wsi || r->pending)
		return;
	if (r->live) {
		r->live->wsi = NULL;
		live_close(r->live);
		r->live = NULL;
	}
	post_done(r);
	list_remove(&r->node);
	list_remove(&r->room_node);
	buf_done(&r->body);
	buf_done(&r->out);
	free(r->work);
	free(r);
}

static void copy_header(struct lws *wsi, char *out, size_t size, enum lws_token_indexes token)
{
	if (lws_hdr_copy(wsi, out, (int)size, token) < 0)
		out[0] = '\0';
}

static enum method method_of(struct lws *wsi, char *path, size_t size)
{
	static const struct {
		enum lws_token_indexes token;
		enum method method;
	} rows[] = {{WSI_TOKEN_GET_URI, METHOD_GET},    {WSI_TOKEN_POST_URI, METHOD_POST},
	            {WSI_TOKEN_HEAD_URI, METHOD_HEAD},  {WSI_TOKEN_OPTIONS_URI, METHOD_OPTIONS},
	            {WSI_TOKEN_PUT_URI, METHOD_OTHER},  {WSI_TOKEN_DELETE_URI, METHOD_OTHER},
	            {WSI_TOKEN_PATCH_URI, METHOD_OTHER}};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (lws_hdr_total_length(wsi, rows[i].token) > 0) {
			copy_header(wsi, path, size, rows[i].token);
			return rows[i].method;
		}
	path[0] = '\0';
	return METHOD_OTHER;
}

static int read_query(struct lws *wsi, struct query *ret)
{
	char raw[QUERY_BYTES], piece[QUERY_BYTES];
	size_t n = 0;
	for (int i = 0;; i++) { /* lws hands the pairs out one by one */
		int got =
		    lws_hdr_copy_fragment(wsi, piece, sizeof(piece), WSI_TOKEN_HTTP_URI_ARGS, i);
		if (got < 0)
			break;
		if (n + (size_t)got + 1 > sizeof(raw))
			return ERR_TOO_LARGE;
		if (i)
			raw[n++] = '&';
		memcpy(raw + n, piece, (size_t)got);
		n += (size_t)got;
	}
	return query_parse(span_of(raw, n), ret);
}

static void begin(struct lws *wsi, struct pss *pss)
{
	struct web *w = web_of(wsi);
	struct req *r = xcalloc(1, sizeof(*r));
	r->web = w;
	r->wsi = wsi;
	r->kind = kind_of(wsi);
	list_init(&r->node);
	list_init(&r->room_node);
	list_append(&w->reqs, &r->node);
	buf_init(&r->body, hub_config(w->hub)->max_packet_bytes);
	buf_init(&r->out, 64u << 20);
	pss->req = r;
	w->stats.requests++;
	r->method = method_of(wsi, r->path, sizeof(r->path));
	copy_header(wsi, r->type, sizeof(r->type), WSI_TOKEN_HTTP_CONTENT_TYPE);
	copy_header(wsi, r->accept, sizeof(r->accept), WSI_TOKEN_HTTP_ACCEPT);
	char length[24];
	copy_header(wsi, length, sizeof(length), WSI_TOKEN_HTTP_CONTENT_LENGTH);
	r->wants_body = r->method == METHOD_POST && atoll(length) > 0;
	if (read_query(wsi, &r->query)) {
		problem(r, 400,
		        "the query string is malformed, too long, or names a parameter twice");
		return;
	}
	if (r->method == METHOD_POST && (uint64_t)atoll(length) > r->body.max) {
		problem(r, 413, "the body is larger than max-packet allows: %llu bytes",
		        (unsigned long long)r->body.max);
		return;
	}
	if (r->method == METHOD_POST &&
	    lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0) {
		problem(r, 411, "send the body with its Content-Length, not in chunks");
		return;
	}
	if (!r->wants_body)
		route(r);
}

int http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len)
{
	struct pss *pss = user;
	switch (reason) {
	case LWS_CALLBACK_HTTP: begin(wsi, pss); return 0;
	case LWS_CALLBACK_HTTP_BODY:
		if (pss && pss->req && !pss->req->answering) {
			buf_add(&pss->req->body, in, len);
			if (pss->req->body.err)
				problem(pss->req, 413, "the body is larger than max-packet allows");
		}
		return 0;
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		if (pss && pss->req && !pss->req->answering)
			route(pss->req);
		return 0;
	case LWS_CALLBACK_HTTP_WRITEABLE: return pss && pss->req ? writeable(pss->req) : 0;
	case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: /* an upgrade without a subprotocol we know */
		if (echo_asked(wsi))
			return 0;
		lws_return_http_status(wsi, 400, NULL);
		return -1;
	case LWS_CALLBACK_CLOSED_HTTP:
	case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
		if (pss && pss->req) {
			struct req *r = pss->req;
			pss->req = NULL;
			r->wsi = NULL;
			if (r->live) {
				r->live->wsi = NULL;
				live_close(r->live);
				r->live = NULL;
			}
			req_release(r);
		}
		return 0;
	case LWS_CALLBACK_FILTER_NETWORK_CONNECTION: return 0;
	case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
		web_of(wsi)->stats.http_connections++;
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		if (web_of(wsi)->stats.http_connections)
			web_of(wsi)->stats.http_connections--;
		return 0;
	default: return web_of(wsi)->test_echo ? echo_callback(wsi, reason, pss, in, len) : 0;
	}
}
