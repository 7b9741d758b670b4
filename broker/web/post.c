/* post.c - publishing over HTTP: admission exactly as MQTT's, one message or one a line. Answers
 * come after the commit; a full batch makes the request wait for room. */
#include "web/post.h"

#include "base/err.h"
#include "base/mem.h"
#include "json/json.h"
#include "json/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char post_full[] = "the store is full: send it again later";

/* ---- messages on their way ---- */

struct post *post_new(struct req *r, struct feed *f)
{
	struct post *p = xcalloc(1, sizeof(*p));
	p->req = r;
	p->feed = f;
	r->post = p;
	return p;
}

void post_done(struct req *r)
{
	if (!r->post)
		return;
	json_tape_done(&r->post->tape);
	free(r->post->ids);
	free(r->post);
	r->post = NULL;
}

static void answered(const struct answer *a, int err)
{
	struct req *r = a->owner;
	struct post *p = r->post;
	assert(r->pending && p);
	struct result one = {.verdict = a->verdict,
	                     .err = err,
	                     .sequence = a->sequence,
	                     .token = a->token,
	                     .reason = a->reason ? a->reason : "",
	                     .schema = "",
	                     .pointer = "",
	                     .rule = ""};
	if (a->parts) { /* three terminated strings in a row */
		one.schema = a->parts;
		one.pointer = one.schema + strlen(one.schema) + 1;
		one.rule = one.pointer + strlen(one.pointer) + 1;
	}
	if (!req_came(r, 0))
		return;
	p->take(p, &one);
	if (!r->pending && !r->answering)
		p->next(p);
}

void post_wait(struct req *r)
{
	if (list_empty(&r->room_node))
		list_append(&r->web->room, &r->room_node);
}

bool post_publish(struct post *p, struct ingest_message *m, uint64_t token)
{
	struct req *r = p->req;
	m->who = &r->who;
	m->answer = (struct answer){
	    .done = answered, .owner = r, .token = token, .qos = m->qos ? m->qos : 1};
	if (ingest_publish(r->web->ingest, m) == 0) {
		r->pending++;
		return true;
	}
	post_wait(r);
	return false;
}

int post_try(struct post *p, struct ingest_message *m, uint64_t token)
{
	struct req *r = p->req;
	uint8_t verdict = 0;
	m->who = &r->who;
	m->trial = true;
	m->ret_verdict = &verdict;
	m->answer = (struct answer){.done = answered, .owner = r, .token = token, .qos = 1};
	if (ingest_publish(r->web->ingest, m))
		return ERR_AGAIN;
	if (verdict == VERDICT_STORED)
		return 0;
	r->pending++;
	return ERR_INVALID;
}

void web_room(struct web *w)
{
	struct list some;
	list_init(&some);
	list_splice(&some, &w->room);
	while (!list_empty(&some)) {
		struct req *r = list_entry(some.next, struct req, room_node);
		list_remove(&r->room_node);
		if (!r->pending && r->wsi && r->post && !r->answering)
			r->post->next(r->post);
	}
}

int post_status(const struct result *r)
{
	if (r->err)
		return 507;
	switch (r->verdict) {
	case VERDICT_STORED:
	case VERDICT_CLEARED: return 201;
	case VERDICT_DUPLICATE: return 200;
	case VERDICT_DENIED: return 403;
	case VERDICT_TOO_LARGE: return 413;
	case VERDICT_QUOTA: return 429;
	default: return 400;
	}
}

/* ---- lines ---- */

static void take_line(struct post *p, const struct result *r)
{
	struct buf *b = &p->req->out;
	int status = post_status(r);
	buf_addf(b, "{\"status\":%d", status);
	if (status < 300)
		buf_addf(b, ",\"sequence\":%llu", (unsigned long long)r->sequence);
	if (status == 200)
		buf_add_str(b, ",\"duplicate\":true");
	if (status >= 300) {
		buf_add_str(b, ",\"detail\":");
		json_write_string(b, span_str(r->err ? post_full : r->reason));
	}
	buf_add_str(b, "}\n");
}

static bool is_blank(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr(" \t\r", s.p[i]) || !s.p[i])
			return false;
	return true;
}

/* The line at *at of the body; false at the end. Empty lines are passed over. */
static bool next_line(const struct buf *b, size_t *at, struct span *ret)
{
	while (*at < b->len) {
		const char *s = b->p + *at, *nl = memchr(s, '\n', b->len - *at);
		*ret = span_of(s, nl ? (size_t)(nl - s) : b->len - *at);
		if (!is_blank(*ret))
			return true;
		*at += ret->n + 1;
	}
	return false;
}

static bool publish_body(struct post *p, struct span payload)
{
	struct ingest_message m = {.publisher = SPAN("http"),
	                           .topic = span_str(p->topic),
	                           .payload = payload,
	                           .protocol = QUARANTINE_HTTP,
	                           .qos = 1};
	return post_publish(p, &m, 0);
}

static bool is_topic_text(struct span s)
{
	return s.n && s.n <= LIMIT_TOPIC_BYTES && !memchr(s.p, '+', s.n) &&
	       !memchr(s.p, '#', s.n) && !memchr(s.p, '\0', s.n);
}

const char *post_topic(struct post *p, const struct query *q, struct span thing)
{
	struct span topic, at;
	struct feed *f = p->feed;
	if (q && query_get(q, "topic", &topic)) {
		if (!is_topic_text(topic) || hub_route(p->req->web->hub, topic, &at) != f)
			return "topic is not one of this feed";
		memcpy(p->topic, topic.p, topic.n);
		return NULL;
	}
	bool given = !q || query_get(q, "thing", &thing);
	const char *template = f->conf->topics[0], *hole = strstr(template, "{thing}");
	if (hole && !given)
		return "thing= is needed (or topic=)";
	if (strpbrk(template, "+#") && strcmp(template + strcspn(template, "+#"), "#") != 0)
		return "topic= is needed: this feed takes many topics";
	if (!hole && strchr(template, '#'))
		return "topic= is needed: this feed takes many topics";
	if (given && hole && (!is_topic_text(thing) || memchr(thing.p, '/', thing.n)))
		return "thing is empty or holds a character that a topic level may not";
	int n = hole ? snprintf(p->topic, sizeof(p->topic), "%.*s%.*s%s", (int)(hole - template),
	                        template, (int)thing.n, thing.p, hole + strlen("{thing}"))
	             : snprintf(p->topic, sizeof(p->topic), "%s", template);
	if (n < 0 || (size_t)n >= sizeof(p->topic))
		return "the topic is too long";
	if (n >= 2 && strcmp(p->topic + n - 2, "/#") == 0)
		p->topic[n - 2] = '\0';
	return NULL;
}

/* A line of lines=events: the thing and the payload of a CloudEvent, as a feed's events come. NULL,
 * or what is wrong with it. */
static const char *read_event(struct post *p, struct span line, struct span *ret_payload)
{
	struct json_tape *t = &p->tape;
	char thing[LIMIT_TOPIC_BYTES];
	size_t at, n;
	const char *why;
	if (json_parse(t, line, &at, &why) || t->tok[0].type != JSON_OBJECT)
		return "the line is not a JSON object";
	uint32_t subject = json_member(t, 0, SPAN("subject")),
	         data = json_member(t, 0, SPAN("data"));
	if (!subject || t->tok[subject].type != JSON_STRING || t->tok[subject].len > sizeof(thing))
		return "the line has no subject: the thing that it is about";
	if (!data)
		return "the line has no data";
	n = json_unescape(json_text(t, subject), thing);
	*ret_payload = json_text(t, data);
	if (t->tok[data].type == JSON_STRING) /* with its quotes */
		*ret_payload = span_of(ret_payload->p - 1, ret_payload->n + 2);
	return post_topic(p, NULL, span_of(thing, n));
}

/* One line. False: not now, it comes again. */
static bool publish_line(struct post *p, struct span line)
{
	struct span payload = line;
	const char *wrong = p->events ? read_event(p, line, &payload) : NULL;
	if (!wrong)
		return publish_body(p, payload);
	if (p->req->pending) /* results come in the order of the lines */
		return false;
	const struct result one = {.verdict = VERDICT_REFUSED, .reason = wrong};
	take_line(p, &one);
	return true;
}

static void next_lines(struct post *p)
{
	struct req *r = p->req;
	struct span line;
	while (r->pending < LIMIT_WEB_NDJSON_FLIGHT && next_line(&r->body, &p->at, &line)) {
		if (!publish_line(p, line))
			return;
		p->at += line.n + 1;
	}
	if (!r->pending)
		respond(r, 200, "application/x-ndjson");
}

/* Before anything is admitted: the results of all lines must fit. NULL, or what is wrong. */
static const char *check_lines(const struct req *r)
{
	struct span line;
	unsigned n = 0;
	uint64_t longest = hub_config(r->web->hub)->max_packet_bytes;
	for (size_t at = 0; next_line(&r->body, &at, &line); at += line.n + 1)
		if (line.n > longest)
			return "a line is larger than max-packet allows";
		else if (++n > LIMIT_WEB_NDJSON_LINES)
			return "send at most 20000 lines at once";
	return NULL;
}

/* ---- one message ---- */

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
static void refused(struct post *p, const struct result *one)
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

static void created(struct post *p, uint64_t sequence)
{
	struct req *r = p->req;
	const struct feed *f = p->feed;
	char link[300];
	buf_addf(&r->out, "{\"sequence\":%llu,\"id\":\"%.*s:%u:%llu\"}",
	         (unsigned long long)sequence, (int)f->name.n, f->name.p, f->epoch,
	         (unsigned long long)sequence);
	snprintf(link, sizeof(link), "/v1/feeds/%.*s/events?after=%u:%llu&limit=1", (int)f->name.n,
	         f->name.p, f->epoch, (unsigned long long)(sequence - 1));
	respond_header(r, "Location:", link);
	respond(r, 201, "application/json");
}

static void take_one(struct post *p, const struct result *one)
{
	struct req *r = p->req;
	int status = post_status(one);
	if (status == 507) {
		problem(r, 507, "%s", post_full);
	} else if (status > 400) {
		problem(r, status, "%s", one->reason);
	} else if (status == 400) {
		refused(p, one);
	} else if (status == 200) {
		buf_addf(&r->out, "{\"sequence\":%llu,\"duplicate\":true}",
		         (unsigned long long)one->sequence);
		respond(r, 200, "application/json");
	} else if (one->sequence) {
		created(p, one->sequence);
	} else { /* an empty retained payload has no record */
		buf_add_str(&r->out, "{}");
		respond(r, 200, "application/json");
	}
}

static void next_one(struct post *p)
{
	const struct buf *b = &p->req->body;
	if (!p->req->pending)
		(void)publish_body(p, span_of(b->p, b->len)); /* no room: next_one() again then */
}

/* ---- the request ---- */

static bool is_type(const char *type, const char *name)
{
	size_t n = strlen(name);
	return strncasecmp(type, name, n) == 0 && (!type[n] || strchr("; \t", type[n]));
}

void post_events(struct req *r)
{
	struct feed *f = param_feed(r, ACCESS_PUBLISH);
	if (!f || !only_query(r, "thing topic lines"))
		return;
	bool json = is_type(r->type, "application/json"),
	     lines = is_type(r->type, "application/x-ndjson");
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
	p->next = lines ? next_lines : next_one;
	p->take = lines ? take_line : take_one;
	struct span as;
	bool as_given = query_get(&r->query, "lines", &as);
	p->events = as_given && lines && span_is(as, "events");
	json_tape_init(&p->tape, LIMIT_JSON_TOKENS);
	const char *wrong = as_given && !p->events
	                        ? "lines is events, and goes with application/x-ndjson"
	                    : p->events ? NULL
	                                : post_topic(p, &r->query, (struct span){0});
	const char *large = !wrong && lines ? check_lines(r) : NULL;
	if (wrong) {
		problem(r, 400, "%s", wrong);
	} else if (large) {
		problem(r, 413, "%s", large);
	} else if (!lines && r->body.len == 0) {
		problem(r, 400, "the body is empty");
	} else {
		req_wait(r);
		p->next(p);
	}
}
