/* number.c - numbers from their text: to double, to int64, compared. See json.h.
 *
 * A number is read as 0.d1d2...dn * 10^magnitude, d1 and dn not zero. Its digits stay in the text;
 * an exponent too long for an integer stays there too. */
#include "base/err.h"
#include "json/json.h"
#include "json/scan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 u128;

enum {
	FIT_DIGITS = 19,      /* always fit 64 bits */
	INT_DIGITS = 18,      /* always fit a signed one */
	EXACT_POWER = 22,     /* 10^22 is the last power of ten that a double holds exactly */
	STRTOD_DIGITS = 800,  /* 767 decide how any double rounds; what follows only breaks ties */
	EXPONENT_MAX = 100000 /* beyond it everything is 0 or infinite, even with 800 digits */
};

static const int64_t FAR = 1000000000000000; /* more than any text can be long */

struct number {
	bool negative;
	const char *first; /* d1; NULL: the number is zero */
	const char *dot;   /* where the digits are interrupted; NULL: nowhere */
	size_t n;          /* of digits, without zeros at either end */
	int64_t shift;     /* magnitude without the exponent */
	bool exp_negative;
	struct span exp; /* the exponent's digits without leading zeros */
};

static char number_digit(const struct number *d, size_t k)
{
	const char *p = d->first + k;
	return d->dot && p >= d->dot ? p[1] : p[0];
}

static const char *digits_end(const char *p, const char *end)
{
	while (p < end && scan_is_digit(*p))
		p++;
	return p;
}

static void read_exponent(const char *p, const char *end, struct number *d)
{
	if (p < end && (*p == '-' || *p == '+'))
		d->exp_negative = *p++ == '-';
	while (p < end && *p == '0')
		p++;
	d->exp = span_of(p, (size_t)(digits_end(p, end) - p));
}

static struct number number_read(struct span s)
{
	struct number d = {0};
	const char *p = s.p, *end = s.p + s.n;
	if (p < end && *p == '-') {
		d.negative = true;
		p++;
	}
	const char *from = p, *dot = digits_end(p, end), *to = dot;
	if (dot < end && *dot == '.')
		to = digits_end(dot + 1, end);
	const char *last = to; /* after the last digit that is not zero */
	while (last > from && (last[-1] == '0' || last[-1] == '.'))
		last--;
	if (last == from)
		return d; /* zero, whatever its exponent */
	while (*from == '0' || *from == '.')
		from++;
	d.first = from;
	d.n = (size_t)(last - from);
	if (from < dot && last > dot) {
		d.dot = dot;
		d.n--;
	}
	d.shift = from < dot ? dot - from : dot + 1 - from;
	if (to < end && (*to | 0x20) == 'e')
		read_exponent(to + 1, end, &d);
	return d;
}

/* The exponent, or +-FAR when it is further out. */
static int64_t number_exponent(const struct number *d)
{
	int64_t v = 0;
	for (size_t k = 0; k < d->exp.n && v < FAR; k++)
		v = v * 10 + (d->exp.p[k] - '0');
	v = MIN_OF(v, FAR);
	return d->exp_negative ? -v : v;
}

/* ---- integers ---- */

/* Texts such as -120: plain and short. */
static bool short_int(struct span s, int64_t *ret)
{
	size_t i = s.n > 0 && s.p[0] == '-';
	if (s.n == i || s.n - i > INT_DIGITS)
		return false;
	int64_t v = 0;
	for (size_t k = i; k < s.n; k++) {
		if (!scan_is_digit(s.p[k]))
			return false;
		v = v * 10 + (s.p[k] - '0');
	}
	*ret = i ? -v : v;
	return true;
}

int json_int64(struct span number, int64_t *ret)
{
	if (short_int(number, ret))
		return 0;
	struct number d = number_read(number);
	if (!d.first) {
		if (number.n == 0)
			return ERR_MALFORMED;
		*ret = 0;
		return 0;
	}
	int64_t magnitude = d.shift + number_exponent(&d);
	if (magnitude < (int64_t)d.n || magnitude > FIT_DIGITS)
		return ERR_MALFORMED; /* a fraction, or too large */
	uint64_t v = 0;
	for (size_t k = 0; k < (size_t)magnitude; k++)
		v = v * 10 + (k < d.n ? (uint64_t)(number_digit(&d, k) - '0') : 0);
	if (v > (uint64_t)INT64_MAX + d.negative)
		return ERR_MALFORMED;
	*ret = d.negative ? (int64_t)-v : (int64_t)v;
	return 0;
}

/* ---- comparison ---- */

/* The exponent of a minus that of b, exact while it is within FAR. */
static int64_t exponent_difference(const struct number *a, const struct number *b)
{
	size_t n = MAX_OF(a->exp.n, b->exp.n), za = n - a->exp.n, zb = n - b->exp.n;
	int64_t diff = 0;
	for (size_t k = 0; k < n; k++) {
		int da = k < za ? 0 : a->exp.p[k - za] - '0';
		int db = k < zb ? 0 : b->exp.p[k - zb] - '0';
		diff = diff * 10 + (a->exp_negative ? -da : da) - (b->exp_negative ? -db : db);
		if (diff > FAR || diff < -FAR)
			break; /* the digits to come cannot bring it back */
	}
	return diff;
}

/* Of the absolute values; neither is zero. */
static int compare_absolute(const struct number *a, const struct number *b)
{
	int64_t m = exponent_difference(a, b) + a->shift - b->shift;
	if (m != 0)
		return m > 0 ? 1 : -1;
	size_t n = MIN_OF(a->n, b->n);
	for (size_t k = 0; k < n; k++) {
		char da = number_digit(a, k), db = number_digit(b, k);
		if (da != db)
			return da > db ? 1 : -1;
	}
	return a->n == b->n ? 0 : a->n > b->n ? 1 : -1;
}

int json_number_cmp(struct span a, struct span b)
{
	int64_t ia, ib;
	if (short_int(a, &ia) && short_int(b, &ib))
		return ia == ib ? 0 : ia > ib ? 1 : -1;
	struct number x = number_read(a), y = number_read(b);
	int sign_x = !x.first ? 0 : x.negative ? -1 : 1;
	int sign_y = !y.first ? 0 : y.negative ? -1 : 1;
	if (sign_x != sign_y)
		return sign_x > sign_y ? 1 : -1;
	return sign_x == 0 ? 0 : sign_x * compare_absolute(&x, &y);
}

/* ---- doubles ---- */

static const double POWERS[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* m * 10^e for -19 <= e <= 19, m not zero. Integers hold the product or the quotient (its remainder
 * only has to be known to be there), so the one conversion rounds once. */
static double scale_wide(uint64_t m, int e)
{
	uint64_t power = 1;
	for (int k = e < 0 ? -e : e; k > 0; k--)
		power *= 10;
	if (e >= 0)
		return (double)((u128)m * power);
	int up = __builtin_clzll(m);
	u128 numerator = (u128)(m << up) << 64, quotient = numerator / power;
	if (quotient * power != numerator)
		quotient |= 1; /* it has 63 bits or more: the last one only decides the rounding */
	return ldexp((double)quotient, -64 - up);
}

static double by_strtod(const struct number *d, int64_t exponent)
{
	char text[STRTOD_DIGITS + 32]; /* no decimal point in it: the locale has no say */
	size_t n = 0;
	for (; n < d->n && n < STRTOD_DIGITS; n++)
		text[n] = number_digit(d, n);
	if (n < d->n)
		text[n++] = '1'; /* a remainder is there: the last digit of all is not zero */
	int64_t e = d->shift + exponent - (int64_t)n;
	e = MAX_OF(-(int64_t)EXPONENT_MAX, MIN_OF(e, (int64_t)EXPONENT_MAX));
	snprintf(text + n, sizeof(text) - n, "e%d", (int)e);
	return strtod(text, NULL);
}

double json_double(struct span number)
{
	struct number d = number_read(number);
	double v = 0;
	if (d.first) {
		int64_t exponent = number_exponent(&d), e = d.shift + exponent - (int64_t)d.n;
		if (d.n > FIT_DIGITS || e < -EXACT_POWER || e > EXACT_POWER) {
			v = by_strtod(&d, exponent);
		} else {
			uint64_t m = 0;
			for (size_t k = 0; k < d.n; k++)
				m = m * 10 + (uint64_t)(number_digit(&d, k) - '0');
			if (m <= (uint64_t)1 << 53) /* both exact: the operation rounds once */
				v = e < 0 ? (double)m / POWERS[-e] : (double)m * POWERS[e];
			else if (e >= -FIT_DIGITS && e <= FIT_DIGITS)
				v = scale_wide(m, (int)e);
			else
				v = by_strtod(&d, exponent);
		}
	}
	return d.negative ? -v : v;
}
