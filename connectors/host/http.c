/* http.c - does not know what the body is; does fetch it into a file, with libcurl. */
#include "host/http.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "host/target.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct transfer {
	const struct http_request *r;
	struct http_answer *a;
	bool too_large;
	int write_errno;
};

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	size_t left = size * n;
	t->a->bytes += left;
	if (t->a->bytes > t->r->body_max) {
		t->too_large = true;
		return 0;
	}
	while (left > 0) {
		ssize_t w = write(t->r->fd, p, left);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0) {
			t->write_errno = errno;
			return 0;
		}
		p += w;
		left -= (size_t)w;
	}
	return size * n;
}

static void take_header(const char *line, size_t n, const char *name, char *out, size_t size)
{
	size_t m = strlen(name);
	if (n <= m || strncasecmp(line, name, m) != 0)
		return;
	line += m;
	n -= m;
	while (n > 0 && (*line == ' ' || *line == '\t'))
		line++, n--;
	while (n > 0 && strchr("\r\n \t", line[n - 1]))
		n--;
	if (n < size) { /* a mark that does not fit is none */
		memcpy(out, line, n);
		out[n] = '\0';
	}
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	size_t len = size * n;
	if (len > LIMIT_CONNECT_HEADER_BYTES)
		return 0;
	if (len > 5 && strncmp(p, "HTTP/", 5) == 0) /* of a redirect before */
		t->a->etag[0] = t->a->modified[0] = t->a->type[0] = '\0';
	take_header(p, len, "etag:", t->a->etag, sizeof(t->a->etag));
	take_header(p, len, "last-modified:", t->a->modified, sizeof(t->a->modified));
	take_header(p, len, "content-type:", t->a->type, sizeof(t->a->type));
	return len;
}

static struct curl_slist *add_header(struct curl_slist *l, const char *name, const char *value)
{
	char line[LIMIT_CONNECT_HEADER_BYTES];
	if (!value || !*value)
		return l;
	snprintf(line, sizeof(line), "%s%s", name, value);
	return curl_slist_append(l, line);
}

/* Of the block, and of the file with lines that nobody else may read. False when that cannot be
 * read: nobody is asked without what we should show. */
static bool headers(struct worker *w, const struct http_request *r, struct curl_slist **ret)
{
	struct curl_slist *l = NULL;
	char line[LIMIT_CONNECT_HEADER_BYTES];
	l = add_header(l, "If-None-Match: ", r->etag);
	l = add_header(l, "If-Modified-Since: ", r->modified);
	l = add_header(l, "Accept: ", r->accept);
	for (size_t i = 0; i < w->conf->n_headers; i++)
		l = add_header(l, "", w->conf->headers[i]);
	FILE *f = w->conf->header_file ? fopen(w->conf->header_file, "re") : NULL;
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = '\0';
		l = add_header(l, "", line);
	}
	if (f)
		fclose(f);
	*ret = l;
	return f || !w->conf->header_file;
}

static bool set_credentials(struct worker *w, CURL *c)
{
	const struct connector_conf *k = w->conf;
	const char *user = k->user, *file = k->password_file, *ca = k->ca;
	const char *cert = k->certificate, *key = k->key;
	auto_free char *password = file ? config_secret(w->config, file) : NULL;
	if (user)
		curl_easy_setopt(c, CURLOPT_USERNAME, user);
	if (password)
		curl_easy_setopt(c, CURLOPT_PASSWORD, password);
	if (ca)
		curl_easy_setopt(c, CURLOPT_CAINFO, ca);
	if (cert)
		curl_easy_setopt(c, CURLOPT_SSLCERT, cert);
	if (key)
		curl_easy_setopt(c, CURLOPT_SSLKEY, key);
	return password || !file;
}

static void set_options(struct transfer *t, CURL *c, struct curl_slist *list, char *error)
{
	const struct http_request *r = t->r;
	curl_easy_setopt(c, CURLOPT_URL, r->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)LIMIT_CONNECT_REDIRECTS);
	curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl_easy_setopt(c, CURLOPT_USERAGENT, "oudp-connect/" OUDP_VERSION);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)LIMIT_CONNECT_OPEN_S);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME,
	                 r->stall_s ? r->stall_s : (long)LIMIT_CONNECT_STALL_S);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
	if (r->method && strcmp(r->method, "POST") == 0) {
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, r->body ? r->body : "");
	}
}

/* Turns until the transfer is over; the broker's connection has its turn in between. */
static int turn(struct worker *w, CURLM *m, CURLcode *ret)
{
	int running = 1;
	while (running > 0) {
		if (curl_multi_perform(m, &running) != CURLM_OK)
			return -EIO;
		if (worker_stopping(w))
			return ERR_CLOSED;
		if (running == 0)
			break;
		struct pollfd p = target_pollfd(w->target);
		struct curl_waitfd extra = {.fd = p.fd, .events = CURL_WAIT_POLLIN};
		curl_multi_poll(m, &extra, p.fd >= 0 ? 1 : 0, 250, NULL);
		target_pump(w->target, 0, NULL, 0);
	}
	int left;
	CURLMsg *msg = curl_multi_info_read(m, &left);
	if (!msg || msg->msg != CURLMSG_DONE)
		return -EIO;
	*ret = msg->data.result;
	return 0;
}

static void take_result(CURL *c, struct http_answer *a)
{
	curl_off_t after = 0;
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a->status);
	if (curl_easy_getinfo(c, CURLINFO_RETRY_AFTER, &after) == CURLE_OK && after > 0)
		a->retry_after_s = MIN_OF((int64_t)after, (int64_t)LIMIT_CONNECT_RETRY_AFTER_S);
}

int http_fetch(struct worker *w, const struct http_request *r, struct http_answer *ret)
{
	char error[CURL_ERROR_SIZE] = "";
	struct http_answer a = {0};
	struct transfer t = {.r = r, .a = &a};
	CURLcode code = CURLE_FAILED_INIT;
	CURL *c = curl_easy_init();
	CURLM *m = curl_multi_init();
	struct curl_slist *list = NULL;
	int err = -ENOMEM;
	if (!c || !m)
		goto out;
	if (!headers(w, r, &list) || !set_credentials(w, c)) {
		snprintf(error, sizeof(error), "header-file or password-file cannot be read");
		err = -EACCES;
		goto out;
	}
	set_options(&t, c, list, error);
	curl_multi_add_handle(m, c);
	err = turn(w, m, &code);
	if (err == 0 && code == CURLE_OK)
		take_result(c, &a);
	else if (err == 0)
		err = -EIO;
	curl_multi_remove_handle(m, c);
out:
	if (t.too_large)
		snprintf(a.error, sizeof(a.error), "the body is larger than body-max");
	else if (t.write_errno)
		snprintf(a.error, sizeof(a.error), "spool: %s", strerror(t.write_errno));
	else if (err < 0)
		snprintf(a.error, sizeof(a.error), "%s",
		         error[0] ? error : curl_easy_strerror(code));
	curl_slist_free_all(list);
	if (m)
		curl_multi_cleanup(m);
	if (c)
		curl_easy_cleanup(c);
	*ret = a;
	return err;
}
