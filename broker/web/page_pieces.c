/* page_pieces.c - pieces that several pages have: times, values, facts, rows of things. */
#include "web/pages.h"

#include "base/rfc3339.h"
#include "register/register.h"

#include <stdio.h>
#include <string.h>

enum { SILENT_CADENCES = 2, SILENT_S = 86400, VALUES_SHOWN = 6, POINTER_BYTES = 300 };

/* ---- text ---- */

/* Appends through a buffer of its own: words are text like any other. */
static void put(struct page *p, struct buf *text)
{
	html_span(&p->h, span_of(text->p, text->len));
	buf_done(text);
}

static struct buf text_buf(void)
{
	struct buf b;
	buf_init(&b, 4096);
	return b;
}

void page_words(struct page *p, void (*words)(struct buf *, enum language, uint64_t), uint64_t n)
{
	struct buf b = text_buf();
	words(&b, p->lang, n);
	put(p, &b);
}

void page_counts(struct page *p, const char *dutch, const char *english, uint64_t first,
                 uint64_t second)
{
	struct buf b = text_buf();
	for (const char *s = say(p, dutch, english); *s; s++) {
		if (*s != '#') {
			buf_add_char(&b, *s);
			continue;
		}
		words_count(&b, p->lang, first);
		first = second;
	}
	put(p, &b);
}

void page_member(struct page *p, struct span member)
{
	struct buf b = text_buf();
	words_member(&b, p->lang, member);
	put(p, &b);
}

void page_time(struct page *p, int64_t ms)
{
	struct html *h = &p->h;
	char utc[RFC3339_BYTES];
	rfc3339_format(ms, utc);
	html_open(h, "time");
	html_attr_span(h, "datetime", span_of(utc, sizeof(utc)));
	struct buf b = text_buf();
	words_time(&b, p->lang, ms);
	html_attr_span(h, "title", span_of(b.p, b.len));
	buf_clear(&b);
	words_ago(&b, p->lang, ms, p->now_ms);
	put(p, &b);
	html_close(h, "time");
}

void page_value(struct page *p, const struct record_result *v, struct span unit)
{
	struct html *h = &p->h;
	struct buf b = text_buf();
	bool share = v->type == EXTRACT_NUMBER && words_is_share(v->member, unit);
	switch (v->type) {
	case EXTRACT_NUMBER: words_number(&b, p->lang, v->number * (share ? 100 : 1)); break;
	case EXTRACT_STRING: buf_add_span(&b, v->text); break;
	case EXTRACT_BOOL:
		buf_add_str(&b, v->number != 0 ? say(p, "ja", "yes") : say(p, "nee", "no"));
		break;
	default: buf_add_str(&b, "–"); break;
	}
	html_open(h, "b");
	html_attr(h, "class", "value");
	if (share)
		html_attr(h, "data-factor", "100");
	put(p, &b);
	html_close(h, "b");
	b = text_buf();
	words_unit(&b, share ? SPAN("%") : unit);
	if (b.len) {
		html_text(h, " ");
		html_open(h, "span");
		html_attr(h, "class", "unit");
		html_span(h, span_of(b.p, b.len));
		html_close(h, "span");
	}
	buf_done(&b);
}

void page_fact(struct page *p, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	html_element(&p->h, "dt", NULL, name);
	html_element(&p->h, "dd", NULL, text);
}

void page_fact_link(struct page *p, const char *name, const char *url, const char *text)
{
	if (!url || !*url)
		return;
	html_element(&p->h, "dt", NULL, name);
	html_open(&p->h, "dd");
	html_link(&p->h, url, text ? text : url);
	html_close(&p->h, "dd");
}

void page_code(struct page *p, const char *label, const char *text)
{
	struct html *h = &p->h;
	html_class(h, "figure", "code");
	html_element(h, "figcaption", NULL, label);
	html_open(h, "pre");
	html_attr(h, "tabindex", "0"); /* it scrolls: reachable by keyboard */
	html_attr(h, "aria-label", label);
	html_attr(h, "role", "region");
	html_element(h, "code", NULL, text);
	html_close(h, "pre");
	html_close(h, "figure");
}

/* ---- feeds ---- */

const char *page_feed_title(const struct page *p, const struct config_feed *c)
{
	return p->lang == ENGLISH ? c->title
	       : c->alerts        ? "Meldingen"
	       : c->builtin       ? "Logboek van beheer"
	                          : c->title;
}

const char *page_feed_about(const struct page *p, const struct config_feed *c)
{
	return p->lang == ENGLISH ? c->description
	       : c->alerts        ? "Wat stilvalt, wat er weer is, waarden die vreemd zijn, en "
	                            "organisaties die ophouden."
	       : c->builtin ? "Wie wat veranderde, wie werd geweigerd, wie persoonsgegevens las."
	                    : c->description;
}

bool page_measures(const struct feed *f)
{
	return !f->conf->alerts && !f->conf->builtin;
}

const char *page_access_text(const struct page *p, int access)
{
	switch (access) {
	case CONFIG_PUBLIC: return say(p, "openbaar", "public");
	case CONFIG_RESTRICTED: return say(p, "beperkt", "restricted");
	default: return say(p, "intern", "internal");
	}
}

/* ---- things ---- */

bool page_is_silent(const struct page *p, const struct seen_thing *t)
{
	uint64_t cadence = t->feed->conf->cadence_s;
	uint64_t longest = cadence ? SILENT_CADENCES * cadence : SILENT_S;
	return p->now_ms - t->stored_ms > (int64_t)longest * 1000;
}

/* What the schema says of a result; false: nothing. */
static bool find_result(const struct page *p, const struct seen_thing *t, struct span member,
                        struct schema_result_info *ret)
{
	char id[160];
	int n =
	    snprintf(id, sizeof(id), "%.*s/%u", (int)t->schema.n, t->schema.p, t->schema_version);
	const struct schema *s =
	    n > 0 && (size_t)n < sizeof(id)
	        ? catalog_find(hub_catalog(p->r->web->hub), span_of(id, (size_t)n))
	        : NULL;
	for (unsigned i = 0; s && i < schema_result_count(s); i++) {
		*ret = schema_result_info(s, i);
		if (span_is(member, ret->member))
			return true;
	}
	return false;
}

struct span page_unit(const struct page *p, const struct seen_thing *t,
                      const struct record_result *v)
{
	struct schema_result_info info;
	if (v->type == EXTRACT_NUMBER && v->text.n)
		return v->text; /* the message says it */
	return find_result(p, t, v->member, &info) ? span_str(info.unit) : SPAN("");
}

void page_reading(struct page *p, const struct seen_thing *t, const struct record_result *v)
{
	struct schema_result_info info;
	html_attr(&p->h, "class", "reading");
	html_attr_span(&p->h, "data-member", v->member);
	if (!find_result(p, t, v->member, &info) || info.scaled)
		html_attr(&p->h, "data-scaled", "1");
}

static void values(struct page *p, const struct seen_thing *t, struct span property)
{
	struct html *h = &p->h;
	struct record_result v;
	unsigned n = 0;
	html_open(h, "td");
	html_attr(h, "class", "values");
	html_attr(h, "data-label", say(p, "Waarden", "Values"));
	for (size_t at = 0; record_next_result(&t->results, &at, &v);) {
		if (property.n && !span_eq(property, v.member))
			continue;
		if (n++ == VALUES_SHOWN)
			break;
		html_open(h, "span");
		page_reading(p, t, &v);
		html_open(h, "span");
		html_attr(h, "class", "name");
		page_member(p, v.member);
		html_close(h, "span");
		html_text(h, " ");
		page_value(p, &v, page_unit(p, t, &v));
		html_close(h, "span");
		html_text(h, " ");
	}
	if (n > VALUES_SHOWN)
		html_text(h, "…");
	html_close(h, "td");
}

bool page_place_of(const struct page *p, const struct seen_thing *t, struct box *ret)
{
	if (t->has_location) {
		*ret = t->place;
		return true;
	}
	const struct thing *x = things_find(p->r->web->things, t->organisation, t->thing);
	if (!x || !thing_entry_place(x).known || !thing_entry_is_seen(p->r, x))
		return false;
	*ret = thing_entry_place(x).place;
	return true;
}

static void place_attributes(struct page *p, const struct box *at)
{
	struct html *h = &p->h;
	html_attrf(h, "data-lat", "%.7f", box_lat(at));
	html_attrf(h, "data-lon", "%.7f", box_lon(at));
	if (!box_is_point(at))
		html_attrf(h, "data-bbox", "%.7f,%.7f,%.7f,%.7f", at->west_e7 / 1e7,
		           at->south_e7 / 1e7, at->east_e7 / 1e7, at->north_e7 / 1e7);
}

static void distance_cell(struct page *p, double metres)
{
	struct html *h = &p->h;
	struct buf b = text_buf();
	html_open(h, "td");
	html_attr(h, "data-label", say(p, "Afstand", "Distance"));
	if (metres < 0) {
		buf_add_str(&b, "–");
	} else if (metres < 1000) {
		buf_addf(&b, "%.0f m", metres);
	} else {
		char text[24];
		snprintf(text, sizeof(text), "%.1f", metres / 1000);
		for (char *c = text; *c; c++)
			*c = *c == '.' && p->lang == DUTCH ? ',' : *c;
		buf_addf(&b, "%s km", text);
	}
	put(p, &b);
	html_close(h, "td");
}

void page_thing_link(struct page *p, const struct seen_thing *t)
{
	struct html *h = &p->h;
	struct buf name = text_buf();
	const struct things *things = p->r->web->things;
	const struct thing *x =
	    things_find(things, span_str(hub_config(p->r->web->hub)->organisation), t->thing);
	bool named = page_entry_text(p, x, "name.", &name);
	html_open(h, "a");
	html_attr(h, "href", page_url_of(p, "/t/", t->thing));
	html_span(h, named ? span_of(name.p, name.len) : t->thing);
	html_close(h, "a");
	if (named) {
		html_open(h, "small");
		html_text(h, " ");
		html_span(h, t->thing);
		html_close(h, "small");
	}
	buf_done(&name);
}

void page_thing_row(struct page *p, const struct seen_thing *t, bool with_feed,
                    struct span property, const double *distance_m)
{
	struct html *h = &p->h;
	bool silent = page_is_silent(p, t);
	struct box at;
	req_read(p->r, t->feed);
	html_open(h, "tr");
	html_attr_span(h, "data-thing", t->thing);
	html_attr_span(h, "data-feed", t->feed->name);
	if (page_place_of(p, t, &at))
		place_attributes(p, &at);
	if (silent)
		html_attr(h, "class", "silent");
	html_open(h, "th");
	html_attr(h, "scope", "row");
	page_thing_link(p, t);
	html_close(h, "th");
	if (with_feed) {
		html_open(h, "td");
		html_attr(h, "data-label", say(p, "Gegevens", "Data"));
		html_link(h, page_url_of(p, "/feeds/", t->feed->name),
		          page_feed_title(p, t->feed->conf));
		html_close(h, "td");
	}
	if (distance_m)
		distance_cell(p, *distance_m);
	values(p, t, property);
	html_open(h, "td");
	html_attr(h, "class", "when");
	html_attr(h, "data-label", say(p, "Gemeten", "Measured"));
	page_time(p, t->phenomenon_ms);
	if (silent) {
		html_text(h, " ");
		html_element(h, "span", "badge warn", say(p, "stil", "silent"));
	}
	html_close(h, "td");
	html_close(h, "tr");
}

void page_cell(struct page *p, const char *dutch, const char *english)
{
	html_open(&p->h, "td");
	html_attr(&p->h, "data-label", say(p, dutch, english));
}

static void empty_cell(struct page *p, const char *class, const char *label, const char *text)
{
	html_open(&p->h, "td");
	html_attr(&p->h, "class", class);
	html_attr(&p->h, "data-label", label);
	html_text(&p->h, text);
	html_close(&p->h, "td");
}

void page_registered_row(struct page *p, const struct thing *x, bool with_feed,
                         const double *distance_m)
{
	struct html *h = &p->h;
	const struct seen_thing named = {.thing = x->id, .organisation = x->organisation};
	const struct box at = thing_entry_place(x).place;
	html_open(h, "tr");
	html_attr_span(h, "data-thing", x->id);
	html_attr(h, "data-feed", "");
	place_attributes(p, &at);
	html_attr(h, "class", "silent");
	html_open(h, "th");
	html_attr(h, "scope", "row");
	page_thing_link(p, &named);
	html_close(h, "th");
	if (with_feed)
		empty_cell(p, "", say(p, "Gegevens", "Data"), say(p, "register", "register"));
	if (distance_m)
		distance_cell(p, *distance_m);
	empty_cell(p, "values", say(p, "Waarden", "Values"), "–");
	empty_cell(p, "when", say(p, "Gemeten", "Measured"),
	           say(p, "nog geen bericht", "no message yet"));
	html_close(h, "tr");
}

void page_heads(struct page *p, const char *const *heads, unsigned n)
{
	struct html *h = &p->h;
	html_class(h, "table", "cards");
	html_open(h, "thead");
	html_open(h, "tr");
	for (unsigned i = 0; i < n; i++) {
		html_open(h, "th");
		html_attr(h, "scope", "col");
		html_text(h, heads[i]);
		html_close(h, "th");
	}
	html_close(h, "tr");
	html_close(h, "thead");
}

void page_thing_heads(struct page *p, bool with_feed, bool distance)
{
	const struct {
		bool shown;
		const char *dutch, *english;
	} heads[] = {{true, "Meetpunt", "Place"},
	             {with_feed, "Gegevens", "Data"},
	             {distance, "Afstand", "Distance"},
	             {true, "Waarden", "Values"},
	             {true, "Gemeten", "Measured"}};
	html_open(&p->h, "thead");
	html_open(&p->h, "tr");
	for (unsigned i = 0; i < ARRAY_LEN(heads); i++) {
		if (!heads[i].shown)
			continue;
		html_open(&p->h, "th");
		html_attr(&p->h, "scope", "col");
		html_text(&p->h, say(p, heads[i].dutch, heads[i].english));
		html_close(&p->h, "th");
	}
	html_close(&p->h, "tr");
	html_close(&p->h, "thead");
}
