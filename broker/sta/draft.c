/* draft.c - see draft.h. */
#include "sta/draft.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PLAIN (JSON_COMPACT | JSON_REAL_PRECISION(17))

enum kind { TEXT = 1, WHEN, OBJECT, UNIT, UNITS, TYPES, COMPLEX, ANY, WORKED_OUT };

struct member {
	const char *name;
	enum kind kind;
	bool required;
};

#define COMMON                                                                                     \
	{"name", TEXT, true}, {"description", TEXT, true},                                         \
	{                                                                                          \
		"properties", OBJECT, false                                                        \
	}

static const struct member members[STA_TYPES][10] = {
    [STA_THING] = {COMMON},
    [STA_LOCATION] = {COMMON, {"encodingType", TEXT, true}, {"location", ANY, true}},
    [STA_HISTORICAL_LOCATION] = {{"time", WHEN, true}},
    [STA_DATASTREAM] = {COMMON,
                        {"observationType", TEXT, true},
                        {"unitOfMeasurement", UNIT, true},
                        {"observedArea", WORKED_OUT, false},
                        {"phenomenonTime", WORKED_OUT, false},
                        {"resultTime", WORKED_OUT, false}},
    [STA_MULTI_DATASTREAM] = {COMMON,
                              {"observationType", COMPLEX, false},
                              {"multiObservationDataTypes", TYPES, true},
                              {"unitOfMeasurements", UNITS, true},
                              {"observedArea", WORKED_OUT, false},
                              {"phenomenonTime", WORKED_OUT, false},
                              {"resultTime", WORKED_OUT, false}},
    [STA_SENSOR] = {COMMON, {"encodingType", TEXT, true}, {"metadata", ANY, true}},
    [STA_OBSERVED_PROPERTY] = {COMMON, {"definition", TEXT, true}},
    [STA_FEATURE] = {COMMON, {"encodingType", TEXT, true}, {"feature", ANY, true}},
};

/* Of properties: what the service says there by itself. */
static const char *const worked_out[] = {"feed",           "organisation",     "thing",
                                         "member",         "firstStored",      "lastStored",
                                         "cadenceSeconds", "retrievableSince", "members"};
static const char complex[] =
    "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation";

struct reader {
	struct sta_faults *faults;
	unsigned n; /* drafts made */
	bool partial;
};

static PRINTF(4, 5) void sta_fault(struct sta_faults *f, const char *code, const char *pointer,
                                   const char *fmt, ...)
{
	if (f->n == STA_FAULTS)
		return;
	struct sta_fault *one = &f->one[f->n++];
	va_list ap;
	snprintf(one->code, sizeof(one->code), "%s", code);
	snprintf(one->pointer, sizeof(one->pointer), "%s", pointer);
	va_start(ap, fmt);
	vsnprintf(one->detail, sizeof(one->detail), fmt, ap);
	va_end(ap);
}

static void fault_at(struct reader *r, const struct sta_draft *d, const char *code,
                     const char *member, const char *detail)
{
	char pointer[160];
	snprintf(pointer, sizeof(pointer), "%.110s/%.40s", d->pointer, member);
	sta_fault(r->faults, code, pointer, "%.60s: %s", member, detail);
}

/* ---- own members ---- */

static bool is_uri(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
	return n > 1 && s[n] == ':' && s[n + 1] && !strpbrk(s, " \t\r\n<>\"");
}

static const char *wrong_unit(const json_t *v)
{
	static const char *const parts[] = {"name", "symbol", "definition"};
	if (!json_is_object(v))
		return "an object with name, symbol and definition";
	for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
		const json_t *p = json_object_get(v, parts[i]);
		if (p && !json_is_null(p) && !json_is_string(p))
			return "name, symbol and definition are texts, or null";
	}
	return NULL;
}

/* NULL, or what is wrong with a list that has one for each result. */
static const char *wrong_list(const json_t *v, enum kind kind)
{
	const json_t *one;
	size_t i;
	if (!json_array_size(v) || json_array_size(v) > LIMIT_STA_MULTI)
		return "an array of 1 to 32, one for each result";
	json_array_foreach(v, i, one)
	{
		const char *wrong = kind == UNITS         ? wrong_unit(one)
		                    : json_is_string(one) ? NULL
		                                          : "an array of texts";
		if (wrong)
			return wrong;
	}
	return NULL;
}

static bool is_time(const json_t *v)
{
	int64_t ms;
	const char *s = json_string_value(v);
	return s && rfc3339_parse(span_str(s), &ms) == 0;
}

/* NULL, or what it ought to be. */
static const char *wrong_kind(const struct member *m, const json_t *v)
{
	const char *s = json_string_value(v);
	switch (m->kind) {
	case TEXT: return s && *s ? NULL : "a text that is not empty";
	case WHEN: return is_time(v) ? NULL : "a time such as 2026-11-24T12:00:00Z";
	case OBJECT: return json_is_object(v) ? NULL : "an object";
	case UNIT: return wrong_unit(v);
	case UNITS:
	case TYPES: return wrong_list(v, m->kind);
	case COMPLEX: return s && strcmp(s, complex) == 0 ? NULL : complex;
	case ANY: return json_is_null(v) ? "anything but null" : NULL;
	case WORKED_OUT: break;
	}
	return NULL;
}

static char *take_text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s ? xstrdup(s) : NULL;
}

/* What properties say about whose it is goes out of them. */
static void take_properties(struct sta_draft *d, json_t *own)
{
	json_t *p = json_object_get(own, "properties");
	if (!p)
		return;
	free(d->feed);
	free(d->thing);
	free(d->member);
	d->feed = take_text(p, "feed");
	d->thing = take_text(p, "thing");
	d->member = take_text(p, "member");
	if (d->type == STA_THING || sta_is_stream(d->type))
		for (unsigned i = 0; i < ARRAY_LEN(worked_out); i++)
			json_object_del(p, worked_out[i]);
	else
		for (unsigned i = 0; i < 2; i++)
			json_object_del(p, worked_out[i]);
}

static void check_geometry(struct reader *r, const struct sta_draft *d, const json_t *own)
{
	const char *as = json_string_value(json_object_get(own, "encodingType")),
	           *name = d->type == STA_LOCATION ? "location" : "feature";
	const json_t *v = json_object_get(own, name);
	if (d->type != STA_LOCATION && d->type != STA_FEATURE)
		return;
	if (v && as && strstr(as, "geo+json") && !json_is_string(json_object_get(v, "type")))
		fault_at(r, d, "geometry", name, "with this encodingType it is a GeoJSON object");
}

static void check_own(struct reader *r, const struct sta_draft *d, const json_t *own)
{
	for (const struct member *m = members[d->type]; m->name; m++) {
		const json_t *v = json_object_get(own, m->name);
		const char *wrong = v ? wrong_kind(m, v) : NULL;
		if (wrong)
			fault_at(r, d, "type", m->name, wrong);
		else if (!v && m->required && !r->partial)
			fault_at(r, d, "missing", m->name, "it is required");
	}
	check_geometry(r, d, own);
}

static struct sta_draft_part *add_part(struct sta_draft *d, const json_t *unit)
{
	d->part = xrealloc(d->part, (d->n_parts + 1) * sizeof(*d->part));
	d->part[d->n_parts] =
	    (struct sta_draft_part){take_text(unit, "symbol"), take_text(unit, "definition"), NULL};
	return &d->part[d->n_parts++];
}

/* The results of a MultiDatastream: lists of one length. */
static void take_parts(struct reader *r, struct sta_draft *d, json_t *own)
{
	const json_t *units = json_object_get(own, "unitOfMeasurements"), *unit,
	             *types = json_object_get(own, "multiObservationDataTypes"),
	             *named = json_object_get(json_object_get(own, "properties"), "members");
	unsigned observed = 0;
	size_t i;
	json_array_foreach(units, i, unit)
	{
		const char *member = json_string_value(json_array_get(named, i));
		add_part(d, unit)->member = member ? xstrdup(member) : NULL;
		if (named && i < json_array_size(named) && !member)
			fault_at(r, d, "type", "properties/members", "an array of texts");
	}
	for (i = 0; i < d->n_links; i++)
		observed += d->link[i].relation->to == STA_OBSERVED_PROPERTY;
	if ((units || types) && json_array_size(types) != d->n_parts)
		fault_at(r, d, "length", "multiObservationDataTypes",
		         "as many as there are unitOfMeasurements");
	if (units && observed && observed != d->n_parts)
		fault_at(r, d, "length", "ObservedProperties",
		         "as many as there are unitOfMeasurements");
	if (named && json_array_size(named) != d->n_parts)
		fault_at(r, d, "length", "properties/members",
		         "as many as there are unitOfMeasurements");
	if (!r->partial)
		json_object_set_new(own, "observationType", json_string(complex));
}

static void finish_own(struct reader *r, struct sta_draft *d, json_t *own)
{
	const json_t *unit = json_object_get(own, "unitOfMeasurement");
	check_own(r, d, own);
	if (d->type == STA_MULTI_DATASTREAM && !r->faults->n)
		take_parts(r, d, own);
	take_properties(d, own);
	d->name = take_text(own, "name");
	d->name = d->name ? d->name : xstrdup("");
	if (strlen(d->name) > LIMIT_THING_ID_BYTES)
		fault_at(r, d, "too-long", "name", "at most 255 bytes");
	d->definition = take_text(own, "definition");
	d->definition_is_uri = d->definition && is_uri(d->definition);
	if (unit)
		add_part(d, unit);
	d->text = json_dumps(own, PLAIN);
	if (!d->text || strlen(d->text) > LIMIT_ENTITY_BYTES)
		sta_fault(r->faults, "too-large", d->pointer, "an entity has at most %d bytes",
		          LIMIT_ENTITY_BYTES);
}

/* ---- links ---- */

static struct sta_draft *read_draft(struct reader *r, enum sta_type t, const json_t *body,
                                    const json_t *old, const char *pointer, unsigned depth);

static void add_link(struct sta_draft *d, const struct sta_relation *relation, int64_t id,
                     struct sta_draft *made)
{
	d->link = xrealloc(d->link, (d->n_links + 1) * sizeof(*d->link));
	d->link[d->n_links++] = (struct sta_draft_link){relation, id, made};
}

static void read_link(struct reader *r, struct sta_draft *d, const struct sta_relation *relation,
                      const json_t *v, const char *pointer, unsigned depth)
{
	const json_t *id = json_object_get(v, "@iot.id");
	if (!json_is_object(v))
		sta_fault(r->faults, "link", pointer, "an object: {\"@iot.id\": 1}, or the entity");
	else if (json_is_integer(id) && json_integer_value(id) > 0)
		add_link(d, relation, json_integer_value(id), NULL);
	else if (id)
		sta_fault(r->faults, "link", pointer, "@iot.id is a whole number");
	else if (d->n_links < LIMIT_ENTITY_CHANGE)
		add_link(d, relation, 0, read_draft(r, relation->to, v, NULL, pointer, depth + 1));
}

static void read_links(struct reader *r, struct sta_draft *d, const struct sta_relation *relation,
                       const json_t *v, unsigned depth)
{
	char pointer[160];
	snprintf(pointer, sizeof(pointer), "%.100s/%s", d->pointer, relation->name);
	if (relation->to == STA_OBSERVATION && sta_is_stream(d->type) && json_is_array(v)) {
		free(d->observations);
		d->observations = json_dumps(v, PLAIN);
	} else if (relation->to == STA_OBSERVATION || relation->to == STA_HISTORICAL_LOCATION ||
	           (relation->to == STA_MULTI_DATASTREAM && d->type == STA_OBSERVED_PROPERTY)) {
		sta_fault(r->faults, "link", pointer, "%s are not written from here",
		          relation->name);
	} else if (!relation->many) {
		read_link(r, d, relation, v, pointer, depth);
	} else if (!json_is_array(v)) {
		sta_fault(r->faults, "link", pointer, "an array of links or entities");
	} else {
		for (size_t i = 0; i < json_array_size(v) && r->faults->n < STA_FAULTS; i++) {
			char each[192];
			snprintf(each, sizeof(each), "%.150s/%zu", pointer, i);
			read_link(r, d, relation, json_array_get(v, i), each, depth);
		}
	}
}

/* ---- the whole ---- */

static const struct member *find_member(enum sta_type t, const char *name)
{
	for (const struct member *m = members[t]; m->name; m++)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

/* RFC 7396. */
static void merge(json_t *into, const char *name, json_t *v)
{
	json_t *old = json_object_get(into, name);
	if (json_is_null(v)) {
		json_object_del(into, name);
	} else if (json_is_object(v) && json_is_object(old)) {
		const char *k;
		json_t *each;
		json_object_foreach(v, k, each) merge(old, k, each);
	} else {
		json_object_set(into, name, v);
	}
}

static void read_member(struct reader *r, struct sta_draft *d, json_t *own, const char *name,
                        json_t *v, unsigned depth)
{
	const struct member *m = find_member(d->type, name);
	const struct sta_relation *relation = sta_find_relation(d->type, span_str(name));
	if (m && m->kind != WORKED_OUT)
		merge(own, name, v);
	else if (m || strstr(name, "@iot.") || strcmp(name, "id") == 0)
		return;
	else if (relation && json_is_null(v))
		return;
	else if (relation)
		read_links(r, d, relation, v, depth);
	else
		fault_at(r, d, "unknown", name, "SensorThings has no such member here");
}

static struct sta_draft *read_draft(struct reader *r, enum sta_type t, const json_t *body,
                                    const json_t *old, const char *pointer, unsigned depth)
{
	struct sta_draft *d = xcalloc(1, sizeof(*d));
	json_t *own = old ? json_deep_copy(old) : json_object();
	const char *name;
	json_t *v;
	d->type = t;
	snprintf(d->pointer, sizeof(d->pointer), "%s", pointer);
	if (++r->n > LIMIT_ENTITY_CHANGE || depth > LIMIT_ENTITY_DEPTH) {
		sta_fault(r->faults, "too-many", pointer, "at most %d entities in one request",
		          LIMIT_ENTITY_CHANGE);
	} else if (!members[t][0].name) {
		sta_fault(r->faults, "link", pointer, "it cannot be made here");
	} else {
		json_object_foreach((json_t *)body, name, v) read_member(r, d, own, name, v, depth);
		finish_own(r, d, own);
	}
	json_decref(own);
	if (!d->text)
		d->text = xstrdup("{}");
	if (!d->name)
		d->name = xstrdup("");
	return d;
}

static unsigned depth_of(const json_t *j, unsigned most)
{
	unsigned deepest = 0;
	const char *k;
	json_t *v;
	size_t i;
	if (!most)
		return 1;
	json_object_foreach((json_t *)j, k, v)
	{
		unsigned n = depth_of(v, most - 1);
		deepest = n > deepest ? n : deepest;
	}
	json_array_foreach(j, i, v)
	{
		unsigned n = depth_of(v, most - 1);
		deepest = n > deepest ? n : deepest;
	}
	return 1 + deepest;
}

int sta_draft_read(enum sta_type t, struct span body, struct span old, bool partial,
                   struct sta_draft **ret, struct sta_faults *faults)
{
	struct reader r = {.faults = faults, .partial = partial};
	json_error_t e;
	json_t *j = json_loadb(body.n ? body.p : "", body.n, 0, &e);
	json_t *before = old.n ? json_loadb(old.p, old.n, 0, NULL) : NULL;
	struct sta_draft *d = NULL;
	faults->n = 0;
	if (!json_is_object(j))
		sta_fault(faults, "json", "", "the body is not a JSON object: %.100s",
		          j ? "it is something else" : e.text);
	else if (depth_of(j, 2 * LIMIT_ENTITY_DEPTH) > 2 * LIMIT_ENTITY_DEPTH)
		sta_fault(faults, "too-deep", "", "at most %d levels of brackets",
		          2 * LIMIT_ENTITY_DEPTH);
	else
		d = read_draft(&r, t, j, before, "", 0);
	json_decref(j);
	json_decref(before);
	if (faults->n) {
		sta_draft_free(d);
		return ERR_INVALID;
	}
	*ret = d;
	return 0;
}

void sta_draft_free(struct sta_draft *d)
{
	if (!d)
		return;
	for (unsigned i = 0; i < d->n_links; i++)
		sta_draft_free(d->link[i].made);
	free(d->link);
	free(d->text);
	free(d->name);
	free(d->feed);
	free(d->thing);
	free(d->member);
	free(d->definition);
	for (unsigned i = 0; i < d->n_parts; i++) {
		free(d->part[i].symbol);
		free(d->part[i].unit_uri);
		free(d->part[i].member);
	}
	free(d->part);
	free(d->observations);
	free(d);
}
