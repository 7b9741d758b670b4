/* page_chart.c - the charts of a page: the server's own SVG in a picture, so that they need no
 * JavaScript; the same figures as CSV are one link away, for who cannot see or wants to reckon. */
#include "web/pages.h"

#include "base/rfc3339.h"
#include "series/series.h"

#include <stdio.h>
#include <string.h>

enum { MINUTE_MS = 60000 };
static const struct size {
	unsigned width, height;
} beside_others = {480, 240}, phone = {320, 220};
#define CLOCK "Europe/Amsterdam" /* of the people who look; without tzdata: UTC */

static const struct chart_span {
	const char *last;      /* as the address says it */
	const char *interval;  /* of the figures as CSV */
	uint64_t s, cadence_s; /* chosen for feeds with a cadence of at most so long */
	const char *dutch, *english;
} spans[] = {
    {"PT24H", "PT15M", 86400, 1200, "24 uur", "24 hours"},
    {"P7D", "PT1H", 7 * 86400, 7200, "7 dagen", "7 days"},
    {"P30D", "PT6H", 30 * 86400, 43200, "30 dagen", "30 days"},
    {"P365D", "P1D", 365 * 86400, UINT64_MAX, "een jaar", "a year"},
};

const struct chart_span *page_chart_span(struct req *r, uint64_t cadence_s)
{
	struct span asked;
	bool given = query_get(&r->query, "last", &asked);
	for (unsigned i = 0; i < ARRAY_LEN(spans); i++)
		if (given ? span_is(asked, spans[i].last) : cadence_s <= spans[i].cadence_s)
			return &spans[i];
	problem(r, 400, "last is PT24H, P7D, P30D or P365D");
	return NULL;
}

static struct buf text_buf(void)
{
	struct buf b;
	buf_init(&b, 4096);
	return b;
}

/* A range that ends with this minute: an address that stays the same until there is more to see. */
static void range(struct page *p, const struct chart_span *c, char *out, size_t size)
{
	char from[RFC3339_BYTES], to[RFC3339_BYTES];
	int64_t end = (p->now_ms / MINUTE_MS + 1) * MINUTE_MS;
	rfc3339_format(end - (int64_t)c->s * 1000, from);
	rfc3339_format(end, to);
	bool zone = web_zone(p->r->web, SPAN(CLOCK)) != NULL;
	snprintf(out, size, "from=%.*s&to=%.*s%s", (int)sizeof(from), from, (int)sizeof(to), to,
	         zone ? "&tz=" CLOCK : "");
}

static void address(struct page *p, const char *attribute, uint32_t stream, struct size size,
                    const struct chart_span *c)
{
	char times[160];
	range(p, c, times, sizeof(times));
	html_attrf(&p->h, "width", "%u", size.width);
	html_attrf(&p->h, "height", "%u", size.height);
	html_attrf(&p->h, attribute, "/v1/datastreams/%u/chart.svg?%s&width=%u&height=%u&lang=%s",
	           stream, times, size.width, size.height, language_code(p->lang));
}

static void picture(struct page *p, uint32_t stream, struct span member, struct size size,
                    const struct chart_span *c)
{
	struct html *h = &p->h;
	html_open(h, "picture");
	html_void(h, "source");
	html_attr(h, "media", "(max-width: 46rem)");
	address(p, "srcset", stream, phone, c);
	html_void(h, "img");
	address(p, "src", stream, size, c);
	html_attr(h, "loading", "lazy");
	struct buf alt = text_buf();
	buf_add_str(&alt, say(p, "Grafiek: ", "Chart: "));
	words_member(&alt, p->lang, member);
	buf_add_str(&alt, say(p, ", de laatste ", ", the last "));
	buf_add_str(&alt, say(p, c->dutch, c->english));
	buf_add_str(&alt, say(p, "; de cijfers staan achter de verwijzing hieronder",
	                      "; the figures are behind the link below"));
	html_attr_span(h, "alt", span_of(alt.p, alt.len));
	buf_done(&alt);
	html_close(h, "picture");
}

static void figures_link(struct page *p, const struct seen_thing *t, uint32_t stream,
                         struct span member, const struct chart_span *c)
{
	struct html *h = &p->h;
	bool zone = web_zone(p->r->web, SPAN(CLOCK)) != NULL;
	html_open(h, "a");
	html_attrf(h, "href",
	           "/v1/datastreams/%u/observations?aggregate=mean,min,max&interval=%s&last=%s"
	           "&format=csv%s",
	           stream, c->interval, c->last, zone ? "&tz=" CLOCK : "");
	html_text(h, say(p, "Cijfers als CSV", "Figures as CSV"));
	html_class(h, "span", "hidden");
	html_text(h, ": ");
	html_span(h, t->thing);
	html_text(h, " ");
	page_member(p, member);
	html_close(h, "span");
	html_close(h, "a");
}

/* The datastream of a result that can be drawn; 0: there is none (yet). */
static uint32_t stream_of(const struct page *p, const struct seen_thing *t,
                          const struct record_result *v)
{
	struct series *s = p->r->web->series;
	if (!s || (v->type != EXTRACT_NUMBER && v->type != EXTRACT_BOOL))
		return 0;
	uint32_t thing = series_find_thing(s, t->feed->name, t->organisation, t->thing);
	return thing ? series_find_stream(s, thing, v->member) : 0;
}

/* One thing's results, at most most; how many. */
static unsigned figures(struct page *p, const struct seen_thing *t, const struct chart_span *c,
                        unsigned most, bool with_thing)
{
	struct html *h = &p->h;
	struct record_result v;
	unsigned n = 0;
	for (size_t at = 0; n < most && record_next_result(&t->results, &at, &v);) {
		uint32_t stream = stream_of(p, t, &v);
		if (!stream)
			continue;
		n++;
		html_class(h, "figure", "chart");
		html_open(h, "figcaption"); /* the picture says itself what it shows */
		if (with_thing)
			page_thing_link(p, t);
		html_class(h, "span", "hidden");
		html_text(h, " ");
		page_member(p, v.member);
		html_close(h, "span");
		html_close(h, "figcaption");
		picture(p, stream, v.member, beside_others, c);
		html_open(h, "p");
		figures_link(p, t, stream, v.member, c);
		html_close(h, "p");
		html_close(h, "figure");
	}
	return n;
}

/* Links to the same page with another stretch of time. */
static void span_links(struct page *p, const struct chart_span *now)
{
	struct html *h = &p->h;
	html_class(h, "p", "spans");
	for (unsigned i = 0; i < ARRAY_LEN(spans); i++) {
		if (i)
			html_text(h, " ");
		html_open(h, "a");
		html_attr(h, "href", page_url(p, "%s?last=%s", p->r->path, spans[i].last));
		if (&spans[i] == now)
			html_attr(h, "aria-current", "true");
		html_text(h, say(p, spans[i].dutch, spans[i].english));
		html_close(h, "a");
	}
	html_close(h, "p");
}

static bool can_be_drawn(const struct page *p, const struct seen_thing *t)
{
	struct record_result v;
	for (size_t at = 0; record_next_result(&t->results, &at, &v);)
		if (stream_of(p, t, &v))
			return true;
	return false;
}

void page_charts(struct page *p, struct span part, const struct seen_thing *const *t, unsigned n,
                 unsigned most, const struct chart_span *c)
{
	struct html *h = &p->h;
	bool any = false;
	for (unsigned i = 0; i < n && !any; i++)
		any = can_be_drawn(p, t[i]);
	if (!any)
		return;
	html_class(h, "section", "charts");
	html_open(h, "h2");
	html_text(h, say(p, "Verloop", "Over time"));
	html_close(h, "h2");
	span_links(p, c);
	html_open(h, "div");
	html_attrf(h, "data-part", "charts-%.*s", (int)part.n, part.p);
	for (unsigned i = 0; i < n && most; i++)
		most -= figures(p, t[i], c, n == 1 ? most : 1, n > 1);
	html_close(h, "div");
	html_close(h, "section");
}
