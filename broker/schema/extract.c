/* extract.c - what a fitting value is to the broker: thing, time, place, results. Called by the
 * walk for nodes with x-oudp, after everything else about the value was found right. */
#include "schema/walk.h"

#include "base/rfc3339.h"
#include "schema/geometry.h"

#include <math.h>
#include <stdio.h>

static const int64_t TIME_MAX_MS = 253402300799999; /* the end of 9999 */

static bool broken(struct walk *w, uint32_t i, enum rule rule, const struct node *n)
{
	w->broken = rule;
	return !walk_stop(w, i, rule, n, 0);
}

/* Of two candidates the one declared first in the schema wins. ranks hold 1 + rank, 0 is none. */
static bool outranked(struct walk *w, const struct note *note)
{
	uint32_t *best = &w->ranks[note->role];
	if (*best && *best <= note->rank + 1)
		return true;
	*best = note->rank + 1;
	return false;
}

/* Room for n bytes that stay until the scratch is used again; NULL when there is too much. */
static char *keep(struct walk *w, size_t n)
{
	struct buf *text = &w->s->text;
	if (text->len + n > LIMIT_EXTRACT_TEXT_BYTES)
		return NULL;
	char *p = text->p + text->len;
	assert(text->cap - text->len >= n);
	text->len += n;
	return p;
}

static bool keep_string(struct walk *w, uint32_t i, struct span *ret)
{
	struct span raw = json_text(w->tape, i);
	*ret = raw;
	if (!(w->tok[i].flags & JSON_ESCAPED))
		return true;
	char *p = keep(w, raw.n);
	if (!p)
		return false;
	*ret = span_of(p, json_unescape(raw, p));
	return true;
}

static bool note_name(struct walk *w, const struct node *n, uint32_t i, struct span *into)
{
	uint8_t type = w->tok[i].type;
	struct span s;
	if (!w->ret || (type != JSON_STRING && type != JSON_NUMBER) || w->tok[i].len == 0)
		return true;
	if (type == JSON_NUMBER)
		s = json_text(w->tape, i);
	else if (!keep_string(w, i, &s))
		return broken(w, i, RULE_RESULTS, n);
	bool same_rank = w->ranks[n->note->role] == n->note->rank + 1;
	if (same_rank && !span_eq(*into, s)) /* in two items of one message */
		return broken(w, i, RULE_THING, n);
	if (!outranked(w, n->note))
		*into = s;
	return true;
}

/* A date-time whose missing offset means UTC. */
static bool utc_parse(struct span s, int64_t *ret_ms)
{
	char text[40];
	if (rfc3339_parse(s, ret_ms) == 0)
		return true;
	if (s.n == 0 || s.n >= sizeof(text))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = 'Z';
	return rfc3339_parse(span_of(text, s.n + 1), ret_ms) == 0;
}

/* ISO 8601: a date-time, or an interval whose start is it: start/end, start/duration. */
static bool iso8601_parse(struct span s, int64_t *ret_ms)
{
	int64_t end;
	const char *slash = memchr(s.p, '/', s.n);
	if (!slash)
		return utc_parse(s, ret_ms);
	struct span first = span_of(s.p, (size_t)(slash - s.p));
	struct span second = span_of(slash + 1, s.n - first.n - 1);
	if (!utc_parse(second, &end) && !format_valid(FORMAT_DURATION, second, NULL))
		return false;
	return utc_parse(first, ret_ms);
}

static bool epoch_parse(const struct walk *w, struct span text, int64_t unit_ms, int64_t *ret_ms)
{
	int64_t v;
	if (json_int64(text, &v) == 0) {
		if (v < 0 || v > TIME_MAX_MS / unit_ms)
			return false;
		*ret_ms = v * unit_ms;
		return true;
	}
	double ms = w->number * (double)unit_ms;
	if (!(ms >= 0 && ms <= (double)TIME_MAX_MS))
		return false;
	*ret_ms = (int64_t)(ms + 0.5);
	return true;
}

static bool note_time(struct walk *w, const struct node *n, uint32_t i)
{
	const struct note *note = n->note;
	bool string = w->tok[i].type == JSON_STRING, ok = false;
	int64_t ms = 0;
	if (string != (note->time < TIME_EPOCH_S) || (!string && w->tok[i].type != JSON_NUMBER))
		return true; /* null, for example: no time */
	switch (note->time) {
	case TIME_RFC3339:
		ok = w->time_tok == i && i != 0;
		if (ok)
			ms = w->time_ms;
		else
			ok = rfc3339_parse(walk_text(w, i), &ms) == 0;
		break;
	case TIME_ISO8601: ok = iso8601_parse(walk_text(w, i), &ms); break;
	case TIME_EPOCH_S: ok = epoch_parse(w, json_text(w->tape, i), 1000, &ms); break;
	case TIME_EPOCH_MS: ok = epoch_parse(w, json_text(w->tape, i), 1, &ms); break;
	}
	if (!ok)
		return !walk_stop(w, i, RULE_TIME, n, 0);
	if (w->in_item) {
		if (!w->item_time_rank || note->rank + 1 < w->item_time_rank) {
			w->item_time_rank = note->rank + 1;
			w->item_has_time = true;
			w->item_time_ms = ms;
		}
	} else if (w->ret && !outranked(w, note)) {
		w->ret->has_time = true;
		w->ret->time_ms = ms;
		w->ret->time_at = i;
	}
	return true;
}

static bool note_location(struct walk *w, const struct node *n, uint32_t i)
{
	const struct note *note = n->note;
	struct box place;
	uint32_t bad;
	if (note->axis != AXIS_NONE) {
		if (w->tok[i].type != JSON_NUMBER)
			return true;
		double v = note->divide != 0 ? w->number / note->divide : w->number * note->scale;
		bool longitude = note->axis == AXIS_LONGITUDE;
		if (!geometry_degrees(v + note->offset, longitude ? 180 : 90,
		                      &w->axis_e7[note->axis]))
			return !walk_stop(w, i, RULE_LOCATION, n, i << 1 | longitude);
		w->has_axis[note->axis] = true;
		return true;
	}
	switch (geometry_read(w->tape, i, &place, &bad)) {
	case GEOMETRY_NONE: return true;
	case GEOMETRY_FOUND: break;
	case GEOMETRY_LATITUDE: return !walk_stop(w, i, RULE_LOCATION, n, bad << 1);
	case GEOMETRY_LONGITUDE: return !walk_stop(w, i, RULE_LOCATION, n, bad << 1 | 1);
	case GEOMETRY_LONG: return !walk_stop(w, i, RULE_LOCATION, n, 0);
	}
	if (w->ret && !outranked(w, note)) {
		w->ret->has_location = true;
		w->ret->place = place;
	}
	return true;
}

/* "la/max": the path from the payload, or from the item, as a JSON Pointer less its first slash. */
static bool member_path(struct walk *w, struct span *ret)
{
	const uint32_t *path = w->st->path;
	size_t need = 0;
	for (unsigned d = w->item_depth; d < w->depth; d++)
		need += path[d] & PATH_INDEX ? 12 : 1 + 2 * (size_t)w->tok[path[d]].len;
	char *start = keep(w, need), *p = start;
	if (!start)
		return false;
	for (unsigned d = w->item_depth; d < w->depth; d++) {
		if (d > w->item_depth)
			*p++ = '/';
		if (path[d] & PATH_INDEX) {
			p += snprintf(p, 12, "%u", path[d] & ~PATH_INDEX);
			continue;
		}
		struct span name = walk_text(w, path[d]);
		for (size_t k = 0; k < name.n; k++) {
			if (name.p[k] == '~' || name.p[k] == '/') {
				*p++ = '~';
				*p++ = name.p[k] == '~' ? '0' : '1';
			} else {
				*p++ = name.p[k];
			}
		}
	}
	w->s->text.len -= need - (size_t)(p - start);
	*ret = span_of(start, (size_t)(p - start));
	return true;
}

static bool result_member(struct walk *w, const struct note *note, struct span *ret)
{
	unsigned names = w->depth - w->item_depth;
	assert(w->depth >= w->item_depth);
	if (note->name.n > 0) {
		*ret = note->name;
		return true;
	}
	if (names == 0) {
		*ret = SPAN("value");
		return true;
	}
	uint32_t last = w->st->path[w->depth - 1];
	if (names == 1 && !(last & PATH_INDEX) && !(w->tok[last].flags & JSON_ESCAPED)) {
		struct span raw = json_text(w->tape, last);
		*ret = raw;
		if (likely(!w->sc->odd_names) ||
		    (!memchr(raw.p, '~', raw.n) && !memchr(raw.p, '/', raw.n)))
			return true;
	}
	return member_path(w, ret);
}

static bool result_value(struct walk *w, const struct note *note, uint32_t i,
                         struct extract_result *r)
{
	*r = (struct extract_result){0};
	switch (w->tok[i].type) {
	case JSON_NUMBER:
		r->type = EXTRACT_NUMBER;
		r->number = note->divide != 0 ? w->number / note->divide : w->number * note->scale;
		r->number += note->offset;
		return true;
	case JSON_STRING: r->type = EXTRACT_STRING; return keep_string(w, i, &r->text);
	case JSON_TRUE:
	case JSON_FALSE:
		r->type = EXTRACT_BOOL;
		r->number = w->tok[i].type == JSON_TRUE;
		return true;
	default: r->type = EXTRACT_NULL; return true;
	}
}

static bool note_result(struct walk *w, const struct node *n, uint32_t i)
{
	struct extract *e = w->ret;
	if (w->tok[i].type >= JSON_ARRAY)
		return true;
	if (w->tok[i].type == JSON_NUMBER && !isfinite(w->number))
		return !walk_stop(w, i, RULE_RESULT, n, 0);
	if (!e)
		return true;
	if (e->n_results == EXTRACT_RESULTS_MAX)
		return broken(w, i, RULE_RESULTS, n);
	struct extract_result *r = &e->results[e->n_results];
	if (!result_value(w, n->note, i, r) || !result_member(w, n->note, &r->member))
		return broken(w, i, RULE_RESULTS, n);
	if (!isfinite(r->number))
		return broken(w, i, RULE_RESULT, n);
	for (unsigned k = w->first_result; unlikely(w->sc->repeats) && k < e->n_results; k++)
		if (span_eq(e->results[k].member, r->member))
			return true;
	e->n_results++;
	return true;
}

bool walk_note(struct walk *w, const struct node *n, uint32_t i)
{
	switch (n->note->role) {
	case ROLE_THING: return note_name(w, n, i, w->ret ? &w->ret->thing : NULL);
	case ROLE_VERSION: return note_name(w, n, i, w->ret ? &w->ret->version : NULL);
	case ROLE_TIME: return note_time(w, n, i);
	case ROLE_LOCATION: return note_location(w, n, i);
	case ROLE_RESULT: return note_result(w, n, i);
	case ROLE_ITEM:
	case ROLE_NONE: break;
	}
	return true;
}

bool walk_item(struct walk *w, const struct node *n, uint32_t i)
{
	struct walk outer = *w;
	w->item_depth = w->depth;
	w->first_result = w->ret ? w->ret->n_results : 0;
	w->in_item = true;
	w->item_has_time = false;
	w->item_time_rank = 0;
	bool ok = walk_value(w, n, i);
	for (unsigned k = w->first_result; ok && w->ret && k < w->ret->n_results; k++) {
		struct extract_result *r = &w->ret->results[k];
		if (w->item_has_time && !r->has_time) {
			r->has_time = true;
			r->time_ms = w->item_time_ms;
		}
	}
	w->item_depth = outer.item_depth;
	w->first_result = outer.first_result;
	w->in_item = outer.in_item;
	w->item_has_time = outer.item_has_time;
	w->item_time_ms = outer.item_time_ms;
	w->item_time_rank = outer.item_time_rank;
	return ok;
}

void walk_finish(struct walk *w)
{
	struct extract *e = w->ret;
	assert(e && e->n_results <= EXTRACT_RESULTS_MAX);
	if (!e->has_location && w->has_axis[AXIS_LATITUDE] && w->has_axis[AXIS_LONGITUDE]) {
		e->has_location = true;
		e->place = box_of_point(w->axis_e7[AXIS_LONGITUDE], w->axis_e7[AXIS_LATITUDE]);
	}
}
