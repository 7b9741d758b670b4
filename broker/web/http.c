/* http.c - requests and responses over lws: headers in, body in, one response out in pieces. */
#include "base/err.h"
#include "base/mem.h"
#include "web/private.h"
#include "json/write.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	CHUNK_BYTES = LIMIT_WEB_WRITE_BYTES,
	CHUNK_HEAD_BYTES = 16,
	HEAD_BYTES = 4096,
	DETAIL_BYTES = 512
};

const struct common_header common_headers[] = {
    /* NLGov REST API Design Rules 2.2.1: API-Version and the security headers on every answer */
    {"API-Version:", "1.0.0"},
    {"Cache-Control:", "no-store"},
    {"Content-Security-Policy:", "default-src 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options:", "nosniff"},
    {"X-Frame-Options:", "DENY"},
    {"Referrer-Policy:", "no-referrer"},
    {"Access-Control-Allow-Origin:", "*"},
    {"Access-Control-Expose-Headers:", "API-Version, Link, Location, ETag, Content-Crs"},
};
const unsigned n_common_headers = ARRAY_LEN(common_headers);

/* ---- answering ---- */

void respond_header(struct req *r, const char *name, const char *value)
{
	size_t n = strlen(name) + 1, v = strlen(value) + 1;
	assert(r->extra_len + n + v <= sizeof(r->extra));
	memcpy(r->extra + r->extra_len, name, n);
	memcpy(r->extra + r->extra_len + n, value, v);
	r->extra_len += n + v;
}

/* The next of them from *at on; NULL: no more. */
static const char *next_extra(const struct req *r, size_t *at, const char **ret_value)
{
	if (*at == r->extra_len)
		return NULL;
	const char *name = r->extra + *at;
	*ret_value = name + strlen(name) + 1;
	*at += strlen(name) + strlen(*ret_value) + 2;
	return name;
}

const char *req_extra(const struct req *r, const char *name)
{
	const char *one, *value;
	for (size_t at = 0; (one = next_extra(r, &at, &value));)
		if (strcmp(one, name) == 0)
			return value;
	return NULL;
}

static void count(struct web *w, int status)
{
	if (status >= 500)
		w->stats.responses_5xx++;
	else if (status >= 400)
		w->stats.responses_4xx++;
}

void req_count(struct req *r)
{
	r->web->answer_bytes += r->out.cap - r->counted;
	r->counted = r->out.cap;
}

void respond(struct req *r, int status, const char *content_type)
{
	assert(!r->answering);
	r->answering = true;
	r->status = status;
	r->content_type = content_type;
	if (r->out.err) {
		r->status = 500;
		r->content_type = "application/problem+json";
		buf_clear(&r->out);
		problem_write(&r->out, 500, "the answer is too large", NULL);
	}
	count(r->web, r->status);
	req_count(r);
	administer_end(r, r->status, r->detail);
	if (r->answered)
		r->answered(r);
	else if (r->wsi)
		conn_wake(r->wsi);
}

const char *status_title(int status)
{
	switch (status) {
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 406: return "Not Acceptable";
	case 409: return "Conflict";
	case 411: return "Length Required";
	case 412: return "Precondition Failed";
	case 413: return "Content Too Large";
	case 415: return "Unsupported Media Type";
	case 424: return "Failed Dependency";
	case 426: return "Upgrade Required";
	case 429: return "Too Many Requests";
	case 501: return "Not Implemented";
	case 503: return "Service Unavailable";
	case 507: return "Insufficient Storage";
	default: return "Internal Server Error";
	}
}

/* RFC 9457; errors: every parameter that is wrong. */
void problem_write(struct buf *b, int status, const char *detail, const struct faults *f)
{
	buf_addf(b, "{\"status\":%d,\"title\":\"%s\",\"detail\":", status, status_title(status));
	json_write_string(b, span_str(detail));
	for (unsigned i = 0; f && i < f->n; i++) {
		buf_add_str(b, i ? ",{\"detail\":" : ",\"errors\":[{\"detail\":");
		json_write_string(b, span_str(f->one[i].detail));
		if (f->one[i].parameter[0]) {
			json_write_name(b, "parameter");
			json_write_string(b, span_str(f->one[i].parameter));
		}
		buf_add_char(b, '}');
	}
	buf_add_str(b, f && f->n ? "]}" : "}");
}

bool req_wants_page(const struct req *r)
{
	return r->kind != WEB_ADMIN && strncmp(r->path, "/v1/", 4) != 0 &&
	       strstr(r->accept, "text/html");
}

/* Who asked for a page gets one; the API speaks JSON whoever asks. */
static void answer_problem(struct req *r, int status, const char *detail, const struct faults *f)
{
	buf_clear(&r->out);
	r->detail = detail;
	if (req_wants_page(r)) {
		page_problem(r, status, detail);
	} else {
		r->html = false;
		problem_write(&r->out, status, detail, f);
		respond(r, status, "application/problem+json");
	}
	r->detail = NULL;
}

void problem(struct req *r, int status, const char *fmt, ...)
{
	char detail[DETAIL_BYTES];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	answer_problem(r, status, detail, NULL);
}

void problem_faults(struct req *r, int status, const struct faults *f)
{
	char detail[DETAIL_BYTES];
	int n = 0;
	assert(f->n);
	for (unsigned i = 0; i < f->n && (size_t)n < sizeof(detail); i++)
		n += snprintf(detail + n, sizeof(detail) - (size_t)n, "%s%s%s%s", i ? "; " : "",
		              f->one[i].parameter, f->one[i].parameter[0] ? ": " : "",
		              f->one[i].detail);
	answer_problem(r, status, detail, f);
}

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
	for (size_t at = 0; (name = next_extra(r, &at, &value));)
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

void req_wait(struct req *r)
{
	lws_set_timeout(r->wsi, NO_PENDING_TIMEOUT, 0);
}

void stream_begin(struct req *r, const char *content_type)
{
	r->stream = true;
	respond(r, 200, content_type);
	req_wait(r);
}

/* Whether the entity tags of an If-None-Match header have this one (RFC 9110, 13.1.2). */
static bool has_tag(const char *header, const char *tag)
{
	return strcmp(header, "*") == 0 || strstr(header, tag) != NULL;
}

void respond_tagged(struct req *r, const char *content_type)
{
	static const struct hash_key key = {0x6f756470, 1}; /* the same tag after a restart */
	if (!r->out.err) {
		snprintf(r->etag, sizeof(r->etag), "\"%016llx\"",
		         (unsigned long long)hash64(&key, r->out.p, r->out.len));
		r->cache = "no-cache"; /* ask, then use */
	}
	bool same = !r->out.err && has_tag(r->if_none_match, r->etag);
	if (same)
		buf_clear(&r->out);
	respond(r, same ? 304 : 200, same ? NULL : content_type);
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

static int writeable(struct req *r)
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

/* ---- asking ---- */

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
	case LWS_CALLBACK_HTTP_WRITEABLE: return pss && pss->req ? writeable(pss->req) : 0;
	case LWS_CALLBACK_CLOSED_HTTP:
	case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
		if (pss && pss->req)
			gone(pss);
		return 0;
	default: return 0;
	}
}
