/* http.c - requests over lws: headers in, body in, to the router when all is there. */
#include "base/err.h"
#include "base/mem.h"
#include "web/private.h"

#include <stdio.h>
#include <stdlib.h>

static void drop_body(struct req *r)
{
	r->web->body_bytes -= r->body.len;
	buf_done(&r->body);
}

void req_release(struct req *r)
{
	if (r->wsi)
		return;
	list_remove(&r->behind);
	if (r->live) {
		r->live->wsi = NULL;
		live_close(r->live);
		r->live = NULL;
	}
	observing_free(r->observing);
	r->observing = NULL;
	if (r->pending)
		return;
	post_done(r);
	if (r->own)
		r->own_free(r->own);
	drop_body(r);
	assert(r->web->answer_bytes >= r->counted);
	r->web->answer_bytes -= r->counted;
	list_remove(&r->node);
	list_remove(&r->room_node);
	list_remove(&r->page_node);
	buf_done(&r->out);
	free(r);
}

static void copy_header(struct lws *wsi, char *out, size_t size, enum lws_token_indexes token)
{
	if (lws_hdr_copy(wsi, out, (int)size, token) < 0)
		out[0] = '\0';
}

static void copy_custom(struct lws *wsi, char *out, size_t size, const char *name)
{
	if (lws_hdr_custom_copy(wsi, out, (int)size, name, (int)strlen(name)) < 0)
		out[0] = '\0';
}

static enum method method_of(struct lws *wsi, char *path, size_t size)
{
	static const struct {
		enum lws_token_indexes token;
		enum method method;
	} rows[] = {{WSI_TOKEN_GET_URI, METHOD_GET},    {WSI_TOKEN_POST_URI, METHOD_POST},
	            {WSI_TOKEN_HEAD_URI, METHOD_HEAD},  {WSI_TOKEN_OPTIONS_URI, METHOD_OPTIONS},
	            {WSI_TOKEN_PUT_URI, METHOD_PUT},    {WSI_TOKEN_DELETE_URI, METHOD_DELETE},
	            {WSI_TOKEN_PATCH_URI, METHOD_PATCH}};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (lws_hdr_total_length(wsi, rows[i].token) > 0) {
			copy_header(wsi, path, size, rows[i].token);
			return rows[i].method;
		}
	path[0] = '\0';
	return METHOD_OTHER;
}

/* It would have come to the version of HTTP. */
bool is_cut(struct lws *wsi)
{
	return lws_hdr_total_length(wsi, WSI_TOKEN_HTTP) <= 0;
}

int read_query(struct lws *wsi, struct query *ret)
{
	char piece[QUERY_BYTES];
	query_init(ret);
	for (int i = 0;; i++) { /* lws has cut the query at '&' and decoded the pieces */
		if (lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, i) >= QUERY_BYTES)
			return ERR_TOO_LARGE;
		int n =
		    lws_hdr_copy_fragment(wsi, piece, sizeof(piece), WSI_TOKEN_HTTP_URI_ARGS, i);
		if (n < 0)
			return 0; /* there are no more */
		if (n == 0 || strcmp(piece, "/") == 0)
			continue; /* nothing, as lws writes it */
		int err = query_add(ret, span_of(piece, (size_t)n));
		if (err)
			return err;
	}
}

static bool takes_body(const struct req *r)
{
	return r->method == METHOD_POST || r->method == METHOD_PUT || r->method == METHOD_PATCH;
}

static uint64_t body_limit(const struct req *r)
{
	uint64_t one = hub_config(r->web->hub)->max_packet_bytes;
	return strncmp(r->type, "application/x-ndjson", 20) == 0
	           ? MAX_OF(one, (uint64_t)LIMIT_WEB_NDJSON_BYTES)
	           : one;
}

/* Where its body ends is not known, and so not where the next request begins. */
static void refuse_framing(struct req *r, int status, const char *why)
{
	r->last = r->more = true;
	problem(r, status, "%s", why);
}

/* White space before the colon makes another header of it to lws, and may not to who stands in
 * front: then what is the body to one is a request to the other (RFC 9112, 5.1). */
static bool has_odd_framing(struct lws *wsi)
{
	static const char *const odd[] = {
	    "content-length :", "content-length\t:", "transfer-encoding :", "transfer-encoding\t:"};
	for (unsigned i = 0; i < ARRAY_LEN(odd); i++)
		if (lws_hdr_custom_length(wsi, odd[i], (int)strlen(odd[i])) >= 0)
			return true;
	return false;
}

/* The refusals that do not need the body. */
static bool refuse_early(struct req *r, const char *length_text)
{
	uint64_t length = 0;
	bool has_length = length_text[0] != '\0';
	if (lws_hdr_total_length(r->wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0)
		refuse_framing(r, 411, "send the body with its Content-Length, not in chunks");
	else if (has_length && span_to_u64(span_str(length_text), &length))
		refuse_framing(r, 400, "Content-Length is not a length");
	else if (takes_body(r) && !has_length)
		refuse_framing(r, 411, "send the body with its Content-Length");
	else if (has_odd_framing(r->wsi))
		refuse_framing(r, 400,
		               "there is white space between a header's name and its colon");
	else if (is_cut(r->wsi))
		refuse_framing(r, 400, "the address has a line break in it");
	if (r->answering)
		return true;
	r->body_due = length > 0;
	r->wants_body = takes_body(r) && length > 0;
	if (!r->body_due)
		behind_came(r);
	if (length > r->body.max)
		problem(r, 413, "the body is larger than %zu bytes", r->body.max);
	return r->answering;
}

/* Who expects it waits a second for it before it sends the body (RFC 9110, 10.1.1). */
static void send_continue(struct lws *wsi)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
	unsigned char mem[LWS_PRE + sizeof(line)];
	if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_EXPECT) <= 0)
		return;
	memcpy(mem + LWS_PRE, line, sizeof(line));
	if (lws_write(wsi, mem + LWS_PRE, sizeof(line) - 1, LWS_WRITE_HTTP) < 0)
		log_debug("A client was gone before its body.");
}

static void begin(struct lws *wsi, struct pss *pss)
{
	struct web *w = web_of(wsi);
	struct req *r = xcalloc(1, sizeof(*r));
	char length[24];
	r->web = w;
	r->wsi = wsi;
	r->kind = kind_of(wsi);
	list_init(&r->node);
	list_init(&r->room_node);
	list_init(&r->page_node);
	list_init(&r->behind);
	list_append(&w->reqs, &r->node);
	buf_init(&r->out, LIMIT_WEB_EVENT_BYTES);
	pss->req = r;
	w->stats.requests++;
	r->method = method_of(wsi, r->path, sizeof(r->path));
	copy_header(wsi, r->type, sizeof(r->type), WSI_TOKEN_HTTP_CONTENT_TYPE);
	copy_header(wsi, r->accept, sizeof(r->accept), WSI_TOKEN_HTTP_ACCEPT);
	copy_header(wsi, r->language, sizeof(r->language), WSI_TOKEN_HTTP_ACCEPT_LANGUAGE);
	copy_custom(wsi, r->prefer, sizeof(r->prefer), "prefer:");
	copy_header(wsi, r->if_none_match, sizeof(r->if_none_match), WSI_TOKEN_HTTP_IF_NONE_MATCH);
	copy_header(wsi, length, sizeof(length), WSI_TOKEN_HTTP_CONTENT_LENGTH);
	if (!length[0] && lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0)
		strcpy(length, "?");
	buf_init(&r->body, body_limit(r));
	conn_begin(wsi);
	conn_ask(r);
	if (refuse_early(r, length))
		return;
	if (read_query(wsi, &r->query)) {
		problem(r, 400,
		        "the query string is malformed, too long, or names a parameter twice");
		return;
	}
	req_login(r);
	if (r->answering)
		return;
	if (r->wants_body)
		send_continue(wsi);
	else if (!r->proving)
		route(r);
}

static void take_body(struct req *r, const void *in, size_t len)
{
	if (r->answering)
		return;
	if (r->web->body_bytes + len > LIMIT_WEB_BODIES_BYTES) {
		problem(r, 503, "too many bodies are being received: send it again later");
		drop_body(r);
		return;
	}
	size_t before = r->body.len;
	buf_add(&r->body, in, len);
	r->web->body_bytes += r->body.len - before;
	if (r->body.err)
		problem(r, 413, "the body is larger than it said");
}

static void body_came(struct req *r)
{
	if (r->body_done) { /* said again: more came, which is not the body */
		behind_known(r);
		return;
	}
	r->body_done = true;
	behind_came(r);
	/* without a body it was routed by begin(); a page that waits is not answering yet, and must
	 * not begin again */
	if (r->wants_body && !r->answering && !r->proving)
		route(r);
}

static void gone(struct pss *pss)
{
	struct req *r = pss->req;
	pss->req = NULL;
	r->wsi = NULL;
	req_release(r);
}

int http_callback(struct lws *wsi, enum lws_callback_reasons reason, struct pss *pss, void *in,
                  size_t len)
{
	switch (reason) {
	case LWS_CALLBACK_HTTP:
		if (pss->req)
			return -1; /* one request at a time */
		begin(wsi, pss);
		return 0;
	case LWS_CALLBACK_HTTP_BODY:
		if (pss && pss->req)
			take_body(pss->req, in, len);
		return 0;
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		if (pss && pss->req)
			body_came(pss->req);
		return 0;
	case LWS_CALLBACK_HTTP_WRITEABLE: return pss && pss->req ? send_on(pss->req) : 0;
	case LWS_CALLBACK_CLOSED_HTTP:
	case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
		if (pss && pss->req)
			gone(pss);
		return 0;
	default: return 0;
	}
}
