/* sta_post.c - an Observation becomes a message of its Datastream's feed. Of a feed with schemas it
 * is made of two members: its time and the Datastream's; what the schema wants besides is a refusal
 * of admission that says so. Of a feed with decode = senml it is a record of SenML, with
 * resultTime and the like as members that readers of SenML pass over. The series read these from a
 * user property of the message, whatever the feed's messages look like. */
#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "mqtt/encode.h"
#include "web/sta_write.h"
#include "json/write.h"

#include <stdio.h>

enum { SCHEMA_TOKENS = 1 << 16 };
static const int64_t SENML_FIRST_MS = 268435456000; /* 2^28 s: below, its times are relative */

/* ---- the body ---- */

/* A value of the body as it stands there. */
static void write_value(const struct json_tape *t, uint32_t at, struct buf *b)
{
	bool quoted = t->tok[at].type == JSON_STRING;
	if (quoted)
		buf_add_char(b, '"');
	buf_add_span(b, json_text(t, at));
	if (quoted)
		buf_add_char(b, '"');
}

static const char *check_member(const struct json_tape *t, enum sta_detail_member m, uint32_t at)
{
	struct buf b;
	buf_init(&b, LIMIT_SERIES_DETAIL_BYTES);
	write_value(t, at, &b);
	const char *why =
	    b.err ? "it is too large" : sta_detail_check_member(m, span_of(b.p, b.len));
	buf_done(&b);
	return why;
}

/* An interval is known by its beginning. NULL, or what is wrong. */
static const char *read_time(struct sta_observation *o)
{
	const struct json_tape *t = o->t;
	char text[100];
	bool is_text = t->tok[o->time].type == JSON_STRING && t->tok[o->time].len < sizeof(text);
	size_t n = is_text ? json_unescape(json_text(t, o->time), text) : 0;
	const char *slash = memchr(text, '/', n);
	o->is_interval = slash != NULL;
	if (rfc3339_parse(span_of(text, slash ? (size_t)(slash - text) : n), &o->ms) == 0 && !slash)
		return NULL;
	return check_member(t, STA_D_PHENOMENON_TIME, o->time);
}

static uint32_t member(const struct json_tape *t, uint32_t at, const char *name)
{
	uint32_t i = json_member(t, at, span_str(name));
	return i && t->tok[i].type != JSON_NULL ? i : 0;
}

const char *sta_observation_read(const struct json_tape *t, uint32_t token, int64_t now_ms,
                                 struct sta_observation *ret, const char **ret_code)
{
	*ret = (struct sta_observation){.t = t, .ms = now_ms};
	*ret_code = "type";
	if (t->tok[token].type != JSON_OBJECT)
		return "the Observation is not a JSON object";
	ret->result = member(t, token, "result");
	ret->time = member(t, token, "phenomenonTime");
	for (unsigned i = 0; i < ARRAY_LEN(ret->extra); i++)
		ret->extra[i] = member(t, token, sta_detail_names[i]);
	return sta_observation_check(ret, ret_code);
}

const char *sta_observation_check(struct sta_observation *o, const char **ret_code)
{
	*ret_code = "missing";
	if (!o->result)
		return "the Observation has no result";
	*ret_code = "result-type";
	uint8_t type = o->t->tok[o->result].type;
	if (type == JSON_OBJECT || type == JSON_ARRAY)
		return "a result is a number, a text or a truth value";
	*ret_code = "time";
	const char *why = o->time ? read_time(o) : NULL;
	for (unsigned i = 0; i < ARRAY_LEN(o->extra) && !why; i++) {
		*ret_code = sta_detail_names[i];
		why =
		    o->extra[i] ? check_member(o->t, (enum sta_detail_member)i, o->extra[i]) : NULL;
	}
	*ret_code = why ? *ret_code : "";
	return why;
}

static bool is_long(const struct sta_observation *o)
{
	return o->t->tok[o->result].type == JSON_STRING &&
	       o->t->tok[o->result].len > LIMIT_SERIES_TEXT_BYTES;
}

void sta_observation_detail(const struct sta_observation *o, struct buf *b)
{
	uint32_t at[STA_DETAIL_MEMBERS] = {[STA_D_PHENOMENON_TIME] = o->is_interval ? o->time : 0,
	                                   [STA_D_RESULT] = is_long(o) ? o->result : 0};
	bool any = false;
	for (unsigned i = 0; i < ARRAY_LEN(o->extra); i++)
		at[i] = o->extra[i];
	for (unsigned i = 0; i < STA_DETAIL_MEMBERS; i++) {
		if (!at[i])
			continue;
		buf_addf(b, "%c\"%s\":", any ? ',' : '{', sta_detail_names[i]);
		write_value(o->t, at[i], b);
		any = true;
	}
	if (any)
		buf_add_char(b, '}');
}

char *sta_instant_of(struct sta_instant *i, const struct sta_observation *o)
{
	struct span text = json_text(o->t, o->result);
	struct buf b;
	switch (o->t->tok[o->result].type) {
	case JSON_NUMBER:
		i->kind = POINT_NUMBER;
		i->value = json_double(text);
		break;
	case JSON_STRING:
		i->kind = POINT_TEXT;
		i->text = text; /* escapes are rare: then it is another one */
		break;
	default: i->kind = POINT_BOOL; i->value = o->t->tok[o->result].type == JSON_TRUE;
	}
	buf_init(&b, LIMIT_SERIES_DETAIL_BYTES);
	sta_observation_detail(o, &b);
	char *detail = b.len && !b.err ? xstrndup(b.p, b.len) : NULL;
	i->detail = span_of(detail, detail ? b.len : 0);
	buf_done(&b);
	return detail;
}

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
		why = "resultTime, validTime, parameters and resultQuality of an Observation have "
		      "at most 8192 bytes together";
	} else if (detail.len && f->privacy) {
		*ret_code = "not-kept";
		why = "this feed keeps no resultTime, validTime, parameters and resultQuality: "
		      "what its privacy steps do not see is not kept; leave them out";
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
	if (o->time && !o->is_interval) {
		struct span as = json_text(o->t, o->time);
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

/* The schema of the feed that the newest observation fitted, else the first that has the member. */
static const struct schema *schema_of(const struct feed *f, const struct sta_found *x)
{
	const struct schema *with = NULL;
	for (unsigned i = 0; i < f->n_schemas; i++) {
		if (x->schema[0] && strcmp(x->schema, schema_id(f->schemas[i])) == 0)
			return f->schemas[i];
		for (unsigned k = 0; !with && k < schema_result_count(f->schemas[i]); k++)
			if (strcmp(schema_result_info(f->schemas[i], k).member, x->member) == 0)
				with = f->schemas[i];
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

/* {"dateObserved": "...", "pm25": 12.5} */
static const char *write_fitting(const struct schema *sc, const struct sta_found *x,
                                 const struct sta_observation *o, struct buf *b,
                                 const char **ret_code)
{
	struct json_tape t;
	const char *why;
	size_t at;
	bool written = false;
	json_tape_init(&t, SCHEMA_TOKENS);
	int err = json_parse(&t, schema_source(sc), &at, &why);
	uint32_t all = err ? 0 : json_member(&t, 0, SPAN("properties")),
	         own = all ? json_member(&t, all, span_str(x->member)) : 0;
	if (own && has_role(&t, own, "result") && !is_scaled(sc, x->member)) {
		buf_add_char(b, '{');
		for (uint32_t i = all + 1; i < t.tok[all].next; i = t.tok[i + 1].next)
			if (has_role(&t, i + 1, "time")) {
				write_time(o, &t, i, i + 1, b);
				break;
			}
		json_write_string(b, span_str(x->member));
		buf_add_char(b, ':');
		write_value(o->t, o->result, b);
		buf_add_char(b, '}');
		written = true;
	}
	json_tape_done(&t);
	if (written)
		return NULL;
	*ret_code = "schema";
	return "this Datastream's feed describes its messages in a way that one Observation does "
	       "not make: publish to the feed";
}

/* ---- the message of SenML ---- */

static const char *write_senml(const struct sta_found *x, const struct sta_observation *o,
                               struct buf *b, const char **ret_code)
{
	uint8_t type = o->t->tok[o->result].type;
	if (o->ms < SENML_FIRST_MS) {
		*ret_code = "time";
		return "this feed keeps SenML, which has no times before July 1978";
	}
	buf_add_str(b, "[{\"n\":");
	json_write_string(b, span_str(x->member));
	if (x->unit[0]) {
		json_write_name(b, "u");
		json_write_string(b, span_str(x->unit));
	}
	buf_addf(b, ",\"t\":%lld", (long long)(o->ms / 1000));
	if (o->ms % 1000)
		buf_addf(b, ".%03d", (int)(o->ms % 1000));
	json_write_name(b, type == JSON_STRING ? "vs" : type == JSON_NUMBER ? "v" : "vb");
	write_value(o->t, o->result, b);
	if (o->is_interval) {
		json_write_name(b, "phenomenonTime");
		write_value(o->t, o->time, b);
	}
	for (unsigned i = 0; i < ARRAY_LEN(o->extra); i++) {
		if (!o->extra[i])
			continue;
		json_write_name(b, sta_detail_names[i]);
		write_value(o->t, o->extra[i], b);
	}
	buf_add_str(b, "}]");
	return NULL;
}

static const char *write_message(const struct feed *f, const struct sta_found *x,
                                 const struct sta_observation *o, struct buf *out,
                                 struct buf *properties, const char **ret_code)
{
	const struct schema *sc = schema_of(f, x);
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
