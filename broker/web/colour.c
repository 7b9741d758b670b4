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

/* ---- lighter and darker of the same hue ---- */

static double hue_part(double low, double high, double hue)
{
	hue = hue < 0 ? hue + 6 : hue >= 6 ? hue - 6 : hue;
	double x = hue < 1 ? hue : hue < 3 ? 1 : hue < 4 ? 4 - hue : 0;
	return low + (high - low) * x;
}

/* c with another lightness, 0 to 1 [CSS Color 4, 7.1]. */
static struct colour with_lightness(struct colour c, double light)
{
	double r = c.r / 255.0, g = c.g / 255.0, b = c.b / 255.0;
	double high = fmax(r, fmax(g, b)), low = fmin(r, fmin(g, b)), range = high - low;
	double saturation = range > 0 ? range / (1 - fabs(high + low - 1)) : 0;
	double hue = range <= 0  ? 0
	             : high == r ? fmod((g - b) / range + 6, 6)
	             : high == g ? (b - r) / range + 2
	                         : (r - g) / range + 4;
	double top = light + saturation * fmin(light, 1 - light), bottom = 2 * light - top;
	return (struct colour){(uint8_t)lround(255 * hue_part(bottom, top, hue + 2)),
	                       (uint8_t)lround(255 * hue_part(bottom, top, hue)),
	                       (uint8_t)lround(255 * hue_part(bottom, top, hue - 2))};
}

struct colour colour_against(struct colour c, struct colour ground, double ratio)
{
	enum { STEPS = 100 };
	double high = fmax(c.r, fmax(c.g, c.b)), low = fmin(c.r, fmin(c.g, c.b));
	double light = (high + low) / 510, end = luminance(ground) > 0.18 ? 0 : 1;
	struct colour out = c;
	for (int i = 1; i <= STEPS && colour_contrast(out, ground) < ratio; i++)
		out = with_lightness(c, light + (end - light) * i / STEPS);
	return out;
}
