/* page_thing.c - the public page of one thing, which the code on its pole leads to: what it
 * measures and why, who answers for it, its newest values; and that code as SVG. */
#include "register/register.h"
#include "web/pages.h"

#include <qrencode.h>
#include <stdlib.h>
#include <string.h>

enum { THING_BYTES = 256, QUIET = 4, FEEDS_SHOWN = 20, URL_BYTES = 800, CHARTS = 6 };

struct found {
	const struct thing *entry; /* of the register; NULL: none that may be seen */
	struct span id;
	unsigned n;
	const struct seen_thing *in[FEEDS_SHOWN]; /* one for each feed that has it */
};

/* name: the code of the register, or the id of a thing. */
static struct found find(const struct req *r, struct span name)
{
	struct web *w = r->web;
	const struct thing *entry = things_by_code(w->things, name);
	if (!entry)
		entry = things_find(w->things, span_str(r->who.organisation), name);
	bool seen = entry && entry->registered && thing_entry_is_seen(r, entry);
	struct span thing = entry ? entry->id : name;
	struct found x = {.id = thing, .entry = seen ? entry : NULL};
	for (unsigned i = 0; i < hub_feed_count(w->hub) && x.n < FEEDS_SHOWN; i++) {
		struct feed *f = hub_feed_at(w->hub, i);
		const struct seen_thing *t =
		    page_may_see(r, f) && page_measures(f) ? seen_find(&w->seen, f, thing) : NULL;
		if (t && page_may_see_thing(r, t))
			x.in[x.n++] = t;
	}
	return x;
}

/* ---- the page ---- */

static void readings(struct page *p, const struct seen_thing *t)
{
	struct html *h = &p->h;
	struct record_result v;
	req_read(p->r, t->feed);
	html_class(h, "dl", "readings");
	html_attr(h, "data-part", t->feed->conf->name);
	html_attr_span(h, "data-thing", t->thing);
	html_attr_span(h, "data-feed", t->feed->name);
	for (size_t at = 0; record_next_result(&t->results, &at, &v);) {
		html_open(h, "div");
		page_reading(p, t, &v);
		html_open(h, "dt");
		page_member(p, v.member);
		html_close(h, "dt");
		html_open(h, "dd");
		page_value(p, &v, page_unit(p, t, &v));
		html_close(h, "dd");
		html_close(h, "div");
	}
	html_open(h, "div");
	html_attr(h, "class", "when");
	html_element(h, "dt", NULL, say(p, "Gemeten", "Measured"));
	html_open(h, "dd");
	page_time(p, t->phenomenon_ms);
	if (page_is_silent(p, t)) {
		html_text(h, " ");
		html_element(h, "span", "badge warn", say(p, "stil", "silent"));
	}
	html_close(h, "dd");
	html_close(h, "div");
	html_close(h, "dl");
}

/* What the feed says, where the register does not speak of this very thing. */
static void feed_facts(struct page *p, const struct config_feed *c)
{
	bool address = strstr(c->contact, "://") || strncmp(c->contact, "mailto:", 7) == 0;
	page_fact(p, say(p, "Waarom", "Why"), c->purpose);
	page_fact(p, say(p, "Grondslag", "Legal ground"), c->legal_ground);
	page_fact(p, say(p, "Persoonsgegevens", "Personal data"),
	          c->personal_data ? say(p, "ja", "yes") : say(p, "nee", "no"));
	page_fact_link(p, say(p, "Effectbeoordeling (DPIA)", "Impact assessment (DPIA)"), c->dpia,
	               NULL);
	if (address)
		page_fact_link(p, say(p, "Vragen", "Questions"), c->contact,
		               strncmp(c->contact, "mailto:", 7) == 0 ? c->contact + 7 : NULL);
	else
		page_fact(p, say(p, "Vragen", "Questions"), c->contact);
}

static void why(struct page *p, const struct seen_thing *t, bool registered)
{
	const struct config_feed *c = t->feed->conf;
	struct html *h = &p->h;
	html_class(h, "dl", "facts");
	if (!registered)
		feed_facts(p, c);
	html_element(h, "dt", NULL, say(p, "Zelf ontvangen", "Receive it yourself"));
	html_open(h, "dd");
	html_link(h, page_url(p, "/feeds/%s#subscribe", c->name), page_feed_title(p, c));
	html_close(h, "dd");
	html_close(h, "dl");
}

static void place(struct page *p, const struct found *x)
{
	struct html *h = &p->h;
	const struct seen_thing *t = NULL;
	for (unsigned i = 0; i < x->n && !t; i++)
		t = x->in[i]->has_location ? x->in[i] : NULL;
	bool fixed = x->entry && x->entry->entry.has_location;
	if (!t && !fixed)
		return;
	const struct box at = fixed ? thing_entry_place(x->entry).place : t->place;
	double lat = box_lat(&at), lon = box_lon(&at);
	html_element(h, "dt", NULL, say(p, "Waar", "Where"));
	html_open(h, "dd");
	html_open(h, "a");
	html_attr(h, "href", page_url(p, "/map?near=%.5f,%.5f&radius=2000", lat, lon));
	html_textf(h, "%.5f, %.5f", lat, lon);
	html_close(h, "a");
	if (!box_is_point(&at))
		html_text(h, say(p, " (het midden van een gebied)", " (the middle of an area)"));
	html_close(h, "dd");
}

/* A fact of the register; false: it says nothing. */
static bool entry_fact(struct page *p, const struct found *x, const char *name, const char *path)
{
	struct buf b;
	buf_init(&b, LIMIT_THING_BYTES);
	bool found = page_entry_text(p, x->entry, path, &b);
	if (found && strstr(buf_str(&b), "://"))
		page_fact_link(p, name, buf_str(&b), NULL);
	else if (found)
		page_fact(p, name, buf_str(&b));
	buf_done(&b);
	return found;
}

static void email_fact(struct page *p, const struct found *x, const char *path)
{
	struct buf b;
	buf_init(&b, LIMIT_THING_BYTES);
	buf_add_str(&b, "mailto:");
	if (page_entry_text(p, x->entry, path, &b))
		page_fact_link(p, say(p, "Vragen", "Questions"), buf_str(&b), buf_str(&b) + 7);
	buf_done(&b);
}

/* What the register says, in the order in which a passer-by asks. */
static void register_card(struct page *p, const struct found *x)
{
	struct html *h = &p->h;
	if (!x->entry)
		return;
	html_class(h, "section", "card");
	html_element(h, "h2", NULL, say(p, "Waarom dit hier staat", "Why this is here"));
	html_class(h, "dl", "facts");
	(void)entry_fact(p, x, say(p, "Wat het is", "What it is"), "description.");
	(void)entry_fact(p, x, say(p, "Soort", "Kind"), "type");
	(void)entry_fact(p, x, say(p, "Waarom er wordt gemeten", "Why it measures"), "goal.");
	(void)entry_fact(p, x, say(p, "Grondslag", "Legal ground"), "legalGround");
	(void)entry_fact(p, x, say(p, "De wet", "The law"), "legalGroundLink");
	page_fact(p, say(p, "Persoonsgegevens", "Personal data"),
	          x->entry->entry.personal_data ? say(p, "ja", "yes") : say(p, "nee", "no"));
	(void)entry_fact(p, x, say(p, "Effectbeoordeling (DPIA)", "Impact assessment (DPIA)"),
	                 "dpia");
	(void)entry_fact(p, x, say(p, "Privacyverklaring", "Privacy statement"),
	                 "privacyStatement");
	(void)entry_fact(p, x, say(p, "Vergunning", "Permit"), "permit.reference");
	(void)entry_fact(p, x, say(p, "Tot en met", "Until"), "activeUntil");
	html_close(h, "dl");
	html_close(h, "section");
}

static const char *state_text(const struct page *p, enum entry_state s)
{
	static const char *const dutch[ENTRY_STATES] = {[ENTRY_PLANNED] = "gepland",
	                                                [ENTRY_ACTIVE] = "in gebruik",
	                                                [ENTRY_INACTIVE] = "buiten gebruik",
	                                                [ENTRY_ENDED] = "beëindigd"};
	return p->lang == DUTCH ? dutch[s] : entry_state_text(s);
}

static void owner_facts(struct page *p, const struct found *x)
{
	const struct config *c = hub_config(p->r->web->hub);
	if (!entry_fact(p, x, say(p, "Van wie", "Owner"), "owner.organisation"))
		page_fact(p, say(p, "Van wie", "Owner"),
		          *c->publisher_name ? c->publisher_name : c->organisation);
	email_fact(p, x, "contact.email");
	(void)entry_fact(p, x, say(p, "Telefoon", "Telephone"), "contact.phone");
	(void)entry_fact(p, x, say(p, "Plek", "Place"), "location.description");
	if (x->entry && x->entry->entry.state != ENTRY_ACTIVE)
		page_fact(p, say(p, "Toestand", "State"), state_text(p, x->entry->entry.state));
}

static void identity_card(struct page *p, const struct found *x)
{
	struct html *h = &p->h;
	struct span thing = x->entry ? span_str(x->entry->code) : x->id;
	html_class(h, "section", "card");
	html_element(h, "h2", NULL, say(p, "Dit meetpunt", "This place"));
	html_class(h, "dl", "facts");
	owner_facts(p, x);
	place(p, x);
	html_close(h, "dl");
	html_void(h, "img");
	html_attr(h, "class", "qr");
	html_attr(h, "width", "132");
	html_attr(h, "height", "132");
	html_attr(h, "alt",
	          say(p, "QR-code met het adres van deze pagina",
	              "QR code with the address of this page"));
	struct buf b;
	buf_init(&b, URL_BYTES);
	buf_add_str(&b, "/t/");
	html_percent(&b, thing);
	buf_add_str(&b, "/qr.svg");
	html_attr(h, "src", b.err ? "/" : buf_str(&b));
	html_close(h, "section");
	buf_done(&b);
}

static void write_page(struct req *r, const struct found *x, const struct chart_span *c)
{
	struct page p;
	struct buf feeds, title;
	buf_init(&feeds, 4096);
	buf_init(&title, THING_BYTES + 1);
	for (unsigned i = 0; i < x->n; i++) {
		buf_add_str(&feeds, i ? " " : "");
		buf_add_span(&feeds, x->in[i]->feed->name);
	}
	page_init(&p, r); /* the name is asked for in the language of the page */
	if (!page_entry_text(&p, x->entry, "name.", &title))
		buf_add_span(&title, x->id);
	page_begin(&p, r, buf_str(&title), buf_str(&title), buf_str(&feeds));
	if (x->entry) {
		html_class(&p.h, "p", "lead");
		html_textf(&p.h, "code %s", x->entry->code);
		html_close(&p.h, "p");
	}
	buf_done(&feeds);
	buf_done(&title);
	html_class(&p.h, "div", "columns");
	html_open(&p.h, "div");
	if (x->entry && !x->n)
		html_element(&p.h, "p", "none",
		             say(&p, "Wat het meet, is hier nog niet te zien.",
		                 "What it measures cannot be seen here yet."));
	for (unsigned i = 0; i < x->n; i++) {
		const struct seen_thing *t = x->in[i];
		html_class(&p.h, "section", "card");
		const char *about = page_feed_about(&p, t->feed->conf);
		html_element(&p.h, "h2", NULL, page_feed_title(&p, t->feed->conf));
		if (*about)
			html_element(&p.h, "p", NULL, about);
		readings(&p, t);
		why(&p, t, x->entry != NULL);
		html_close(&p.h, "section");
	}
	register_card(&p, x);
	html_close(&p.h, "div");
	identity_card(&p, x);
	html_close(&p.h, "div");
	for (unsigned i = 0; i < x->n; i++)
		page_charts(&p, x->in[i]->feed->name, &x->in[i], 1, CHARTS, c);
	page_end(&p);
}

void get_thing_page(struct req *r)
{
	struct span thing = r->param[0];
	if (!page_query(r, "lang last") || !page_knows(r, NULL, get_thing_page))
		return;
	struct found x = find(r, thing);
	const struct chart_span *c = page_chart_span(r, x.n ? x.in[0]->feed->conf->cadence_s : 0);
	if (!c)
		return;
	if ((x.n == 0 && !x.entry) || thing.n > THING_BYTES)
		problem(r, 404, "nothing is known of \"%.*s\"", (int)MIN_OF(thing.n, (size_t)80),
		        thing.p);
	else
		write_page(r, &x, c);
}

/* ---- the code ---- */

/* One path: each dark module is a square of one unit. */
static void draw(struct buf *out, const QRcode *code)
{
	struct html h;
	struct buf path;
	int side = code->width + 2 * QUIET;
	buf_init(&path, 1 << 20);
	for (int y = 0; y < code->width; y++)
		for (int x = 0; x < code->width; x++)
			if (code->data[y * code->width + x] & 1)
				buf_addf(&path, "M%d %dh1v1h-1z", x + QUIET, y + QUIET);
	html_part(&h, out);
	html_open(&h, "svg");
	html_attr(&h, "xmlns", "http://www.w3.org/2000/svg");
	html_attrf(&h, "viewBox", "0 0 %d %d", side, side);
	html_attr(&h, "shape-rendering", "crispEdges");
	html_open(&h, "rect");
	html_attrf(&h, "width", "%d", side);
	html_attrf(&h, "height", "%d", side);
	html_attr(&h, "fill", "#fff");
	html_close(&h, "rect");
	html_open(&h, "path");
	html_attr_span(&h, "d", span_of(path.p, path.len));
	html_close(&h, "path");
	html_close(&h, "svg");
	html_end(&h);
	buf_done(&path);
}

/* For any thing: the code may be printed before the thing has said anything. */
void get_thing_code(struct req *r)
{
	struct buf url;
	if (!only_query(r, ""))
		return;
	buf_init(&url, URL_BYTES);
	buf_addf(&url, "%s/t/", r->web->base_url);
	html_percent(&url, r->param[0]);
	QRcode *code = url.err ? NULL : QRcode_encodeString8bit(buf_str(&url), 0, QR_ECLEVEL_M);
	buf_done(&url);
	if (!code) {
		problem(r, 400, "the name is too long for a code that can be scanned");
		return;
	}
	draw(&r->out, code);
	QRcode_free(code);
	respond(r, 200, "image/svg+xml");
}
