/* pages.h - what the pages for people share. A page is rendered by the server in Dutch or English
 * and complete without JavaScript; oudp.js makes the same page live.
 *
 *     void get_x(struct req *r)
 *     {
 *             struct page p;
 *             if (!page_query(r, "lang ...") || !page_knows(r, NULL, get_x))
 *                     return;                      (answered, or called again later)
 *             page_begin(&p, r, "Titel", "Title");
 *             ... html_open(&p.h, ...) ...
 *             page_end(&p);
 *     }
 *
 *   page_frame.c  frame, language, waiting     page_home.c   all feeds
 *   page_feed.c   one feed                     page_ways.c   how to subscribe
 *   page_map.c    things: map and table        page_thing.c  one thing, its code
 *   page_schema.c schemas, try a payload       page_admin.c  quarantine, lag, certificates
 *   page_chart.c  charts in pages            page_silent.c things long silent
 *   page_grants.c who may do what            page_refused.c what was refused of whom
 *   assets.c      style, script, map library   words.h       words, numbers, times */
#ifndef WEB_PAGES_H
#define WEB_PAGES_H

#include "web/html.h"
#include "web/private.h"
#include "web/seen.h"
#include "web/words.h"

struct page {
	struct req *r;
	struct html h;
	enum language lang;
	bool lang_given; /* by lang=: links keep it */
	int64_t now_ms;
	char url[2048]; /* of the last page_url() */
};

/* ---- frame ---- */
/* False after a 400: names of the query that the page knows, space separated. */
bool page_query(struct req *r, const char *names);
/* Whether all that the page tells of things is known: of f, or of all feeds that may be seen. When
 * not, again is called later; after LIMIT_PAGE_WAIT_MS what is known has to do. */
bool page_knows(struct req *r, struct feed *f, handler_fn again);
bool page_may_see(const struct req *r, const struct feed *f);
/* One of its things: a grant may be for some of them only. */
bool page_may_see_thing(const struct req *r, const struct seen_thing *t);

/* Language and clock only, for pieces without a frame. */
void page_init(struct page *p, struct req *r);
/* Head, banner, navigation; main is open. feeds: whose events make the page live, space separated;
 * NULL or "": it is asked for again now and then. */
void page_begin(struct page *p, struct req *r, const char *dutch, const char *english,
                const char *feeds);
void page_end(struct page *p); /* and answers 200 */
void page_end_with(struct page *p, int status);
/* 404 and the like, as a page. detail: in English, as the API says it. */
void page_problem(struct req *r, int status, const char *detail);

/* The words in the language of the page. */
static inline const char *say(const struct page *p, const char *dutch, const char *english)
{
	return p->lang == DUTCH ? dutch : english;
}
/* A path of this server with lang= when it was asked for; format and text are not encoded. */
const char *page_url(struct page *p, const char *fmt, ...) PRINTF(2, 3);
/* "/feeds/NAME", "/t/THING": text percent-encoded after the front. */
const char *page_url_of(struct page *p, const char *front, struct span text);

/* ---- pieces ---- */
/* Opens a cell, with the head that it has on a small screen. */
void page_cell(struct page *p, const char *dutch, const char *english);
void page_time(struct page *p, int64_t ms); /* <time>: how long ago, with the time as its title */
/* A number or a text with its unit; unit may be empty. */
void page_value(struct page *p, const struct record_result *v, struct span unit);
/* Name and value pairs of a <dl>; nothing when the text is empty. */
void page_fact(struct page *p, const char *name, const char *text);
void page_fact_link(struct page *p, const char *name, const char *url, const char *text);
void page_code(struct page *p, const char *label, const char *text); /* a block to copy */
void page_member(struct page *p, struct span member);                /* its name for people */
void page_words(struct page *p, void (*words)(struct buf *, enum language, uint64_t), uint64_t n);
/* Words in which each '#' stands for the next number. */
void page_counts(struct page *p, const char *dutch, const char *english, uint64_t first,
                 uint64_t second);
/* Title and description of a feed: as the administrator wrote them, those of the broker's own feeds
 * in the language of the page. */
const char *page_feed_title(const struct page *p, const struct config_feed *c);
const char *page_feed_about(const struct page *p, const struct config_feed *c);
/* Its messages are of places that measure, not the broker's own account of them. */
bool page_measures(const struct feed *f);
const char *page_access_text(const struct page *p, int access);
bool page_is_silent(const struct page *p, const struct seen_thing *t);
/* The unit of a result of this thing, "" when nobody says. */
struct span page_unit(const struct page *p, const struct seen_thing *t,
                      const struct record_result *v);
/* A member of a thing's entry in the register, by dots: "goal.nl". Of text in two languages the
 * page's own is taken, else the other, where the path ends in ".". False: there is none, or who
 * asks may not see the entry. Appends. */
bool page_entry_text(struct page *p, const struct thing *x, const char *path, struct buf *ret);
/* Attributes of the element that shows a result, for oudp.js. */
void page_reading(struct page *p, const struct seen_thing *t, const struct record_result *v);
/* Whether the things are known that are silent for longer than the newest messages of their feed
 * tell: of one feed, or of all, in that area. When not, again is called later; LIMIT_PAGE_WAIT_MS
 * as above. Ask before page_knows(). */
struct shape;
bool page_knows_silent(struct req *r, const struct feed *only, const struct shape *area,
                       handler_fn again);
/* Those, without values; of what the newest messages tell too. NULL: no more. *ret_more: there are
 * more than are told. */
const struct seen_thing *page_silent_at(const struct req *r, unsigned i, bool *ret_more);
/* A row of a table of things: cells of the thing, its values and how old they are. with_feed: the
 * feed as well. */
void page_thing_row(struct page *p, const struct seen_thing *t, bool with_feed,
                    struct span property, const double *distance_m);
/* The same for what stands in the register and sent nothing yet. */
void page_registered_row(struct page *p, const struct thing *x, bool with_feed,
                         const double *distance_m);
void page_thing_heads(struct page *p, bool with_feed, bool distance);
/* Where it is: as it told, else as the register has it, for who may see that. false: nowhere. */
bool page_place_of(const struct page *p, const struct seen_thing *t, struct box *ret);

/* By the name of the register, with the id below it. */
void page_thing_link(struct page *p, const struct seen_thing *t);

/* ---- charts: page_chart.c ---- */
struct chart_span;
/* The stretch of time that last= asks for, or one that suits things that send so often (0: not
 * stated); NULL after a 400. */
const struct chart_span *page_chart_span(struct req *r, uint64_t cadence_s);
/* A section with charts of results that are numbers: of one thing its first ones, of several one
 * each; at most most. Nothing where there is nothing to draw. part: of the page, for oudp.js. */
void page_charts(struct page *p, struct span part, const struct seen_thing *const *t, unsigned n,
                 unsigned most, const struct chart_span *c);

/* Opens a table with these heads, cards on a phone. */
void page_heads(struct page *p, const char *const *heads, unsigned n);

struct where { /* this broker as it is reached from outside */
	const char *base;
	char ws[300], host[200]; /* "wss://data.voorbeeld.nl", "data.voorbeeld.nl" */
	unsigned mqtt_port;      /* 0: no MQTT */
	bool mqtt_tls;
};
struct where page_where(const struct web *w);

/* How to subscribe, with lines to copy: page_ways.c. */
void page_ways(struct page *p, const struct feed *f);

/* ---- assets ---- */
/* "/assets/NAME?v=...": an address whose answer may be kept for ever. */
const char *asset_url(const struct web *w, const char *name, char *out, size_t size);

#endif
