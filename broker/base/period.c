/* period.c - see period.h. */
#include "base/period.h"

#include "base/civil.h"
#include "base/err.h"

enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS, YEARS_MAX = 100 };

static bool digits(struct span *s, int64_t *ret)
{
	int64_t v = 0;
	size_t n = 0;
	while (n < s->n && n < 12 && s->p[n] >= '0' && s->p[n] <= '9')
		v = v * 10 + (s->p[n++] - '0');
	*s = span_of(s->p + n, s->n - n);
	*ret = v;
	return n > 0;
}

/* ".5" of a second, in milliseconds. */
static bool fraction(struct span *s, int64_t *ret)
{
	int64_t v = 0, scale = 100;
	size_t n = 1;
	while (n < s->n && n < 4 && s->p[n] >= '0' && s->p[n] <= '9') {
		v += (s->p[n++] - '0') * scale;
		scale /= 10;
	}
	*s = span_of(s->p + n, s->n - n);
	*ret = v;
	return n > 1;
}

/* The letters in their order, each once at most. */
static int part(struct span *s, bool *time, const char **from, int64_t total[3])
{
	static const char date_order[] = "YMWD", time_order[] = "HMS";
	int64_t n, ms = 0;
	if (s->p[0] == 'T') {
		if (*time || s->n == 1)
			return ERR_MALFORMED;
		*time = true;
		*from = time_order;
		*s = span_of(s->p + 1, s->n - 1);
	}
	if (!*from)
		*from = date_order;
	bool cut = !digits(s, &n);
	if (!cut && s->n && s->p[0] == '.')
		cut = !fraction(s, &ms) || s->n == 0 || s->p[0] != 'S';
	const char *at = cut || s->n == 0 || s->p[0] == '\0' ? NULL : strchr(*from, s->p[0]);
	if (!at || (s->p[0] == 'S' && !*time))
		return ERR_MALFORMED;
	switch (*time ? s->p[0] | 32 : s->p[0]) {
	case 'Y': total[0] += 12 * n; break;
	case 'M': total[0] += n; break;
	case 'W': total[1] += 7 * n; break;
	case 'D': total[1] += n; break;
	case 'h': total[2] += n * HOUR_MS; break;
	case 'm': total[2] += n * 60000; break;
	default: total[2] += n * 1000 + ms;
	}
	*from = at + 1;
	*s = span_of(s->p + 1, s->n - 1);
	return 0;
}

int period_parse(struct span s, struct period *ret)
{
	int64_t total[3] = {0};
	const char *from = NULL;
	bool time = false;
	if (s.n < 3 || s.p[0] != 'P')
		return ERR_MALFORMED;
	s = span_of(s.p + 1, s.n - 1);
	while (s.n) {
		int err = part(&s, &time, &from, total);
		if (err)
			return err;
	}
	if ((total[0] != 0) + (total[1] != 0) + (total[2] != 0) != 1 || total[0] > 12 * YEARS_MAX ||
	    total[1] > 366 * YEARS_MAX || total[2] > (int64_t)366 * YEARS_MAX * DAY_MS)
		return ERR_INVALID;
	*ret = (struct period){(int32_t)total[0], (int32_t)total[1], total[2]};
	return 0;
}

int64_t period_about_ms(const struct period *p)
{
	return p->ms + (int64_t)p->days * DAY_MS +
	       (int64_t)p->months * 2629746000; /* a year / 12 */
}

/* ---- pieces whose beginnings are times of the local clock ---- */

static int64_t month_begin(int64_t months)
{
	int64_t y = floor_div(months, 12);
	return civil_days(y, (int)(months - y * 12) + 1, 1) * DAY_MS;
}

/* The n-th piece after the one that begins at local or holds it; n is 0 or 1. */
static int64_t local_piece(const struct period *p, int64_t local, int n)
{
	if (p->months) {
		int64_t y;
		int m, d;
		civil_date(floor_div(local, DAY_MS), &y, &m, &d);
		return month_begin((floor_div(y * 12 + m - 1, p->months) + n) * p->months);
	}
	if (p->days) {
		int64_t shift = p->days % 7 == 0 ? 3 : 0; /* 1970-01-01 was a Thursday */
		int64_t day = floor_div(local, DAY_MS) + shift;
		return ((floor_div(day, p->days) + n) * p->days - shift) * DAY_MS;
	}
	return (floor_div(local, p->ms) + n) * p->ms;
}

static bool is_short(const struct period *p)
{
	return p->ms && p->ms <= HOUR_MS;
}

/* A change of the clocks that is no multiple of the length begins a new piece. */
static int64_t cut(const struct period *p, const struct zone *z, int64_t from, int64_t to)
{
	for (int64_t at = from; (at = zone_change(z, at, to)) < to;)
		if ((zone_offset(z, at) - zone_offset(z, at - 1)) % p->ms)
			return at;
	return to;
}

int64_t period_floor(const struct period *p, const struct zone *z, int64_t utc_ms)
{
	int64_t local = zone_local(z, utc_ms), begin, next;
	if (is_short(p)) {
		begin = utc_ms - (local - floor_div(local, p->ms) * p->ms);
		while ((next = cut(p, z, begin, utc_ms + 1)) <= utc_ms)
			begin = next;
		return begin;
	}
	begin = zone_utc(z, local_piece(p, local, 0));
	while ((next = period_next(p, z, begin)) <= utc_ms)
		begin = next; /* the clock was put back over a beginning */
	return begin;
}

int64_t period_next(const struct period *p, const struct zone *z, int64_t begin)
{
	int64_t next, local = zone_local(z, begin);
	if (is_short(p)) {
		next = begin + p->ms - (local - floor_div(local, p->ms) * p->ms);
		return cut(p, z, begin, next);
	}
	for (local = local_piece(p, local, 1); (next = zone_utc(z, local)) <= begin;)
		local = local_piece(p, local, 1);
	return next;
}
