/* text.h - JSON texts to and from jq's values, by the broker's reader and writer: a fifth of the
 * time that jq's own take. What the strict reader refuses is jq's to judge: it takes more, and its
 * words are what people know. */
#ifndef HOST_TEXT_H
#define HOST_TEXT_H

#include "base/buf.h"
#include "json/json.h"

#include <jv.h>

/* A whole text of one value; an invalid jv with a message when it is none. */
jv text_read(struct json_tape *t, const char *p, size_t n);
/* The same; an invalid jv without a message when the strict reader refuses it. */
jv text_read_strict(struct json_tape *t, const char *p, size_t n);
/* Appends v with members sorted by name; takes v over. */
void text_write(struct buf *b, jv v);

#endif
