/* openapi.c - what the answers of an operation are, for the description that router.c makes: its
 * statuses, and the schemas of their bodies (assets/openapi-schemas.json, put in as they are).
 * Every operation has 400 and 401, and may have others of HTTP in trouble: "default". */
#include "web/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct answers {
	const char *operation, *statuses; /* beside 400 and 401 */
	const char *schema;               /* of the body; after a space that of GeoJSON */
} all[] = {
    {"GET /v1/feeds", "200", "Feeds"},
    {"GET /v1/feeds/{feed}", "200 404", "Feed"},
    {"GET /v1/feeds/{feed}/events", "200 404", "Events"},
    {"POST /v1/feeds/{feed}/events", "200 201 403 404 415", "Stored"},
    {"GET /v1/feeds/{feed}/quarantine", "200 403 404", "Quarantine"},
    {"POST /v1/feeds/{feed}/quarantine/_retry", "200 403 404", "Retried"},
    {"POST /v1/feeds/{feed}/_trim", "200 403 404", "Trimmed"},
    {"GET /v1/feeds/{feed}/privacy", "200 403 404", "Privacy"},
    {"GET /v1/unrouted", "200 403", "Quarantine"},
    {"POST /v1/unrouted/_retry", "200 403", "Retried"},
    {"POST /v1/_reload", "200 403", "Reloaded"},
    {"GET /v1/status", "200 403", "Status"},
    {"GET /v1/subscribers", "200 403", "Subscribers"},
    {"GET /v1/schemas", "200", "Schemas"},
    {"GET /v1/datastreams", "200 304", "Datastreams DatastreamFeatures"},
    {"GET /v1/datastreams/{id}", "200 304 404", "Datastream"},
    {"GET /v1/datastreams/{id}/observations", "200 304 404", "Observations ObservationFeatures"},
    {"GET /v1/datastreams/{id}/chart.svg", "200 304 404", ""},
    {"GET /v1/observations", "200 304", "ManyObservations ObservationFeatures"},
    {"GET /v1/things/{thing}/datastreams", "200 304", "Datastreams DatastreamFeatures"},
    {"POST /v1/series/_rebuild", "202 403 409", "Rebuild"},
    {"GET /v1/series/_rebuild", "200 403", "Rebuild"},
    {"POST /v1/series/_correct", "200 403 404", "Corrected"},
    {"GET /v1/things/{thing}/places", "200 304", "Places PlaceFeatures"},
    {"GET /v1/things/{thing}/freshness", "200 404 503", "Freshness"},
    {"GET /v1/schemas/{name}/{version}", "200 404", "Document"},
    {"GET /v1/things", "200", "Things"},
    {"GET /v1/things/{thing}", "200 404", "Thing"},
    {"PUT /v1/things/{thing}", "200 201 403", "Thing"},
    {"PATCH /v1/things/{thing}", "200 403 404", "Thing"},
    {"DELETE /v1/things/{thing}", "204 403 404", "Thing"},
    {"POST /v1/things/{thing}/_erase", "200 403", "Erased"},
    {"GET /v1/things/{thing}/versions", "200 403 404", "ThingVersions"},
    {"GET /v1/catalog", "200", "Document"},
    {"GET /v1/asyncapi.json", "200", "Document"},
    {"GET /v1/organisations", "200 403", "Organisations"},
    {"POST /v1/organisations", "201 403 409", "Organisation"},
    {"PATCH /v1/organisations/{organisation}", "200 403 404", "Organisation"},
    {"GET /v1/identities", "200 403", "Identities"},
    {"POST /v1/identities", "201 403 409", "NewIdentity"},
    {"PATCH /v1/identities/{identity}", "200 403 404", "Identity"},
    {"POST /v1/tickets", "201", "Ticket"},
    {"GET /v1/grants", "200", "Grants"},
    {"POST /v1/grants", "201 403", "Grant"},
    {"GET /v1/grants/{grant}", "200 404", "Grant"},
    {"PATCH /v1/grants/{grant}", "200 403 404", "Grant"},
    {"DELETE /v1/grants/{grant}", "200 403 404", "Grant"},
    {"GET /v1/openapi.json", "200", "Document"},
    {"GET /v1/capabilities", "200", "Capabilities"},
    {"GET /v1/refusals", "200", "Refusals"},
    {"GET /sta/v1.1", "200", "StaRoot"},
    {"POST /sta/v1.1/$batch", "200", "StaBatch"},
    {"POST /sta/v1.1/CreateObservations", "201", "StaLinks"},
    {"GET /sta/v1.1/{set}", "200 404", "StaSet StaFeatures"},
    {"POST /sta/v1.1/{set}", "201 200 403 404 409", "StaEntity"},
    {"GET /sta/v1.1/{set}({id})", "200 404", "StaEntity"},
    {"PUT /sta/v1.1/{set}({id})", "200 403 404 409", "StaEntity"},
    {"PATCH /sta/v1.1/{set}({id})", "200 403 404 409", "StaEntity"},
    {"DELETE /sta/v1.1/{set}({id})", "200 403 404", ""},
    {"GET /sta/v1.1/{set}({id})/{member}", "200 204 404", "StaMember StaFeatures"},
    {"POST /sta/v1.1/{set}({id})/{member}", "201 200 404 409", "StaEntity"},
};

static const char *words(unsigned status)
{
	switch (status) {
	case 200: return "It worked";
	case 201: return "It is stored";
	case 202: return "It has begun";
	case 204: return "It is gone";
	case 304: return "The same as before (If-None-Match)";
	case 400: return "Parameters or body are wrong: errors has each";
	case 401: return "Who asks did not say so rightly";
	case 403: return "Who asks may not do this";
	case 404: return "There is no such thing, or it may not be seen";
	case 409: return "It is there already, or is being changed";
	case 415: return "The body is of a type that is not taken";
	default: return "Not now";
	}
}

static const struct answers *find(const char *method, const char *path)
{
	size_t n = strlen(method);
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		if (strncmp(all[i].operation, method, n) == 0 &&
		    strcmp(all[i].operation + n + 1, path) == 0)
			return &all[i];
	return NULL;
}

static void write_schema(struct buf *b, struct span name)
{
	buf_addf(b, "{\"schema\":{\"$ref\":\"#/components/schemas/%.*s\"}}", (int)name.n, name.p);
}

/* One media type for each word of types. */
static void write_content(struct buf *b, const char *types, const char *schema)
{
	size_t n = strcspn(schema, " ");
	struct span plain = span_of(schema, n), geo = span_str(schema[n] ? schema + n + 1 : "");
	for (const char *at = types; *at;) {
		size_t len = strcspn(at, " ");
		struct span type = span_of(at, len);
		bool is_geo = span_is(type, "application/geo+json");
		bool text = span_is(type, "text/csv") || span_is(type, "image/svg+xml") ||
		            span_is(type, "application/x-ndjson") ||
		            span_is(type, "multipart/mixed");
		buf_addf(b, "%s\"%.*s\":", at > types ? "," : "", (int)len, at);
		if (text || !(is_geo ? geo : plain).n)
			buf_add_str(b, "{}");
		else
			write_schema(b, is_geo ? geo : plain);
		at += len + (at[len] == ' ');
	}
}

static void write_problem(struct buf *b, const char *name, const char *about)
{
	buf_addf(b,
	         ",\"%s\":{\"description\":\"%s\",\"content\":{\"application/problem+json\":", name,
	         about);
	write_schema(b, span_str(strcmp(name, "503") ? "Problem" : "SilentThing"));
	buf_add_str(b, "}}");
}

void openapi_responses(struct buf *b, const char *method, const char *path, const char *types)
{
	static const char version[] =
	    "\"headers\":{\"API-Version\":{\"schema\":{\"type\":\"string\"}}}";
	const struct answers *x = find(method, path);
	bool first = true;
	buf_add_str(b, "\"responses\":{");
	for (const char *at = x ? x->statuses : "200"; *at;) {
		unsigned status = (unsigned)strtoul(at, NULL, 10);
		char name[8];
		snprintf(name, sizeof(name), "%u", status);
		if (status >= 400) {
			write_problem(b, name, words(status));
		} else {
			buf_addf(b, "%s\"%u\":{\"description\":\"%s\",%s", first ? "" : ",", status,
			         words(status), version);
			if (status < 204 && *types) {
				buf_add_str(b, ",\"content\":{");
				write_content(b, types, x ? x->schema : "");
				buf_add_char(b, '}');
			}
			buf_add_char(b, '}');
		}
		first = false;
		at += strcspn(at, " ");
		at += *at == ' ';
	}
	write_problem(b, "400", words(400));
	write_problem(b, "401", words(401));
	write_problem(b, "default",
	              "Trouble that any request can meet: a method, a length or a "
	              "rate that is not taken, or a server that cannot now");
	buf_add_char(b, '}');
}

void openapi_schemas(struct buf *b)
{
	extern const char asset_openapi_schemas[], asset_openapi_schemas_end[];
	size_t n = (size_t)(asset_openapi_schemas_end - asset_openapi_schemas);
	buf_add(b, asset_openapi_schemas, n);
}
