/* entry.c - see entry.h. jansson reads what people write. */
#include "register/entry.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "sta/merge.h"
#include "json/write.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PLAIN (JSON_COMPACT | JSON_REAL_PRECISION(15))

enum { DEPTH_MAX = 4, PATH_BYTES = 96, LIST_MAX = 100, DAY_MS = 86400000, DATE_BYTES = 10 };

#define TEXT(bytes) .type = ENTRY_TEXT, .max = (bytes)
#define URL         .type = ENTRY_URL, .max = 2000

/* clang-format off */
const struct entry_field entry_fields[] = {
	{"name.nl", TEXT(200), .required = true, .what = "name for people, Dutch"},
	{"name.en", TEXT(200), .what = "the same in English"},
	{"description.nl", TEXT(4000), .what = "what it is, Dutch"},
	{"description.en", TEXT(4000), .what = "the same in English"},
	{"type", TEXT(200), .what = "kind of sensor: Geluidsensor, Camera, Klimaatsensor"},
	{"themes[]", TEXT(200), .what = "themes, such as Lucht, Verkeer"},
	{"owner.organisation", TEXT(200), .required = true, .what = "who owns it"},
	{"owner.name", TEXT(200), .what = "person or team there"},
	{"owner.email", TEXT(200), .what = "how to reach the owner"},
	{"owner.phone", TEXT(40), .what = "how to reach the owner"},
	{"owner.website", URL, .what = "of the owner"},
	{"contact.name", TEXT(200), .what = "whom residents may ask"},
	{"contact.email", TEXT(200), .what = "whom residents may ask"},
	{"contact.phone", TEXT(40), .what = "whom residents may ask"},
	{"location.latitude", .type = ENTRY_NUMBER, .low = -90, .high = 90, .what = "degrees, WGS84"},
	{"location.longitude", .type = ENTRY_NUMBER, .low = -180, .high = 180, .what = "degrees, WGS84"},
	{"location.height", .type = ENTRY_NUMBER, .low = -500, .high = 10000, .what = "metres above the ground"},
	{"location.description", TEXT(1000), .what = "place in words: street, pole, side"},
	{"location.regions[]", TEXT(200), .what = "districts, where there is no point"},
	{"location.mobile", .type = ENTRY_BOOL, .what = "it moves"},
	{"observes[].property", TEXT(500), .what = "observed property, URI or word"},
	{"observes[].description", TEXT(1000), .what = "in words"},
	{"observes[].unit", TEXT(40), .what = "UCUM"},
	{"observes[].frequency", TEXT(100), .what = "how often"},
	{"observes[].quality", TEXT(500), .what = "what is known of its quality"},
	{"observes[].area", TEXT(500), .what = "area that is observed"},
	{"goal.name", TEXT(200), .what = "observation goal, short"},
	{"goal.nl", TEXT(4000), .required = true, .what = "why it is observed, Dutch"},
	{"goal.en", TEXT(4000), .what = "the same in English"},
	{"legalGround", TEXT(1000), .required = true, .what = "legal ground"},
	{"legalGroundLink", URL, .what = "where the law stands"},
	{"personalData", .type = ENTRY_BOOL, .required = true, .what = "are personal data processed"},
	{"dpia", URL, .what = "data protection impact assessment; needed with personal data"},
	{"privacyStatement", URL, .what = "privacy statement; needed with personal data"},
	{"permit.reference", TEXT(200), .what = "number of the permit"},
	{"permit.authority", TEXT(200), .what = "who gave it"},
	{"permit.url", URL, .what = "where it can be read"},
	{"permit.until", .type = ENTRY_DATE, .what = "last day of the permit"},
	{"state", .type = ENTRY_STATE, .what = "planned, active, inactive or ended; active when not given"},
	{"activeFrom", .type = ENTRY_DATE, .what = "first day"},
	{"activeUntil", .type = ENTRY_DATE, .what = "last day"},
	{"public", .type = ENTRY_BOOL, .what = "everybody may see this entry, also where the data is not open"},
	{"openData", .type = ENTRY_BOOL, .what = "the data is open"},
	{"reusable", .type = ENTRY_BOOL, .what = "the data may be used again"},
	{"licence", URL, .what = "of the data"},
	{"documentation", URL, .what = "about the sensor"},
	{"dataLink", URL, .what = "where the data is"},
	{"reference", TEXT(500), .what = "number in another register"},
	{"devices[].id", TEXT(255), .what = "hardware that reports for this thing"},
	{"devices[].manufacturer", TEXT(200), .what = "its maker"},
	{"devices[].model", TEXT(200), .what = "its model"},
	{"devices[].serial", TEXT(200), .what = "its serial number"},
	{"devices[].from", .type = ENTRY_DATE, .what = "first day that it reports for this thing"},
	{"devices[].until", .type = ENTRY_DATE, .what = "last day that it does"},
	{"note", TEXT(4000), .what = "anything else"},
};
/* clang-format on */
const unsigned entry_n_fields = ARRAY_LEN(entry_fields);

static const char *const states[ENTRY_STATES] = {"planned", "active", "inactive", "ended"};
static const char *const added[] = {"id",        "organisation", "code",  "version", "changed",
                                    "changedBy", "registered",   "valid", "seen"};

const char *entry_state_text(enum entry_state s)
{
	assert(s < ENTRY_STATES);
	return states[s];
}

int entry_state_read(struct span text, enum entry_state *ret)
{
	for (unsigned i = 0; i < ENTRY_STATES; i++)
		if (span_is(text, states[i])) {
			*ret = (enum entry_state)i;
			return 0;
		}
	return ERR_MALFORMED;
}

/* A date or RFC 3339. end: of a date the first moment after it. 0 or ERR_MALFORMED. */
static int entry_date(struct span text, bool end, int64_t *ret_ms)
{
	char all[DATE_BYTES + sizeof("T00:00:00Z")];
	if (text.n != DATE_BYTES)
		return rfc3339_parse(text, ret_ms);
	int n = snprintf(all, sizeof(all), "%.*sT00:00:00Z", DATE_BYTES, text.p);
	int err = rfc3339_parse(span_of(all, (size_t)n), ret_ms);
	if (!err && end)
		*ret_ms += DAY_MS;
	return err;
}

bool entry_is_id(struct span id)
{
	for (size_t i = 0; i < id.n; i++) {
		unsigned char c = (unsigned char)id.p[i];
		if (c < 0x20 || c == 0x7f || strchr("/+#", c))
			return false;
	}
	auto_free char *text = xstrndup(id.n ? id.p : "", id.n);
	json_t *utf8 = json_string(text);
	bool good = id.n > 0 && id.n <= LIMIT_THING_ID_BYTES && utf8;
	json_decref(utf8);
	return good;
}

/* ---- faults ---- */

static void fault(struct entry_faults *f, const char *path, const char *fmt, ...) PRINTF(3, 4);

/* path: "a.b[2].c", told as a JSON Pointer. */
static void fault(struct entry_faults *f, const char *path, const char *fmt, ...)
{
	if (f->n == LIMIT_THING_FAULTS)
		return;
	struct entry_fault *one = &f->one[f->n++];
	size_t n = 0;
	if (*path)
		one->pointer[n++] = '/';
	for (; *path && n < sizeof(one->pointer) - 1; path++)
		if (*path != ']')
			one->pointer[n++] = *path == '.' || *path == '[' ? '/' : *path;
	one->pointer[n] = '\0';
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(one->detail, sizeof(one->detail), fmt, ap);
	va_end(ap);
}

/* ---- checking one document ---- */

struct check {
	struct entry_faults *faults;
	bool given[ARRAY_LEN(entry_fields)];
};

/* Does a path of the table lie under this one? */
static bool leads_on(const char *path, const char *next)
{
	size_t n = strlen(path);
	for (unsigned i = 0; i < entry_n_fields; i++)
		if (strncmp(entry_fields[i].path, path, n) == 0 &&
		    strncmp(entry_fields[i].path + n, next, strlen(next)) == 0)
			return true;
	return false;
}

static bool is_url(const char *s)
{
	static const char *const schemes[] = {"https://", "http://", "mailto:", "urn:"};
	for (unsigned i = 0; i < ARRAY_LEN(schemes); i++)
		if (strncmp(s, schemes[i], strlen(schemes[i])) == 0 && s[strlen(schemes[i])] &&
		    !strpbrk(s, " \"<>\\"))
			return true;
	return false;
}

static const char *text_wrong(const struct entry_field *f, const json_t *v)
{
	const char *s = json_string_value(v);
	int64_t ms;
	enum entry_state state;
	if (!s)
		return "must be a text";
	size_t n = json_string_length(v);
	if (n == 0)
		return "is empty; leave it out";
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 && s[i] != '\n')
			return "holds a control character";
	if (f->type == ENTRY_DATE)
		return entry_date(span_of(s, n), false, &ms)
		           ? "is no date; write 2027-03-01 or 2027-03-01T12:00:00Z"
		           : NULL;
	if (f->type == ENTRY_STATE)
		return entry_state_read(span_of(s, n), &state)
		           ? "is planned, active, inactive or ended"
		           : NULL;
	if (n > f->max)
		return "is too long";
	return f->type == ENTRY_URL && !is_url(s) ? "is no address such as https://..." : NULL;
}

static const char *value_wrong(const struct entry_field *f, const json_t *v)
{
	if (f->type == ENTRY_BOOL)
		return json_is_boolean(v) ? NULL : "must be true or false";
	if (f->type != ENTRY_NUMBER)
		return text_wrong(f, v);
	if (!json_is_number(v))
		return "must be a number";
	double d = json_number_value(v);
	return d >= f->low && d <= f->high ? NULL : "is out of range";
}

/* path: as the table has it ("devices[].id"); shown: with the indexes of this document. */
static void check_value(struct check *c, const char *path, const char *shown, json_t *v, int depth);

static void check_members(struct check *c, const char *path, const char *shown, json_t *v,
                          int depth)
{
	const char *name, *dot = *path ? "." : "";
	json_t *member;
	void *tmp;
	json_object_foreach_safe(v, tmp, name, member)
	{
		char under[PATH_BYTES], at[PATH_BYTES];
		if (snprintf(under, sizeof(under), "%s%s%s", path, dot, name) >= PATH_BYTES ||
		    snprintf(at, sizeof(at), "%s%s%s", shown, dot, name) >= PATH_BYTES ||
		    strpbrk(name, ".[]"))
			fault(c->faults, shown, "there is no member \"%.40s\"", name);
		else if (json_is_null(member)) /* as if it were not there */
			json_object_del(v, name);
		else
			check_value(c, under, at, member, depth + 1);
	}
}

static void check_elements(struct check *c, const char *path, const char *shown, json_t *v,
                           int depth)
{
	char under[PATH_BYTES], at[PATH_BYTES];
	size_t i;
	json_t *one;
	if (json_array_size(v) > LIST_MAX)
		fault(c->faults, shown, "has more than %d elements", LIST_MAX);
	json_array_foreach(v, i, one)
	{
		if (i == LIST_MAX || snprintf(under, sizeof(under), "%s[]", path) >= PATH_BYTES ||
		    snprintf(at, sizeof(at), "%s[%zu]", shown, i) >= PATH_BYTES)
			break;
		check_value(c, under, at, one, depth + 1);
	}
}

static void check_value(struct check *c, const char *path, const char *shown, json_t *v, int depth)
{
	for (unsigned i = 0; i < entry_n_fields; i++) {
		const struct entry_field *f = &entry_fields[i];
		if (strcmp(f->path, path) != 0)
			continue;
		const char *wrong = value_wrong(f, v);
		if (wrong)
			fault(c->faults, shown, "%s", wrong);
		c->given[i] = true;
		return;
	}
	if (depth < DEPTH_MAX && *path && leads_on(path, "[]")) {
		if (json_is_array(v))
			check_elements(c, path, shown, v, depth);
		else
			fault(c->faults, shown, "must be a list");
	} else if (depth < DEPTH_MAX && (!*path || leads_on(path, "."))) {
		if (json_is_object(v))
			check_members(c, path, shown, v, depth);
		else
			fault(c->faults, shown, "must be an object");
	} else {
		fault(c->faults, shown, "there is no such member; oudp-register(7) lists them");
	}
}

static json_t *at(const json_t *doc, const char *path)
{
	char first[PATH_BYTES];
	const char *dot = strchr(path, '.');
	if (!dot)
		return json_object_get(doc, path);
	snprintf(first, sizeof(first), "%.*s", (int)(dot - path), path);
	return json_object_get(json_object_get(doc, first), dot + 1);
}

static int64_t date_at(const json_t *doc, const char *path, bool end)
{
	const json_t *v = at(doc, path);
	int64_t ms = 0;
	if (!json_is_string(v) ||
	    entry_date(span_of(json_string_value(v), json_string_length(v)), end, &ms))
		return 0;
	return ms;
}

static void check_together(const json_t *doc, const struct check *c)
{
	struct entry_faults *f = c->faults;
	for (unsigned i = 0; i < entry_n_fields; i++)
		if (entry_fields[i].required && !c->given[i])
			fault(f, entry_fields[i].path, "is missing: %s", entry_fields[i].what);
	if (!at(doc, "location.latitude") != !at(doc, "location.longitude"))
		fault(f, "location", "has one of latitude and longitude; give both");
	if (json_is_true(at(doc, "personalData")) && !at(doc, "dpia"))
		fault(f, "dpia", "is missing: there are personal data");
	if (json_is_true(at(doc, "personalData")) && !at(doc, "privacyStatement"))
		fault(f, "privacyStatement", "is missing: there are personal data");
	int64_t from = date_at(doc, "activeFrom", false), until = date_at(doc, "activeUntil", true);
	if (from && until && until <= from)
		fault(f, "activeUntil", "is before activeFrom");
	size_t i;
	json_t *device;
	json_array_foreach(json_object_get(doc, "devices"), i, device)
	{
		char path[PATH_BYTES];
		snprintf(path, sizeof(path), "devices[%zu]", i);
		from = date_at(device, "from", false), until = date_at(device, "until", true);
		if (json_is_object(device) && !json_object_get(device, "id"))
			fault(f, path, "needs an id");
		if (from && until && until <= from)
			fault(f, path, "until is before from");
	}
}

/* ---- reading ---- */

static int32_t e7(const json_t *v)
{
	double d = json_number_value(v) * 1e7;
	return (int32_t)(d < 0 ? d - 0.5 : d + 0.5);
}

/* Takes over doc. */
static int take(json_t *doc, struct entry *ret, struct entry_faults *faults)
{
	struct check c = {.faults = faults};
	for (unsigned i = 0; i < ARRAY_LEN(added); i++)
		json_object_del(doc, added[i]);
	check_value(&c, "", "", doc, 0);
	if (json_is_object(doc))
		check_together(doc, &c);
	char *text = faults->n ? NULL : json_dumps(doc, PLAIN);
	if (text && strlen(text) > LIMIT_THING_BYTES)
		fault(faults, "", "an entry has at most %d bytes", LIMIT_THING_BYTES);
	if (!faults->n && text) {
		*ret = (struct entry){.text = text,
		                      .n = strlen(text),
		                      .state = ENTRY_ACTIVE,
		                      .is_public = json_is_true(at(doc, "public")),
		                      .personal_data = json_is_true(at(doc, "personalData")),
		                      .has_location = at(doc, "location.latitude"),
		                      .lat_e7 = e7(at(doc, "location.latitude")),
		                      .lon_e7 = e7(at(doc, "location.longitude")),
		                      .from_ms = date_at(doc, "activeFrom", false),
		                      .until_ms = date_at(doc, "activeUntil", true),
		                      .permit_ms = date_at(doc, "permit.until", true)};
		const char *state = json_string_value(at(doc, "state"));
		if (state && entry_state_read(span_str(state), &ret->state))
			assert(!"checked above");
		text = NULL;
	}
	free(text);
	json_decref(doc);
	return faults->n ? ERR_INVALID : 0;
}

static json_t *load(struct span json, struct entry_faults *faults)
{
	json_error_t e;
	faults->n = 0;
	json_t *doc = json.n <= 4 * LIMIT_THING_BYTES
	                  ? json_loadb(json.n ? json.p : "", json.n, JSON_REJECT_DUPLICATES, &e)
	                  : NULL;
	if (json.n > 4 * LIMIT_THING_BYTES)
		fault(faults, "", "an entry has at most %d bytes", LIMIT_THING_BYTES);
	else if (!doc)
		fault(faults, "", "is no JSON object: line %d: %.100s", e.line, e.text);
	return doc;
}

int entry_read(struct span json, struct entry *ret, struct entry_faults *faults)
{
	json_t *doc = load(json, faults);
	return doc ? take(doc, ret, faults) : ERR_INVALID;
}

int entry_patch(struct span text, struct span patch, struct entry *ret, struct entry_faults *faults)
{
	json_t *p = load(patch, faults);
	json_t *doc = p ? load(text, faults) : NULL;
	if (doc)
		doc = sta_merge(doc, p);
	json_decref(p);
	return doc ? take(doc, ret, faults) : ERR_INVALID;
}

void entry_row_write(const struct entry_row *row, struct buf *out)
{
	buf_addf(out, "{\"code\":\"%s\",\"changed\":%lld,\"by\":", row->code,
	         (long long)row->changed_ms);
	json_write_string(out, span_str(row->by));
	buf_add_str(out, ",\"document\":");
	buf_add_span(out, row->document.n ? row->document : SPAN("null"));
	buf_add_char(out, '}');
}

int entry_row_read(struct span bytes, struct entry_row *ret, char **ret_document)
{
	json_t *row = json_loadb(bytes.n ? bytes.p : "", bytes.n, 0, NULL);
	const char *code = json_string_value(json_object_get(row, "code")),
	           *by = json_string_value(json_object_get(row, "by"));
	const json_t *doc = json_object_get(row, "document");
	int err = code && strlen(code) == THING_CODE_BYTES && doc ? 0 : ERR_STORE_FORMAT;
	if (!err) {
		*ret = (struct entry_row){.changed_ms =
		                              json_integer_value(json_object_get(row, "changed"))};
		memcpy(ret->code, code, sizeof(ret->code));
		snprintf(ret->by, sizeof(ret->by), "%s", by ? by : "");
		*ret_document = json_is_object(doc) ? json_dumps(doc, PLAIN) : NULL;
		ret->document = span_str(*ret_document);
	}
	json_decref(row);
	return err;
}

void entry_done(struct entry *e)
{
	free(e->text);
	*e = (struct entry){0};
}

const char *entry_invalid(const struct entry *e, int64_t now_ms)
{
	if (e->state != ENTRY_ACTIVE)
		return e->state == ENTRY_PLANNED    ? "is planned, not active"
		       : e->state == ENTRY_INACTIVE ? "is inactive"
		                                    : "has ended";
	if (e->from_ms && now_ms < e->from_ms)
		return "is not active yet";
	if (e->until_ms && now_ms >= e->until_ms)
		return "was active until a date that has passed";
	if (e->permit_ms && now_ms >= e->permit_ms)
		return "has a permit that has ended";
	return NULL;
}
