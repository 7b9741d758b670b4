/* colour.h - a colour of the house style, made readable [WCAG 2.1, 1.4.3]. Pure. */
#ifndef WEB_COLOUR_H
#define WEB_COLOUR_H

#include "base/compiler.h"

#include <stdint.h>

struct colour {
	uint8_t r, g, b;
};

int colour_read(const char *text, struct colour *ret) MUSTCHECK; /* "#154273"; ERR_MALFORMED */
double colour_contrast(struct colour a, struct colour b);        /* 1 to 21 */
/* c, made darker or lighter as little as needed until it stands out from ground by ratio. */
struct colour colour_against(struct colour c, struct colour ground, double ratio);

#endif
