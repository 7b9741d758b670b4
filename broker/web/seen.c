/* seen.c - see seen.h. */
#include "web/seen.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { SAMPLE_MS = 10000 };

void seen_init(struct seen *s, struct hub *h, void (*wake)(void *arg), void *arg)
{
	*s = (struct seen){.hub = h, .wake = wake, .arg = arg};
}

static void forget(struct seen *s, struct seen_feed *sf)
{
	for (unsigned i = 0; i < sf->n; i++) {
		s->bytes -= sf->things[i]->bytes;
		free(sf->things[i]);
	}
	for (unsigned i = 0; i < sf->n_members; i++)
		free(sf->members[i]);
	s->n_things -= sf->n;
	free(sf->things);
	map_done(&sf->by_thing);
	map_init(&sf->by_thing);
	boxes_done(&sf->boxes);
	sf->things = NULL;
	sf->n = sf->cap = sf->n_members = 0;
	sf->no_room = 0;
	sf->first = 0;
}

void seen_done(struct seen *s)
{
	for (unsigned i = 0; i < s->n_feeds; i++) {
		cursor_close(&s->feeds[i].cursor);
		forget(s, &s->feeds[i]);
		map_done(&s->feeds[i].by_thing);
	}
	free(s->feeds);
	s->feeds = NULL;
	s->n_feeds = 0;
}

/* Feeds are added at a reload. Cursors stand on lists, so they are closed before they move. */
static void grow(struct seen *s)
{
	unsigned n = hub_feed_count(s->hub);
	if (n <= s->n_feeds)
		return;
	for (unsigned i = 0; i < s->n_feeds; i++) {
		cursor_close(&s->feeds[i].cursor);
		s->feeds[i].open = false;
	}
	s->feeds = xrealloc(s->feeds, n * sizeof(*s->feeds));
	memset(s->feeds + s->n_feeds, 0, (n - s->n_feeds) * sizeof(*s->feeds));
	for (unsigned i = s->n_feeds; i < n; i++)
		map_init(&s->feeds[i].by_thing);
	s->n_feeds = n;
}

static struct seen_feed *at(struct seen *s, const struct feed *f)
{
	grow(s);
	assert(f->index < s->n_feeds);
	return &s->feeds[f->index];
}

/* ---- records ---- */

static bool has_member(const struct seen_feed *sf, struct span member)
{
	for (unsigned i = 0; i < sf->n_members; i++)
		if (span_is(member, sf->members[i]))
			return true;
	return false;
}

static void note_members(struct seen_feed *sf, const struct record *r)
{
	struct record_result one;
	for (size_t i = 0; record_next_result(r, &i, &one);)
		if (sf->n_members < SEEN_MEMBERS && !has_member(sf, one.member))
			sf->members[sf->n_members++] = xstrndup(one.member.p, one.member.n);
}

static struct span keep(char **at, struct span s)
{
	char *p = *at;
	if (s.n)
		memcpy(p, s.p, s.n);
	*at += s.n;
	return span_of(p, s.n);
}

/* The entry as it is from this record on; NULL: no room. former may be NULL. */
static struct seen_thing *entry(struct seen *s, struct seen_thing *former, struct feed *f,
                                const struct record *r)
{
	size_t results = r->results.n <= LIMIT_SEEN_RESULTS_BYTES ? r->results.n : 0;
	size_t bytes =
	    sizeof(struct seen_thing) + r->thing.n + r->organisation.n + r->schema.n + results;
	bool has_location = former && former->has_location;
	const struct box place = has_location ? former->place : (struct box){0};
	size_t had = former ? former->bytes : 0;
	if (s->bytes - had + bytes > LIMIT_SEEN_BYTES ||
	    (!former && s->n_things >= LIMIT_SEEN_THINGS))
		return NULL;
	struct seen_thing *t = xrealloc(former, bytes);
	char *text = (char *)(t + 1);
	s->bytes += bytes - had;
	*t = (struct seen_thing){.feed = f,
	                         .stored_ms = r->stored_ms,
	                         .phenomenon_ms = r->phenomenon_ms,
	                         .sequence = r->sequence,
	                         .has_location = has_location,
	                         .time_received = (r->flags & RECORD_TIME_RECEIVED) != 0,
	                         .place = place,
	                         .schema_version = r->schema_version,
	                         .bytes = bytes};
	t->thing = keep(&text, r->thing);
	t->organisation = keep(&text, r->organisation);
	t->schema = keep(&text, r->schema);
	t->results.results = keep(&text, span_of(r->results.p, results));
	t->results.n_results = results ? r->n_results : 0;
	if (r->flags & RECORD_LOCATION) {
		t->has_location = true;
		t->place = r->place;
	}
	return t;
}

/* A thing's places in the vector and the map: the index of it in the vector, plus one. */
static void take(struct seen *s, struct seen_feed *sf, struct feed *f, const struct record *r)
{
	if (!r->thing.n)
		return;
	uintptr_t place = (uintptr_t)map_get(&sf->by_thing, r->thing);
	struct seen_thing *former = place ? sf->things[place - 1] : NULL;
	/* Late arrivals: a value that was observed before is not the newest. */
	if (former && former->phenomenon_ms > r->phenomenon_ms)
		return;
	bool had = former && former->has_location;
	const struct box before = had ? former->place : (struct box){0};
	struct seen_thing *t = entry(s, former, f, r);
	if (!t) {
		sf->no_room += !former;
		return;
	}
	note_members(sf, r);
	uint32_t index = (uint32_t)(place ? place - 1 : sf->n);
	if (t->has_location && !(had && box_same(&before, &t->place))) {
		if (had)
			boxes_drop(&sf->boxes, index, &before);
		boxes_add(&sf->boxes, index, &t->place);
	}
	if (place) {
		sf->things[place - 1] = t;
		return;
	}
	if (sf->n == sf->cap) {
		sf->cap = sf->cap ? 2 * sf->cap : 16;
		sf->things = xrealloc(sf->things, sf->cap * sizeof(struct seen_thing *));
	}
	sf->things[sf->n++] = t;
	s->n_things++;
	map_set(&sf->by_thing, t->thing, (void *)(uintptr_t)sf->n);
}

/* ---- reading on ---- */

static void woken(struct cursor *c)
{
	struct seen *s = c->owner;
	s->wake(s->arg);
}

static void start(struct seen *s, struct seen_feed *sf, struct feed *f)
{
	uint64_t behind = f->last > LIMIT_SEEN_RECORDS ? f->last - LIMIT_SEEN_RECORDS : 0;
	uint64_t from = MAX_OF(behind, f->first ? f->first - 1 : 0);
	cursor_close(&sf->cursor);
	forget(s, sf);
	cursor_open_after(&sf->cursor, s->hub, f, 0, from);
	sf->cursor.wake = woken;
	sf->cursor.owner = s;
	sf->open = true;
	sf->failed = false;
	sf->epoch = f->epoch;
}

bool seen_ready(struct seen *s, struct feed *f, unsigned *budget)
{
	struct seen_feed *sf = at(s, f);
	struct record r;
	if (!sf->open || sf->epoch != f->epoch ||
	    f->last + 1 > sf->cursor.next + LIMIT_SEEN_RECORDS)
		start(s, sf, f);
	for (; *budget; --*budget)
		switch (cursor_next(&sf->cursor, &r)) {
		case CURSOR_RECORD:
			if (!sf->first) {
				sf->first = r.sequence;
				sf->first_ms = r.stored_ms;
			}
			take(s, sf, f, &r);
			continue;
		case CURSOR_GAP: continue;
		case CURSOR_WAIT: return false;
		case CURSOR_HEAD: return true;
		case CURSOR_ENDED:
		case CURSOR_ERROR:
			cursor_close(&sf->cursor);
			sf->open = false;
			sf->failed = true;
			return true;
		}
	return false;
}

const struct seen_feed *seen_of(struct seen *s, const struct feed *f)
{
	return at(s, f);
}

const struct seen_thing *seen_find(struct seen *s, const struct feed *f, struct span thing)
{
	struct seen_feed *sf = at(s, f);
	uintptr_t place = (uintptr_t)map_get(&sf->by_thing, thing);
	return place ? sf->things[place - 1] : NULL;
}

bool seen_near(struct seen *s, const struct feed *f, const struct shape *area,
               void (*each)(void *arg, const struct seen_thing *t), void *arg)
{
	uint32_t found[LIMIT_THINGS_NEAR];
	const struct seen_feed *sf = at(s, f);
	size_t n;
	if (!boxes_meeting(&sf->boxes, area, found, LIMIT_THINGS_NEAR, &n))
		return false;
	for (size_t i = 0; i < n; i++)
		each(arg, sf->things[found[i]]);
	return true;
}

int64_t seen_first_ms(struct seen *s, const struct feed *f)
{
	const struct seen_feed *sf = at(s, f);
	return sf->first && sf->first == f->first ? sf->first_ms : 0;
}

void seen_erased(struct seen *s, struct feed *f)
{
	struct seen_feed *sf = at(s, f);
	cursor_close(&sf->cursor);
	forget(s, sf);
	sf->open = false;
}

/* ---- life signs ---- */

void seen_tick(struct seen *s, uint64_t now_ms)
{
	if (s->sampled_ms && now_ms - s->sampled_ms < SAMPLE_MS)
		return;
	s->sampled_ms = now_ms;
	grow(s);
	for (unsigned i = 0; i < s->n_feeds; i++) {
		struct seen_feed *sf = &s->feeds[i];
		memmove(sf->samples + 1, sf->samples, sizeof(sf->samples) - sizeof(sf->samples[0]));
		sf->samples[0] = hub_feed_at(s->hub, i)->count.stored;
		sf->n_samples = MIN_OF(sf->n_samples + 1, (unsigned)ARRAY_LEN(sf->samples));
	}
}

uint64_t seen_per_minute(struct seen *s, const struct feed *f)
{
	const struct seen_feed *sf = at(s, f);
	uint64_t before =
	    sf->n_samples == ARRAY_LEN(sf->samples) ? sf->samples[ARRAY_LEN(sf->samples) - 1] : 0;
	return f->count.stored - MIN_OF(before, f->count.stored);
}
