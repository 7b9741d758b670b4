/* source_feed.c - a feed of our own broker, read by cursor: GET events?after=...&wait=... What is
 * delivered is behind the cursor; the feed holds the rest, and says what it no longer has.
 *
 * Position: {"cursor": "feed:EPOCH:SEQUENCE"}. */
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/backoff.h"
#include "host/http.h"
#include "host/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct feed_source {
	struct worker *w;
	char *cursor; /* NULL: from the oldest */
	int fd;
	struct backoff backoff;
	int events; /* of the last page */
	bool
	    waits; /* for events: after one answer, so that it is soon known whether there is any */
};

static jv text_of(jv object, const char *name)
{
	jv v = jv_object_get(jv_copy(object), jv_string(name));
	if (jv_get_kind(v) == JV_KIND_STRING)
		return v;
	jv_free(v);
	return jv_null();
}

static double number_of(jv object, const char *name)
{
	jv v = jv_object_get(jv_copy(object), jv_string(name));
	double d = jv_get_kind(v) == JV_KIND_NUMBER ? jv_number_value(v) : 0;
	jv_free(v);
	return d;
}

/* What the event says about itself, for the mapping and for who published it. */
static jv envelope_of(jv event)
{
	static const char *const members[][2] = {{"id", "id"},
	                                         {"subject", "thing"},
	                                         {"time", "received"},
	                                         {"topic", "topic"},
	                                         {"identity", "identity"}};
	jv out = jv_object();
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		jv v = text_of(event, members[i][0]);
		if (jv_get_kind(v) == JV_KIND_STRING)
			out = jv_object_set(out, jv_string(members[i][1]), v);
		else
			jv_free(v);
	}
	return out;
}

/* Its id is the position behind it and "-gap". */
static void take_gap(struct feed_source *f, jv event)
{
	jv id = text_of(event, "id");
	const char *end =
	    jv_get_kind(id) == JV_KIND_STRING ? strrchr(jv_string_value(id), '-') : NULL;
	if (end) {
		free(f->cursor);
		f->cursor = xstrndup(jv_string_value(id), (size_t)(end - jv_string_value(id)));
	}
	jv_free(id);
	jv data = jv_object_get(jv_copy(event), jv_string("data"));
	if (jv_get_kind(data) == JV_KIND_OBJECT) {
		double from = number_of(data, "from"), to = number_of(data, "to");
		jv why = text_of(data, "reason");
		worker_hole(f->w, to >= from ? (uint64_t)(to - from) + 1 : 1,
		            "the feed no longer has %.0f to %.0f: %s", from, to,
		            jv_get_kind(why) == JV_KIND_STRING ? jv_string_value(why) : "gone");
		jv_free(why);
	}
	jv_free(data);
}

static int take_binary(struct feed_source *f, jv event)
{
	jv text = text_of(event, "data_base64");
	int err = 0;
	if (jv_get_kind(text) == JV_KIND_STRING) {
		size_t n = (size_t)jv_string_length_bytes(jv_copy(text));
		const char *p = jv_string_value(text);
		auto_free unsigned char *bytes = xmalloc(n + 4);
		int m = EVP_DecodeBlock(bytes, (const unsigned char *)p, (int)n);
		for (size_t i = n; m > 0 && i > 0 && p[i - 1] == '='; i--)
			m--; /* it counts the padding */
		if (m >= 0)
			err = worker_document(f->w, envelope_of(event), bytes, (size_t)m);
		else
			TALLY_ADD(f->w->tally, undecodable, 1);
	}
	jv_free(text);
	return err;
}

static int take_event(struct feed_source *f, jv event)
{
	int err = 0;
	jv type = text_of(event, "type"), sequence = text_of(event, "sequence");
	jv data = jv_object_get(jv_copy(event), jv_string("data"));
	if (jv_get_kind(type) == JV_KIND_STRING &&
	    strcmp(jv_string_value(type), "nl.oudp.feed.gap.v1") == 0) {
		take_gap(f, event);
	} else if (jv_get_kind(sequence) != JV_KIND_STRING) {
		; /* what a feed says about itself */
	} else if (jv_is_valid(data)) {
		jv text = jv_dump_string(jv_copy(data), 0);
		err = worker_document(f->w, envelope_of(event), jv_string_value(text),
		                      (size_t)jv_string_length_bytes(jv_copy(text)));
		jv_free(text);
	} else {
		err = take_binary(f, event);
	}
	jv id = text_of(event, "id");
	if (err == 0 && jv_get_kind(id) == JV_KIND_STRING &&
	    jv_get_kind(sequence) == JV_KIND_STRING) {
		free(f->cursor);
		f->cursor = xstrdup(jv_string_value(id));
	}
	jv_free(id);
	jv_free(data);
	jv_free(type);
	jv_free(sequence);
	return err;
}

static int take_page(struct feed_source *f, uint64_t bytes)
{
	auto_free char *text = xmalloc(bytes + 1);
	if (pread(f->fd, text, bytes, 0) != (ssize_t)bytes)
		return -EIO;
	jv page = jv_parse_sized(text, (int)bytes);
	if (jv_get_kind(page) != JV_KIND_ARRAY) {
		jv_free(page);
		worker_source_failed(f->w, "%s: not a page of events", f->w->conf->urls[0]);
		backoff_failed(&f->backoff);
		return 0;
	}
	int err = 0, n = jv_array_length(jv_copy(page));
	f->events = n;
	for (int i = 0; i < n && err == 0; i++) {
		jv event = jv_array_get(jv_copy(page), i);
		if (jv_get_kind(event) == JV_KIND_OBJECT)
			err = take_event(f, event);
		jv_free(event);
	}
	jv_free(page);
	if (err == 0)
		err = worker_deliver(f->w);
	if (err == 0 && n > 0 && f->cursor)
		err = worker_keep_member(f->w, "cursor", jv_string(f->cursor));
	return err;
}

static int ask(struct feed_source *f)
{
	const struct connector_conf *k = f->w->conf;
	struct http_answer a;
	auto_free char *url = NULL;
	size_t n = strcspn(k->urls[0], "?");
	while (n > 0 && k->urls[0][n - 1] == '/')
		n--;
	if (asprintf(&url, "%.*s/events?withTopic=true&limit=%d&wait=%d%s%s", (int)n, k->urls[0],
	             LIMIT_CONNECT_BATCH, f->waits ? LIMIT_CONNECT_FEED_WAIT_S : 0,
	             f->cursor ? "&after=" : "", f->cursor ? f->cursor : "") < 0)
		abort();
	if (ftruncate(f->fd, 0) < 0 || lseek(f->fd, 0, SEEK_SET) < 0)
		return -errno;
	struct http_request r = {.url = url,
	                         .method = "GET",
	                         .accept = "application/cloudevents-batch+json",
	                         .timeout_ms = k->timeout_ms + LIMIT_CONNECT_FEED_WAIT_S * 1000,
	                         .body_max = k->body_max,
	                         .stall_s = LIMIT_CONNECT_FEED_WAIT_S + LIMIT_CONNECT_STALL_S,
	                         .fd = f->fd};
	f->events = 0;
	int err = http_fetch(f->w, &r, &a);
	if (err == ERR_CLOSED)
		return err;
	if (err < 0 || a.status != 200) {
		if (err < 0)
			worker_source_failed(f->w, "%s: %s", k->urls[0], a.error);
		else
			worker_source_failed(f->w, "%s: HTTP status %ld", k->urls[0], a.status);
		f->waits = false;
		backoff_failed(&f->backoff);
		if (err == 0 && a.retry_after_s > 0)
			backoff_wait(&f->backoff, a.retry_after_s * 1000);
		return 0;
	}
	worker_source_ok(f->w);
	backoff_ok(&f->backoff);
	f->waits = !f->w->once;
	return take_page(f, a.bytes);
}

static int rounds(struct feed_source *f)
{
	for (;;) {
		int err = ask(f);
		if (err == 0 && f->w->once && (f->events == 0 || !backoff_due(&f->backoff)))
			return backoff_due(&f->backoff) ? 0 : -EIO;
		if (err == 0)
			err = worker_sleep(f->w, backoff_left_ms(&f->backoff));
		if (err < 0)
			return err;
	}
}

int source_feed(struct worker *w)
{
	struct feed_source f = {.w = w};
	jv position = worker_position(w);
	backoff_init(&f.backoff);
	if (!jv_is_valid(position)) {
		jv_free(position);
		worker_source_failed(w, "the position in %s cannot be read", w->config->state_dir);
		return ERR_STORE_DAMAGED;
	}
	jv cursor = text_of(position, "cursor");
	if (jv_get_kind(cursor) == JV_KIND_STRING)
		f.cursor = xstrdup(jv_string_value(cursor));
	jv_free(cursor);
	jv_free(position);
	f.fd = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	int err = f.fd < 0 ? -errno : rounds(&f);
	if (f.fd >= 0)
		close(f.fd);
	free(f.cursor);
	return err;
}
