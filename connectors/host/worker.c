/* worker.c - does not know sources from each other; does take their bytes to the target. */
#include "host/worker.h"

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "host/decode.h"
#include "host/mapping.h"
#include "host/state.h"
#include "host/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static void complain(struct worker *w, const char *what, const char *why)
{
	char text[700];
	if (quiet_may(&w->log_record))
		log_warn("%s connector=%s record=%llu why=\"%s\"", what, w->conf->name,
		         (unsigned long long)w->record,
		         log_escape(text, sizeof(text), why, strlen(why)));
}

static void envelope_text(const struct worker *w, const char *name, char *out, size_t size)
{
	jv v = jv_object_get(jv_copy(w->envelope), jv_string(name));
	snprintf(out, size, "%s", jv_get_kind(v) == JV_KIND_STRING ? jv_string_value(v) : "");
	jv_free(v);
}

/* A level of the topic is the thing that the record came for: who may publish raw data of one thing
 * has no others by mapping. */
static bool is_bound(const struct worker *w, const char *topic)
{
	char thing[LIMIT_TOPIC_BYTES];
	envelope_text(w, "thing", thing, sizeof(thing));
	for (const char *p = topic; *thing && p; p = strchr(p, '/'), p = p ? p + 1 : NULL)
		if (strlen(thing) == strcspn(p, "/") && strncmp(p, thing, strlen(thing)) == 0)
			return true;
	return false;
}

static int on_result(void *ctx, const struct result *r)
{
	struct worker *w = ctx;
	if (r->kind == RESULT_IGNORED) {
		TALLY_ADD(w->tally, ignored, 1);
		log_debug("record ignored connector=%s why=\"%s\"", w->conf->name, r->text);
		return 0;
	}
	if (r->kind == RESULT_REFUSED) {
		TALLY_ADD(w->tally, refused[REFUSED_MAPPING], 1);
		complain(w, "record refused", r->text);
		return 0;
	}
	if (w->conf->bind_thing && !is_bound(w, r->topic)) {
		TALLY_ADD(w->tally, refused[REFUSED_MAPPING], 1);
		complain(w, "message refused", "its topic does not name the thing of the record");
		return 0;
	}
	struct target_message m = {.topic = r->topic,
	                           .payload = r->text,
	                           .n = (size_t)r->text_len,
	                           .retain = r->retain,
	                           .origin = w->origin[0] ? w->origin : NULL,
	                           .behalf = w->behalf[0] ? w->behalf : NULL};
	int err = target_publish(w->target, &m);
	return err == ERR_CLOSED || err == ERR_AGAIN ? err : 0;
}

/* A record that has ended the process too often is passed over. The name is made of what stays the
 * same when it comes again. */
static bool poisonous(struct worker *w)
{
	uint64_t work = (uint64_t)w->crc << 32 ^ w->record ^ 1ull << 63;
	TALLY_SET(w->tally, work, work);
	return TALLY_GET(w->tally, poison) == work &&
	       TALLY_GET(w->tally, crashes) >= LIMIT_CONNECT_CRASHES;
}

static int map_record(struct worker *w, jv record)
{
	if (poisonous(w)) {
		jv_free(record);
		TALLY_SET(w->tally, work, 0);
		TALLY_ADD(w->tally, unmappable, 1);
		complain(w, "record passed over", "it has ended the process before");
		return 0;
	}
	jv envelope = jv_copy(w->envelope);
	if (w->conf->n_records > 0)
		envelope = jv_object_set(envelope, jv_string("head"), decoder_head(w->decoder));
	mapping_set_source(w->mapping, envelope);
	int n = mapping_run(w->mapping, record, on_result, w);
	TALLY_SET(w->tally, work, 0);
	if (n == ERR_INVALID) {
		TALLY_ADD(w->tally, unmappable, 1);
		complain(w, "record cannot be mapped", mapping_error(w->mapping));
		return 0;
	}
	if (n == 0)
		TALLY_ADD(w->tally, ignored, 1);
	return n < 0 ? n : 0;
}

static int on_record(void *ctx, jv record, uint64_t offset)
{
	struct worker *w = ctx;
	w->record++;
	if (w->record <= w->skip) {
		jv_free(record);
		return worker_stopping(w) ? ERR_CLOSED : 0;
	}
	TALLY_ADD(w->tally, records, 1);
	if (!jv_is_valid(record)) {
		jv_free(record);
		TALLY_ADD(w->tally, undecodable, 1);
		complain(w, "record cannot be decoded", decoder_error(w->decoder));
		return 0;
	}
	int err = map_record(w, record);
	if (err < 0 || worker_stopping(w))
		return err < 0 ? err : ERR_CLOSED;
	if (!w->checkpoint || w->record % LIMIT_CONNECT_CHECKPOINT != 0)
		return 0;
	err = worker_deliver(w);
	return err < 0 ? err : w->checkpoint(w, w->record, offset);
}

void worker_begin(struct worker *w, jv envelope, uint64_t skip, uint64_t offset)
{
	struct clock clock = clock_system();
	int64_t now = clock_wall_ms(&clock);
	char text[RFC3339_BYTES];
	jv received = jv_object_get(jv_copy(envelope), jv_string("received"));
	if (jv_get_kind(received) == JV_KIND_STRING) {
		/* the one who has the document knows better when it came */
		if (rfc3339_parse(span_str(jv_string_value(received)), &now) < 0)
			now = clock_wall_ms(&clock);
	} else {
		rfc3339_format(now, text);
		envelope = jv_object_set(envelope, jv_string("received"),
		                         jv_string_sized(text, sizeof(text)));
	}
	TALLY_SET(w->tally, lag_ms, MAX_OF(clock_wall_ms(&clock) - now, 0));
	jv_free(received);
	envelope = jv_object_set(envelope, jv_string("connector"), jv_string(w->conf->name));
	jv_free(w->envelope);
	w->envelope = envelope;
	envelope_text(w, "id", w->origin, sizeof(w->origin));
	envelope_text(w, "identity", w->behalf, sizeof(w->behalf));
	w->record = 0;
	w->skip = skip;
	w->crc = 0;
	TALLY_ADD(w->tally, documents, 1);
	decoder_begin(w->decoder, offset, now);
}

static int document_failed(struct worker *w, int err)
{
	if (err != ERR_MALFORMED && err != ERR_TOO_LARGE)
		return err;
	TALLY_ADD(w->tally, undecodable, 1);
	complain(w, "document cannot be decoded", decoder_error(w->decoder));
	return ERR_MALFORMED;
}

int worker_feed(struct worker *w, const void *p, size_t n)
{
	TALLY_ADD(w->tally, bytes, n);
	w->crc = crc32c(w->crc, p, n);
	return document_failed(w, decoder_feed(w->decoder, p, n));
}

int worker_end(struct worker *w)
{
	return document_failed(w, decoder_end(w->decoder));
}

int worker_document(struct worker *w, jv envelope, const void *p, size_t n)
{
	worker_begin(w, envelope, 0, 0);
	int err = worker_feed(w, p, n);
	if (err == 0)
		err = worker_end(w);
	return err == ERR_MALFORMED ? 0 : err;
}

int worker_deliver(struct worker *w)
{
	return target_flush(w->target);
}

bool worker_stopping(const struct worker *w)
{
	return *w->stopping != 0;
}

int worker_sleep(struct worker *w, int64_t ms)
{
	struct clock clock = clock_system();
	uint64_t until = clock_mono_ns(&clock) + (uint64_t)MAX_OF(ms, 0) * 1000000;
	for (;;) {
		uint64_t now = clock_mono_ns(&clock);
		if (worker_stopping(w))
			return ERR_CLOSED;
		if (now >= until)
			return 0;
		target_pump(w->target, (int)MIN_OF((until - now) / 1000000 + 1, 1000u), NULL, 0);
	}
}

void worker_source_failed(struct worker *w, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	TALLY_ADD(w->tally, source_failures, 1);
	TALLY_SET(w->tally, source_ok, 0);
	if (quiet_may(&w->log_source))
		log_warn("source failed connector=%s why=\"%s\"", w->conf->name, text);
}

void worker_source_ok(struct worker *w)
{
	struct clock clock = clock_system();
	TALLY_SET(w->tally, source_ok, 1);
	TALLY_SET(w->tally, last_fetched_ms, clock_wall_ms(&clock));
}

void worker_hole(struct worker *w, uint64_t n, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	TALLY_ADD(w->tally, holes, n);
	if (quiet_may(&w->log_source))
		log_warn("hole connector=%s missing=%llu why=\"%s\"", w->conf->name,
		         (unsigned long long)n, text);
}

jv worker_position(struct worker *w)
{
	return w->dry ? jv_object() : state_load(w->config->state_dir, w->conf->name);
}

int worker_keep(struct worker *w, jv position)
{
	if (w->dry) {
		jv_free(position);
		return 0;
	}
	int err = state_save(w->config->state_dir, w->conf->name, position);
	if (err < 0)
		log_error("position cannot be kept connector=%s dir=%s why=\"%s\"", w->conf->name,
		          w->config->state_dir, err_text(err));
	return err;
}

int worker_keep_member(struct worker *w, const char *name, jv value)
{
	jv position = worker_position(w);
	if (jv_is_valid(position))
		return worker_keep(w, jv_object_set(position, jv_string(name), value));
	jv_free(value);
	jv_free(position);
	return ERR_STORE_DAMAGED;
}

char *worker_file(const struct worker *w, const char *end)
{
	char *p = NULL;
	if (asprintf(&p, "%s/%s%s", w->config->state_dir, w->conf->name, end) < 0)
		abort();
	return p;
}

/* Two processes with one position would undo each other's. */
static int lock(struct worker *w)
{
	auto_free char *path = worker_file(w, ".lock");
	w->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (w->lock >= 0 && flock(w->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	log_error("connector is not started connector=%s why=\"%s: %s\"", w->conf->name, path,
	          errno == EWOULDBLOCK ? "another process runs it" : strerror(errno));
	return ERR_CONFIG;
}

int worker_init(struct worker *w, const struct config *c, const struct connector_conf *k,
                struct tally *tally, const volatile sig_atomic_t *stopping, FILE *print)
{
	auto_free char *lib = NULL;
	memset(w, 0, sizeof(*w));
	w->config = c;
	w->conf = k;
	w->tally = tally;
	w->stopping = stopping;
	w->dry = print != NULL;
	w->envelope = jv_object();
	/* local times are read by the C library: one zone a connector, and a process each */
	setenv("TZ", k->zone, 1);
	if (asprintf(&lib, "%s/lib", c->connector_dir) < 0)
		abort();
	w->mapping = mapping_new(k, lib, stderr);
	w->target = target_new(c, k, tally, stopping, print);
	w->decoder = decoder_new(k, on_record, w);
	w->lock = -1;
	if (!w->mapping)
		return ERR_CONFIG;
	return w->dry ? 0 : lock(w);
}

void worker_done(struct worker *w)
{
	mapping_free(w->mapping);
	target_free(w->target);
	decoder_free(w->decoder);
	jv_free(w->envelope);
	if (w->lock >= 0)
		close(w->lock);
	memset(w, 0, sizeof(*w));
}

int worker_run(struct worker *w)
{
	static int (*const sources[])(struct worker *) = {[SOURCE_HTTP] = source_http,
	                                                  [SOURCE_FILE] = source_file,
	                                                  [SOURCE_MQTT] = source_mqtt,
	                                                  [SOURCE_WEBSOCKET] = source_websocket,
	                                                  [SOURCE_FEED] = source_feed};
	int err = sources[w->conf->source](w);
	return err == ERR_CLOSED ? 0 : err;
}
