/* dcat.c - /v1/catalog: the feeds that may be seen, as DCAT-AP-NL 3.0 in JSON-LD. Everything comes
 * from the feed's block but the quality and the extents, which are measured.
 *
 * A dataset for each feed, one distribution (HTTP) and a data service for each way to subscribe. A
 * feed that lacks what the profile makes mandatory is left out: a public one cannot (the
 * configuration refuses it). */
#include "base/rfc3339.h"
#include "web/pages.h"

#include "series/series.h"
#include "json/write.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct out {
	struct req *req;
	struct buf *b;
	const struct config *c;
	const char *base;
	int64_t now_ms;
};

#define EU "http://publications.europa.eu/resource/authority/"

static const char context[] =
    "\"@context\":{\"dcat\":\"http://www.w3.org/ns/dcat#\",\"dct\":\"http://purl.org/dc/terms/\","
    "\"foaf\":\"http://xmlns.com/foaf/0.1/\",\"vcard\":\"http://www.w3.org/2006/vcard/ns#\","
    "\"dqv\":\"http://www.w3.org/ns/dqv#\",\"skos\":\"http://www.w3.org/2004/02/skos/core#\","
    "\"xsd\":\"http://www.w3.org/2001/XMLSchema#\",\"geo\":\"http://www.opengis.net/ont/geosparql#"
    "\",\"rdfs\":\"http://www.w3.org/2000/01/rdf-schema#\"}";

/* ---- values ---- */

static void id(struct out *o, const char *name, const char *fmt, ...) PRINTF(3, 4);
static void id(struct out *o, const char *name, const char *fmt, ...)
{
	char text[LIMIT_CONFIG_TEXT_BYTES + 600];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_write_name(o->b, name);
	buf_add_str(o->b, "{\"@id\":");
	json_write_string(o->b, span_str(text));
	buf_add_char(o->b, '}');
}

/* The same with the class that the profile's shapes ask for. */
static void typed_id(struct out *o, const char *name, const char *type, const char *fmt, ...)
    PRINTF(4, 5);
static void typed_id(struct out *o, const char *name, const char *type, const char *fmt, ...)
{
	char text[LIMIT_CONFIG_TEXT_BYTES + 600];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	id(o, name, "%s", text);
	o->b->len--;
	buf_addf(o->b, ",\"@type\":\"%s\"}", type);
}

static void text(struct out *o, const char *name, const char *value)
{
	json_write_name(o->b, name);
	json_write_string(o->b, span_str(value));
}

/* What people wrote in the configuration is taken to be Dutch. */
static void dutch(struct out *o, const char *name, const char *value)
{
	json_write_name(o->b, name);
	buf_add_str(o->b, "{\"@language\":\"nl\",\"@value\":");
	json_write_string(o->b, span_str(value));
	buf_add_char(o->b, '}');
}

static void typed(struct out *o, const char *name, const char *type, const char *value)
{
	json_write_name(o->b, name);
	buf_addf(o->b, "{\"@type\":\"%s\",\"@value\":", type);
	json_write_string(o->b, span_str(value));
	buf_add_char(o->b, '}');
}

static void time_of(struct out *o, const char *name, int64_t ms)
{
	char t[RFC3339_BYTES + 1];
	rfc3339_format(ms, t);
	t[RFC3339_BYTES] = '\0';
	typed(o, name, "xsd:dateTime", t);
}

/* ---- who ---- */

static void agent(struct out *o, const char *name)
{
	const struct config *c = o->c;
	json_write_name(o->b, name);
	buf_add_str(o->b, "{\"@id\":");
	if (*c->publisher)
		json_write_string(o->b, span_str(c->publisher));
	else
		buf_addf(o->b, "\"urn:nld:oin:%s\"", c->oin);
	buf_add_str(o->b, ",\"@type\":\"foaf:Agent\"");
	dutch(o, "foaf:name", *c->publisher_name ? c->publisher_name : c->organisation);
	buf_add_char(o->b, '}');
}

static void contact(struct out *o, const char *whom)
{
	const struct config *c = o->c;
	bool mail = strncmp(whom, "mailto:", 7) == 0,
	     at = !strstr(whom, "://") && strchr(whom, '@');
	json_write_name(o->b, "dcat:contactPoint");
	buf_add_str(o->b, "{\"@type\":[\"vcard:Kind\",\"vcard:Organization\"]");
	dutch(o, "vcard:fn", *c->publisher_name ? c->publisher_name : c->organisation);
	if (mail || at)
		id(o, "vcard:hasEmail", "mailto:%s", mail ? whom + 7 : whom);
	else if (strstr(whom, "://"))
		id(o, "vcard:hasURL", "%s", whom);
	else
		dutch(o, "vcard:note", whom);
	buf_add_char(o->b, '}');
}

/* ---- measured ---- */

struct measured {
	unsigned things, in_time, placed;
	uint64_t all;  /* things that ever reported, as the time series know them */
	double late_s; /* of the newest values, from observed to stored: the mean */
	struct box around;
};

static bool known(const struct out *o, const struct feed *f, struct series_feed_figures *ret)
{
	struct series *s = o->req->web->series;
	return s && series_feed_figures(s, f->name, ret) == 0;
}

static struct measured measure(struct out *o, const struct feed *f)
{
	const struct seen_feed *sf = seen_of(&o->req->web->seen, f);
	struct measured m = {.things = sf->n};
	uint64_t cadence_ms = f->conf->cadence_s * 1000;
	double late_ms = 0;
	unsigned timed = 0;
	for (unsigned i = 0; i < sf->n; i++) {
		const struct seen_thing *t = sf->things[i];
		if (!page_may_see_thing(o->req, t)) {
			m.things--;
			continue;
		}
		m.in_time += o->now_ms - t->stored_ms <= 2 * (int64_t)cadence_ms;
		if (!t->time_received) {
			late_ms += (double)MAX_OF(t->stored_ms - t->phenomenon_ms, 0);
			timed++;
		}
		if (!t->has_location)
			continue;
		m.around = m.placed++ ? box_with(m.around, &t->place) : t->place;
	}
	m.late_s = timed ? late_ms / timed / 1000 : NAN;
	/* Those that are silent for long are not among the newest messages: the series have them.
	 */
	struct series_feed_figures figures;
	bool whole = !access_is_partial(&o->req->who, ACCESS_READ, f);
	m.all =
	    whole && known(o, f, &figures) ? MAX_OF((uint64_t)m.things, figures.things) : m.things;
	return m;
}

static void measurement(struct out *o, const char *metric, double value, const char *unit,
                        const char *definition, bool *first)
{
	char number[40];
	snprintf(number, sizeof(number), "%.4g", value);
	buf_addf(o->b, "%s{\"@type\":\"dqv:QualityMeasurement\"", *first ? "" : ",");
	*first = false;
	json_write_name(o->b, "dqv:isMeasurementOf");
	buf_addf(o->b, "{\"@id\":\"%s/v1/catalog#%s\",\"@type\":\"dqv:Metric\"", o->base, metric);
	json_write_name(o->b, "skos:definition");
	buf_addf(o->b, "{\"@language\":\"en\",\"@value\":\"%s (%s)\"}", definition, unit);
	id(o, "dqv:expectedDataType", "http://www.w3.org/2001/XMLSchema#decimal");
	buf_add_char(o->b, '}');
	typed(o, "dqv:value", "xsd:decimal", number);
	buf_add_char(o->b, '}');
}

/* Measured now, not claimed. */
static void quality(struct out *o, const struct feed *f, const struct measured *m)
{
	bool first = true;
	double all = (double)(f->count.stored + f->count.quarantined);
	json_write_name(o->b, "dqv:hasQualityMeasurement");
	buf_add_char(o->b, '[');
	if (f->conf->cadence_s && m->all)
		measurement(o, "completeness", 100.0 * m->in_time / (double)m->all, "%",
		            "Of the things that ever reported, the percentage that reported within "
		            "twice the agreed cadence, at the moment of asking.",
		            &first);
	if (!isnan(m->late_s))
		measurement(o, "timeliness", m->late_s, "s",
		            "Seconds from observation to storage, the mean over the newest value "
		            "of each thing.",
		            &first);
	if (all > 0)
		measurement(o, "conformance", 100.0 * (double)f->count.stored / all, "%",
		            "Of the messages since the start of the broker, the percentage that "
		            "fitted the schema and were stored.",
		            &first);
	buf_add_char(o->b, ']');
}

static void place(struct out *o, const struct measured *m)
{
	char wkt[300];
	if (!m->placed)
		return;
	double w = m->around.west_e7 / 1e7, e = m->around.east_e7 / 1e7,
	       s = m->around.south_e7 / 1e7, n = m->around.north_e7 / 1e7;
	snprintf(wkt, sizeof(wkt), "POLYGON((%.7f %.7f,%.7f %.7f,%.7f %.7f,%.7f %.7f,%.7f %.7f))",
	         w, s, e, s, e, n, w, n, w, s);
	json_write_name(o->b, "dct:spatial");
	buf_add_str(o->b, "{\"@type\":\"dct:Location\"");
	typed(o, "dcat:bbox", "geo:wktLiteral", wkt);
	buf_add_char(o->b, '}');
}

/* From the oldest that can still be had, as a message or from the time series. */
static void period(struct out *o, const struct feed *f)
{
	int64_t first = seen_first_ms(&o->req->web->seen, f);
	struct series_feed_figures figures;
	if (known(o, f, &figures) && figures.first_stored_ms) {
		int64_t kept = (int64_t)f->conf->keep_rollups_s * 1000,
		        oldest = kept ? MAX_OF(figures.first_stored_ms, o->now_ms - kept)
		                      : figures.first_stored_ms;
		first = first ? MIN_OF(first, oldest) : oldest;
	}
	if (!first)
		return;
	json_write_name(o->b, "dct:temporal");
	buf_add_str(o->b, "{\"@type\":\"dct:PeriodOfTime\"");
	time_of(o, "dcat:startDate", first);
	buf_add_char(o->b, '}');
}

/* ---- what is common to a dataset and its services ---- */

static const char *frequency(uint64_t cadence_s)
{
	return cadence_s <= 3540     ? "UPDATE_CONT"
	       : cadence_s <= 3600   ? "HOURLY"
	       : cadence_s <= 86400  ? "DAILY"
	       : cadence_s <= 604800 ? "WEEKLY"
	                             : "IRREG";
}

/* The list of themes is the EU's; its names are part of what the profile asks for. */
static void theme(struct out *o, const char *uri)
{
	static const char *const themes[][2] = {
	    {"AGRI", "Landbouw, visserij, bosbouw en voeding"},
	    {"ECON", "Economie en financiën"},
	    {"EDUC", "Onderwijs, cultuur en sport"},
	    {"ENER", "Energie"},
	    {"ENVI", "Milieu"},
	    {"GOVE", "Overheid en publieke sector"},
	    {"HEAL", "Gezondheid"},
	    {"INTR", "Internationale vraagstukken"},
	    {"JUST", "Justitie, rechtsstelsel en openbare veiligheid"},
	    {"REGI", "Regio's en steden"},
	    {"SOCI", "Bevolking en samenleving"},
	    {"TECH", "Wetenschap en technologie"},
	    {"TRAN", "Vervoer"},
	};
	const char *slash = strrchr(uri, '/'), *name = slash ? slash + 1 : uri;
	for (unsigned i = 0; i < ARRAY_LEN(themes); i++)
		if (strcmp(name, themes[i][0]) == 0) {
			name = themes[i][1];
			break;
		}
	json_write_name(o->b, "dcat:theme");
	buf_add_str(o->b, "{\"@id\":");
	json_write_string(o->b, span_str(uri));
	buf_add_str(o->b, ",\"@type\":\"skos:Concept\"");
	dutch(o, "skos:prefLabel", name);
	id(o, "skos:inScheme", EU "data-theme");
	buf_add_char(o->b, '}');
}

static void common(struct out *o, const struct config_feed *c, const char *identifier)
{
	static const char *const rights[] = {"PUBLIC", "RESTRICTED", "NON_PUBLIC"};
	text(o, "dct:identifier", identifier);
	dutch(o, "dct:description", c->description);
	typed_id(o, "dct:accessRights", "dct:RightsStatement", EU "access-right/%s",
	         rights[c->access]);
	contact(o, c->contact);
	agent(o, "dct:publisher");
	theme(o, c->theme);
}

/* ---- services ---- */

static void service(struct out *o, const struct feed *f, const char *kind, const char *title,
                    const char *endpoint, const char *description, const char *standard)
{
	const struct config_feed *c = f->conf;
	char identifier[600], full[LIMIT_CONFIG_TEXT_BYTES + 80];
	snprintf(identifier, sizeof(identifier), "%s/v1/catalog#%s-%s", o->base, c->name, kind);
	snprintf(full, sizeof(full), "%s: %s", c->title, title);
	buf_add_str(o->b, "{\"@id\":");
	json_write_string(o->b, span_str(identifier));
	buf_add_str(o->b, ",\"@type\":\"dcat:DataService\"");
	dutch(o, "dct:title", full);
	common(o, c, identifier);
	agent(o, "dct:creator");
	typed_id(o, "dct:language", "dct:LinguisticSystem", EU "language/NLD");
	typed_id(o, "dcat:endpointURL", "rdfs:Resource", "%s", endpoint);
	typed_id(o, "dcat:endpointDescription", "rdfs:Resource", "%s%s", o->base, description);
	typed_id(o, "dct:license", "dct:LicenseDocument", "%s", c->licence);
	typed_id(o, "dct:conformsTo", "dct:Standard", "%s", standard);
	id(o, "dcat:servesDataset", "%s/v1/feeds/%s", o->base, c->name);
	buf_add_char(o->b, '}');
}

static void services(struct out *o, const struct feed *f)
{
	struct where x = page_where(o->req->web);
	char url[700];
	snprintf(url, sizeof(url), "%s/v1/feeds/%s/events", o->base, f->conf->name);
	service(o, f, "http", "HTTP en server-sent events", url, "/v1/openapi.json",
	        "https://spec.openapis.org/oas/v3.1.0");
	buf_add_char(o->b, ',');
	snprintf(url, sizeof(url), "%s/v1/feeds/%s/events", x.ws, f->conf->name);
	service(o, f, "websocket", "WebSocket", url, "/v1/asyncapi.json",
	        "https://github.com/cloudevents/spec");
	if (o->req->web->series) {
		buf_add_char(o->b, ',');
		snprintf(url, sizeof(url), "%s/sta/v1.1", o->base);
		service(o, f, "sensorthings", "SensorThings API", url, "/sta/v1.1",
		        "http://www.opengis.net/doc/IS/sensorthings/1.1");
	}
	if (!x.mqtt_port)
		return;
	buf_add_char(o->b, ',');
	snprintf(url, sizeof(url), "mqtt%s://%s:%u", x.mqtt_tls ? "s" : "", x.host, x.mqtt_port);
	service(o, f, "mqtt", "MQTT", url, "/v1/asyncapi.json",
	        "https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html");
}

/* ---- datasets ---- */

static void distribution(struct out *o, const struct config_feed *c)
{
	json_write_name(o->b, "dcat:distribution");
	buf_add_str(o->b, "{\"@type\":\"dcat:Distribution\"");
	dutch(o, "dct:title", c->title);
	dutch(o, "dct:description", c->description);
	typed_id(o, "dcat:accessURL", "rdfs:Resource", "%s/v1/feeds/%s/events", o->base, c->name);
	typed_id(o, "dct:license", "dct:LicenseDocument", "%s", c->licence);
	typed_id(o, "dcat:mediaType", "dct:MediaType",
	         "https://www.iana.org/assignments/media-types/application/cloudevents-batch+json");
	typed_id(o, "foaf:page", "foaf:Document", "%s/feeds/%s", o->base, c->name);
	typed_id(o, "dct:format", "dct:MediaTypeOrExtent", EU "file-type/JSON");
	id(o, "dcat:accessService", "%s/v1/catalog#%s-http", o->base, c->name);
	buf_add_char(o->b, '}');
}

static void schemas(struct out *o, const struct config_feed *c)
{
	const char *comma = "";
	if (span_is(config_schema(c->schemas[0], NULL), "any"))
		return;
	json_write_name(o->b, "dct:conformsTo");
	buf_add_char(o->b, '[');
	for (char **s = c->schemas; *s; s++) {
		struct span name = config_schema(*s, NULL);
		buf_addf(o->b, "%s{\"@id\":\"%s/v1/schemas/%.*s\",\"@type\":\"dct:Standard\"}",
		         comma, o->base, (int)name.n, name.p);
		comma = ",";
	}
	buf_add_char(o->b, ']');
}

/* What is measured, as people call it: what a portal is searched for. */
static void keywords(struct out *o, const struct feed *f)
{
	const struct seen_feed *sf = seen_of(&o->req->web->seen, f);
	struct buf b;
	if (!sf->n_members)
		return;
	json_write_name(o->b, "dcat:keyword");
	buf_add_char(o->b, '[');
	for (unsigned i = 0; i < sf->n_members; i++) {
		buf_init(&b, LIMIT_CONFIG_TEXT_BYTES);
		words_member(&b, DUTCH, span_str(sf->members[i]));
		buf_add_str(o->b, i ? ",{\"@language\":\"nl\",\"@value\":"
		                    : "{\"@language\":\"nl\",\"@value\":");
		json_write_string(o->b, span_of(b.p, b.len));
		buf_add_char(o->b, '}');
		buf_done(&b);
	}
	buf_add_char(o->b, ']');
}

static void dataset(struct out *o, const struct feed *f)
{
	const struct config_feed *c = f->conf;
	struct measured m = measure(o, f);
	char identifier[600], cadence[40];
	snprintf(identifier, sizeof(identifier), "%s/v1/feeds/%s", o->base, c->name);
	buf_add_str(o->b, "{\"@id\":");
	json_write_string(o->b, span_str(identifier));
	buf_add_str(o->b, ",\"@type\":\"dcat:Dataset\"");
	dutch(o, "dct:title", c->title);
	common(o, c, identifier);
	agent(o, "dct:creator");
	typed_id(o, "dct:accrualPeriodicity", "dct:Frequency", EU "frequency/%s",
	         frequency(c->cadence_s));
	if (c->cadence_s) {
		snprintf(cadence, sizeof(cadence), "PT%lluS", (unsigned long long)c->cadence_s);
		typed(o, "dcat:temporalResolution", "xsd:duration", cadence);
	}
	typed_id(o, "dct:language", "dct:LinguisticSystem", EU "language/NLD");
	typed_id(o, "dcat:landingPage", "foaf:Document", "%s/feeds/%s", o->base, c->name);
	if (f->last_stored_ms)
		time_of(o, "dct:modified", f->last_stored_ms);
	schemas(o, c);
	keywords(o, f);
	place(o, &m);
	period(o, f);
	quality(o, f, &m);
	distribution(o, c);
	buf_add_char(o->b, '}');
}

/* ---- the catalogue ---- */

static bool is_listed(struct out *o, const struct feed *f)
{
	const struct config_feed *c = f->conf;
	return page_may_see(o->req, f) && *c->description && *c->licence && *c->contact &&
	       *c->theme;
}

static void each(struct out *o, const char *name, void (*write)(struct out *, const struct feed *))
{
	const struct hub *h = o->req->web->hub;
	const char *comma = "";
	json_write_name(o->b, name);
	buf_add_char(o->b, '[');
	for (unsigned i = 0; i < hub_feed_count(h); i++) {
		const struct feed *f = hub_feed_at(h, i);
		if (!is_listed(o, f))
			continue;
		buf_add_str(o->b, comma);
		write(o, f);
		comma = ",";
	}
	buf_add_char(o->b, ']');
}

/* Whom to ask about the catalogue: who is asked about its first feed. */
static const char *any_contact(struct out *o)
{
	const struct hub *h = o->req->web->hub;
	for (unsigned i = 0; i < hub_feed_count(h); i++)
		if (is_listed(o, hub_feed_at(h, i)))
			return hub_feed_at(h, i)->conf->contact;
	return o->base;
}

static int64_t newest(struct out *o)
{
	const struct hub *h = o->req->web->hub;
	int64_t ms = 0;
	for (unsigned i = 0; i < hub_feed_count(h); i++)
		if (is_listed(o, hub_feed_at(h, i)))
			ms = MAX_OF(ms, hub_feed_at(h, i)->last_stored_ms);
	return ms;
}

void get_catalog(struct req *r)
{
	if (!only_query(r, "") || !page_knows(r, NULL, get_catalog))
		return;
	struct out o = {.req = r,
	                .b = &r->out,
	                .c = hub_config(r->web->hub),
	                .base = r->web->base_url,
	                .now_ms = clock_wall_ms(hub_clock(r->web->hub))};
	const char *title = *o.c->title ? o.c->title : "Live data van de stad";
	buf_addf(o.b, "{%s", context);
	json_write_name(o.b, "@id");
	buf_addf(o.b, "\"%s/v1/catalog\"", o.base);
	text(&o, "@type", "dcat:Catalog");
	dutch(&o, "dct:title", title);
	dutch(&o, "dct:description",
	      "Wat sensoren in de stad meten, op het moment dat zij het meten.");
	agent(&o, "dct:publisher");
	contact(&o, any_contact(&o));
	typed_id(&o, "dct:language", "dct:LinguisticSystem", EU "language/NLD");
	typed_id(&o, "foaf:homepage", "foaf:Document", "%s/", o.base);
	typed_id(&o, "dcat:themeTaxonomy", "skos:ConceptScheme", EU "data-theme");
	if (newest(&o))
		time_of(&o, "dct:modified", newest(&o));
	each(&o, "dcat:dataset", dataset);
	each(&o, "dcat:service", services);
	buf_add_char(o.b, '}');
	respond(r, 200, "application/ld+json");
}
