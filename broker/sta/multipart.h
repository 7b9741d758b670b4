/* multipart.h - bodies of multipart/mixed with requests in them (RFC 2046, 5.1; application/http,
 * RFC 9112, 10.2), as SensorThings 1.1 clause 11 has batches. Pure: everything is a view of the
 * body. Lines end in CRLF or in LF alone. */
#ifndef STA_MULTIPART_H
#define STA_MULTIPART_H

#include "base/compiler.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

enum { MULTIPART_BOUNDARY_BYTES = 71 }; /* RFC 2046: at most 70, and the end */

struct multipart {
	struct span body;
	size_t at;
	char boundary[MULTIPART_BOUNDARY_BYTES];
	bool ended; /* the closing delimiter was read */
};

struct multipart_part {
	struct span head, body;
};

struct http_text { /* a request within a part */
	struct span method, target, head, body;
};

bool multipart_is(struct span type); /* a media type: multipart/mixed, with parameters or none */
/* ERR_MALFORMED: the type names no boundary, or one that is none. */
int multipart_begin(struct multipart *m, struct span type, struct span body) MUSTCHECK;
/* False: there are no more; with !m->ended the body broke off, or is none. */
bool multipart_next(struct multipart *m, struct multipart_part *ret);
/* The value of a header without the spaces around it; n 0: not given. */
struct span multipart_header(struct span head, const char *name);
/* False: its first line is not "GET /path HTTP/1.1". The body is as long as Content-Length says,
 * where that is given and there is as much; else it is the rest. */
bool http_text_read(struct span text, struct http_text *ret);

#endif
