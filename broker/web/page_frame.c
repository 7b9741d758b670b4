/* page_frame.c - what stands around every page: head, banner, navigation, foot; its language; and
 * waiting for what is known of things. */
#include "web/pages.h"

#include "access/book.h"
#include "json/write.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- asking ---- */

bool page_query(struct req *r, const char *names)
{
	struct span lang;
	if (!only_query(r, names))
		return false;
	if (query_get(&r->query, "lang", &lang) && !span_is(lang, "nl") && !span_is(lang, "en")) {
		problem(r, 400, "lang is nl or en");
		return false;
	}
	return true;
}

bool page_may_see(const struct req *r, const struct feed *f)
{
	return !f->ended && access_check(&r->who, ACCESS_READ, f, (struct span){0}) == 0;
}

bool page_may_see_thing(const struct req *r, const struct seen_thing *t)
{
	const struct access_spot spot = {
	    .organisation = t->organisation, .known = t->has_location, .place = t->place};
	return access_covers(&r->who, ACCESS_READ, t->feed, t->thing, &spot) == 0;
}

/* Room is made for others after so many records in one go. */
static bool knows_all(struct req *r, struct feed *only)
{
	unsigned budget = LIMIT_PAGE_RECORDS_TURN;
	struct hub *h = r->web->hub;
	bool all = true;
	for (unsigned i = 0; i < hub_feed_count(h); i++) {
		struct feed *f = hub_feed_at(h, i);
		if ((only && f != only) || !page_may_see(r, f))
			continue;
		all = seen_ready(&r->web->seen, f, &budget) && all;
		if (budget == 0) {
			conn_wake(r->wsi);
			return false;
		}
	}
	return all;
}

bool page_knows(struct req *r, struct feed *f, handler_fn again)
{
	uint64_t now = uv_now(r->web->loop);
	if (!r->again) {
		r->again = again;
		r->again_until_ms = now + LIMIT_PAGE_WAIT_MS;
		list_append(&r->web->pages, &r->page_node);
		req_wait(r);
	}
	if (!knows_all(r, f) && now < r->again_until_ms)
		return false;
	list_remove(&r->page_node);
	return true;
}

void pages_wake(void *web)
{
	struct web *w = web;
	list_for_each (it, &w->pages) {
		struct req *r = list_entry(it, struct req, page_node);
		if (r->wsi)
			conn_wake(r->wsi);
	}
}

/* "https://host:port" of an address, for a Content-Security-Policy; nothing when it has none, or
 * one that would be read as more than a place. */
static void add_origin(struct buf *b, const char *url)
{
	const char *host = strstr(url, "://");
	size_t n = host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#") : 0;
	if (n && strcspn(url, " ;,'\"") >= n) {
		buf_add_char(b, ' ');
		buf_add(b, url, n);
	}
}

/* Own files only, and what the configuration names: tiles of the map, a search for addresses. */
void pages_policy(struct web *w)
{
	const struct config *c = hub_config(w->hub);
	struct buf b;
	buf_init(&b, sizeof(w->page_csp) - 1);
	buf_add_str(&b, "default-src 'none'; script-src 'self'; style-src 'self'; "
	                "img-src 'self' data:");
	add_origin(&b, c->map_tiles);
	buf_add_str(&b, "; connect-src 'self'");
	add_origin(&b, c->address_search);
	buf_add_str(&b, "; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
	snprintf(w->page_csp, sizeof(w->page_csp), "%s",
	         b.err ? "default-src 'none'; frame-ancestors 'none'" : buf_str(&b));
	buf_done(&b);
}

/* ---- language ---- */

void page_init(struct page *p, struct req *r)
{
	struct span lang;
	*p = (struct page){.r = r, .now_ms = clock_wall_ms(hub_clock(r->web->hub))};
	html_part(&p->h, &r->out);
	p->lang_given = query_get(&r->query, "lang", &lang);
	p->lang =
	    p->lang_given ? (span_is(lang, "en") ? ENGLISH : DUTCH) : language_of(r->language);
	r->html = true;
	snprintf(r->content_language, sizeof(r->content_language), "%s", language_code(p->lang));
}

static const char *with_language(struct page *p, size_t n)
{
	assert(n < sizeof(p->url));
	if (p->lang_given)
		snprintf(p->url + n, sizeof(p->url) - n, "%clang=%s",
		         strchr(p->url, '?') ? '&' : '?', language_code(p->lang));
	return p->url;
}

const char *page_url(struct page *p, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(p->url, sizeof(p->url), fmt, ap);
	va_end(ap);
	return with_language(p, MIN_OF((size_t)n, sizeof(p->url) - 1));
}

const char *page_url_of(struct page *p, const char *front, struct span text)
{
	struct buf b;
	buf_init(&b, sizeof(p->url) - 16);
	buf_add_str(&b, front);
	html_percent(&b, text);
	int n = snprintf(p->url, sizeof(p->url), "%s", b.err ? "/" : buf_str(&b));
	buf_done(&b);
	return with_language(p, (size_t)n);
}

/* The same page in the other language. */
static void language_link(struct page *p)
{
	enum language other = p->lang == DUTCH ? ENGLISH : DUTCH;
	struct html *h = &p->h;
	struct buf url;
	buf_init(&url, sizeof(p->url));
	buf_addf(&url, "%s?lang=%s", p->r->path, language_code(other));
	for (unsigned i = 0; i < p->r->query.n; i++) {
		struct span name = p->r->query.pair[i].name;
		if (span_is(name, "lang"))
			continue;
		buf_add_char(&url, '&');
		html_percent(&url, name);
		buf_add_char(&url, '=');
		html_percent(&url, p->r->query.pair[i].value);
	}
	html_open(h, "a");
	html_attr(h, "class", "language");
	html_attr(h, "lang", language_code(other));
	html_attr(h, "hreflang", language_code(other));
	html_attr(h, "href", url.err ? "/" : buf_str(&url));
	html_text(h, other == DUTCH ? "Nederlands" : "English");
	html_close(h, "a");
	buf_done(&url);
}

/* ---- the frame ---- */

static void asset_link(struct page *p, const char *element, const char *name)
{
	struct html *h = &p->h;
	char url[64];
	bool script = strcmp(element, "script") == 0;
	if (script)
		html_open(h, element);
	else
		html_void(h, element);
	if (!script)
		html_attr(h, "rel", strstr(name, ".css") ? "stylesheet" : "icon");
	html_attr(h, script ? "src" : "href", asset_url(p->r->web, name, url, sizeof(url)));
	if (script) {
		html_flag(h, "defer");
		html_close(h, element);
	}
}

static const char *site_title(const struct page *p)
{
	const struct config *c = hub_config(p->r->web->hub);
	return *c->title ? c->title : say(p, "Live data van de stad", "Live data of the city");
}

static void head(struct page *p, const char *title)
{
	const struct config *c = hub_config(p->r->web->hub);
	struct html *h = &p->h;
	bool map = strncmp(p->r->path, "/map", 4) == 0;
	html_open(h, "head");
	html_void(h, "meta");
	html_attr(h, "charset", "utf-8");
	html_void(h, "meta");
	html_attr(h, "name", "viewport");
	html_attr(h, "content", "width=device-width, initial-scale=1");
	html_void(h, "meta");
	html_attr(h, "name", "color-scheme");
	html_attr(h, "content", "light dark");
	html_open(h, "title");
	html_textf(h, "%s – %s", title, site_title(p));
	html_close(h, "title");
	if (map)
		asset_link(p, "link", "leaflet.css");
	asset_link(p, "link", "style.css");
	if (*c->colour) {
		html_void(h, "link");
		html_attr(h, "rel", "stylesheet");
		html_attr(h, "href", "/assets/theme.css");
	}
	asset_link(p, "link", "icon.svg");
	if (map)
		asset_link(p, "script", "leaflet.js");
	asset_link(p, "script", "oudp.js");
	html_close(h, "head");
}

/* Where nobody has an identity, nobody can sign in. */
static void who_link(struct page *p)
{
	const struct identity *who = &p->r->who;
	size_t at = 0;
	if (!who->principal && (who->administrator || !p->r->web->access ||
	                        !access_next_principal(p->r->web->access, &at)))
		return;
	html_open(&p->h, "a");
	html_attr(&p->h, "class", "who");
	html_attr(&p->h, "href", page_url(p, "/sign-in"));
	if (who->principal)
		html_span(&p->h, who->name);
	else
		html_text(&p->h, say(p, "Inloggen", "Sign in"));
	html_close(&p->h, "a");
}

static void banner(struct page *p)
{
	const struct config *c = hub_config(p->r->web->hub);
	struct html *h = &p->h;
	const struct {
		const char *path, *dutch, *english;
		bool shown;
	} places[] = {
	    {"/", "Gegevens", "Data", true},
	    {"/map", "Kaart", "Map", true},
	    {"/schemas", "Schema's", "Schemas", true},
	    {"/admin", "Beheer", "Administration", p->r->who.administrator},
	};
	html_open(h, "a");
	html_attr(h, "class", "skip");
	html_attr(h, "href", "#main");
	html_text(h, say(p, "Naar de inhoud", "Skip to content"));
	html_close(h, "a");
	html_class(h, "header", "banner");
	html_open(h, "a");
	html_attr(h, "class", "site");
	html_attr(h, "href", page_url(p, "/"));
	if (c->logo) {
		html_void(h, "img");
		html_attr(h, "src", "/assets/logo");
		html_attr(h, "alt", "");
		html_attr(h, "height", "32");
	}
	html_text(h, site_title(p));
	html_close(h, "a");
	html_open(h, "nav");
	html_attr(h, "aria-label", say(p, "Hoofdmenu", "Main menu"));
	for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
		const char *path = places[i].path;
		bool here = i ? strncmp(p->r->path, path, strlen(path)) == 0
		              : strcmp(p->r->path, "/") == 0 || !strncmp(p->r->path, "/feeds", 6);
		if (!places[i].shown)
			continue;
		html_open(h, "a");
		html_attr(h, "href", page_url(p, "%s", path));
		if (here)
			html_attr(h, "aria-current", strcmp(p->r->path, path) ? "true" : "page");
		html_text(h, say(p, places[i].dutch, places[i].english));
		html_close(h, "a");
	}
	html_close(h, "nav");
	who_link(p);
	language_link(p);
	html_close(h, "header");
}

void page_begin(struct page *p, struct req *r, const char *dutch, const char *english,
                const char *feeds)
{
	page_init(p, r);
	struct html *h = &p->h;
	const char *title = say(p, dutch, english);
	html_begin(h, &r->out);
	html_open(h, "html");
	html_attr(h, "lang", language_code(p->lang));
	head(p, title);
	html_open(h, "body");
	banner(p);
	html_open(h, "main");
	html_attr(h, "id", "main");
	html_attr(h, "tabindex", "-1");
	if (feeds)
		html_attr(h, "data-live", feeds);
	html_element(h, "h1", NULL, title);
}

static void foot(struct page *p)
{
	const struct config *c = hub_config(p->r->web->hub);
	struct html *h = &p->h;
	html_class(h, "footer", "foot");
	html_open(h, "p");
	html_text(h, *c->publisher_name ? c->publisher_name : c->organisation);
	html_text(h, " · ");
	html_link(h, "/v1/openapi.json", "API (OpenAPI)");
	if (*c->accessibility) {
		html_text(h, " · ");
		html_link(h, c->accessibility, say(p, "Toegankelijkheid", "Accessibility"));
	}
	html_text(h, " · ");
	html_text(h, say(p, "Deze pagina's volgen niemand: geen volgcookies, geen metingen.",
	                 "These pages track nobody: no tracking cookies, no analytics."));
	html_close(h, "p");
	html_close(h, "footer");
}

void page_end_with(struct page *p, int status)
{
	html_close(&p->h, "main");
	foot(p);
	html_close(&p->h, "body");
	html_close(&p->h, "html");
	html_end(&p->h);
	buf_add_char(&p->r->out, '\n');
	respond(p->r, status, "text/html; charset=utf-8");
}

void page_end(struct page *p)
{
	page_end_with(p, 200);
}

static const char *trouble(int status)
{
	switch (status) {
	case 400: return "Aan wat u vroeg is iets niet goed. Kijk het adres of het formulier na.";
	case 401: return "Zeg eerst wie u bent.";
	case 403: return "Dit mag u niet zien of doen. Wie beheert, kan het u toestaan.";
	case 405:
	case 406:
	case 415: return "Zo kan dit niet gevraagd worden.";
	case 409: return "Dit past niet bij hoe het nu is. Laad de pagina opnieuw en kijk.";
	case 413: return "Dit is te groot om aan te nemen.";
	case 429: return "Het ging te vaak mis. Wacht een minuut.";
	case 503:
	case 507: return "De server kan dit nu niet. Probeer het over een minuut nog eens.";
	default: return "Het ging niet. Probeer het later nog eens.";
	}
}

void page_problem(struct req *r, int status, const char *detail)
{
	struct page p;
	bool absent = status == 404;
	r->query.n = absent ? r->query.n : 0; /* what was wrong in it is not passed on */
	page_begin(&p, r, absent ? "Niet gevonden" : "Dat ging niet",
	           absent ? "Not found" : "That did not work", NULL);
	html_open(&p.h, "p");
	if (absent)
		html_text(&p.h,
		          say(&p,
		              "Deze pagina is er niet, of u mag haar niet zien. Kijk bij alle "
		              "gegevens of op de kaart.",
		              "This page does not exist, or you may not see it. Look at all "
		              "data or at the map."));
	else
		html_text(&p.h, p.lang == ENGLISH ? detail : trouble(status));
	html_close(&p.h, "p");
	if (!absent && p.lang == DUTCH) { /* what a program is told, for who is helped by it */
		html_class(&p.h, "p", "about");
		html_attr(&p.h, "lang", "en");
		html_text(&p.h, detail);
		html_close(&p.h, "p");
	}
	html_open(&p.h, "p");
	html_link(&p.h, page_url(&p, "/"), say(&p, "Alle gegevens", "All data"));
	html_close(&p.h, "p");
	page_end_with(&p, status);
}

void page_write_email(struct req *r, struct buf *b)
{
	const struct hub *h = r->web->hub;
	for (unsigned i = 0; i < hub_feed_count(h); i++) {
		const struct feed *f = hub_feed_at(h, i);
		if (!page_may_see(r, f) || strncmp(f->conf->contact, "mailto:", 7) != 0)
			continue;
		json_write_name(b, "email");
		json_write_string(b, span_str(f->conf->contact + 7));
		return;
	}
}
