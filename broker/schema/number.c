/* number.c - a JSON number seen as digits times a power of ten. */
#include "schema/number.h"

#include "base/err.h"

enum { EXPONENT_MAX = 1000000000, DIGITS_MAX = 18 };

/* text = +-digits * 10^exponent; digits may hold a dot, which does not count, and neither leading
 * nor trailing zeros. n == 0: the number is zero. */
struct parts {
	struct span digits;
	int64_t exponent;
};

static int64_t read_exponent(struct span s)
{
	int64_t v = 0;
	bool negative = s.n > 0 && s.p[0] == '-';
	for (size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'); i < s.n; i++)
		v = MIN_OF(v * 10 + (s.p[i] - '0'), (int64_t)EXPONENT_MAX);
	return negative ? -v : v;
}

static struct parts split(struct span s)
{
	size_t start = s.n > 0 && s.p[0] == '-', end = start, dot = SIZE_MAX;
	while (end < s.n && (s.p[end] | 32) != 'e') {
		if (s.p[end] == '.')
			dot = end;
		end++;
	}
	int64_t e = end < s.n ? read_exponent(span_of(s.p + end + 1, s.n - end - 1)) : 0;
	if (dot != SIZE_MAX)
		e -= (int64_t)(end - dot - 1);
	while (start < end && (s.p[start] == '0' || s.p[start] == '.'))
		start++;
	while (end > start && (s.p[end - 1] == '0' || s.p[end - 1] == '.')) {
		e += s.p[end - 1] == '0';
		end--;
	}
	return (struct parts){span_of(s.p + start, end - start), e};
}

bool number_is_integer(struct span text)
{
	struct parts p = split(text);
	return p.digits.n == 0 || p.exponent >= 0;
}

int decimal_read(struct span text, struct decimal *ret)
{
	struct parts p = split(text);
	uint64_t m = 0;
	unsigned n = 0;
	assert(p.digits.n > 0);
	for (size_t i = 0; i < p.digits.n; i++) {
		if (p.digits.p[i] == '.')
			continue;
		if (++n > DIGITS_MAX)
			return ERR_TOO_LARGE;
		m = m * 10 + (uint64_t)(p.digits.p[i] - '0');
	}
	*ret = (struct decimal){m, p.exponent};
	return 0;
}

static uint64_t times(uint64_t a, uint64_t b, uint64_t m)
{
	return (uint64_t)((unsigned __int128)a * b % m);
}

/* digits * 10^e is k * mantissa * 10^f. digits is no multiple of ten, so e >= f. */
bool decimal_divides(const struct decimal *m, struct span text)
{
	struct parts p = split(text);
	assert(m->mantissa > 0);
	if (p.digits.n == 0)
		return true;
	if (p.exponent < m->exponent)
		return false;
	uint64_t rest = 0, ten = 10 % m->mantissa;
	for (size_t i = 0; i < p.digits.n; i++)
		if (p.digits.p[i] != '.')
			rest = (uint64_t)(((unsigned __int128)rest * 10 +
			                   (unsigned)(p.digits.p[i] - '0')) %
			                  m->mantissa);
	for (uint64_t e = (uint64_t)(p.exponent - m->exponent); e > 0; e >>= 1) {
		if (e & 1)
			rest = times(rest, ten, m->mantissa);
		ten = times(ten, ten, m->mantissa);
	}
	return rest == 0;
}
