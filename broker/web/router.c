/* router.c - one table of what there is; everything else is 404, 405 or 403. */
#include "base/err.h"
#include "schema/catalog.h"
#include "web/private.h"
#include "json/write.h"

#include <string.h>

static void get_feeds(struct req *r)
{
	bool first = true;
	if (!only_query(r, ""))
		return;
	buf_add_str(&r->out, "{\"feeds\":[");
	for (unsigned i = 0; i < hub_feed_count(r->web->hub); i++) {
		struct feed *f = hub_feed_at(r->web->hub, i);
		if (f->ended)
			continue;
		if (!first)
			buf_add_char(&r->out, ',');
		first = false;
		r->web->ops.feed(r->web->ops.arg, f, &r->out);
	}
	buf_add_str(&r->out, "]}");
	respond(r, 200, "application/json");
}

static void get_feed(struct req *r)
{
	struct feed *f = param_feed(r);
	if (!f || !only_query(r, ""))
		return;
	r->web->ops.feed(r->web->ops.arg, f, &r->out);
	respond(r, 200, "application/json");
}

static void get_status(struct req *r)
{
	r->web->ops.status(r->web->ops.arg, &r->out);
	respond(r, 200, "application/json");
}

static void get_metrics(struct req *r)
{
	r->web->ops.metrics(r->web->ops.arg, &r->out);
	respond(r, 200, "text/plain; version=0.0.4; charset=utf-8");
}

static void get_livez(struct req *r)
{
	buf_add_str(&r->out, "alive\n");
	respond(r, 200, "text/plain; charset=utf-8");
}

static void get_readyz(struct req *r)
{
	const char *why = "";
	bool ready = r->web->ops.ready(r->web->ops.arg, &why);
	buf_addf(&r->out, "%s%s\n", ready ? "ready" : "not ready: ", why);
	respond(r, ready ? 200 : 503, "text/plain; charset=utf-8");
}

static void get_schemas(struct req *r)
{
	const struct catalog *c = hub_catalog(r->web->hub);
	buf_add_str(&r->out, "{\"schemas\":[");
	for (size_t i = 0; i < catalog_count(c); i++) {
		const struct schema *s = catalog_at(c, i);
		buf_addf(&r->out, "%s{\"id\":\"%s\",\"name\":\"%s\",\"version\":%u}", i ? "," : "",
		         schema_id(s), schema_name(s), schema_version(s));
	}
	buf_add_str(&r->out, "]}");
	respond(r, 200, "application/json");
}

static void get_schema(struct req *r)
{
	char id[256];
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

static void post_reload(struct req *r)
{
	struct buf text;
	buf_init(&text, 1 << 20);
	int err = r->web->ops.reload(r->web->ops.arg, &text);
	if (err)
		buf_add_str(&r->out, "{\"status\":400,\"title\":\"Bad Request\",\"detail\":\"The "
		                     "configuration has errors; the "
		                     "former one stays in force.\",\"errors\":[");
	else
		buf_add_str(&r->out, "{\"changed\":[");
	struct span rest = {text.p, text.len};
	for (bool first = true; rest.n; first = false) {
		const char *nl = memchr(rest.p, '\n', rest.n);
		size_t n = nl ? (size_t)(nl - rest.p) : rest.n;
		if (!first)
			buf_add_char(&r->out, ',');
		json_write_string(&r->out, span_of(rest.p, n));
		rest.p += nl ? n + 1 : n;
		rest.n -= nl ? n + 1 : n;
	}
	buf_add_str(&r->out, "]}");
	buf_done(&text);
	respond(r, err ? 400 : 200, err ? "application/problem+json" : "application/json");
}

static void get_openapi(struct req *r);

enum { API = WEB_TCP | WEB_UNIX, ANY = WEB_TCP | WEB_UNIX | WEB_ADMIN };

static const struct row {
	enum method method;
	const char *path; /* {} stands for one level */
	handler_fn handler;
	int kinds;
	bool admin; /* the Unix socket only: 403 elsewhere */
	const char *summary;
} rows[] = {
    {METHOD_GET, "/v1/feeds", get_feeds, API, false, "All feeds"},
    {METHOD_GET, "/v1/feeds/{}", get_feed, API, false, "One feed"},
    {METHOD_GET, "/v1/feeds/{}/events", get_events, API, false, "Events: a page, or a stream"},
    {METHOD_POST, "/v1/feeds/{}/events", post_events, API, false, "Publish"},
    {METHOD_GET, "/v1/feeds/{}/quarantine", list_quarantine, API, true,
     "Refused messages of a feed"},
    {METHOD_POST, "/v1/feeds/{}/quarantine/_retry", retry_quarantine, API, true,
     "Admit refused messages again"},
    {METHOD_POST, "/v1/feeds/{}/_trim", trim_feed, API, true, "Delete the oldest records"},
    {METHOD_GET, "/v1/unrouted", list_unrouted, API, true, "Messages that no feed takes"},
    {METHOD_POST, "/v1/unrouted/_retry", retry_unrouted, API, true, "Admit them again"},
    {METHOD_POST, "/v1/_reload", post_reload, API, true, "Read the configuration again"},
    {METHOD_GET, "/v1/status", get_status, ANY, false, "What the broker is doing"},
    {METHOD_GET, "/v1/schemas", get_schemas, API, false, "All schemas"},
    {METHOD_GET, "/v1/schemas/{}/{}", get_schema, API, false, "One schema version"},
    {METHOD_GET, "/v1/openapi.json", get_openapi, API, false, "This description"},
    {METHOD_GET, "/metrics", get_metrics, WEB_ADMIN, false, NULL},
    {METHOD_GET, "/livez", get_livez, WEB_ADMIN, false, NULL},
    {METHOD_GET, "/readyz", get_readyz, WEB_ADMIN, false, NULL},
};

static void get_openapi(struct req *r)
{
	static const char *const names[PARAMS] = {"feed", "version"};
	buf_add_str(&r->out, "{\"openapi\":\"3.0.3\",\"info\":{\"title\":\"oudpd\",\"version\":\"1."
	                     "0.0\",\"contact\":{\"name\":");
	json_write_string(&r->out, span_str(hub_config(r->web->hub)->organisation));
	buf_add_str(&r->out, "}},\"servers\":[{\"url\":\"/\"}],\"paths\":{");
	const char *before = "";
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *w = &rows[i];
		if (!w->summary ||
		    (i && rows[i - 1].summary && strcmp(rows[i - 1].path, w->path) == 0))
			continue;
		buf_addf(&r->out, "%s\"", before);
		bool schema = strncmp(w->path, "/v1/schemas/", 12) == 0;
		unsigned n = 0;
		for (const char *p = w->path; *p; p++) {
			buf_add_char(&r->out, *p);
			if (*p == '{')
				buf_add_str(&r->out,
				            schema && n++ == 0 ? "name" : names[schema ? 1 : 0]);
		}
		buf_add_str(&r->out, "\":{");
		for (unsigned k = i; k < ARRAY_LEN(rows) && strcmp(rows[k].path, w->path) == 0; k++)
			buf_addf(&r->out,
			         "%s\"%s\":{\"summary\":\"%s\",\"responses\":{\"default\":{"
			         "\"description\":\"%s\"}}}",
			         k > i ? "," : "", rows[k].method == METHOD_GET ? "get" : "post",
			         rows[k].summary, rows[k].summary);
		buf_add_char(&r->out, '}');
		before = ",";
	}
	buf_add_str(&r->out, "}}");
	respond(r, 200, "application/json");
}

static bool fits(const char *pattern, const char *path, struct span param[PARAMS])
{
	unsigned n = 0;
	while (*pattern) {
		if (pattern[0] == '{') {
			size_t len = strcspn(path, "/");
			if (len == 0)
				return false;
			param[n++] = span_of(path, len);
			path += len;
			pattern += 2;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return *path == '\0';
}

/* The methods there are for this path. */
static void allow(struct req *r)
{
	char text[64] = "";
	struct span param[PARAMS];
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if ((rows[i].kinds & (int)r->kind) && fits(rows[i].path, r->path, param))
			strcat(text, rows[i].method == METHOD_GET ? "GET, HEAD, " : "POST, ");
	strcat(text, "OPTIONS");
	respond_header(r, "Allow:", text);
}

void route(struct req *r)
{
	const struct row *other = NULL, *found = NULL;
	for (unsigned i = 0; i < ARRAY_LEN(rows) && !found; i++) {
		const struct row *w = &rows[i];
		if (!(w->kinds & (int)r->kind) || !fits(w->path, r->path, r->param))
			continue;
		if (w->method == r->method || (w->method == METHOD_GET && r->method == METHOD_HEAD))
			found = w;
		else
			other = w;
	}
	if (r->web->draining && r->kind != WEB_ADMIN) {
		problem(r, 503, "the server stops");
	} else if (found && found->admin && r->kind != WEB_UNIX) {
		problem(r, 403,
		        "only the administrator may do this, through the admin socket: use the "
		        "oudp command");
	} else if (found) {
		r->handler = found->handler;
		found->handler(r);
	} else if (other && r->method == METHOD_OPTIONS) {
		respond(r, 204, NULL);
	} else if (other) {
		allow(r);
		problem(r, 405, "this method is not for %s", r->path);
	} else {
		problem(r, 404, "there is nothing at this path");
	}
}

struct feed *param_feed(struct req *r)
{
	struct feed *f = hub_feed(r->web->hub, r->param[0]);
	struct identity who = r->kind == WEB_UNIX ? access_administrator(hub_config(r->web->hub))
	                                          : access_anonymous(hub_config(r->web->hub));
	if (!f || access_check(&who, ACCESS_READ, f, (struct span){0})) {
		problem(r, 404, "there is no feed \"%.*s\"", (int)MIN_OF(r->param[0].n, (size_t)80),
		        r->param[0].p);
		return NULL;
	}
	return f;
}

bool only_query(struct req *r, const char *names)
{
	const struct span *n = query_unknown(&r->query, names);
	if (n)
		problem(r, 400, "unknown query parameter: %.*s", (int)MIN_OF(n->n, (size_t)60),
		        n->p);
	return !n;
}
