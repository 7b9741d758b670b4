/* page_map_find.c - which things the map shows: what the newest messages tell, what is silent for
 * longer, and what stands in the register and sent nothing yet. Where an area is asked for, those
 * near it are looked at, by the indexes of places (web/seen.h, register/register.h). */
#include "web/page_map.h"

#include "base/mem.h"
#include "register/register.h"
#include "web/where.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { RADIUS_MAX_M = 1000000 };

/* ---- asking ---- */

/* "52.0771, 4.3162": latitude first, as people write it. */
static bool read_point(struct span s, int32_t *lon_e7, int32_t *lat_e7)
{
	char text[64], end = 0;
	double lat, lon;
	if (s.n == 0 || s.n >= sizeof(text))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (sscanf(text, " %lf%*[ ,;]%lf %c", &lat, &lon, &end) != 2 || !(fabs(lat) <= 90) ||
	    !(fabs(lon) <= 180))
		return false;
	*lon_e7 = (int32_t)lround(lon * 1e7);
	*lat_e7 = (int32_t)lround(lat * 1e7);
	return true;
}

static void read_near(const struct req *r, struct map_asked *a, struct faults *faults)
{
	struct span v;
	uint64_t m = 0;
	if (query_get(&r->query, "near", &v) && v.n) {
		a->near = read_point(v, &a->lon_e7, &a->lat_e7);
		if (!a->near)
			fault(faults, SPAN("near"),
			      "write a latitude and a longitude: 52.0771, 4.3162");
	}
	if (query_get(&r->query, "radius", &v) && v.n && (span_to_u64(v, &m) || m > RADIUS_MAX_M))
		fault(faults, SPAN("radius"), "a whole number of metres, at most %d", RADIUS_MAX_M);
	if (a->near && m)
		a->radius = (struct shape){.kind = SHAPE_RADIUS,
		                           .lon_e7 = a->lon_e7,
		                           .lat_e7 = a->lat_e7,
		                           .radius_m = (double)m};
}

bool map_read(struct req *r, struct map_asked *a)
{
	struct faults faults = {0};
	struct span v;
	*a = (struct map_asked){.low = INFINITY, .high = -INFINITY};
	if (query_get(&r->query, "feed", &v) && v.n) {
		a->feed = hub_feed(r->web->hub, v);
		if (!a->feed || !page_may_see(r, a->feed))
			fault(&faults, SPAN("feed"), "there is no such feed");
	}
	if (query_get(&r->query, "property", &v) && v.n <= FILTER_PROPERTY_BYTES)
		a->property = v;
	read_near(r, a, &faults);
	a->silent = query_get(&r->query, "silent", &v) && v.n;
	if (query_get(&r->query, "bbox", &v) && v.n && !where_bbox(v, NULL, &a->bbox))
		fault(&faults, SPAN("bbox"), "bbox is not minlon,minlat,maxlon,maxlat in degrees");
	if (faults.n)
		problem_faults(r, 400, &faults);
	return !faults.n;
}

const struct shape *map_area(const struct map_asked *a)
{
	return a->radius.kind == SHAPE_EVERYWHERE ? &a->bbox : &a->radius;
}

/* ---- one thing ---- */

static bool value_of(const struct seen_thing *t, struct span property, double *ret)
{
	struct record_result v;
	*ret = NAN;
	for (size_t at = 0; record_next_result(&t->results, &at, &v);)
		if (span_eq(v.member, property)) {
			if (v.type == EXTRACT_NUMBER)
				*ret = v.number;
			return true;
		}
	return false;
}

/* Where it is: is that asked for? */
static bool place_fits(const struct map_asked *a, struct map_row *row)
{
	row->metres = a->near && row->placed ? box_metres(&row->place, a->lon_e7, a->lat_e7) : -1;
	const struct box *at = row->placed ? &row->place : NULL;
	return shape_takes(&a->bbox, at) && shape_takes(&a->radius, at);
}

static bool is_wanted(const struct page *p, const struct map_asked *a, const struct seen_thing *t,
                      struct map_row *ret)
{
	*ret = (struct map_row){.t = t, .value = NAN};
	if (a->property.n && !value_of(t, a->property, &ret->value))
		return false;
	if (a->silent && !page_is_silent(p, t))
		return false;
	if (a->near || map_area(a)->kind != SHAPE_EVERYWHERE) /* else of those that are shown */
		ret->placed = page_place_of(p, t, &ret->place);
	return place_fits(a, ret);
}

/* ---- the best of them ---- */

/* Nearest first, else those that are silent, else the newest first; what sent nothing is last. */
static bool goes_before(const struct map_asked *a, const struct map_row *x, const struct map_row *y)
{
	if (a->near && (x->metres < 0) != (y->metres < 0))
		return y->metres < 0;
	if (a->near && x->metres != y->metres)
		return x->metres < y->metres;
	if (!x->t || !y->t)
		return x->t && !y->t;
	if (a->silent)
		return x->t->stored_ms < y->t->stored_ms;
	return x->t->phenomenon_ms > y->t->phenomenon_ms;
}

static void add_row(struct map_asked *a, const struct map_row *row)
{
	a->found++;
	if (a->n == MAP_ROWS && !goes_before(a, row, &a->rows[a->n - 1]))
		return;
	unsigned at = a->n < MAP_ROWS ? a->n++ : a->n - 1;
	for (; at && goes_before(a, row, &a->rows[at - 1]); at--)
		a->rows[at] = a->rows[at - 1];
	a->rows[at] = *row;
}

/* ---- finding ---- */

struct finding {
	const struct page *p;
	struct map_asked *a;
};

static bool is_asked(const struct finding *g, const struct feed *f)
{
	return (!g->a->feed || f == g->a->feed) && page_may_see(g->p->r, f) && page_measures(f);
}

static void take(void *arg, const struct seen_thing *t)
{
	const struct finding *g = arg;
	struct map_row row;
	if (page_may_see_thing(g->p->r, t) && is_wanted(g->p, g->a, t, &row))
		add_row(g->a, &row);
}

/* What a registered thing sent without telling a place. */
static void take_placeless(struct finding *g, const struct thing *x)
{
	struct web *w = g->p->r->web;
	for (unsigned i = 0; i < x->n_seen; i++) {
		const struct feed *f = hub_feed_at(w->hub, x->seen[i].feed);
		const struct seen_thing *t = is_asked(g, f) ? seen_find(&w->seen, f, x->id) : NULL;
		if (t && !t->has_location && span_eq(t->organisation, x->organisation))
			take(g, t);
	}
}

/* What stands in the register and sent nothing yet. */
static void take_registered(const struct finding *g, const struct thing *x)
{
	const struct map_asked *a = g->a;
	struct map_row row = {.registered = x, .placed = true, .value = NAN};
	if (x->n_seen || a->feed || a->property.n || a->silent || x->entry.state == ENTRY_ENDED ||
	    !thing_entry_is_seen(g->p->r, x))
		return;
	row.place = thing_entry_place(x).place;
	if (place_fits(a, &row))
		add_row(g->a, &row);
}

/* each: what sent something without a place was looked at already. */
static void find_registered(struct finding *g, const struct thing *const *near, unsigned n,
                            bool each)
{
	for (unsigned i = 0; i < n; i++) {
		if (!near[i]->registered || !near[i]->entry.has_location)
			continue;
		if (!each)
			take_placeless(g, near[i]);
		take_registered(g, near[i]);
	}
}

static void find_each(struct finding *g, const struct feed *f, bool placeless)
{
	const struct seen_feed *sf = seen_of(&g->p->r->web->seen, f);
	for (unsigned k = 0; k < sf->n; k++)
		if (placeless || sf->things[k]->has_location)
			take(g, sf->things[k]);
}

static void find_silent(struct finding *g)
{
	struct web *w = g->p->r->web;
	const struct seen_thing *t;
	struct map_row row;
	for (unsigned i = 0; (t = page_silent_at(g->p->r, i, &g->a->more)); i++)
		if (!seen_find(&w->seen, t->feed, t->thing) && is_wanted(g->p, g->a, t, &row))
			add_row(g->a, &row);
}

void map_find(const struct page *p, struct map_asked *a)
{
	struct finding g = {p, a};
	struct web *w = p->r->web;
	const struct shape *area = map_area(a);
	const struct thing *near[LIMIT_THINGS_NEAR];
	unsigned n_near = 0;
	bool everywhere = area->kind == SHAPE_EVERYWHERE,
	     few = w->things && things_near(w->things, area, (struct span){0}, near, &n_near);
	a->rows = xcalloc(MAP_ROWS, sizeof(*a->rows));
	for (unsigned i = 0; i < hub_feed_count(w->hub); i++) {
		const struct feed *f = hub_feed_at(w->hub, i);
		if (!is_asked(&g, f))
			continue;
		if (everywhere || !few)
			find_each(&g, f, true);
		else if (!seen_near(&w->seen, f, area, take, &g))
			find_each(&g, f, false);
	}
	if (few)
		find_registered(&g, near, n_near, everywhere);
	find_silent(&g);
	for (unsigned i = 0; i < a->n; i++) {
		struct map_row *row = &a->rows[i];
		if (row->t && !row->placed)
			row->placed = page_place_of(p, row->t, &row->place);
		if (!isnan(row->value)) {
			a->low = fmin(a->low, row->value);
			a->high = fmax(a->high, row->value);
		}
	}
}
