/* api.c - the small resources: feeds, schemas, status, health, trim, reload. */
#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "schema/catalog.h"
#include "web/private.h"
#include "json/json.h"
#include "json/write.h"

#include <stdio.h>
#include <string.h>

#define SECURITY_VALID_MS (INT64_C(90) * 86400000)

enum { RELOAD_TEXT_BYTES = 1 << 20, SCHEMA_ID_BYTES = 256 };

void get_feeds(struct req *r)
{
	bool first = true;
	if (!only_query(r, ""))
		return;
	buf_add_str(&r->out, "{\"feeds\":[");
	for (unsigned i = 0; i < hub_feed_count(r->web->hub); i++) {
		struct feed *f = hub_feed_at(r->web->hub, i);
		if (f->ended || !access_sees(&r->who, f))
			continue;
		if (!first)
			buf_add_char(&r->out, ',');
		first = false;
		r->web->ops.feed(r->web->ops.arg, f, &r->out);
	}
	buf_add_str(&r->out, "]}");
	respond(r, 200, "application/json");
}

void get_feed(struct req *r)
{
	struct feed *f = param_feed(r, 0);
	if (!f || !only_query(r, ""))
		return;
	r->web->ops.feed(r->web->ops.arg, f, &r->out);
	respond(r, 200, "application/json");
}

void get_status(struct req *r)
{
	if (!only_query(r, ""))
		return;
	if (access_check(&r->who, ACCESS_READ, NULL, (struct span){0})) { /* it names all feeds */
		problem(r, 403, "only who is on the broker's machine may see this");
		return;
	}
	r->web->ops.status(r->web->ops.arg, &r->out);
	respond(r, 200, "application/json");
}

/* RFC 9116. It ends later each time it is read: who answers is there. */
void get_security(struct req *r)
{
	const struct config *c = hub_config(r->web->hub);
	char until[RFC3339_BYTES];
	if (!only_query(r, ""))
		return;
	if (!*c->security_contact) {
		problem(r, 404, "there is nothing at this path");
		return;
	}
	rfc3339_format(clock_wall_ms(hub_clock(r->web->hub)) + SECURITY_VALID_MS, until);
	buf_addf(&r->out,
	         "Contact: %s\nExpires: %.*s\nPreferred-Languages: nl, en\n"
	         "Canonical: %s/.well-known/security.txt\n",
	         c->security_contact, RFC3339_BYTES, until, r->web->base_url);
	respond(r, 200, "text/plain; charset=utf-8");
}

void get_metrics(struct req *r)
{
	r->web->ops.metrics(r->web->ops.arg, &r->out);
	respond(r, 200, "text/plain; version=0.0.4; charset=utf-8");
}

void get_livez(struct req *r)
{
	buf_add_str(&r->out, "alive\n");
	respond(r, 200, "text/plain; charset=utf-8");
}

void get_readyz(struct req *r)
{
	const char *why = "";
	bool ready = r->web->ops.ready(r->web->ops.arg, &why);
	buf_addf(&r->out, "%s%s\n", ready ? "ready" : "not ready: ", why);
	respond(r, ready ? 200 : 503, "text/plain; charset=utf-8");
}

/* ---- schemas ---- */

static void write_title(struct buf *b, struct json_tape *t, const struct schema *s)
{
	size_t at;
	const char *why;
	if (json_parse(t, schema_source(s), &at, &why))
		return;
	uint32_t title = json_member(t, 0, SPAN("title"));
	if (!title || t->tok[title].type != JSON_STRING)
		return;
	buf_add_str(b, ",\"title\":\""); /* as it stands there, escapes and all */
	buf_add_span(b, json_text(t, title));
	buf_add_char(b, '"');
}

void get_schemas(struct req *r)
{
	const struct catalog *c = hub_catalog(r->web->hub);
	struct json_tape t;
	if (!only_query(r, ""))
		return;
	json_tape_init(&t, LIMIT_JSON_TOKENS);
	buf_add_str(&r->out, "{\"schemas\":[");
	for (size_t i = 0; i < catalog_count(c); i++) {
		const struct schema *s = catalog_at(c, i);
		buf_addf(&r->out, "%s{\"id\":\"%s\",\"name\":\"%s\",\"version\":%u", i ? "," : "",
		         schema_id(s), schema_name(s), schema_version(s));
		write_title(&r->out, &t, s);
		buf_add_char(&r->out, '}');
	}
	buf_add_str(&r->out, "]}");
	json_tape_done(&t);
	respond(r, 200, "application/json");
}

void get_schema(struct req *r)
{
	char id[SCHEMA_ID_BYTES];
	if (!only_query(r, ""))
		return;
	int n = snprintf(id, sizeof(id), "%.*s/%.*s", (int)r->param[0].n, r->param[0].p,
	                 (int)r->param[1].n, r->param[1].p);
	const struct schema *s =
	    n > 0 && (size_t)n < sizeof(id)
	        ? catalog_find(hub_catalog(r->web->hub), span_of(id, (size_t)n))
	        : NULL;
	if (!s) {
		problem(r, 404, "there is no such schema");
		return;
	}
	buf_add_span(&r->out, schema_source(s));
	respond(r, 200, "application/schema+json");
}

/* ---- administration ---- */

/* Lines of text as a JSON array of strings. */
static void write_lines(struct buf *b, struct span text)
{
	bool first = true;
	buf_add_char(b, '[');
	while (text.n) {
		const char *nl = memchr(text.p, '\n', text.n);
		size_t n = nl ? (size_t)(nl - text.p) : text.n;
		if (!first)
			buf_add_char(b, ',');
		first = false;
		json_write_string(b, span_of(text.p, n));
		n += nl ? 1 : 0;
		text = span_of(text.p + n, text.n - n);
	}
	buf_add_char(b, ']');
}

void post_reload(struct req *r)
{
	struct buf text;
	if (!only_query(r, ""))
		return;
	buf_init(&text, RELOAD_TEXT_BYTES);
	int err = r->web->ops.reload(r->web->ops.arg, &text);
	buf_add_str(&r->out, err ? "{\"status\":400,\"title\":\"Bad Request\",\"detail\":\"The "
	                           "configuration has errors; the former one stays in force.\","
	                           "\"errors\":"
	                         : "{\"changed\":");
	write_lines(&r->out, span_of(text.p, text.len));
	buf_add_char(&r->out, '}');
	buf_done(&text);
	respond(r, err ? 400 : 200, err ? "application/problem+json" : "application/json");
}

static void trimmed(void *arg, int64_t deleted)
{
	struct req *r = arg;
	if (!req_came(r, deleted < 0 ? (int)deleted : 0))
		return;
	if (deleted < 0) {
		problem(r, 507, "nothing could be deleted: %s", err_text((int)deleted));
		return;
	}
	struct feed *f = hub_feed(r->web->hub, r->param[0]);
	buf_addf(&r->out, "{\"deleted\":%lld,\"first\":%llu}", (long long)deleted,
	         (unsigned long long)(f ? f->first : 0));
	respond(r, 200, "application/json");
}

/* {"before": SEQUENCE} or {"keep": N}: the first sequence to stay. */
static bool read_trim(const struct req *r, const struct feed *f, uint64_t *ret)
{
	struct json_tape t;
	size_t at;
	const char *why;
	int64_t n = -1;
	bool good = false;
	json_tape_init(&t, 16);
	if (json_parse(&t, span_of(r->body.p, r->body.len), &at, &why) == 0 &&
	    t.tok[0].type == JSON_OBJECT && t.tok[0].size == 1) {
		uint32_t before = json_member(&t, 0, SPAN("before")),
		         keep = json_member(&t, 0, SPAN("keep")), i = before ? before : keep;
		good = i && t.tok[i].type == JSON_NUMBER && json_int64(json_text(&t, i), &n) == 0 &&
		       n >= 0;
		if (good && before)
			*ret = (uint64_t)n;
		else if (good)
			*ret = f->last + 1 > (uint64_t)n ? f->last + 1 - (uint64_t)n : 0;
	}
	json_tape_done(&t);
	return good;
}

void trim_feed(struct req *r)
{
	uint64_t before;
	struct feed *f = param_feed(r, ACCESS_ADMIN);
	if (!f || !only_query(r, ""))
		return;
	if (!read_trim(r, f, &before)) {
		problem(r, 400, "the body is {\"before\": SEQUENCE} or {\"keep\": N}");
		return;
	}
	req_wait(r);
	r->pending++;
	hub_trim(r->web->hub, f, before, trimmed, r);
}
