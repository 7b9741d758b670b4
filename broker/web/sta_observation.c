/* sta_observation.c - an Observation as a body has it: read, checked, and compared with what
 * stands; see sta_write.h. */
#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "web/sta_write.h"
#include "json/write.h"

#include <math.h>
#include <stdio.h>

void sta_write_value(const struct json_tape *t, uint32_t at, struct buf *b)
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
	sta_write_value(t, at, &b);
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

bool sta_observation_is_structure(const struct sta_observation *o)
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
	return o->beside || sta_observation_is_structure(o) || is_fine(o) ||
	       (!o->multi && o->t->tok[o->result].type == JSON_STRING &&
	        o->t->tok[o->result].len > LIMIT_SERIES_TEXT_BYTES);
}

/* Appends what it has beside time and result (sta/detail.h); nothing, when it has nothing. */
void sta_observation_detail(const struct sta_observation *o, struct buf *b)
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
		sta_write_value(o->t, at[i], b);
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
