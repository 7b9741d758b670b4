/* zone_rule.c - see zone_rule.h. */
#include "base/zone_rule.h"

#include "base/civil.h"
#include "base/err.h"

enum { DAY_S = 86400, RULE_TIME_S = 2 * 3600 };

struct reader {
	struct span s;
	bool wrong;
};

static bool take(struct reader *r, char c)
{
	if (r->s.n == 0 || r->s.p[0] != c)
		return false;
	r->s = span_of(r->s.p + 1, r->s.n - 1);
	return true;
}

static int number(struct reader *r, int low, int high)
{
	int v = 0;
	unsigned digits = 0;
	while (r->s.n && r->s.p[0] >= '0' && r->s.p[0] <= '9' && digits < 4) {
		v = v * 10 + (r->s.p[0] - '0');
		digits++;
		r->s = span_of(r->s.p + 1, r->s.n - 1);
	}
	if (!digits || v < low || v > high) {
		r->wrong = true;
		return low;
	}
	return v;
}

/* "CET" or "<+0330>". */
static void name(struct reader *r)
{
	size_t n = 0;
	bool quoted = take(r, '<');
	while (n < r->s.n &&
	       (quoted ? r->s.p[n] != '>' : (r->s.p[n] | 32) >= 'a' && (r->s.p[n] | 32) <= 'z'))
		n++;
	r->s = span_of(r->s.p + n, r->s.n - n);
	if (n < 3 || (quoted && !take(r, '>')))
		r->wrong = true;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static int32_t clock_time(struct reader *r, int hours)
{
	bool minus = take(r, '-');
	if (!minus)
		take(r, '+');
	int32_t v = number(r, 0, hours) * 3600;
	if (take(r, ':'))
		v += number(r, 0, 59) * 60;
	if (take(r, ':'))
		v += number(r, 0, 59);
	return minus ? -v : v;
}

static struct zone_rule_day rule_day(struct reader *r)
{
	struct zone_rule_day d = {.kind = 'D', .time_s = RULE_TIME_S};
	if (!take(r, ','))
		r->wrong = true;
	if (take(r, 'M')) {
		d.kind = 'M';
		d.month = number(r, 1, 12);
		r->wrong |= !take(r, '.');
		d.week = number(r, 1, 5);
		r->wrong |= !take(r, '.');
		d.day = number(r, 0, 6);
	} else if (take(r, 'J')) {
		d.kind = 'J';
		d.day = number(r, 1, 365);
	} else {
		d.day = number(r, 0, 365);
	}
	if (take(r, '/'))
		d.time_s = clock_time(r, 167);
	return d;
}

int zone_rule_read(struct span s, struct zone_rule *ret)
{
	struct reader r = {.s = s};
	struct zone_rule rule = {0};
	name(&r);
	rule.standard = -clock_time(&r, 24);
	rule.has_summer = r.s.n > 0;
	if (rule.has_summer) {
		name(&r);
		rule.summer = rule.standard + 3600;
		if (r.s.n && r.s.p[0] != ',')
			rule.summer = -clock_time(&r, 24);
		rule.begin = rule_day(&r);
		rule.end = rule_day(&r);
	}
	if (r.wrong || r.s.n)
		return ERR_MALFORMED;
	*ret = rule;
	return 0;
}

/* Local seconds of that day's change in year y. */
static int64_t moment(const struct zone_rule_day *d, int64_t y)
{
	int64_t day = civil_days(y, 1, 1);
	if (d->kind == 'D') {
		day += d->day;
	} else if (d->kind == 'J') {
		day += d->day - 1 + (civil_leap(y) && d->day > 59);
	} else {
		int64_t first = civil_days(y, d->month, 1);
		int64_t last =
		    d->month == 12 ? civil_days(y + 1, 1, 1) : civil_days(y, d->month + 1, 1);
		int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
		day = first + (d->day - weekday + 7) % 7 + (d->week - 1) * 7;
		while (day >= last)
			day -= 7;
	}
	return day * DAY_S + d->time_s;
}

struct change {
	int64_t at;
	int32_t offset;
};

/* The changes of the years around t, in order. */
static unsigned around(const struct zone_rule *r, int64_t t, struct change out[6])
{
	int64_t y;
	int m, d;
	unsigned n = 0;
	civil_date(floor_div(t, DAY_S), &y, &m, &d);
	for (int64_t i = y - 1; i <= y + 1; i++) {
		out[n++] = (struct change){moment(&r->begin, i) - r->standard, r->summer};
		out[n++] = (struct change){moment(&r->end, i) - r->summer, r->standard};
	}
	for (unsigned i = 1; i < n; i++)
		for (unsigned k = i; k && out[k].at < out[k - 1].at; k--) {
			struct change x = out[k];
			out[k] = out[k - 1];
			out[k - 1] = x;
		}
	return n;
}

int32_t zone_rule_offset(const struct zone_rule *r, int64_t t)
{
	struct change c[6];
	if (!r->has_summer)
		return r->standard;
	unsigned n = around(r, t, c);
	int32_t offset = c[0].offset;
	for (unsigned i = 0; i < n && c[i].at <= t; i++)
		offset = c[i].offset;
	return offset;
}

int64_t zone_rule_change(const struct zone_rule *r, int64_t t)
{
	struct change c[6];
	if (!r->has_summer || r->summer == r->standard)
		return INT64_MAX;
	unsigned n = around(r, t, c);
	for (unsigned i = 0; i < n; i++)
		if (c[i].at > t && zone_rule_offset(r, c[i].at - 1) != c[i].offset)
			return c[i].at;
	return INT64_MAX;
}
