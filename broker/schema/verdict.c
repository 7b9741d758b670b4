/* verdict.c - violations in plain English: "air-quality-observed/1: /pm25: 1200 is more than
 * maximum 1000". The whole value's pointer, which RFC 6901 leaves empty, is written "/" in the
 * sentence.
 *
 * Which one is told when only one can be: the deepest, for it is the most specific; of equally deep
 * ones the first met. */
#include "schema/text.h"
#include "schema/walk.h"

enum { VALUE_BYTES = 40, NAME_BYTES = 60, LISTED_MAX = 4 };

static const char *const NAMES[] = {
    [RULE_FALSE] = "false",
    [RULE_TYPE] = "type",
    [RULE_ENUM] = "enum",
    [RULE_CONST] = "const",
    [RULE_MINIMUM] = "minimum",
    [RULE_MAXIMUM] = "maximum",
    [RULE_EXCLUSIVE_MINIMUM] = "exclusiveMinimum",
    [RULE_EXCLUSIVE_MAXIMUM] = "exclusiveMaximum",
    [RULE_MULTIPLE_OF] = "multipleOf",
    [RULE_MIN_LENGTH] = "minLength",
    [RULE_MAX_LENGTH] = "maxLength",
    [RULE_PATTERN] = "pattern",
    [RULE_FORMAT] = "format",
    [RULE_REQUIRED] = "required",
    [RULE_ANY_REQUIRED] = "anyOf",
    [RULE_DEPENDENT] = "dependentRequired",
    [RULE_ADDITIONAL] = "additionalProperties",
    [RULE_UNEVALUATED_MEMBER] = "unevaluatedProperties",
    [RULE_UNEVALUATED_ITEM] = "unevaluatedItems",
    [RULE_MIN_PROPERTIES] = "minProperties",
    [RULE_MAX_PROPERTIES] = "maxProperties",
    [RULE_MIN_ITEMS] = "minItems",
    [RULE_MAX_ITEMS] = "maxItems",
    [RULE_UNIQUE] = "uniqueItems",
    [RULE_MIN_CONTAINS] = "contains",
    [RULE_MAX_CONTAINS] = "maxContains",
    [RULE_NOT] = "not",
    [RULE_ANY_OF] = "anyOf",
    [RULE_ONE_OF] = "oneOf",
    [RULE_TIME] = "time",
    [RULE_THING] = "thing",
    [RULE_LOCATION] = "location",
    [RULE_RESULT] = "result",
    [RULE_RESULTS] = "result",
    [RULE_LIMIT] = "limit",
};

static const char *rule_name(enum rule r)
{
	assert((size_t)r < ARRAY_LEN(NAMES) && NAMES[r]);
	return NAMES[r];
}

static const char *type_title(uint8_t type)
{
	static const char *const TITLES[] = {"",         "null",     "a boolean", "a boolean",
	                                     "a number", "a string", "an array",  "an object"};
	assert(type < ARRAY_LEN(TITLES));
	return TITLES[type];
}

/* The value in short: scalars as written, containers by their kind. */
static void add_value(struct text *t, uint8_t type, struct span raw)
{
	if (type >= JSON_ARRAY) {
		text_add(t, type_title(type));
		return;
	}
	const char *quote = type == JSON_STRING ? "\"" : "";
	text_add(t, quote);
	text_add_safe(t, raw, VALUE_BYTES);
	text_add(t, quote);
}

static void add_token(struct text *t, const struct walk *w, uint32_t i)
{
	add_value(t, w->tok[i].type, json_text(w->tape, i));
}

static void add_name(struct text *t, struct span name)
{
	text_add(t, "\"");
	text_add_safe(t, name, NAME_BYTES);
	text_add(t, "\"");
}

static void add_count(struct text *t, uint32_t n, const char *one, const char *many)
{
	text_addf(t, "%u %s", n, n == 1 ? one : many);
}

/* "an integer", "a number, a string or null" */
static void add_types(struct text *t, const struct node *n)
{
	const char *titles[8];
	unsigned count = 0;
	for (uint8_t type = JSON_NULL; type <= JSON_OBJECT; type++) {
		if (!(n->types >> type & 1) || type == JSON_TRUE)
			continue;
		bool integer = type == JSON_NUMBER && n->integer;
		titles[count++] = integer ? "an integer" : type_title(type);
	}
	for (unsigned k = 0; k < count; k++) {
		if (k > 0)
			text_add(t, k + 1 == count ? " or " : ", ");
		text_add(t, titles[k]);
	}
}

static void say_type(struct text *t, const struct walk *w, uint32_t i, const struct node *n)
{
	if (w->tok[i].type == JSON_NUMBER && n->types >> JSON_NUMBER & 1)
		add_token(t, w, i); /* 1.5 is not an integer */
	else
		text_add(t, type_title(w->tok[i].type));
	text_add(t, " is not ");
	add_types(t, n);
}

static void say_bound(struct text *t, const struct walk *w, uint32_t i, const char *what,
                      struct span bound)
{
	add_token(t, w, i);
	text_add(t, what);
	text_add_safe(t, bound, VALUE_BYTES);
}

static void say_any_required(struct text *t, const struct object_rule *r, const struct names *set)
{
	unsigned listed = 0, count = 0;
	for (unsigned bit = 0; bit < r->n_bits; bit++)
		count += set->word[bit / 64] >> (bit % 64) & 1;
	text_add(t, count == 1 ? "member " : "none of the members ");
	for (unsigned bit = 0; bit < r->n_bits && listed < LISTED_MAX; bit++) {
		if (!(set->word[bit / 64] >> (bit % 64) & 1))
			continue;
		if (listed > 0)
			text_add(t, listed + 1 == count ? " and " : ", ");
		add_name(t, r->bit_names[bit]);
		listed++;
	}
	if (count > listed)
		text_addf(t, " and %u more", count - listed);
	text_add(t, count == 1 ? " is missing" : " is there");
}

static void say_scalar(struct text *t, const struct walk *w, uint32_t i, enum rule rule,
                       const struct node *n)
{
	const struct number_rule *r = n->number;
	switch (rule) {
	case RULE_MINIMUM: say_bound(t, w, i, " is less than minimum ", r->min.text); break;
	case RULE_MAXIMUM: say_bound(t, w, i, " is more than maximum ", r->max.text); break;
	case RULE_EXCLUSIVE_MINIMUM: say_bound(t, w, i, " is not more than ", r->above.text); break;
	case RULE_EXCLUSIVE_MAXIMUM: say_bound(t, w, i, " is not less than ", r->below.text); break;
	case RULE_MULTIPLE_OF:
		say_bound(t, w, i, " is not a multiple of ", r->multiple_text);
		break;
	case RULE_MIN_LENGTH:
		add_token(t, w, i);
		text_add(t, " is shorter than ");
		add_count(t, n->string->min_length, "character", "characters");
		break;
	case RULE_MAX_LENGTH:
		add_token(t, w, i);
		text_add(t, " is longer than ");
		add_count(t, n->string->max_length, "character", "characters");
		break;
	case RULE_PATTERN: say_bound(t, w, i, " does not match ", n->string->pattern->text); break;
	default: /* RULE_FORMAT */
		add_token(t, w, i);
		text_addf(t, " is not %s", format_title(n->string->format));
		break;
	}
}

static void say_object(struct text *t, const struct walk *w, uint32_t i, enum rule rule,
                       const struct node *n, uint32_t extra)
{
	const struct object_rule *r = n->object;
	switch (rule) {
	case RULE_REQUIRED:
		text_add(t, "member ");
		add_name(t, r->bit_names[extra]);
		text_add(t, " is missing");
		break;
	case RULE_ANY_REQUIRED: say_any_required(t, r, &r->any[extra]); break;
	case RULE_DEPENDENT:
		text_add(t, "member ");
		add_name(t, r->bit_names[extra & 0xffff]);
		text_add(t, " is missing beside ");
		add_name(t, r->bit_names[extra >> 16]);
		break;
	case RULE_MIN_PROPERTIES:
		add_count(t, w->tok[i].size, "member is", "members are");
		text_addf(t, " fewer than %u", r->min);
		break;
	case RULE_MAX_PROPERTIES:
		add_count(t, w->tok[i].size, "member is", "members are");
		text_addf(t, " more than %u", r->max);
		break;
	default: /* RULE_ADDITIONAL, RULE_UNEVALUATED_MEMBER */
		text_add(t, "member ");
		add_name(t, json_text(w->tape, extra));
		text_add(t, " is not allowed");
		break;
	}
}

static void say_array(struct text *t, const struct walk *w, uint32_t i, enum rule rule,
                      const struct node *n, uint32_t extra)
{
	const struct array_rule *r = n->array;
	switch (rule) {
	case RULE_MIN_ITEMS:
		add_count(t, w->tok[i].size, "item is", "items are");
		text_addf(t, " fewer than %u", r->min);
		break;
	case RULE_MAX_ITEMS:
		add_count(t, w->tok[i].size, "item is", "items are");
		text_addf(t, " more than %u", r->max);
		break;
	case RULE_UNIQUE:
		if (extra)
			text_addf(t, "items %u and %u are equal", extra >> 16, extra & 0xffff);
		else
			text_add(t, "two items are equal");
		break;
	case RULE_MIN_CONTAINS:
		if (r->min_contains == 1) {
			text_add(t, "no item fits what one must fit");
			break;
		}
		add_count(t, extra, "item fits", "items fit");
		text_addf(t, " what at least %u must fit", r->min_contains);
		break;
	case RULE_MAX_CONTAINS:
		add_count(t, extra, "item fits", "items fit");
		text_addf(t, " what at most %u may fit", r->max_contains);
		break;
	default: /* RULE_UNEVALUATED_ITEM */ text_addf(t, "item %u is not allowed", extra); break;
	}
}

static const char *time_title(enum time_kind k)
{
	static const char *const TITLES[] = {"an RFC 3339 date-time",
	                                     "an ISO 8601 date-time or interval",
	                                     "seconds since 1970", "milliseconds since 1970"};
	return TITLES[k];
}

static void say_ours(struct text *t, const struct walk *w, uint32_t i, enum rule rule,
                     const struct node *n, uint32_t extra)
{
	switch (rule) {
	case RULE_TIME:
		add_token(t, w, i);
		text_addf(t, " is not %s", time_title(n->note->time));
		break;
	case RULE_LOCATION:
		if (!extra) {
			text_addf(t, "more than %d positions", LIMIT_PLACE_POSITIONS);
			break;
		}
		add_token(t, w, extra >> 1);
		text_add(t, extra & 1 ? " is not a longitude" : " is not a latitude");
		break;
	case RULE_RESULT:
		add_token(t, w, i);
		text_add(t, " is too large a number");
		break;
	case RULE_THING: text_add(t, "one message is about two things"); break;
	case RULE_RESULTS: text_addf(t, "more than %d results", EXTRACT_RESULTS_MAX); break;
	default: text_add(t, "takes too much work to check"); break;
	}
}

static void say_value(struct text *t, const struct walk *w, uint32_t i, enum rule rule,
                      const struct node *n, uint32_t extra)
{
	const struct value *v;
	switch (rule) {
	case RULE_FALSE: text_add(t, "nothing is allowed here"); break;
	case RULE_TYPE: say_type(t, w, i, n); break;
	case RULE_CONST:
		v = &n->values[1]->v[0];
		add_token(t, w, i);
		text_add(t, " is not ");
		add_value(t, v->type, json_text(n->values[1]->tape, v->token));
		break;
	case RULE_ENUM:
		add_token(t, w, i);
		text_add(t, " is not one of the allowed values");
		break;
	case RULE_NOT:
		add_token(t, w, i);
		text_add(t, " fits what it must not fit");
		break;
	case RULE_ANY_OF:
		add_token(t, w, i);
		text_addf(t, " fits none of %u alternatives", n->apply[extra].n);
		break;
	default: /* RULE_ONE_OF */
		add_token(t, w, i);
		text_addf(t, " fits %u alternatives and must fit one", extra);
		break;
	}
}

static void say(struct text *t, const struct walk *w, uint32_t i, enum rule rule,
                const struct node *n, uint32_t extra)
{
	if (w->naming)
		text_add(t, "member name ");
	if (rule >= RULE_MINIMUM && rule <= RULE_FORMAT)
		say_scalar(t, w, i, rule, n);
	else if (rule >= RULE_REQUIRED && rule <= RULE_MAX_PROPERTIES &&
	         rule != RULE_UNEVALUATED_ITEM)
		say_object(t, w, i, rule, n, extra);
	else if (rule == RULE_UNEVALUATED_ITEM ||
	         (rule >= RULE_MIN_ITEMS && rule <= RULE_MAX_CONTAINS))
		say_array(t, w, i, rule, n, extra);
	else if (rule >= RULE_TIME)
		say_ours(t, w, i, rule, n, extra);
	else
		say_value(t, w, i, rule, n, extra);
}

static void add_path(struct text *t, struct walk *w)
{
	for (unsigned d = 0; d < w->depth; d++) {
		uint32_t step = w->st->path[d];
		if (step & PATH_INDEX)
			text_addf(t, "/%u", step & ~PATH_INDEX);
		else
			text_add_token(t, walk_text(w, step));
	}
}

static void start(struct verdict *v, const char *id, enum rule rule)
{
	struct text t = text_in(v->schema, sizeof(v->schema));
	text_add(&t, id);
	t = text_in(v->rule, sizeof(v->rule));
	text_add(&t, rule_name(rule));
	v->pointer[0] = '\0';
}

static void weigh(struct walk *w, struct report *r, uint32_t i, enum rule rule,
                  const struct node *n)
{
	bool here = w->depth == r->base_depth && !w->naming;
	if (here && rule == RULE_TYPE) {
		r->wrong_type = true;
		r->types |= n->types;
		r->types |= n->types >> JSON_NUMBER & 1 && !n->integer; /* bit 0: any number */
	}
	if ((rule != RULE_CONST && rule != RULE_ENUM) || w->depth > r->base_depth + 1)
		return;
	if (r->discriminators++ == 0 && !here && !w->naming) {
		r->decided_at = i;
		r->decided_step = w->st->path[w->depth - 1];
	}
}

void report_add(struct walk *w, uint32_t i, enum rule rule, const struct node *n, uint32_t extra)
{
	struct report *r = w->report;
	weigh(w, r, i, rule, n);
	if (++r->count >= LIMIT_SCHEMA_ERRORS)
		w->steps = 0; /* enough */
	if (!r->out)
		return;
	unsigned at = r->n;
	if (at == r->max) {
		if (r->max != 1 || w->depth <= r->depth)
			return;
		at = 0;
	} else {
		r->n++;
	}
	r->depth = w->depth;
	struct verdict *v = &r->out[at];
	start(v, w->sc->id, rule);
	struct text t = text_in(v->pointer, sizeof(v->pointer));
	add_path(&t, w);
	t = text_in(v->text, sizeof(v->text));
	text_addf(&t, "%s: ", w->sc->id);
	if (w->depth == 0)
		text_add(&t, "/");
	add_path(&t, w);
	text_add(&t, ": ");
	say(&t, w, i, rule, n, extra);
}

void verdict_plain(struct verdict *v, const struct schema *sc, enum rule rule, const char *text)
{
	start(v, sc->id, rule);
	struct text t = text_in(v->text, sizeof(v->text));
	text_addf(&t, "%s: /: %s", sc->id, text);
}

void verdict_json(struct verdict *v, size_t at, const char *why)
{
	start(v, "", RULE_FALSE);
	memcpy(v->rule, "json", 5);
	struct text t = text_in(v->text, sizeof(v->text));
	text_addf(&t, "payload: byte %zu: %s", at, why);
}
