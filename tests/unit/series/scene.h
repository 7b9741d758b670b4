/* scene.h - a broker with series, on fake time and without threads; and the simplest thing that
 * could be right: all observations in one list, searched from end to end. Included by one .c per
 * test program. */
#ifndef TESTS_SERIES_SCENE_H
#define TESTS_SERIES_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/broker.h"

#include "base/limits.h"
#include "base/rfc3339.h"
#include "series/engine.h"

#include <math.h>

struct scene {
	struct broker b;
	struct side *side;
	struct series *series;
	/* the register, see struct series_options */
	bool (*registered)(void *arg, struct span organisation, struct span thing, struct box *ret);
	void *registered_arg;
};

/* ---- the broker ---- */

static inline void scene_record(void *arg, struct feed *f, const struct record *r)
{
	struct scene *x = arg;
	sessions_record(x->b.sessions, f, r);
	series_record(x->series, f);
}
static inline void scene_commit(void *arg, uint64_t commit)
{
	series_commit(((struct scene *)arg)->series, commit);
}
static inline void scene_room(void *arg)
{
	sessions_room(((struct scene *)arg)->b.sessions);
}
static inline void scene_abandoned(void *arg, struct feed *f, const struct record *r)
{
	ingest_abandoned(((struct scene *)arg)->b.ingest, f, r);
}

static inline void scene_pool(void *arg UNUSED, struct job *j)
{
	j->work(j);
	j->done(j);
}

static inline int scene_try_series(struct scene *x, char *why, size_t size)
{
	struct buf text;
	struct side_options so = {
	    .data_dir = x->b.dir, .map_bytes = 256u << 20, .check = series_row_is_whole};
	store_id(x->b.store, so.store_id);
	int err = side_open(&so, &x->side, why, size);
	if (err)
		return err;
	struct series_options o = {.hub = x->b.hub,
	                           .side = x->side,
	                           .runner = {.pool = scene_pool},
	                           .registered = x->registered,
	                           .registered_arg = x->registered_arg};
	buf_init(&text, 4096);
	err = series_open(&o, &x->series, &text);
	snprintf(why, size, "%s", buf_str(&text));
	buf_done(&text);
	if (err)
		side_close(x->side);
	return err;
}

static inline void scene_series(struct scene *x)
{
	char why[512] = "";
	struct hub_hooks hooks = {.arg = x,
	                          .room = scene_room,
	                          .record = scene_record,
	                          .abandoned = scene_abandoned,
	                          .commit = scene_commit};
	if (scene_try_series(x, why, sizeof(why)))
		fail_msg("series: %s", why);
	hub_set_hooks(x->b.hub, &hooks);
}

static inline void scene_open(struct scene *x, const char *conf)
{
	*x = (struct scene){0};
	broker_open(&x->b, conf);
	scene_series(x);
}

/* Commits what there is and lets the series follow. */
static inline void scene_turn(struct scene *x)
{
	broker_turn(&x->b);
	while (series_work(x->series))
		;
	series_second(x->series);
}

static inline void scene_lose(struct scene *x) /* what is in memory only */
{
	series_close(x->series);
	side_close(x->side);
}

/* As by kill -9, between two commits: memory is gone, the journal and the series' disk stay. */
static inline void scene_crash(struct scene *x)
{
	broker_turn(&x->b);
	struct broker *b = &x->b;
	char clean[128];
	scene_lose(x);
	snprintf(clean, sizeof(clean), "%s/series/clean", b->dir);
	unlink(clean); /* nobody closed it */
	struct hub_hooks none = {.arg = b, .room = broker_room, .record = broker_record};
	hub_set_hooks(b->hub, &none);
	broker_restart(b);
	scene_series(x);
	while (series_work(x->series))
		;
}

static inline void scene_close(struct scene *x)
{
	struct hub_hooks none = {.arg = &x->b, .room = broker_room, .record = broker_record};
	broker_turn(&x->b);
	scene_lose(x);
	hub_set_hooks(x->b.hub, &none);
	broker_close(&x->b);
}

enum { SCENE_ANSWERS = 4096 };
static bool scene_stored[SCENE_ANSWERS]; /* by answer, since somebody set the number to 0 */
static unsigned scene_answers;
static inline void scene_answer(const struct answer *a, int err)
{
	if (a->verdict != VERDICT_STORED && a->verdict != VERDICT_DUPLICATE)
		fail_msg("not stored: %s", a->reason ? a->reason : "");
	if (scene_answers < SCENE_ANSWERS)
		scene_stored[scene_answers++] = !err && a->verdict == VERDICT_STORED;
}

static inline void scene_put(struct scene *x, const char *topic, const char *payload)
{
	while (broker_put(&x->b, topic, payload, scene_answer) == ERR_AGAIN)
		scene_turn(x);
}

static inline const char *scene_time(int64_t ms)
{
	static char text[4][RFC3339_BYTES + 1];
	static unsigned at;
	char *t = text[at++ % 4];
	rfc3339_format(ms, t);
	t[RFC3339_BYTES] = '\0';
	return t;
}

/* ---- asking: all steps ---- */

static inline uint32_t scene_thing(struct scene *x, const char *feed, const char *thing)
{
	struct span organisation = span_str(x->b.config->organisation);
	uint32_t id = series_find_thing(x->series, span_str(feed), organisation, span_str(thing));
	return id ? id : series_find_thing(x->series, span_str(feed), SPAN(""), span_str(thing));
}

static inline uint32_t scene_stream(struct scene *x, const char *feed, const char *thing,
                                    const char *member)
{
	uint32_t id = scene_thing(x, feed, thing);
	return id ? series_find_stream(x->series, id, span_str(member)) : 0;
}

/* The whole answer of a raw question, in pages of limit; each page is a question of its own. */
static inline void scene_raw(struct scene *x, struct series_ask ask, size_t limit,
                             struct points *ret)
{
	struct series_cursor at = {0};
	bool more = true;
	unsigned steps = 0;
	points_init(ret, SIZE_MAX);
	while (more) {
		struct series_ask a = ask;
		a.what = SERIES_RAW;
		a.limit = limit;
		a.cursor = at;
		assert_int_equal(series_step(x->series, &a), 0);
		assert_true(a.points.n <= limit || !limit);
		for (size_t i = 0; i < a.points.n; i++)
			assert_int_equal(points_copy(ret, &a.points, &a.points.p[i]), 0);
		at = a.cursor;
		more = a.more;
		series_ask_done(&a);
		assert_true(++steps < 100000);
	}
}

#endif
