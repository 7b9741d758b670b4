/* write.h - appends JSON to a struct buf. Pure; errors are the buffer's sticky error. The caller
 * places commas and brackets; these functions write single tokens, always valid JSON. */
#ifndef JSON_WRITE_H
#define JSON_WRITE_H

#include "base/buf.h"

/* A string with quotes. Bytes that are not UTF-8 become U+FFFD, one for each. */
void json_write_string(struct buf *b, struct span s);
void json_write_double(struct buf *b,
                       double v); /* shortest text that reads back the same; null for NaN and inf */
void json_write_i64(struct buf *b, int64_t v);
/* "name": with the comma before it unless the last byte is '{'. name must need no escapes. */
void json_write_name(struct buf *b, const char *name);
void json_write_base64(struct buf *b,
                       struct span bytes); /* RFC 4648 section 4, with padding, with quotes */
/* Escapes for a JSON Pointer token (RFC 6901): ~ to ~0, / to ~1; appends "/" and the token. Not
 * JSON-quoted. */
void json_write_pointer_token(struct buf *b, struct span token);

#endif
