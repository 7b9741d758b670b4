/* senml.c - see senml.h. Records are read in order; base fields hold until they are given again. */
#include "schema/senml.h"
#include "schema/text.h"

#include "base/err.h"
#include "base/limits.h"
#include "json/write.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { VERSION_MAX = 10, NAME_BYTES = 512, SHOWN_BYTES = 60 };
static const double RELATIVE_S = 268435456;      /* 2^28: below, a time counts from now */
static const double TIME_MAX_S = 253402300799.0; /* the end of 9999 */

enum field { /* those of a record come first; see is_reading() */
	     F_N,
	     F_U,
	     F_V,
	     F_VS,
	     F_VB,
	     F_VD,
	     F_S,
	     F_T,
	     F_UT,
	     F_BN,
	     F_BT,
	     F_BU,
	     F_BV,
	     F_BS,
	     F_BVER,
	     FIELDS
};

static const struct {
	const char *name;
	uint8_t types;
} FIELD[FIELDS] = {
#define STRING (1 << JSON_STRING)
#define NUMBER (1 << JSON_NUMBER)
    [F_N] = {"n", STRING},
    [F_U] = {"u", STRING},
    [F_V] = {"v", NUMBER},
    [F_VS] = {"vs", STRING},
    [F_VB] = {"vb", 1 << JSON_TRUE | 1 << JSON_FALSE},
    [F_VD] = {"vd", STRING},
    [F_S] = {"s", NUMBER},
    [F_T] = {"t", NUMBER},
    [F_UT] = {"ut", NUMBER},
    [F_BN] = {"bn", STRING},
    [F_BT] = {"bt", NUMBER},
    [F_BU] = {"bu", STRING},
    [F_BV] = {"bv", NUMBER},
    [F_BS] = {"bs", NUMBER},
    [F_BVER] = {"bver", NUMBER},
};

struct pack {
	const struct json_tape *t;
	struct buf *text; /* of the scratch: what the extract's spans point into */
	struct extract *e;
	struct verdict *v;
	struct span topic_thing;
	int64_t now_ms;
	/* base */
	struct span bn, bu;
	double bt, bv, bs;
	bool has_bv, has_bs;
	/* the record */
	unsigned index;
	uint32_t at[FIELDS]; /* token of the value; 0: absent */
	char name[NAME_BYTES];
	size_t name_n, thing_n; /* of the name, and of the part that is the thing */
	struct span member, unit;
	const char *unit_code; /* as SenML has it, for lat and lon */
	bool has_time;
	int64_t time_ms;
	double lat, lon;
	bool has_lat, has_lon;
};

/* ---- refusing ---- */

static int refuse(struct pack *p, const char *field, const char *rule, const char *fmt, ...)
    PRINTF(4, 5);
static int refuse(struct pack *p, const char *field, const char *rule, const char *fmt, ...)
{
	struct verdict *v = p->v;
	char what[200];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	*v = (struct verdict){.schema = "senml"};
	struct text t = text_in(v->rule, sizeof(v->rule));
	text_add(&t, rule);
	t = text_in(v->pointer, sizeof(v->pointer));
	if (field)
		text_addf(&t, "/%u", p->index);
	if (field && *field) {
		text_add(&t, "/");
		text_add_safe(&t, span_str(field), SHOWN_BYTES);
	}
	t = text_in(v->text, sizeof(v->text));
	text_addf(&t, "senml: %s: ", field ? v->pointer : "/");
	text_add_safe(&t, span_str(what), sizeof(what));
	return ERR_INVALID;
}

/* ---- fields ---- */

static int take_field(struct pack *p, uint32_t name, uint32_t value)
{
	struct span s = json_text(p->t, name);
	for (int f = 0; f < FIELDS; f++) {
		if (!json_string_is(p->t, name, span_str(FIELD[f].name)))
			continue;
		p->at[f] = value;
		if (FIELD[f].types >> p->t->tok[value].type & 1)
			return 0;
		return refuse(p, FIELD[f].name, "type", "it has another type than SenML gives it");
	}
	if (s.n && s.p[s.n - 1] == '_') { /* RFC 8428 4.4: must be understood */
		char shown[SHOWN_BYTES];
		snprintf(shown, sizeof(shown), "%.*s", (int)MIN_OF(s.n, sizeof(shown) - 1), s.p);
		return refuse(p, shown, "field", "a field that must be understood, and is not");
	}
	return 0;
}

static int read_fields(struct pack *p, uint32_t record)
{
	uint32_t name = record + 1;
	memset(p->at, 0, sizeof(p->at));
	for (uint32_t k = 0; k < p->t->tok[record].size; k++) {
		int err = take_field(p, name, name + 1);
		if (err)
			return err;
		name = p->t->tok[name + 1].next;
	}
	return 0;
}

static int number(struct pack *p, enum field f, double *ret)
{
	if (!p->at[f])
		return 0;
	*ret = json_double(json_text(p->t, p->at[f]));
	return isfinite(*ret) ? 0 : refuse(p, FIELD[f].name, "result", "it is too large a number");
}

/* Room in the scratch for n bytes that stay; NULL when there is too much. */
static char *room(struct pack *p, size_t n)
{
	struct buf *b = p->text;
	if (b->len + n > LIMIT_EXTRACT_TEXT_BYTES)
		return NULL;
	assert(b->cap - b->len >= n);
	char *at = b->p + b->len;
	b->len += n;
	return at;
}

static int string(struct pack *p, enum field f, struct span *ret)
{
	struct span raw = json_text(p->t, p->at[f]);
	if (!p->at[f])
		return 0;
	if (!(p->t->tok[p->at[f]].flags & JSON_ESCAPED)) {
		*ret = raw;
		return 0;
	}
	char *to = room(p, raw.n);
	if (!to)
		return refuse(p, FIELD[f].name, "result", "more text than one message may hold");
	*ret = span_of(to, json_unescape(raw, to));
	return 0;
}

static int read_base(struct pack *p)
{
	double version = 0;
	int err = string(p, F_BN, &p->bn);
	err = err ? err : string(p, F_BU, &p->bu);
	err = err ? err : number(p, F_BT, &p->bt);
	err = err ? err : number(p, F_BV, &p->bv);
	err = err ? err : number(p, F_BS, &p->bs);
	err = err ? err : number(p, F_BVER, &version);
	p->has_bv |= p->at[F_BV] != 0;
	p->has_bs |= p->at[F_BS] != 0;
	if (!err && p->at[F_BVER] && !(version >= 1 && version <= VERSION_MAX))
		return refuse(p, "bver", "bver", "a version of SenML that is not known here");
	return err;
}

/* Some senders give base fields a record of their own. */
static bool is_reading(const struct pack *p)
{
	for (int f = F_N; f <= F_UT; f++)
		if (p->at[f])
			return true;
	return p->at[F_BV] || p->at[F_BS];
}

/* ---- names: thing and member ---- */

static bool name_valid(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool plain =
		    (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		if (!plain && (i == 0 || !c || !strchr("-:./_", c)))
			return false;
	}
	return s.n > 0;
}

/* How much of the name is the device: of a URN urn:dev:TYPE:ID that; else the base name, where it
 * ends in a separator; else what is before the last slash; else all. */
static size_t thing_length(const struct pack *p)
{
	const char *name = p->name;
	if (strncmp(name, "urn:dev:", 8) == 0) {
		size_t type = strcspn(name + 8, ":");
		size_t at = 8 + type + (name[8 + type] == ':');
		return at + strcspn(name + at, ":/_");
	}
	if (p->bn.n > 1 && p->bn.n < p->name_n && strchr(":/._-", p->bn.p[p->bn.n - 1]))
		return p->bn.n - 1;
	const char *slash = strrchr(name, '/');
	return slash && slash > name && slash[1] ? (size_t)(slash - name) : p->name_n;
}

/* "17" agrees with "urn:dev:mac:17". */
static bool same_thing(struct span topic, struct span device)
{
	if (span_eq(topic, device))
		return true;
	return topic.n && device.n > topic.n && device.p[device.n - topic.n - 1] == ':' &&
	       memcmp(device.p + device.n - topic.n, topic.p, topic.n) == 0;
}

static int keep_member(struct pack *p, struct span member)
{
	char *to = room(p, member.n);
	if (!to)
		return refuse(p, "", "result", "more text than one message may hold");
	memcpy(to, member.p, member.n);
	p->member = span_of(to, member.n);
	return 0;
}

/* A name that is all thing has its unit for a member. */
static struct span member_of(const struct pack *p, size_t thing)
{
	if (thing + 1 < p->name_n)
		return span_of(p->name + thing + 1, p->name_n - thing - 1);
	struct span u = p->at[F_U] ? json_text(p->t, p->at[F_U]) : p->bu;
	return u.n ? u : SPAN("value");
}

static int read_name(struct pack *p)
{
	struct span n = {0};
	int err = string(p, F_N, &n);
	if (err)
		return err;
	if (p->bn.n + n.n >= sizeof(p->name))
		return refuse(p, "n", "name", "a name is longer than %d bytes", NAME_BYTES - 1);
	if (p->bn.n)
		memcpy(p->name, p->bn.p, p->bn.n);
	if (n.n)
		memcpy(p->name + p->bn.n, n.p, n.n);
	p->name_n = p->bn.n + n.n;
	p->name[p->name_n] = '\0';
	if (!name_valid(span_of(p->name, p->name_n)))
		return refuse(p, p->at[F_N] ? "n" : "", "name",
		              p->name_n ? "\"%.60s\" is no name of SenML"
		                        : "neither bn nor n gives a name%s",
		              p->name);
	p->thing_n = thing_length(p);
	struct span device = span_of(p->name, p->thing_n);
	if (p->topic_thing.n && !same_thing(p->topic_thing, device))
		return keep_member(p, span_of(p->name, p->name_n)); /* of a gateway */
	if (!p->topic_thing.n && p->e->thing.n && !span_eq(p->e->thing, device))
		return refuse(
		    p, "", "thing",
		    "one message is about two things, %.*s and %.60s; send them apart, or "
		    "to a topic that names the gateway",
		    (int)MIN_OF(p->e->thing.n, (size_t)SHOWN_BYTES), p->e->thing.p, p->name);
	if (!p->e->thing.n) {
		char *to = room(p, device.n);
		if (!to)
			return refuse(p, "", "thing", "more text than one message may hold");
		memcpy(to, device.p, device.n);
		p->e->thing = span_of(to, device.n);
	}
	return keep_member(p, member_of(p, p->thing_n));
}

/* ---- the rest of a record ---- */

static int read_unit(struct pack *p)
{
	bool same = false;
	struct span u = p->bu;
	int err = string(p, F_U, &u);
	p->unit = (struct span){0};
	p->unit_code = "";
	if (err || u.n == 0)
		return err;
	const char *ucum = senml_unit(u, &same);
	if (!ucum)
		return refuse(p, p->at[F_U] ? "u" : "bu", "unit", "\"%.*s\" is no unit of SenML",
		              (int)MIN_OF(u.n, (size_t)SHOWN_BYTES), u.p);
	p->unit = same ? u : span_str(ucum);
	p->unit_code = span_is(u, "lat") ? "lat" : span_is(u, "lon") ? "lon" : "";
	return 0;
}

static int read_time(struct pack *p)
{
	double t = 0;
	int err = number(p, F_T, &t);
	if (err)
		return err;
	t += p->bt;
	p->has_time = t != 0; /* RFC 8428 4.5.3: 0 is now */
	if (t < RELATIVE_S)
		t += (double)p->now_ms / 1e3;
	if (!(t >= 0 && t <= TIME_MAX_S))
		return refuse(p, "t", "time", "its time is before 1970 or after 9999");
	p->time_ms = (int64_t)llround(t * 1e3);
	return 0;
}

/* The pack's time is that of its newest record. */
static void note_time(struct pack *p)
{
	struct extract *e = p->e;
	if (!p->has_time || (e->has_time && e->time_ms >= p->time_ms))
		return;
	e->has_time = true;
	e->time_ms = p->time_ms;
	e->time_at = p->at[F_T] ? p->at[F_T] : 0;
}

static int add(struct pack *p, struct extract_result r)
{
	struct extract *e = p->e;
	if (e->n_results == EXTRACT_RESULTS_MAX)
		return refuse(p, "", "result", "more than %d results", EXTRACT_RESULTS_MAX);
	r.member = r.member.n ? r.member : p->member;
	r.has_time = p->has_time;
	r.time_ms = p->time_ms;
	if (r.type == EXTRACT_NUMBER && !isfinite(r.number))
		return refuse(p, "", "result", "the sum of base and value is too large a number");
	e->results[e->n_results++] = r;
	return 0;
}

static int add_sum(struct pack *p)
{
	static const char SUM[] = "/sum", SECONDS[] = ".s";
	struct extract_result r = {.type = EXTRACT_NUMBER, .number = 0};
	if (!p->at[F_S] && !p->has_bs)
		return 0;
	int err = number(p, F_S, &r.number);
	if (err)
		return err;
	size_t member = p->member.n + sizeof(SUM) - 1, unit = p->unit.n + sizeof(SECONDS) - 1;
	char *to = room(p, member + unit);
	if (!to)
		return refuse(p, "", "result", "more text than one message may hold");
	memcpy(to, p->member.p, p->member.n);
	memcpy(to + p->member.n, SUM, sizeof(SUM) - 1);
	r.member = span_of(to, member);
	r.number += p->bs;
	if (p->unit.n) {
		memcpy(to + member, p->unit.p, p->unit.n);
		memcpy(to + member + p->unit.n, SECONDS, sizeof(SECONDS) - 1);
		r.text = span_of(to + member, unit);
	}
	return add(p, r);
}

static bool base64url(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool in = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		          (c >= '0' && c <= '9') || c == '-' || c == '_';
		if (!in)
			return false;
	}
	return s.n % 4 != 1;
}

static void note_place(struct pack *p, double v)
{
	if (strcmp(p->unit_code, "lat") == 0) {
		p->lat = v;
		p->has_lat = v >= -90 && v <= 90;
	} else if (strcmp(p->unit_code, "lon") == 0) {
		p->lon = v;
		p->has_lon = v >= -180 && v <= 180;
	}
}

static int add_value(struct pack *p)
{
	struct extract_result r = {0};
	unsigned given = !!p->at[F_V] + !!p->at[F_VS] + !!p->at[F_VB] + !!p->at[F_VD];
	if (given > 1)
		return refuse(p, "", "value", "it has more than one value");
	if (p->at[F_V] || (!given && p->has_bv)) {
		int err = number(p, F_V, &r.number);
		if (err)
			return err;
		r.type = EXTRACT_NUMBER;
		r.number += p->bv;
		r.text = p->unit;
		note_place(p, r.number);
		return add(p, r);
	}
	if (p->at[F_VB]) {
		r.type = EXTRACT_BOOL;
		r.number = p->t->tok[p->at[F_VB]].type == JSON_TRUE;
		return add(p, r);
	}
	if (!given)
		return p->at[F_S] || p->has_bs ? 0 : refuse(p, "", "value", "it has no value");
	r.type = EXTRACT_STRING;
	int err = string(p, p->at[F_VS] ? F_VS : F_VD, &r.text);
	if (!err && p->at[F_VD] && !base64url(r.text))
		return refuse(p, "vd", "value", "it is not base64url");
	return err ? err : add(p, r);
}

static int read_record(struct pack *p, uint32_t record)
{
	if (p->t->tok[record].type != JSON_OBJECT)
		return refuse(p, "", "type", "a record is an object");
	int err = read_fields(p, record);
	err = err ? err : read_base(p);
	if (err || !is_reading(p))
		return err;
	err = read_unit(p);
	err = err ? err : read_name(p);
	err = err ? err : read_time(p);
	err = err ? err : add_value(p);
	err = err ? err : add_sum(p);
	if (!err)
		note_time(p);
	return err;
}

int senml_extract(struct schema_scratch *s, struct span thing, int64_t now_ms, struct extract *ret,
                  struct verdict *ret_verdict)
{
	struct pack p = {.t = &s->tape,
	                 .text = &s->text,
	                 .e = ret,
	                 .v = ret_verdict,
	                 .topic_thing = thing,
	                 .now_ms = now_ms};
	assert(s->tape.src && s->tape.n > 0);
	s->text.len = 0;
	memset(ret, 0, offsetof(struct extract, results));
	const struct json_token *t = s->tape.tok;
	if (t->type != JSON_ARRAY)
		return refuse(&p, NULL, "type", "a SenML pack is an array of records");
	for (uint32_t i = 1; i < t->next; i = s->tape.tok[i].next, p.index++) {
		int err = read_record(&p, i);
		if (err)
			return err;
	}
	if (ret->n_results == 0)
		return refuse(&p, NULL, "value", "the pack has no reading");
	if (p.has_lat && p.has_lon) {
		ret->has_location = true;
		ret->place =
		    box_of_point((int32_t)llround(p.lon * 1e7), (int32_t)llround(p.lat * 1e7));
	}
	return 0;
}
