/* sta_post.c - an Observation becomes a message of its Datastream's feed; that of a MultiDatastream
 * one message with all of its results. Of a feed with schemas it is made of members: its time and
 * the Datastreams'; what the schema wants besides is a refusal of admission that says so. Of a feed
 * with decode = senml it is a record of SenML for each result, with resultTime and the like as
 * members that readers of SenML pass over. The series read these from a user property of the
 * message, whatever the feed's messages look like. */
#include "base/err.h"
#include "base/rfc3339.h"
#include "mqtt/encode.h"
#include "web/sta_write.h"
#include "json/write.h"

enum { SCHEMA_TOKENS = 1 << 16 };
static const int64_t SENML_FIRST_MS = 268435456000; /* 2^28 s: below, its times are relative */

static const char *write_property(const struct feed *f, const struct sta_observation *o,
                                  struct buf *out, const char **ret_code)
{
	const struct span name = SPAN(SERIES_DETAIL_PROPERTY);
	const char *why = NULL;
	struct buf detail;
	buf_init(&detail, LIMIT_SERIES_DETAIL_BYTES);
	sta_observation_detail(o, &detail);
	if (detail.err) {
		*ret_code = "too-large";
		why = "resultTime, validTime, parameters, resultQuality and a result that is no "
		      "number or short text have at most 8192 bytes together";
	} else if (detail.len && f->privacy) {
		*ret_code = "not-kept";
		why = "this feed keeps no resultTime, validTime, parameters, resultQuality and no "
		      "FeatureOfInterest of its own: what its privacy steps do not see is not "
		      "kept; leave them out";
	} else if (detail.len) {
		struct span text = span_of(detail.p, detail.len);
		size_t n = wire_user_property_size(name, text);
		char *to = buf_room(out, n);
		struct wire w = wire_of(to, to ? n : 0);
		wire_user_property(&w, name, text);
		out->len += to ? w.len : 0;
	}
	buf_done(&detail);
	return why;
}

/* ---- the message of a schema ---- */

/* x-oudp of a member of the schema, or 0. */
static uint32_t note_of(const struct json_tape *t, uint32_t at)
{
	uint32_t n = t->tok[at].type == JSON_OBJECT ? json_member(t, at, SPAN("x-oudp")) : 0;
	return n && t->tok[n].type == JSON_OBJECT ? n : 0;
}

static bool has_role(const struct json_tape *t, uint32_t at, const char *role)
{
	uint32_t n = note_of(t, at), r = n ? json_member(t, n, SPAN("role")) : 0;
	return r && t->tok[r].type == JSON_STRING && json_string_is(t, r, span_str(role));
}

static void write_when(const struct sta_observation *o, struct buf *b)
{
	struct span as = o->time ? json_text(o->t, o->time) : (struct span){0};
	int64_t ms;
	if (o->time && !o->is_interval && rfc3339_parse(as, &ms) == 0) {
		buf_addf(b, "\"%.*s\"", (int)as.n, as.p);
		return;
	}
	json_write_time(b, o->ms);
}

static void write_time(const struct sta_observation *o, const struct json_tape *t, uint32_t name,
                       uint32_t at, struct buf *b)
{
	uint32_t n = note_of(t, at), how = json_member(t, n, SPAN("time"));
	buf_addf(b, "\"%.*s\":", (int)t->tok[name].len, json_text(t, name).p);
	if (how && json_string_is(t, how, SPAN("epoch-ms")))
		json_write_i64(b, o->ms);
	else if (how && json_string_is(t, how, SPAN("epoch-s")))
		json_write_double(b, (double)o->ms / 1000);
	else
		write_when(o, b);
	buf_add_char(b, ',');
}

static const char *member_of(const struct sta_found *x, unsigned i)
{
	return x->n_sides ? x->side[i].member : x->member;
}

/* Whether a schema has all that this Observation gives. */
static bool has_all(const struct schema *sc, const struct sta_found *x,
                    const struct sta_observation *o)
{
	for (unsigned i = 0; i < sta_observation_values(o); i++)
		if (sta_observation_value(o, i) && !sta_schema_has(sc, member_of(x, i)))
			return false;
	return true;
}

/* The schema of the feed that the newest observation fitted, else the first that has the members.
 */
static const struct schema *schema_of(const struct feed *f, const struct sta_found *x,
                                      const struct sta_observation *o)
{
	const struct schema *with = NULL;
	for (unsigned i = 0; i < f->n_schemas; i++) {
		if (!has_all(f->schemas[i], x, o))
			continue;
		if (x->schema[0] && strcmp(x->schema, schema_id(f->schemas[i])) == 0)
			return f->schemas[i];
		with = with ? with : f->schemas[i];
	}
	return with;
}

static bool is_scaled(const struct schema *sc, const char *name)
{
	for (unsigned i = 0; i < schema_result_count(sc); i++)
		if (strcmp(schema_result_info(sc, i).member, name) == 0)
			return schema_result_info(sc, i).scaled;
	return false;
}

/* Whether a message may have this member as a result is. */
static bool takes_result(const struct schema *sc, const struct json_tape *t, uint32_t all,
                         const char *member)
{
	uint32_t own = all ? json_member(t, all, span_str(member)) : 0;
	return own && has_role(t, own, "result") && !is_scaled(sc, member);
}

static bool takes_results(const struct schema *sc, const struct json_tape *t, uint32_t all,
                          const struct sta_found *x, const struct sta_observation *o)
{
	for (unsigned i = 0; i < sta_observation_values(o); i++)
		if (sta_observation_value(o, i) && !takes_result(sc, t, all, member_of(x, i)))
			return false;
	return true;
}

/* {"dateObserved": "...", "pm25": 12.5} */
static const char *write_fitting(const struct schema *sc, const struct sta_found *x,
                                 const struct sta_observation *o, struct buf *b,
                                 const char **ret_code)
{
	struct json_tape t;
	const char *why;
	size_t at;
	json_tape_init(&t, SCHEMA_TOKENS);
	int err = json_parse(&t, schema_source(sc), &at, &why);
	uint32_t all = err ? 0 : json_member(&t, 0, SPAN("properties"));
	bool written = takes_results(sc, &t, all, x, o), any = false;
	if (written) {
		buf_add_char(b, '{');
		for (uint32_t i = all + 1; i < t.tok[all].next; i = t.tok[i + 1].next)
			if (has_role(&t, i + 1, "time")) {
				write_time(o, &t, i, i + 1, b);
				break;
			}
	}
	for (unsigned i = 0; written && i < sta_observation_values(o); i++) {
		uint32_t value = sta_observation_value(o, i);
		if (!value)
			continue;
		if (any)
			buf_add_char(b, ',');
		any = true;
		json_write_string(b, span_str(member_of(x, i)));
		buf_add_char(b, ':');
		sta_write_value(o->t, value, b);
	}
	json_tape_done(&t);
	if (written) {
		buf_add_char(b, '}');
		return NULL;
	}
	*ret_code = "schema";
	return "this Datastream's feed describes its messages in a way that one Observation does "
	       "not make: publish to the feed";
}

/* ---- the message of SenML ---- */

/* {"n":"temperature","u":"Cel","t":1795521600,"v":21.5 */
static void write_result(const struct sta_observation *o, const char *member, const char *unit,
                         uint32_t value, struct buf *b)
{
	uint8_t type = o->t->tok[value].type;
	buf_add_str(b, "{\"n\":");
	json_write_string(b, span_str(member));
	if (unit[0]) {
		json_write_name(b, "u");
		json_write_string(b, span_str(unit));
	}
	buf_addf(b, ",\"t\":%lld", (long long)(o->ms / 1000));
	if (o->ms % 1000)
		buf_addf(b, ".%03d", (int)(o->ms % 1000));
	if (sta_observation_is_structure(o)) {
		json_write_name(b, "vs");
		json_write_string(b, json_text(o->t, value));
		json_write_name(b, "result");
	} else {
		json_write_name(b, type == JSON_STRING ? "vs" : type == JSON_NUMBER ? "v" : "vb");
	}
	sta_write_value(o->t, value, b);
}

/* A record for each result; what it has beside stands in the first. */
static const char *write_senml(const struct sta_found *x, const struct sta_observation *o,
                               struct buf *b, const char **ret_code)
{
	bool any = false;
	if (o->ms < SENML_FIRST_MS) {
		*ret_code = "time";
		return "this feed keeps SenML, which has no times before July 1978";
	}
	for (unsigned i = 0; i < sta_observation_values(o); i++) {
		uint32_t value = sta_observation_value(o, i);
		if (!value)
			continue;
		buf_add_char(b, any ? ',' : '[');
		write_result(o, member_of(x, i), x->n_sides ? x->side[i].unit : x->unit, value, b);
		if (!any && o->is_interval) {
			json_write_name(b, "phenomenonTime");
			sta_write_value(o->t, o->time, b);
		}
		for (unsigned k = 0; k < ARRAY_LEN(o->extra) && !any; k++) {
			if (!o->extra[k])
				continue;
			json_write_name(b, sta_detail_names[k]);
			sta_write_value(o->t, o->extra[k], b);
		}
		any = true;
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
	return NULL;
}

static const char *write_message(const struct feed *f, const struct sta_found *x,
                                 const struct sta_observation *o, struct buf *out,
                                 struct buf *properties, const char **ret_code)
{
	const struct schema *sc = schema_of(f, x, o);
	const char *why;
	*ret_code = "schema";
	if (f->conf->decode == CONFIG_SENML) {
		why = write_senml(x, o, out, ret_code);
	} else if (!sc) {
		why = "this Datastream's feed has no schema for it: publish to the feed";
	} else {
		why = write_fitting(sc, x, o, out, ret_code);
	}
	why = why ? why : write_property(f, o, properties, ret_code);
	if (!why && out->err) {
		*ret_code = "too-large";
		why = "the Observation is too large";
	}
	return why;
}

const char *sta_message(struct post *p, const struct web *w, const struct sta_found *x,
                        const struct sta_observation *o, struct sta_message *ret)
{
	struct feed *f = hub_feed(w->hub, span_str(x->feed));
	struct span at;
	ret->code = "no-feed";
	if (!f)
		return "its feed is no longer configured";
	p->feed = f;
	const char *why = write_message(f, x, o, ret->payload, ret->properties, &ret->code);
	if (why)
		return why;
	ret->code = "topic";
	why = post_topic(p, NULL, span_str(x->of_thing));
	if (!why && hub_route(w->hub, span_str(p->topic), &at) != f)
		why = "another feed takes the topic of this Thing";
	return why;
}

struct ingest_message sta_message_of(const struct post *p, const struct sta_observation *o,
                                     const struct sta_message *m)
{
	return (struct ingest_message){.publisher = SPAN("sensorthings"),
	                               .topic = span_str(p->topic),
	                               .payload = span_of(m->payload->p, m->payload->len),
	                               .properties = span_of(m->properties->p, m->properties->len),
	                               .received_ms = o->time ? 0 : o->ms,
	                               .protocol = QUARANTINE_HTTP,
	                               .qos = 1};
}
