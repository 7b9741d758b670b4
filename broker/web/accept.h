/* accept.h - which of several media types an Accept header would rather have (RFC 9110, 12.5.1).
 * Pure. */
#ifndef WEB_ACCEPT_H
#define WEB_ACCEPT_H

#include "base/span.h"

/* Index of the best of types ("text/csv"; n of them, the one to give when nothing is asked for
 * first), or -1: none is wanted. A more specific range goes before a wider one; among equals, the
 * first of types. Parameters other than q are not looked at. */
int accept_choose(struct span header, const char *const *types, unsigned n);

#endif
