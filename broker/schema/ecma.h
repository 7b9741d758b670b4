/* ecma.h - regular expressions as JSON Schema means them (ECMA-262 with the u flag), told to PCRE2.
 *
 * PCRE2 has its own dialect: \a, \Z, (?R), (*VERB) mean something there and nothing in ECMA-262,
 * and \s, '.', '$' mean something slightly different. The check refuses the first and rewrites the
 * second, so that a schema does not depend on the engine behind it. Pure, no recursion. */
#ifndef SCHEMA_ECMA_H
#define SCHEMA_ECMA_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>

/* Is re an ECMA-262 pattern? out, if not NULL, receives the same for PCRE2 (options:
 * ecma_compile). ret_why, if not NULL, a short static text when it is not. */
bool ecma_check(struct span re, struct buf *out, const char **ret_why);

/* Compiles; the result is freed by pcre2_code_free(). ret_why: static or in why_buf. */
struct pcre2_real_code_8 *ecma_compile(struct span re, char *why, size_t why_size);

#endif
