/* format.c - one function per format; all work on bytes and none allocates. */
#include "schema/format.h"

#include "base/rfc3339.h"
#include "schema/ecma.h"
#include "schema/uri.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* full-date and full-time are checked by lending them the other half of a date-time. */
static bool date_valid(struct span s)
{
	char text[21];
	int64_t ms;
	if (s.n != 10)
		return false;
	memcpy(text, s.p, 10);
	memcpy(text + 10, "T00:00:00Z", 10);
	return rfc3339_parse(span_of(text, 20), &ms) == 0;
}

/* RFC 3339 5.7: a leap second is at 23:59:60 UTC, so its day must be one that can have it; a time
 * alone has no day and is tried at the end of a June. An offset may shift it to the day after. */
static bool time_valid(struct span s)
{
	char text[64] = "1990-07-01T";
	int64_t ms;
	if (s.n + 11 > sizeof(text))
		return false;
	memcpy(text + 11, s.p, s.n);
	if (rfc3339_parse(span_of(text, 11 + s.n), &ms) == 0)
		return true;
	memcpy(text, "1990-06-30T", 11);
	return rfc3339_parse(span_of(text, 11 + s.n), &ms) == 0;
}

/* RFC 3339 appendix A. Each unit at most once, in order, none skipped between two (P1Y2D is not
 * one); weeks stand alone. */
static bool duration_part(struct span *s, const char *units, bool *ret_any)
{
	int next = -1;
	while (s->n > 0 && is_digit(s->p[0])) {
		size_t n = 0;
		while (n < s->n && is_digit(s->p[n]))
			n++;
		const char *unit = n < s->n && s->p[n] ? strchr(units, s->p[n]) : NULL;
		if (!unit || (next >= 0 && unit - units != next))
			return false;
		next = (int)(unit - units) + 1;
		*s = span_of(s->p + n + 1, s->n - n - 1);
		*ret_any = true;
	}
	return true;
}

static bool duration_valid(struct span s)
{
	bool date = false, time = false;
	if (s.n < 2 || s.p[0] != 'P')
		return false;
	if (s.p[s.n - 1] == 'W') {
		for (size_t i = 1; i + 1 < s.n; i++)
			if (!is_digit(s.p[i]))
				return false;
		return s.n > 2;
	}
	s = span_of(s.p + 1, s.n - 1);
	if (!duration_part(&s, "YMD", &date))
		return false;
	if (s.n == 0)
		return date;
	if (s.p[0] != 'T')
		return false;
	s = span_of(s.p + 1, s.n - 1);
	return duration_part(&s, "HMS", &time) && s.n == 0 && time;
}

static bool uuid_valid(struct span s) /* RFC 4122 section 3 */
{
	if (s.n != 36)
		return false;
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? s.p[i] != '-' : !is_hex(s.p[i]))
			return false;
	}
	return true;
}

static bool ipv4_valid(struct span s) /* RFC 2673 3.2: dotted quad, no leading zeros */
{
	size_t at = 0;
	for (int part = 0; part < 4; part++) {
		size_t start = at;
		int v = 0;
		while (at < s.n && is_digit(s.p[at]) && at - start < 4)
			v = v * 10 + (s.p[at++] - '0');
		size_t n = at - start;
		if (n == 0 || n > 3 || v > 255 || (n > 1 && s.p[start] == '0'))
			return false;
		if (part < 3 && (at >= s.n || s.p[at++] != '.'))
			return false;
	}
	return at == s.n;
}

static bool ipv6_valid(struct span s) /* RFC 4291 2.2; no zone */
{
	size_t at = 0;
	int groups = 0;
	bool gap = false;
	if (s.n >= 2 && s.p[0] == ':' && s.p[1] == ':') {
		gap = true;
		at = 2;
	}
	while (at < s.n) {
		size_t start = at;
		while (at < s.n && is_hex(s.p[at]))
			at++;
		if (at < s.n && s.p[at] == '.') {
			if (!ipv4_valid(span_of(s.p + start, s.n - start)))
				return false;
			groups += 2;
			return gap ? groups < 8 : groups == 8;
		}
		if (at == start || at - start > 4)
			return false;
		groups++;
		if (at == s.n)
			break;
		if (s.p[at++] != ':' || at == s.n)
			return false;
		if (s.p[at] == ':') {
			if (gap)
				return false;
			gap = true;
			at++;
		}
	}
	return gap ? groups < 8 : groups == 8;
}

static bool hostname_valid(struct span s) /* RFC 1123 2.1; with punycode labels as they are */
{
	size_t start = 0;
	if (s.n == 0 || s.n > 253)
		return false;
	for (size_t i = 0; i <= s.n; i++) {
		if (i < s.n && s.p[i] != '.') {
			if (!is_alnum(s.p[i]) && s.p[i] != '-')
				return false;
			continue;
		}
		size_t n = i - start;
		if (n == 0 || n > 63 || s.p[start] == '-' || s.p[i - 1] == '-')
			return false;
		/* RFC 5891 4.2.3.1: "--" in third and fourth place is for xn-- alone */
		if (n >= 4 && s.p[start + 2] == '-' && s.p[start + 3] == '-' &&
		    ((s.p[start] | 32) != 'x' || (s.p[start + 1] | 32) != 'n' || n == 4))
			return false;
		start = i + 1;
	}
	return true;
}

/* RFC 5321 4.1.2 Local-part: dot-string or quoted-string. */
static bool local_part_valid(struct span s)
{
	if (s.n == 0 || s.n > 64)
		return false;
	if (s.p[0] == '"') {
		for (size_t i = 1; i + 1 < s.n; i++) {
			if (s.p[i] == '\\' && i + 2 < s.n)
				i++;
			else if (s.p[i] == '"' || s.p[i] == '\\')
				return false;
			if (s.p[i] < 32 || s.p[i] > 126)
				return false;
		}
		return s.n >= 2 && s.p[s.n - 1] == '"';
	}
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '.') {
			if (i == 0 || i + 1 == s.n || s.p[i - 1] == '.')
				return false;
		} else if (!is_alnum(c) && (c == 0 || !strchr("!#$%&'*+-/=?^_`{|}~", c))) {
			return false;
		}
	}
	return true;
}

static bool email_valid(struct span s)
{
	size_t at = s.n;
	while (at > 0 && s.p[at - 1] != '@')
		at--;
	if (at < 2)
		return false;
	struct span local = span_of(s.p, at - 1), domain = span_of(s.p + at, s.n - at);
	if (!local_part_valid(local))
		return false;
	if (domain.n > 2 && domain.p[0] == '[' && domain.p[domain.n - 1] == ']') {
		struct span in = span_of(domain.p + 1, domain.n - 2);
		if (in.n > 5 && memcmp(in.p, "IPv6:", 5) == 0)
			return ipv6_valid(span_of(in.p + 5, in.n - 5));
		return ipv4_valid(in);
	}
	return hostname_valid(domain);
}

static bool pointer_valid(struct span s) /* RFC 6901 section 3 */
{
	if (s.n > 0 && s.p[0] != '/')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '~' && (i + 1 == s.n || (s.p[i + 1] != '0' && s.p[i + 1] != '1')))
			return false;
	return true;
}

static const struct {
	const char *name, *title;
} FORMATS[] = {
    [FORMAT_NONE] = {"", ""},
    [FORMAT_DATE_TIME] = {"date-time", "an RFC 3339 date-time"},
    [FORMAT_DATE] = {"date", "a date"},
    [FORMAT_TIME] = {"time", "a time with offset"},
    [FORMAT_DURATION] = {"duration", "an ISO 8601 duration"},
    [FORMAT_URI] = {"uri", "an absolute URI"},
    [FORMAT_URI_REFERENCE] = {"uri-reference", "a URI reference"},
    [FORMAT_UUID] = {"uuid", "a UUID"},
    [FORMAT_IPV4] = {"ipv4", "an IPv4 address"},
    [FORMAT_IPV6] = {"ipv6", "an IPv6 address"},
    [FORMAT_EMAIL] = {"email", "an email address"},
    [FORMAT_HOSTNAME] = {"hostname", "a host name"},
    [FORMAT_REGEX] = {"regex", "a regular expression"},
    [FORMAT_JSON_POINTER] = {"json-pointer", "a JSON Pointer"},
};

enum format format_by_name(struct span name)
{
	for (size_t i = 1; i < ARRAY_LEN(FORMATS); i++)
		if (span_is(name, FORMATS[i].name))
			return (enum format)i;
	return FORMAT_NONE;
}

const char *format_title(enum format f)
{
	assert((size_t)f < ARRAY_LEN(FORMATS));
	return FORMATS[f].title;
}

bool format_valid(enum format f, struct span s, int64_t *ret_ms)
{
	int64_t ms;
	switch (f) {
	case FORMAT_DATE_TIME: return rfc3339_parse(s, ret_ms ? ret_ms : &ms) == 0;
	case FORMAT_DATE: return date_valid(s);
	case FORMAT_TIME: return time_valid(s);
	case FORMAT_DURATION: return duration_valid(s);
	case FORMAT_URI: return uri_valid(s, true);
	case FORMAT_URI_REFERENCE: return uri_valid(s, false);
	case FORMAT_UUID: return uuid_valid(s);
	case FORMAT_IPV4: return ipv4_valid(s);
	case FORMAT_IPV6: return ipv6_valid(s);
	case FORMAT_EMAIL: return email_valid(s);
	case FORMAT_HOSTNAME: return hostname_valid(s);
	case FORMAT_REGEX: return ecma_check(s, NULL, NULL);
	case FORMAT_JSON_POINTER: return pointer_valid(s);
	case FORMAT_NONE: break;
	}
	return true;
}
