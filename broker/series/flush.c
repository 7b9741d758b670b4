/* flush.c - what is in memory goes to disk: rows of new things and datastreams at once, so that
 * their numbers stay; tails in rounds, some hundred datastreams in a transaction.
 *
 * A transaction holds, for each of its datastreams, the chunks and the row that says up to where
 * they are complete. While it is being written the tail stays readable: `flushing` says how much of
 * it is on its way, and an answer looks at the row of its own view to know whether it has arrived
 * (view.c). */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "series/private.h"

#include <stdlib.h>

enum { ROW_BYTES_MAX = 16 << 10, NAMES_TXN_BYTES = 8 << 20, ROUND_LOOKS = 8192 };

static void fill_value(struct row_value *v, const struct held *h)
{
	*v = (struct row_value){
	    .time_ms = h->time_ms, .stored_ms = h->stored_ms, .flags = h->flags, .kind = h->kind};
	if (h->kind == POINT_TEXT)
		v->text = text_span(h->text);
	else
		v->number = h->number;
}

static void stream_row(const struct stream *st, struct row_stream *ret)
{
	*ret = (struct row_stream){.thing = st->thing,
	                           .sequence = st->flush_sequence,
	                           .count = st->count - st->tail_n, /* on disk */
	                           .first_ms = st->first_ms,
	                           .last_ms = st->last_ms,
	                           .since_ms = st->since_ms,
	                           .stored_ms = st->stored_ms,
	                           .member = text_span(st->member),
	                           .property = span_str(st->meaning->property),
	                           .unit = span_str(st->meaning->unit),
	                           .schema = span_str(st->meaning->schema)};
	/* What a new one got since is read again after a crash, and then it is judged again. */
	if (st->sequence != st->flush_sequence)
		return;
	ret->has_latest = st->latest.is_set;
	ret->has_future = st->future && st->future->is_set;
	ret->has_changed = ret->has_latest && st->latest.kind == POINT_NUMBER &&
	                   st->changed_ms != st->latest.time_ms;
	ret->changed_ms = st->changed_ms;
	ret->implausible = st->implausible;
	ret->told = st->told;
	if (ret->has_latest)
		fill_value(&ret->latest, &st->latest);
	if (ret->has_future)
		fill_value(&ret->future, st->future);
}

/* more: what the transaction adds to what was on disk. */
static void put_stream(struct series *s, struct side_txn *t, uint32_t id, int64_t more)
{
	uint8_t mem[4];
	struct row_stream r;
	struct buf b;
	struct span key = key_id(mem, id);
	buf_init(&b, ROW_BYTES_MAX);
	stream_row(&s->streams[id], &r);
	r.count = (uint64_t)MAX_OF((int64_t)r.count + more, 0);
	row_stream_write(key, &r, &b);
	assert(!b.err);
	side_put(t, SIDE_STREAM, key, span_of(b.p, b.len));
	buf_done(&b);
}

static void put_thing(struct series *s, struct side_txn *t, uint32_t id)
{
	const struct thing *x = &s->things[id];
	static const struct box nowhere = {0};
	const struct row_thing r = {.feed = x->feed,
	                            .has_place = x->has_place,
	                            .place = x->has_place ? x->place.box : nowhere,
	                            .place_ms = x->place.time_ms,
	                            .first_stored_ms = x->first_stored_ms,
	                            .last_observed_ms = x->last_observed_ms,
	                            .last_stored_ms = x->last_stored_ms,
	                            .organisation = text_span(x->organisation),
	                            .thing = text_span(x->name)};
	uint8_t mem[4];
	struct buf b;
	struct span key = key_id(mem, id);
	buf_init(&b, ROW_BYTES_MAX);
	row_thing_write(key, &r, &b);
	assert(!b.err);
	side_put(t, SIDE_THING, key, span_of(b.p, b.len));
	buf_done(&b);
}

int stream_row_change(struct side_txn *t, uint32_t id, void (*change)(void *, struct row_stream *),
                      void *arg)
{
	uint8_t mem[4];
	struct span old, key = key_id(mem, id);
	struct row_stream r;
	struct buf b;
	int err = side_get(side_txn_view(t), SIDE_STREAM, key, &old);
	err = err ? err : row_stream_read(key, old, &r);
	if (err)
		return err;
	buf_init(&b, ROW_BYTES_MAX);
	change(arg, &r);
	row_stream_write(key, &r, &b);
	err = b.err;
	if (!err)
		side_put(t, SIDE_STREAM, key, span_of(b.p, b.len));
	buf_done(&b);
	return err;
}

/* ---- new names ---- */

static int names_txn(struct series *s, uint32_t *thing, uint32_t *stream)
{
	struct side_txn *t;
	int err = side_begin(s->side, &t);
	if (err)
		return err;
	uint32_t i = *thing, k = *stream;
	for (; i && i < s->n_things && side_txn_bytes(t) < NAMES_TXN_BYTES; i++)
		if (!s->things[i].gone)
			put_thing(s, t, i);
	for (; k && k < s->n_streams && side_txn_bytes(t) < NAMES_TXN_BYTES; k++)
		if (!s->streams[k].gone)
			put_stream(s, t, k, 0);
	err = side_commit(t);
	if (err)
		return err;
	pthread_mutex_lock(&s->state);
	for (uint32_t n = *thing; n && n < i; n++)
		s->things[n].on_disk = true;
	for (uint32_t n = *stream; n && n < k; n++)
		s->streams[n].on_disk = true;
	pthread_mutex_unlock(&s->state);
	*thing = i && i < s->n_things ? i : 0;
	*stream = k && k < s->n_streams ? k : 0;
	return 0;
}

int flush_names(struct series *s)
{
	int err = 0;
	while (!err && (s->new_things || s->new_streams))
		err = names_txn(s, &s->new_things, &s->new_streams);
	return err;
}

/* ---- tails ---- */

static int tail_points(const struct stream *st, struct points *ret, int64_t keep_hours_from_ms)
{
	int err = 0;
	for (uint32_t i = 0; i < st->flushing && !err; i++) {
		const struct tail_point *p = &st->tail[i];
		if (p->time_ms >= keep_hours_from_ms) /* else it would be deleted at once */
			err = tail_copy(ret, p);
	}
	return err ? err : points_sort(ret);
}

/* What the transaction did to one datastream, taken over when it is on disk. */
struct written {
	uint32_t id;
	int64_t more_points; /* on disk */
};

static int write_tail(struct series *s, struct side_txn *t, struct written *w)
{
	const struct stream *st = &s->streams[w->id];
	const struct source *src = s->sources[s->things[st->thing].feed];
	pthread_mutex_lock(&s->state);
	int64_t keep_hours_from_ms = keep_hours_from(s, src);
	enum config_duplicates how = src->duplicates;
	pthread_mutex_unlock(&s->state);
	struct chunks_merged m = {0};
	struct points p;
	points_init(&p, SIZE_MAX);
	int err = tail_points(st, &p, keep_hours_from_ms);
	if (!err && p.n)
		err = chunks_put(t, w->id, COLUMN_POINTS, &p, how, 0, &m);
	pthread_mutex_lock(&s->state);
	s->stats.damaged += m.damaged;
	s->stats.flushed_points += p.n;
	pthread_mutex_unlock(&s->state);
	w->more_points = m.more_points;
	points_done(&p);
	return err;
}

/* The count said one more for each observation; duplicates were met only now. */
static void correct_count(struct stream *st, const struct written *w)
{
	int64_t count = (int64_t)st->count - st->flushing + w->more_points;
	st->count = count > 0 ? (uint64_t)count : 0;
}

static void tail_drop(struct series *s, struct stream *st)
{
	uint32_t n = st->flushing, left = st->tail_n - n;
	for (uint32_t i = 0; i < n; i++) {
		if (st->tail[i].kind != POINT_TEXT)
			continue;
		s->tail_bytes -= sizeof(struct tail_text) + st->tail[i].text->n;
		free(st->tail[i].text);
	}
	s->tail_points -= n;
	if (left) {
		memmove(st->tail, st->tail + n, left * sizeof(*st->tail));
	} else {
		s->tail_bytes -= st->tail_cap * sizeof(*st->tail);
		free(st->tail);
		st->tail = NULL;
		st->tail_cap = 0;
	}
	st->tail_n = left;
	st->flushing = 0;
}

/* ---- a transaction of a round ---- */

struct batch_of_streams {
	unsigned n, n_things;
	size_t points;
	struct written streams[LIMIT_SERIES_FLUSH_STREAMS];
	uint32_t things[LIMIT_SERIES_FLUSH_STREAMS];
};

/* The next datastreams and things with something to write. false: none is left. */
static bool collect(struct series *s, struct batch_of_streams *b)
{
	unsigned looks = 0;
	*b = (struct batch_of_streams){0};
	pthread_mutex_lock(&s->state);
	for (; s->round.stream < s->n_streams && b->n < LIMIT_SERIES_FLUSH_STREAMS &&
	       b->points < LIMIT_SERIES_FLUSH_POINTS && looks < ROUND_LOOKS;
	     s->round.stream++, looks++) {
		struct stream *st = &s->streams[s->round.stream];
		if (st->gone || !st->dirty)
			continue;
		st->flushing = st->tail_n;
		st->flush_sequence = st->sequence;
		b->points += st->tail_n;
		b->streams[b->n++].id = s->round.stream;
	}
	for (; s->round.stream == s->n_streams && s->round.thing < s->n_things &&
	       b->n_things < LIMIT_SERIES_FLUSH_STREAMS && looks < ROUND_LOOKS;
	     s->round.thing++, looks++) {
		if (s->things[s->round.thing].gone || !s->things[s->round.thing].dirty)
			continue;
		b->things[b->n_things++] = s->round.thing;
	}
	s->places_flushing = s->n_places;
	s->details_flushing = s->n_details;
	pthread_mutex_unlock(&s->state);
	return s->round.stream < s->n_streams || s->round.thing < s->n_things;
}

static void put_places(struct series *s, struct side_txn *t)
{
	for (uint32_t i = 0; i < s->places_flushing; i++) {
		const struct place *p = &s->places[i];
		uint8_t mem[12];
		struct buf b;
		struct span key = key_place(mem, p->thing, p->time_ms);
		buf_init(&b, 64);
		row_place_write(key, &p->box, &b);
		side_put(t, SIDE_PLACE, key, span_of(b.p, b.len));
		buf_done(&b);
	}
}

/* The checkpoint: everything up to the positions of the round's begin is on disk. */
static void put_positions(struct series *s, struct side_txn *t)
{
	for (uint32_t i = 0; i < s->n_sources; i++) {
		struct source *src = s->sources[i];
		if (!src || src->round == src->durable)
			continue;
		uint8_t key[8] = {'p', 'o', 's', '/'};
		key_id(key + 4, i);
		side_put(t, SIDE_META, span_of((char *)key, 8),
		         span_of((char *)&src->round, sizeof(src->round)));
	}
}

static int write_batch(struct series *s, struct batch_of_streams *b, bool more)
{
	struct side_txn *t;
	int err = side_begin(s->side, &t);
	if (err)
		return err;
	for (unsigned i = 0; i < b->n && !err; i++) {
		err = write_tail(s, t, &b->streams[i]);
		put_stream(s, t, b->streams[i].id, b->streams[i].more_points);
	}
	for (unsigned i = 0; i < b->n_things && !err; i++)
		put_thing(s, t, b->things[i]);
	put_places(s, t);
	details_put(s, t);
	if (!more)
		put_positions(s, t);
	if (!err)
		return side_commit(t);
	side_abort(t);
	return err;
}

static void take_over(struct series *s, struct batch_of_streams *b, bool done)
{
	pthread_mutex_lock(&s->state);
	for (unsigned i = 0; i < b->n; i++) {
		struct stream *st = &s->streams[b->streams[i].id];
		if (done) {
			correct_count(st, &b->streams[i]);
			tail_drop(s, st);
			st->disk_sequence = st->flush_sequence;
			st->dirty = st->tail_n > 0;
		}
		st->flushing = 0;
		st->flush_sequence = st->disk_sequence;
	}
	for (unsigned i = 0; i < b->n_things && done; i++)
		s->things[b->things[i]].dirty = false;
	if (done) {
		s->n_places -= s->places_flushing;
		memmove(s->places, s->places + s->places_flushing,
		        s->n_places * sizeof(*s->places));
	}
	s->places_flushing = 0;
	details_take_over(s, done);
	s->stats.flushes += done;
	s->stats.flush_errors += !done;
	pthread_mutex_unlock(&s->state);
}

void flush_begin_round(struct series *s)
{
	assert(!s->round.running);
	for (uint32_t i = 0; i < s->n_sources; i++)
		if (s->sources[i])
			s->sources[i]->round = s->sources[i]->applied;
	s->round.running = true;
	s->round.stream = s->round.thing = 1;
	s->round.records = s->applied_records;
	s->round.started_ns = clock_mono_ns(s->clock);
}

static void end_round(struct series *s)
{
	for (uint32_t i = 0; i < s->n_sources; i++) {
		struct source *src = s->sources[i];
		if (!src)
			continue;
		src->durable = src->round;
		atomic_store(&src->told_durable, src->durable);
	}
	s->round.running = false;
	s->round_ended_ns = s->round.started_ns;
}

int flush_step(struct series *s)
{
	assert(s->round.running);
	uint32_t stream = s->round.stream, thing = s->round.thing;
	struct batch_of_streams *b = xmalloc(sizeof(*b));
	bool more = collect(s, b);
	int err = 0;
	if (b->n || b->n_things || s->places_flushing || s->details_flushing || !more) {
		err = write_batch(s, b, more);
		take_over(s, b, !err);
	}
	free(b);
	if (err) { /* again from here when there is room */
		s->round.stream = stream;
		s->round.thing = thing;
		return err;
	}
	if (more)
		return 0;
	end_round(s);
	return 1;
}
