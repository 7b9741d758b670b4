/* function.c - the functions of expressions; see value.h. What does not fit an argument gives null,
 * which meets no condition: data that differ are no error of the asker's. Texts are UTF-8 and
 * counted in characters. */
#include "base/civil.h"
#include "sta/value.h"

#include <math.h>
#include <stdio.h>

enum { DAY_MS = 86400000 };

static struct sta_value null(void)
{
	return (struct sta_value){.kind = STA_V_NULL};
}

static struct sta_value number(double v)
{
	return (struct sta_value){.kind = STA_V_NUMBER, .number = v};
}

static struct sta_value truth(bool v)
{
	return (struct sta_value){.kind = STA_V_BOOL, .truth = v};
}

static struct sta_value string(struct span s)
{
	return (struct sta_value){.kind = STA_V_STRING, .text = s};
}

static struct sta_value instant(int64_t ms)
{
	return (struct sta_value){.kind = STA_V_TIME, .ms = ms, .end_ms = ms};
}

struct span sta_keep(struct sta_eval *e, struct span text)
{
	size_t n = MIN_OF(text.n, sizeof(e->text) - e->used);
	char *to = e->text + e->used;
	memcpy(to, text.p, n);
	e->used += n;
	return span_of(to, n);
}

/* ---- texts ---- */

static bool begins_char(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static size_t chars(struct span s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += begins_char(s.p[i]);
	return n;
}

/* Where its n-th character begins, or its end. */
static size_t byte_of(struct span s, double n)
{
	size_t i = 0;
	for (double k = 0; i < s.n; i++)
		if (begins_char(s.p[i]) && k++ >= n)
			break;
	return i;
}

static struct sta_value index_of(struct span all, struct span part)
{
	const char *at = part.n ? memmem(all.p, all.n, part.p, part.n) : all.p;
	return number(at ? (double)chars(span_of(all.p, (size_t)(at - all.p))) : -1);
}

static struct sta_value substring(const struct sta_value *arg, unsigned n)
{
	struct span s = arg[0].text;
	if (arg[1].kind != STA_V_NUMBER || arg[1].number < 0 ||
	    (n == 3 && (arg[2].kind != STA_V_NUMBER || arg[2].number < 0)))
		return null();
	size_t from = byte_of(s, arg[1].number);
	s = span_of(s.p + from, s.n - from);
	if (n == 3)
		s.n = byte_of(s, arg[2].number);
	return string(s);
}

/* ASCII, and the Latin letters of Western Europe (U+00C0 to U+00FE: 0xc3 and one byte). */
static struct sta_value change_case(struct sta_eval *e, struct span s, bool upper)
{
	struct span r = sta_keep(e, s);
	char *p = e->text + (r.p - e->text);
	bool latin = false;
	for (size_t i = 0; i < r.n; i++) {
		unsigned char c = (unsigned char)p[i];
		if (upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z')
			p[i] ^= 0x20;
		else if (latin && c != 0x97 && c != 0xb7 &&
		         (upper ? c >= 0xa0 && c <= 0xbe : c >= 0x80 && c <= 0x9e))
			p[i] ^= 0x20;
		latin = c == 0xc3;
	}
	return string(r);
}

static struct sta_value trim(struct span s)
{
	while (s.n && (unsigned char)s.p[0] <= ' ')
		s = span_of(s.p + 1, s.n - 1);
	while (s.n && (unsigned char)s.p[s.n - 1] <= ' ')
		s.n--;
	return string(s);
}

static bool ends_with(struct span s, struct span end)
{
	return s.n >= end.n && memcmp(s.p + s.n - end.n, end.p, end.n) == 0;
}

static struct sta_value of_texts(struct sta_eval *e, enum sta_function f,
                                 const struct sta_value *arg, unsigned n)
{
	struct span a = arg[0].text, b = n > 1 ? arg[1].text : (struct span){0};
	unsigned texts = f == STA_F_SUBSTRING ? 1 : n;
	for (unsigned i = 0; i < texts; i++)
		if (arg[i].kind != STA_V_STRING)
			return null();
	switch (f) {
	case STA_F_SUBSTRINGOF: return truth(index_of(b, a).number >= 0);
	case STA_F_CONTAINS: return truth(index_of(a, b).number >= 0);
	case STA_F_STARTSWITH: return truth(a.n >= b.n && memcmp(a.p, b.p, b.n) == 0);
	case STA_F_ENDSWITH: return truth(ends_with(a, b));
	case STA_F_LENGTH: return number((double)chars(a));
	case STA_F_INDEXOF: return index_of(a, b);
	case STA_F_SUBSTRING: return substring(arg, n);
	case STA_F_TOLOWER:
	case STA_F_TOUPPER: return change_case(e, a, f == STA_F_TOUPPER);
	case STA_F_TRIM: return trim(a);
	default: {
		struct span left = sta_keep(e, a), right = sta_keep(e, b);
		return string(span_of(left.p, left.n + right.n));
	}
	}
}

/* ---- times ---- */

static struct sta_value of_time(struct sta_eval *e, enum sta_function f, struct sta_value t)
{
	int64_t y;
	int m, d;
	if (!sta_value_as_time(&t))
		return null();
	int64_t day = floor_div(t.ms, DAY_MS), ms = t.ms - day * DAY_MS;
	civil_date(day, &y, &m, &d);
	switch (f) {
	case STA_F_YEAR: return number((double)y);
	case STA_F_MONTH: return number(m);
	case STA_F_DAY: return number(d);
	case STA_F_HOUR: return number((double)(ms / 3600000));
	case STA_F_MINUTE: return number((double)(ms / 60000 % 60));
	case STA_F_SECOND: return number((double)(ms / 1000 % 60));
	case STA_F_FRACTIONALSECONDS: return number((double)(ms % 1000) / 1000);
	case STA_F_DATE: return instant(day * DAY_MS);
	case STA_F_TOTALOFFSETMINUTES: /* everything here is UTC */ return number(0);
	default: {
		char text[16];
		int n = snprintf(text, sizeof(text), "%02d:%02d:%02d.%03d", (int)(ms / 3600000),
		                 (int)(ms / 60000 % 60), (int)(ms / 1000 % 60), (int)(ms % 1000));
		return string(sta_keep(e, span_of(text, (size_t)n)));
	}
	}
}

/* Intervals have their first moment and not their last; what has none of its own is an instant. */
static struct sta_value of_times(enum sta_function f, struct sta_value a, struct sta_value b)
{
	if (!sta_value_as_time(&a) || !sta_value_as_time(&b))
		return null();
	switch (f) {
	case STA_F_BEFORE: return truth(sta_time_before(&a, &b));
	case STA_F_AFTER: return truth(sta_time_before(&b, &a));
	case STA_F_MEETS: return truth(a.end_ms == b.ms || a.ms == b.end_ms);
	case STA_F_DURING:
		return truth(
		    a.ms >= b.ms &&
		    (a.ms == a.end_ms && b.ms < b.end_ms ? a.ms < b.end_ms : a.end_ms <= b.end_ms));
	case STA_F_OVERLAPS: return truth(!sta_time_before(&a, &b) && !sta_time_before(&b, &a));
	case STA_F_STARTS: return truth(a.ms == b.ms);
	default: return truth(a.end_ms == b.end_ms);
	}
}

/* ---- all ---- */

static struct sta_value of_number(enum sta_function f, struct sta_value v)
{
	if (v.kind != STA_V_NUMBER)
		return null();
	return number(f == STA_F_ROUND   ? round(v.number)
	              : f == STA_F_FLOOR ? floor(v.number)
	                                 : ceil(v.number));
}

struct sta_value sta_call(struct sta_eval *e, enum sta_function f, const struct sta_value *arg,
                          unsigned n)
{
	struct sta_value r = null();
	if (f <= STA_F_CONCAT)
		return of_texts(e, f, arg, n);
	if (f <= STA_F_TOTALOFFSETMINUTES)
		return of_time(e, f, arg[0]);
	if (f == STA_F_NOW)
		return instant(e->now_ms);
	if (f == STA_F_MINDATETIME || f == STA_F_MAXDATETIME) /* the years 1 and 9999 */
		return instant(f == STA_F_MINDATETIME ? -62135596800000 : 253402300799999);
	if (f <= STA_F_FINISHES)
		return of_times(f, arg[0], arg[1]);
	if (f <= STA_F_CEILING)
		return of_number(f, arg[0]);
	struct span pattern = n == 3 && arg[2].kind == STA_V_STRING ? arg[2].text : SPAN("");
	if (!sta_geo_call(e->geo, f, &arg[0], n > 1 ? &arg[1] : NULL, pattern, &r))
		return null();
	return r;
}
