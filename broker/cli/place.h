/* place.h - where in a payload a violation is: the token that a JSON Pointer names, the line it
 * stands on, a mark below it. Pure. */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/span.h"
#include "json/json.h"

/* The token that an RFC 6901 pointer names; 0 for the whole, or ERR_NOT_FOUND. Where the pointer
 * names something absent, *ret is the deepest part that is there and ERR_NOT_FOUND is returned. */
int place_of_pointer(const struct json_tape *t, struct span pointer, uint32_t *ret) MUSTCHECK;

/* A place in a text: line and column count from 1; line_text is the line without its end. */
struct place {
	unsigned line, column;
	struct span line_text;
	size_t in_line; /* byte offset of the place in line_text */
};
struct place place_find(struct span text, size_t at);

/* Two lines, indented: the line with the place, and a mark ^~~~ below it, n bytes long at at. Long
 * lines are shown around the place. */
void place_mark(struct buf *b, struct span text, size_t at, size_t n);

#endif
