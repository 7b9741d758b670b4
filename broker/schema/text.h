/* text.h - a sentence of bounded length for somebody else's eyes: always terminated, valid UTF-8,
 * without control characters, cut between code points with "..." when it does not fit. Private to
 * the room. */
#ifndef SCHEMA_TEXT_H
#define SCHEMA_TEXT_H

#include "base/compiler.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct text {
	char *p;
	size_t n, size; /* of p, with the terminator */
	bool cut;       /* nothing more is taken */
};

struct text text_in(char *p, size_t size);
void text_add(struct text *t, const char *s); /* ours: plain ASCII */
void text_addf(struct text *t, const char *fmt, ...) PRINTF(2, 3);
/* s: valid UTF-8 of a peer or a schema. At most max_bytes of it, "..." behind when it is longer. */
void text_add_safe(struct text *t, struct span s, size_t max_bytes);
/* The same with ~ and / as a JSON Pointer has them. */
void text_add_token(struct text *t, struct span name);

#endif
