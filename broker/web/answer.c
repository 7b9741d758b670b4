/* answer.c - what is answered: status, headers and body, or a problem. send.c sends it. */
#include "web/private.h"
#include "json/write.h"

#include <stdarg.h>
#include <stdio.h>

enum { DETAIL_BYTES = 512 };

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

void respond_header(struct req *r, const char *name, const char *value)
{
	size_t n = strlen(name) + 1, v = strlen(value) + 1;
	assert(r->extra_len + n + v <= sizeof(r->extra));
	memcpy(r->extra + r->extra_len, name, n);
	memcpy(r->extra + r->extra_len + n, value, v);
	r->extra_len += n + v;
}

const char *req_next_extra(const struct req *r, size_t *at, const char **ret_value)
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
	for (size_t at = 0; (one = req_next_extra(r, &at, &value));)
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
