/* double.c - the shortest text of a double that reads back as the same; see write.h. */
#include "base/err.h"
#include "json/json.h"
#include "json/scan.h"
#include "json/write.h"

#include <math.h>
#include <stdio.h>

#define WHOLE_MIN 1e-4
#define WHOLE_MAX 1e14

enum {
	DIGITS_SURE = 15,  /* so many always survive text -> double -> text */
	DIGITS_ALL = 17,   /* so many always survive double -> text -> double */
	FIXED_MAX = 21,    /* like JavaScript: 1e21 and more, */
	FIXED_ZEROS = 6,   /* and less than 1e-6, are written with an exponent */
	DOUBLE_BYTES = 40, /* -d.dddddddddddddddde-ddd, or 6 zeros and 17 digits, with room */
	INTEGER_MAX = 1 << 30
};

/* 0.d1d2d3... * 10^magnitude; the last digit is not zero. */
struct digits {
	char d[DIGITS_ALL];
	int n, magnitude;
};

/* Lays them out as JavaScript does. Returns the length. */
static size_t lay_out(char *out, const struct digits *g)
{
	const char *digits = g->d;
	int n = g->n, magnitude = g->magnitude;
	char *p = out;
	if (magnitude > FIXED_MAX || magnitude <= -FIXED_ZEROS) {
		*p++ = digits[0];
		if (n > 1) {
			*p++ = '.';
			memcpy(p, digits + 1, (size_t)n - 1);
			p += n - 1;
		}
		p += snprintf(p, 8, "e%+d", magnitude - 1);
		return (size_t)(p - out);
	}
	if (magnitude <= 0) {
		*p++ = '0';
		*p++ = '.';
		for (int k = magnitude; k < 0; k++)
			*p++ = '0';
	}
	for (int k = 0; k < MAX_OF(n, magnitude); k++) {
		if (k == magnitude && k > 0)
			*p++ = '.';
		*p++ = k < n ? digits[k] : '0';
	}
	return (size_t)(p - out);
}

static void drop_zeros(struct digits *g)
{
	while (g->n > 1 && g->d[g->n - 1] == '0')
		g->n--;
}

/* n <= 22 */
static unsigned __int128 power_of_ten(int n)
{
	static const uint64_t power[] = {1,         10,         100,         1000,
	                                 10000,     100000,     1000000,     10000000,
	                                 100000000, 1000000000, 10000000000, 100000000000};
	return (unsigned __int128)power[n / 2] * power[n - n / 2];
}

/* v * 10^k, rounded to even as printf does: exactly, where WHOLE_MIN <= v < WHOLE_MAX and the
 * result has at most DIGITS_ALL digits (then the product of the mantissa and 10^k, k <= 21, has
 * less than 124 bits). */
static uint64_t scaled(double v, int k)
{
	int e;
	uint64_t mantissa = (uint64_t)ldexp(frexp(v, &e), 53);
	unsigned shift = (unsigned)(53 - e);
	unsigned __int128 product = mantissa * power_of_ten(k),
	                  half = (unsigned __int128)1 << (shift - 1);
	uint64_t whole = (uint64_t)(product >> shift);
	unsigned __int128 rest = product & (half * 2 - 1);
	return whole + (rest > half || (rest == half && (whole & 1)));
}

/* What sensors send and what is computed from it, without the C library's big numbers: a tenth of
 * their time. */
static void digits_of_common(double v, int n, struct digits *ret)
{
	uint64_t end = (uint64_t)power_of_ten(n), u;
	int magnitude = (int)floor(log10(v)) + 1; /* may be off by one beside a power of ten */
	for (;;) {
		u = scaled(v, n - magnitude);
		if (u < end / 10 ||
		    (u == end / 10 && scaled(v, n - magnitude + 1) < end)) /* 9.99 is not 10.0 */
			magnitude--;
		else if (u >= end)
			magnitude++;
		else
			break;
	}
	ret->n = n;
	ret->magnitude = magnitude;
	for (int i = n; i--; u /= 10)
		ret->d[i] = (char)('0' + u % 10);
	drop_zeros(ret);
}

static void digits_of_any(double v, int n, struct digits *ret)
{
	char text[DOUBLE_BYTES];
	snprintf(text, sizeof(text), "%.*e", n - 1, v);
	ret->n = 0;
	const char *p = text;
	for (; *p != 'e'; p++) /* the decimal point is the locale's: only digits are taken */
		if (scan_is_digit(*p))
			ret->d[ret->n++] = *p;
	assert(ret->n == n);
	int sign = p[1] == '-' ? -1 : 1, exponent = 0;
	for (p += 2; *p; p++)
		exponent = exponent * 10 + (*p - '0');
	ret->magnitude = sign * exponent + 1;
	drop_zeros(ret);
}

/* v > 0, finite, as n significant digits. */
static size_t format(char out[DOUBLE_BYTES], double v, int n)
{
	struct digits g;
	if (v >= WHOLE_MIN && v < WHOLE_MAX)
		digits_of_common(v, n, &g);
	else
		digits_of_any(v, n, &g);
	size_t len = lay_out(out, &g);
	assert(len < DOUBLE_BYTES);
	return len;
}

void json_write_double(struct buf *b, double v)
{
	if (!isfinite(v)) {
		buf_add_str(b, "null");
		return;
	}
	if (fabs(v) < INTEGER_MAX && v == (double)(int)v && (v != 0 || !signbit(v))) {
		json_write_i64(b, (int64_t)v);
		return;
	}
	char out[1 + DOUBLE_BYTES] = "-";
	double positive = fabs(v);
	if (positive == 0) {
		buf_add_str(b, "-0");
		return;
	}
	/* below the normal range there are fewer digits to tell apart */
	int n = isnormal(v) ? DIGITS_SURE : 1;
	size_t len = format(out + 1, positive, n);
	while (n < DIGITS_ALL && json_double(span_of(out + 1, len)) != positive)
		len = format(out + 1, positive, ++n);
	/* with fewer digits the loop has seen it */
	assert(n < DIGITS_ALL || json_double(span_of(out + 1, len)) == positive);
	if (signbit(v))
		buf_add(b, out, len + 1);
	else
		buf_add(b, out + 1, len);
}
