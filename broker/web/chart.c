/* chart.c - see chart.h. */
#include "web/chart.h"

#include "base/civil.h"
#include "base/mem.h"
#include "base/period.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEFT = 64, RIGHT = 16, TOP = 40, BOTTOM = 34, LABEL_WIDTH = 84, LABEL_HEIGHT = 44 };
enum { DAY_MS = 86400000, TICKS_MAX = 64 };

struct drawing {
	const struct chart *c;
	struct buf *b;
	double low, high; /* of the axis */
	double x0, y0, w, h;
	int64_t gap_ms; /* between two pieces: longer is a hole */
	unsigned holes;
};

/* ---- words ---- */

/* Text of people in XML; what XML cannot hold becomes '?'. */
static void write_text(struct buf *b, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)s.p[i];
		bool none = s.n - i >= 3 && memcmp(s.p + i, "\xef\xbf", 2) == 0 &&
		            (unsigned char)s.p[i + 2] >= 0xbe; /* U+FFFE, U+FFFF */
		if (none) {
			buf_add_char(b, '?');
			i += 2;
		} else if (ch == '<')
			buf_add_str(b, "&lt;");
		else if (ch == '>')
			buf_add_str(b, "&gt;");
		else if (ch == '&')
			buf_add_str(b, "&amp;");
		else if (ch == '"')
			buf_add_str(b, "&quot;");
		else
			buf_add_char(b, ch < ' ' || ch == 127 ? '?' : (char)ch);
	}
}

static void write_number(struct buf *b, double v, unsigned decimals, bool dutch)
{
	char text[64];
	if (fabs(v) < 1e12)
		snprintf(text, sizeof(text), "%.*f", (int)decimals, v == 0 ? 0 : v);
	else
		snprintf(text, sizeof(text), "%.6g", v);
	char *point = strchr(text, '.');
	if (point && dutch)
		*point = ',';
	buf_add_str(b, text);
}

static const char *month_name(int m, bool dutch)
{
	static const char *const names[2][12] = {
	    {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"},
	    {"jan", "feb", "mrt", "apr", "mei", "jun", "jul", "aug", "sep", "okt", "nov", "dec"}};
	return names[dutch][m - 1];
}

static void write_date(struct buf *b, const struct chart *c, int64_t ms, bool year, bool dutch)
{
	int64_t y;
	int m, d;
	civil_date(floor_div(zone_local(c->zone, ms), DAY_MS), &y, &m, &d);
	buf_addf(b, "%d %s", d, month_name(m, dutch));
	if (year)
		buf_addf(b, " %lld", (long long)y);
}

static void write_clock(struct buf *b, const struct chart *c, int64_t ms)
{
	int64_t local = zone_local(c->zone, ms),
	        minute = (local - floor_div(local, DAY_MS) * DAY_MS) / 60000;
	buf_addf(b, "%02d:%02d", (int)(minute / 60), (int)(minute % 60));
}

static void write_moment(struct buf *b, const struct chart *c, int64_t ms, bool dutch)
{
	write_date(b, c, ms, true, dutch);
	buf_add_char(b, ' ');
	write_clock(b, c, ms);
}

/* ---- scales ---- */

double chart_step(double length, unsigned most, unsigned *ret_decimals)
{
	double raw = length / (most ? most : 1), power = pow(10, floor(log10(raw)));
	double step = 10;
	const double steps[] = {1, 2, 5};
	for (unsigned i = ARRAY_LEN(steps); i--;)
		if (steps[i] * power >= raw * 0.999999)
			step = steps[i];
	step *= power;
	double digits = ceil(-log10(step) - 1e-9);
	*ret_decimals = digits < 1 ? 0 : digits > 9 ? 9 : (unsigned)digits;
	return step;
}

static double x_of(const struct drawing *d, int64_t ms)
{
	return d->x0 + d->w * (double)(ms - d->c->from_ms) / (double)(d->c->to_ms - d->c->from_ms);
}

static double middle_of(const struct drawing *d, const struct chart_point *p)
{
	return x_of(d, p->from_ms + (p->to_ms - p->from_ms) / 2);
}

static double y_of(const struct drawing *d, double v)
{
	return d->y0 + d->h - d->h * (v - d->low) / (d->high - d->low);
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* Two and a half times what is usual between two of them. */
static int64_t usual_gap(const struct chart *c)
{
	int64_t usual = (int64_t)c->cadence_s * 1000,
	        piece = c->points[0].to_ms - c->points[0].from_ms;
	if (!usual && c->n > 1) {
		auto_free int64_t *steps = xcalloc(c->n - 1, sizeof(*steps));
		for (size_t i = 1; i < c->n; i++)
			steps[i - 1] = c->points[i].from_ms - c->points[i - 1].from_ms;
		qsort(steps, c->n - 1, sizeof(*steps), by_size);
		usual = steps[(c->n - 1) / 2];
	}
	return MAX_OF(usual, piece) * 5 / 2;
}

static void set_scale(struct drawing *d)
{
	const struct chart *c = d->c;
	unsigned decimals;
	d->low = 0;
	d->high = 1;
	if (!c->n)
		return;
	d->low = c->points[0].min;
	d->high = c->points[0].max;
	d->gap_ms = usual_gap(c);
	for (size_t i = 0; i < c->n; i++) {
		d->low = fmin(d->low, c->points[i].min);
		d->high = fmax(d->high, c->points[i].max);
		d->holes += i && c->points[i].from_ms - c->points[i - 1].from_ms > d->gap_ms;
	}
	d->low = fmax(d->low, -1e300); /* so that their difference is a number */
	d->high = fmin(d->high, 1e300);
	if (!(d->high - d->low > fabs(d->high) * 1e-12)) { /* a flat line in the middle */
		double room = d->high == 0 ? 1 : fabs(d->high) / 10;
		d->low -= room;
		d->high += room;
	}
	double step = chart_step(d->high - d->low, (unsigned)(d->h / LABEL_HEIGHT) + 1, &decimals);
	d->low = floor(d->low / step) * step;
	d->high = ceil(d->high / step) * step;
}

/* ---- the picture ---- */

static void write_style(struct buf *b)
{
	buf_add_str(
	    b,
	    "<style>\n"
	    "svg{--back:#fff;--ink:#1a1a1a;--faint:#595959;--grid:#d9d9d9;--line:#01689b;"
	    "--range:#b2d3e6}\n"
	    "@media (prefers-color-scheme:dark){svg{--back:#16191d;--ink:#f2f2f2;--faint:#b5b5b5;"
	    "--grid:#3a3f45;--line:#7cc4f0;--range:#234a63}}\n"
	    ".back{fill:var(--back)}text{fill:var(--faint);font:12px system-ui,sans-serif}"
	    ".name{fill:var(--ink);font-size:15px;font-weight:600}"
	    ".grid{stroke:var(--grid);stroke-width:1}.line{fill:none;stroke:var(--line);"
	    "stroke-width:1.75;stroke-linejoin:round;stroke-linecap:round}"
	    ".range{fill:var(--range)}.dot{fill:var(--line)}\n"
	    "</style>\n");
}

static void write_words(struct drawing *d, bool dutch)
{
	const struct chart *c = d->c;
	struct buf *b = d->b;
	const char *lang = dutch ? "nl" : "en";
	buf_addf(b, "<title id=\"title-%s\" lang=\"%s\">", lang, lang);
	write_text(b, c->thing);
	buf_add_str(b, ": ");
	write_text(b, c->property[dutch]);
	buf_addf(b, "</title>\n<desc id=\"desc-%s\" lang=\"%s\">%s ", lang, lang,
	         dutch ? "Grafiek van" : "Chart from");
	write_moment(b, c, c->from_ms, dutch);
	buf_add_str(b, dutch ? " tot " : " to ");
	write_moment(b, c, c->to_ms, dutch);
	buf_add_str(b, " (");
	write_text(b, c->zone_name);
	if (!c->n) {
		buf_add_str(b,
		            dutch ? "). Geen metingen.</desc>\n" : "). No observations.</desc>\n");
		return;
	}
	double low = c->points[0].min, high = c->points[0].max;
	for (size_t i = 1; i < c->n; i++) {
		low = fmin(low, c->points[i].min);
		high = fmax(high, c->points[i].max);
	}
	unsigned decimals;
	chart_step(high > low ? high - low : fabs(high) + 1, 100, &decimals);
	buf_add_str(b, dutch ? "). Laagste " : "). Lowest ");
	write_number(b, low, decimals, dutch);
	buf_add_str(b, dutch ? ", hoogste " : ", highest ");
	write_number(b, high, decimals, dutch);
	buf_add_str(b, dutch ? ", laatste " : ", last ");
	write_number(b, c->points[c->n - 1].mean, decimals, dutch);
	buf_add_char(b, ' ');
	write_text(b, c->unit);
	buf_addf(b, dutch ? ". Onderbrekingen: %u.</desc>\n" : ". Gaps: %u.</desc>\n", d->holes);
}

static void write_values(struct drawing *d)
{
	unsigned decimals;
	double step = chart_step(d->high - d->low, (unsigned)(d->h / LABEL_HEIGHT) + 1, &decimals);
	for (unsigned i = 0; i < TICKS_MAX && d->low + i * step <= d->high + step / 2; i++) {
		double v = d->low + i * step, y = y_of(d, v);
		buf_addf(d->b, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>", d->x0, y,
		         d->x0 + d->w);
		buf_addf(d->b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", d->x0 - 8,
		         y + 4);
		write_number(d->b, v, decimals, d->c->dutch);
		buf_add_str(d->b, "</text>\n");
	}
}

/* The shortest period that makes no more labels than fit. */
static struct period choose_period(const struct drawing *d)
{
	static const char *const periods[] = {"PT1S", "PT10S", "PT1M", "PT5M",  "PT15M", "PT30M",
	                                      "PT1H", "PT3H",  "PT6H", "PT12H", "P1D",   "P2D",
	                                      "P1W",  "P1M",   "P3M",  "P1Y",   "P5Y",   "P20Y"};
	double most = fmax(1, d->w / LABEL_WIDTH);
	struct period p = {.months = 12 * 50};
	for (unsigned i = 0; i < ARRAY_LEN(periods); i++) {
		struct period one;
		int err = period_parse(span_str(periods[i]), &one);
		assert(!err);
		if ((double)(d->c->to_ms - d->c->from_ms) / (double)period_about_ms(&one) <= most)
			return one;
	}
	return p;
}

static void write_time_label(struct drawing *d, const struct period *p, int64_t ms)
{
	const struct chart *c = d->c;
	int64_t local = zone_local(c->zone, ms), y;
	int m, day;
	civil_date(floor_div(local, DAY_MS), &y, &m, &day);
	if (p->months >= 12)
		buf_addf(d->b, "%lld", (long long)y);
	else if (p->months)
		buf_addf(d->b, "%s %lld", month_name(m, c->dutch), (long long)y);
	else if (p->days || local - floor_div(local, DAY_MS) * DAY_MS == 0)
		write_date(d->b, c, ms, false, c->dutch);
	else
		write_clock(d->b, c, ms);
}

static void write_times(struct drawing *d)
{
	const struct chart *c = d->c;
	struct period p = choose_period(d);
	int64_t t = period_floor(&p, c->zone, c->from_ms);
	for (unsigned i = 0; i < TICKS_MAX && t <= c->to_ms; i++, t = period_next(&p, c->zone, t)) {
		if (t < c->from_ms)
			continue;
		double x = x_of(d, t);
		buf_addf(d->b, "<path class=\"grid\" d=\"M%.1f %.1fv%.1f\"/>", x, d->y0, d->h + 5);
		buf_addf(d->b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", x,
		         d->y0 + d->h + 20);
		write_time_label(d, &p, t);
		buf_add_str(d->b, "</text>\n");
	}
}

/* How many points from i on have no hole between them. */
static size_t run_of(const struct drawing *d, size_t i)
{
	const struct chart_point *p = d->c->points;
	size_t n = 1;
	while (i + n < d->c->n && p[i + n].from_ms - p[i + n - 1].from_ms <= d->gap_ms)
		n++;
	return n;
}

static void write_run(struct drawing *d, const struct chart_point *p, size_t n)
{
	struct buf *b = d->b;
	if (n == 1) {
		buf_addf(b, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/>\n",
		         middle_of(d, p), y_of(d, p->mean));
		return;
	}
	buf_add_str(b, "<path class=\"range\" d=\"");
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%c%.1f %.1f", i ? 'L' : 'M', middle_of(d, &p[i]), y_of(d, p[i].max));
	for (size_t i = n; i--;)
		buf_addf(b, "L%.1f %.1f", middle_of(d, &p[i]), y_of(d, p[i].min));
	buf_add_str(b, "Z\"/>\n<path class=\"line\" d=\"");
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%c%.1f %.1f", i ? 'L' : 'M', middle_of(d, &p[i]), y_of(d, p[i].mean));
	buf_add_str(b, "\"/>\n");
}

static void write_name(struct drawing *d)
{
	const struct chart *c = d->c;
	buf_add_str(d->b, "<text class=\"name\" x=\"12\" y=\"24\">");
	write_text(d->b, c->thing);
	buf_add_str(d->b, " · ");
	write_text(d->b, c->property[c->dutch]);
	if (c->unit.n) {
		buf_add_str(d->b, " (");
		write_text(d->b, c->unit);
		buf_add_char(d->b, ')');
	}
	buf_add_str(d->b, "</text>\n");
	if (!c->n)
		buf_addf(d->b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
		         d->x0 + d->w / 2, d->y0 + d->h / 2,
		         c->dutch ? "geen metingen in deze periode"
		                  : "no observations in this period");
}

void chart_write(struct buf *b, const struct chart *c)
{
	struct drawing d = {.c = c, .b = b, .x0 = LEFT, .y0 = TOP};
	const char *lang = c->dutch ? "nl" : "en";
	assert(c->to_ms > c->from_ms);
	d.w = fmax(10, (double)c->width - LEFT - RIGHT);
	d.h = fmax(10, (double)c->height - TOP - BOTTOM);
	set_scale(&d);
	buf_addf(b,
	         "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" viewBox=\"0 "
	         "0 %u %u\" role=\"img\" lang=\"%s\" aria-labelledby=\"title-%s desc-%s\">\n",
	         c->width, c->height, c->width, c->height, lang, lang, lang);
	write_words(&d, c->dutch);
	write_words(&d, !c->dutch);
	write_style(b);
	buf_addf(b, "<rect class=\"back\" width=\"%u\" height=\"%u\"/>\n", c->width, c->height);
	write_name(&d);
	if (c->n)
		write_values(&d);
	write_times(&d);
	for (size_t i = 0, n; i < c->n; i += n) {
		n = run_of(&d, i);
		write_run(&d, c->points + i, n);
	}
	buf_add_str(b, "</svg>\n");
}
