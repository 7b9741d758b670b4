/* apply.c - rewrites a payload, step by step: the bytes are read, the places a step means are
 * found, and written anew with what is between them copied. A step later in the list reads what the
 * former ones left. */
#include "privacy/private.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "schema/geometry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct privacy_edit { /* bytes at..end of the payload become text[from..from+n] */
	uint32_t at, end;
	size_t from, n;
};

struct pass { /* one step over one payload */
	struct privacy *p;
	const struct step *step;
	struct privacy_scratch *s;
	struct span time_pointer;
	int64_t now_ms;
	const char *why; /* static; what stands there is nothing the step takes */
};

void privacy_scratch_init(struct privacy_scratch *s, size_t max_payload_bytes)
{
	json_tape_init(&s->tape, LIMIT_JSON_TOKENS);
	size_t max = 2 * max_payload_bytes + LIMIT_PRIVACY_GROWTH_BYTES;
	buf_init(&s->out[0], max);
	buf_init(&s->out[1], max);
	buf_init(&s->text, max);
}

void privacy_scratch_done(struct privacy_scratch *s)
{
	json_tape_done(&s->tape);
	buf_done(&s->out[0]);
	buf_done(&s->out[1]);
	buf_done(&s->text);
	free(s->edit);
	s->edit = NULL;
	s->cap_edits = 0;
}

/* ---- edits ---- */

static void edit(struct pass *w, uint32_t at, uint32_t end, size_t from)
{
	struct privacy_scratch *s = w->s;
	if (s->n_edits == s->cap_edits) {
		s->cap_edits = s->cap_edits ? s->cap_edits * 2 : 64;
		s->edit = xrealloc(s->edit, s->cap_edits * sizeof(*s->edit));
	}
	assert(s->n_edits == 0 || s->edit[s->n_edits - 1].end <= at);
	s->edit[s->n_edits++] = (struct privacy_edit){at, end, from, s->text.len - from};
}

/* Where a value's text begins and ends, the quotes of a string included. */
static uint32_t begin_of(const struct json_tape *t, uint32_t i)
{
	return t->tok[i].pos - (t->tok[i].type == JSON_STRING ? 1 : 0);
}

static uint32_t end_of(const struct json_tape *t, uint32_t i)
{
	return t->tok[i].pos + t->tok[i].len + (t->tok[i].type == JSON_STRING ? 1 : 0);
}

static void replace(struct pass *w, uint32_t i, size_t from)
{
	edit(w, begin_of(&w->s->tape, i), end_of(&w->s->tape, i), from);
}

/* ---- what each step makes of a value ---- */

static const char *take_round(struct pass *w, uint32_t i)
{
	static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
	const struct step *st = w->step;
	struct span text = json_text(&w->s->tape, i);
	if (w->s->tape.tok[i].type != JSON_NUMBER)
		return "round takes a number";
	double unit = (double)st->number / tens[st->digits];
	double k = floor(json_double(text) / unit + 0.5);
	if (!(fabs(k) * (double)st->number < 2251799813685248.0)) /* 2^51: exact with a half */
		return "the number is too large to be rounded";
	int64_t v = (int64_t)k * st->number, ten = (int64_t)tens[st->digits];
	size_t from = w->s->text.len;
	if (st->digits == 0)
		buf_addf(&w->s->text, "%lld", (long long)v);
	else
		buf_addf(&w->s->text, "%s%lld.%0*lld", v < 0 ? "-" : "",
		         (long long)(llabs(v) / ten), (int)st->digits, (long long)(llabs(v) % ten));
	replace(w, i, from);
	return NULL;
}

static int64_t floor_to(int64_t ms, int64_t span)
{
	int64_t rest = ms % span;
	return ms - (rest < 0 ? rest + span : rest);
}

/* Epoch seconds, or milliseconds where they would be after the year 5138. */
static const char *take_epoch(struct pass *w, uint32_t i)
{
	double v = json_double(json_text(&w->s->tape, i));
	bool seconds = fabs(v) < 1e11;
	if (!(fabs(v) < 1e15))
		return "coarsen-time takes a time";
	int64_t ms = floor_to((int64_t)floor(seconds ? v * 1000 : v), w->step->span_ms);
	size_t from = w->s->text.len;
	buf_addf(&w->s->text, "%lld", (long long)(seconds ? ms / 1000 : ms));
	replace(w, i, from);
	return NULL;
}

static const char *take_coarsen(struct pass *w, uint32_t i)
{
	struct span text = json_text(&w->s->tape, i);
	int64_t ms;
	char time[RFC3339_BYTES];
	if (w->s->tape.tok[i].type == JSON_NUMBER)
		return take_epoch(w, i);
	if (w->s->tape.tok[i].type != JSON_STRING || rfc3339_parse(text, &ms))
		return "coarsen-time takes an RFC 3339 time or a number";
	rfc3339_format(floor_to(ms, w->step->span_ms), time);
	size_t from = w->s->text.len;
	buf_addf(&w->s->text, "\"%.19sZ\"", time); /* spans are whole seconds */
	replace(w, i, from);
	return NULL;
}

static const char *take_pseudonym(struct pass *w, uint32_t i)
{
	struct json_tape *t = &w->s->tape;
	struct buf *b = &w->s->text;
	char mac[PRIVACY_PSEUDONYM_BYTES];
	if (t->tok[i].type != JSON_STRING && t->tok[i].type != JSON_NUMBER)
		return "pseudonymise takes a text or a number";
	struct span text = json_text(t, i);
	size_t from = b->len;
	if (t->tok[i].flags & JSON_ESCAPED && t->tok[i].type == JSON_STRING) {
		char *room = buf_room(b, text.n); /* for a moment: it is not added */
		if (!room)
			return "the payload is too large";
		text = span_of(room, json_unescape(text, room));
	}
	key_pseudonym(w->step->key, text, w->now_ms, mac);
	buf_addf(b, "\"%.*s\"", PRIVACY_PSEUDONYM_BYTES, mac);
	replace(w, i, from);
	return NULL;
}

/* The tokens of longitude and latitude at i: an object as a schema's role location reads it, or the
 * coordinates themselves. */
static bool find_point(const struct json_tape *t, uint32_t i, uint32_t *lon, uint32_t *lat)
{
	if (t->tok[i].type != JSON_ARRAY)
		return geometry_point(t, i, lon, lat);
	if (t->tok[i].size < 2)
		return false;
	*lon = i + 1;
	*lat = t->tok[i + 1].next;
	return t->tok[*lon].type == JSON_NUMBER && t->tok[*lat].type == JSON_NUMBER;
}

static void put_degrees(struct pass *w, uint32_t i, double degrees)
{
	size_t from = w->s->text.len;
	buf_addf(&w->s->text, "%.6f", degrees);
	replace(w, i, from);
}

static const char *take_blur(struct pass *w, uint32_t i)
{
	struct json_tape *t = &w->s->tape;
	uint32_t lon_at, lat_at;
	if (!find_point(t, i, &lon_at, &lat_at))
		return "blur takes a point: GeoJSON, or longitude and latitude";
	double lon = json_double(json_text(t, lon_at)), lat = json_double(json_text(t, lat_at));
	if (!grid_snap(w->p->grid, (double)w->step->number, &lon, &lat))
		return "the place is not in the Dutch grid";
	bool first = lon_at < lat_at;
	put_degrees(w, first ? lon_at : lat_at, first ? lon : lat);
	put_degrees(w, first ? lat_at : lon_at, first ? lat : lon);
	return NULL;
}

/* ---- finding the places of a pointer ---- */

static bool level_is(const struct json_tape *t, uint32_t name, uint32_t index, const char *level)
{
	char digits[12];
	if (strcmp(level, "*") == 0)
		return true;
	if (name)
		return json_string_is(t, name, span_str(level));
	snprintf(digits, sizeof(digits), "%u", index);
	return strcmp(level, digits) == 0;
}

static bool goes(const struct pass *w, uint32_t i)
{
	const struct json_tape *t = &w->s->tape;
	if (w->step->kind == STEP_DROP)
		return true;
	/* what is no number might say more than one under N */
	return t->tok[i].type != JSON_NULL &&
	       (t->tok[i].type != JSON_NUMBER ||
	        !(json_double(json_text(t, i)) >= (double)w->step->number));
}

static const char *take(struct pass *w, uint32_t i)
{
	if (w->s->tape.tok[i].type == JSON_NULL)
		return NULL;
	switch (w->step->kind) {
	case STEP_ROUND: return take_round(w, i);
	case STEP_COARSEN: return take_coarsen(w, i);
	case STEP_BLUR: return take_blur(w, i);
	case STEP_PSEUDONYM: return take_pseudonym(w, i);
	case STEP_DROP:
	case STEP_SUPPRESS: break;
	}
	assert(!"removed by its parent");
	return NULL;
}

/* Where the next child of a container stands, which is what a walk over children needs. */
struct child {
	uint32_t name, value; /* name 0: an element */
	uint32_t index, left;
};

static bool child_first(const struct json_tape *t, uint32_t i, struct child *c)
{
	if (t->tok[i].type != JSON_OBJECT && t->tok[i].type != JSON_ARRAY)
		return false;
	bool object = t->tok[i].type == JSON_OBJECT;
	*c = (struct child){
	    .name = object ? i + 1 : 0, .value = object ? i + 2 : i + 1, .left = t->tok[i].size};
	return c->left > 0;
}

static bool child_next(const struct json_tape *t, struct child *c)
{
	uint32_t next = t->tok[c->value].next;
	c->value = c->name ? next + 1 : next;
	c->name = c->name ? next : 0;
	c->index++;
	return --c->left > 0;
}

static uint32_t child_begin(const struct json_tape *t, const struct child *c)
{
	return begin_of(t, c->name ? c->name : c->value);
}

/* Takes children away so that the commas that stay are right: after one that stays, with the comma
 * before it; else with the one after it. */
static void remove_children(struct pass *w, uint32_t i, const char *level)
{
	const struct json_tape *t = &w->s->tape;
	struct child c;
	bool kept = false;
	uint32_t former_end = 0;
	for (bool more = child_first(t, i, &c); more;) {
		struct child now = c;
		uint32_t end = end_of(t, now.value);
		more = child_next(t, &c);
		if (!level_is(t, now.name, now.index, level) || !goes(w, now.value))
			kept = true;
		else if (kept)
			edit(w, former_end, end, w->s->text.len);
		else
			edit(w, child_begin(t, &now), more ? child_begin(t, &c) : end,
			     w->s->text.len);
		former_end = end;
	}
}

static const char *walk(struct pass *w, uint32_t i, unsigned level)
{
	const struct step *st = w->step;
	const struct json_tape *t = &w->s->tape;
	struct child c;
	const char *why = NULL;
	if (level == st->n_levels)
		return take(w, i);
	bool removes = st->kind == STEP_DROP || st->kind == STEP_SUPPRESS;
	if (removes && level + 1 == st->n_levels) {
		remove_children(w, i, st->level[level]);
		return NULL;
	}
	for (bool more = child_first(t, i, &c); more && !why; more = child_next(t, &c))
		if (level_is(t, c.name, c.index, st->level[level]))
			why = walk(w, c.value, level + 1);
	return why;
}

/* The token at a pointer as RFC 6901 has it, or UINT32_MAX. */
static uint32_t token_at(const struct json_tape *t, struct span pointer)
{
	uint32_t i = 0;
	while (pointer.n) {
		char level[160];
		size_t n = 0;
		struct child c;
		assert(*pointer.p == '/');
		pointer = span_of(pointer.p + 1, pointer.n - 1);
		while (pointer.n && *pointer.p != '/') {
			bool escape = *pointer.p == '~' && pointer.n > 1;
			if (n == sizeof(level) - 1)
				return UINT32_MAX;
			level[n++] = !escape ? *pointer.p : pointer.p[1] == '1' ? '/' : '~';
			pointer = span_of(pointer.p + 1 + escape, pointer.n - 1 - escape);
		}
		level[n] = '\0';
		bool more = child_first(t, i, &c);
		while (more && !level_is(t, c.name, c.index, level))
			more = child_next(t, &c);
		if (!more)
			return UINT32_MAX;
		i = c.value;
	}
	return i;
}

/* A step without a pointer: where the schema's time, or the place, stands. */
static const char *walk_default(struct pass *w)
{
	const struct json_tape *t = &w->s->tape;
	if (w->step->kind == STEP_COARSEN) {
		uint32_t i = w->time_pointer.n ? token_at(t, w->time_pointer) : UINT32_MAX;
		return i == UINT32_MAX ? NULL : take(w, i);
	}
	assert(w->step->kind == STEP_BLUR);
	uint32_t lon, lat;
	uint32_t i = t->tok[0].type == JSON_OBJECT ? json_member(t, 0, SPAN("location")) : 0;
	if (i)
		return take(w, i);
	return find_point(t, 0, &lon, &lat) ? take(w, 0) : NULL;
}

/* ---- all steps ---- */

static void write_out(struct privacy_scratch *s, struct span payload, struct buf *out)
{
	size_t at = 0;
	buf_clear(out);
	for (unsigned i = 0; i < s->n_edits; i++) {
		const struct privacy_edit *e = &s->edit[i];
		buf_add(out, payload.p + at, e->at - at);
		if (e->n)
			buf_add(out, s->text.p + e->from, e->n);
		at = e->end;
	}
	buf_add(out, payload.p + at, payload.n - at);
}

static void write_pointer(const struct step *st, char *out, size_t size)
{
	size_t n = 0;
	out[0] = '\0';
	for (unsigned i = 0; i < st->n_levels && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "/%s", st->level[i]);
}

static int refuse(struct verdict *v, const struct step *st, const char *why)
{
	*v = (struct verdict){.rule = "privacy"};
	write_pointer(st, v->pointer, sizeof(v->pointer));
	snprintf(v->text, sizeof(v->text), "%s%s%s", v->pointer, v->pointer[0] ? ": " : "", why);
	return ERR_INVALID;
}

int privacy_apply(struct privacy *p, struct privacy_scratch *s, struct span payload,
                  struct span time_pointer, int64_t now_ms, struct span *ret,
                  struct verdict *ret_verdict)
{
	size_t most = 2 * payload.n + LIMIT_PRIVACY_GROWTH_BYTES, bad;
	struct span now = payload;
	const char *why;
	for (unsigned i = 0; i < p->n; i++) {
		struct pass w = {.p = p,
		                 .step = &p->step[i],
		                 .s = s,
		                 .time_pointer = time_pointer,
		                 .now_ms = now_ms};
		if (w.step->thing)
			continue;
		if (json_parse(&s->tape, now, &bad, &why))
			return refuse(ret_verdict, w.step, "the payload is not JSON");
		s->n_edits = 0;
		buf_clear(&s->text);
		why = w.step->has_pointer ? walk(&w, 0, 0) : walk_default(&w);
		if (why)
			return refuse(ret_verdict, w.step, why);
		if (!s->n_edits)
			continue;
		struct buf *out = &s->out[now.p == s->out[0].p];
		write_out(s, now, out);
		if (s->text.err || out->err || out->len > most)
			return refuse(ret_verdict, w.step, "the payload would grow too much");
		now = span_of(out->p, out->len);
	}
	*ret = now;
	return 0;
}

struct span privacy_thing(struct privacy *p, struct privacy_scratch *s, struct span thing,
                          int64_t now_ms)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->step[i].thing) {
			key_pseudonym(p->step[i].key, thing, now_ms, s->thing);
			return span_of(s->thing, sizeof(s->thing));
		}
	return thing;
}

int64_t privacy_time(const struct privacy *p, int64_t ms)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->step[i].kind == STEP_COARSEN && !p->step[i].has_pointer)
			ms = floor_to(ms, p->step[i].span_ms);
	return ms;
}

void privacy_pointer(const struct json_tape *t, uint32_t token, char *out, size_t size)
{
	uint32_t i = 0;
	size_t n = 0;
	struct child c;
	while (i != token && child_first(t, i, &c)) {
		while (t->tok[c.value].next <= token)
			if (!child_next(t, &c))
				break;
		struct span name = c.name ? json_text(t, c.name) : (struct span){0};
		if (n + 2 * name.n + 13 > size || (c.name && t->tok[c.name].flags & JSON_ESCAPED)) {
			n = 0;
			break;
		}
		out[n++] = '/';
		if (!c.name)
			n += (size_t)snprintf(out + n, size - n, "%u", c.index);
		for (size_t k = 0; k < name.n; k++) {
			bool escape = name.p[k] == '~' || name.p[k] == '/';
			if (escape)
				out[n++] = '~';
			out[n++] = !escape ? name.p[k] : name.p[k] == '/' ? '1' : '0';
		}
		i = c.value;
	}
	out[n] = '\0';
}

/* ---- looking afterwards ---- */

static bool is_on_grid(struct privacy *p, const struct step *st, const struct extract *e)
{
	double lon = box_lon(&e->place), lat = box_lat(&e->place), lon0 = lon, lat0 = lat;
	return box_is_point(&e->place) && grid_snap(p->grid, (double)st->number, &lon, &lat) &&
	       fabs(lon - lon0) < 2e-6 && fabs(lat - lat0) < 2e-6;
}

const char *privacy_too_fine(struct privacy *p, const struct extract *e)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct step *st = &p->step[i];
		if (st->kind == STEP_BLUR && !st->has_pointer && e->has_location &&
		    !is_on_grid(p, st, e))
			return "a place is left that blur did not find: name its member in the "
			       "step";
		if (st->kind != STEP_COARSEN || st->has_pointer)
			continue;
		bool fine = e->has_time && e->time_ms % st->span_ms;
		for (unsigned k = 0; k < e->n_results && !fine; k++)
			fine = e->results[k].has_time && e->results[k].time_ms % st->span_ms;
		if (fine)
			return "a time is left that coarsen-time did not find: name its member in "
			       "the step";
	}
	return NULL;
}

/* How many levels of pointer are above what a step takes; SIZE_MAX: the step takes nothing of it.
 * The bytes before them. */
static size_t bytes_above(const struct step *st, const char *pointer)
{
	const char *at = pointer, *above = pointer;
	if (!st->has_pointer)
		return SIZE_MAX;
	for (unsigned i = 0; i < st->n_levels; i++) {
		if (*at != '/')
			return SIZE_MAX;
		size_t n = strcspn(at + 1, "/");
		bool any = strcmp(st->level[i], "*") == 0;
		if (!any && (strlen(st->level[i]) != n || strncmp(at + 1, st->level[i], n) != 0))
			return SIZE_MAX;
		if (any) /* a name of the message itself */
			return (size_t)(at - pointer);
		at += 1 + n;
		above = at;
	}
	return (size_t)(above - pointer);
}

void privacy_plain_verdict(const struct privacy *p, struct verdict *v)
{
	static const char *const of_names[] = {"additionalProperties", "unevaluatedProperties",
	                                       "propertyNames", "false"};
	if (strcmp(v->rule, "privacy") == 0)
		return;
	size_t keep = strlen(v->pointer);
	for (unsigned i = 0; i < p->n; i++)
		keep = MIN_OF(keep, bytes_above(&p->step[i], v->pointer));
	v->pointer[keep] = '\0';
	for (unsigned i = 0; i < ARRAY_LEN(of_names); i++)
		if (strcmp(v->rule, of_names[i]) == 0 && strrchr(v->pointer, '/'))
			*strrchr(v->pointer, '/') = '\0';
	bool json = strcmp(v->rule, "json") == 0;
	snprintf(v->text, sizeof(v->text), "%s%s%s%s", v->schema, *v->schema ? ": " : "",
	         json          ? "the payload is not JSON"
	         : *v->pointer ? v->pointer
	                       : "/",
	         json ? "" : ": does not fit: ");
	size_t n = strlen(v->text);
	if (!json)
		snprintf(v->text + n, sizeof(v->text) - n, "%s", v->rule);
}
