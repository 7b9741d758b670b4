/* http.c - libcurl lives here and nowhere else. One request, one answer; the connection is kept for
 * the next. */
#include "cli/http.h"

#include "base/limits.h"
#include "base/mem.h"
#include "cli/text.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ANSWER_BYTES = 64 << 20, /* a page of rows with payloads; more is no answer of ours */
	CONNECT_TIMEOUT_S = 10,
	ANSWER_TIMEOUT_S = 300 /* retrying a whole quarantine takes its time */
};

void http_reply_done(struct http_reply *r)
{
	buf_done(&r->body);
	json_decref(r->json);
	*r = (struct http_reply){0};
}

static size_t take(char *p, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;
	buf_add(b, p, size * n);
	return b->err ? 0 : size * n;
}

static bool by_socket(const struct cli *c, enum http_way way)
{
	if (way == HTTP_ADMIN || c->socket_asked)
		return true;
	return !c->url_asked && access(c->socket, R_OK | W_OK) == 0;
}

static int tell_socket(const struct cli *c, int err)
{
	struct stat st;
	if (err == EACCES || (err == 0 && access(c->socket, W_OK) < 0 && errno == EACCES))
		return cli_trouble(
		    c, "%s is not yours: administration is for the user oudpd runs as, and root",
		    c->socket);
	if (stat(c->socket, &st) < 0)
		return cli_trouble(
		    c,
		    "is oudpd running? there is no %s "
		    "(another data directory: --data-dir, or --socket, or OUDP_SOCKET)",
		    c->socket);
	return cli_trouble(c, "is oudpd running? nobody listens at %s", c->socket);
}

static int tell_failure(const struct cli *c, CURL *curl, CURLcode rc, bool socket)
{
	long err = 0;
	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &err);
	if (rc == CURLE_COULDNT_CONNECT && socket)
		return tell_socket(c, (int)err);
	const char *host = strstr(c->url, "://");
	host = host ? host + 3 : c->url;
	const char *at = socket ? c->socket : c->url;
	switch (rc) {
	case CURLE_COULDNT_CONNECT:
		return cli_trouble(
		    c, "is oudpd running? nothing listens at %s (another: --url, or OUDP_URL)",
		    host);
	case CURLE_COULDNT_RESOLVE_HOST:
		return cli_trouble(c, "the host of %s is not known; look at --url or OUDP_URL",
		                   c->url);
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return cli_trouble(
		    c, "'%s' is no URL of a web listener; http://127.0.0.1:8080 is one", c->url);
	case CURLE_OPERATION_TIMEDOUT: return cli_trouble(c, "%s gave no answer in time", at);
	default: return cli_trouble(c, "asking %s failed: %s", at, curl_easy_strerror(rc));
	}
}

static int perform(struct cli *c, CURL *curl, bool socket, struct http_reply *r)
{
	CURLcode rc = curl_easy_perform(curl);
	if (rc != CURLE_OK)
		return tell_failure(c, curl, rc, socket);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &r->status);
	const char *type = NULL;
	curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
	if (type && strstr(type, "json"))
		r->json = json_loadb(r->body.p ? r->body.p : "", r->body.len,
		                     JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	return 0;
}

void http_end(struct cli *c)
{
	if (c->curl)
		curl_easy_cleanup(c->curl);
	c->curl = NULL;
}

/* A request for path that is all set but for its body and what comes of the answer. */
static CURL *prepare(struct cli *c, bool socket, const char *path, char **ret_url)
{
	assert(path[0] == '/');
	if (c->curl)
		curl_easy_reset(c->curl); /* keeps its connections */
	else
		c->curl = curl_easy_init();
	CURL *curl = c->curl;
	if (!curl)
		return NULL;
	if (asprintf(ret_url, "%s%s", socket ? "http://localhost" : c->url, path) < 0)
		*ret_url = NULL;
	curl_easy_setopt(curl, CURLOPT_URL, *ret_url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	if (socket)
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	return curl;
}

int http_send(struct cli *c, enum http_way way, const char *method, const char *path,
              const char *type, struct span body, struct http_reply *r)
{
	bool socket = by_socket(c, way);
	auto_free char *url = NULL, *type_line = NULL;
	*r = (struct http_reply){0};
	buf_init(&r->body, ANSWER_BYTES);
	CURL *curl = prepare(c, socket, path, &url);
	if (!curl)
		return cli_trouble(c, "libcurl does not start");
	struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)ANSWER_TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &r->body);
	if (type && asprintf(&type_line, "Content-Type: %s", type) > 0) {
		headers = curl_slist_append(headers, type_line);
		headers = curl_slist_append(headers, "Expect:"); /* no 100-continue */
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.p);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
	}
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	int err = perform(c, curl, socket, r);
	curl_slist_free_all(headers);
	if (err)
		http_reply_done(r);
	return err;
}

int http_ask(struct cli *c, enum http_way way, const char *method, const char *path,
             const json_t *body, struct http_reply *r)
{
	auto_free char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	return http_send(c, way, method, path, text ? "application/json" : NULL, span_str(text), r);
}

/* The body goes to the file when the answer is 200, else it is kept: it says what is wrong. */
struct saving {
	CURL *curl;
	FILE *to;
	struct buf *other;
};

static size_t save(char *p, size_t size, size_t n, void *arg)
{
	const struct saving *s = arg;
	long status = 0;
	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	return status == 200 ? fwrite(p, size, n, s->to) * size : take(p, size, n, s->other);
}

int http_save(struct cli *c, const char *path, const char *accept, FILE *to, struct http_reply *r)
{
	bool socket = by_socket(c, HTTP_READ);
	auto_free char *url = NULL, *line = NULL;
	*r = (struct http_reply){0};
	buf_init(&r->body, ANSWER_BYTES);
	CURL *curl = prepare(c, socket, path, &url);
	if (!curl || asprintf(&line, "Accept: %s", accept) < 0)
		return cli_trouble(c, "libcurl does not start");
	struct saving s = {curl, to, &r->body};
	struct curl_slist *headers = curl_slist_append(NULL, line);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	/* as long as something comes */
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)ANSWER_TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, save);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &s);
	int err = perform(c, curl, socket, r);
	curl_slist_free_all(headers);
	if (err)
		http_reply_done(r);
	return err;
}

/* One of "errors": where, unless the text says it, and what, unless that was told. */
static void print_fault(const json_t *e, const char *told)
{
	const char *detail =
	    json_is_string(e) ? json_string_value(e) : reply_text(e, "detail", "?");
	if (told && strstr(told, detail))
		return;
	const char *where = reply_text(e, "pointer", "");
	bool said = *where == '\0' || strstr(detail, where);
	fprintf(stderr, "  %s%s%s\n", said ? "" : where, said ? "" : ": ", detail);
}

int http_problem(const struct cli *c, const struct http_reply *r)
{
	const char *detail = reply_text(r->json, "detail", reply_text(r->json, "title", NULL));
	if (r->status == 403 && !detail)
		detail =
		    "this is for the administrator: it goes over the socket in the data directory";
	if (detail)
		cli_trouble(c, "%s", detail);
	else
		cli_trouble(c, "the answer was HTTP %ld", r->status);
	size_t i;
	json_t *e;
	json_array_foreach(json_object_get(r->json, "errors"), i, e) print_fault(e, detail);
	return CLI_TROUBLE;
}

int http_json(struct cli *c, enum http_way way, const char *method, const char *path,
              const json_t *body, json_t **ret)
{
	struct http_reply r;
	int err = http_ask(c, way, method, path, body, &r);
	if (err)
		return err;
	if (r.status / 100 != 2)
		err = http_problem(c, &r);
	else if (!r.json)
		err = cli_trouble(c, "%s answered without JSON: is that oudpd?", path);
	else
		*ret = json_incref(r.json);
	http_reply_done(&r);
	return err;
}

char *http_feed_path(const char *feed, const char *suffix)
{
	struct buf b;
	buf_init(&b, 16 << 10);
	buf_add_str(&b, "/v1/feeds/");
	text_percent(&b, span_str(feed));
	buf_add_str(&b, suffix);
	char *path = xstrdup(buf_str(&b));
	buf_done(&b);
	return path;
}

const char *reply_text(const json_t *object, const char *name, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(object, name));
	return s ? s : otherwise;
}

uint64_t reply_count(const json_t *object, const char *name)
{
	json_int_t v = json_integer_value(json_object_get(object, name));
	return v > 0 ? (uint64_t)v : 0;
}

double reply_real(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}
