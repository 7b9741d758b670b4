/* sta_post.c - an Observation becomes a message of its Datastream's feed; that of a MultiDatastream
 * one message with all of its results. Of a feed with schemas it
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

#include <math.h>
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
	if (sta_detail_time(span_of(text, slash ? (size_t)(slash - text) : n), &o->ms) == 0 &&
	    !slash)
		return NULL;
	return check_member(t, STA_D_PHENOMENON_TIME, o->time);
}

static uint32_t member(const struct json_tape *t, uint32_t at, const char *name)
{
	uint32_t i = json_member(t, at, span_str(name));
	return i && t->tok[i].type != JSON_NULL ? i : 0;
}

const char *sta_observation_read(const struct json_tape *t, uint32_t token, bool multi,
                                 int64_t now_ms, struct sta_observation *ret, const char **ret_code)
{
	*ret = (struct sta_observation){.t = t, .multi = multi, .ms = now_ms};
	*ret_code = "type";
	if (t->tok[token].type != JSON_OBJECT)
		return "the Observation is not a JSON object";
	ret->result = member(t, token, "result");
	ret->time = member(t, token, "phenomenonTime");
	for (unsigned i = 0; i < ARRAY_LEN(ret->extra); i++)
		ret->extra[i] = member(t, token, sta_detail_names[i]);
	return sta_observation_check(ret, ret_code);
}

unsigned sta_observation_values(const struct sta_observation *o)
{
	return o->multi ? o->t->tok[o->result].size : 1;
}

uint32_t sta_observation_value(const struct sta_observation *o, unsigned i)
{
	uint32_t at = o->multi ? o->result + 1 : o->result;
	while (i-- > 0)
		at = o->t->tok[at].next;
	return o->t->tok[at].type == JSON_NULL ? 0 : at;
}

static void point_at(struct sta_observation *o, unsigned i)
{
	snprintf(o->pointer, sizeof(o->pointer), "/result/%u", i);
}

static const char *check_list(struct sta_observation *o)
{
	bool any = false;
	const struct json_token *list = &o->t->tok[o->result];
	if (list->type != JSON_ARRAY || !list->size || list->size > LIMIT_STA_MULTI)
		return "the result of a MultiDatastream is a list, as long as its "
		       "ObservedProperties";
	for (unsigned i = 0; i < list->size; i++) {
		uint32_t at = sta_observation_value(o, i);
		uint8_t type = o->t->tok[at].type;
		any |= at != 0;
		point_at(o, i);
		if (at && (type == JSON_OBJECT || type == JSON_ARRAY))
			return "a result is a number, a text, a truth value, or null";
		if (at && type == JSON_STRING && o->t->tok[at].len > LIMIT_SERIES_TEXT_BYTES)
			return "a text in a list of results has at most 1024 bytes";
	}
	o->pointer[0] = '\0';
	return any ? NULL : "one of the results at least is not null";
}

static bool is_wanted(const struct sta_observation *o, uint32_t at, enum sta_result want)
{
	struct span text = json_text(o->t, at);
	uint8_t type = o->t->tok[at].type;
	switch (want) {
	case STA_R_NUMBER: return type == JSON_NUMBER;
	case STA_R_COUNT:
		return type == JSON_NUMBER && trunc(json_double(text)) == json_double(text);
	case STA_R_TRUTH: return type == JSON_TRUE || type == JSON_FALSE;
	case STA_R_TEXT: return type == JSON_STRING;
	case STA_R_ANY: break;
	}
	return true;
}

const char *sta_observation_fits(struct sta_observation *o, const struct sta_found *x,
                                 char why[200])
{
	unsigned n = sta_observation_values(o);
	if (!o->multi)
		return NULL;
	if (n != x->n_sides) {
		snprintf(o->pointer, sizeof(o->pointer), "/result");
		snprintf(why, 200, "this MultiDatastream has %u results, and here are %u",
		         x->n_sides, n);
		return why;
	}
	for (unsigned i = 0; i < n; i++) {
		uint32_t at = sta_observation_value(o, i);
		if (!at || is_wanted(o, at, x->side[i].want))
			continue;
		point_at(o, i);
		snprintf(why, 200, "result %u of this MultiDatastream is %s, or null", i,
		         sta_result_words(x->side[i].want));
		return why;
	}
	return NULL;
}

const char *sta_observation_check(struct sta_observation *o, const char **ret_code)
{
	*ret_code = "missing";
	if (!o->result)
		return "the Observation has no result";
	*ret_code = "result-type";
	const char *why = o->multi ? check_list(o) : NULL;
	if (why)
		return why;
	*ret_code = "time";
	why = o->time ? read_time(o) : NULL;
	for (unsigned i = 0; i < ARRAY_LEN(o->extra) && !why; i++) {
		*ret_code = sta_detail_names[i];
		why =
		    o->extra[i] ? check_member(o->t, (enum sta_detail_member)i, o->extra[i]) : NULL;
	}
	*ret_code = why ? *ret_code : "";
	return why;
}

static bool is_structure(const struct sta_observation *o)
{
	uint8_t type = o->t->tok[o->result].type;
	return !o->multi && (type == JSON_OBJECT || type == JSON_ARRAY);
}

/* A whole number that no double is. */
static bool is_fine(const struct sta_observation *o)
{
	struct span text = json_text(o->t, o->result);
	int64_t whole;
	return o->t->tok[o->result].type == JSON_NUMBER && text.n > 15 &&
	       json_int64(text, &whole) == 0 && (__int128)json_double(text) != whole;
}

/* The series keep less than it is. */
static bool is_more(const struct sta_observation *o)
{
	return o->beside || is_structure(o) || is_fine(o) ||
	       (!o->multi && o->t->tok[o->result].type == JSON_STRING &&
	        o->t->tok[o->result].len > LIMIT_SERIES_TEXT_BYTES);
}

/* Appends what it has beside time and result (sta/detail.h); nothing, when it has nothing. */
static void sta_observation_detail(const struct sta_observation *o, struct buf *b)
{
	uint32_t at[STA_DETAIL_MEMBERS] = {[STA_D_PHENOMENON_TIME] = o->is_interval ? o->time : 0,
	                                   [STA_D_RESULT] = is_more(o) ? o->result : 0};
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
	if (o->feature)
		buf_addf(b, "%c\"%s\":{\"@iot.id\":%lld}", any ? ',' : '{',
		         sta_detail_names[STA_D_FEATURE], (long long)o->feature);
	if (any || o->feature)
		buf_add_char(b, '}');
}

static struct sta_value value_of(const struct sta_observation *o, uint32_t at)
{
	struct sta_value v = {.given = at != 0};
	switch (at ? o->t->tok[at].type : JSON_NULL) {
	case JSON_NUMBER:
		v.kind = POINT_NUMBER;
		v.number = json_double(json_text(o->t, at));
		break;
	case JSON_OBJECT:
	case JSON_ARRAY: /* as text; what it is, is in the detail */
	case JSON_STRING:
		v.kind = POINT_TEXT;
		v.text = json_text(o->t, at); /* escapes are rare: then it is another one */
		break;
	default: v.kind = POINT_BOOL; v.number = at && o->t->tok[at].type == JSON_TRUE;
	}
	return v;
}

void *sta_instant_of(struct sta_instant *i, const struct sta_observation *o)
{
	struct buf b;
	unsigned n = sta_observation_values(o);
	buf_init(&b, LIMIT_SERIES_DETAIL_BYTES);
	sta_observation_detail(o, &b);
	size_t detail = b.err ? 0 : b.len;
	i->value = xmalloc(n * sizeof(*i->value) + detail);
	i->n_values = n;
	for (unsigned k = 0; k < n; k++)
		i->value[k] = value_of(o, sta_observation_value(o, k));
	char *text = (char *)(i->value + n);
	if (detail)
		memcpy(text, b.p, detail);
	i->detail = span_of(text, detail);
	buf_done(&b);
	return i->value;
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
		write_value(o->t, value, b);
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
	if (is_structure(o)) {
		json_write_name(b, "vs");
		json_write_string(b, json_text(o->t, value));
		json_write_name(b, "result");
	} else {
		json_write_name(b, type == JSON_STRING ? "vs" : type == JSON_NUMBER ? "v" : "vb");
	}
	write_value(o->t, value, b);
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
			write_value(o->t, o->time, b);
		}
		for (unsigned k = 0; k < ARRAY_LEN(o->extra) && !any; k++) {
			if (!o->extra[k])
				continue;
			json_write_name(b, sta_detail_names[k]);
			write_value(o->t, o->extra[k], b);
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
