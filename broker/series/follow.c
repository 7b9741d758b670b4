/* follow.c - the thread: reads the journal behind the commits, decides when memory goes to disk.
 *
 * It works in pieces: some blocks of the journal, then one transaction of a round if there is one
 * under way, then a piece of retention when nothing else is to do. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "series/private.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { APPLY_SLICE_NS = 20000000, IDLE_MS = 500, STUCK_MS = 20, RETRY_NS = 1000000000 };

/* ---- the journal ---- */

/* Copied, so that no lock is held while pages come from the disk. */
static int copy_record(void *arg, uint64_t sequence, struct span record)
{
	struct block *b = arg;
	uint32_t n = (uint32_t)record.n;
	if (sequence > b->goal)
		return 1;
	if (sequence > b->next)
		b->missing += b->from->applied ? sequence - b->next : 0; /* a new reader: no loss */
	b->next = sequence + 1;
	buf_add(&b->s->block, &n, sizeof(n));
	buf_add_span(&b->s->block, record);
	return b->s->block.err;
}

int block_read(struct block *b)
{
	uint64_t next;
	buf_clear(&b->s->block);
	return store_read(b->s->store, b->from->id, b->next, LIMIT_SERIES_BLOCK_BYTES, copy_record,
	                  b, &next);
}

static bool is_same_thing(const struct record *a, const struct record *b)
{
	return span_eq(a->thing, b->thing) && span_eq(a->organisation, b->organisation);
}

/* The next records of the block, at most THINGS_PREFETCHED; moves *at behind them. */
static unsigned read_few(const struct series *s, uint32_t feed, size_t *at, struct record *out,
                         uint32_t *hashes, uint64_t *damaged)
{
	unsigned n = 0;
	while (n < THINGS_PREFETCHED && *at < s->block.len) {
		uint32_t size;
		memcpy(&size, s->block.p + *at, sizeof(size));
		if (record_read(span_of(s->block.p + *at + sizeof(size), size), true, &out[n]) ==
		    0) {
			hashes[n] = n && is_same_thing(&out[n], &out[n - 1])
			                ? hashes[n - 1]
			                : thing_hash(s, feed, out[n].organisation, out[n].thing);
			n++;
		} else {
			++*damaged;
		}
		*at += sizeof(size) + size;
	}
	return n;
}

uint64_t block_each(struct series *s, struct source *from,
                    void (*each)(struct series *, struct source *, const struct record *, uint32_t))
{
	struct record r[THINGS_PREFETCHED];
	uint32_t hashes[THINGS_PREFETCHED];
	uint64_t damaged = 0, read = 0;
	size_t at = 0;
	pthread_mutex_lock(&s->state);
	while (at < s->block.len) {
		unsigned n = read_few(s, from->id, &at, r, hashes, &damaged);
		things_prefetch(s, hashes, n);
		for (unsigned i = 0; i < n; i++)
			each(s, from, &r[i], hashes[i]);
		read += n;
	}
	s->stats.damaged += damaged;
	if (damaged)
		log_warn("Records of the journal failed their checksum and are not in the series. "
		         "feed=%s records=%llu",
		         from->name, (unsigned long long)damaged);
	pthread_mutex_unlock(&s->state);
	return read + damaged;
}

static int read_block(struct series *s, struct source *from)
{
	struct block b = {.s = s, .from = from, .next = from->applied + 1, .goal = from->goal};
	int err = block_read(&b);
	if (err)
		return err;
	s->applied_records += block_each(s, from, apply_record);
	if (b.next == from->applied + 1) { /* nothing is left up to the goal */
		b.missing += from->applied ? from->goal - from->applied : 0;
		b.next = from->goal + 1;
	}
	from->applied = MIN_OF(b.next - 1, from->goal);
	atomic_store(&from->told_applied, from->applied);
	if (!b.missing)
		return 0;
	pthread_mutex_lock(&s->state);
	log_warn("The journal was trimmed before the series had read it: observations are missing "
	         "there. feed=%s records=%llu",
	         from->name, (unsigned long long)b.missing);
	s->stats.gap_records += b.missing;
	pthread_mutex_unlock(&s->state);
	return 0;
}

/* What was committed when it was looked at; true: something is to do. */
static uint64_t take_goals(struct series *s)
{
	pthread_mutex_lock(&s->hand);
	uint64_t commit = s->committed;
	for (uint32_t i = 0; i < s->n_sources; i++) {
		struct source *src = s->sources[i];
		if (!src || !src->waiting)
			continue;
		src->waiting = false;
		src->goal = MAX_OF(src->goal, src->target);
	}
	pthread_mutex_unlock(&s->hand);
	return commit;
}

static bool memory_full(const struct series *s)
{
	return s->tail_bytes >= LIMIT_SERIES_TAIL_BYTES || s->n_places >= LIMIT_SERIES_PLACES ||
	       details_full(s);
}

/* 1: it worked and there may be more, 0: up to date, or an error. */
static int apply_some(struct series *s)
{
	uint64_t until = clock_mono_ns(s->clock) + APPLY_SLICE_NS;
	uint64_t commit = s->taken_commit = take_goals(s);
	bool worked = false;
	for (uint32_t i = 0; i < s->n_sources; i++) {
		struct source *src = s->sources[i];
		while (src && src->applied < src->goal) {
			if (!src->follows) {
				src->applied = src->goal;
				atomic_store(&src->told_applied, src->applied);
				break;
			}
			if (memory_full(s))
				return worked;
			int err = read_block(s, src);
			if (err)
				return err;
			worked = true;
			if (clock_mono_ns(s->clock) >= until)
				return 1;
		}
	}
	int err = flush_names(s);
	if (err)
		return err;
	if (commit > atomic_load(&s->applied_commit)) {
		atomic_store(&s->applied_commit, commit);
		asks_wake(s);
	}
	return worked;
}

/* ---- the disk ---- */

static uint64_t interval_ns(struct series *s, uint64_t now)
{
	int64_t ms = (int64_t)LIMIT_SERIES_CHECKPOINT_S * 1000;
	if (now < s->interval_next_ns)
		return s->interval_ns;
	s->interval_next_ns = now + 1000000000u;
	pthread_mutex_lock(&s->state);
	for (uint32_t i = 0; i < s->n_sources; i++) {
		const struct source *src = s->sources[i];
		if (src && src->follows && src->keep_messages_ms)
			ms = MIN_OF(ms, MAX_OF(src->keep_messages_ms / 4, 1000));
	}
	pthread_mutex_unlock(&s->state);
	s->interval_ns = (uint64_t)ms * 1000000u;
	return s->interval_ns;
}

static bool round_due(struct series *s, uint64_t now)
{
	uint64_t records = s->applied_records - s->round.records;
	if (atomic_exchange(&s->round_wanted, false) ||
	    s->tail_bytes >= LIMIT_SERIES_TAIL_BYTES / 2 || s->n_places >= LIMIT_SERIES_PLACES / 2)
		return true;
	return records && (records >= LIMIT_SERIES_CHECKPOINT_RECORDS ||
	                   now - s->round_ended_ns >= interval_ns(s, now));
}

static void disk_failed(struct series *s, int err, uint64_t now)
{
	pthread_mutex_lock(&s->state);
	bool first = !s->stats.full;
	s->stats.full = true;
	pthread_mutex_unlock(&s->state);
	s->retry_ns = now + RETRY_NS;
	if (err == ERR_STORE_IO) {
		atomic_store(&s->failed, err);
		asks_wake(s);
		return;
	}
	if (first)
		log_warn("The series cannot be written: %s. They are kept in memory, and when that "
		         "is full publishers wait. Make room on the disk or raise series-size.",
		         err_text(err));
}

static void disk_worked(struct series *s)
{
	pthread_mutex_lock(&s->state);
	bool was = s->stats.full;
	s->stats.full = false;
	pthread_mutex_unlock(&s->state);
	if (was)
		log_info("The series are written again.");
}

/* One transaction of a round; false: none was to do. */
static bool flush_some(struct series *s)
{
	uint64_t now = clock_mono_ns(s->clock);
	bool due = false;
	int err = 0;
	if (now < s->retry_ns)
		return false;
	if (s->n_details >= LIMIT_SERIES_DETAILS / 2)
		err = details_write(s);
	if (!s->round.running && !err) {
		due = round_due(s, now);
		if (due)
			flush_begin_round(s);
	}
	if (!err && !s->round.running)
		return false;
	if (!err)
		err = flush_names(s); /* a datastream's row never without its thing's */
	err = err ? err : flush_step(s);
	if (err < 0) {
		disk_failed(s, err, now);
		return false;
	}
	disk_worked(s);
	return true;
}

bool series_work(struct series *s)
{
	uint64_t now = clock_mono_ns(s->clock);
	int applied = 0;
	if (atomic_load(&s->failed))
		return false;
	amends_work(s);
	if (now >= s->retry_ns || !(s->new_things || s->new_streams))
		applied = apply_some(s);
	if (applied < 0) {
		disk_failed(s, applied, now);
		applied = 0;
	}
	bool flushed = flush_some(s);
	bool rebuilt = rebuild_step(s);
	if (applied || flushed || rebuilt)
		return true;
	return now >= s->retry_ns && expire_step(s);
}

int series_flush(struct series *s)
{
	int err = flush_names(s);
	if (err)
		return err;
	for (int i = 0; i < 2; i++) { /* what a round under way passed over takes another one */
		if (!s->round.running)
			flush_begin_round(s);
		while ((err = flush_step(s)) == 0)
			;
		if (err < 0)
			return err;
	}
	return 0;
}

/* ---- the thread ---- */

enum { FOLLOW_NICE = 10 };

/* false: it is over. */
static bool wait_for_work(struct series *s)
{
	struct timespec until;
	bool stuck = s->taken_commit > atomic_load(&s->applied_commit); /* memory and disk full */
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (stuck ? STUCK_MS : IDLE_MS) * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&s->hand);
	int rc = 0;
	while (!s->stopping && !s->corrections_first && !s->rebuild_wanted && rc == 0 &&
	       (stuck || s->committed <= atomic_load(&s->applied_commit)))
		rc = pthread_cond_timedwait(&s->work, &s->hand, &until);
	bool stopping = s->stopping;
	pthread_mutex_unlock(&s->hand);
	return !stopping;
}

static bool is_stopping(struct series *s)
{
	pthread_mutex_lock(&s->hand);
	bool stopping = s->stopping;
	pthread_mutex_unlock(&s->hand);
	return stopping;
}

static void *thread_main(void *arg)
{
	struct series *s = arg;
	/* Behind the loop and the writer, who have somebody waiting for an answer; on Linux this is
	 * of the thread alone. When it falls back for long, publishers wait:
	 * LIMIT_SERIES_LAG_RECORDS. */
	(void)setpriority(PRIO_PROCESS, 0, FOLLOW_NICE);
	while (series_work(s) ? !is_stopping(s) : wait_for_work(s))
		;
	return NULL;
}

int series_start(struct series *s)
{
	sigset_t all, before;
	assert(!s->started && s->runner.post);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = -pthread_create(&s->thread, NULL, thread_main, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	s->started = err == 0;
	return err;
}

void series_stop(struct series *s)
{
	if (s->started) {
		pthread_mutex_lock(&s->hand);
		s->stopping = true;
		pthread_cond_signal(&s->work);
		pthread_mutex_unlock(&s->hand);
		pthread_join(s->thread, NULL);
		s->started = false;
		uint64_t until =
		    clock_mono_ns(s->clock) + (uint64_t)LIMIT_SERIES_STOP_S * 1000000000u;
		bool more = true;
		for (int round = 0; more && round < 2;) {
			if (atomic_load(&s->failed) || clock_mono_ns(s->clock) >= until)
				break;
			if (!s->round.running)
				flush_begin_round(s);
			int err = flush_names(s);
			err = err ? err : flush_step(s);
			more = err >= 0;
			round += err == 1;
		}
	}
	asks_end(s);
}
