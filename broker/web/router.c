/* router.c - one table of what there is; everything else is 404, 405 or 403. The same table is the
 * OpenAPI description. */
#include "access/audit.h"
#include "base/err.h"
#include "web/private.h"
#include "json/write.h"

#include <stdio.h>
#include <string.h>

enum { API = WEB_TCP | WEB_UNIX, ANY = WEB_TCP | WEB_UNIX | WEB_ADMIN };

/* Of the time series, as observe.c reads them. */
#define WHEN  "from to last "
#define WHERE "feed thing property observed-property organisation bbox radius "
#define ONE_QUERY                                                                                  \
	WHEN "aggregate interval tz order limit cursor format original rejected stored "           \
	     "stored-since crs"
#define MANY_QUERY WHERE "together " ONE_QUERY
#define LIST_QUERY WHERE "tz limit cursor format stored-since crs"

static void get_openapi(struct req *r);

static const struct row {
	enum method method;
	const char *path; /* {} stands for one level */
	handler_fn handler;
	int kinds;
	bool admin; /* for the administrator: 403 for others */
	const char *summary;
	const char *query; /* what may be asked, for the description */
	const char *type;  /* of the answer, space separated */
	bool open;         /* also where nobody comes in without an identity */
} rows[] = {
    {METHOD_GET, "/v1/feeds", get_feeds, API, false, "All feeds", "", "application/json"},
    {METHOD_GET, "/v1/feeds/{feed}", get_feed, API, false, "One feed", "", "application/json"},
    {METHOD_GET, "/v1/feeds/{feed}/events", get_events, API, false,
     "Events: a page (or, with Accept: text/event-stream or as a WebSocket with subprotocol "
     "cloudevents.json, a stream)",
     "after since limit wait withTopic thing bbox property", "application/cloudevents-batch+json"},
    {METHOD_POST, "/v1/feeds/{feed}/events", post_events, API, false,
     "Publish one message, or one per line", "thing topic lines", "application/json"},
    {METHOD_GET, "/v1/feeds/{feed}/quarantine", list_quarantine, API, false,
     "Refused messages of a feed", "after limit", "application/json"},
    {METHOD_POST, "/v1/feeds/{feed}/quarantine/_retry", retry_quarantine, API, true,
     "Admit refused messages again", "", "application/json"},
    {METHOD_POST, "/v1/feeds/{feed}/_trim", trim_feed, API, true, "Delete the oldest records", "",
     "application/json"},
    {METHOD_GET, "/v1/feeds/{feed}/privacy", get_privacy, API, true,
     "What a privacy officer asks about a feed", "", "application/json"},
    {METHOD_GET, "/v1/unrouted", list_unrouted, API, true, "Messages that no feed takes",
     "after limit", "application/json"},
    {METHOD_POST, "/v1/unrouted/_retry", retry_unrouted, API, true,
     "Admit messages that no feed took again", "", "application/json"},
    {METHOD_POST, "/v1/_reload", post_reload, API, true, "Read the configuration again", "",
     "application/json"},
    {METHOD_GET, "/v1/status", get_status, ANY, false, "What the broker is doing", "",
     "application/json"},
    {METHOD_GET, "/v1/subscribers", get_subscribers, API, true,
     "Subscribers that are behind: by how much, and the days left before they meet a gap", "",
     "application/json"},
    {METHOD_GET, "/v1/schemas", get_schemas, API, false, "All schemas", "", "application/json"},
    {METHOD_GET, "/v1/datastreams", get_datastreams, API, false,
     "What data is here: datastreams with owner, licence, freshness and latest value", LIST_QUERY,
     "application/json text/csv application/x-ndjson application/geo+json"},
    {METHOD_GET, "/v1/datastreams/{id}", get_datastream, API, false, "One datastream", "tz crs",
     "application/json"},
    {METHOD_GET, "/v1/datastreams/{id}/observations", get_datastream_observations, API, false,
     "Observations of one datastream, single or aggregated", ONE_QUERY,
     "application/json text/csv application/x-ndjson application/geo+json"},
    {METHOD_GET, "/v1/datastreams/{id}/chart.svg", get_chart, API, false,
     "A drawing of one datastream", WHEN "tz width height lang original", "image/svg+xml"},
    {METHOD_GET, "/v1/observations", get_observations, API, false,
     "Observations of all datastreams that fit; without a time the latest of each", MANY_QUERY,
     "application/json text/csv application/x-ndjson application/geo+json"},
    {METHOD_GET, "/v1/things/{thing}/datastreams", get_thing_datastreams, API, false,
     "The datastreams of one thing", LIST_QUERY,
     "application/json text/csv application/x-ndjson application/geo+json"},
    {METHOD_POST, "/v1/series/_correct", post_correction, API, true,
     "Correct, flag or reject observations of a thing; the original stays askable", "",
     "application/json"},
    {METHOD_POST, "/v1/series/_rebuild", post_rebuild, API, true,
     "Put back into the time series what the journal has and they have not", "",
     "application/json"},
    {METHOD_GET, "/v1/series/_rebuild", get_rebuild, API, true,
     "How far that is, or what became of it", "", "application/json"},
    {METHOD_GET, "/v1/things/{thing}/places", get_thing_places, API, false, "Where one thing was",
     "feed organisation from to last tz limit cursor format crs",
     "application/json text/csv application/x-ndjson application/geo+json"},
    {METHOD_GET, "/v1/things/{thing}/freshness", get_thing_freshness, API, false,
     "200 while the thing reports as often as its feeds promise, else 503", "feed organisation tz",
     "application/json"},
    {METHOD_GET, "/v1/schemas/{name}/{version}", get_schema, API, false, "One schema version", "",
     "application/schema+json"},
    {METHOD_GET, "/v1/things", get_things, API, false,
     "Things: those of the register that may be seen, and those that published",
     "feed bbox radius state organisation registered limit after", "application/json"},
    {METHOD_GET, "/v1/things/{thing}", get_thing, API, false, "One thing", "organisation",
     "application/json"},
    {METHOD_PUT, "/v1/things/{thing}", put_thing, API, true,
     "Register a thing, or replace its entry", "organisation dryRun", "application/json"},
    {METHOD_PATCH, "/v1/things/{thing}", patch_thing, API, true,
     "Change members of an entry (JSON merge patch, RFC 7396)", "organisation dryRun",
     "application/json"},
    {METHOD_DELETE, "/v1/things/{thing}", delete_thing, API, true,
     "Take an entry out of the register; its history stays", "organisation", "application/json"},
    {METHOD_POST, "/v1/things/{thing}/_erase", erase_thing, API, true,
     "Erase everything of a thing", "organisation", "application/json"},
    {METHOD_GET, "/v1/things/{thing}/versions", get_thing_versions, API, true,
     "All versions of an entry, oldest first", "organisation", "application/json"},
    {METHOD_GET, "/v1/catalog", get_catalog, API, false, "The feeds as a catalogue: DCAT-AP-NL 3.0",
     "", "application/ld+json"},
    {METHOD_GET, "/v1/asyncapi.json", get_asyncapi, API, false,
     "What goes over WebSocket and MQTT, as AsyncAPI 3.0", "", "application/json"},
    {METHOD_GET, "/v1/organisations", get_organisations, API, true, "Organisations", "",
     "application/json"},
    {METHOD_POST, "/v1/organisations", post_organisations, API, true, "Add an organisation", "",
     "application/json"},
    {METHOD_PATCH, "/v1/organisations/{organisation}", patch_organisation, API, true,
     "Change an organisation, or end it: nobody of it gets in any more", "", "application/json"},
    {METHOD_GET, "/v1/identities", get_identities, API, true, "Identities", "organisation",
     "application/json"},
    {METHOD_POST, "/v1/identities", post_identities, API, true,
     "Add an identity; a new API key is told in the answer, and never again", "",
     "application/json"},
    {METHOD_PATCH, "/v1/identities/{identity}", patch_identity, API, true,
     "Change what an identity shows, or end it", "", "application/json"},
    {METHOD_POST, "/v1/tickets", post_tickets, API, false,
     "A ticket, good once and for seconds: offered as one more subprotocol it opens a WebSocket",
     "", "application/json"},
    {METHOD_GET, "/v1/grants", get_grants, API, false,
     "Grants: one's own, those of feeds one administers; to the administrator all",
     "organisation identity feed", "application/json"},
    {METHOD_POST, "/v1/grants", post_grants, API, false, "Add a grant", "", "application/json"},
    {METHOD_GET, "/v1/grants/{grant}", get_grant, API, false, "One grant", "", "application/json"},
    {METHOD_PATCH, "/v1/grants/{grant}", patch_grant, API, false,
     "Change, suspend or resume a grant", "", "application/json"},
    {METHOD_DELETE, "/v1/grants/{grant}", delete_grant, API, false, "Revoke a grant, for good", "",
     "application/json"},
    {METHOD_GET, "/v1/openapi.json", get_openapi, API, false, "This description", "",
     "application/json"},
    {METHOD_GET, "/v1/capabilities", get_capabilities, API, false,
     "Limits, feeds that take SensorThings, functions, and what codes of refusals mean", "",
     "application/json"},
    {METHOD_GET, "/v1/refusals", get_refused, API, false,
     "How much of whom was refused since the start, and why the last time", "", "application/json"},
    {METHOD_GET, "/sta/v1.1*", get_sta, API, false, NULL, "", ""},
    {METHOD_POST, "/sta/v1.1*", post_sta, API, false, NULL, "", ""},
    {METHOD_PUT, "/sta/v1.1*", change_sta, API, false, NULL, "", ""},
    {METHOD_PATCH, "/sta/v1.1*", change_sta, API, false, NULL, "", ""},
    {METHOD_DELETE, "/sta/v1.1*", change_sta, API, false, NULL, "", ""},
    {METHOD_GET, "/", get_home, API, false, NULL, "", ""},
    {METHOD_GET, "/feeds/{feed}", get_feed_page, API, false, NULL, "", ""},
    {METHOD_GET, "/map", get_map, API, false, NULL, "", ""},
    {METHOD_GET, "/t/{code}", get_thing_page, API, false, NULL, "", ""},
    {METHOD_GET, "/t/{code}/qr.svg", get_thing_code, API, false, NULL, "", ""},
    {METHOD_GET, "/schemas", get_schemas_page, API, false, NULL, "", ""},
    {METHOD_GET, "/schemas/{name}/{version}", get_schema_page, API, false, NULL, "", ""},
    {METHOD_POST, "/schemas/{name}/{version}", post_schema_page, API, false, NULL, "", ""},
    {METHOD_GET, "/admin", get_admin, API, true, NULL, "", ""},
    {METHOD_GET, "/admin/quarantine/{feed}", get_refusals, API, true, NULL, "", ""},
    {METHOD_GET, "/admin/certificates", get_certificates, API, true, NULL, "", ""},
    {METHOD_GET, "/admin/subscribers", get_lag, API, true, NULL, "", ""},
    {METHOD_GET, "/grants", get_grants_page, API, false, NULL, "", ""},
    {METHOD_POST, "/grants/{grant}", post_grant_page, API, false, NULL, "", ""},
    {METHOD_GET, "/refusals", get_refusals_page, API, false, NULL, "", ""},
    {METHOD_GET, "/sign-in", get_sign, API, false, NULL, "", "", true},
    {METHOD_POST, "/sign-in", post_sign, API, false, NULL, "", "", true},
    {METHOD_POST, "/sign-out", post_sign_out, API, false, NULL, "", ""},
    {METHOD_GET, "/assets/theme.css", get_theme, API, false, NULL, "", "", true},
    {METHOD_GET, "/assets/logo", get_logo, API, false, NULL, "", "", true},
    {METHOD_GET, "/assets/{name}", get_asset, API, false, NULL, "", "", true},
    {METHOD_GET, "/.well-known/security.txt", get_security, WEB_TCP, false, NULL, "", ""},
    {METHOD_GET, "/metrics", get_metrics, WEB_ADMIN, false, NULL, "", ""},
    {METHOD_GET, "/livez", get_livez, WEB_ADMIN, false, NULL, "", ""},
    {METHOD_GET, "/readyz", get_readyz, WEB_ADMIN, false, NULL, "", ""},
};

/* SensorThings for the description; handled below /sta/v1.1*. */
#define STA_OPTIONS "$filter $orderby $top $skip $skiptoken $count $select $expand $resultFormat"
static const struct row sta_rows[] = {
    {METHOD_GET, "/sta/v1.1", NULL, API, false,
     "SensorThings 1.1: its sets, what is there of the standard, and what this server takes", "",
     "application/json"},
    {METHOD_POST, "/sta/v1.1/$batch", NULL, API, false,
     "Many requests in one, as JSON or multipart/mixed; groups are all or nothing", "",
     "application/json multipart/mixed"},
    {METHOD_POST, "/sta/v1.1/CreateObservations", NULL, API, false,
     "Many Observations: a link for each, or what is wrong with it", "", "application/json"},
    {METHOD_GET, "/sta/v1.1/{set}", NULL, API, false, "Entities of a set", STA_OPTIONS,
     "application/json application/geo+json"},
    {METHOD_POST, "/sta/v1.1/{set}", NULL, API, false,
     "Make an entity, with what is in it; or keep an Observation", "", "application/json"},
    {METHOD_GET, "/sta/v1.1/{set}({id})", NULL, API, false, "One entity", "$select $expand",
     "application/json"},
    {METHOD_PUT, "/sta/v1.1/{set}({id})", NULL, API, false, "Replace an entity", "",
     "application/json"},
    {METHOD_PATCH, "/sta/v1.1/{set}({id})", NULL, API, false,
     "Change an entity: a merge, or a JSON Patch", "", "application/json"},
    {METHOD_DELETE, "/sta/v1.1/{set}({id})", NULL, API, false,
     "Delete an entity and what is part of it", "", ""},
    {METHOD_GET, "/sta/v1.1/{set}({id})/{member}", NULL, API, false,
     "A property of an entity, or what it is related to", STA_OPTIONS,
     "application/json application/geo+json"},
    {METHOD_POST, "/sta/v1.1/{set}({id})/{member}", NULL, API, false,
     "Make an entity that is related to this one", "", "application/json"},
};

static const char *const method_names[] = {
    [METHOD_GET] = "GET", [METHOD_HEAD] = "HEAD",   [METHOD_POST] = "POST",
    [METHOD_PUT] = "PUT", [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE"};

/* ---- the description ---- */

static void write_method(struct buf *b, const struct row *w)
{
	for (const char *p = method_names[w->method]; *p; p++)
		buf_add_char(b, (char)(*p - 'A' + 'a'));
}

static void write_parameters(struct buf *b, const struct row *w)
{
	bool first = true;
	buf_add_str(b, "\"parameters\":[");
	for (const char *at = strchr(w->path, '{'); at; at = strchr(at + 1, '{')) {
		buf_addf(b,
		         "%s{\"name\":\"%.*s\",\"in\":\"path\",\"required\":true,\"schema\":{"
		         "\"type\":\"string\"}}",
		         first ? "" : ",", (int)strcspn(at + 1, "}"), at + 1);
		first = false;
	}
	for (const char *at = w->query; *at;) {
		size_t n = strcspn(at, " ");
		buf_addf(b, "%s{\"name\":\"%.*s\",\"in\":\"query\",\"schema\":{\"type\":\"%s\"}}",
		         first ? "" : ",", (int)n, at,
		         strncmp(at, "limit", n) == 0 || strncmp(at, "wait", n) == 0 ||
		                 strncmp(at, "$top", n) == 0 || strncmp(at, "$skip", n) == 0
		             ? "integer"
		         : strncmp(at, "dryRun", n) == 0 || strncmp(at, "registered", n) == 0 ||
		                 strncmp(at, "withTopic", n) == 0 || strncmp(at, "$count", n) == 0
		             ? "boolean"
		             : "string");
		first = false;
		at += n + (at[n] == ' ');
	}
	buf_add_char(b, ']');
}

static void write_operation(struct buf *b, const struct row *w)
{
	buf_add_char(b, '"');
	write_method(b, w);
	buf_add_str(b, "\":{\"operationId\":\"");
	write_method(b, w);
	bool sta = strncmp(w->path, "/sta", 4) == 0;
	if (sta)
		buf_add_str(b, "Sta");
	for (const char *p = w->path + (sta ? 9 : 3); *p; p++) { /* letters of the path */
		bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
		if (letter)
			buf_add_char(b, strchr("/{_.$", p[-1]) ? (char)(*p & ~32) : *p);
	}
	buf_addf(b, "\",\"summary\":\"%s\",", w->summary);
	write_parameters(b, w);
	if (w->method == METHOD_POST || w->method == METHOD_PUT || w->method == METHOD_PATCH)
		buf_add_str(b, ",\"requestBody\":{\"content\":{\"application/json\":{}}}");
	buf_add_char(b, ',');
	openapi_responses(b, method_names[w->method], w->path, w->type);
	buf_add_char(b, '}');
}

/* Rows of one path stand side by side. */
static void write_paths(struct buf *b, const struct row *all, unsigned n, bool first)
{
	for (unsigned i = 0; i < n; i++) {
		const struct row *w = &all[i];
		if (!w->summary || (i && strcmp(all[i - 1].path, w->path) == 0))
			continue;
		buf_addf(b, "%s\"%s\":{", first ? "" : ",", w->path);
		first = false;
		for (unsigned k = i; k < n && strcmp(all[k].path, w->path) == 0; k++) {
			if (k > i)
				buf_add_char(b, ',');
			write_operation(b, &all[k]);
		}
		buf_add_char(b, '}');
	}
}

static void get_openapi(struct req *r)
{
	struct buf *b = &r->out;
	if (!only_query(r, ""))
		return;
	buf_add_str(b, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"oudpd\",\"version\":\"1.0.0\","
	               "\"description\":\"The open urban data broker: feeds of checked messages. "
	               "Operations that begin with _ are for the administrator.\",\"contact\":{"
	               "\"name\":");
	json_write_string(b, span_str(hub_config(r->web->hub)->organisation));
	json_write_name(b, "url");
	json_write_string(b, span_str(r->web->base_url));
	page_write_email(r, b);
	buf_add_str(b, "}},\"servers\":[{\"url\":");
	json_write_string(b, span_str(r->web->base_url));
	buf_add_str(b, "}],\"paths\":{");
	write_paths(b, rows, ARRAY_LEN(rows), true);
	write_paths(b, sta_rows, ARRAY_LEN(sta_rows), false);
	buf_add_str(b, "},\"components\":{\"schemas\":");
	openapi_schemas(b);
	buf_add_str(b, "}}");
	respond(r, 200, "application/json");
}

/* ---- finding ---- */

/* A '*' at the end of a pattern stands for nothing or anything below it. */
static bool fits(const char *pattern, const char *path, struct span param[PARAMS])
{
	unsigned n = 0;
	while (*pattern) {
		if (pattern[0] == '*')
			return *path == '\0' || *path == '/';
		if (pattern[0] == '{') {
			size_t len = strcspn(path, "/");
			if (len == 0)
				return false;
			assert(n < PARAMS);
			param[n++] = span_of(path, len);
			path += len;
			pattern += strcspn(pattern, "}") + 1;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return *path == '\0';
}

/* The methods there are for this path. */
static void allow(struct req *r)
{
	char text[80] = "";
	size_t n = 0;
	struct span param[PARAMS];
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if ((rows[i].kinds & (int)r->kind) && fits(rows[i].path, r->path, param))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s, %s",
			                      method_names[rows[i].method],
			                      rows[i].method == METHOD_GET ? "HEAD, " : "");
	snprintf(text + n, sizeof(text) - n, "OPTIONS");
	respond_header(r, "Allow:", text);
}

const char *method_name(enum method m)
{
	return m < ARRAY_LEN(method_names) ? method_names[m] : "?";
}

/* What the administrator changes, and grants, which others change too. */
static bool is_administration(const struct row *w, enum method m)
{
	return m != METHOD_GET && m != METHOD_HEAD &&
	       (w->admin || strncmp(w->path, "/v1/grants", 10) == 0 ||
	        strncmp(w->path, "/grants", 7) == 0);
}

/* The row of a request, its parameters into r->param. other: one of its path for another method. */
static const struct row *find(struct req *r, const struct row **ret_other)
{
	*ret_other = NULL;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *w = &rows[i];
		if (!(w->kinds & (int)r->kind) || !fits(w->path, r->path, r->param))
			continue;
		if (w->method == r->method || (w->method == METHOD_GET && r->method == METHOD_HEAD))
			return w;
		*ret_other = w;
	}
	return NULL;
}

bool route_is_open(struct req *r)
{
	const struct row *other, *w = find(r, &other);
	return w && w->open;
}

void route(struct req *r)
{
	const struct row *other, *found = find(r, &other);
	if (r->web->answer_bytes > LIMIT_WEB_ANSWERS_BYTES && r->kind == WEB_TCP) {
		problem(r, 503, "too many answers are on their way: ask again later");
	} else if (r->web->draining && r->kind != WEB_ADMIN) {
		problem(r, 503, "the server stops");
	} else if (req_is_foreign(r)) {
		problem(r, 403,
		        "this request came from a page of another site: send a bearer token, or "
		        "come from this server's own pages (see public-url)");
	} else if (found && found->admin &&
	           access_check(&r->who, ACCESS_ADMIN, NULL, (struct span){0})) {
		req_audit(r, "administer", NULL, "refused");
		problem(r, 403,
		        "only the administrator may do this, through the admin socket: use the "
		        "oudp command with sudo");
	} else if (found) {
		if (is_administration(found, r->method))
			administer_begin(r);
		found->handler(r);
	} else if (other && r->method == METHOD_OPTIONS) {
		allow(r);
		respond(r, 204, NULL);
	} else if (other) {
		allow(r);
		problem(r, 405, "this method is not for %.100s", r->path);
	} else {
		problem(r, 404, "there is nothing at this path");
	}
}

struct feed *param_feed(struct req *r, enum access_right right)
{
	struct feed *f = hub_feed(r->web->hub, r->param[0]);
	bool seen = f && access_sees(&r->who, f);
	if (!seen) { /* what may not be seen does not exist */
		if (f && r->who.principal)
			req_audit(r, "use", f, "refused");
		f = NULL;
		problem(r, 404, "there is no feed \"%.*s\"", (int)MIN_OF(r->param[0].n, (size_t)80),
		        r->param[0].p);
	} else if (right && access_check(&r->who, right, f, (struct span){0})) {
		req_audit(r, "use", f, "refused");
		problem(r, 403,
		        "this feed may not be used so by who asks: show a name and a password, a "
		        "key or a token that has the right, or ask as the administrator, through "
		        "the admin socket");
		f = NULL;
	}
	return f;
}

bool only_query(struct req *r, const char *names)
{
	struct faults faults = {0};
	for (unsigned i = 0; i < r->query.n; i++)
		if (!query_is_among(r->query.pair[i].name, names))
			fault(&faults, r->query.pair[i].name, "unknown query parameter");
	if (faults.n)
		problem_faults(r, 400, &faults);
	return !faults.n;
}
