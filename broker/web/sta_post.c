/* sta_post.c - POST of an Observation: it becomes a message of the Datastream's feed and goes
 * through admission like any other. The message is made of two members of the feed's schema: its
 * time and the Datastream's member. What the schema wants besides, or a feed that no schema
 * describes, is a refusal that says so. 201 means kept.
 *
 * POST /Datastreams(1)/Observations, or /Observations with "Datastream": {"@iot.id": 1}. */
#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "series/series.h"
#include "sta/query.h"
#include "web/permit.h"
#include "web/post.h"
#include "web/sta_entity.h"
#include "json/write.h"

#include <stdio.h>
#include <stdlib.h>

enum { OBSERVATION_TOKENS = 4000, SCHEMA_TOKENS = 1 << 16 };

struct sta_post {
	struct req *r;
	struct series_ask ask;
	struct json_tape body;
	struct buf payload;
	uint32_t time, result; /* tokens of the body; time 0: not given */
	int64_t ms;
	uint32_t stream;
};

static void sta_post_free(void *arg)
{
	struct sta_post *s = arg;
	series_ask_done(&s->ask);
	json_tape_done(&s->body);
	buf_done(&s->payload);
	free(s);
}

/* ---- the body ---- */

/* NULL, or what is wrong with it. */
static const char *read_time(struct sta_post *s)
{
	struct json_tape *t = &s->body;
	char text[100];
	if (!s->time) {
		s->ms = clock_wall_ms(hub_clock(s->r->web->hub));
		return NULL;
	}
	if (t->tok[s->time].type != JSON_STRING || t->tok[s->time].len >= sizeof(text))
		return "phenomenonTime is written as \"2026-11-24T12:00:00Z\"";
	size_t n = json_unescape(json_text(t, s->time), text);
	const char *slash = memchr(text, '/', n); /* an interval is known by its beginning */
	if (rfc3339_parse(span_of(text, slash ? (size_t)(slash - text) : n), &s->ms))
		return "phenomenonTime is written as \"2026-11-24T12:00:00Z\"";
	return NULL;
}

static const char *read_body(struct sta_post *s)
{
	static const char *const lost[] = {"resultQuality", "validTime", "parameters",
	                                   "FeatureOfInterest"};
	struct json_tape *t = &s->body;
	size_t at;
	const char *why;
	if (json_parse(t, span_of(s->r->body.p, s->r->body.len), &at, &why) ||
	    t->tok[0].type != JSON_OBJECT)
		return "the body is not a JSON object";
	s->result = json_member(t, 0, SPAN("result"));
	if (!s->result)
		return "the Observation has no result";
	s->time = json_member(t, 0, SPAN("phenomenonTime"));
	if (s->time && t->tok[s->time].type == JSON_NULL)
		s->time = 0;
	for (unsigned i = 0; i < ARRAY_LEN(lost); i++) {
		uint32_t m = json_member(t, 0, span_str(lost[i]));
		if (m && t->tok[m].type != JSON_NULL)
			return "resultQuality, validTime, parameters and FeatureOfInterest are not "
			       "kept here: leave them out";
	}
	return read_time(s);
}

static bool body_stream(const struct sta_post *s, int64_t *ret)
{
	const struct json_tape *t = &s->body;
	uint32_t d = json_member(t, 0, SPAN("Datastream"));
	uint32_t id = d && t->tok[d].type == JSON_OBJECT ? json_member(t, d, SPAN("@iot.id")) : 0;
	return id && t->tok[id].type == JSON_NUMBER && json_int64(json_text(t, id), ret) == 0;
}

/* ---- the message ---- */

/* x-oudp of a member of the schema, or 0. */
static uint32_t note_of(const struct json_tape *t, uint32_t member)
{
	uint32_t n =
	    t->tok[member].type == JSON_OBJECT ? json_member(t, member, SPAN("x-oudp")) : 0;
	return n && t->tok[n].type == JSON_OBJECT ? n : 0;
}

static bool has_role(const struct json_tape *t, uint32_t member, const char *role)
{
	uint32_t n = note_of(t, member), r = n ? json_member(t, n, SPAN("role")) : 0;
	return r && t->tok[r].type == JSON_STRING && json_string_is(t, r, span_str(role));
}

static void write_time(struct sta_post *s, const struct json_tape *t, uint32_t name,
                       uint32_t member)
{
	struct buf *b = &s->payload;
	uint32_t n = note_of(t, member), how = json_member(t, n, SPAN("time"));
	buf_addf(b, "\"%.*s\":", (int)t->tok[name].len, json_text(t, name).p);
	if (how && json_string_is(t, how, SPAN("epoch-ms"))) {
		json_write_i64(b, s->ms);
	} else if (how && json_string_is(t, how, SPAN("epoch-s"))) {
		json_write_double(b, (double)s->ms / 1000);
	} else if (s->time) {
		struct span text = json_text(&s->body, s->time);
		buf_addf(b, "\"%.*s\"", (int)text.n, text.p);
	} else {
		char text[RFC3339_BYTES];
		rfc3339_format(s->ms, text);
		json_write_string(b, span_of(text, sizeof(text)));
	}
	buf_add_char(b, ',');
}

static void write_result(struct sta_post *s, struct span member)
{
	struct span text = json_text(&s->body, s->result);
	bool quoted = s->body.tok[s->result].type == JSON_STRING;
	json_write_string(&s->payload, member);
	buf_add_char(&s->payload, ':');
	if (quoted)
		buf_add_char(&s->payload, '"');
	buf_add_span(&s->payload, text);
	if (quoted)
		buf_add_char(&s->payload, '"');
}

/* {"dateObserved": "...", "pm25": 12.5}. NULL, or why it cannot be. */
static const char *write_payload(struct sta_post *s, const struct schema *sc, struct span member)
{
	static const char cannot[] =
	    "this Datastream's feed describes its messages in a way that one "
	    "Observation does not make: publish to the feed";
	struct json_tape t;
	const char *why = cannot;
	size_t at;
	for (unsigned i = 0; i < schema_result_count(sc); i++)
		if (span_is(member, schema_result_info(sc, i).member) &&
		    schema_result_info(sc, i).scaled)
			return cannot;
	json_tape_init(&t, SCHEMA_TOKENS);
	if (json_parse(&t, schema_source(sc), &at, &why) == 0)
		why = cannot;
	uint32_t all = t.src ? json_member(&t, 0, SPAN("properties")) : 0;
	uint32_t own = all ? json_member(&t, all, member) : 0;
	if (own && has_role(&t, own, "result")) {
		buf_add_char(&s->payload, '{');
		for (uint32_t i = all + 1; i < t.tok[all].next; i = t.tok[i + 1].next)
			if (has_role(&t, i + 1, "time")) {
				write_time(s, &t, i, i + 1);
				break;
			}
		write_result(s, member);
		buf_add_char(&s->payload, '}');
		why = s->payload.err ? "the Observation is too large" : NULL;
	}
	json_tape_done(&t);
	return why;
}

/* ---- admission ---- */

static void take(struct post *p, const struct result *one)
{
	struct req *r = p->req;
	struct sta_post *s = r->own;
	int status = post_status(one);
	int64_t id = sta_timed_id(s->stream, s->ms);
	char link[300];
	if (status >= 300) {
		problem(r, status, "%s", status == 507 ? post_full : one->reason);
		return;
	}
	if (id >= 0) {
		snprintf(link, sizeof(link), "%s/sta/v1.1/Observations(%lld)", r->web->base_url,
		         (long long)id);
		respond_header(r, "Location:", link);
	}
	buf_addf(&r->out, "{\"@iot.id\":%lld,\"@iot.selfLink\":", (long long)id);
	json_write_string(&r->out, span_str(id >= 0 ? link : ""));
	buf_addf(&r->out, ",\"sequence\":%llu}", (unsigned long long)one->sequence);
	respond(r, status, "application/json"); /* 201, or 200: it was there */
}

static void publish(struct post *p)
{
	struct req *r = p->req;
	struct sta_post *s = r->own;
	struct ingest_message m = {.publisher = SPAN("sensorthings"),
	                           .topic = span_str(p->topic),
	                           .payload = span_of(s->payload.p, s->payload.len),
	                           .received_ms = s->time ? 0 : s->ms,
	                           .protocol = QUARANTINE_HTTP,
	                           .qos = 1};
	if (!r->pending)
		(void)post_publish(p, &m, 0); /* no room: publish() again then */
}

/* The schema of the feed that the newest observation fitted, else the first that has the member. */
static const struct schema *schema_of(const struct feed *f, const struct series_stream *st)
{
	for (unsigned i = 0; i < f->n_schemas; i++)
		if (span_is(st->schema, schema_id(f->schemas[i])))
			return f->schemas[i];
	return f->n_schemas ? f->schemas[0] : NULL;
}

static void to_feed(struct sta_post *s, const struct series_stream *st)
{
	struct req *r = s->r;
	struct feed *f = hub_feed(r->web->hub, st->feed);
	const struct schema *sc = f ? schema_of(f, st) : NULL;
	const char *why = sc ? write_payload(s, sc, st->member)
	                     : "this Datastream's feed has no schema: publish to the feed";
	if (!why) {
		struct post *p = post_new(r, f);
		p->next = publish;
		p->take = take;
		why = post_topic(p, NULL, st->thing);
	}
	if (why)
		problem(r, 400, "%s", why);
	else
		publish(r->post);
}

static void on_stream(struct series_ask *a)
{
	struct sta_post *s = a->arg;
	struct req *r = s->r;
	if (!r->wsi || r->answering)
		return;
	if (a->err && a->err != ERR_NOT_FOUND)
		problem(r, 503, "the series cannot be asked now: send it again later");
	else if (a->err || !a->n)
		problem(r, 404, "there is no such Datastream");
	else
		to_feed(s, &a->streams[0]);
}

/* Which Datastream: 0 with *ret set; or a problem was answered. */
static bool find_stream(struct sta_post *s, struct sta_query *q, int64_t *ret)
{
	struct req *r = s->r;
	bool good =
	    sta_query_read(q, span_str(r->path + strlen("/sta/v1.1")), (struct span){0}) == 0;
	if (!good) {
		problem(r, 404, "%s", q->error);
		return false;
	}
	if (q->what != STA_WHAT_SET || sta_query_type(q) != STA_OBSERVATION || q->n_steps > 2) {
		problem(
		    r, 405,
		    "only Observations are created here: POST to Datastreams(id)/Observations; "
		    "Datastreams come to be when a feed gets messages, things are registered at "
		    "/v1/things");
		return false;
	}
	*ret = q->n_steps == 2 && q->step[0].type == STA_DATASTREAM ? q->step[0].id : 0;
	if (*ret || body_stream(s, ret))
		return true;
	problem(r, 400,
	        "say which: \"Datastream\": {\"@iot.id\": 1}, or POST to "
	        "Datastreams(1)/Observations");
	return false;
}

void post_sta(struct req *r)
{
	struct sta_query *q = xcalloc(1, sizeof(*q));
	struct sta_post *s = xcalloc(1, sizeof(*s));
	int64_t stream = 0;
	s->r = r;
	json_tape_init(&s->body, OBSERVATION_TOKENS);
	buf_init(&s->payload, LIMIT_PACKET_BYTES_MAX);
	r->own = s;
	r->own_free = sta_post_free;
	const char *why = r->web->series ? read_body(s) : "there is no time series here";
	if (why)
		problem(r, 400, "%s", why);
	else if (find_stream(s, q, &stream) && (stream <= 0 || stream > UINT32_MAX))
		problem(r, 404, "there is no such Datastream");
	if (stream > 0 && stream <= UINT32_MAX && !r->answering) {
		struct permit *permit = permit_new(r);
		s->stream = (uint32_t)stream;
		s->ask = (struct series_ask){.what = SERIES_STREAMS, .done = on_stream, .arg = s};
		s->ask.filter.stream_id = s->stream;
		permit_put(permit, &s->ask.filter);
		permit_done(permit);
		req_wait(r);
		series_ask(r->web->series, &s->ask);
	}
	free(q);
}
