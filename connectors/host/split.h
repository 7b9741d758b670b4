/* split.h - finds the records in one large JSON text without holding it: bytes in, the values at
 * the paths out. Checks only as much grammar as it needs to find them; each record is parsed. */
#ifndef HOST_SPLIT_H
#define HOST_SPLIT_H

#include "base/compiler.h"

#include <stddef.h>

struct decoder;
struct split;

struct split *split_new(struct decoder *d);
void split_free(struct split *s);
int split_feed(struct split *s, const char *p, size_t n) MUSTCHECK;
int split_end(struct split *s) MUSTCHECK; /* ERR_MALFORMED when the text is cut off */

#endif
