/* post.c - publishing over HTTP: admission exactly as MQTT's, one message or one a line. Also the
 * second admission of quarantined messages. Answers come after the commit; a full batch makes the
 * request wait for room. */
#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "feed/quarantine.h"
#include "mqtt/utf8.h"
#include "web/private.h"
#include "json/json.h"
#include "json/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_IN_FLIGHT = 1000, RETRY_ROWS = 200, BODY_TOKENS = 4096 };

struct result { /* of one line or row, in order */
	bool known;
	uint8_t verdict;
	int err;
	uint64_t sequence, id;
	char reason[LIMIT_VERDICT_BYTES];
	char schema[80], pointer[160], rule[32];
};

struct post {
	struct req *req;
	struct feed *feed;
	struct identity who;
	char topic[LIMIT_TOPIC_BYTES + 1];
	bool lines;
	size_t at; /* in the body */
	struct result *results;
	unsigned n_results, cap_results;

	/* retry */
	bool retry, received, end;
	uint32_t feed_id;
	uint64_t after, *ids;
	unsigned n_ids;
};

static void next_lines(struct post *p);
static void retry_next(struct post *p);
static void finish(struct post *p);

void post_done(struct req *r)
{
	if (!r->post)
		return;
	free(r->post->results);
	free(r->post->ids);
	free(r->post);
	r->post = NULL;
}

static struct result *add_result(struct post *p)
{
	if (p->n_results == p->cap_results) {
		p->cap_results = p->cap_results ? p->cap_results * 2 : 8;
		p->results = xrealloc(p->results, p->cap_results * sizeof(*p->results));
	}
	struct result *r = &p->results[p->n_results++];
	*r = (struct result){0};
	return r;
}

static void answered(const struct answer *a, int err)
{
	struct req *r = a->owner;
	struct post *p = r->post;
	assert(r->pending && p && a->token < p->n_results);
	struct result *one = &p->results[a->token];
	one->known = true;
	one->err = err;
	one->verdict = a->verdict;
	one->sequence = a->sequence;
	snprintf(one->reason, sizeof(one->reason), "%s", a->reason ? a->reason : "");
	if (a->parts) {
		const char *at = a->parts;
		snprintf(one->schema, sizeof(one->schema), "%s", at);
		at += strlen(at) + 1;
		snprintf(one->pointer, sizeof(one->pointer), "%s", at);
		at += strlen(at) + 1;
		snprintf(one->rule, sizeof(one->rule), "%s", at);
	}
	r->pending--;
	if (!r->wsi)
		req_release(r);
	else if (!r->pending)
		next_lines(p);
}

/* False: no room; the request is on the list of those that wait. */
static bool publish(struct post *p, struct ingest_message *m)
{
	struct req *r = p->req;
	struct result *one = add_result(p);
	m->who = &p->who;
	m->answer =
	    (struct answer){.done = answered, .owner = r, .token = p->n_results - 1, .qos = 1};
	one->id = m->quarantine_id;
	if (ingest_publish(r->web->ingest, m) == 0) {
		r->pending++;
		return true;
	}
	p->n_results--;
	if (list_empty(&r->room_node))
		list_append(&r->web->room, &r->room_node);
	return false;
}

void web_room(struct web *w)
{
	struct list some;
	list_init(&some);
	list_splice(&some, &w->room);
	while (!list_empty(&some)) {
		struct req *r = list_entry(some.next, struct req, room_node);
		list_remove(&r->room_node);
		if (!r->wsi)
			req_release(r);
		else if (!r->pending && r->post)
			next_lines(r->post);
	}
}

/* ---- a body ---- */

static bool next_line(struct post *p, struct span *ret)
{
	struct buf *b = &p->req->body;
	while (p->at < b->len) {
		const char *s = b->p + p->at,
		           *nl = p->lines ? memchr(s, '\n', b->len - p->at) : NULL;
		size_t n = nl ? (size_t)(nl - s) : b->len - p->at;
		*ret = span_of(s, n);
		if (p->lines) {
			size_t i = 0;
			while (i < n && strchr(" \t\r", s[i]))
				i++;
			if (i == n) { /* an empty line */
				p->at += n + 1;
				continue;
			}
		}
		return true;
	}
	return false;
}

static void next_lines(struct post *p)
{
	struct span line;
	if (p->retry && !p->end) {
		retry_next(p);
		return;
	}
	while (!p->retry && p->req->pending < LINES_IN_FLIGHT && next_line(p, &line)) {
		struct ingest_message m = {.publisher = SPAN("http"),
		                           .topic = span_str(p->topic),
		                           .payload = line,
		                           .protocol = QUARANTINE_HTTP,
		                           .qos = 1};
		if (!publish(p, &m))
			return;
		p->at += line.n + 1;
	}
	if (!p->req->pending)
		finish(p);
}

static int http_status(const struct result *r)
{
	if (r->err)
		return 507;
	switch (r->verdict) {
	case VERDICT_STORED:
	case VERDICT_CLEARED: return 201;
	case VERDICT_DUPLICATE: return 200;
	case VERDICT_DENIED: return 403;
	default: return 400;
	}
}

static void finish_lines(struct post *p)
{
	struct buf *b = &p->req->out;
	for (unsigned i = 0; i < p->n_results; i++) {
		const struct result *r = &p->results[i];
		int status = http_status(r);
		buf_addf(b, "{\"status\":%d", status);
		if (status < 300)
			buf_addf(b, ",\"sequence\":%llu", (unsigned long long)r->sequence);
		if (status == 200)
			buf_add_str(b, ",\"duplicate\":true");
		if (status >= 300) {
			buf_add_str(b, ",\"detail\":");
			json_write_string(b,
			                  span_str(r->err ? "the store is full: send it again later"
			                                  : r->reason));
		}
		buf_add_str(b, "}\n");
	}
	respond(p->req, 200, "application/x-ndjson");
}

static void write_error(struct buf *b, bool comma, const char *text, const char *pointer,
                        const char *rule, const char *schema)
{
	const char *const parts[][2] = {
	    {"detail", text}, {"pointer", pointer}, {"rule", rule}, {"schema", schema}};
	buf_add_str(b, comma ? ",{" : "{");
	for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
		json_write_name(b, parts[i][0]);
		json_write_string(b, span_str(parts[i][1]));
	}
	buf_add_char(b, '}');
}

/* All violations at once [API Design Rules: schema-invalid input is 400]. */
static void finish_refused(struct post *p, const struct result *one)
{
	struct req *r = p->req;
	struct verdict *v = xcalloc(ERRORS_SHOWN, sizeof(*v));
	unsigned n = ingest_explain(r->web->ingest, p->feed, span_of(r->body.p, r->body.len), v,
	                            ERRORS_SHOWN);
	buf_add_str(&r->out, "{\"status\":400,\"title\":\"Bad Request\",\"detail\":");
	json_write_string(&r->out, span_str(one->reason));
	buf_add_str(&r->out, ",\"errors\":[");
	for (unsigned i = 0; i < n; i++)
		write_error(&r->out, i > 0, v[i].text, v[i].pointer, v[i].rule, v[i].schema);
	if (!n)
		write_error(&r->out, false, one->reason, one->pointer, one->rule, one->schema);
	buf_add_str(&r->out, "]}");
	free(v);
	respond(r, 400, "application/problem+json");
}

static void finish_one(struct post *p)
{
	struct req *r = p->req;
	const struct result *one = &p->results[0];
	int status = p->n_results ? http_status(one) : 400;
	if (!p->n_results) {
		problem(r, 400, "the body is empty");
	} else if (status == 507) {
		problem(r, 507, "the store is full: send it again later");
	} else if (status == 403) {
		problem(r, 403, "%s", one->reason);
	} else if (status == 400) {
		finish_refused(p, one);
	} else if (status == 200) {
		buf_addf(&r->out, "{\"sequence\":%llu,\"duplicate\":true}",
		         (unsigned long long)one->sequence);
		respond(r, 200, "application/json");
	} else {
		char link[300];
		buf_addf(&r->out, "{\"sequence\":%llu,\"id\":\"%.*s:%u:%llu\"}",
		         (unsigned long long)one->sequence, (int)p->feed->name.n, p->feed->name.p,
		         p->feed->epoch, (unsigned long long)one->sequence);
		snprintf(link, sizeof(link), "/v1/feeds/%.*s/events?after=%u:%llu&limit=1",
		         (int)p->feed->name.n, p->feed->name.p, p->feed->epoch,
		         (unsigned long long)(one->sequence - 1));
		respond_header(r, "Location:", link);
		respond(r, 201, "application/json");
	}
}

static void finish_retry(struct post *p);

static void finish(struct post *p)
{
	if (p->req->answering)
		return;
	if (p->retry)
		finish_retry(p);
	else if (p->lines)
		finish_lines(p);
	else
		finish_one(p);
}

/* The topic: given whole, or the feed's first template with thing= put in. NULL, or what is wrong.
 */
static const char *make_topic(struct post *p, const struct query *q)
{
	struct span topic, thing, at;
	struct feed *f = p->feed;
	if (query_get(q, "topic", &topic)) {
		if (topic.n == 0 || topic.n > LIMIT_TOPIC_BYTES || memchr(topic.p, '+', topic.n) ||
		    memchr(topic.p, '#', topic.n) || memchr(topic.p, '\0', topic.n) ||
		    hub_route(p->req->web->hub, topic, &at) != f)
			return "topic is not one of this feed";
		memcpy(p->topic, topic.p, topic.n);
		return NULL;
	}
	bool given = query_get(q, "thing", &thing);
	const char *template = f->conf->topics[0], *hole = strstr(template, "{thing}");
	if (hole && !given)
		return "thing= is needed (or topic=)";
	if (!hole && strchr(template, '#'))
		return "topic= is needed: this feed takes many topics";
	if (given && hole &&
	    (thing.n == 0 || memchr(thing.p, '/', thing.n) || memchr(thing.p, '+', thing.n) ||
	     memchr(thing.p, '#', thing.n) || memchr(thing.p, '\0', thing.n)))
		return "thing is empty or holds a character that a topic level may not";
	int n = hole ? snprintf(p->topic, sizeof(p->topic), "%.*s%.*s%s", (int)(hole - template),
	                        template, (int)thing.n, thing.p, hole + 7)
	             : snprintf(p->topic, sizeof(p->topic), "%s", template);
	size_t len = strlen(p->topic);
	if (len >= 2 && strcmp(p->topic + len - 2, "/#") == 0)
		p->topic[len - 2] = '\0';
	return n > 0 && (size_t)n < sizeof(p->topic) ? NULL : "the topic is too long";
}

static struct post *post_new(struct req *r, struct feed *f)
{
	struct post *p = xcalloc(1, sizeof(*p));
	const struct config *c = hub_config(r->web->hub);
	p->req = r;
	p->feed = f;
	p->who = r->kind == WEB_UNIX ? access_administrator(c) : access_anonymous(c);
	r->post = p;
	return p;
}

void post_events(struct req *r)
{
	struct feed *f = param_feed(r);
	if (!f || !only_query(r, "thing topic"))
		return;
	bool json = strncmp(r->type, "application/json", 16) == 0,
	     lines = strncmp(r->type, "application/x-ndjson", 20) == 0;
	if (!json && !lines && !(f->any_schema && r->type[0])) {
		problem(r, 415,
		        "send application/json (one message) or application/x-ndjson (one a line)");
		return;
	}
	const char *why = "";
	if (!r->web->ops.ready(r->web->ops.arg, &why)) {
		problem(r, hub_full(r->web->hub) ? 507 : 503, "%s", why);
		return;
	}
	struct post *p = post_new(r, f);
	p->lines = lines;
	const char *wrong = make_topic(p, &r->query);
	if (wrong) {
		problem(r, 400, "%s", wrong);
		return;
	}
	lws_set_timeout(r->wsi, NO_PENDING_TIMEOUT, 0);
	next_lines(p);
}

/* ---- quarantine ---- */

static void write_row(struct buf *b, const struct hub *h, const struct quarantine_row *row)
{
	static const char *const protocols[] = {"", "mqtt5", "mqtt311", "http"};
	char t[RFC3339_BYTES];
	const char *feed = NULL;
	for (unsigned i = 0; row->feed && i < hub_feed_count(h); i++)
		if (hub_feed_at(h, i)->id == row->feed)
			feed = hub_feed_at(h, i)->name.p;
	rfc3339_format(row->received_ms, t);
	buf_addf(b, "{\"id\":%llu,\"feed\":", (unsigned long long)row->id);
	if (feed)
		json_write_string(b, span_str(feed));
	else
		buf_add_str(b, "null");
	buf_addf(b, ",\"time\":\"%.*s\",\"topic\":", RFC3339_BYTES, t);
	json_write_string(b, row->topic);
	json_write_name(b, "publisher");
	json_write_string(b, row->publisher);
	buf_addf(b, ",\"qos\":%u,\"retain\":%s,\"protocol\":\"%s\"", row->qos,
	         row->retain ? "true" : "false",
	         row->protocol < ARRAY_LEN(protocols) ? protocols[row->protocol] : "");
	const struct {
		const char *name;
		struct span value;
	} texts[] = {{"reason", row->reason},
	             {"schema", row->schema},
	             {"pointer", row->pointer},
	             {"rule", row->rule}};
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		json_write_name(b, texts[i].name);
		json_write_string(b, texts[i].value);
	}
	buf_addf(b, ",\"size\":%zu", row->payload.n);
	bool utf8 = mqtt_utf8_valid(row->payload);
	json_write_name(b, utf8 ? "payload" : "payloadBase64");
	if (utf8)
		json_write_string(b, row->payload);
	else
		json_write_base64(b, row->payload);
	buf_add_char(b, '}');
}

static void rows_listed(void *arg, const struct quarantine_row *rows, unsigned n, bool more,
                        int err)
{
	struct req *r = arg;
	r->pending--;
	if (!r->wsi) {
		req_release(r);
		return;
	}
	if (err) {
		problem(r, 503, "the quarantine cannot be read: %s", err_text(err));
		return;
	}
	buf_add_str(&r->out, "{\"rows\":[");
	for (unsigned i = 0; i < n; i++) {
		if (i)
			buf_add_char(&r->out, ',');
		write_row(&r->out, r->web->hub, &rows[i]);
	}
	if (more && n)
		buf_addf(&r->out, "],\"next\":%llu}", (unsigned long long)rows[n - 1].id);
	else
		buf_add_str(&r->out, "],\"next\":null}");
	respond(r, 200, "application/json");
}

static void list_rows(struct req *r, uint32_t feed_id)
{
	uint64_t after = 0, limit = 100;
	struct span v;
	if (!only_query(r, "after limit"))
		return;
	if ((query_get(&r->query, "after", &v) && span_to_u64(v, &after)) ||
	    (query_get(&r->query, "limit", &v) &&
	     (span_to_u64(v, &limit) || limit == 0 || limit > 1000))) {
		problem(r, 400, "after is a row id, limit is 1 to 1000");
		return;
	}
	r->pending++;
	quarantine_list(r->web->hub, feed_id, after, (unsigned)limit, rows_listed, r);
}

void list_quarantine(struct req *r)
{
	struct feed *f = param_feed(r);
	if (f)
		list_rows(r, f->id);
}

void list_unrouted(struct req *r)
{
	list_rows(r, 0);
}

/* ---- retry: the rows of one list call at a time, each through admission ---- */

static bool is_asked(const struct post *p, uint64_t id)
{
	for (unsigned i = 0; i < p->n_ids; i++)
		if (p->ids[i] == id)
			return true;
	return p->n_ids == 0;
}

static void retry_rows(void *arg, const struct quarantine_row *rows, unsigned n, bool more, int err)
{
	struct req *r = arg;
	struct post *p = r->post;
	r->pending--;
	if (!r->wsi) {
		req_release(r);
		return;
	}
	p->end = !more || err || n == 0;
	for (unsigned i = 0; i < n; i++) {
		const struct quarantine_row *row = &rows[i];
		if (is_asked(p, row->id)) {
			struct ingest_message m = {.publisher = row->publisher,
			                           .topic = row->topic,
			                           .payload = row->payload,
			                           .properties = row->properties,
			                           .qos = row->qos,
			                           .protocol = row->protocol,
			                           .retain = row->retain,
			                           .utf8 = row->utf8,
			                           .quarantine_id = row->id,
			                           .quarantine_feed = row->feed,
			                           .received_ms = row->received_ms,
			                           .time_received = p->received};
			if (!publish(p, &m)) { /* the rest is listed again when there is room */
				p->end = false;
				return;
			}
		}
		p->after = row->id;
	}
	if (!r->pending)
		next_lines(p);
}

static void retry_next(struct post *p)
{
	p->req->pending++;
	quarantine_list(p->req->web->hub, p->feed_id, p->after, RETRY_ROWS, retry_rows, p->req);
}

static void finish_retry(struct post *p)
{
	struct buf *b = &p->req->out;
	unsigned stored = 0;
	for (unsigned i = 0; i < p->n_results; i++)
		stored += http_status(&p->results[i]) < 300;
	uint64_t left =
	    p->feed ? p->feed->count.quarantine_rows : hub_stats(p->req->web->hub)->unrouted_rows;
	buf_addf(b, "{\"stored\":%u,\"refused\":%u,\"left\":%llu,\"results\":[", stored,
	         p->n_results - stored, (unsigned long long)left);
	for (unsigned i = 0; i < p->n_results; i++) {
		const struct result *r = &p->results[i];
		bool ok = http_status(r) < 300;
		buf_addf(b, "%s{\"id\":%llu,\"verdict\":\"%s\"", i ? "," : "",
		         (unsigned long long)r->id, ok ? "stored" : "refused");
		if (ok)
			buf_addf(b, ",\"sequence\":%llu", (unsigned long long)r->sequence);
		buf_add_str(b, ",\"reason\":");
		json_write_string(b, span_str(r->err ? "the store is full" : r->reason));
		buf_add_char(b, '}');
	}
	buf_add_str(b, "]}");
	respond(p->req, 200, "application/json");
}

/* A small JSON object as body; false: it is none. tape is to be freed whatever comes back. */
static bool read_body(struct req *r, struct json_tape *tape)
{
	size_t at;
	const char *why;
	json_tape_init(tape, BODY_TOKENS);
	return json_parse(tape, span_of(r->body.p, r->body.len), &at, &why) == 0 &&
	       tape->tok[0].type == JSON_OBJECT;
}

/* A whole number of the body, at token i (0: absent). */
static bool read_number(const struct json_tape *t, uint32_t i, uint64_t *ret)
{
	int64_t v;
	if (!i || t->tok[i].type != JSON_NUMBER || json_int64(json_text(t, i), &v) || v < 0)
		return false;
	*ret = (uint64_t)v;
	return true;
}

static bool read_retry(struct req *r, struct post *p)
{
	struct json_tape t;
	bool good = read_body(r, &t);
	uint32_t ids = good ? json_member(&t, 0, SPAN("ids")) : 0,
	         time = good ? json_member(&t, 0, SPAN("time")) : 0;
	if (ids && t.tok[ids].type == JSON_ARRAY) {
		p->ids = xcalloc(t.tok[ids].size, sizeof(*p->ids));
		for (uint32_t i = ids + 1; i < t.tok[ids].next && good; i = t.tok[i].next)
			good = read_number(&t, i, &p->ids[p->n_ids++]);
	} else if (ids) {
		good = false;
	}
	if (time) {
		p->received = json_string_is(&t, time, SPAN("received"));
		good = good && p->received;
	}
	json_tape_done(&t);
	return good;
}

static void retry(struct req *r, struct feed *f)
{
	struct post *p = post_new(r, f);
	p->retry = true;
	p->feed_id = f ? f->id : 0;
	if (r->body.len && !read_retry(r, p)) {
		problem(r, 400,
		        "the body is {\"ids\": [ROW, ...], \"time\": \"received\"}, both optional");
		return;
	}
	lws_set_timeout(r->wsi, NO_PENDING_TIMEOUT, 0);
	next_lines(p);
}

void retry_quarantine(struct req *r)
{
	struct feed *f = param_feed(r);
	if (f)
		retry(r, f);
}

void retry_unrouted(struct req *r)
{
	retry(r, NULL);
}

/* ---- trim ---- */

static void trimmed(void *arg, int64_t deleted)
{
	struct req *r = arg;
	r->pending--;
	if (!r->wsi) {
		req_release(r);
		return;
	}
	if (deleted < 0) {
		problem(r, 507, "nothing could be deleted: %s", err_text((int)deleted));
		return;
	}
	struct feed *f = hub_feed(r->web->hub, r->param[0]);
	buf_addf(&r->out, "{\"deleted\":%lld,\"first\":%llu}", (long long)deleted,
	         (unsigned long long)(f ? f->first : 0));
	respond(r, 200, "application/json");
}

void trim_feed(struct req *r)
{
	struct feed *f = param_feed(r);
	struct json_tape t;
	uint64_t n = 0;
	if (!f)
		return;
	bool good = read_body(r, &t);
	uint32_t before = good ? json_member(&t, 0, SPAN("before")) : 0,
	         keep = good ? json_member(&t, 0, SPAN("keep")) : 0;
	bool by_keep = keep != 0;
	good = good && !before != !keep && read_number(&t, before ? before : keep, &n);
	json_tape_done(&t);
	if (!good) {
		problem(r, 400, "the body is {\"before\": SEQUENCE} or {\"keep\": N}");
		return;
	}
	uint64_t to = by_keep ? (f->last + 1 > n ? f->last + 1 - n : 0) : n;
	lws_set_timeout(r->wsi, NO_PENDING_TIMEOUT, 0);
	r->pending++;
	hub_trim(r->web->hub, f, to, trimmed, r);
}
