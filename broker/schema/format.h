/* format.h - the values of "format" that are asserted, each by the RFC it names. Pure. */
#ifndef SCHEMA_FORMAT_H
#define SCHEMA_FORMAT_H

#include "base/compiler.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum format {
	FORMAT_NONE,
	FORMAT_DATE_TIME,
	FORMAT_DATE,
	FORMAT_TIME,
	FORMAT_DURATION,
	FORMAT_URI,
	FORMAT_URI_REFERENCE,
	FORMAT_UUID,
	FORMAT_IPV4,
	FORMAT_IPV6,
	FORMAT_EMAIL,
	FORMAT_HOSTNAME,
	FORMAT_REGEX,
	FORMAT_JSON_POINTER
};

/* FORMAT_NONE for a name that is an annotation only. */
enum format format_by_name(struct span name);
/* "an email address", for verdicts */
const char *format_title(enum format f);
/* text: unescaped UTF-8. ret_ms, if not NULL, receives the time of a valid FORMAT_DATE_TIME. */
bool format_valid(enum format f, struct span text, int64_t *ret_ms);

#endif
