/* rfc3339.c - see rfc3339.h. */
#include "base/rfc3339.h"

#include "base/civil.h"
#include "base/err.h"

static int digits(const char *p, int n, int *ret)
{
	int v = 0;
	for (int i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return ERR_MALFORMED;
		v = v * 10 + (p[i] - '0');
	}
	*ret = v;
	return 0;
}

static bool day_exists(int y, int m, int d)
{
	static const int len[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (y < 1 || m < 1 || m > 12 || d < 1)
		return false;
	return d <= len[m - 1] + (m == 2 && civil_leap(y));
}

/* The offset at s: Z, or +hh:mm. In minutes. */
static int parse_offset(struct span s, int *ret)
{
	int h, m;
	if (s.n == 1 && (s.p[0] == 'Z' || s.p[0] == 'z')) {
		*ret = 0;
		return 0;
	}
	if (s.n != 6 || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':' ||
	    digits(s.p + 1, 2, &h) || digits(s.p + 4, 2, &m) || h > 23 || m > 59)
		return ERR_MALFORMED;
	*ret = (s.p[0] == '-' ? -1 : 1) * (h * 60 + m);
	return 0;
}

int rfc3339_parse(struct span s, int64_t *ret_ms)
{
	int y, mo, d, h, mi, sec, off, ms = 0;
	const char *p = s.p;
	if (s.n < 20 || digits(p, 4, &y) || p[4] != '-' || digits(p + 5, 2, &mo) || p[7] != '-' ||
	    digits(p + 8, 2, &d) || (p[10] != 'T' && p[10] != 't') || digits(p + 11, 2, &h) ||
	    p[13] != ':' || digits(p + 14, 2, &mi) || p[16] != ':' || digits(p + 17, 2, &sec))
		return ERR_MALFORMED;
	if (!day_exists(y, mo, d) || h > 23 || mi > 59 || sec > 60)
		return ERR_MALFORMED;
	size_t at = 19;
	if (p[at] == '.') {
		size_t first = ++at;
		for (int scale = 100; at < s.n && p[at] >= '0' && p[at] <= '9'; at++, scale /= 10)
			ms += (p[at] - '0') * scale;
		if (at == first || at - first > 9)
			return ERR_MALFORMED;
	}
	if (parse_offset(span_of(p + at, s.n - at), &off))
		return ERR_MALFORMED;
	int64_t t = civil_days(y, mo, d) * 86400 + h * 3600 + mi * 60 - (int64_t)off * 60;
	if (sec == 60) {
		int64_t of_day = ((t % 86400) + 86400) % 86400;
		if (of_day != 86400 - 60)
			return ERR_MALFORMED;
		sec = 59;
		ms = 999;
	}
	*ret_ms = (t + sec) * 1000 + ms;
	return 0;
}

static void put(char *p, int n, unsigned v)
{
	while (n--) {
		p[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

void rfc3339_format(int64_t ms, char out[RFC3339_BYTES])
{
	const int64_t lowest = -62167219200000, highest = 253402300799999;
	ms = ms < lowest ? lowest : ms > highest ? highest : ms;
	int64_t day = floor_div(ms, 86400000), y;
	unsigned rest = (unsigned)(ms - day * 86400000);
	int m, d;
	civil_date(day, &y, &m, &d);
	put(out, 4, (unsigned)y);
	out[4] = '-';
	put(out + 5, 2, (unsigned)m);
	out[7] = '-';
	put(out + 8, 2, (unsigned)d);
	out[10] = 'T';
	put(out + 11, 2, rest / 3600000);
	out[13] = ':';
	put(out + 14, 2, rest / 60000 % 60);
	out[16] = ':';
	put(out + 17, 2, rest / 1000 % 60);
	out[19] = '.';
	put(out + 20, 3, rest % 1000);
	out[23] = 'Z';
}
