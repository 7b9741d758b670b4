/* uri.h - URI references as far as schemas need them: resolving one against a base (RFC 3986
 * section 5.2), and whether a text is one (section 3 and appendix A). Pure; nothing is fetched. */
#ifndef SCHEMA_URI_H
#define SCHEMA_URI_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>

struct uri { /* views; has_* tell an empty part from an absent one */
	struct span scheme, authority, path, query, fragment;
	bool has_scheme, has_authority, has_query, has_fragment;
};

struct uri uri_split(struct span text);
/* Appends the absolute form of ref, without its fragment, to out. base: absolute, or "". */
void uri_resolve(struct span base, struct span ref, struct buf *out);
/* Appends s with %XX replaced; false when one is malformed. */
bool uri_decode(struct span s, struct buf *out);

bool uri_valid(struct span text, bool needs_scheme);

#endif
