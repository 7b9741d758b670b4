/* quality.c - flags that follow from what came before, and what is told to people.
 *
 * The newest observation of a datastream is all that is remembered, with the time since when it has
 * its value: both are in its row, so a start goes on as if there had been none. Only what is newer
 * than it is judged: late ones have no place in the order of things as it was seen then. */
#include "series/private.h"

#include <math.h>

/* The device reports live: its times follow one another as its messages do. What was kept and is
 * sent later comes faster than it was observed. */
static bool is_skewed(const struct source *from, const struct held *before,
                      const struct tail_point *p, int64_t stored_ms)
{
	if (!from->skew_ms || (p->flags & POINT_RECEIVED) || !before || !before->is_set ||
	    p->time_ms <= before->time_ms)
		return false;
	int64_t lag = stored_ms - p->time_ms, former = before->stored_ms - before->time_ms;
	int64_t apart = lag > former ? lag - former : former - lag;
	return (lag > from->skew_ms || -lag > from->skew_ms) &&
	       apart <= (p->time_ms - before->time_ms) / LIMIT_SKEW_PART;
}

static bool is_far(const struct meaning *m, double a, double b)
{
	return m->spike > 0 && fabs(a - b) > m->spike;
}

static bool is_stuck(const struct source *from, const struct meaning *m, const struct held *latest,
                     int64_t *changed_ms, const struct tail_point *p)
{
	int64_t stuck_ms = m->stuck_ms ? m->stuck_ms : from->stuck_ms;
	bool same = latest->is_set && latest->kind == POINT_NUMBER && latest->number == p->number;
	if (!same)
		*changed_ms = p->time_ms;
	return same && stuck_ms && p->time_ms - *changed_ms >= stuck_ms;
}

uint16_t quality_flags(const struct source *from, const struct meaning *m,
                       const struct held *latest, const struct held *future, int64_t *changed_ms,
                       const struct tail_point *p, int64_t stored_ms)
{
	bool ahead = p->flags & POINT_FUTURE;
	uint16_t flags = 0;
	if (is_skewed(from, ahead ? future : latest, p, stored_ms))
		flags |= POINT_SKEWED;
	if (p->kind != POINT_NUMBER)
		return flags;
	if (m->has_plausible && !(p->number >= m->low && p->number <= m->high))
		flags |= POINT_IMPLAUSIBLE;
	if (ahead || (latest->is_set && p->time_ms <= latest->time_ms))
		return flags;
	/* After a spike anything may be right: what was before it, or a new level. */
	if (latest->is_set && latest->kind == POINT_NUMBER && !(latest->flags & POINT_SPIKE) &&
	    is_far(m, p->number, latest->number))
		flags |= POINT_SPIKE;
	if (is_stuck(from, m, latest, changed_ms, p))
		flags |= POINT_STUCK;
	return flags;
}

/* ---- who is told ---- */

static void tell(struct series *s, const struct news *n)
{
	if (s->n_news < LIMIT_QUALITY_NEWS)
		s->news[s->n_news++] = *n;
	else
		s->stats.news_left_out++;
}

static void count_implausible(struct series *s, uint32_t id, const struct tail_point *p,
                              struct news *n)
{
	struct stream *st = &s->streams[id];
	st->implausible = st->implausible << 1 | !!(p->flags & POINT_IMPLAUSIBLE);
	n->share = (unsigned)__builtin_popcount(st->implausible);
	if (st->told ? n->share > LIMIT_QUALITY_BACK : n->share < LIMIT_QUALITY_SHARE)
		return;
	st->told = !st->told;
	n->kind = st->told ? NEWS_IMPLAUSIBLE : NEWS_PLAUSIBLE;
	tell(s, n);
}

void quality_news(struct series *s, uint32_t id, const struct tail_point *p,
                  const struct held *before)
{
	const struct stream *st = &s->streams[id];
	const struct meaning *m = st->meaning;
	if (p->kind != POINT_NUMBER || (!m->has_plausible && m->spike <= 0))
		return;
	struct news n = {.stream = id,
	                 .to = p->number,
	                 .spike = m->spike,
	                 .time_ms = p->time_ms,
	                 .stored_ms = st->stored_ms};
	if (m->has_plausible && ((p->flags & POINT_IMPLAUSIBLE) || st->implausible))
		count_implausible(s, id, p, &n);
	if (!before->is_set || !(before->flags & POINT_SPIKE) || (p->flags & POINT_FUTURE) ||
	    p->time_ms <= before->time_ms || is_far(m, p->number, before->number))
		return;
	n.kind = NEWS_JUMP;
	tell(s, &n);
}

size_t series_news(struct series *s, struct news *ret, size_t max)
{
	pthread_mutex_lock(&s->state);
	size_t n = MIN_OF(max, (size_t)s->n_news);
	memcpy(ret, s->news, n * sizeof(*ret));
	s->n_news -= (unsigned)n;
	memmove(s->news, s->news + n, s->n_news * sizeof(*s->news));
	pthread_mutex_unlock(&s->state);
	return n;
}
