/* colour.c - see colour.h. */
#include "web/colour.h"

#include "base/err.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int colour_read(const char *text, struct colour *ret)
{
	unsigned r, g, b;
	if (strlen(text) != 7 || strspn(text + 1, "0123456789abcdefABCDEF") != 6 ||
	    sscanf(text, "#%2x%2x%2x", &r, &g, &b) != 3)
		return ERR_MALFORMED;
	*ret = (struct colour){(uint8_t)r, (uint8_t)g, (uint8_t)b};
	return 0;
}

static double linear(uint8_t v)
{
	double c = v / 255.0;
	return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

static double luminance(struct colour c)
{
	return 0.2126 * linear(c.r) + 0.7152 * linear(c.g) + 0.0722 * linear(c.b);
}

double colour_contrast(struct colour a, struct colour b)
{
	double x = luminance(a), y = luminance(b);
	return (fmax(x, y) + 0.05) / (fmin(x, y) + 0.05);
}

static uint8_t mix(uint8_t from, uint8_t to, int part)
{
	return (uint8_t)(from + (to - from) * part / 100);
}

struct colour colour_against(struct colour c, struct colour ground, double ratio)
{
	uint8_t end = luminance(ground) > 0.18 ? 0 : 255;
	struct colour out = c;
	for (int part = 0; part <= 100 && colour_contrast(out, ground) < ratio; part++)
		out = (struct colour){mix(c.r, end, part), mix(c.g, end, part), mix(c.b, end, part)};
	return out;
}
