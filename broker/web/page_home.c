/* page_home.c - the first page: all feeds that may be seen, and whether they live. */
#include "web/pages.h"

#include <string.h>

static unsigned readers(const struct web *w, const struct feed *f)
{
	unsigned n = 0;
	list_for_each (it, &w->lives) {
		const struct live *l = list_entry(it, struct live, node);
		n += l->feed == f && l->kind != LIVE_PAGE;
	}
	return n;
}

static void count_cell(struct page *p, const char *dutch, const char *english, uint64_t n)
{
	page_cell(p, dutch, english);
	html_attr(&p->h, "class", "number");
	page_words(p, words_count, n);
	html_close(&p->h, "td");
}

static void feed_row(struct page *p, struct feed *f)
{
	struct html *h = &p->h;
	struct web *w = p->r->web;
	uint64_t cadence = f->conf->cadence_s;
	bool silent =
	    f->last_stored_ms && cadence && p->now_ms - f->last_stored_ms > 2000 * (int64_t)cadence;
	html_open(h, "tr");
	html_attr_span(h, "data-feed", f->name);
	html_open(h, "th");
	html_attr(h, "scope", "row");
	html_link(h, page_url_of(p, "/feeds/", f->name), page_feed_title(p, f->conf));
	html_text(h, " ");
	html_element(h, "span", f->conf->access == CONFIG_PUBLIC ? "badge open" : "badge",
	             page_access_text(p, f->conf->access));
	const char *about = page_feed_about(p, f->conf);
	if (*about)
		html_element(h, "p", "about", about);
	html_close(h, "th");
	page_cell(p, "Laatste bericht", "Last message");
	if (f->last_stored_ms)
		page_time(p, f->last_stored_ms);
	else
		html_text(h, say(p, "nog geen", "none yet"));
	if (silent) {
		html_text(h, " ");
		html_element(h, "span", "badge warn", say(p, "stil", "silent"));
	}
	html_close(h, "td");
	count_cell(p, "Per minuut", "Per minute", seen_per_minute(&w->seen, f));
	count_cell(p, "Meetpunten", "Places", page_measures(f) ? seen_of(&w->seen, f)->n : 0);
	count_cell(p, "Geweigerd", "Refused", f->count.quarantine_rows);
	count_cell(p, "Kijken mee", "Watching", readers(w, f));
	html_close(h, "tr");
}

static void heads(struct page *p)
{
	static const char *const words[][3] = {
	    {"Gegevens", "Data", NULL},
	    {"Laatste bericht", "Last message", NULL},
	    {"Per minuut", "Per minute", "number"},
	    {"Meetpunten", "Places", "number"},
	    {"Geweigerd", "Refused", "number"},
	    {"Kijken mee", "Watching", "number"},
	};
	html_open(&p->h, "thead");
	html_open(&p->h, "tr");
	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		html_open(&p->h, "th");
		html_attr(&p->h, "scope", "col");
		if (words[i][2])
			html_attr(&p->h, "class", words[i][2]);
		html_text(&p->h, say(p, words[i][0], words[i][1]));
		html_close(&p->h, "th");
	}
	html_close(&p->h, "tr");
	html_close(&p->h, "thead");
}

void get_home(struct req *r)
{
	struct page p;
	unsigned n = 0;
	if (!page_query(r, "lang") || !page_knows(r, NULL, get_home))
		return;
	page_begin(&p, r, "Gegevens van nu", "Data of this moment", "");
	html_element(
	    &p.h, "p", "lead",
	    say(&p,
	        "Wat sensoren in de stad meten, op het moment dat zij het meten. Kies een "
	        "onderwerp om te zien wat er wordt gemeten, waarom, en hoe u de gegevens "
	        "zelf ontvangt.",
	        "What sensors in the city measure, at the moment they measure it. Choose a "
	        "subject to see what is measured, why, and how to receive the data "
	        "yourself."));
	html_class(&p.h, "table", "cards feeds");
	html_attr(&p.h, "id", "feeds");
	html_attr(&p.h, "data-part", "feeds");
	heads(&p);
	html_open(&p.h, "tbody");
	for (unsigned i = 0; i < hub_feed_count(r->web->hub); i++) {
		struct feed *f = hub_feed_at(r->web->hub, i);
		if (!page_may_see(r, f))
			continue;
		feed_row(&p, f);
		n++;
	}
	html_close(&p.h, "tbody");
	html_close(&p.h, "table");
	if (!n)
		html_element(&p.h, "p", "none",
		             say(&p, "Hier is niets dat zonder aanmelden te zien is.",
		                 "There is nothing here that can be seen without signing in."));
	page_end(&p);
}
