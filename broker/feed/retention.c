/* retention.c - deletes what a feed need not keep: by age, by size, by an administrator's word, and
 * the oldest rows of the quarantine. Always on the writer, in steps of LIMIT_TRIM_RECORDS between
 * the commits. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "feed/hub_private.h"

#include <stdlib.h>

/* ---- an administrator's trim ---- */

struct trim {
	struct job job;
	struct hub *hub;
	struct feed *feed;
	uint64_t before, first;
	int64_t deleted;
	int step;
	void (*done)(void *arg, int64_t deleted);
	void *arg;
};

static void trim_work(struct job *j)
{
	struct trim *t = container_of(j, struct trim, job);
	t->step =
	    store_trim(t->hub->store, t->feed->id, t->before, LIMIT_TRIM_RECORDS, true, &t->first);
}

static void trimmed(struct hub *h, struct feed *f, uint64_t first)
{
	if (first <= f->first)
		return;
	f->first = first;
	block_forget(h, f);
	if (h->hooks.trimmed)
		h->hooks.trimmed(h->hooks.arg, f, first);
}

static void trim_done(struct job *j)
{
	struct trim *t = container_of(j, struct trim, job);
	if (t->step > 0) {
		t->deleted += t->step;
		trimmed(t->hub, t->feed, t->first);
		t->hub->runner.writer(t->hub->runner.arg, &t->job);
		return;
	}
	t->done(t->arg, t->step < 0 && !t->deleted ? t->step : t->deleted);
	free(t);
}

void hub_trim(struct hub *h, struct feed *f, uint64_t before,
              void (*done)(void *arg, int64_t deleted), void *arg)
{
	struct trim *t = xcalloc(1, sizeof(*t));
	*t = (struct trim){.job = {.work = trim_work, .done = trim_done},
	                   .hub = h,
	                   .feed = f,
	                   .done = done,
	                   .arg = arg};
	t->before = MIN_OF(before, f->last + 1); /* what is in flight is not for deleting */
	h->runner.writer(h->runner.arg, &t->job);
}

/* ---- by age and size, one feed at a time ---- */

struct sweep {
	struct job job;
	struct hub *hub;
	struct feed *feed; /* NULL: the unrouted quarantine */
	uint32_t feed_id;
	uint64_t first, last; /* of the log when the step began; last: that may go */
	bool has_log;
	int64_t keep_from_ms; /* 0: no bound by age */
	uint64_t bytes_max, rows_max;
	uint64_t new_first;
	int deleted, rows;
	bool held; /* more would go, but for held_after */
};

struct age_scan {
	int64_t keep_from_ms;
	uint64_t before;
	unsigned n;
};

static int older(void *arg, uint64_t sequence, struct span record)
{
	struct age_scan *a = arg;
	struct record r;
	if (record_read(record, false, &r) || r.stored_ms >= a->keep_from_ms ||
	    a->n++ == LIMIT_TRIM_RECORDS)
		return 1;
	a->before = sequence + 1;
	return 0;
}

static void sweep_log(struct sweep *s)
{
	uint64_t before = 0, records, bytes, next;
	if (s->keep_from_ms) {
		struct age_scan a = {.keep_from_ms = s->keep_from_ms};
		if (store_read(s->hub->store, s->feed_id, s->first, SIZE_MAX, older, &a, &next) ==
		    0)
			before = a.before;
	}
	if (!before && s->bytes_max &&
	    store_feed_bytes(s->hub->store, s->feed_id, &records, &bytes) == 0 &&
	    bytes > s->bytes_max && records > 1) {
		/* About as many as are over, by the mean size. */
		uint64_t over = (bytes - s->bytes_max) / (bytes / records + 1) + 1;
		before = s->first + MIN_OF(over, (uint64_t)LIMIT_TRIM_RECORDS);
	}
	s->held = before > s->last + 1;
	if (before)
		s->deleted = store_trim(s->hub->store, s->feed_id, MIN_OF(before, s->last + 1),
		                        LIMIT_TRIM_RECORDS, false, &s->new_first);
}

static void sweep_work(struct job *j)
{
	struct sweep *s = container_of(j, struct sweep, job);
	if (s->feed && s->has_log)
		sweep_log(s);
	uint8_t prefix[4] = {(uint8_t)(s->feed_id >> 24), (uint8_t)(s->feed_id >> 16),
	                     (uint8_t)(s->feed_id >> 8), (uint8_t)s->feed_id};
	s->rows =
	    store_trim_table(s->hub->store, STORE_QUARANTINE, span_of((const char *)prefix, 4),
	                     (unsigned)s->rows_max, LIMIT_TRIM_RECORDS);
}

static void sweep_next(struct hub *h, struct sweep *s);

static void sweep_done(struct job *j)
{
	struct sweep *s = container_of(j, struct sweep, job);
	struct hub *h = s->hub;
	h->retention_held |= s->held;
	if (s->deleted > 0)
		trimmed(h, s->feed, s->new_first);
	if (s->rows > 0 && !s->feed)
		h->stats.unrouted_rows -= MIN_OF((uint64_t)s->rows, h->stats.unrouted_rows);
	if (s->rows > 0 && s->feed)
		s->feed->count.quarantine_rows -=
		    MIN_OF((uint64_t)s->rows, s->feed->count.quarantine_rows);
	if (s->deleted <= 0 && s->rows <= 0)
		h->retention_at++; /* nothing more here */
	sweep_next(h, s);
}

static void sweep_next(struct hub *h, struct sweep *s)
{
	while (h->retention_at < h->n_feeds && h->feeds[h->retention_at]->ended)
		h->retention_at++;
	/* At the end the writer takes no more: a step that it never ran would be lost. */
	if (h->retention_at > h->n_feeds || h->intake_closed) {
		h->retention_running = false;
		free(s);
		return;
	}
	*s = (struct sweep){.hub = h, .job = {.work = sweep_work, .done = sweep_done}};
	s->rows_max = h->config->unrouted_max;
	if (h->retention_at < h->n_feeds) {
		struct feed *f = h->feeds[h->retention_at];
		s->feed = f;
		s->feed_id = f->id;
		s->first = f->first;
		s->last = MIN_OF(f->last, f->held_after);
		s->has_log = f->first <= f->last;
		s->rows_max = f->conf->quarantine_max;
		s->bytes_max = f->conf->keep_messages_max_bytes;
		if (f->conf->keep_messages_s)
			s->keep_from_ms =
			    clock_wall_ms(h->clock) - (int64_t)f->conf->keep_messages_s * 1000;
	}
	h->runner.writer(h->runner.arg, &s->job);
}

bool hub_retention_held(struct hub *h)
{
	bool held = h->retention_held;
	h->retention_held = false;
	return held;
}

void hub_retention(struct hub *h)
{
	uint64_t now = clock_mono_ns(h->clock);
	block_idle(h, now);
	if (h->retention_running || now < h->retention_next_ns || h->full || h->intake_closed)
		return;
	h->retention_next_ns = now + (uint64_t)LIMIT_RETENTION_PASS_S * 1000000000u;
	h->retention_running = true;
	h->retention_at = 0;
	sweep_next(h, xcalloc(1, sizeof(struct sweep)));
}
