/* sta_instant.c - what stands at a time of a Datastream or MultiDatastream, beside what is to be
 * written there; see sta_write.h. On the reader pool. */
#include "base/err.h"
#include "sta/build.h"
#include "web/sta_entity.h"
#include "web/sta_multi.h"
#include "web/sta_write.h"

static int follow_one(struct sta_find *f, struct sta_instant *i, uint32_t stream, json_t **ret)
{
	struct series_ask a = {0};
	int err = sta_at(&f->things, stream, i->ms, &a);
	if (!err) {
		struct point p = a.points.p[0];
		p.flags = 0; /* words for flags are not part of it */
		const struct series_detail *d = series_detail(&a, 0);
		*ret = sta_observation(&a.points, &p, d);
		i->feature = d ? sta_detail_feature(d->text) : 0;
		i->beside = d && sta_detail_has(d->text, STA_D_RESULT);
		i->ms = p.time_ms;
	}
	series_ask_done(&a);
	return err;
}

/* Where an Observation stands that a number is about, and what it is. */
static void follow(struct sta_find *f, struct sta_instant *i, const struct sta_found *x)
{
	struct sta_sides s = {.of = x->of, .n = x->n_sides};
	json_t *j = NULL;
	for (unsigned k = 0; k < x->n_sides; k++)
		s.stream[k] = x->side[k].number;
	int err = x->n_sides ? sta_sides_get(&f->things, &s, i->ms, true, &j, &i->ms)
	                     : follow_one(f, i, x->number, &j);
	i->stands = !err;
	i->now = err ? NULL : sta_print(j);
	if (!err)
		sta_drop(j);
}

static bool is_same(const struct series_ask *a, const struct sta_instant *i,
                    const struct sta_value *v)
{
	const struct point *p = &a->points.p[0];
	const struct series_detail *d = series_detail(a, 0);
	return v->given && p->kind == v->kind &&
	       (p->flags & POINT_CUT    ? true /* the whole is in the detail */
	        : p->kind == POINT_TEXT ? span_eq(point_text(&a->points, p), v->text)
	                                : p->number == v->number) &&
	       (!i->detail.n || /* it says nothing else */
	        sta_detail_equal(d ? d->text : (struct span){0}, i->detail));
}

/* One datastream of it. */
static void look_at(struct sta_find *f, struct sta_instant *i, uint32_t stream,
                    const struct sta_value *v)
{
	struct series_ask a;
	if (!stream) {
		i->same &= !v->given;
		return;
	}
	sta_ask_init(&f->things, &a, SERIES_RAW);
	a.id = stream;
	a.from_ms = i->ms;
	a.to_ms = i->ms + 1;
	a.rejected = true;
	a.details = true;
	if (sta_ask_one(&f->things, &a) == 0) {
		bool rejected = a.points.p[0].flags & POINT_REJECTED;
		i->rejected = rejected && (i->rejected || !i->stands);
		i->stands = true;
		i->same &= is_same(&a, i, v);
	} else {
		i->same &= !v->given;
	}
	series_ask_done(&a);
}

void sta_find_instant(struct sta_find *f, struct sta_instant *i)
{
	const struct sta_found *x = &f->one[i->stream];
	if (!x->of || i->ms > x->last_ms)
		return;
	if (i->follow) {
		follow(f, i, x);
		return;
	}
	i->stands = i->rejected = false;
	i->same = true;
	if (!x->n_sides && i->n_values)
		look_at(f, i, x->number, &i->value[0]);
	for (unsigned k = 0; k < x->n_sides && x->n_sides == i->n_values; k++)
		look_at(f, i, x->side[k].number, &i->value[k]);
	i->same &= i->stands;
}
