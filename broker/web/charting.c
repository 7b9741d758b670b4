/* charting.c - GET /v1/datastreams/{id}/chart.svg: gathers the figures of equal pieces of time and
 * has them drawn. */
#include "base/err.h"
#include "base/mem.h"
#include "web/chart.h"
#include "web/observing.h"
#include "web/words.h"

enum { PIXELS_A_PIECE = 2, PIECES_MIN = 60, DAY_MS = 86400000 };

struct gathered {
	size_t n;
	struct chart_point points[LIMIT_SERIES_EDGE_PIECES + 1];
};

size_t charting_edges(struct observing *g)
{
	size_t n = MAX_OF(g->o.width / PIXELS_A_PIECE, (unsigned)PIECES_MIN);
	n = MIN_OF(n, (size_t)LIMIT_SERIES_EDGE_PIECES);
	int64_t length = g->o.to_ms - g->o.from_ms;
	if ((int64_t)n > length)
		n = (size_t)length;
	for (size_t i = 0; i <= n; i++)
		g->edges[i] = g->o.from_ms + (int64_t)((double)length * (double)i / (double)n);
	g->edges[n] = g->o.to_ms;
	return n + 1;
}

static void take(struct observing *g, const struct series_bucket *k)
{
	struct gathered *all = g->more;
	if (!k->count || all->n == ARRAY_LEN(all->points))
		return;
	all->points[all->n++] =
	    (struct chart_point){k->from_ms, k->to_ms, k->sum / (double)k->count, k->min, k->max};
}

/* In the words of the pages: names, units as people write them, shares as percentages. */
static void draw(struct observing *g, const char *next UNUSED)
{
	struct gathered *all = g->more;
	const struct series_stream *s = &g->streams.streams[0];
	struct buf english, dutch, unit;
	bool share = words_is_share(s->member, s->unit);
	buf_init(&english, LIMIT_THING_BYTES);
	buf_init(&dutch, LIMIT_THING_BYTES);
	buf_init(&unit, LIMIT_THING_BYTES);
	words_member(&english, ENGLISH, s->member);
	words_member(&dutch, DUTCH, s->member);
	words_unit(&unit, share ? SPAN("%") : s->unit);
	for (size_t i = 0; share && i < all->n; i++) {
		all->points[i].mean *= 100;
		all->points[i].min *= 100;
		all->points[i].max *= 100;
	}
	const struct chart c = {
	    .points = all->points,
	    .n = all->n,
	    .from_ms = g->o.from_ms,
	    .to_ms = g->o.to_ms,
	    .cadence_s = s->cadence_s,
	    .zone = g->o.zone,
	    .zone_name = span_str(g->o.zone_name),
	    .thing = s->thing,
	    .property = {span_of(english.p, english.len), span_of(dutch.p, dutch.len)},
	    .unit = span_of(unit.p, unit.len),
	    .width = g->o.width,
	    .height = g->o.height,
	    .dutch = g->o.dutch};
	chart_write(&g->r->out, &c);
	buf_done(&english);
	buf_done(&dutch);
	buf_done(&unit);
	/* its own style sheet, and nothing else */
	respond_header(g->r, "Content-Security-Policy:",
	               "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
	respond_header(g->r, "Vary:", "Accept-Language");
	respond_tagged(g->r, "image/svg+xml; charset=utf-8");
}

/* Dutch unless English is asked for first: residents look at these. */
static bool wants_dutch(struct lws *wsi)
{
	char text[128];
	if (lws_hdr_copy(wsi, text, sizeof(text), WSI_TOKEN_HTTP_ACCEPT_LANGUAGE) <= 0)
		return true;
	const char *en = strstr(text, "en"), *nl = strstr(text, "nl");
	return !en || (nl && nl < en);
}

void get_chart(struct req *r)
{
	struct observing *g = observing_new(r, OBSERVE_CHART);
	if (!g)
		return;
	if (!g->o.has_to)
		g->o.to_ms = g->w.now_ms;
	if (!g->o.has_from)
		g->o.from_ms = g->o.to_ms - DAY_MS;
	if (g->o.from_ms >= g->o.to_ms) {
		problem(r, 400, "from is in the future");
		return;
	}
	if (!g->o.lang_asked)
		g->o.dutch = wants_dutch(r->wsi);
	g->o.figures = FIGURE_MEAN;
	g->o.limit = UINT64_MAX;
	g->bucket = take;
	g->finish = draw;
	g->more = xcalloc(1, sizeof(struct gathered));
	observing_begin_one(g);
}
