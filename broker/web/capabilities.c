/* capabilities.c - GET /v1/capabilities: what a client can count on here before it tries: limits,
 * the feeds that take what is written over SensorThings, the functions of $filter, and what the
 * codes of refusals mean. */
#include "base/limits.h"
#include "sta/query.h"
#include "web/private.h"
#include "web/sta.h"
#include "json/write.h"

static const struct code {
	const char *code, *status, *means;
} codes[] = {
    {"batch", "400 424 412", "a request of a batch, or the whole, is not one that can be done"},
    {"busy", "503", "it is being changed, or the store is: send it again"},
    {"columns", "400", "a row has not as many values as there are components"},
    {"conflict", "409", "the Datastream has another result for this phenomenonTime"},
    {"data-array", "400", "the body of CreateObservations is not what it is to be"},
    {"datastream-taken", "409", "the Thing has a Datastream for this member, or its data came"},
    {"deleted", "409", "the Observation of this time was deleted, its number is not given again"},
    {"denied", "403", "the right is missing"},
    {"derived", "409", "it is what data or schemas say: it is not changed here"},
    {"feature", "400", "the Observations of this Datastream are about another feature"},
    {"feed", "400 403", "there is no such feed, or it takes no entities"},
    {"feed-missing", "400", "more than one feed takes entities: properties.feed says which"},
    {"fixed", "400", "this does not change"},
    {"group", "501",
     "a FeatureOfInterest with its Observations cannot go all or nothing with others"},
    {"json", "400", "the body is not JSON, or not an object"},
    {"length", "400", "a list has not as many as the MultiDatastream has results"},
    {"link", "400", "this link cannot be made or changed so"},
    {"member", "400", "which result of the feed's schema it is, is not clear"},
    {"method", "405", "the path does not take this method"},
    {"missing", "400", "a member, or a link, that is required"},
    {"name-taken", "409", "the organisation has one of that name"},
    {"no-feed", "400 409", "its feed is no longer configured"},
    {"no-such-entity", "400 404", "there is no such entity, or it may not be seen"},
    {"not-kept", "400", "the feed, or a correction, does not keep this member"},
    {"options", "400", "a change has no options"},
    {"organisation", "403", "the Datastream is another organisation's"},
    {"patch", "400", "an operation of the JSON Patch cannot be done"},
    {"path", "400 404", "there is no such path"},
    {"refused", "400", "admission refused the message: errors has schema, pointer and rule"},
    {"result-type", "400",
     "a result of this type is not kept or corrected, or not so many results"},
    {"schema", "400", "the feed's messages are not made of one Observation"},
    {"store-full", "507", "the store is full: send it again later"},
    {"thing", "400", "a thing is a level of a topic"},
    {"thing-taken", "409", "the feed has a Thing for this, or its data came"},
    {"time", "400", "a time is not written as RFC 3339 has it, or is out of bounds"},
    {"too-large", "400", "it is too large"},
    {"too-many", "400 409 507", "more than a request, a Thing or the store may have"},
    {"topic", "400", "the thing has no topic of its own in this feed"},
    {"type", "400", "a member is of another type"},
    {"ucum", "400", "the unit is no UCUM code"},
    {"unit", "400", "the feed's schema has this in another unit"},
    {"unknown", "400", "SensorThings has no such member"},
};

static void write_limits(struct req *r, struct buf *b)
{
	const struct {
		const char *name;
		uint64_t is;
	} rows[] = {{"bodyBytes", hub_config(r->web->hub)->max_packet_bytes},
	            {"linesOfOnePost", LIMIT_WEB_NDJSON_LINES},
	            {"entitiesOfOnePage", LIMIT_STA_PAGE},
	            {"entitiesOfOneAnswer", LIMIT_STA_ENTITIES},
	            {"entitiesOfOneRequest", LIMIT_ENTITY_CHANGE},
	            {"entityBytes", LIMIT_ENTITY_BYTES},
	            {"locationsOfOneThing", LIMIT_ENTITY_PLACES},
	            {"observationsOfOneRequest", LIMIT_STA_ROWS},
	            {"requestsOfOneBatch", LIMIT_STA_BATCH},
	            {"bytesOfOneGroup", LIMIT_STA_GROUP_BYTES},
	            {"operationsOfOnePatch", LIMIT_STA_PATCH},
	            {"resultsOfOneObservation", LIMIT_STA_MULTI},
	            {"mqttTopics", LIMIT_STA_TOPICS}};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		buf_addf(b, "%s\"%s\":%llu", i ? "," : "", rows[i].name,
		         (unsigned long long)rows[i].is);
}

/* Those that this client may write to. */
static void write_feeds(struct req *r, struct buf *b)
{
	static const char *const duplicates[] = {
	    [CONFIG_IGNORE] = "ignore", [CONFIG_REPLACE] = "replace", [CONFIG_KEEP] = "keep"};
	bool first = true;
	for (unsigned i = 0; i < hub_feed_count(r->web->hub); i++) {
		const struct feed *f = hub_feed_at(r->web->hub, i);
		if (f->ended || !f->conf->sensorthings ||
		    access_check(&r->who, ACCESS_PUBLISH, f, (struct span){0}))
			continue;
		buf_add_str(b, first ? "{\"name\":" : ",{\"name\":");
		json_write_string(b, f->name);
		buf_addf(b,
		         ",\"conflict\":%s,\"duplicates\":\"%s\",\"keepsMembers\":%s,\"members\":[",
		         f->conf->duplicates == CONFIG_IGNORE ? "true" : "false",
		         duplicates[f->conf->duplicates],
		         f->conf->decode == CONFIG_SENML ? "true" : "false");
		for (unsigned s = 0, n = 0; s < f->n_schemas; s++)
			for (unsigned k = 0; k < schema_result_count(f->schemas[s]); k++) {
				struct schema_result_info x = schema_result_info(f->schemas[s], k);
				buf_add_str(b, n++ ? ",{\"member\":" : "{\"member\":");
				json_write_string(b, span_str(x.member));
				json_write_name(b, "definition");
				json_write_string(
				    b, span_str(x.observed_property ? x.observed_property : ""));
				json_write_name(b, "unit");
				json_write_string(b, span_str(x.unit ? x.unit : ""));
				buf_add_char(b, '}');
			}
		buf_add_str(b, "]}");
		first = false;
	}
}

static void write_codes(struct buf *b)
{
	for (unsigned i = 0; i < ARRAY_LEN(codes); i++) {
		buf_addf(b, "%s{\"code\":\"%s\",\"statuses\":[", i ? "," : "", codes[i].code);
		for (const char *p = codes[i].status; *p; p += strspn(p, " ")) {
			size_t n = strcspn(p, " ");
			buf_addf(b, "%s%.*s", p > codes[i].status ? "," : "", (int)n, p);
			p += n;
		}
		buf_add_str(b, "],\"means\":");
		json_write_string(b, span_str(codes[i].means));
		buf_add_char(b, '}');
	}
}

void get_capabilities(struct req *r)
{
	struct buf *b = &r->out;
	if (!only_query(r, ""))
		return;
	buf_add_str(b, "{\"limits\":{");
	write_limits(r, b);
	buf_addf(b,
	         "},\"sensorthings\":{\"url\":\"%s/sta/v1.1\",\"writable\":%s,"
	         "\"batch\":[\"multipart/mixed\",\"application/json\"],"
	         "\"patch\":[\"application/json\",\"application/json-patch+json\"],"
	         "\"resultFormat\":[\"dataArray\",\"GeoJSON\"],\"units\":\"UCUM\","
	         "\"feeds\":[",
	         r->web->base_url, r->web->entities ? "true" : "false");
	write_feeds(r, b);
	buf_add_str(b, "],\"functions\":[");
	for (unsigned i = 0; i < STA_FUNCTIONS; i++)
		buf_addf(b, "%s\"%s\"", i ? "," : "", sta_function_name((enum sta_function)i));
	buf_add_str(b, "]},\"codes\":[");
	write_codes(b);
	buf_add_str(b, "]}");
	respond(r, 200, "application/json");
}
