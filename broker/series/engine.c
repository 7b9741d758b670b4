/* engine.c - life, configuration, hooks, figures. */
#include "series/engine.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "series/private.h"

#include <stdlib.h>

int series_open(const struct series_options *o, struct series **ret, struct buf *why)
{
	struct series *s = xcalloc(1, sizeof(*s));
	pthread_condattr_t attr;
	s->hub = o->hub;
	s->store = hub_store(o->hub);
	s->side = o->side;
	s->clock = hub_clock(o->hub);
	s->runner = o->runner;
	s->fatal = o->fatal;
	s->fatal_arg = o->arg;
	s->registered = o->registered;
	s->registered_arg = o->registered_arg;
	pthread_mutex_init(&s->state, NULL);
	pthread_mutex_init(&s->hand, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->work, &attr);
	pthread_condattr_destroy(&attr);
	map_init(&s->members);
	map_init(&s->meanings);
	list_init(&s->waiting);
	s->key = hash_key_random();
	s->hours = hours_cache_new();
	s->news = xcalloc(LIMIT_QUALITY_NEWS, sizeof(*s->news));
	s->places = xmalloc(PLACES_MAX * sizeof(*s->places));
	s->sources = xcalloc(SOURCES_MAX, sizeof(struct source *));
	s->touched = xcalloc(2 * LIMIT_FEEDS, sizeof(*s->touched));
	buf_init(&s->block, LIMIT_SERIES_BLOCK_BYTES + 2u * LIMIT_PACKET_BYTES_MAX);
	s->round_ended_ns = clock_mono_ns(s->clock);
	s->expiry.next_ns = s->round_ended_ns + 60ull * 1000000000u; /* not with the start's work */
	stream_at(s, 0);                                             /* 0 is none */
	thing_at(s, 0);
	meanings_take(s, hub_catalog(o->hub)); /* before the rows, which refer to them */
	int err = series_load(s, why);
	if (err) {
		series_close(s);
		return err;
	}
	s->stats.damaged += side_damaged(o->side);
	series_configure(s);
	*ret = s;
	return 0;
}

void series_close(struct series *s)
{
	if (!s)
		return;
	assert(!s->started && list_empty(&s->waiting));
	names_free(s);
	meanings_free(s);
	for (uint32_t i = 0; i < s->n_sources; i++) {
		if (s->sources[i])
			free(s->sources[i]->name);
		free(s->sources[i]);
	}
	free(s->sources);
	rebuild_free(s);
	hours_cache_free(s->hours);
	free(s->places);
	details_free(s);
	free(s->news);
	free(s->touched);
	buf_done(&s->block);
	pthread_cond_destroy(&s->work);
	pthread_mutex_destroy(&s->hand);
	pthread_mutex_destroy(&s->state);
	free(s);
}

/* ---- configuration ---- */

static int64_t ms_of(uint64_t seconds)
{
	return (int64_t)seconds * 1000;
}

/* 0: for ever. */
static bool is_shorter(int64_t ms, int64_t before_ms)
{
	return ms && (!before_ms || ms < before_ms);
}

/* true: something is kept less long than before. */
static bool take_contract(struct source *src, const struct feed *f)
{
	const struct config_feed *c = f->conf;
	bool shorter =
	    src->configured && (is_shorter(ms_of(c->keep_series_s), src->keep_ms) ||
	                        is_shorter(ms_of(c->keep_rollups_s), src->keep_rollups_ms));
	src->configured = true;
	if (strcmp(src->name, c->name) != 0) {
		free(src->name);
		src->name = xstrdup(c->name);
	}
	src->follows = f->n_schemas > 0 || c->decode == CONFIG_SENML;
	src->duplicates = (enum config_duplicates)c->duplicates;
	src->max_future_ms = ms_of(c->max_future_s);
	src->max_age_ms = ms_of(c->max_age_s);
	src->keep_ms = ms_of(c->keep_series_s);
	src->keep_rollups_ms = ms_of(c->keep_rollups_s);
	src->cadence_ms = ms_of(c->cadence_s);
	src->stuck_ms = ms_of(c->stuck_after_s);
	src->skew_ms = ms_of(c->max_skew_s);
	src->keep_messages_ms = ms_of(c->keep_messages_s);
	return shorter;
}

static int name_source(void *arg, struct span name, uint32_t id)
{
	struct series *s = arg;
	struct source *src = source_of(s, id);
	if (src && !src->name[0]) { /* a feed that is not configured any more */
		free(src->name);
		src->name = xstrndup(name.p, name.n);
	}
	return 0;
}

void series_configure(struct series *s)
{
	pthread_mutex_lock(&s->state);
	pthread_mutex_lock(&s->hand);
	meanings_take(s, hub_catalog(s->hub));
	for (unsigned i = 0; i < hub_feed_count(s->hub); i++) {
		struct feed *f = hub_feed_at(s->hub, i);
		struct source *src = source_get(s, f->id);
		if (!f->ended && take_contract(src, f))
			atomic_store(&s->expiry_wanted, true);
		if (src->target < f->last) { /* what a start has to read */
			src->target = f->last;
			src->waiting = true;
		}
		f->held_after = src->durable;
	}
	s->committed = MAX_OF(s->committed, hub_last_commit(s->hub));
	s->told_commit = s->committed;
	int err = store_feed_names(s->store, name_source, s);
	assert(!err); /* name_source() never fails */
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->hand);
	pthread_mutex_unlock(&s->state);
}

/* ---- hooks ---- */

void series_record(struct series *s, const struct feed *f)
{
	struct source *src = source_of(s, f->id);
	if (!src || src->touched)
		return;
	src->touched = true;
	s->touched[s->n_touched++] = f;
}

void series_commit(struct series *s, uint64_t commit)
{
	pthread_mutex_lock(&s->hand);
	for (unsigned i = 0; i < s->n_touched; i++) {
		struct source *src = source_of(s, s->touched[i]->id);
		src->target = s->touched[i]->last;
		src->waiting = true;
		src->touched = false;
	}
	s->n_touched = 0;
	s->committed = MAX_OF(s->committed, commit);
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->hand);
	s->told_commit = MAX_OF(s->told_commit, commit);
}

static uint64_t lag(struct series *s)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < s->n_sources; i++) {
		const struct source *src = s->sources[i];
		uint64_t applied = src ? atomic_load(&src->told_applied) : 0;
		if (src && src->follows && src->target > applied)
			n += src->target - applied;
	}
	return n;
}

void series_second(struct series *s)
{
	for (unsigned i = 0; i < hub_feed_count(s->hub); i++) {
		struct feed *f = hub_feed_at(s->hub, i);
		struct source *src = source_of(s, f->id);
		if (src && src->follows)
			f->held_after = atomic_load(&src->told_durable);
		else
			f->held_after = UINT64_MAX;
	}
	if (hub_retention_held(s->hub))
		atomic_store(&s->round_wanted, true);
	uint64_t behind = lag(s);
	if (!s->throttled && behind > LIMIT_SERIES_LAG_RECORDS) {
		log_warn("The series are far behind the journal: publishers wait for them. "
		         "records=%llu",
		         (unsigned long long)behind);
		s->throttled = true;
	} else if (s->throttled && behind < LIMIT_SERIES_LAG_RECORDS / 2) {
		log_info("The series caught up with the journal.");
		s->throttled = false;
	}
	hub_throttle(s->hub, s->throttled);
	asks_second(s);
}

/* ---- figures ---- */

void series_stats(struct series *s, struct series_stats *ret)
{
	struct side_usage u = {0};
	pthread_mutex_lock(&s->state);
	*ret = s->stats;
	ret->tail_points = s->tail_points;
	ret->tail_bytes = s->tail_bytes;
	pthread_mutex_unlock(&s->state);
	ret->lag_records = lag(s);
	ret->throttling = s->throttled;
	ret->checkpoint_age_s = (clock_mono_ns(s->clock) - s->round_ended_ns) / 1000000000u;
	if (side_usage(s->side, &u) == 0) {
		ret->file_bytes = u.file_bytes;
		ret->used_bytes = u.used_bytes;
		ret->map_bytes = u.map_bytes;
	}
}

uint64_t series_names_count(struct series *s)
{
	pthread_mutex_lock(&s->state);
	uint64_t n = (uint64_t)(s->new_things ? s->new_things : s->n_things) +
	             (s->new_streams ? s->new_streams : s->n_streams);
	pthread_mutex_unlock(&s->state);
	return n;
}

int series_feed_figures(struct series *s, struct span feed, struct series_feed_figures *ret)
{
	int err = ERR_NOT_FOUND;
	pthread_mutex_lock(&s->state);
	for (uint32_t i = 0; i < s->n_sources && err; i++) {
		const struct source *src = s->sources[i];
		if (!src || !span_is(feed, src->name))
			continue;
		*ret = (struct series_feed_figures){.things = src->things,
		                                    .streams = src->streams,
		                                    .first_stored_ms = src->first_stored_ms,
		                                    .last_observed_ms = src->last_observed_ms,
		                                    .last_stored_ms = src->last_stored_ms,
		                                    .deleted = src->deleted,
		                                    .deleted_ms = src->deleted_ms};
		err = 0;
	}
	pthread_mutex_unlock(&s->state);
	return err;
}

/* ---- numbers from names ---- */

/* Under the lock; 0: there is none. */
static uint32_t find_thing(struct series *s, struct span feed, struct span organisation,
                           struct span thing)
{
	uint32_t id = 0;
	for (uint32_t i = 0; i < s->n_sources && !id; i++)
		if (s->sources[i] && span_is(feed, s->sources[i]->name))
			thing_find(s, thing_hash(s, i, organisation, thing), i, organisation, thing,
			           &id);
	return id && s->things[id].on_disk ? id : 0;
}

uint32_t series_find_thing(struct series *s, struct span feed, struct span organisation,
                           struct span thing)
{
	pthread_mutex_lock(&s->state);
	uint32_t id = find_thing(s, feed, organisation, thing);
	pthread_mutex_unlock(&s->state);
	return id;
}

struct series_spot series_find_place(struct series *s, struct span feed, struct span organisation,
                                     struct span thing)
{
	pthread_mutex_lock(&s->state);
	uint32_t id = find_thing(s, feed, organisation, thing);
	struct series_spot spot = {.known = false};
	if (id)
		spot = (struct series_spot){s->things[id].has_place, s->things[id].place.box};
	pthread_mutex_unlock(&s->state);
	return spot;
}

uint32_t series_find_stream(struct series *s, uint32_t thing_id, struct span member)
{
	uint32_t id = 0;
	pthread_mutex_lock(&s->state);
	if (thing_id && thing_id < s->n_things && !s->things[thing_id].gone)
		id = stream_find(s, &s->things[thing_id], member);
	if (id && !s->streams[id].on_disk)
		id = 0;
	pthread_mutex_unlock(&s->state);
	return id;
}
