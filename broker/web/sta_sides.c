/* sta_sides.c - datastreams read side by side: their observations of one time are one Observation
 * of a MultiDatastream, its results in the order of the datastreams, null where one has none of
 * that time; of several of one time the first. */
#include "base/err.h"
#include "sta/build.h"
#include "sta/detail.h"
#include "web/sta_entity.h"
#include "web/sta_multi.h"

#include <stdlib.h>

struct side {
	struct series_ask ask;
	size_t at;
	bool end;
};

struct reading {
	const struct sta_things *t;
	struct side side[LIMIT_STA_MULTI];
	unsigned n;
	size_t later; /* rows of each step but the first */
	bool plain;
};

struct about {             /* of an Observation */
	int64_t number_ms; /* of the time that it first had */
	unsigned flags;
};

int64_t sta_sides_id(const struct sta_sides *s, int64_t ms)
{
	if (s->of < 0)
		return sta_multi_id((uint32_t)-s->of, ms);
	return s->of ? MAX_OF(sta_timed_id((uint32_t)s->of, ms), 0) : 0;
}

enum { FIRST_ROWS = 100 }; /* of a step of each: a page begins soon */

static void reading_free(struct reading *r)
{
	for (unsigned i = 0; r && i < r->n; i++)
		series_ask_done(&r->side[i].ask);
	free(r);
}

static struct reading *reading_new(const struct sta_things *t, const struct sta_sides *s,
                                   int64_t from_ms, int64_t to_ms, bool descending)
{
	struct reading *r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->t = t;
	r->n = s->n;
	for (unsigned i = 0; i < s->n; i++) {
		struct side *x = &r->side[i];
		sta_ask_init(t, &x->ask, SERIES_RAW);
		x->end = !s->stream[i];
		x->ask.id = s->stream[i];
		x->ask.descending = descending;
		x->ask.from_ms = MAX_OF(from_ms, 0);
		x->ask.to_ms = to_ms == INT64_MAX ? SERIES_TIME_MAX : to_ms + 1;
		x->ask.details = x->ask.stored = true;
		x->ask.limit = FIRST_ROWS;
	}
	r->later = s->n ? MAX_OF((size_t)LIMIT_SERIES_STEP_ROWS / s->n, (size_t)FIRST_ROWS) : 0;
	return r;
}

/* The point that comes next, NULL at the end of a side. */
static const struct point *head(struct reading *r, struct side *s, int *err)
{
	while (!*err && !s->end && s->at == s->ask.points.n) {
		s->end = !sta_ask_step(r->t, &s->ask, err);
		s->at = 0;
		s->ask.limit = r->later;
		if (*err == ERR_NOT_FOUND) { /* it may not be seen, or has gone */
			s->end = true;
			*err = 0;
		}
	}
	return *err || s->end ? NULL : &s->ask.points.p[s->at];
}

static bool next_time(struct reading *r, bool descending, int64_t *ret, int *err)
{
	bool any = false;
	for (unsigned i = 0; i < r->n; i++) {
		const struct point *p = head(r, &r->side[i], err);
		if (p && (!any || (descending ? p->time_ms > *ret : p->time_ms < *ret))) {
			*ret = p->time_ms;
			any = true;
		}
	}
	return any && !*err;
}

static void pass(struct reading *r, int64_t ms, int *err)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct point *p;
		while ((p = head(r, &r->side[i], err)) && p->time_ms == ms)
			r->side[i].at++;
	}
}

static void add_result(json_t *row, const struct side *s, const struct point *p)
{
	if (!p)
		sta_last_null(row);
	else if (p->kind == POINT_NUMBER)
		sta_last_number(row, p->number);
	else if (p->kind == POINT_BOOL)
		sta_last_truth(row, p->number != 0);
	else
		sta_last_text(row, point_text(&s->ask.points, p));
}

/* The results of one time, the heads that have it. */
static json_t *row_of(struct reading *r, int64_t ms, struct about *about, int *err)
{
	json_t *j = sta_object(), *row = sta_array(), *quality;
	struct span detail = {0};
	uint32_t stored_s = 0; /* of the one that came last */
	*about = (struct about){.number_ms = ms};
	sta_time(j, "phenomenonTime", ms);
	sta_null(j, "resultTime");
	for (unsigned i = 0; i < r->n; i++) {
		struct side *s = &r->side[i];
		const struct point *p = head(r, s, err);
		p = p && p->time_ms == ms ? p : NULL;
		add_result(row, s, p);
		const struct series_detail *d = p ? series_detail(&s->ask, s->at) : NULL;
		if (p) {
			about->flags |= p->flags;
			stored_s = MAX_OF(stored_s, p->stored_s);
		}
		if (d && d->number_ms != ms) /* one that moved here keeps its number */
			about->number_ms = d->number_ms;
		if (d && d->text.n && !detail.n)
			detail = d->text;
	}
	sta_put(j, "result", row);
	if (stored_s && !r->plain)
		sta_time(j, "storedTime", (int64_t)stored_s * 1000);
	quality = r->plain ? NULL : sta_quality(about->flags);
	if (quality)
		sta_put(j, "resultQuality", quality);
	if (detail.n)
		sta_detail_show(j, detail);
	return j;
}

/* ---- one ---- */

static int read_at(const struct sta_things *t, const struct sta_sides *s, int64_t ms, bool plain,
                   struct about *about, json_t **ret)
{
	struct reading *r = reading_new(t, s, ms, ms, false);
	int64_t first;
	int err = r ? 0 : ERR_AGAIN;
	*ret = NULL;
	if (err)
		return err;
	r->plain = plain;
	if (next_time(r, false, &first, &err))
		*ret = row_of(r, ms, about, &err);
	reading_free(r);
	if (!err && !*ret)
		return ERR_NOT_FOUND;
	if (err)
		sta_drop(*ret);
	return err;
}

/* Where it went that stood at that time. */
static int moved(const struct sta_things *t, const struct sta_sides *s, int64_t *ms)
{
	int err = ERR_NOT_FOUND;
	for (unsigned i = 0; i < s->n && err == ERR_NOT_FOUND; i++)
		if (s->stream[i])
			err = series_moved(t->series, s->stream[i], *ms, ms);
	return err;
}

int sta_sides_get(const struct sta_things *t, const struct sta_sides *s, int64_t ms, bool plain,
                  json_t **ret, int64_t *ret_ms)
{
	int64_t at_ms = ms;
	struct about about;
	int err = ERR_NOT_FOUND;
	for (unsigned k = 0; k < 2 && err == ERR_NOT_FOUND; k++) {
		if (k && (err = moved(t, s, &at_ms)))
			return err;
		err = read_at(t, s, at_ms, plain, &about, ret);
		if (!err && about.number_ms != ms) {
			sta_drop(*ret);
			err = ERR_NOT_FOUND;
		}
	}
	if (!err && ret_ms)
		*ret_ms = at_ms;
	return err;
}

/* ---- all ---- */

/* The token is the time of the last one. */
static int span_of_list(const struct sta_list *l, int64_t *from, int64_t *to)
{
	int64_t ms;
	*from = l->from_ms;
	*to = l->to_ms;
	if (!l->token.n)
		return 0;
	if (l->token.n != sizeof(ms))
		return ERR_MALFORMED;
	memcpy(&ms, l->token.p, sizeof(ms));
	if (ms < 0 || ms >= INT64_MAX - 1)
		return ERR_MALFORMED;
	if (l->descending)
		*to = MIN_OF(*to, ms - 1);
	else
		*from = MAX_OF(*from, ms + 1);
	return 0;
}

int sta_sides_walk(const struct sta_things *t, const struct sta_sides *s, const struct sta_list *l,
                   sta_visit *visit, void *arg)
{
	int64_t from, to, ms;
	int rc = 0, err = span_of_list(l, &from, &to);
	if (err || from > to)
		return err;
	struct reading *r = reading_new(t, s, from, to, l->descending);
	err = r ? 0 : ERR_AGAIN;
	for (unsigned i = 0; r && l->want && i < r->n; i++)
		r->side[i].ask.limit = MIN_OF(l->want, (size_t)FIRST_ROWS);
	while (!err && !rc && next_time(r, l->descending, &ms, &err)) {
		struct about about;
		json_t *j = row_of(r, ms, &about, &err);
		int64_t id = sta_sides_id(s, about.number_ms);
		if (!err && id)
			rc = visit(arg, id, j, span_of((const char *)&ms, sizeof(ms)));
		sta_drop(j);
		if (!rc)
			pass(r, ms, &err);
	}
	reading_free(r);
	return err ? err : rc;
}

int sta_sides_count(const struct sta_things *t, const struct sta_sides *s, const struct sta_list *l,
                    uint64_t *add)
{
	int64_t ms;
	int err = 0;
	if (l->from_ms > l->to_ms || !s->of)
		return 0;
	struct reading *r = reading_new(t, s, l->from_ms, l->to_ms, false);
	if (!r)
		return ERR_AGAIN;
	r->later = LIMIT_SERIES_STEP_POINTS / MAX_OF(r->n, 1u); /* nothing is made of them */
	for (unsigned i = 0; i < r->n; i++)
		r->side[i].ask.details = false;
	while (next_time(r, false, &ms, &err)) {
		*add += sta_sides_id(s, ms) != 0;
		pass(r, ms, &err);
	}
	reading_free(r);
	return err;
}

/* ---- what the series knows ---- */

void sta_sides_figures(const struct sta_things *t, const struct sta_sides *s, json_t *multi)
{
	int64_t first_ms = 0, last_ms = 0;
	bool any = false;
	for (unsigned i = 0; i < s->n; i++) {
		struct series_ask a;
		sta_ask_init(t, &a, SERIES_STREAMS);
		a.filter.stream_id = s->stream[i];
		if (s->stream[i] && sta_ask_one(t, &a) == 0 && a.streams[0].count) {
			const struct series_stream *x = &a.streams[0];
			json_t *one = any ? NULL : sta_datastream(x, t->base_url);
			first_ms = any ? MIN_OF(first_ms, x->first_ms) : x->first_ms;
			last_ms = any ? MAX_OF(last_ms, x->last_ms) : x->last_ms;
			if (one) {
				sta_copy(multi, one, "observedArea");
				sta_copy(sta_properties(multi), sta_properties(one),
				         "schema cadenceSeconds retrievableSince firstStored "
				         "lastStored");
			}
			sta_drop(one);
			any = true;
		}
		series_ask_done(&a);
	}
	if (any)
		sta_interval(multi, "phenomenonTime", first_ms, last_ms);
}
