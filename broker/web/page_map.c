/* page_map.c - all things with their newest values: filters, a map and a table. The map is drawn
 * here as SVG; oudp.js puts a map with streets in its place, from the rows of the table. */
#include "web/page_map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 5, MAP_WIDTH = 800, MAP_HEIGHT = 500, MARGIN = 24 };
static const double DEGREE = 0.017453292519943295;

/* ---- the map ---- */

static const char *dot_class(const struct page *p, const struct map_asked *a,
                             const struct map_row *row)
{
	static const char *const classes[CLASSES] = {"dot v0", "dot v1", "dot v2", "dot v3",
	                                             "dot v4"};
	if (!row->t || page_is_silent(p, row->t))
		return "dot silent";
	if (isnan(row->value) || a->high <= a->low)
		return "dot";
	int c = (int)((row->value - a->low) / (a->high - a->low) * CLASSES);
	return classes[MIN_OF(c, CLASSES - 1)];
}

struct view { /* a plane that is near enough to the truth for a city */
	double west, north, scale, squeeze;
};

static struct view view_of(const struct map_asked *a)
{
	struct box around = {0};
	bool any = false;
	for (unsigned i = 0; i < a->n; i++) {
		if (!a->rows[i].placed)
			continue;
		around = any ? box_with(around, &a->rows[i].place) : a->rows[i].place;
		any = true;
	}
	double west = around.west_e7 / 1e7, east = around.east_e7 / 1e7,
	       south = around.south_e7 / 1e7, north = around.north_e7 / 1e7;
	double squeeze = cos((south + north) / 2 * DEGREE);
	double wide = fmax((east - west) * squeeze, 0.002), tall = fmax(north - south, 0.002);
	double scale = fmin((MAP_WIDTH - 2 * MARGIN) / wide, (MAP_HEIGHT - 2 * MARGIN) / tall);
	double x = (MAP_WIDTH / scale / squeeze - (east - west)) / 2,
	       y = (MAP_HEIGHT / scale - (north - south)) / 2;
	return (struct view){west - x, north + y, scale, squeeze};
}

/* What is around a place that is not a point; the dot is in its middle. */
static void extent(struct page *p, const struct map_row *row, const struct view *v)
{
	struct html *h = &p->h;
	const struct box *b = &row->place;
	if (box_is_point(b))
		return;
	html_open(h, "rect");
	html_attr(h, "class", "extent");
	html_attrf(h, "x", "%.1f", (b->west_e7 / 1e7 - v->west) * v->squeeze * v->scale);
	html_attrf(h, "y", "%.1f", (v->north - b->north_e7 / 1e7) * v->scale);
	html_attrf(h, "width", "%.1f",
	           ((double)b->east_e7 - b->west_e7) / 1e7 * v->squeeze * v->scale);
	html_attrf(h, "height", "%.1f", ((double)b->north_e7 - b->south_e7) / 1e7 * v->scale);
	html_close(h, "rect");
}

static void dot(struct page *p, const struct map_asked *a, const struct map_row *row,
                const struct view *v)
{
	struct html *h = &p->h;
	struct span thing = row->t ? row->t->thing : row->registered->id;
	html_open(h, "a");
	html_attr(h, "href", page_url_of(p, "/t/", thing));
	extent(p, row, v);
	html_open(h, "circle");
	html_attr(h, "class", dot_class(p, a, row));
	html_attrf(h, "cx", "%.1f", (box_lon(&row->place) - v->west) * v->squeeze * v->scale);
	html_attrf(h, "cy", "%.1f", (v->north - box_lat(&row->place)) * v->scale);
	html_attr(h, "r", "7");
	html_open(h, "title");
	html_span(h, thing);
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

static bool any_place(const struct map_asked *a)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->rows[i].placed)
			return true;
	return false;
}

static void map(struct page *p, const struct map_asked *a)
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
		if (a->rows[i].placed)
			dot(p, a, &a->rows[i], &v);
	html_close(h, "svg");
	html_close(h, "div");
}

static void legend(struct page *p, const struct map_asked *a)
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

static void feed_choice(struct page *p, const struct map_asked *a)
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

static bool was_offered(const struct page *p, const struct map_asked *a, unsigned feed,
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

static void property_choice(struct page *p, const struct map_asked *a)
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

static void near_choice(struct page *p, const struct map_asked *a)
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

static void filters(struct page *p, const struct map_asked *a)
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

static void table(struct page *p, const struct map_asked *a)
{
	struct html *h = &p->h;
	html_class(h, "table", "cards things");
	html_attr(h, "data-part", "things");
	page_thing_heads(p, !a->feed, a->near);
	html_open(h, "tbody");
	for (unsigned i = 0; i < a->n; i++) {
		const struct map_row *row = &a->rows[i];
		const double *metres = a->near ? &row->metres : NULL;
		if (row->t)
			page_thing_row(p, row->t, !a->feed, a->property, metres);
		else
			page_registered_row(p, row->registered, !a->feed, metres);
	}
	html_close(h, "tbody");
	html_close(h, "table");
}

static void tell_found(struct page *p, const struct map_asked *a)
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

static void feeds_of(const struct page *p, const struct map_asked *a, struct buf *b)
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
	struct map_asked a;
	struct page p = {.r = r};
	struct buf feeds;
	if (!page_query(r, "lang feed property near radius silent bbox") || !map_read(r, &a) ||
	    (a.silent && !page_knows_silent(r, a.feed, map_area(&a), get_map)) ||
	    !page_knows(r, a.feed, get_map))
		return;
	buf_init(&feeds, 128 << 10);
	feeds_of(&p, &a, &feeds);
	page_begin(&p, r, "Kaart", "Map", buf_str(&feeds));
	buf_done(&feeds);
	filters(&p, &a);
	map_find(&p, &a);
	map(&p, &a);
	legend(&p, &a);
	tell_found(&p, &a);
	if (a.n)
		table(&p, &a);
	free(a.rows);
	page_end(&p);
}
