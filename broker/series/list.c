/* list.c - things and datastreams by filter, in the order of their numbers, from memory: a slice at
 * a time under the lock, so that the journal is followed meanwhile. */
#include "base/err.h"
#include "series/private.h"

#include <errno.h>
#include <stdlib.h>

enum { TEXTS_BYTES_MAX = 4 << 20 };

/* ---- filters ---- */

static bool is(struct span wanted, struct span have)
{
	return wanted.n == 0 || span_eq(wanted, have);
}

static bool in_shape(const struct series_filter *f, const struct thing *t)
{
	return shape_takes(&f->shape, thing_is_placed(t) ? &t->place.box : NULL);
}

static bool thing_fits(const struct series *s, const struct series_filter *f, uint32_t id)
{
	const struct thing *t = &s->things[id];
	if (t->gone || !t->on_disk || (f->thing_id && f->thing_id != id))
		return false;
	const struct source *src = s->sources[t->feed];
	const struct series_spot spot = {t->has_place, t->place.box};
	struct span feed = span_str(src->name), organisation = text_span(t->organisation),
	            name = text_span(t->name);
	return is(f->thing, name) && is(f->feed, feed) && is(f->organisation, organisation) &&
	       (!f->stored_since_ms || t->last_stored_ms >= f->stored_since_ms) && in_shape(f, t) &&
	       (!f->may || f->may(f->may_arg, feed, organisation, name, &spot));
}

static bool stream_fits(const struct series *s, const struct series_filter *f, uint32_t id)
{
	const struct stream *st = &s->streams[id];
	return !st->gone && st->on_disk && (!f->stream_id || f->stream_id == id) &&
	       is(f->member, text_span(st->member)) &&
	       is(f->property, span_str(st->meaning->property)) &&
	       (!f->stored_since_ms || st->stored_ms >= f->stored_since_ms) &&
	       thing_fits(s, f, st->thing);
}

/* ---- rows ---- */

static struct series_value value_of(const struct held *h, struct buf *texts)
{
	struct series_value v = {
	    .time_ms = h->time_ms, .stored_ms = h->stored_ms, .flags = h->flags, .kind = h->kind};
	if (h->kind != POINT_TEXT) {
		v.number = h->number;
		return v;
	}
	/* It may be replaced as soon as the lock is gone; the buffer does not move (it is large
	 * enough from the start), so the span stays. */
	struct span text = text_span(h->text);
	if (texts->cap - texts->len >= text.n) {
		v.text = span_of(texts->p + texts->len, text.n);
		buf_add_span(texts, text);
	}
	return v;
}

static struct series_value amended(const struct stream *st, const struct held *h, struct buf *texts)
{
	struct series_value v = value_of(h, texts);
	struct point p = {
	    .time_ms = v.time_ms, .number = v.number, .flags = v.flags, .kind = v.kind};
	amends_apply(st->amends, st->n_amends, &p);
	if (p.kind == POINT_TEXT && p.text == POINT_NO_TEXT)
		v.text = (struct span){0};
	v.number = p.number;
	v.flags = p.flags;
	v.kind = p.kind;
	return v;
}

static void fill_stream(const struct series *s, uint32_t id, struct series_stream *r,
                        struct buf *texts)
{
	const struct stream *st = &s->streams[id];
	const struct thing *t = &s->things[st->thing];
	const struct source *src = s->sources[t->feed];
	int64_t keep_ms = keep_from(s, src);
	*r =
	    (struct series_stream){.id = id,
	                           .thing_id = st->thing,
	                           .feed = span_str(src->name),
	                           .organisation = text_span(t->organisation),
	                           .thing = text_span(t->name),
	                           .member = text_span(st->member),
	                           .property = span_str(st->meaning->property),
	                           .unit = span_str(st->meaning->unit),
	                           .schema = span_str(st->meaning->schema),
	                           .count = st->count,
	                           .amended = st->n_amends > 0,
	                           .rolled = st->since_ms != INT64_MIN,
	                           .first_ms = st->first_ms,
	                           .last_ms = st->last_ms,
	                           .since_ms = MAX_OF(st->since_ms, keep_ms),
	                           .stored_ms = st->stored_ms,
	                           .has_latest = st->latest.is_set && st->latest.time_ms >= keep_ms,
	                           .has_future = st->future && st->future->is_set,
	                           .has_place = thing_is_placed(t),
	                           .registered = t->registered,
	                           .place = t->place.box,
	                           .cadence_s = (uint64_t)src->cadence_ms / 1000,
	                           .version = (uint64_t)st->n_amends << 32 | st->version};
	if (r->has_latest)
		r->latest = amended(st, &st->latest, texts);
	if (r->has_future)
		r->future = amended(st, st->future, texts);
}

static void fill_thing(const struct series *s, uint32_t id, struct series_thing *r)
{
	const struct thing *t = &s->things[id];
	const struct source *src = s->sources[t->feed];
	*r = (struct series_thing){.id = id,
	                           .feed = span_str(src->name),
	                           .organisation = text_span(t->organisation),
	                           .thing = text_span(t->name),
	                           .streams = t->n_streams,
	                           .has_place = thing_is_placed(t),
	                           .registered = t->registered,
	                           .place = t->place.box,
	                           .place_ms = t->place.time_ms,
	                           .first_stored_ms = t->first_stored_ms,
	                           .last_observed_ms = t->last_observed_ms,
	                           .last_stored_ms = t->last_stored_ms,
	                           .cadence_s = (uint64_t)src->cadence_ms / 1000};
}

/* ---- steps ---- */

/* Looks at numbers from *at on; each() says whether one became a row. */
struct listing {
	uint64_t at, end;
	size_t rows, limit;
};

static bool slice_over(const struct listing *l, uint64_t from)
{
	return l->at >= l->end || l->rows >= l->limit || l->at - from >= LIMIT_SERIES_LOCK_LOOKS;
}

static void begin(struct listing *l, const struct series_ask *a, uint32_t one, uint64_t end)
{
	l->at = a->cursor.begun ? a->cursor.at + 1 : 1;
	l->end = end;
	if (one) { /* the only one that can fit */
		l->at = MAX_OF(l->at, (uint64_t)one);
		l->end = MIN_OF(end, (uint64_t)one + 1);
	}
}

static int finish(const struct listing *l, struct series_ask *a, uint64_t end)
{
	a->n = l->rows;
	a->more = l->at < end;
	a->cursor = (struct series_cursor){.at = l->at - 1, .begun = true};
	return 0;
}

static int texts_ready(struct series_ask *a)
{
	struct buf *texts = &a->private_->texts;
	buf_clear(texts);
	return buf_room(texts, LIMIT_SERIES_STEP_ROWS * 64) ? 0 : -ENOMEM;
}

/* Of one thing: its datastreams are few, and known. */
static void streams_of_thing(struct series *s, struct series_ask *a, struct listing *l)
{
	const struct series_filter *f = &a->filter;
	uint32_t ids[256], last = 0;
	unsigned n = 0;
	bool dropped = false;
	if (f->thing_id >= s->n_things || s->things[f->thing_id].gone) {
		l->at = l->end;
		return;
	}
	/* Their list goes from the newest to the oldest; rows are told in order of numbers. */
	for (uint32_t id = s->things[f->thing_id].first_stream; id; id = s->streams[id].next) {
		if (id < l->at || !stream_fits(s, f, id))
			continue;
		if (n == ARRAY_LEN(ids)) {
			dropped = true; /* the highest: its turn comes in another step */
			memmove(ids, ids + 1, --n * sizeof(ids[0]));
		}
		ids[n++] = id;
	}
	for (; n && l->rows < l->limit; n--) {
		last = ids[n - 1];
		fill_stream(s, last, &a->streams[l->rows++], &a->private_->texts);
	}
	l->at = n ? ids[n - 1] : dropped ? last + 1u : l->end;
}

/* Where a shape is asked for: those that may be in it. false: too many, or none was asked for. */
static bool step_near(struct series *s, struct series_ask *a, bool streams, struct listing *l)
{
	const struct series_filter *f = &a->filter;
	struct near near;
	size_t i = 0;
	if (f->shape.kind == SHAPE_EVERYWHERE || f->thing_id || f->stream_id ||
	    !near_find(s, f, streams, a->cursor.begun ? a->cursor.at : 0, &near))
		return false;
	while (i < near.n && l->rows < l->limit) {
		pthread_mutex_lock(&s->state);
		for (unsigned looks = 0;
		     looks < LIMIT_SERIES_LOCK_LOOKS && i < near.n && l->rows < l->limit;
		     looks++, i++) {
			uint32_t id = near.ids[i];
			if (streams && stream_fits(s, f, id))
				fill_stream(s, id, &a->streams[l->rows++], &a->private_->texts);
			else if (!streams && thing_fits(s, f, id))
				fill_thing(s, id, &a->things[l->rows++]);
		}
		pthread_mutex_unlock(&s->state);
	}
	l->end = i < near.n ? UINT64_MAX : 0;
	l->at = i ? near.ids[i - 1] + 1ull : 1;
	near_free(&near);
	return true;
}

int streams_step(struct series *s, struct series_ask *a)
{
	struct listing l = {0};
	a->streams = asking_rows(a, sizeof(*a->streams), &l.limit);
	int err = texts_ready(a);
	if (err)
		return err;
	unsigned looks = 0;
	bool over = step_near(s, a, true, &l);
	while (!over && looks < LIMIT_SERIES_STEP_LOOKS) {
		pthread_mutex_lock(&s->state);
		uint64_t from;
		if (!looks)
			begin(&l, a, a->filter.stream_id, s->n_streams);
		from = l.at;
		if (a->filter.thing_id && !a->filter.stream_id) {
			streams_of_thing(s, a, &l);
			over = true;
		}
		for (; !over && !slice_over(&l, from); l.at++)
			if (stream_fits(s, &a->filter, (uint32_t)l.at))
				fill_stream(s, (uint32_t)l.at, &a->streams[l.rows++],
				            &a->private_->texts);
		over = over || l.at >= l.end || l.rows >= l.limit;
		looks += LIMIT_SERIES_LOCK_LOOKS;
		pthread_mutex_unlock(&s->state);
	}
	return finish(&l, a, l.end);
}

int things_step(struct series *s, struct series_ask *a)
{
	struct listing l = {0};
	a->things = asking_rows(a, sizeof(*a->things), &l.limit);
	unsigned looks = 0;
	bool over = step_near(s, a, false, &l);
	while (!over && looks < LIMIT_SERIES_STEP_LOOKS) {
		pthread_mutex_lock(&s->state);
		if (!looks)
			begin(&l, a, a->filter.thing_id, s->n_things);
		for (uint64_t from = l.at; !slice_over(&l, from); l.at++)
			if (thing_fits(s, &a->filter, (uint32_t)l.at))
				fill_thing(s, (uint32_t)l.at, &a->things[l.rows++]);
		over = l.at >= l.end || l.rows >= l.limit;
		looks += LIMIT_SERIES_LOCK_LOOKS;
		pthread_mutex_unlock(&s->state);
	}
	return finish(&l, a, l.end);
}

/* ---- where a thing was ---- */

static int by_time(const void *a, const void *b)
{
	const struct series_place *x = a, *y = b;
	return (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

static int copy_new_places(struct series *s, const struct series_ask *a, int64_t from_ms,
                           struct series_place *out, size_t *ret_n)
{
	int err = ERR_NOT_FOUND;
	size_t n = 0;
	pthread_mutex_lock(&s->state);
	if (a->id && a->id < s->n_things && !s->things[a->id].gone)
		err = 0;
	for (uint32_t i = 0; !err && i < s->n_places; i++) {
		const struct place *p = &s->places[i];
		if (p->thing == a->id && p->time_ms >= from_ms && p->time_ms < a->to_ms)
			out[n++] = (struct series_place){p->time_ms, p->box};
	}
	pthread_mutex_unlock(&s->state);
	*ret_n = n;
	return err;
}

int places_step(struct series *s, struct series_ask *a)
{
	size_t limit, n_new, n = 0, i = 0;
	uint8_t mem[12];
	struct span key, value;
	struct side_view *v = NULL;
	int64_t from_ms = a->cursor.begun ? MAX_OF(a->from_ms, a->cursor.time_ms) : a->from_ms, t;
	struct series_place *out = asking_rows(a, sizeof(*out), &limit), *fresh;
	fresh = malloc(PLACES_MAX * sizeof(*fresh));
	int err = fresh ? copy_new_places(s, a, from_ms, fresh, &n_new) : -ENOMEM;
	if (err)
		goto done;
	qsort(fresh, n_new, sizeof(*fresh), by_time);
	err = side_view_open(s->side, &v);
	int at = err ? err : side_seek(v, SIDE_PLACE, key_place(mem, a->id, from_ms), &key, &value);
	while (!err && n < limit) {
		bool disk = !at && key_place_read(key, a->id, &t) && t < a->to_ms;
		if (i < n_new && (!disk || fresh[i].time_ms <= t)) {
			if (disk && fresh[i].time_ms == t) /* written meanwhile: once is enough */
				at = side_next(v, SIDE_PLACE, &key, &value);
			out[n++] = fresh[i++];
		} else if (disk) {
			out[n].time_ms = t;
			if (row_place_read(key, value, &out[n].place))
				a->damaged++;
			else
				n++;
			at = side_next(v, SIDE_PLACE, &key, &value);
		} else {
			break;
		}
	}
	if (!err && at && at != ERR_NOT_FOUND)
		err = at;
	a->places = out;
	a->n = n;
	a->more = !err && n == limit;
	if (n)
		a->cursor =
		    (struct series_cursor){.time_ms = out[n - 1].time_ms + 1, .begun = true};
done:
	side_view_close(v);
	free(fresh);
	return err;
}
