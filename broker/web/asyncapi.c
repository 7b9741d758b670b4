/* asyncapi.c - /v1/asyncapi.json: what goes in and out over WebSocket and MQTT, as AsyncAPI 3.0,
 * for the feeds that may be seen. "send" and "receive" are the broker's. */
#include "web/pages.h"
#include "json/write.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void begin(struct buf *b, const char *name)
{
	json_write_name(b, name);
	buf_add_char(b, '{');
}

static void text(struct buf *b, const char *name, const char *value)
{
	json_write_name(b, name);
	json_write_string(b, span_str(value));
}

static void ref(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
static void ref(struct buf *b, const char *fmt, ...)
{
	char to[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(to, sizeof(to), fmt, ap);
	va_end(ap);
	buf_add_str(b, "{\"$ref\":");
	json_write_string(b, span_str(to));
	buf_add_char(b, '}');
}

/* Feeds have names of a-z, 0-9 and '-', which keys of the document may have as well. */
static void each(struct req *r, void (*write)(struct buf *, const struct feed *, bool mqtt),
                 bool mqtt)
{
	for (unsigned i = 0; i < hub_feed_count(r->web->hub); i++) {
		const struct feed *f = hub_feed_at(r->web->hub, i);
		if (page_may_see(r, f))
			write(&r->out, f, mqtt);
	}
}

/* ---- servers ---- */

static void servers(struct req *r, const struct where *x)
{
	struct buf *b = &r->out;
	const char *host = strstr(x->ws, "://") + 3;
	begin(b, "servers");
	begin(b, "websocket");
	json_write_name(b, "host");
	json_write_string(b, span_of(host, strcspn(host, "/")));
	buf_addf(b, ",\"protocol\":\"ws%s\"", strncmp(x->ws, "wss", 3) == 0 ? "s" : "");
	if (host[strcspn(host, "/")])
		text(b, "pathname", host + strcspn(host, "/"));
	text(b, "description",
	     "Offer the subprotocol cloudevents.json. One CloudEvent per text frame.");
	buf_add_char(b, '}');
	if (x->mqtt_port) {
		char address[220];
		snprintf(address, sizeof(address), "%s:%u", x->host, x->mqtt_port);
		begin(b, "mqtt");
		text(b, "host", address);
		buf_addf(b, ",\"protocol\":\"%s\",\"protocolVersion\":\"5.0\"",
		         x->mqtt_tls ? "secure-mqtt" : "mqtt");
		text(b, "description",
		     "MQTT 3.1.1 and 5.0; also over WebSocket at /mqtt of the other server. An "
		     "acknowledgement means stored; a refusal has a reason string.");
		buf_add_char(b, '}');
	}
	buf_add_char(b, '}');
}

/* ---- channels ---- */

static void query(struct buf *b)
{
	static const struct {
		const char *name, *type, *about;
	} rows[] = {
	    {"after", "string", "Begin after this event: SEQ, EPOCH:SEQ or the id of an event."},
	    {"since", "string", "Begin with what was stored at this time or later (RFC 3339)."},
	    {"thing", "string", "Only events about this thing."},
	    {"property", "string", "Only events with this result."},
	    {"bbox", "string", "Only events of this place: minlon,minlat,maxlon,maxlat."},
	    {"slow", "string", "disk, latest or close: what becomes of a slow subscriber."},
	};
	begin(b, "bindings");
	begin(b, "ws");
	buf_add_str(b, "\"bindingVersion\":\"0.1.0\",\"method\":\"GET\"");
	begin(b, "query");
	buf_add_str(b, "\"type\":\"object\"");
	begin(b, "properties");
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		begin(b, rows[i].name);
		buf_addf(b, "\"type\":\"%s\"", rows[i].type);
		text(b, "description", rows[i].about);
		buf_add_char(b, '}');
	}
	buf_add_str(b, "}}}}");
}

static void events_channel(struct buf *b, const struct feed *f)
{
	char key[80], address[120];
	snprintf(key, sizeof(key), "%s", f->conf->name);
	snprintf(address, sizeof(address), "/v1/feeds/%s/events", f->conf->name);
	begin(b, key);
	text(b, "address", address);
	text(b, "title", f->conf->title);
	if (*f->conf->description)
		text(b, "description", f->conf->description);
	buf_add_str(b, ",\"servers\":[");
	ref(b, "#/servers/websocket");
	buf_add_str(b, "],\"messages\":{\"event\":");
	ref(b, "#/components/messages/event");
	buf_add_str(b, ",\"control\":");
	ref(b, "#/components/messages/control");
	buf_add_char(b, '}');
	query(b);
	buf_add_char(b, '}');
}

static void topic_channel(struct buf *b, const struct feed *f, unsigned n)
{
	char key[100];
	snprintf(key, sizeof(key), "%s-topic-%u", f->conf->name, n + 1);
	begin(b, key);
	text(b, "address", f->conf->topics[n]);
	text(b, "title", f->conf->title);
	if (strstr(f->conf->topics[n], "{thing}")) {
		begin(b, "parameters");
		buf_add_str(b, "\"thing\":{\"description\":\"What the message is about: one "
		               "level of the topic.\"}}");
	}
	buf_add_str(b, ",\"servers\":[");
	ref(b, "#/servers/mqtt");
	buf_add_str(b, "],\"messages\":{\"measurement\":");
	ref(b, "#/components/messages/%s", f->conf->name);
	buf_add_str(b, "}}");
}

static void channels(struct buf *b, const struct feed *f, bool mqtt)
{
	events_channel(b, f);
	for (unsigned i = 0; mqtt && f->conf->topics[i]; i++)
		topic_channel(b, f, i);
}

/* ---- operations ---- */

static void operation(struct buf *b, const char *front, const char *channel, const char *action,
                      const char *summary)
{
	char key[140];
	snprintf(key, sizeof(key), "%s-%s", front, channel);
	begin(b, key);
	buf_addf(b, "\"action\":\"%s\",\"channel\":", action);
	ref(b, "#/channels/%s", channel);
	text(b, "summary", summary);
	buf_add_char(b, '}');
}

static void operations(struct buf *b, const struct feed *f, bool mqtt)
{
	char channel[100];
	operation(b, "send", f->conf->name, "send",
	          "Events of this feed, from where the subscriber says, then live");
	for (unsigned i = 0; mqtt && f->conf->topics[i]; i++) {
		snprintf(channel, sizeof(channel), "%s-topic-%u", f->conf->name, i + 1);
		operation(b, "receive", channel, "receive", "What publishers send");
		operation(b, "send", channel, "send", "What was stored, as it was sent");
	}
}

/* ---- messages ---- */

static void message(struct buf *b, const struct feed *f, bool mqtt)
{
	const char *comma = "";
	char **s = f->conf->schemas;
	if (!mqtt)
		return;
	begin(b, f->conf->name);
	text(b, "title", f->conf->title);
	if (!span_is(config_schema(s[0], NULL), "any")) {
		buf_add_str(b, ",\"contentType\":\"application/json\",\"payload\":{\"oneOf\":[");
		for (; *s; s++) {
			struct span id = config_schema(*s, NULL);
			buf_add_str(b, comma);
			ref(b, "/v1/schemas/%.*s", (int)id.n, id.p);
			comma = ",";
		}
		buf_add_str(b, "]}");
	}
	buf_add_char(b, '}');
}

static const char event_messages[] =
    "\"event\":{\"title\":\"CloudEvent, NL GOV profile 1.1\",\"contentType\":"
    "\"application/"
    "cloudevents+json\",\"payload\":{\"type\":\"object\",\"required\":[\"specversion\""
    ",\"id\",\"source\",\"type\",\"time\",\"sequence\",\"sequencetype\"],\"properties\":{"
    "\"specversion\":{\"const\":\"1.0\"},\"id\":{\"type\":\"string\",\"description\":"
    "\"feed:epoch:sequence\"},\"source\":{\"type\":\"string\"},\"type\":{\"type\":\"string\","
    "\"description\":\"nl.<domain>.<schema>.v<version>\"},\"subject\":{\"type\":\"string\","
    "\"description\":\"The thing\"},\"time\":{\"type\":\"string\",\"format\":\"date-time\","
    "\"description\":\"When it was stored\"},\"observedtime\":{\"type\":\"string\",\"format\":"
    "\"date-time\"},\"datacontenttype\":{\"type\":\"string\"},\"dataschema\":{\"type\":\"string\","
    "\"format\":\"uri\"},\"sequence\":{\"type\":\"string\"},\"sequencetype\":{\"const\":\"Integer\""
    "},\"data\":{},\"data_base64\":{\"type\":\"string\"}}}},"
    "\"control\":{\"title\":\"Control event: gap, live, position, erased, "
    "corrected\",\"contentType\":"
    "\"application/"
    "cloudevents+json\",\"payload\":{\"type\":\"object\",\"required\":[\"specversion\""
    ",\"id\",\"source\",\"type\",\"time\"],\"properties\":{\"specversion\":{\"const\":\"1.0\"},"
    "\"id\":{\"type\":\"string\"},\"source\":{\"type\":\"string\"},\"type\":{\"enum\":["
    "\"nl.oudp.feed.gap.v1\",\"nl.oudp.feed.live.v1\",\"nl.oudp.feed.position.v1\",\"nl.oudp."
    "thing.erased.v1\",\"nl.oudp.series.corrected.v1\"]},"
    "\"time\":{\"type\":\"string\",\"format\":\"date-time\"},\"datacontenttype\":{\"type\":"
    "\"string\"},\"data\":{\"type\":\"object\"}}}}";

static const char entity_message[] =
    ",\"sensorthings_entity\":{\"title\":\"An entity of SensorThings 1.1, or one of its "
    "properties\","
    "\"contentType\":\"application/json\",\"payload\":{\"type\":\"object\"}}";

/* Its key is no name of a feed: those have no _. */
static void things_channel(struct buf *b)
{
	begin(b, "sensorthings_updates");
	text(b, "address", "v1.1/{path}");
	text(b, "title", "SensorThings over MQTT (OGC 18-088, clause 14)");
	begin(b, "parameters");
	buf_add_str(b, "\"path\":{\"description\":\"A path of SensorThings: "
	               "Datastreams(5)/Observations, Things, Datastreams(5)/observedArea; with "
	               "$select, $expand and $filter behind a '?'.\"}}");
	buf_add_str(b, ",\"servers\":[");
	ref(b, "#/servers/mqtt");
	buf_add_str(b, "],\"messages\":{\"entity\":");
	ref(b, "#/components/messages/sensorthings_entity");
	buf_add_str(b, "}}");
}

void get_asyncapi(struct req *r)
{
	struct buf *b = &r->out;
	struct where x = page_where(r->web);
	const struct config *c = hub_config(r->web->hub);
	bool mqtt = x.mqtt_port != 0, things = mqtt && r->web->teller;
	if (!only_query(r, ""))
		return;
	buf_add_str(b,
	            "{\"asyncapi\":\"3.0.0\",\"info\":{\"title\":\"oudpd\",\"version\":\"1.0.0\"");
	text(b, "description",
	     "The open urban data broker: feeds of checked messages. A feed is a numbered log: who "
	     "subscribes says where it was and goes on from there, without a hole it does not know "
	     "of.");
	begin(b, "contact");
	buf_add_str(b, "\"name\":");
	json_write_string(b, span_str(*c->publisher_name ? c->publisher_name : c->organisation));
	text(b, "url", r->web->base_url);
	page_write_email(r, b);
	buf_add_str(b, "}},\"defaultContentType\":\"application/cloudevents+json\"");
	servers(r, &x);
	begin(b, "channels");
	each(r, channels, mqtt);
	if (things)
		things_channel(b);
	buf_add_char(b, '}');
	begin(b, "operations");
	each(r, operations, mqtt);
	if (things)
		operation(b, "send", "sensorthings_updates", "send",
		          "What changed in SensorThings, as a GET would answer it");
	buf_add_char(b, '}');
	begin(b, "components");
	begin(b, "messages");
	buf_add_str(b, event_messages);
	if (things)
		buf_add_str(b, entity_message);
	each(r, message, mqtt);
	buf_add_str(b, "}}}");
	respond(r, 200, "application/json");
}
