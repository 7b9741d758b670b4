/* page_refused.c - what was refused of whom, how often, why the last time and what to do about it:
 * to who is signed in its own and that of feeds that it administers, to the administrator all. */
#include "web/pages.h"

#include "web/refused.h"

#include <stdio.h>

enum { SOURCES_SHOWN = 500 };

struct kind {
	const char *dutch, *english;           /* short, behind a number */
	const char *next_dutch, *next_english; /* what to do, and whether the message is kept */
	const char *path, *path_dutch, *path_english;
};

static const struct kind kinds[REFUSAL_KINDS] = {
    [REFUSAL_UNFIT] =
        {"past niet bij de afspraken", "not as agreed",
         "Een waarde, een tijd of het meetpunt is niet zoals afgesproken; de reden zegt welke. "
         "Verhelp het bij de afzender, of pas het schema aan als dat te streng is. Berichten van "
         "een "
         "feed staan in quarantaine: wie beheert, kan ze daarna opnieuw aanbieden. Wat "
         "SensorThings "
         "zelf weigert, is niet bewaard.",
         "A value, a time or the thing is not as agreed; the reason says which. Mend it at the "
         "sender, or change the schema where it is too strict. Messages of a feed are in "
         "quarantine: the administrator can offer them again afterwards. What SensorThings itself "
         "refuses was not kept.",
         "/schemas", "Probeer een bericht bij zijn schema", "Try a message at its schema"},
    [REFUSAL_DENIED] =
        {"niet toegestaan", "not allowed",
         "De afzender mag dit niet aanleveren, of niet over dit meetpunt. Kijk of er een typefout "
         "in staat; vraag anders wie de feed beheert om toestemming. Deze berichten zijn niet "
         "bewaard: stuur ze daarna opnieuw.",
         "The sender may not publish this, or not about this thing. Look for a typing error; else "
         "ask who administers the feed for the right. These messages were not kept: send them "
         "again afterwards.",
         "/grants", "Wie mag wat", "Who may do what"},
    [REFUSAL_UNROUTED] =
        {"zonder feed", "without a feed",
         "Geen feed neemt dit onderwerp aan. Vergelijk het met dat van de feed: het staat op haar "
         "pagina. Deze berichten staan in quarantaine; wie beheert, kan ze opnieuw aanbieden zodra "
         "er een feed voor is.",
         "No feed takes this topic. Compare it with that of the feed, which its page tells. These "
         "messages are in quarantine; the administrator can offer them again once a feed takes "
         "them.",
         "/", "Alle gegevens", "All data"},
    [REFUSAL_LIMIT] =
        {"te groot of te veel", "too large or too many",
         "Een bericht was groter dan is toegekend, of wat voor vandaag is toegekend was op. Stuur "
         "kleinere berichten of minder, of vraag wie de feed beheert om meer. Deze berichten zijn "
         "niet bewaard: stuur ze opnieuw.",
         "A message was larger than is granted, or what is granted for today was used up. Send "
         "smaller messages or fewer, or ask who administers the feed for more. These messages were "
         "not kept: send them again.",
         "/grants", "Wat is toegekend", "What is granted"},
    [REFUSAL_CONFLICT] =
        {"bestaat al", "there already",
         "Over SensorThings kwam iets dat er al is: een tweede resultaat van dezelfde tijd, of een "
         "tweede entiteit met dezelfde naam. Wat er was, is gebleven. Verander het met PATCH als "
         "het anders moet.",
         "Over SensorThings something came that there is already: a second result of one time, or "
         "a second entity of one name. What was there has stayed. Change it by PATCH if it is to "
         "be another.",
         NULL, NULL, NULL},
};

static void who_cell(struct page *p, const struct refusal_source *s)
{
	struct html *h = &p->h;
	html_open(h, "th");
	html_attr(h, "scope", "row");
	if (span_is(s->identity, "anonymous"))
		html_text(h, say(p, "iemand zonder naam", "somebody without a name"));
	else
		html_span(h, s->identity);
	html_open(h, "small");
	html_text(h, " ");
	html_span(h, s->organisation);
	html_close(h, "small");
	html_close(h, "th");
}

static void what_cell(struct page *p, const struct refusal_source *s)
{
	struct html *h = &p->h;
	const struct feed *f = s->feed.n ? hub_feed(p->r->web->hub, s->feed) : NULL;
	page_cell(p, "Gegevens", "Data");
	if (f && page_may_see(p->r, f))
		html_link(h, page_url_of(p, "/feeds/", f->name), page_feed_title(p, f->conf));
	else if (s->feed.n)
		html_span(h, s->feed);
	else
		html_text(h, say(p, "geen feed", "no feed"));
	if (s->thing.n) {
		html_text(h, say(p, ", van ", ", of "));
		html_open(h, "code");
		html_span(h, s->thing);
		html_close(h, "code");
	}
	html_close(h, "td");
}

static void counts_cell(struct page *p, const struct refusal_source *s)
{
	struct html *h = &p->h;
	page_cell(p, "Geweigerd", "Refused");
	html_class(h, "ul", "plain");
	for (unsigned k = 0; k < REFUSAL_KINDS; k++) {
		char to[32];
		if (!s->count[k])
			continue;
		snprintf(to, sizeof(to), "#%s", refusal_names[k]);
		html_open(h, "li");
		page_words(p, words_count, s->count[k]);
		html_text(h, " × ");
		html_link(h, to, say(p, kinds[k].dutch, kinds[k].english));
		html_close(h, "li");
	}
	html_close(h, "ul");
	html_close(h, "td");
}

/* Where the messages are that can be offered again; it is for the administrator alone. */
static const char *quarantine(struct page *p, const struct refusal_source *s)
{
	if (!p->r->who.administrator)
		return NULL;
	if (!s->feed.n)
		return s->count[REFUSAL_UNROUTED] ? page_url(p, "/admin/quarantine/_unrouted")
		                                  : NULL;
	if (!s->count[REFUSAL_UNFIT] || !hub_feed(p->r->web->hub, s->feed))
		return NULL;
	return page_url_of(p, "/admin/quarantine/", s->feed);
}

static void why_cell(struct page *p, const struct refusal_source *s)
{
	struct html *h = &p->h;
	const char *url = quarantine(p, s);
	page_cell(p, "Waarom, de laatste keer", "Why, the last time");
	html_open(h, "span");
	html_attr(h, "lang", "en"); /* as the publisher is told */
	html_text(h, *s->reason ? s->reason : "–");
	html_close(h, "span");
	if (url) {
		html_text(h, " ");
		html_link(h, url, say(p, "In quarantaine", "In quarantine"));
	}
	html_close(h, "td");
}

static void row(struct page *p, const struct refusal_source *s)
{
	struct html *h = &p->h;
	html_open(h, "tr");
	who_cell(p, s);
	what_cell(p, s);
	counts_cell(p, s);
	page_cell(p, "Laatst", "Last");
	page_time(p, s->last_ms);
	html_close(h, "td");
	why_cell(p, s);
	html_close(h, "tr");
}

static void heads(struct page *p)
{
	const char *const all[] = {say(p, "Wie", "Who"), say(p, "Gegevens", "Data"),
	                           say(p, "Geweigerd", "Refused"), say(p, "Laatst", "Last"),
	                           say(p, "Waarom, de laatste keer", "Why, the last time")};
	page_heads(p, all, ARRAY_LEN(all));
	html_open(&p->h, "tbody");
}

/* feed: n == 0: all. kind: what there is of each. Returns how many sources. */
static unsigned table(struct page *p, struct span feed, bool kind[REFUSAL_KINDS])
{
	struct refused_walk w = {0};
	const struct refusal_source *s;
	unsigned n = 0;
	while ((s = refused_next(p->r, &w))) {
		if (feed.n && !span_eq(feed, s->feed))
			continue;
		if (!n)
			heads(p);
		if (n++ >= SOURCES_SHOWN)
			continue;
		row(p, s);
		for (unsigned k = 0; k < REFUSAL_KINDS; k++)
			kind[k] |= s->count[k] > 0;
	}
	if (n) {
		html_close(&p->h, "tbody");
		html_close(&p->h, "table");
	}
	return n;
}

static void what_next(struct page *p, const bool kind[REFUSAL_KINDS])
{
	struct html *h = &p->h;
	html_element(h, "h2", NULL, say(p, "En nu", "What next"));
	for (unsigned k = 0; k < REFUSAL_KINDS; k++) {
		const struct kind *x = &kinds[k];
		if (!kind[k])
			continue;
		html_open(h, "h3");
		html_attr(h, "id", refusal_names[k]);
		html_text(h, say(p, x->dutch, x->english));
		html_close(h, "h3");
		html_open(h, "p");
		html_text(h, say(p, x->next_dutch, x->next_english));
		if (x->path) {
			html_text(h, " ");
			html_link(h, page_url(p, "%s", x->path),
			          say(p, x->path_dutch, x->path_english));
		}
		html_close(h, "p");
	}
}

static void ask_to_sign_in(struct page *p)
{
	html_open(&p->h, "p");
	html_text(&p->h, say(p, "Wat van u is geweigerd, ziet u als u bent ingelogd. ",
	                     "You see what was refused of yours when you have signed in. "));
	html_link(&p->h, page_url(p, "/sign-in"), say(p, "Log in", "Sign in"));
	html_close(&p->h, "p");
}

static void refused(struct page *p, struct span feed)
{
	bool kind[REFUSAL_KINDS] = {false};
	struct html *h = &p->h;
	html_element(h, "p", "lead",
	             p->r->who.administrator
	                 ? say(p, "Sinds de server startte, van iedereen.",
	                       "Since the server started, of everybody.")
	                 : say(p, "Sinds de server startte: van u, en van feeds die u beheert.",
	                       "Since the server started: of yours, and of feeds that you "
	                       "administer."));
	if (feed.n) {
		html_open(h, "p");
		html_text(h, say(p, "Alleen van de feed ", "Of this feed only: "));
		html_open(h, "code");
		html_span(h, feed);
		html_close(h, "code");
		html_text(h, " ");
		html_link(h, page_url(p, "/refusals"), say(p, "Van alle feeds", "Of all feeds"));
		html_close(h, "p");
	}
	unsigned n = table(p, feed, kind);
	if (n > SOURCES_SHOWN)
		page_counts(p, "De laatste # van #.", "The last # of #.", SOURCES_SHOWN, n);
	if (n)
		what_next(p, kind);
	else
		html_element(h, "p", "none",
		             say(p, "Er is niets geweigerd.", "Nothing was refused."));
}

void get_refusals_page(struct req *r)
{
	struct page p;
	struct span feed = {0};
	if (!page_query(r, "lang feed"))
		return;
	query_get(&r->query, "feed", &feed);
	page_begin(&p, r, "Wat is geweigerd", "What was refused", NULL);
	if (r->who.administrator || r->who.principal)
		refused(&p, feed);
	else
		ask_to_sign_in(&p);
	page_end(&p);
}
