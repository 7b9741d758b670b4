/* sta_batch.c - POST /$batch, the JSON form (OData JSON 4.01 clause 19): requests that go one after
 * the other through the router, as if each had come by itself, so that admission, rights and limits
 * are the same. Each has its own answer.
 *
 * A later one names an earlier one by "$" and its id: at the beginning of its url
 * ("$t/Datastreams") and as the value of @iot.id in its body; it is the entity that was made, or
 * that the answer is. Who depends on what failed is 424. An atomicityGroup of more than one request
 * is refused: what is to be all or nothing is one POST with deep insert. */
#include "web/sta_write.h"

#include "base/err.h"
#include "base/mem.h"
#include "json/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { KEPT_BYTES = 512 << 10 }; /* of the answer: for those of requests that are still to come */
enum { ID_BYTES = 64, URL_BYTES = PATH_BYTES + QUERY_BYTES, ENTITY_BYTES = 80 };

struct answered { /* what later ones may name */
	char id[ID_BYTES];
	int status;
	char entity[ENTITY_BYTES]; /* "Things(5)", or "" */
};

struct batch_run {
	struct req *r;
	struct req *inner; /* the one under way; NULL: none */
	struct json_tape t;
	uint32_t next; /* token of the next request */
	unsigned n, at;
	struct answered *one; /* n of them */
	bool again;           /* the inner one has answered */
};

static const char ROOT[] = "/sta/v1.1";

static void drop_inner(struct batch_run *s)
{
	struct req *inner = s->inner;
	if (!inner)
		return;
	s->inner = NULL;
	inner->answered = NULL;
	inner->wsi = NULL;
	req_release(inner); /* at once, or when what it waits for has come */
}

static void batch_free(void *arg)
{
	struct batch_run *s = arg;
	drop_inner(s);
	json_tape_done(&s->t);
	free(s->one);
	free(s);
}

/* ---- a request of the batch ---- */

static bool text_of(const struct batch_run *s, uint32_t request, const char *name, char *out,
                    size_t size)
{
	uint32_t at = json_member(&s->t, request, span_str(name));
	if (!at || s->t.tok[at].type != JSON_STRING || s->t.tok[at].len >= size)
		return false;
	out[json_unescape(json_text(&s->t, at), out)] = '\0';
	return true;
}

static const struct answered *find_answer(const struct batch_run *s, struct span id)
{
	for (unsigned i = s->at; i-- > 0;)
		if (span_is(id, s->one[i].id))
			return &s->one[i];
	return NULL;
}

/* Percent-encoded, or not: what is no code stays. */
static size_t decode(struct span s, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		const char *a = i + 2 < s.n ? strchr(digits, s.p[i + 1] | 32) : NULL,
		           *b = a ? strchr(digits, s.p[i + 2] | 32) : NULL;
		if (s.p[i] == '%' && a && b) {
			out[n++] = (char)((a - digits) << 4 | (b - digits));
			i += 2;
		} else {
			out[n++] = s.p[i];
		}
	}
	return n;
}

static const char *read_options(struct req *inner, const char *text)
{
	char pair[QUERY_BYTES];
	while (*text) {
		size_t n = strcspn(text, "&");
		if (n >= sizeof(pair))
			return "its query is too long";
		size_t m = decode(span_of(text, n), pair);
		if (m && query_add(&inner->query, span_of(pair, m)))
			return "its query is malformed, too long, or names an option twice";
		text += n + (text[n] == '&');
	}
	return NULL;
}

/* "$t/Datastreams" is below what request t made. */
static const char *read_url(const struct batch_run *s, struct req *inner, char *url)
{
	char path[URL_BYTES + ENTITY_BYTES];
	char *question = strchr(url, '?');
	const char *base = s->r->web->base_url, *rest;
	if (question)
		*question++ = '\0';
	if (strncmp(url, base, strlen(base)) == 0)
		url += strlen(base);
	if (strncmp(url, ROOT, strlen(ROOT)) == 0)
		url += strlen(ROOT);
	url += *url == '/';
	if (url[0] == '$' && strncmp(url, "$batch", 6) != 0) {
		size_t n = strcspn(url, "/");
		const struct answered *of = find_answer(s, span_of(url + 1, n - 1));
		if (!of || !of->entity[0])
			return "its url names no earlier request that has an entity";
		snprintf(path, sizeof(path), "%s%s", of->entity, url + n);
		rest = path;
	} else {
		rest = url;
	}
	if (strncmp(rest, "$batch", 6) == 0)
		return "a batch within a batch is not taken";
	if (strlen(rest) + strlen(ROOT) + 2 > sizeof(inner->path))
		return "its url is too long";
	int n = snprintf(inner->path, sizeof(inner->path), "%s%s", ROOT, *rest ? "/" : "");
	size_t m = decode(span_str(rest), inner->path + n);
	inner->path[(size_t)n + m] = '\0';
	return question ? read_options(inner, question) : NULL;
}

/* The body, with numbers in the place of "$id" at @iot.id. */
static const char *write_body(const struct batch_run *s, uint32_t at, struct buf *b)
{
	const struct json_tape *t = &s->t;
	const char *from = t->src + t->tok[at].pos;
	for (uint32_t i = at; i + 1 < t->tok[at].next; i++) {
		if (t->tok[i].type != JSON_STRING || t->tok[i + 1].type != JSON_STRING ||
		    !t->tok[i].hash || !json_string_is(t, i, SPAN("@iot.id")))
			continue;
		struct span v = json_text(t, i + 1);
		const struct answered *of =
		    v.n && v.p[0] == '$' ? find_answer(s, span_of(v.p + 1, v.n - 1)) : NULL;
		const char *open = of ? strchr(of->entity, '(') : NULL;
		if (!open)
			return "an @iot.id of its body names no earlier request that has an entity";
		buf_add(b, from, (size_t)(v.p - 1 - from));
		buf_add(b, open + 1, strcspn(open + 1, ")"));
		from = v.p + v.n + 1;
	}
	buf_add(b, from, (size_t)(t->src + t->tok[at].pos + t->tok[at].len - from));
	return b->err ? "its body is too large" : NULL;
}

static bool read_method(const char *text, enum method *ret)
{
	static const struct {
		const char *name;
		enum method method;
	} rows[] = {{"get", METHOD_GET},
	            {"post", METHOD_POST},
	            {"put", METHOD_PUT},
	            {"patch", METHOD_PATCH},
	            {"delete", METHOD_DELETE}};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (strcasecmp(text, rows[i].name) == 0) {
			*ret = rows[i].method;
			return true;
		}
	return false;
}

/* 0, or the status of a request that is not begun. */
static int depends(const struct batch_run *s, uint32_t request, const char **ret_why)
{
	uint32_t on = json_member(&s->t, request, SPAN("dependsOn")), at = on + 1;
	char id[ID_BYTES];
	if (!on)
		return 0;
	*ret_why = "dependsOn is an array of ids of earlier requests";
	if (s->t.tok[on].type != JSON_ARRAY)
		return 400;
	for (uint32_t i = 0; i < s->t.tok[on].size; i++, at = s->t.tok[at].next) {
		if (s->t.tok[at].type != JSON_STRING || s->t.tok[at].len >= sizeof(id))
			return 400;
		size_t n = json_unescape(json_text(&s->t, at), id);
		const struct answered *of = find_answer(s, span_of(id, n));
		if (!of)
			return 400;
		if (of->status >= 300) {
			*ret_why = "a request that it depends on failed";
			return 424;
		}
	}
	return 0;
}

static bool is_alone(const struct batch_run *s, uint32_t request)
{
	char mine[ID_BYTES], other[ID_BYTES];
	uint32_t all = json_member(&s->t, 0, SPAN("requests")), at = all + 1;
	if (!json_member(&s->t, request, SPAN("atomicityGroup")))
		return true;
	if (!text_of(s, request, "atomicityGroup", mine, sizeof(mine)))
		return false;
	for (uint32_t i = 0; i < s->t.tok[all].size; i++, at = s->t.tok[at].next)
		if (at != request && text_of(s, at, "atomicityGroup", other, sizeof(other)) &&
		    strcmp(mine, other) == 0)
			return false;
	return true;
}

static int read_request(struct batch_run *s, uint32_t request, struct req *inner,
                        const char **ret_why)
{
	char method[16], url[URL_BYTES];
	struct answered *me = &s->one[s->at];
	*ret_why = "a request is an object with id, method and url";
	if (s->t.tok[request].type != JSON_OBJECT ||
	    !text_of(s, request, "id", me->id, sizeof(me->id)) || !me->id[0] ||
	    !text_of(s, request, "method", method, sizeof(method)) ||
	    !text_of(s, request, "url", url, sizeof(url)))
		return 400;
	*ret_why = "method is get, post, put, patch or delete";
	if (!read_method(method, &inner->method))
		return 400;
	*ret_why = "the member if is not known here";
	if (json_member(&s->t, request, SPAN("if")))
		return 501;
	*ret_why = "more than one request cannot be all or nothing: make them with one POST";
	if (!is_alone(s, request))
		return 501;
	int status = depends(s, request, ret_why);
	if (status)
		return status;
	*ret_why = read_url(s, inner, url);
	uint32_t body = json_member(&s->t, request, SPAN("body"));
	if (!*ret_why && body)
		*ret_why = write_body(s, body, &inner->body);
	return *ret_why ? 400 : 0;
}

/* ---- running them ---- */

static void inner_answered(struct req *inner)
{
	struct batch_run *s = inner->answered_arg;
	s->again = true;
	if (s->r->wsi)
		conn_wake(s->r->wsi);
}

static struct req *inner_new(struct batch_run *s)
{
	struct req *r = s->r, *inner = xcalloc(1, sizeof(*inner));
	inner->web = r->web;
	inner->wsi = r->wsi;
	inner->kind = r->kind;
	inner->who = r->who;
	inner->answered = inner_answered;
	inner->answered_arg = s;
	strcpy(inner->type, "application/json");
	list_init(&inner->node);
	list_init(&inner->room_node);
	list_init(&inner->behind);
	list_init(&inner->page_node);
	query_init(&inner->query);
	buf_init(&inner->out, LIMIT_WEB_EVENT_BYTES);
	buf_init(&inner->body, LIMIT_PACKET_BYTES_MAX);
	return inner;
}

static void write_head(struct batch_run *s, int status)
{
	struct buf *b = &s->r->out;
	buf_add_str(b, s->at ? ",{\"id\":" : "{\"id\":");
	json_write_string(b, span_str(s->one[s->at].id));
	buf_addf(b, ",\"status\":%d", status);
	s->one[s->at].status = status;
}

static void write_fault(struct batch_run *s, int status, const char *why)
{
	struct buf *b = &s->r->out;
	write_head(s, status);
	buf_addf(b, ",\"body\":{\"status\":%d,\"code\":\"batch\",\"detail\":", status);
	json_write_string(b, span_str(why));
	buf_add_str(b, "}}");
	s->at++;
}

/* The entity that an answer is about: of Location, or of @iot.selfLink of a body that is one. */
static void note_entity(struct batch_run *s, const char *link)
{
	struct answered *me = &s->one[s->at];
	const char *path = link ? strstr(link, ROOT) : NULL;
	if (!path)
		return;
	path += strlen(ROOT) + 1;
	size_t n = strcspn(path, ")");
	if (path[n] == ')' && n + 1 < sizeof(me->entity))
		snprintf(me->entity, sizeof(me->entity), "%.*s", (int)n + 1, path);
}

static void write_answer(struct batch_run *s)
{
	struct req *inner = s->inner;
	struct buf *b = &s->r->out;
	const char *location = req_extra(inner, "Location:"), *type = inner->content_type;
	char link[300] = "";
	write_head(s, inner->status);
	if (location) {
		json_write_name(b, "location");
		json_write_string(b, span_str(location));
		snprintf(link, sizeof(link), "%s", location);
	} else if (inner->out.len) {
		const char *self = strstr(buf_str(&inner->out), "\"@iot.selfLink\":\"");
		if (self)
			snprintf(link, sizeof(link), "%.*s", (int)strcspn(self + 17, "\""),
			         self + 17);
	}
	note_entity(s, link);
	if (inner->out.len && b->len + inner->out.len + KEPT_BYTES > b->max) {
		buf_add_str(b, ",\"body\":{\"code\":\"too-large\",\"detail\":\"the answers are too "
		               "large together: ask for this by itself\"}");
	} else if (inner->out.len && type && strstr(type, "json")) {
		buf_add_str(b, ",\"body\":");
		buf_add(b, inner->out.p, inner->out.len);
	} else if (inner->out.len) {
		buf_add_str(b, ",\"body\":");
		json_write_string(b, span_of(inner->out.p, inner->out.len));
	}
	buf_add_char(b, '}');
	s->at++;
}

static void begin_next(struct batch_run *s)
{
	const char *why;
	uint32_t request = s->next;
	struct req *inner = s->inner = inner_new(s);
	s->next = s->t.tok[request].next;
	int status = read_request(s, request, inner, &why);
	s->r->web->body_bytes += inner->body.len;
	if (status) {
		write_fault(s, status, why);
		drop_inner(s);
		return;
	}
	route(inner);
}

static void run(struct req *r)
{
	struct batch_run *s = r->own;
	while (s->at < s->n) {
		if (s->inner && !s->again)
			return;
		if (s->inner) {
			s->again = false;
			write_answer(s);
			drop_inner(s);
		} else {
			begin_next(s);
		}
	}
	r->again = NULL;
	buf_add_str(&r->out, "]}");
	respond(r, 200, "application/json");
}

void sta_batch(struct req *r)
{
	struct batch_run *s = xcalloc(1, sizeof(*s));
	size_t at;
	const char *why;
	s->r = r;
	json_tape_init(&s->t, LIMIT_STA_TOKENS);
	r->own = s;
	r->own_free = batch_free;
	if (r->answered) {
		sta_refuse(r, 400, "batch", "", "a batch within a batch is not taken");
		return;
	}
	if (json_parse(&s->t, span_of(r->body.p, r->body.len), &at, &why)) {
		sta_refuse(r, 400, "json", "", "the body is not JSON: %s, at byte %zu", why, at);
		return;
	}
	uint32_t all =
	    s->t.tok[0].type == JSON_OBJECT ? json_member(&s->t, 0, SPAN("requests")) : 0;
	if (!all || s->t.tok[all].type != JSON_ARRAY || s->t.tok[all].size > LIMIT_STA_BATCH) {
		sta_refuse(r, 400, "batch", "/requests",
		           "the body is {\"requests\": [...]}, of at most %d", LIMIT_STA_BATCH);
		return;
	}
	s->n = s->t.tok[all].size;
	s->next = all + 1;
	s->one = xcalloc(s->n + 1, sizeof(*s->one));
	buf_done(&r->out);
	buf_init(&r->out, LIMIT_STA_ANSWER_BYTES);
	buf_add_str(&r->out, "{\"responses\":[");
	req_wait(r);
	r->again = run;
	conn_wake(r->wsi);
}
