/* note.c - reads x-oudp: what a value is to the broker. The words are in oudp-schema(7). Nothing is
 * ignored here: a word misspelled, or said of a role it means nothing to, is an error. */
#include "schema/build.h"
#include "schema/unit.h"
#include "schema/uri.h"

#include "base/err.h"

#include <math.h>

enum { /* who may say it */
       FOR_TIME = 1 << ROLE_TIME,
       FOR_LOCATION = 1 << ROLE_LOCATION,
       FOR_RESULT = 1 << ROLE_RESULT,
       FOR_ALL = 0xff
};

static const struct {
	const char *name;
	unsigned roles;
} WORDS[] = {
    {"role", FOR_ALL},
    {"observedProperty", FOR_RESULT},
    {"unit", FOR_RESULT},
    {"scale", FOR_RESULT | FOR_LOCATION},
    {"offset", FOR_RESULT | FOR_LOCATION},
    {"plausible", FOR_RESULT},
    {"spike", FOR_RESULT},
    {"stuck", FOR_RESULT},
    {"name", FOR_RESULT},
    {"time", FOR_TIME},
    {"axis", FOR_LOCATION},
};

enum { STUCK_MOST_S = 366 * 86400 };

static const char *const ROLES[] = {"", "thing", "time", "location", "result", "item", "version"};
static const char *const TIMES[] = {"rfc3339", "iso8601", "epoch-s", "epoch-ms"};
static const char *const AXES[] = {"", "latitude", "longitude"};

/* The member name of x-oudp at k; .tok 0 when absent. */
static struct place word(struct place k, const char *name)
{
	return place_at(k, json_member(&k.doc->tape, k.tok, span_str(name)));
}

static int choose(struct build *b, struct place at, const char *const *list, size_t n,
                  const char *what)
{
	struct span s = build_text(b, at);
	for (size_t i = 0; i < n; i++)
		if (s.n > 0 && span_is(s, list[i]))
			return (int)i;
	build_fail(b, at, "%s", what);
	return 0;
}

static void check_words(struct build *b, struct place k, enum role role)
{
	uint32_t name = k.tok + 1;
	for (uint32_t i = 0; i < place_token(k)->size && !b->err; i++) {
		struct place at = place_at(k, name);
		struct span s = build_text(b, at);
		size_t w = 0;
		while (w < ARRAY_LEN(WORDS) && !span_is(s, WORDS[w].name))
			w++;
		if (w == ARRAY_LEN(WORDS))
			build_fail(b, at, "is not a member of x-oudp");
		else if (!(WORDS[w].roles & 1u << role))
			build_fail(b, at, "means nothing with role %s", ROLES[role]);
		name = k.doc->tape.tok[name + 1].next;
	}
}

static double number_word(struct build *b, struct place k, const char *name, double fallback)
{
	struct place at = word(k, name);
	if (!at.tok)
		return fallback;
	if (place_token(at)->type != JSON_NUMBER) {
		build_fail(b, at, "must be a number");
		return fallback;
	}
	double v = json_double(json_text(&at.doc->tape, at.tok));
	if (!isfinite(v))
		build_fail(b, at, "is too large a number");
	return v;
}

/* 203 * 0.1 is not 20.3 in binary, 203 / 10 is: a scale that is one over a whole number divides. */
static void read_scale(struct build *b, struct note *n, struct place k)
{
	n->scale = number_word(b, k, "scale", 1);
	n->offset = number_word(b, k, "offset", 0);
	if (n->scale == 0)
		build_fail(b, word(k, "scale"), "must not be 0");
	double whole = b->err ? 0 : round(1 / n->scale);
	if (fabs(whole) > 1 && fabs(whole) < 1e15 && 1 / whole == n->scale)
		n->divide = whole;
}

static void read_plausible(struct build *b, struct note *n, struct place k)
{
	struct place at = word(k, "plausible");
	if (!at.tok)
		return;
	const struct json_token *t = place_token(at);
	bool pair = t->type == JSON_ARRAY && t->size == 2 && t[1].type == JSON_NUMBER &&
	            t[2].type == JSON_NUMBER;
	if (!pair) {
		build_fail(b, at, "must be [low, high]");
		return;
	}
	n->has_plausible = true;
	n->low = json_double(json_text(&at.doc->tape, at.tok + 1));
	n->high = json_double(json_text(&at.doc->tape, at.tok + 2));
	if (!(n->low <= n->high))
		build_fail(b, at, "its low is more than its high");
}

/* A threshold; 0 when it is not said. */
static double read_threshold(struct build *b, struct place k, const char *name, double most)
{
	struct place at = word(k, name);
	double v = number_word(b, k, name, 0);
	if (at.tok && !b->err && !(v > 0 && v <= most))
		build_fail(b, at, "must be more than 0 and at most %g", most);
	return v;
}

/* What types a value can have by type, enum and const. */
static unsigned possible_types(const struct node *n)
{
	unsigned types = n->types;
	for (size_t k = 0; k < 2; k++) {
		if (!n->values[k])
			continue;
		unsigned listed = 0;
		for (uint32_t i = 0; i < n->values[k]->n; i++)
			listed |= 1u << n->values[k]->v[i].type;
		types &= listed;
	}
	return types;
}

static void read_result(struct build *b, struct note *n, struct place k, unsigned types)
{
	struct arena *a = &b->sc->arena;
	struct place property = word(k, "observedProperty"), unit = word(k, "unit");
	struct place name = word(k, "name");
	if (!(types & TYPES_RESULT))
		build_fail(b, k, "a result is a number, a string, a boolean or null");
	if (!property.tok)
		build_fail(b, k, "a result needs observedProperty");
	if (!unit.tok && types & 1 << JSON_NUMBER)
		build_fail(b, k, "a result needs unit (\"1\" for a count or a ratio)");
	if (b->err)
		return;
	struct span text = build_text(b, property);
	if (!uri_valid(text, true))
		build_fail(b, property, "must be the URI of a vocabulary's term");
	n->property = arena_string(a, text);
	text = unit.tok ? build_text(b, unit) : SPAN("");
	if (unit.tok && !unit_valid(text))
		build_fail(b, unit, "is not a unit of UCUM that is known here: \"%.*s\"",
		           (int)MIN_OF(text.n, (size_t)40), text.p);
	n->unit = arena_string(a, text);
	if (name.tok)
		n->name = build_text(b, name);
	if (name.tok && (n->name.n == 0 || n->name.n > 64))
		build_fail(b, name, "must have 1 to 64 bytes");
	read_scale(b, n, k);
	read_plausible(b, n, k);
	n->spike = read_threshold(b, k, "spike", 1e300);
	n->stuck_s = read_threshold(b, k, "stuck", STUCK_MOST_S);
}

static void read_role(struct build *b, struct note *n, struct place k, unsigned types)
{
	struct place at = word(k, n->role == ROLE_TIME ? "time" : "axis");
	unsigned needs = TYPES_ALL;
	switch (n->role) {
	case ROLE_RESULT: read_result(b, n, k, types); break;
	case ROLE_THING:
	case ROLE_VERSION: needs = 1 << JSON_STRING | 1 << JSON_NUMBER; break;
	case ROLE_ITEM: needs = 1 << JSON_ARRAY; break;
	case ROLE_TIME:
		if (at.tok)
			n->time =
			    (enum time_kind)choose(b, at, TIMES, ARRAY_LEN(TIMES),
			                           "must be rfc3339, iso8601, epoch-s or epoch-ms");
		needs = n->time >= TIME_EPOCH_S ? 1 << JSON_NUMBER : 1 << JSON_STRING;
		break;
	case ROLE_LOCATION:
		if (at.tok)
			n->axis = (enum axis)choose(b, at, AXES, ARRAY_LEN(AXES),
			                            "must be latitude or longitude");
		needs = n->axis ? 1 << JSON_NUMBER : 1 << JSON_OBJECT;
		read_scale(b, n, k);
		break;
	case ROLE_NONE: break;
	}
	if (!(types & needs))
		build_fail(b, k, "the type here cannot have role %s", ROLES[n->role]);
}

void build_note(struct build *b, struct node *node, struct place at)
{
	struct place k = build_keyword(b, at, "x-oudp");
	struct note n = {.scale = 1};
	if (!k.tok)
		return;
	struct place role = {0};
	if (place_token(k)->type != JSON_OBJECT)
		build_fail(b, k, "must be an object");
	else if (!(role = word(k, "role")).tok)
		build_fail(b, k, "member \"role\" is missing");
	if (b->err)
		return;
	n.role = (enum role)choose(b, role, ROLES, ARRAY_LEN(ROLES),
	                           "must be thing, time, location, result, item or version");
	if (!b->err)
		check_words(b, k, n.role);
	if (b->err)
		return;
	unsigned doc = 0;
	while (b->sc->documents[doc] != at.doc)
		doc++;
	n.rank = doc << 24 | at.tok;
	read_role(b, &n, k, possible_types(node));
	b->sc->role_version |= n.role == ROLE_VERSION;
	node->note = arena_copy(&b->sc->arena, &n, sizeof(n));
}
