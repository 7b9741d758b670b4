/* sta_body.c - bodies of POST of Observations: one, many (CreateObservations, SensorThings 1.1
 * clause 12.2), or those in a Datastream or MultiDatastream that was just made. */
#include "base/err.h"
#include "base/mem.h"
#include "web/sta_rows.h"

#include <assert.h>

static bool parse_body(struct rows *s, struct span body)
{
	size_t at;
	const char *why;
	if (json_parse(&s->body, body, &at, &why) == 0)
		return true;
	sta_refuse(s->r, 400, "json", "", "the body is not JSON: %s, at byte %zu", why, at);
	return false;
}

bool rows_read_id(const struct json_tape *t, uint32_t at, int64_t *ret)
{
	uint32_t id =
	    at && t->tok[at].type == JSON_OBJECT ? json_member(t, at, SPAN("@iot.id")) : 0;
	return id && t->tok[id].type == JSON_NUMBER && json_int64(json_text(t, id), ret) == 0;
}

static bool read_feature(struct rows *s, uint32_t body)
{
	struct sta_faults faults;
	uint32_t at = json_member(&s->body, body, SPAN("FeatureOfInterest"));
	if (!at || s->body.tok[at].type == JSON_NULL)
		return true;
	if (rows_read_id(&s->body, at, &s->row[0].feature)) {
		sta_find_add(&s->find, STA_FEATURE, s->row[0].feature);
		return true;
	}
	if (sta_draft_read(STA_FEATURE, json_text(&s->body, at), (struct span){0}, false,
	                   &s->inline_feature, &faults) == 0)
		return true;
	sta_refuse_faults(s->r, &faults);
	return false;
}

const char *rows_stream(const struct json_tape *t, uint32_t object, enum sta_type *ret_type,
                        int64_t *ret_id)
{
	uint32_t one = json_member(t, object, SPAN("Datastream")),
	         multi = json_member(t, object, SPAN("MultiDatastream"));
	one = one && t->tok[one].type == JSON_NULL ? 0 : one;
	multi = multi && t->tok[multi].type == JSON_NULL ? 0 : multi;
	if (one && multi)
		return "an Observation is of a Datastream or of a MultiDatastream, not of both";
	*ret_type = multi ? STA_MULTI_DATASTREAM : STA_DATASTREAM;
	return rows_read_id(t, multi ? multi : one, ret_id)
	           ? NULL
	           : "say which: \"Datastream\": {\"@iot.id\": 1}, or \"MultiDatastream\"";
}

/* Of the path, or of the body; false: refused. */
static bool find_stream(struct rows *s, const struct sta_step *parent, enum sta_type *ret_type,
                        int64_t *ret_id)
{
	const char *why = parent ? NULL : rows_stream(&s->body, 0, ret_type, ret_id);
	if (parent) {
		*ret_type = parent->type;
		*ret_id = parent->id;
	} else if (why) {
		sta_refuse(s->r, 400, "missing", "/Datastream",
		           "%s; or POST to Datastreams(1)/Observations", why);
	}
	return !why;
}

void sta_post(struct req *r, struct sta_query *q)
{
	struct rows *s = rows_new(r, ROWS_ONE);
	bool below = q->n_steps > 1;
	const struct sta_step parent = below ? q->step[q->n_steps - 2] : (struct sta_step){0};
	enum sta_type type;
	int64_t stream;
	const char *code, *why;
	s->find.path = sta_parent_path(q);
	if (below && !sta_is_stream(parent.type)) {
		sta_refuse(r, 405, "method", "", "POST to Datastreams(1)/Observations");
		return;
	}
	if (!parse_body(s, span_of(r->body.p, r->body.len)))
		return;
	struct row *w = row_new(s, 0);
	if (!find_stream(s, below ? &parent : NULL, &type, &stream))
		return;
	why = sta_observation_read(&s->body, 0, type == STA_MULTI_DATASTREAM,
	                           clock_wall_ms(hub_clock(r->web->hub)), &w->o, &code);
	if (why) {
		sta_refuse(r, 400, code, w->o.pointer, "%s", why);
		return;
	}
	sta_find_add(&s->find, type, stream);
	if (read_feature(s, 0))
		rows_begin(s);
}

/* ---- CreateObservations ---- */

/* Of components: what a column is. -1: nothing that is known. */
enum column { C_TIME, C_RESULT, C_EXTRA, C_FEATURE = C_EXTRA + 4, COLUMNS };

static int column_of(const struct json_tape *t, uint32_t at)
{
	static const char *const names[COLUMNS] = {
	    "phenomenonTime", "result",        "resultTime",          "validTime",
	    "parameters",     "resultQuality", "FeatureOfInterest/id"};
	if (t->tok[at].type != JSON_STRING)
		return -1;
	for (int i = 0; i < COLUMNS; i++)
		if (json_string_is(t, at, span_str(names[i])))
			return i;
	return json_string_is(t, at, SPAN("FeatureOfInterest/@iot.id")) ? (int)C_FEATURE : -1;
}

static void set_column(struct row *w, const struct json_tape *t, int column, uint32_t at)
{
	if (t->tok[at].type == JSON_NULL)
		return;
	if (column == C_TIME)
		w->o.time = at;
	else if (column == C_RESULT)
		w->o.result = at;
	else if (column == C_FEATURE &&
	         (t->tok[at].type != JSON_NUMBER || json_int64(json_text(t, at), &w->feature)))
		row_refuse(w, 400, "feature", "FeatureOfInterest/id is a whole number");
	else if (column >= C_EXTRA && column < C_FEATURE)
		w->o.extra[column - C_EXTRA] = at;
}

static void read_row(struct rows *s, unsigned stream, const int *column, unsigned n, uint32_t at,
                     int64_t now_ms)
{
	const struct json_tape *t = &s->body;
	struct row *w = row_new(s, stream);
	const char *code = "columns", *why = NULL;
	w->o = (struct sta_observation){
	    .t = t, .multi = s->find.one[stream].type == STA_MULTI_DATASTREAM, .ms = now_ms};
	if (t->tok[at].type != JSON_ARRAY || t->tok[at].size != n) {
		row_refuse(w, 400, code, "a row has as many values as there are components");
		return;
	}
	uint32_t v = at + 1;
	for (unsigned i = 0; i < n; i++, v = t->tok[v].next)
		set_column(w, t, column[i], v);
	why = w->status ? NULL : sta_observation_check(&w->o, &code);
	if (why)
		row_refuse(w, 400, code, "%s", why);
	if (w->feature)
		sta_find_add(&s->find, STA_FEATURE, w->feature);
}

enum { COMPONENTS_MAX = 16 };

/* NULL, or what is wrong with the group. */
static const char *read_group(struct rows *s, uint32_t group, int64_t now_ms)
{
	const struct json_tape *t = &s->body;
	int column[COMPONENTS_MAX];
	enum sta_type type;
	int64_t id;
	if (t->tok[group].type != JSON_OBJECT)
		return "the body is an array of objects: Datastream, components, dataArray";
	uint32_t names = json_member(t, group, SPAN("components")),
	         data = json_member(t, group, SPAN("dataArray"));
	const char *why = rows_stream(t, group, &type, &id);
	if (why)
		return why;
	if (!names || t->tok[names].type != JSON_ARRAY || t->tok[names].size > COMPONENTS_MAX)
		return "components is an array of at most 16 names";
	if (!data || t->tok[data].type != JSON_ARRAY)
		return "dataArray is an array of rows";
	if (s->n + t->tok[data].size > LIMIT_STA_ROWS)
		return "at most 20000 rows in one request";
	uint32_t at = names + 1;
	for (uint32_t i = 0; i < t->tok[names].size; i++, at = t->tok[at].next)
		if ((column[i] = column_of(t, at)) < 0)
			return "components are phenomenonTime, result, resultTime, validTime, "
			       "parameters, resultQuality and FeatureOfInterest/id";
	unsigned stream = sta_find_add(&s->find, type, id);
	at = data + 1;
	for (uint32_t i = 0; i < t->tok[data].size; i++, at = t->tok[at].next)
		read_row(s, stream, column, t->tok[names].size, at, now_ms);
	return NULL;
}

void sta_rows(struct req *r)
{
	struct rows *s = rows_new(r, ROWS_MANY);
	int64_t now_ms = clock_wall_ms(hub_clock(r->web->hub));
	const char *why = NULL;
	if (!parse_body(s, span_of(r->body.p, r->body.len)))
		return;
	if (s->body.tok[0].type != JSON_ARRAY)
		why = "the body is an array of objects: Datastream, components, dataArray";
	for (uint32_t i = 0, at = 1; !why && i < s->body.tok[0].size;
	     i++, at = s->body.tok[at].next)
		why = read_group(s, at, now_ms);
	if (why)
		sta_refuse(r, 400, "data-array", "", "%s", why);
	else
		rows_begin(s);
}

/* ---- Observations in what was made ---- */

static void collect(const struct sta_draft *d, struct buf *text, unsigned *n)
{
	if (d->observations && d->id) {
		buf_addf(text, "%s{\"%s\":{\"@iot.id\":%lld},\"Observations\":%s}",
		         (*n)++ ? "," : "", sta_entity_name(d->type), (long long)d->id,
		         d->observations);
	}
	for (unsigned i = 0; i < d->n_links; i++)
		if (d->link[i].made)
			collect(d->link[i].made, text, n);
}

static void read_inline(struct rows *s, uint32_t group, int64_t now_ms)
{
	const struct json_tape *t = &s->body;
	enum sta_type type;
	int64_t id = 0;
	const char *code, *why;
	uint32_t all = json_member(t, group, SPAN("Observations")), at = all + 1;
	why = rows_stream(t, group, &type, &id);
	assert(!why && all);
	unsigned stream = sta_find_add(&s->find, type, id);
	for (uint32_t i = 0; i < t->tok[all].size; i++, at = t->tok[at].next) {
		struct row *w = row_new(s, stream);
		why =
		    sta_observation_read(t, at, type == STA_MULTI_DATASTREAM, now_ms, &w->o, &code);
		uint32_t feature = why ? 0 : json_member(t, at, SPAN("FeatureOfInterest"));
		if (why)
			row_refuse(w, 400, code, "%s", why);
		else if (rows_read_id(t, feature, &w->feature))
			sta_find_add(&s->find, STA_FEATURE, w->feature);
		else if (feature && t->tok[feature].type != JSON_NULL)
			row_refuse(w, 400, "feature",
			           "POST an Observation with the FeatureOfInterest that is made "
			           "with it by itself");
	}
}

bool sta_rows_inline(struct req *r, const struct sta_draft *d)
{
	struct buf text;
	unsigned n = 0;
	int64_t now_ms = clock_wall_ms(hub_clock(r->web->hub));
	buf_init(&text, 2 * LIMIT_PACKET_BYTES_MAX);
	buf_add_char(&text, '[');
	collect(d, &text, &n);
	buf_add_char(&text, ']');
	if (!n || text.err) {
		buf_done(&text);
		return false;
	}
	void *former = r->own;
	void (*former_free)(void *) = r->own_free;
	struct rows *s = rows_new(r, ROWS_INLINE);
	s->made_type = d->type;
	s->made = d->id;
	s->text = text; /* what the tape looks into */
	former_free(former);
	if (!parse_body(s, span_of(s->text.p, s->text.len)))
		return true;
	for (uint32_t i = 0, at = 1; i < s->body.tok[0].size; i++, at = s->body.tok[at].next)
		read_inline(s, at, now_ms);
	rows_begin(s);
	return true;
}
