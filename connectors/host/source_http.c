/* source_http.c - polls URLs. A body goes to a file first; it is mapped from there, and kept until
 * the broker has all of it, so that neither a cut transfer nor our own end loses or halves it.
 *
 * Position: {"urls": {URL: {etag, modified, hash}}, "last": ms, "spool": {...}}. spool is there
 * while a complete body waits in <name>.body. */
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "host/backoff.h"
#include "host/http.h"
#include "host/mapping.h"
#include "host/template.h"
#include "host/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct poll_state {
	struct worker *w;
	jv position;
	int fd; /* the body */
	struct backoff backoff;
	bool failed; /* something in this round did */
	int64_t began_ms;
};

static int64_t mono_ms(void)
{
	struct clock c = clock_system();
	return (int64_t)(clock_mono_ns(&c) / 1000000);
}

static int64_t wall_ms(void)
{
	struct clock c = clock_system();
	return clock_wall_ms(&c);
}

static jv member(jv object, const char *name)
{
	jv v = jv_object_get(jv_copy(object), jv_string(name));
	if (!jv_is_valid(v)) {
		jv_free(v);
		return jv_null();
	}
	return v;
}

static void copy_text(jv object, const char *name, char *out, size_t size)
{
	jv v = member(object, name);
	snprintf(out, size, "%s", jv_get_kind(v) == JV_KIND_STRING ? jv_string_value(v) : "");
	jv_free(v);
}

static jv url_marks(struct poll_state *s, const char *url)
{
	jv urls = member(s->position, "urls");
	jv marks = jv_get_kind(urls) == JV_KIND_OBJECT
	               ? jv_object_get(jv_copy(urls), jv_string(url))
	               : jv_invalid();
	jv_free(urls);
	if (jv_get_kind(marks) == JV_KIND_OBJECT)
		return marks;
	jv_free(marks);
	return jv_object();
}

static void set_url_marks(struct poll_state *s, const char *url, jv marks)
{
	jv urls = member(s->position, "urls");
	if (jv_get_kind(urls) != JV_KIND_OBJECT) {
		jv_free(urls);
		urls = jv_object();
	}
	s->position = jv_object_set(s->position, jv_string("urls"),
	                            jv_object_set(urls, jv_string(url), marks));
}

static int keep(struct poll_state *s)
{
	return worker_keep(s->w, jv_copy(s->position));
}

static int on_checkpoint(struct worker *w, uint64_t records, uint64_t offset)
{
	struct poll_state *s = w->checkpoint_ctx;
	(void)offset;
	jv spool = member(s->position, "spool");
	spool = jv_object_set(spool, jv_string("records"), jv_number((double)records));
	s->position = jv_object_set(s->position, jv_string("spool"), spool);
	return keep(s);
}

/* Gives the body to the decoder, from its beginning. */
static int feed_body(struct poll_state *s)
{
	char buf[64 << 10];
	off_t at = 0;
	for (;;) {
		ssize_t n = pread(s->fd, buf, sizeof(buf), at);
		if (n < 0)
			return -errno;
		if (n == 0)
			return worker_end(s->w);
		at += n;
		int err = worker_feed(s->w, buf, (size_t)n);
		if (err < 0)
			return err;
	}
}

/* What stands in the spool goes to the broker; the marks are kept only then. */
static int deliver_spool(struct poll_state *s)
{
	jv spool = member(s->position, "spool");
	jv records = member(spool, "records"), marks = member(spool, "marks");
	jv url = member(spool, "url"), received = member(spool, "received");
	uint64_t skip =
	    jv_get_kind(records) == JV_KIND_NUMBER ? (uint64_t)jv_number_value(records) : 0;
	jv envelope = JV_OBJECT(jv_string("url"), jv_copy(url), jv_string("received"), received);
	worker_begin(s->w, envelope, skip, 0);
	s->w->checkpoint = on_checkpoint;
	s->w->checkpoint_ctx = s;
	int err = feed_body(s);
	s->w->checkpoint = NULL;
	if (err == ERR_MALFORMED) {
		TALLY_SET(s->w->tally, source_ok, 0);
		s->failed = true;
		err = 0;
	}
	if (err == 0)
		err = worker_deliver(s->w);
	if (err == 0) {
		s->position = jv_object_delete(s->position, jv_string("spool"));
		if (jv_get_kind(url) == JV_KIND_STRING)
			set_url_marks(s, jv_string_value(url), jv_copy(marks));
		err = keep(s);
	}
	jv_free(spool);
	jv_free(records);
	jv_free(marks);
	jv_free(url);
	return err;
}

static void hash_body(int fd, char out[40])
{
	static const struct hash_key key = {1, 2};
	uint64_t h[2], all[2] = {0, 0};
	char buf[64 << 10];
	off_t at = 0;
	ssize_t n;
	while ((n = pread(fd, buf, sizeof(buf), at)) > 0) {
		hash128(&key, buf, (size_t)n, h);
		all[0] = all[0] * 31 + h[0];
		all[1] = all[1] * 31 + h[1];
		at += n;
	}
	snprintf(out, 40, "%016llx%016llx", (unsigned long long)all[0], (unsigned long long)all[1]);
}

/* A whole body has come. The same bytes as the last delivered ones are nothing new. */
static int take_body(struct poll_state *s, const char *url, const struct http_answer *a,
                     bool first_page)
{
	char hash[40], last[40], text[RFC3339_BYTES];
	jv marks = url_marks(s, url);
	hash_body(s->fd, hash);
	copy_text(marks, "hash", last, sizeof(last));
	jv_free(marks);
	if (strcmp(hash, last) == 0) {
		TALLY_ADD(s->w->tally, unchanged, 1);
		return 0;
	}
	if (!s->w->dry && fsync(s->fd) < 0)
		return -errno;
	marks = JV_OBJECT(jv_string("hash"), jv_string(hash));
	if (first_page && !s->w->conf->next && a->etag[0])
		marks = jv_object_set(marks, jv_string("etag"), jv_string(a->etag));
	if (first_page && !s->w->conf->next && a->modified[0])
		marks = jv_object_set(marks, jv_string("modified"), jv_string(a->modified));
	rfc3339_format(wall_ms(), text);
	jv spool = JV_OBJECT(jv_string("url"), jv_string(url), jv_string("marks"), marks,
	                     jv_string("received"), jv_string_sized(text, sizeof(text)));
	s->position = jv_object_set(s->position, jv_string("spool"), spool);
	int err = keep(s);
	return err < 0 ? err : deliver_spool(s);
}

/* What a status that is no body asks of us. */
static void refused_by_server(struct poll_state *s, const char *url, const struct http_answer *a)
{
	s->failed = true;
	worker_source_failed(s->w, "%s: HTTP status %ld", url, a->status);
	backoff_failed(&s->backoff);
	if (a->retry_after_s > 0)
		backoff_wait(&s->backoff, a->retry_after_s * 1000);
}

static char *next_page(struct poll_state *s, const char *url)
{
	char *out = NULL;
	off_t size = lseek(s->fd, 0, SEEK_END);
	if (!s->w->conf->next || size <= 0 || size > LIMIT_CONNECT_RECORD_BYTES)
		return NULL;
	auto_free char *text = xmalloc((size_t)size);
	if (pread(s->fd, text, (size_t)size, 0) != size)
		return NULL;
	jv v = jv_parse_sized(text, (int)size);
	if (jv_is_valid(v))
		out = mapping_next_url(s->w->conf->next, v, url);
	else
		jv_free(v);
	return out;
}

/* One page. ret_next is set when there is another. */
static int poll_page(struct poll_state *s, const char *url, bool first, char **ret_next)
{
	char etag[256] = "", modified[64] = "";
	struct http_answer a;
	const struct connector_conf *k = s->w->conf;
	auto_free char *body = template_expand(k->body, s->began_ms, s->position, k->catch_up_ms);
	if (first && !k->next) {
		jv marks = url_marks(s, url);
		copy_text(marks, "etag", etag, sizeof(etag));
		copy_text(marks, "modified", modified, sizeof(modified));
		jv_free(marks);
	}
	if (ftruncate(s->fd, 0) < 0 || lseek(s->fd, 0, SEEK_SET) < 0)
		return -errno;
	struct http_request r = {.url = url,
	                         .method = k->method,
	                         .body = body,
	                         .etag = etag,
	                         .modified = modified,
	                         .timeout_ms = k->timeout_ms,
	                         .body_max = k->body_max,
	                         .fd = s->fd};
	int err = http_fetch(s->w, &r, &a);
	if (err == ERR_CLOSED)
		return err;
	if (err < 0) {
		s->failed = true;
		worker_source_failed(s->w, "%s: %s", url, a.error);
		backoff_failed(&s->backoff);
		return 0;
	}
	if (a.status != 200 && a.status != 304 && a.status != 204) {
		refused_by_server(s, url, &a);
		return 0;
	}
	worker_source_ok(s->w);
	backoff_ok(&s->backoff);
	if (a.status != 200) {
		TALLY_ADD(s->w->tally, unchanged, 1);
		return 0;
	}
	*ret_next = next_page(s, url);
	return take_body(s, url, &a, first);
}

static int poll_url(struct poll_state *s, const char *template)
{
	const struct connector_conf *k = s->w->conf;
	char *url = template_expand(template, s->began_ms, s->position, k->catch_up_ms);
	int err = 0;
	for (int page = 0; url && err == 0 && !s->failed; page++) {
		char *next = NULL;
		if (page == LIMIT_CONNECT_PAGES) {
			worker_hole(s->w, 1, "more than %d pages", LIMIT_CONNECT_PAGES);
			break;
		}
		if (page > 0)
			err = worker_sleep(s->w, k->gap_ms);
		if (err == 0)
			err = poll_page(s, url, page == 0, &next);
		if (next && strcmp(next, url) == 0) {
			free(next);
			next = NULL;
		}
		free(url);
		url = next;
	}
	free(url);
	return err;
}

static int poll_all(struct poll_state *s)
{
	const struct connector_conf *k = s->w->conf;
	int err = 0;
	s->failed = false;
	s->began_ms = wall_ms();
	for (size_t i = 0; i < k->n_urls && err == 0; i++) {
		if (i > 0)
			err = worker_sleep(s->w, MAX_OF(k->gap_ms, backoff_left_ms(&s->backoff)));
		bool before = s->failed;
		s->failed = false;
		if (err == 0)
			err = poll_url(s, k->urls[i]);
		s->failed = s->failed || before;
	}
	if (err < 0 || s->failed)
		return err;
	s->position = jv_object_set(s->position, jv_string("last"), jv_number((double)s->began_ms));
	return keep(s);
}

/* Rounds begin an interval apart; one that took longer is followed at once, and what it made us
 * miss is a hole: such a source holds nothing. */
static int rounds(struct poll_state *s)
{
	const struct connector_conf *k = s->w->conf;
	for (;;) {
		int64_t began = mono_ms();
		int err = poll_all(s);
		if (err < 0)
			return err;
		if (s->w->once)
			return s->failed ? -EIO : 0;
		int64_t took = mono_ms() - began, wait = k->interval_ms - took;
		if (took >= 2 * k->interval_ms)
			worker_hole(s->w, (uint64_t)(took / k->interval_ms) - 1, "polls missed");
		if (s->failed)
			wait = MIN_OF(MAX_OF(wait, 0), backoff_left_ms(&s->backoff));
		wait = MAX_OF(wait, backoff_left_ms(&s->backoff));
		err = worker_sleep(s->w, wait);
		if (err < 0)
			return err;
	}
}

int source_http(struct worker *w)
{
	struct poll_state s = {.w = w, .position = worker_position(w), .fd = -1};
	auto_free char *path = worker_file(w, ".body");
	int err = ERR_STORE_DAMAGED;
	backoff_init(&s.backoff);
	if (!jv_is_valid(s.position)) {
		worker_source_failed(w, "the position in %s cannot be read", w->config->state_dir);
		goto out;
	}
	s.fd = w->dry ? open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600)
	              : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s.fd < 0) {
		err = -errno;
		worker_source_failed(w, "%s: %s", path, strerror(errno));
		goto out;
	}
	err = 0;
	if (jv_object_has(jv_copy(s.position), jv_string("spool")))
		err = deliver_spool(&s);
	if (err == 0)
		err = rounds(&s);
out:
	if (s.fd >= 0)
		close(s.fd);
	jv_free(s.position);
	return err;
}
