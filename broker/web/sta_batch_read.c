/* sta_batch_read.c - bodies of POST /$batch, of both forms; see sta_batch.h. */
#include "web/sta_batch.h"

#include "base/err.h"
#include "base/mem.h"
#include "sta/multipart.h"

#include <stdio.h>
#include <stdlib.h>

void batch_parts_done(struct batch_parts *b)
{
	for (unsigned i = 0; i < b->n; i++)
		free(b->one[i].url);
	free(b->one);
	*b = (struct batch_parts){0};
}

static struct part *part_new(struct batch_parts *b)
{
	if (b->n == LIMIT_STA_BATCH) {
		b->wrong = "at most 200 requests in one";
		return NULL;
	}
	if (!b->one)
		b->one = xcalloc(LIMIT_STA_BATCH, sizeof(*b->one));
	return &b->one[b->n++];
}

static bool set(char *out, size_t size, struct span s)
{
	if (s.n >= size || memchr(s.p ? s.p : "", '\0', s.n))
		return false;
	if (s.n)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return true;
}

static bool set_url(struct part *p, struct span s)
{
	if (!s.n || s.n >= PART_URL_BYTES || memchr(s.p, '\0', s.n))
		return false;
	p->url = xstrndup(s.p, s.n);
	return true;
}

/* ---- JSON ---- */

struct reading {
	struct batch_parts *b;
	struct json_tape t;
};

/* A member that is a text, in out; false: it is there and is none, or too long. */
static bool text_of(const struct json_tape *t, uint32_t of, const char *name, char *out,
                    size_t size)
{
	uint32_t at = json_member(t, of, span_str(name));
	if (!at)
		return true;
	if (t->tok[at].type != JSON_STRING || t->tok[at].len >= size)
		return false;
	size_t n = json_unescape(json_text(t, at), out);
	out[n] = '\0';
	return strlen(out) == n;
}

static bool read_depends(const struct json_tape *t, uint32_t of, struct part *p)
{
	uint32_t on = json_member(t, of, SPAN("dependsOn")), at = on + 1;
	if (!on)
		return true;
	if (t->tok[on].type != JSON_ARRAY || t->tok[on].size > PART_DEPENDS)
		return false;
	for (uint32_t i = 0; i < t->tok[on].size; i++, at = t->tok[at].next) {
		if (t->tok[at].type != JSON_STRING || t->tok[at].len >= PART_ID_BYTES)
			return false;
		p->depends[i][json_unescape(json_text(t, at), p->depends[i])] = '\0';
	}
	p->n_depends = t->tok[on].size;
	return true;
}

/* content-type among its headers. */
static bool read_headers(const struct json_tape *t, uint32_t of, struct part *p)
{
	uint32_t all = json_member(t, of, SPAN("headers"));
	strcpy(p->type, "application/json");
	if (!all)
		return true;
	if (t->tok[all].type != JSON_OBJECT)
		return false;
	return text_of(t, all, "content-type", p->type, sizeof(p->type)) &&
	       text_of(t, all, "Content-Type", p->type, sizeof(p->type));
}

static void read_request(struct reading *x, uint32_t at, struct part *p)
{
	const struct json_tape *t = &x->t;
	char *url = xmalloc(PART_URL_BYTES);
	url[0] = '\0';
	p->wrong = "a request is an object with id, method and url";
	if (t->tok[at].type != JSON_OBJECT || !text_of(t, at, "id", p->id, sizeof(p->id)) ||
	    !p->id[0] || !text_of(t, at, "method", p->method, sizeof(p->method)) ||
	    !text_of(t, at, "url", url, PART_URL_BYTES) || !set_url(p, span_str(url)))
		;
	else if (!text_of(t, at, "atomicityGroup", p->group_name, sizeof(p->group_name)))
		p->wrong = "atomicityGroup is a text of at most 63 bytes";
	else if (!text_of(t, at, "if", p->condition, sizeof(p->condition)))
		p->wrong = "the member if is \"$ID\" or \"not $ID\"";
	else if (!read_depends(t, at, p))
		p->wrong = "dependsOn is an array of at most 16 ids of earlier requests";
	else if (!read_headers(t, at, p))
		p->wrong = "headers is an object of texts";
	else
		p->wrong = NULL;
	free(url);
	uint32_t body = p->wrong ? 0 : json_member(t, at, SPAN("body"));
	if (!body)
		return;
	p->body = json_text(t, body);
	if (t->tok[body].type == JSON_STRING) /* with its quotes */
		p->body = span_of(p->body.p - 1, p->body.n + 2);
}

/* Numbers groups; those of one stand side by side (OData JSON 4.01, 19.1). */
static void number_groups(struct batch_parts *b)
{
	unsigned n = 0;
	for (unsigned i = 0; i < b->n; i++) {
		struct part *p = &b->one[i];
		if (!p->group_name[0])
			continue;
		if (i && strcmp(b->one[i - 1].group_name, p->group_name) == 0) {
			p->group = n;
			continue;
		}
		p->group = ++n;
		for (unsigned k = 0; k < i; k++)
			if (strcmp(b->one[k].group_name, p->group_name) == 0)
				p->wrong = "requests of one atomicityGroup stand side by side";
	}
}

static const char *read_json(struct reading *x, const struct req *r)
{
	struct json_tape *t = &x->t;
	size_t at;
	const char *why;
	if (json_parse(t, span_of(r->body.p, r->body.len), &at, &why))
		return "the body is not JSON";
	uint32_t all = t->tok[0].type == JSON_OBJECT ? json_member(t, 0, SPAN("requests")) : 0;
	if (!all || t->tok[all].type != JSON_ARRAY)
		return "the body is {\"requests\": [...]}";
	uint32_t i = all + 1;
	for (uint32_t k = 0; k < t->tok[all].size; k++, i = t->tok[i].next) {
		struct part *p = part_new(x->b);
		if (!p)
			return x->b->wrong;
		read_request(x, i, p);
	}
	number_groups(x->b);
	return NULL;
}

/* ---- multipart/mixed ---- */

static bool is_type(struct span type, const char *name)
{
	size_t n = strlen(name);
	return type.n >= n && strncasecmp(type.p, name, n) == 0 &&
	       (type.n == n || strchr("; \t", type.p[n]));
}

/* One request; group 0: it is by itself. */
static const char *read_http(struct batch_parts *b, const struct multipart_part *m, unsigned group)
{
	struct http_text h;
	struct part *p = part_new(b);
	if (!p)
		return b->wrong;
	p->group = group;
	p->wrong = "the Content-ID of a part is at most 63 bytes";
	struct span id = multipart_header(m->head, "Content-ID");
	if (!set(p->id, sizeof(p->id), id))
		return NULL;
	p->wrong = "a part begins with a line such as GET Things HTTP/1.1";
	if (!http_text_read(m->body, &h) || !set(p->method, sizeof(p->method), h.method))
		return NULL;
	p->wrong = "its url is too long";
	if (!set_url(p, h.target))
		return NULL;
	p->wrong = "its Content-Type is too long";
	struct span type = multipart_header(h.head, "Content-Type");
	if (!set(p->type, sizeof(p->type), type.n ? type : SPAN("application/json")))
		return NULL;
	while (h.body.n && strchr(" \t\r\n", h.body.p[h.body.n - 1]) && h.body.p[h.body.n - 1])
		h.body.n--;
	p->body = h.body;
	p->wrong = NULL;
	return NULL;
}

static const char broken[] = "the body breaks off: it has no last --boundary--";

static const char *read_change_set(struct batch_parts *b, struct span type, struct span body,
                                   unsigned group)
{
	struct multipart m;
	struct multipart_part part;
	const char *why = NULL;
	if (multipart_begin(&m, type, body))
		return "a change set has no boundary in its Content-Type";
	while (!why && multipart_next(&m, &part)) {
		if (!is_type(multipart_header(part.head, "Content-Type"), "application/http"))
			return "a part of a change set is application/http";
		why = read_http(b, &part, group);
	}
	return why ? why : m.ended ? NULL : broken;
}

static const char *read_mixed(struct batch_parts *b, const struct req *r)
{
	struct multipart m;
	struct multipart_part part;
	const char *why = NULL;
	unsigned groups = 0;
	if (multipart_begin(&m, span_str(r->type), span_of(r->body.p, r->body.len)))
		return "the Content-Type has no boundary, or a longer one than 70 bytes";
	while (!why && multipart_next(&m, &part)) {
		struct span type = multipart_header(part.head, "Content-Type");
		if (multipart_is(type))
			why = read_change_set(b, type, part.body, ++groups);
		else if (is_type(type, "application/http"))
			why = read_http(b, &part, 0);
		else
			why = "a part is application/http, or multipart/mixed for a change set";
	}
	return why ? why : m.ended ? NULL : broken;
}

const char *batch_read(struct batch_parts *b, const struct req *r)
{
	struct reading x = {.b = b};
	b->mixed = multipart_is(span_str(r->type));
	if (b->mixed)
		return read_mixed(b, r);
	json_tape_init(&x.t, LIMIT_STA_TOKENS);
	const char *why = read_json(&x, r);
	json_tape_done(&x.t);
	return why;
}
