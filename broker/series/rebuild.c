/* rebuild.c - see rebuild.h. Of each feed, one after the other: read (a window of observations out
 * of the journal), write (what of the window is missing on disk), and so on to the end; then finish
 * (pieces that cannot be read go, counts are counted). A step is one block, or one transaction. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "series/private.h"
#include "series/replaced.h"

#include <errno.h>
#include <stdlib.h>

enum phase { FEED, READ, WRITE, FINISH };

/* What is known of a datastream while its records are read again. */
struct former {
	struct held latest, *future; /* no texts */
	int64_t changed_ms;
	struct restored_range range;
};

struct former_place {
	struct where newest;
	bool known;
};

struct rebuild {
	struct series *s;
	enum phase phase;
	uint32_t feed;
	uint64_t next, goal;                /* sequences */
	int64_t coverage_ms;                /* what was observed then or later is in the journal */
	bool began;                         /* its first record was seen */
	uint32_t first_thing, first_stream; /* those from here on are new */
	int64_t keep_from_ms;
	struct replayed *points; /* of the window */
	size_t n, cap, at;
	size_t text_bytes;
	struct former *former; /* by datastream */
	uint32_t n_former;
	struct replayed_place *places; /* of the window */
	size_t n_places, cap_places, at_place;
	struct former_place *former_places; /* by thing: those below first_thing */
	uint32_t stream, thing;             /* FINISH */
};

/* ---- what is told ---- */

int series_rebuild(struct series *s)
{
	int err = ERR_AGAIN;
	pthread_mutex_lock(&s->state);
	if (!s->rebuilt.running) {
		s->rebuilt =
		    (struct series_rebuild){.running = true, .started_ms = clock_wall_ms(s->clock)};
		err = 0;
	}
	pthread_mutex_unlock(&s->state);
	if (err)
		return err;
	pthread_mutex_lock(&s->hand);
	s->rebuild_wanted = true;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->hand);
	return 0;
}

void series_rebuild_state(struct series *s, struct series_rebuild *ret)
{
	pthread_mutex_lock(&s->state);
	*ret = s->rebuilt;
	pthread_mutex_unlock(&s->state);
}

/* ---- life ---- */

static void free_text(struct tail_point *p)
{
	if (p->kind == POINT_TEXT)
		free(p->text);
}

static void drop_window(struct rebuild *b)
{
	for (size_t i = 0; i < b->n; i++)
		free_text(&b->points[i].p);
	b->n = b->at = b->text_bytes = 0;
	b->n_places = b->at_place = 0;
}

void rebuild_free(struct series *s)
{
	struct rebuild *b = s->rebuild;
	if (!b)
		return;
	drop_window(b);
	for (uint32_t i = 0; i < b->n_former; i++)
		free(b->former[i].future);
	free(b->former);
	free(b->points);
	free(b->former_places);
	free(b->places);
	free(b);
	s->rebuild = NULL;
}

static int begin(struct series *s)
{
	struct rebuild *b = xcalloc(1, sizeof(*b));
	uint64_t of = 0;
	s->rebuild = b;
	b->s = s;
	b->first_thing = MAX_OF(s->n_things, 1u);
	b->first_stream = MAX_OF(s->n_streams, 1u);
	b->former_places = xcalloc(b->first_thing, sizeof(*b->former_places));
	int err = series_flush(s); /* what was applied is on disk, where it is looked for */
	for (uint32_t i = 0; i < s->n_sources; i++)
		if (s->sources[i] && s->sources[i]->follows)
			of += s->sources[i]->durable;
	pthread_mutex_lock(&s->state);
	s->rebuilt.of = of;
	pthread_mutex_unlock(&s->state);
	log_info("The series are rebuilt from the journal. records=%llu", (unsigned long long)of);
	return err;
}

static void end(struct series *s, int err)
{
	rebuild_free(s);
	atomic_store(&s->round_wanted, true); /* rows of what was put back */
	pthread_mutex_lock(&s->state);
	struct series_rebuild *r = &s->rebuilt;
	r->running = false;
	r->err = err;
	r->ended_ms = clock_wall_ms(s->clock);
	const struct series_rebuild told = *r;
	pthread_mutex_unlock(&s->state);
	if (err)
		log_warn("The series could not be rebuilt to the end; what was put back stays. Run "
		         "'oudp rebuild' again. why=\"%s\"",
		         err_text(err));
	else
		log_info("The series are rebuilt. observations=%llu restored=%llu places=%llu "
		         "replaced=%llu unreadable=%llu",
		         (unsigned long long)told.observations, (unsigned long long)told.restored,
		         (unsigned long long)told.places, (unsigned long long)told.dropped,
		         (unsigned long long)told.left);
}

/* ---- reading ---- */

bool rebuild_take_place(struct series *s, const struct source *from, uint32_t thing,
                        const struct record *r)
{
	struct rebuild *b = s->again;
	if (thing >= b->first_thing)
		return false;
	struct former_place *f = &b->former_places[thing];
	if (!place_take(from, r, &f->known, &f->newest))
		return true;
	if (b->n_places == b->cap_places) {
		b->cap_places = b->cap_places ? b->cap_places + b->cap_places / 2 : 1024;
		b->places = xrealloc(b->places, b->cap_places * sizeof(*b->places));
	}
	b->places[b->n_places] = (struct replayed_place){
	    .order = (uint32_t)b->n_places,
	    .p = {thing, r->place, r->phenomenon_ms},
	};
	b->n_places++;
	return true;
}

static struct former *former_of(struct rebuild *b, uint32_t id)
{
	if (id >= b->n_former) {
		uint32_t n = MAX_OF(b->s->n_streams, id + 1);
		b->former = xrealloc(b->former, n * sizeof(*b->former));
		memset(b->former + b->n_former, 0, (n - b->n_former) * sizeof(*b->former));
		b->n_former = n;
	}
	return &b->former[id];
}

/* Its flags are what they were; without the text, which is compared by nobody. */
static void judge(struct former *f, const struct source *from, const struct meaning *m,
                  struct tail_point *p, int64_t stored_ms)
{
	struct tail_point plain = *p;
	if (p->kind == POINT_TEXT) {
		plain.kind = POINT_BOOL;
		plain.number = 0;
	}
	p->flags |=
	    quality_flags(from, m, &f->latest, f->future, &f->changed_ms, &plain, stored_ms);
	plain.flags = p->flags;
	held_note(&f->latest, &f->future, from->duplicates, &plain, stored_ms);
}

bool rebuild_keeps(const struct series *s, uint32_t id, int64_t time_ms)
{
	return time_ms >= s->again->keep_from_ms && time_ms >= s->streams[id].since_ms;
}

void rebuild_take(struct series *s, const struct source *from, uint32_t id, struct tail_point *p,
                  const struct meaning *m, int64_t stored_ms)
{
	struct rebuild *b = s->again;
	struct stream *st = &s->streams[id];
	judge(former_of(b, id), from, m, p, stored_ms);
	if (!rebuild_keeps(s, id, p->time_ms)) {
		free_text(p);
		return;
	}
	if (id >= b->first_stream || !st->latest.is_set || p->time_ms > st->latest.time_ms) {
		held_note(&st->latest, &st->future, from->duplicates, p, stored_ms);
		st->stored_ms = MAX_OF(st->stored_ms, stored_ms);
		st->dirty = true;
	}
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap + b->cap / 2 : 4096;
		b->points = xrealloc(b->points, b->cap * sizeof(*b->points));
	}
	b->text_bytes += p->kind == POINT_TEXT ? p->text->n : 0;
	b->points[b->n] = (struct replayed){.stream = id, .order = (uint32_t)b->n, .p = *p};
	b->n++;
	s->rebuilt.observations++;
}

static void again(struct series *s, struct source *from, const struct record *r, uint32_t hash)
{
	struct rebuild *b = s->rebuild;
	if (!b->began) {
		b->began = true;
		b->coverage_ms = r->sequence == 1 ? INT64_MIN : r->stored_ms + from->max_future_ms;
	}
	s->again = b;
	apply_record(s, from, r, hash);
	s->again = NULL;
}

static bool window_full(const struct rebuild *b)
{
	return b->n >= LIMIT_REBUILD_POINTS || b->n_places >= LIMIT_REBUILD_POINTS ||
	       b->text_bytes >= LIMIT_SERIES_TEXTS_BYTES;
}

/* 1: a block, 0: the end. */
static int read_on(struct rebuild *b, struct source *from)
{
	struct series *s = b->s;
	if (b->next > b->goal)
		b->goal = from->durable; /* what became so meanwhile */
	if (b->next > b->goal)
		return 0;
	struct block k = {.s = s, .from = from, .next = b->next, .goal = b->goal};
	int err = block_read(&k);
	if (err)
		return err;
	pthread_mutex_lock(&s->state);
	b->keep_from_ms = keep_from(s, from);
	pthread_mutex_unlock(&s->state);
	block_each(s, from, again);
	uint64_t before = b->next;
	b->next = k.next > b->next ? k.next : b->goal + 1;
	pthread_mutex_lock(&s->state);
	s->rebuilt.records += b->next - before;
	s->rebuilt.of = MAX_OF(s->rebuilt.of, s->rebuilt.records);
	pthread_mutex_unlock(&s->state);
	return 1;
}

static int read_step(struct rebuild *b)
{
	struct source *from = b->s->sources[b->feed];
	int more = read_on(b, from);
	if (more < 0 || (more && !window_full(b)))
		return more < 0 ? more : 0;
	if (b->n || b->n_places) {
		if (b->n)
			qsort(b->points, b->n, sizeof(*b->points), replayed_order);
		if (b->n_places)
			qsort(b->places, b->n_places, sizeof(*b->places), replayed_place_order);
		b->at = b->at_place = 0;
		b->phase = WRITE;
		return flush_names(b->s); /* a datastream's number is on disk before its pieces */
	}
	b->phase = FINISH;
	b->stream = b->thing = 1;
	return 0;
}

/* ---- writing ---- */

enum { PLACES_TXN = 2000 };

static int write_places(struct rebuild *b)
{
	struct series *s = b->s;
	struct replacing_places x = {
	    .side = s->side, .whole = b->coverage_ms == INT64_MIN, .keep_from_ms = b->keep_from_ms};
	size_t n = MIN_OF(b->n_places - b->at_place, (size_t)PLACES_TXN);
	int err = replace_places(&x, b->places + b->at_place, n);
	if (err)
		return err;
	b->at_place += n;
	pthread_mutex_lock(&s->state);
	s->rebuilt.places += x.restored;
	pthread_mutex_unlock(&s->state);
	return 0;
}

/* The next places or datastreams of the window, in one transaction when something is missing. */
static int write_step(struct rebuild *b)
{
	struct series *s = b->s;
	if (b->at_place < b->n_places)
		return write_places(b);
	struct replacing x = {.side = s->side, .how = s->sources[b->feed]->duplicates};
	size_t from = b->at;
	int err = 0;
	for (unsigned n = 0; n < LIMIT_SERIES_FLUSH_STREAMS && b->at < b->n && !err; n++) {
		uint32_t id = b->points[b->at].stream;
		size_t end = b->at;
		while (end < b->n && b->points[end].stream == id)
			end++;
		x.range = &former_of(b, id)->range;
		if (!s->streams[id].gone)
			err = replace_missing(&x, id, b->points + b->at, end - b->at);
		b->at = end;
		if (x.restored >= LIMIT_SERIES_FLUSH_POINTS)
			break;
	}
	err = replace_end(&x, err);
	if (err) {
		b->at = from;
		return err;
	}
	pthread_mutex_lock(&s->state);
	s->rebuilt.restored += x.restored;
	pthread_mutex_unlock(&s->state);
	if (b->at == b->n) {
		drop_window(b);
		b->phase = READ;
	}
	return 0;
}

/* ---- the end of a feed ---- */

struct piece {
	int64_t first_ms;
	uint16_t part;
};
struct counted {
	uint32_t id;
	uint64_t count;
	int64_t first_ms, last_ms; /* of what is in pieces; count == 0: nothing */
	/* Those that cannot be read, where the journal had all that was in them; and the others. */
	struct piece replaced[LIMIT_REBUILD_PIECES];
	unsigned n_replaced, n_left;
};

static void count_row(void *arg, struct row_stream *r)
{
	const struct counted *c = arg;
	if (c->count) {
		r->first_ms = r->count ? MIN_OF(r->first_ms, c->first_ms) : c->first_ms;
		r->last_ms = r->count ? MAX_OF(r->last_ms, c->last_ms) : c->last_ms;
	}
	r->count = c->count;
}

static void take_count(struct series *s, const struct counted *c)
{
	struct stream *st = &s->streams[c->id];
	pthread_mutex_lock(&s->state);
	if (c->count) {
		st->first_ms = st->count ? MIN_OF(st->first_ms, c->first_ms) : c->first_ms;
		st->last_ms = st->count ? MAX_OF(st->last_ms, c->last_ms) : c->last_ms;
	}
	st->count = c->count + st->tail_n;
	st->version++;
	pthread_mutex_unlock(&s->state);
}

static void count_unreadable(const struct rebuild *b, const struct chunks_at *at, struct counted *c)
{
	if (at->first_ms < b->coverage_ms)
		c->n_left++;
	else if (c->n_replaced < ARRAY_LEN(c->replaced))
		c->replaced[c->n_replaced++] = (struct piece){at->first_ms, at->part};
}

static int count_pieces(const struct rebuild *b, struct counted *c)
{
	struct side_view *v;
	struct chunks_at at;
	int err = side_view_open(b->s->side, &v);
	if (err)
		return err;
	err = chunks_find(v, c->id, COLUMN_POINTS, INT64_MIN, &at);
	for (; !err; err = chunks_next(v, &at)) {
		if (!at.whole) {
			count_unreadable(b, &at, c);
			continue;
		}
		c->first_ms = c->count ? c->first_ms : at.head.first_ms;
		c->last_ms = at.head.last_ms;
		c->count += at.head.n;
	}
	side_view_close(v);
	return err == ERR_NOT_FOUND ? 0 : err;
}

static int write_count(struct series *s, struct counted *c)
{
	struct side_txn *t;
	int err = side_begin(s->side, &t);
	if (err)
		return err;
	for (unsigned i = 0; i < c->n_replaced; i++) {
		const struct piece *p = &c->replaced[i];
		uint8_t mem[CHUNK_KEY_BYTES];
		side_del(t, SIDE_CHUNK, key_chunk(mem, c->id, COLUMN_POINTS, p->first_ms, p->part));
	}
	err = stream_row_change(t, c->id, count_row, c);
	if (!err)
		return side_commit(t);
	side_abort(t);
	return err;
}

static int finish_stream(struct rebuild *b, uint32_t id)
{
	struct series *s = b->s;
	const struct stream *st = &s->streams[id];
	struct counted c = {.id = id};
	int err = count_pieces(b, &c);
	if (!err && (c.n_replaced || c.count + st->tail_n != st->count)) {
		err = write_count(s, &c);
		if (!err)
			take_count(s, &c);
	}
	pthread_mutex_lock(&s->state);
	s->rebuilt.dropped += err ? 0 : c.n_replaced;
	s->rebuilt.left += c.n_left;
	pthread_mutex_unlock(&s->state);
	return err;
}

static int finish_places(struct rebuild *b, uint32_t thing)
{
	struct series *s = b->s;
	struct places_left p;
	int err = replace_places_end(s->side, thing, b->coverage_ms, &p);
	pthread_mutex_lock(&s->state);
	s->rebuilt.dropped += p.dropped;
	s->rebuilt.left += p.left;
	pthread_mutex_unlock(&s->state);
	return err;
}

static int finish_step(struct rebuild *b)
{
	struct series *s = b->s;
	int err = flush_names(s);
	for (unsigned looks = 0; !err && b->thing < s->n_things && b->thing < b->first_thing;
	     b->thing++) {
		if (s->things[b->thing].gone || s->things[b->thing].feed != b->feed)
			continue;
		err = finish_places(b, b->thing);
		if (err || ++looks == LIMIT_SERIES_FLUSH_STREAMS) {
			b->thing += !err;
			return err;
		}
	}
	for (unsigned looks = 0; !err && b->stream < s->n_streams; b->stream++) {
		const struct stream *st = &s->streams[b->stream];
		if (st->gone || s->things[st->thing].feed != b->feed)
			continue;
		err = finish_stream(b, b->stream);
		if (err || ++looks == LIMIT_SERIES_FLUSH_STREAMS) {
			b->stream += !err;
			return err;
		}
	}
	if (err)
		return err;
	b->phase = FEED;
	return 0;
}

/* ---- a step ---- */

/* false: there is no other. */
static bool next_feed(struct rebuild *b)
{
	struct series *s = b->s;
	while (++b->feed < s->n_sources) {
		const struct source *src = s->sources[b->feed];
		if (!src || !src->follows || !src->durable)
			continue;
		b->phase = READ;
		b->next = 1;
		b->goal = src->durable;
		b->began = false;
		b->coverage_ms = INT64_MAX;
		return true;
	}
	return false;
}

static bool is_wanted(struct series *s)
{
	pthread_mutex_lock(&s->hand);
	bool wanted = s->rebuild_wanted;
	s->rebuild_wanted = false;
	pthread_mutex_unlock(&s->hand);
	return wanted;
}

bool rebuild_step(struct series *s)
{
	struct rebuild *b = s->rebuild;
	int err = 0;
	if (!b) {
		if (!is_wanted(s))
			return false;
		err = begin(s);
	} else if (s->n_places >= LIMIT_SERIES_PLACES || details_full(s)) {
		return false; /* the disk is full; it goes on when there is room */
	} else {
		switch (b->phase) {
		case FEED:
			if (!next_feed(b)) {
				end(s, 0);
				return true;
			}
			break;
		case READ: err = read_step(b); break;
		case WRITE: err = write_step(b); break;
		case FINISH: err = finish_step(b); break;
		}
	}
	if (err)
		end(s, err);
	return true;
}
