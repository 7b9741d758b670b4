/* schemas.c - an item of a feed's list of schemas: which, and until when. */
#include "config/value.h"

#include "base/err.h"
#include "base/rfc3339.h"

#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64, DATE_BYTES = 10 };

#define LOWER_DIGITS "abcdefghijklmnopqrstuvwxyz0123456789-"
#define DIGITS       "0123456789"

static bool is_id(struct span s)
{
	const char *slash = memchr(s.p, '/', s.n);
	size_t name = slash ? (size_t)(slash - s.p) : 0, digits = slash ? s.n - name - 1 : 0;
	return name >= 1 && name <= NAME_MAX_BYTES && strspn(s.p, LOWER_DIGITS) == name &&
	       digits >= 1 && digits <= 6 && slash[1] != '0' && strspn(slash + 1, DIGITS) == digits;
}

/* A date is its first moment in UTC; a date-time says its offset. */
static int read_until(struct span s, int64_t *ret_ms)
{
	char text[DATE_BYTES + sizeof("T00:00:00Z")];
	if (s.n != DATE_BYTES)
		return rfc3339_parse(s, ret_ms);
	int n = snprintf(text, sizeof(text), "%.*sT00:00:00Z", DATE_BYTES, s.p);
	return rfc3339_parse(span_of(text, (size_t)n), ret_ms);
}

int value_schema(const char *item, struct span *ret_id, int64_t *ret_until_ms, const char **ret_why)
{
	static const char UNTIL[] = " until ";
	const char *space = strchr(item, ' ');
	struct span id = span_of(item, space ? (size_t)(space - item) : strlen(item));
	bool any = span_is(id, "any");
	int64_t until = 0;
	if (!any && !is_id(id)) {
		*ret_why = "is no schema; write name/version, such as"
		           " \"air-quality-observed/1\", or \"any\"";
		return ERR_CONFIG;
	}
	if (space && (any || strncmp(space, UNTIL, sizeof(UNTIL) - 1) != 0 ||
	              read_until(span_str(space + sizeof(UNTIL) - 1), &until) || until <= 0)) {
		*ret_why = any ? "has no end; name a schema to take it until a date"
		               : "is no schema with an end; write it such as"
		                 " \"air-quality-observed/1 until 2027-03-01\"";
		return ERR_CONFIG;
	}
	*ret_id = id;
	*ret_until_ms = until;
	return 0;
}

struct span config_schema(const char *item, int64_t *ret_until_ms)
{
	struct span id = {0};
	int64_t until = 0;
	const char *why;
	int err = value_schema(item, &id, &until, &why);
	assert(!err); /* it was checked when it was read */
	(void)err;
	if (ret_until_ms)
		*ret_until_ms = until;
	return id;
}
