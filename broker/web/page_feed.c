/* page_feed.c - one feed: its contract in plain words, its newest values, how to subscribe. */
#include "web/pages.h"

#include <string.h>

enum { ROWS_SHOWN = 25, CHARTS = 4 };

static struct buf text_buf(void)
{
	struct buf b;
	buf_init(&b, 16 << 10);
	return b;
}

/* ---- the contract ---- */

static void sizes(struct page *p, const struct config_feed *c)
{
	struct buf b = text_buf();
	if (c->keep_messages_s)
		words_duration(&b, p->lang, c->keep_messages_s);
	else
		buf_add_str(&b, say(p, "onbeperkt in tijd", "without a limit in time"));
	page_fact(p, say(p, "Terug te lezen", "Can be read back"), buf_str(&b));
	buf_clear(&b);
	if (c->cadence_s) {
		buf_add_str(&b, say(p, "minstens elke ", "at least every "));
		words_duration(&b, p->lang, c->cadence_s);
		page_fact(p, say(p, "Hoe vaak", "How often"), buf_str(&b));
	}
	buf_done(&b);
}

static void schema_links(struct page *p, const struct config_feed *c)
{
	struct html *h = &p->h;
	html_element(h, "dt", NULL, say(p, "Vorm van een bericht", "Form of a message"));
	html_open(h, "dd");
	for (char **s = c->schemas; *s; s++) {
		struct span id = config_schema(*s, NULL);
		if (s != c->schemas)
			html_text(h, ", ");
		if (span_is(id, "any")) {
			html_text(h, say(p, "vrij: wordt niet nagekeken", "free: not checked"));
			continue;
		}
		html_open(h, "a");
		html_attr(h, "href", page_url(p, "/schemas/%.*s", (int)id.n, id.p));
		html_span(h, id);
		html_close(h, "a");
	}
	html_close(h, "dd");
}

static const char *licence_name(const char *url)
{
	static const char *const known[][2] = {
	    {"creativecommons.org/publicdomain/zero/1.0", "CC0 1.0"},
	    {"creativecommons.org/licenses/by/4.0", "CC BY 4.0"},
	    {"creativecommons.org/licenses/by-sa/4.0", "CC BY-SA 4.0"},
	    {"creativecommons.org/publicdomain/mark/1.0", "Public Domain Mark"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(known); i++)
		if (strstr(url, known[i][0]))
			return known[i][1];
	return url;
}

static const char *contact_text(const char *contact)
{
	return strncmp(contact, "mailto:", 7) == 0 ? contact + 7 : contact;
}

static void contract(struct page *p, const struct feed *f)
{
	const struct config_feed *c = f->conf;
	struct html *h = &p->h;
	bool address = strstr(c->contact, "://") || strncmp(c->contact, "mailto:", 7) == 0;
	html_class(h, "section", "card");
	html_element(h, "h2", NULL, say(p, "Afspraken", "What is agreed"));
	html_class(h, "dl", "facts");
	page_fact(p, say(p, "Doel", "Purpose"), c->purpose);
	page_fact(p, say(p, "Grondslag", "Legal ground"), c->legal_ground);
	page_fact(p, say(p, "Persoonsgegevens", "Personal data"),
	          c->personal_data ? say(p, "ja", "yes") : say(p, "nee", "no"));
	page_fact_link(p, say(p, "Effectbeoordeling (DPIA)", "Impact assessment (DPIA)"), c->dpia,
	               NULL);
	page_fact(p, say(p, "Toegang", "Access"), page_access_text(p, c->access));
	page_fact_link(p, say(p, "Licentie", "Licence"), c->licence, licence_name(c->licence));
	sizes(p, c);
	schema_links(p, c);
	if (address)
		page_fact_link(p, say(p, "Vragen", "Questions"), c->contact,
		               contact_text(c->contact));
	else
		page_fact(p, say(p, "Vragen", "Questions"), c->contact);
	html_close(h, "dl");
	html_close(h, "section");
}

/* ---- now ---- */

static int newest_first(const void *a, const void *b)
{
	const struct seen_thing *x = *(struct seen_thing *const *)a,
	                        *y = *(struct seen_thing *const *)b;
	return x->sequence < y->sequence ? 1 : x->sequence > y->sequence ? -1 : 0;
}

/* The newest of all, in a bounded list kept in order. */
static unsigned newest(const struct req *r, const struct seen_feed *sf,
                       const struct seen_thing **out, unsigned max)
{
	unsigned n = 0;
	for (unsigned i = 0; i < sf->n; i++) {
		const struct seen_thing *t = sf->things[i];
		if (!page_may_see_thing(r, t) || (n == max && newest_first(&t, &out[n - 1]) > 0))
			continue;
		unsigned at = n < max ? n++ : n - 1;
		for (; at && newest_first(&t, &out[at - 1]) < 0; at--)
			out[at] = out[at - 1];
		out[at] = t;
	}
	return n;
}

static void signs(struct page *p, const struct feed *f, const struct seen_feed *sf)
{
	struct html *h = &p->h;
	const struct {
		const char *dutch, *english;
		uint64_t n;
	} counts[] = {
	    {"berichten per minuut", "messages per minute", seen_per_minute(&p->r->web->seen, f)},
	    {"meetpunten", "places", sf->n},
	    {"berichten terug te lezen", "messages to read back", f->last + 1 - f->first},
	    {"geweigerd", "refused", f->count.quarantine_rows},
	};
	html_class(h, "ul", "signs");
	html_attr(h, "data-part", "signs");
	html_open(h, "li");
	html_open(h, "b");
	if (f->last_stored_ms)
		page_time(p, f->last_stored_ms);
	else
		html_text(h, say(p, "nog geen", "none yet"));
	html_close(h, "b");
	html_text(h, " ");
	html_text(h, say(p, "laatste bericht", "last message"));
	html_close(h, "li");
	for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
		html_open(h, "li");
		html_open(h, "b");
		page_words(p, words_count, counts[i].n);
		html_close(h, "b");
		html_text(h, " ");
		html_text(h, say(p, counts[i].dutch, counts[i].english));
		html_close(h, "li");
	}
	html_close(h, "ul");
}

/* Of this feed: what one sent, or all for who administers it. */
static void refused(struct page *p, const struct feed *f)
{
	if (!p->r->who.administrator && !p->r->who.principal)
		return;
	html_open(&p->h, "p");
	html_link(&p->h, page_url_of(p, "/refusals?feed=", f->name),
	          say(p, "Wat is geweigerd, en waarom", "What was refused, and why"));
	html_close(&p->h, "p");
}

static void latest(struct page *p, const struct feed *f, const struct seen_feed *sf)
{
	const struct seen_thing *shown[ROWS_SHOWN];
	struct html *h = &p->h;
	unsigned n = newest(p->r, sf, shown, ROWS_SHOWN);
	html_open(h, "section");
	html_element(h, "h2", NULL, say(p, "Nu", "Now"));
	if (!n) {
		html_element(h, "p", "none",
		             say(p, "Er is nog niets gemeten.", "Nothing has been measured yet."));
		html_close(h, "section");
		return;
	}
	html_class(h, "table", "cards things");
	html_attr(h, "data-part", "things");
	page_thing_heads(p, false, false);
	html_open(h, "tbody");
	for (unsigned i = 0; i < n; i++)
		page_thing_row(p, shown[i], false, (struct span){0}, NULL);
	html_close(h, "tbody");
	html_close(h, "table");
	html_open(h, "p");
	if (sf->n > n)
		page_counts(p, "De # nieuwste van #. ", "The newest # of #. ", n, sf->n);
	html_link(h, page_url(p, "/map?feed=%.*s", (int)f->name.n, f->name.p),
	          say(p, "Alle meetpunten op de kaart", "All places on the map"));
	html_close(h, "p");
	html_close(h, "section");
}

/* Of the things that were seen first and still send, so that the page stays as it is. */
static void charts(struct page *p, const struct seen_feed *sf, const struct chart_span *c)
{
	const struct seen_thing *shown[CHARTS];
	unsigned n = 0;
	for (unsigned i = 0; i < sf->n && n < CHARTS; i++)
		if (page_may_see_thing(p->r, sf->things[i]) && !page_is_silent(p, sf->things[i]))
			shown[n++] = sf->things[i];
	page_charts(p, SPAN("feed"), shown, n, CHARTS, c);
}

void get_feed_page(struct req *r)
{
	struct page p;
	struct feed *f = param_feed(r, ACCESS_READ);
	char name[80];
	if (!f || !page_query(r, "lang last") || !page_knows(r, f, get_feed_page))
		return;
	const struct chart_span *c = page_chart_span(r, f->conf->cadence_s);
	if (!c)
		return;
	assert(f->name.n < sizeof(name));
	memcpy(name, f->name.p, f->name.n);
	name[f->name.n] = '\0';
	page_init(&p, r); /* the title is in the language of the page */
	const char *title = page_feed_title(&p, f->conf), *about = page_feed_about(&p, f->conf);
	page_begin(&p, r, title, title, name);
	if (*about)
		html_element(&p.h, "p", "lead", about);
	const struct seen_feed *sf = seen_of(&r->web->seen, f);
	signs(&p, f, sf);
	refused(&p, f);
	html_class(&p.h, "div", "columns");
	latest(&p, f, sf);
	contract(&p, f);
	html_close(&p.h, "div");
	charts(&p, sf, c);
	page_ways(&p, f);
	page_end(&p);
}
