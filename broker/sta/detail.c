/* detail.c - see detail.h. */
#include "sta/detail.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/rfc3339.h"
#include "sta/build.h"
#include "sta/merge.h"

#include <jansson.h>

const char *const sta_detail_names[STA_DETAIL_MEMBERS] = {
    [STA_D_RESULT_TIME] = "resultTime",         [STA_D_VALID_TIME] = "validTime",
    [STA_D_PARAMETERS] = "parameters",          [STA_D_RESULT_QUALITY] = "resultQuality",
    [STA_D_PHENOMENON_TIME] = "phenomenonTime", [STA_D_RESULT] = "result",
    [STA_D_FEATURE] = "FeatureOfInterest",
};

int sta_detail_time(struct span s, int64_t *ret_ms)
{
	char text[RFC3339_BYTES + 16];
	size_t n = s.n, m = n > 2 ? n - 2 : 0;
	bool is_short = n > 5 && n < sizeof(text) - 1 && (s.p[n - 5] == '-' || s.p[n - 5] == '+');
	if (!is_short)
		return rfc3339_parse(s, ret_ms);
	memcpy(text, s.p, m);
	text[m] = ':';
	memcpy(text + m + 1, s.p + m, 2);
	return rfc3339_parse(span_of(text, n + 1), ret_ms);
}

static bool is_instant(struct span s, int64_t *ret)
{
	return sta_detail_time(s, ret) == 0;
}

static bool is_interval(const char *s, int64_t *ret_from)
{
	const char *slash = s ? strchr(s, '/') : NULL;
	int64_t to;
	return slash && is_instant(span_of(s, (size_t)(slash - s)), ret_from) &&
	       is_instant(span_str(slash + 1), &to) && *ret_from <= to;
}

static const char *check(enum sta_detail_member m, const json_t *v)
{
	const char *s = json_string_value(v);
	int64_t ms;
	switch (m) {
	case STA_D_RESULT_TIME:
		return s && is_instant(span_str(s), &ms)
		           ? NULL
		           : "resultTime is written as \"2026-11-24T12:00:00Z\"";
	case STA_D_VALID_TIME:
		return is_interval(s, &ms) ? NULL
		                           : "validTime is a beginning and an end: "
		                             "\"2026-11-24T12:00:00Z/2026-11-24T13:00:00Z\"";
	case STA_D_PARAMETERS:
		return json_is_object(v) ? NULL : "parameters is an object of names and values";
	case STA_D_RESULT_QUALITY:
		return json_is_null(v) ? "resultQuality is anything but null" : NULL;
	case STA_D_PHENOMENON_TIME:
		return is_interval(s, &ms) ? NULL
		                           : "phenomenonTime is written as "
		                             "\"2026-11-24T12:00:00Z\", or two of them with a "
		                             "slash, the earlier one first";
	case STA_D_RESULT: return json_is_null(v) ? "a result is anything but null" : NULL;
	case STA_D_FEATURE:
		return json_integer_value(json_object_get(v, "@iot.id")) > 0 &&
		               json_object_size(v) == 1
		           ? NULL
		           : "a FeatureOfInterest is {\"@iot.id\": 5}";
	case STA_DETAIL_MEMBERS: break;
	}
	return "an Observation has no such member";
}

const char *sta_detail_check_member(enum sta_detail_member m, struct span value)
{
	json_t *v = json_loadb(value.p, value.n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	const char *why = v ? check(m, v) : "it cannot be read";
	json_decref(v);
	return why;
}

static enum sta_detail_member member_of(const char *name)
{
	unsigned m = 0;
	while (m < STA_DETAIL_MEMBERS && strcmp(name, sta_detail_names[m]) != 0)
		m++;
	return (enum sta_detail_member)m;
}

static const char *check_all(json_t *j)
{
	const char *name, *why = json_is_object(j) ? NULL : "it is not a JSON object";
	json_t *v;
	json_object_foreach(j, name, v) if (!why) why = check(member_of(name), v);
	return why;
}

const char *sta_detail_check(struct span text)
{
	json_t *j = json_loadb(text.n ? text.p : "", text.n, JSON_REJECT_DUPLICATES, NULL);
	const char *why = check_all(j);
	json_decref(j);
	return why;
}

bool sta_detail_has(struct span text, enum sta_detail_member m)
{
	json_t *j = text.n ? json_loadb(text.p, text.n, 0, NULL) : NULL;
	bool has = json_object_get(j, sta_detail_names[m]) != NULL;
	json_decref(j);
	return has;
}

int64_t sta_detail_feature(struct span text)
{
	const char *name = sta_detail_names[STA_D_FEATURE];
	if (!text.n || !memmem(text.p, text.n, name, strlen(name))) /* few have one */
		return 0;
	json_t *j = json_loadb(text.p, text.n, 0, NULL);
	int64_t id = json_integer_value(json_object_get(json_object_get(j, name), "@iot.id"));
	json_decref(j);
	return id;
}

static json_t *without_feature(struct span s)
{
	json_t *j = s.n ? json_loadb(s.p, s.n, 0, NULL) : json_object();
	if (j)
		json_object_del(j, sta_detail_names[STA_D_FEATURE]);
	return j;
}

bool sta_detail_equal(struct span a, struct span b)
{
	json_t *x = without_feature(a), *y = without_feature(b);
	bool same = x && y && json_equal(x, y);
	json_decref(x);
	json_decref(y);
	return same;
}

/* ---- showing ---- */

static void show_quality(json_t *observation, json_t *v)
{
	json_t *words = json_object_get(observation, "resultQuality"), *all;
	if (!words) {
		json_object_set(observation, "resultQuality", v);
		return;
	}
	all = json_is_array(v) ? json_copy(v) : json_array();
	if (!json_is_array(v))
		json_array_append(all, v);
	json_array_extend(all, words);
	json_object_set_new(observation, "resultQuality", all);
}

void sta_detail_show(json_t *observation, struct span text)
{
	json_t *j = text.n ? json_loadb(text.p, text.n, 0, NULL) : NULL, *v;
	const char *name;
	json_object_foreach(j, name, v)
	{
		if (strcmp(name, "resultQuality") == 0)
			show_quality(observation, v);
		else if (member_of(name) != STA_D_FEATURE)
			json_object_set(observation, name, v);
	}
	json_decref(j);
}

/* ---- changing ---- */

/* What stands in its place; null: it is gone. */
static void replace(json_t *into, json_t *from)
{
	const char *name;
	json_t *v;
	json_object_foreach(from, name, v)
	{
		if (json_is_null(v))
			json_object_del(into, name);
		else
			json_object_set(into, name, v);
	}
}

static bool passed_over(const char *name)
{
	return strstr(name, "@iot.") || strcmp(name, "id") == 0 || strcmp(name, "storedTime") == 0;
}

/* What a change may name. */
static const char *check_body(json_t *body, const char **ret_code)
{
	static const char *const fixed[] = {"Datastream", "MultiDatastream", "FeatureOfInterest"};
	const char *name;
	json_t *v;
	*ret_code = "type";
	if (!json_is_object(body))
		return "the body is not a JSON object";
	json_object_foreach(body, name, v)
	{
		for (unsigned i = 0; i < ARRAY_LEN(fixed); i++)
			if (strcmp(name, fixed[i]) == 0 && !json_is_null(v)) {
				*ret_code = "fixed";
				return "Datastream and FeatureOfInterest of an Observation do not "
				       "change: delete this one and POST another";
			}
		if (!passed_over(name) && !json_is_null(v) &&
		    member_of(name) == STA_DETAIL_MEMBERS &&
		    !sta_find_relation(STA_OBSERVATION, span_str(name))) {
			*ret_code = "unknown";
			return "SensorThings has no such member of an Observation";
		}
	}
	return NULL;
}

/* Only members of its own: not what an answer had beside them, nor relations. */
static json_t *own_members(json_t *body)
{
	json_t *j = json_object(), *v;
	const char *name;
	json_object_foreach(body, name, v)
	{
		if (member_of(name) != STA_DETAIL_MEMBERS)
			json_object_set(j, name, v);
	}
	return j;
}

/* PUT: what is not said is gone, but its time stays when it is not said. */
static json_t *base_of(json_t *now, bool whole)
{
	json_t *j = whole ? json_object() : json_deep_copy(now);
	if (whole)
		json_object_set(j, "phenomenonTime", json_object_get(now, "phenomenonTime"));
	return j;
}

char *sta_detail_change(struct span now, struct span body, bool whole, const char **ret_code,
                        const char **ret_why)
{
	json_t *old = json_loadb(now.p, now.n, 0, NULL),
	       *b = json_loadb(body.n ? body.p : "", body.n, JSON_REJECT_DUPLICATES, NULL), *j;
	char *text = NULL;
	*ret_why = check_body(b, ret_code);
	if (!*ret_why) {
		json_t *own = own_members(b);
		j = base_of(old, whole);
		if (whole)
			replace(j, own);
		else if (j) /* NULL: what stands there cannot be read */
			j = sta_merge(j, own);
		json_decref(own);
		if (!json_object_get(j, "phenomenonTime"))
			json_object_set(j, "phenomenonTime",
			                json_object_get(old, "phenomenonTime"));
		text = sta_print(j);
		json_decref(j);
		*ret_code = "type";
		*ret_why = text ? NULL : "it cannot be written";
	}
	json_decref(old);
	json_decref(b);
	return text;
}
