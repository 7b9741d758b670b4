/* write.h - appends JSON to a struct buf. Pure; errors are the buffer's sticky error, and a call
 * that fails leaves the buffer as it was. The caller places commas and brackets (but see
 * json_write_name); these functions write single tokens, always valid JSON, whatever the locale. */
#ifndef JSON_WRITE_H
#define JSON_WRITE_H

#include "base/buf.h"

#include <stdint.h>

/* A string with quotes. Bytes that are not UTF-8 become U+FFFD, one for each. */
void json_write_string(struct buf *b, struct span s);
/* A text that reads back the same, -0 too, of 15, 16 or 17 digits as needed (for denormal numbers
 * as few as do), laid out as JavaScript does: 0.000001, 1e-7, 1e+21. null for NaN and inf. */
void json_write_double(struct buf *b, double v);
void json_write_i64(struct buf *b, int64_t v);
/* RFC 3339 in UTC, milliseconds, with quotes. */
void json_write_time(struct buf *b, int64_t ms);
/* "name": with the comma before it unless the last byte is '{'. name must need no escapes. */
void json_write_name(struct buf *b, const char *name);
/* Both: a member with a time. */
void json_write_time_member(struct buf *b, const char *name, int64_t ms);
/* RFC 4648 section 4, with padding, with quotes. */
void json_write_base64(struct buf *b, struct span bytes);
/* Escapes for a JSON Pointer token (RFC 6901): ~ to ~0, / to ~1; appends "/" and the token. Not
 * JSON-quoted. */
void json_write_pointer_token(struct buf *b, struct span token);

#endif
