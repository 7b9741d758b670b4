/* page_map.c - all things with their newest values: filters, a map and a table. The map is drawn
 * here as SVG; oudp.js puts a map with streets in its place, from the rows of the table. */
#include "web/pages.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_SHOWN = 200, CLASSES = 5, MAP_WIDTH = 800, MAP_HEIGHT = 500, MARGIN = 24 };
static const double EARTH_M = 6371008.8, DEGREE = 0.017453292519943295;

struct row {
	const struct seen_thing *t;
	double metres; /* from near; -1: it has no place */
	double value;  /* of the property; NAN: none */
};

struct asked {
	struct feed *feed;
	struct span property;
	bool near, silent;
	double lat, lon, radius_m; /* radius 0: any */
	struct filter filter;      /* bbox */
	struct row *rows;          /* the best ROWS_SHOWN, in order */
	unsigned n, found;
	bool more;        /* found are not all */
	double low, high; /* of the property, over the rows */
};

/* ---- asking ---- */

/* "52.0771, 4.3162": latitude first, as people write it. */
static bool read_point(struct span s, double *lat, double *lon)
{
	char text[64], end = 0;
	if (s.n == 0 || s.n >= sizeof(text))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return sscanf(text, " %lf%*[ ,;]%lf %c", lat, lon, &end) == 2 && isfinite(*lat) &&
	       isfinite(*lon) && fabs(*lat) <= 90 && fabs(*lon) <= 180;
}

static bool read_asked(struct req *r, struct asked *a)
{
	struct faults faults = {0};
	struct span v, parameter;
	*a = (struct asked){.low = INFINITY, .high = -INFINITY};
	if (query_get(&r->query, "feed", &v) && v.n) {
		a->feed = hub_feed(r->web->hub, v);
		if (!a->feed || !page_may_see(r, a->feed))
			fault(&faults, SPAN("feed"), "there is no such feed");
	}
	if (query_get(&r->query, "property", &v) && v.n <= FILTER_PROPERTY_BYTES)
		a->property = v;
	if (query_get(&r->query, "near", &v) && v.n) {
		a->near = read_point(v, &a->lat, &a->lon);
		if (!a->near)
			fault(&faults, SPAN("near"),
			      "write a latitude and a longitude: 52.0771, 4.3162");
	}
	if (query_get(&r->query, "radius", &v) && v.n) {
		uint64_t m = 0;
		if (span_to_u64(v, &m) || m > 1000000)
			fault(&faults, SPAN("radius"), "a whole number of metres, at most 1000000");
		a->radius_m = (double)m;
	}
	a->silent = query_get(&r->query, "silent", &v) && v.n;
	struct query *q = &r->query;
	if (query_get(q, "bbox", &v) && v.n) {
		const char *wrong = filter_read(q, &a->filter, &parameter);
		if (wrong)
			fault(&faults, parameter, "%s", wrong);
		a->filter.thing_n = a->filter.property_n = 0;
	}
	if (faults.n)
		problem_faults(r, 400, &faults);
	return !faults.n;
}

/* ---- finding ---- */

static double distance(double lat1, double lon1, double lat2, double lon2)
{
	double a = sin((lat2 - lat1) * DEGREE / 2), b = sin((lon2 - lon1) * DEGREE / 2);
	double c = a * a + cos(lat1 * DEGREE) * cos(lat2 * DEGREE) * b * b;
	return 2 * EARTH_M * asin(sqrt(MIN_OF(c, 1.0)));
}

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

static bool in_box(const struct filter *f, const struct seen_thing *t)
{
	struct record r = {.flags = t->has_location ? RECORD_LOCATION : 0,
	                   .lat_e7 = t->lat_e7,
	                   .lon_e7 = t->lon_e7};
	return !f->has_bbox || filter_match(f, &r);
}

static bool is_wanted(const struct page *p, const struct asked *a, const struct seen_thing *t,
                      struct row *ret)
{
	*ret = (struct row){.t = t, .metres = -1, .value = NAN};
	if (a->property.n && !value_of(t, a->property, &ret->value))
		return false;
	if (a->silent && !page_is_silent(p, t))
		return false;
	if (a->near && t->has_location)
		ret->metres = distance(a->lat, a->lon, t->lat_e7 / 1e7, t->lon_e7 / 1e7);
	if (a->radius_m > 0 && (ret->metres < 0 || ret->metres > a->radius_m))
		return false;
	return in_box(&a->filter, t);
}

/* Nearest first, else those that are silent, else the newest first. */
static bool goes_before(const struct asked *a, const struct row *x, const struct row *y)
{
	if (a->near && (x->metres < 0) != (y->metres < 0))
		return y->metres < 0;
	if (a->near && x->metres != y->metres)
		return x->metres < y->metres;
	if (a->silent)
		return x->t->stored_ms < y->t->stored_ms;
	return x->t->phenomenon_ms > y->t->phenomenon_ms;
}

static void add_row(struct asked *a, const struct row *row)
{
	a->found++;
	if (a->n == ROWS_SHOWN && !goes_before(a, row, &a->rows[a->n - 1]))
		return;
	unsigned at = a->n < ROWS_SHOWN ? a->n++ : a->n - 1;
	for (; at && goes_before(a, row, &a->rows[at - 1]); at--)
		a->rows[at] = a->rows[at - 1];
	a->rows[at] = *row;
}

static void find(const struct page *p, struct asked *a)
{
	struct web *w = p->r->web;
	struct row row;
	a->rows = xcalloc(ROWS_SHOWN, sizeof(*a->rows));
	for (unsigned i = 0; i < hub_feed_count(w->hub); i++) {
		struct feed *f = hub_feed_at(w->hub, i);
		if ((a->feed && f != a->feed) || !page_may_see(p->r, f) || !page_measures(f))
			continue;
		const struct seen_feed *sf = seen_of(&w->seen, f);
		for (unsigned k = 0; k < sf->n; k++)
			if (page_may_see_thing(p->r, sf->things[k]) &&
			    is_wanted(p, a, sf->things[k], &row))
				add_row(a, &row);
	}
	const struct seen_thing *t;
	for (unsigned i = 0; (t = page_silent_at(p->r, i, &a->more)); i++)
		if (!seen_find(&w->seen, t->feed, t->thing) && is_wanted(p, a, t, &row))
			add_row(a, &row);
	for (unsigned i = 0; i < a->n; i++)
		if (!isnan(a->rows[i].value)) {
			a->low = fmin(a->low, a->rows[i].value);
			a->high = fmax(a->high, a->rows[i].value);
		}
}

/* ---- the map ---- */

static const char *dot_class(const struct page *p, const struct asked *a, const struct row *row)
{
	static const char *const classes[CLASSES] = {"dot v0", "dot v1", "dot v2", "dot v3",
	                                             "dot v4"};
	if (page_is_silent(p, row->t))
		return "dot silent";
	if (isnan(row->value) || a->high <= a->low)
		return "dot";
	int c = (int)((row->value - a->low) / (a->high - a->low) * CLASSES);
	return classes[MIN_OF(c, CLASSES - 1)];
}

struct view { /* a plane that is near enough to the truth for a city */
	double west, north, scale, squeeze;
};

static struct view view_of(const struct asked *a)
{
	double west = 180, east = -180, south = 90, north = -90;
	for (unsigned i = 0; i < a->n; i++) {
		const struct seen_thing *t = a->rows[i].t;
		if (!t->has_location)
			continue;
		west = fmin(west, t->lon_e7 / 1e7);
		east = fmax(east, t->lon_e7 / 1e7);
		south = fmin(south, t->lat_e7 / 1e7);
		north = fmax(north, t->lat_e7 / 1e7);
	}
	double squeeze = cos((south + north) / 2 * DEGREE);
	double wide = fmax((east - west) * squeeze, 0.002), tall = fmax(north - south, 0.002);
	double scale = fmin((MAP_WIDTH - 2 * MARGIN) / wide, (MAP_HEIGHT - 2 * MARGIN) / tall);
	double x = (MAP_WIDTH / scale / squeeze - (east - west)) / 2,
	       y = (MAP_HEIGHT / scale - (north - south)) / 2;
	return (struct view){west - x, north + y, scale, squeeze};
}

static void dot(struct page *p, const struct asked *a, const struct row *row, const struct view *v)
{
	struct html *h = &p->h;
	const struct seen_thing *t = row->t;
	html_open(h, "a");
	html_attr(h, "href", page_url_of(p, "/t/", t->thing));
	html_open(h, "circle");
	html_attr(h, "class", dot_class(p, a, row));
	html_attrf(h, "cx", "%.1f", (t->lon_e7 / 1e7 - v->west) * v->squeeze * v->scale);
	html_attrf(h, "cy", "%.1f", (v->north - t->lat_e7 / 1e7) * v->scale);
	html_attr(h, "r", "7");
	html_open(h, "title");
	html_span(h, t->thing);
	if (!isnan(row->value)) {
		struct buf b;
		buf_init(&b, 64);
		buf_add_str(&b, ": ");
		words_number(&b, p->lang, row->value);
		html_span(h, span_of(b.p, b.len));
		buf_done(&b);
	}
	html_close(h, "title");
	html_close(h, "circle");
	html_close(h, "a");
}

static bool any_place(const struct asked *a)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->rows[i].t->has_location)
			return true;
	return false;
}

static void map(struct page *p, const struct asked *a)
{
	const struct config *c = hub_config(p->r->web->hub);
	struct html *h = &p->h;
	if (!any_place(a))
		return;
	struct view v = view_of(a);
	html_class(h, "div", "map");
	html_attr(h, "id", "map");
	html_attr(h, "data-tiles", c->map_tiles);
	html_attr(h, "data-attribution", c->map_attribution);
	html_open(h, "svg");
	html_attrf(h, "viewBox", "0 0 %d %d", MAP_WIDTH, MAP_HEIGHT);
	html_attr(h, "role", "group");
	html_attr(
	    h, "aria-label",
	    say(p, "Kaart van de meetpunten, het noorden boven", "Map of the places, north is up"));
	for (unsigned i = a->n; i-- > 0;) /* the first of the table lies on top */
		if (a->rows[i].t->has_location)
			dot(p, a, &a->rows[i], &v);
	html_close(h, "svg");
	html_close(h, "div");
}

static void legend(struct page *p, const struct asked *a)
{
	struct html *h = &p->h;
	struct buf b;
	if (!(a->high > a->low))
		return;
	html_class(h, "p", "legend");
	for (int i = 0; i < CLASSES; i++) {
		double from = a->low + (a->high - a->low) * i / CLASSES;
		html_open(h, "span");
		html_attrf(h, "class", "key v%d", i);
		html_close(h, "span");
		buf_init(&b, 64);
		buf_add_str(&b, say(p, "vanaf ", "from "));
		words_number(&b, p->lang, from);
		buf_add_char(&b, ' ');
		html_span(h, span_of(b.p, b.len));
		buf_done(&b);
	}
	html_close(h, "p");
}

/* ---- filters ---- */

static void option(struct page *p, struct span value, bool chosen)
{
	html_open(&p->h, "option");
	html_attr_span(&p->h, "value", value);
	html_flag_if(&p->h, chosen, "selected");
}

static void feed_choice(struct page *p, const struct asked *a)
{
	struct html *h = &p->h;
	struct hub *hub = p->r->web->hub;
	html_open(h, "label");
	html_text(h, say(p, "Gegevens", "Data"));
	html_open(h, "select");
	html_attr(h, "name", "feed");
	option(p, SPAN(""), !a->feed);
	html_text(h, say(p, "alles", "everything"));
	html_close(h, "option");
	for (unsigned i = 0; i < hub_feed_count(hub); i++) {
		const struct feed *f = hub_feed_at(hub, i);
		if (!page_may_see(p->r, f) || !page_measures(f))
			continue;
		option(p, f->name, f == a->feed);
		html_text(h, page_feed_title(p, f->conf));
		html_close(h, "option");
	}
	html_close(h, "select");
	html_close(h, "label");
}

static bool was_offered(const struct page *p, const struct asked *a, unsigned feed,
                        const char *member)
{
	struct web *w = p->r->web;
	for (unsigned i = 0; i < feed; i++) {
		struct feed *f = hub_feed_at(w->hub, i);
		const struct seen_feed *sf = seen_of(&w->seen, f);
		if ((a->feed && f != a->feed) || !page_may_see(p->r, f))
			continue;
		for (unsigned k = 0; k < sf->n_members; k++)
			if (strcmp(sf->members[k], member) == 0)
				return true;
	}
	return false;
}

static void property_choice(struct page *p, const struct asked *a)
{
	struct html *h = &p->h;
	struct web *w = p->r->web;
	html_open(h, "label");
	html_text(h, say(p, "Wat", "What"));
	html_open(h, "select");
	html_attr(h, "name", "property");
	option(p, SPAN(""), !a->property.n);
	html_text(h, say(p, "alles", "everything"));
	html_close(h, "option");
	for (unsigned i = 0; i < hub_feed_count(w->hub); i++) {
		struct feed *f = hub_feed_at(w->hub, i);
		const struct seen_feed *sf = seen_of(&w->seen, f);
		if ((a->feed && f != a->feed) || !page_may_see(p->r, f))
			continue;
		for (unsigned k = 0; k < sf->n_members; k++) {
			struct span m = span_str(sf->members[k]);
			if (was_offered(p, a, i, sf->members[k]))
				continue;
			option(p, m, span_eq(m, a->property));
			page_member(p, m);
			html_close(h, "option");
		}
	}
	html_close(h, "select");
	html_close(h, "label");
}

static void near_choice(struct page *p, const struct asked *a)
{
	const struct config *c = hub_config(p->r->web->hub);
	struct html *h = &p->h;
	struct span near = SPAN("");
	(void)query_get(&p->r->query, "near", &near);
	html_open(h, "label");
	html_open(h, "span");
	html_attr(h, "data-plain", say(p, "Dicht bij een adres", "Near an address"));
	html_text(h, say(p, "Dicht bij (breedte, lengte)", "Near (latitude, longitude)"));
	html_close(h, "span");
	html_void(h, "input");
	html_attr(h, "name", "near");
	html_attr(h, "size", "22");
	html_attr(h, "maxlength", "120");
	html_attr(h, "autocomplete", "off");
	html_attr(h, "placeholder", "52.0771, 4.3162");
	html_attr(h, "data-search", c->address_search);
	html_attr_span(h, "value", near);
	html_close(h, "label");
	html_open(h, "label");
	html_attr(h, "class", "tick");
	html_void(h, "input");
	html_attr(h, "type", "checkbox");
	html_attr(h, "name", "silent");
	html_attr(h, "value", "1");
	html_flag_if(h, a->silent, "checked");
	html_text(h, " ");
	html_text(h, say(p, "alleen stille", "only silent ones"));
	html_close(h, "label");
}

static void filters(struct page *p, const struct asked *a)
{
	struct html *h = &p->h;
	html_open(h, "form");
	html_attr(h, "class", "filters");
	html_attr(h, "method", "get");
	html_attr(h, "action", "/map");
	if (p->lang_given) {
		html_void(h, "input");
		html_attr(h, "type", "hidden");
		html_attr(h, "name", "lang");
		html_attr(h, "value", language_code(p->lang));
	}
	feed_choice(p, a);
	property_choice(p, a);
	near_choice(p, a);
	html_open(h, "button");
	html_text(h, say(p, "Toon", "Show"));
	html_close(h, "button");
	html_close(h, "form");
}

/* ---- the page ---- */

static void table(struct page *p, const struct asked *a)
{
	struct html *h = &p->h;
	html_class(h, "table", "cards things");
	html_attr(h, "data-part", "things");
	page_thing_heads(p, !a->feed, a->near);
	html_open(h, "tbody");
	for (unsigned i = 0; i < a->n; i++)
		page_thing_row(p, a->rows[i].t, !a->feed, a->property,
		               a->near ? &a->rows[i].metres : NULL);
	html_close(h, "tbody");
	html_close(h, "table");
}

static void tell_found(struct page *p, const struct asked *a)
{
	struct html *h = &p->h;
	html_class(h, "p", "found");
	html_attr(h, "data-part", "found");
	if (!a->found)
		html_text(h, a->silent ? say(p, "Niets is stil: alles meet zoals afgesproken.",
		                             "Nothing is silent: everything measures as agreed.")
		                       : say(p, "Niets gevonden.", "Nothing was found."));
	else if (a->found == 1)
		html_text(h, say(p, "Eén meetpunt.", "One place."));
	else if (a->more)
		page_counts(p, "De eerste # van meer dan # meetpunten.",
		            "The first # of more than # places.", a->n, a->found);
	else if (a->found > a->n)
		page_counts(p, "De eerste # van # meetpunten.", "The first # of # places.", a->n,
		            a->found);
	else
		page_counts(p, "# meetpunten.", "# places.", a->found, 0);
	html_text(h, " ");
	html_text(h,
	          say(p,
	              "Stil is: langer geen bericht dan twee keer het afgesproken ritme, of een "
	              "dag waar geen ritme is afgesproken.",
	              "Silent means: no message for twice the agreed cadence, or for a day where "
	              "none is agreed."));
	html_close(h, "p");
}

static void feeds_of(const struct page *p, const struct asked *a, struct buf *b)
{
	struct hub *hub = p->r->web->hub;
	for (unsigned i = 0; i < hub_feed_count(hub); i++) {
		const struct feed *f = hub_feed_at(hub, i);
		if ((a->feed && f != a->feed) || !page_may_see(p->r, f))
			continue;
		if (b->len)
			buf_add_char(b, ' ');
		buf_add_span(b, f->name);
	}
}

void get_map(struct req *r)
{
	struct asked a;
	struct page p = {.r = r};
	struct buf feeds;
	if (!page_query(r, "lang feed property near radius silent bbox") || !read_asked(r, &a) ||
	    (a.silent && !page_knows_silent(r, a.feed, get_map)) || !page_knows(r, a.feed, get_map))
		return;
	buf_init(&feeds, 128 << 10);
	feeds_of(&p, &a, &feeds);
	page_begin(&p, r, "Kaart", "Map", buf_str(&feeds));
	buf_done(&feeds);
	filters(&p, &a);
	find(&p, &a);
	map(&p, &a);
	legend(&p, &a);
	tell_found(&p, &a);
	if (a.n)
		table(&p, &a);
	free(a.rows);
	page_end(&p);
}
