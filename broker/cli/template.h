/* template.h - topics and payloads of `oudp bench`: text with places to fill in. Pure.
 *
 *   {n} which thing   {c} which connection   {seq} number of the message   {ns} monotonic time
 *   {time} RFC 3339   {val} a number with one decimal that wanders with seq
 * Other braces stand for themselves, so that JSON needs no escapes. */
#ifndef CLI_TEMPLATE_H
#define CLI_TEMPLATE_H

#include "base/compiler.h"
#include "base/span.h"

#include <stdint.h>

enum { TEMPLATE_PARTS_MAX = 64, TEMPLATE_VALUE_BYTES = 24 };

enum template_kind {
	TEMPLATE_TEXT,
	TEMPLATE_N,
	TEMPLATE_C,
	TEMPLATE_SEQ,
	TEMPLATE_NS,
	TEMPLATE_TIME,
	TEMPLATE_VAL
};

struct template
{
	unsigned n;
	struct {
		enum template_kind kind;
		struct span text;
	} part[TEMPLATE_PARTS_MAX];
};

struct template_values {
	uint64_t n, c, seq, ns;
	int64_t time_ms;
};

/* text is lent. 0, or ERR_TOO_LARGE: more than TEMPLATE_PARTS_MAX parts. */
int template_parse(struct template *t, const char *text) MUSTCHECK;
/* The most bytes template_write() writes. */
size_t template_size(const struct template *t);
size_t template_write(const struct template *t, const struct template_values *v, char *out);

#endif
