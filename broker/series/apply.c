/* apply.c - a committed record becomes observations in memory.
 *
 * Everything here follows from the record and the contract of its feed alone, never from the clock:
 * what is read again after a crash becomes the same. */
#include "base/mem.h"
#include "mqtt/props.h"
#include "schema/schema.h"
#include "series/private.h"
#include "sta/detail.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void held_clear(struct held *h)
{
	if (h->is_set && h->kind == POINT_TEXT)
		free(h->text);
	*h = (struct held){0};
}

/* ---- the tail ---- */

static size_t point_bytes(const struct tail_point *p)
{
	return p->kind == POINT_TEXT ? sizeof(struct tail_text) + p->text->n : 0;
}

static struct tail_point *tail_add(struct series *s, struct stream *st)
{
	if (st->tail_n == st->tail_cap) {
		uint32_t cap = st->tail_cap ? st->tail_cap + (st->tail_cap + 1) / 2 + 1 : 4;
		st->tail = xrealloc(st->tail, cap * sizeof(*st->tail));
		s->tail_bytes += (cap - st->tail_cap) * sizeof(*st->tail);
		st->tail_cap = cap;
	}
	s->tail_points++;
	return &st->tail[st->tail_n++];
}

static void tail_put(struct series *s, struct stream *st, const struct tail_point *p)
{
	st->mixed = st->tail_n && (st->mixed || p->time_ms < st->tail[st->tail_n - 1].time_ms);
	*tail_add(s, st) = *p;
	s->tail_bytes += point_bytes(p);
	if (st->count == 0 || p->time_ms < st->first_ms)
		st->first_ms = p->time_ms;
	if (st->count == 0 || p->time_ms > st->last_ms)
		st->last_ms = p->time_ms;
	st->count++;
}

/* One of this time in memory, where it may still be looked at cheaply; what is missed here is met
 * when the tail is written, and when it is read. */
static struct tail_point *tail_same(struct stream *st, int64_t time_ms)
{
	uint32_t n = MIN_OF(st->tail_n - st->flushing, (uint32_t)LIMIT_SERIES_LOOKBACK);
	for (uint32_t i = 0; i < n; i++) {
		struct tail_point *p = &st->tail[st->tail_n - 1 - i];
		if (p->time_ms == time_ms)
			return p;
	}
	return NULL;
}

/* false: p was not taken (its text is freed). */
static bool tail_take(struct series *s, const struct source *from, struct stream *st,
                      struct tail_point *p)
{
	struct tail_point *same = NULL;
	if (from->duplicates != CONFIG_KEEP && st->count > 0 && p->time_ms <= st->last_ms)
		same = tail_same(st, p->time_ms);
	if (!same) {
		tail_put(s, st, p);
		return true;
	}
	s->stats.duplicates++;
	struct tail_point *loser = from->duplicates == CONFIG_IGNORE ? p : same;
	if (loser == same)
		s->tail_bytes += point_bytes(p) - point_bytes(same);
	if (loser->kind == POINT_TEXT)
		free(loser->text);
	if (loser == same)
		*same = *p;
	return loser == same;
}

/* ---- newest ---- */

static void hold(struct held *h, const struct tail_point *p, int64_t stored_ms)
{
	held_clear(h);
	*h = (struct held){.time_ms = p->time_ms,
	                   .stored_ms = stored_ms,
	                   .flags = p->flags,
	                   .kind = p->kind,
	                   .is_set = true};
	if (p->kind == POINT_TEXT)
		h->text = text_new(text_span(p->text));
	else
		h->number = p->number;
}

void held_note(struct held *latest, struct held **future, enum config_duplicates how,
               const struct tail_point *p, int64_t stored_ms)
{
	if (p->flags & POINT_FUTURE) {
		if (!*future)
			*future = xcalloc(1, sizeof(**future));
		if (!(*future)->is_set || p->time_ms >= (*future)->time_ms)
			hold(*future, p, stored_ms);
		return;
	}
	bool again = latest->is_set && p->time_ms == latest->time_ms;
	if (!latest->is_set || p->time_ms > latest->time_ms || (again && how != CONFIG_IGNORE))
		hold(latest, p, stored_ms);
}

/* ---- quality ---- */

static uint16_t time_flags(const struct source *from, const struct record *r, int64_t time_ms,
                           bool own_time)
{
	uint16_t flags = 0;
	int64_t ahead = time_ms - r->stored_ms;
	if (ahead > from->max_future_ms)
		flags |= POINT_FUTURE;
	if (from->max_age_ms && -ahead > from->max_age_ms)
		flags |= POINT_LATE;
	if (!own_time && (r->flags & RECORD_TIME_RECEIVED))
		flags |= POINT_RECEIVED;
	return flags;
}

/* ---- one result ---- */

static const struct meaning *meaning_of(struct series *s, const struct record *r,
                                        struct span schema, const struct record_result *x)
{
	if (schema.n)
		return meaning_find(s, schema, x->member);
	if (r->schema.n == 0 && x->type == EXTRACT_NUMBER && x->text.n)
		return meaning_of_unit(s, x->text);
	return NULL;
}

static void take_meaning(struct series *s, struct stream *st, const struct record *r,
                         struct span schema, const struct record_result *x)
{
	if (schema.n ? span_is(schema, st->meaning->schema)
	             : x->text.n == 0 || span_is(x->text, st->meaning->unit))
		return;
	const struct meaning *m = meaning_of(s, r, schema, x);
	if (!m || m == st->meaning)
		return;
	st->meaning = m;
	st->dirty = true;
}

static bool make_point(const struct record_result *x, struct tail_point *p)
{
	switch (x->type) {
	case EXTRACT_NUMBER: p->kind = POINT_NUMBER; break;
	case EXTRACT_BOOL: p->kind = POINT_BOOL; break;
	case EXTRACT_STRING: p->kind = POINT_TEXT; break;
	default: return false; /* null: nothing was observed */
	}
	if (p->kind != POINT_TEXT) {
		p->number = x->number;
		return isfinite(p->number);
	}
	struct span text = x->text;
	if (text.n > LIMIT_SERIES_TEXT_BYTES) {
		text.n = LIMIT_SERIES_TEXT_BYTES;
		while (text.n > 0 && ((uint8_t)text.p[text.n] & 0xC0) == 0x80)
			text.n--; /* not within a character */
		p->flags |= POINT_CUT;
	}
	p->text = text_new(text);
	return true;
}

struct about { /* what all results of a record share */
	struct span schema, detail;
};

static void count_flags(struct series *s, uint16_t flags)
{
	s->stats.points_late += !!(flags & POINT_LATE);
	s->stats.points_future += !!(flags & POINT_FUTURE);
	s->stats.flagged += flags != 0;
}

/* What came with the observations of a record beside time and result, where it can be read. */
static struct span detail_of(const struct record *r)
{
	struct mqtt_props p;
	enum mqtt_reason reason;
	struct span text = {0};
	if (!r->properties.n || mqtt_props_decode(r->properties, MQTT_PROPS_PUBLISH, &p, &reason) ||
	    !mqtt_props_find_user(&p, SERIES_DETAIL_PROPERTY, &text) ||
	    text.n > LIMIT_SERIES_DETAIL_BYTES || sta_detail_check(text))
		return (struct span){0};
	return text;
}

static void apply_result(struct series *s, const struct source *from, uint32_t thing_id,
                         const struct record *r, const struct about *about,
                         const struct record_result *x)
{
	struct span schema = about->schema;
	struct tail_point p = {.time_ms = x->has_time ? x->time_ms : r->phenomenon_ms,
	                       .stored_s = (uint32_t)(r->stored_ms / 1000)};
	struct thing *t = &s->things[thing_id];
	uint32_t id = stream_find(s, t, x->member);
	if (id && !s->again && r->sequence <= s->streams[id].disk_sequence)
		return; /* read again after a start: its chunks have it */
	if (!make_point(x, &p))
		return;
	if (!id)
		id = stream_add(s, thing_id, x->member);
	if (!id) {
		if (p.kind == POINT_TEXT)
			free(p.text);
		return;
	}
	struct stream *st = &s->streams[id];
	p.flags |= time_flags(from, r, p.time_ms, x->has_time);
	if (s->again) {
		const struct meaning *m = meaning_of(s, r, schema, x);
		if (m && st->meaning == &meaning_none)
			st->meaning = m;
		if (about->detail.n && rebuild_keeps(s, id, p.time_ms))
			details_note(s, id, &p, about->detail);
		rebuild_take(s, from, id, &p, m ? m : &meaning_none, r->stored_ms);
		return;
	}
	take_meaning(s, st, r, schema, x);
	p.flags |= quality_flags(from, st->meaning, &st->latest, st->future, &st->changed_ms, &p,
	                         r->stored_ms);
	st->sequence = r->sequence;
	st->stored_ms = MAX_OF(st->stored_ms, r->stored_ms);
	st->dirty = true;
	st->version++;
	if (!(p.flags & POINT_FUTURE) && p.time_ms > t->last_observed_ms)
		t->last_observed_ms = p.time_ms;
	count_flags(s, p.flags);
	s->stats.points++;
	if (!tail_take(s, from, st, &p))
		return;
	if (about->detail.n)
		details_note(s, id, &p, about->detail);
	quality_news(s, id, &p, &st->latest);
	held_note(&st->latest, &st->future, from->duplicates, &p, r->stored_ms);
}

/* ---- the thing ---- */

bool place_take(const struct source *from, const struct record *r, bool *known,
                struct where *newest)
{
	bool moved = !*known || !box_same(&newest->box, &r->place);
	if ((*known && r->phenomenon_ms < newest->time_ms) ||
	    r->phenomenon_ms > r->stored_ms + from->max_future_ms)
		return moved;
	*known = true;
	*newest = (struct where){r->phenomenon_ms, r->place};
	return moved;
}

static void take_place(struct series *s, const struct source *from, struct thing *t, uint32_t id,
                       const struct record *r)
{
	if (s->again && rebuild_take_place(s, from, id, r))
		return;
	const struct box before = t->place.box;
	bool had = thing_is_placed(t), moved = place_take(from, r, &t->has_place, &t->place);
	if (t->has_place && (!had || !box_same(&before, &t->place.box)))
		near_moved(s, id, had ? &before : NULL);
	t->registered = t->registered && !t->has_place;
	if (!moved)
		return;
	assert(s->n_places < PLACES_MAX); /* the thread writes them before that */
	s->places[s->n_places++] = (struct place){id, r->place, r->phenomenon_ms};
}

static struct thing *take_thing(struct series *s, struct source *from, const struct record *r,
                                uint32_t hash, uint32_t *ret_id)
{
	struct thing *t = thing_find(s, hash, from->id, r->organisation, r->thing, ret_id);
	bool is_new = !t;
	if (!t)
		t = thing_add(s, hash, from->id, r->organisation, r->thing, ret_id);
	if (!t)
		return NULL;
	if (!t->first_stored_ms)
		t->first_stored_ms = r->stored_ms;
	if (!from->first_stored_ms || r->stored_ms < from->first_stored_ms)
		from->first_stored_ms = r->stored_ms;
	t->last_stored_ms = MAX_OF(t->last_stored_ms, r->stored_ms);
	t->dirty = true;
	if (r->flags & RECORD_LOCATION)
		take_place(s, from, t, *ret_id, r);
	if (is_new)
		near_look_up(s, *ret_id);
	return t;
}

/* "name/version"; nearly always that of the record before. */
static struct span schema_of(struct source *from, const struct record *r)
{
	char *text = from->schema.text;
	if (r->schema.n == 0)
		return (struct span){0};
	if (r->schema_version != from->schema.version ||
	    !span_eq(r->schema, span_of(text, from->schema.name_n))) {
		size_t size = sizeof(from->schema.text);
		int n = snprintf(text, size, "%.*s/%u", (int)r->schema.n, r->schema.p,
		                 r->schema_version);
		from->schema.n = (uint16_t)MIN_OF((size_t)n, size - 1);
		from->schema.name_n = (uint16_t)MIN_OF(r->schema.n, size - 1);
		from->schema.version = r->schema_version;
	}
	return span_of(text, from->schema.n);
}

void apply_record(struct series *s, struct source *from, const struct record *r, uint32_t hash)
{
	struct record_result x;
	size_t at = 0;
	uint32_t id;
	s->stats.applied_records += !s->again;
	if (r->thing.n == 0 || (r->n_results == 0 && !(r->flags & RECORD_LOCATION)) ||
	    !take_thing(s, from, r, hash, &id))
		return;
	const struct about about = {schema_of(from, r), detail_of(r)};
	while (record_next_result(r, &at, &x))
		apply_result(s, from, id, r, &about, &x);
	struct thing *t = &s->things[id];
	from->last_stored_ms = MAX_OF(from->last_stored_ms, r->stored_ms);
	from->last_observed_ms = MAX_OF(from->last_observed_ms, t->last_observed_ms);
}
