/* value.c - see value.h. */
#include "config/value.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *field(const struct row *r, const void *base)
{
	return (char *)base + r->offset;
}

static int say(char *why, const char *fmt, ...) PRINTF(2, 3);
static int say(char *why, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, VALUE_WHY_BYTES, fmt, ap);
	va_end(ap);
	return ERR_CONFIG;
}

/* ---- characters ---- */

/* RFC 3629: shortest form, no surrogates; controls are C0, DEL, C1. */
unsigned value_plain_char(const unsigned char *s)
{
	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	unsigned n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	for (unsigned i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	bool bad = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	           (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f) ||
	           (s[0] == 0xc2 && s[1] < 0xa0);
	return bad ? 0 : n;
}

static int plain_text(const char *text, char *why)
{
	size_t n = strlen(text);
	if (n > LIMIT_CONFIG_TEXT_BYTES)
		return say(why, "is %zu bytes long; write at most %d", n, LIMIT_CONFIG_TEXT_BYTES);
	for (const unsigned char *s = (const unsigned char *)text; *s;) {
		unsigned c = value_plain_char(s);
		if (c == 0)
			return say(why,
			           "holds byte 0x%02x, a control character or not UTF-8; write"
			           " plain text in UTF-8",
			           *s);
		s += c;
	}
	return 0;
}

static bool only(const char *s, const char *set, size_t min, size_t max)
{
	size_t n = strlen(s);
	return n >= min && n <= max && strspn(s, set) == n;
}

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

bool value_is_name(const char *s)
{
	return only(s, LOWER DIGITS "-", 1, 64);
}

/* ---- single values ---- */

static int read_string(char **f, const char *text)
{
	*f = xstrdup(text);
	return 0;
}

static const char credential[] = "credential:";

/* A file that systemd hands to the unit alone (LoadCredential, systemd.exec(5)). */
static int read_credential(char **f, const char *name, char *why)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	if (!*name || strchr(name, '/') || name[0] == '.')
		return say(why, "names no credential; write credential:NAME, as in LoadCredential");
	if (!dir || !*dir)
		return say(
		    why,
		    "is a credential, and CREDENTIALS_DIRECTORY is not set; let systemd start "
		    "oudpd, with LoadCredential=%s:FILE in the unit, or set it to try",
		    name);
	size_t size = strlen(dir) + 1 + strlen(name) + 1;
	*f = xmalloc(size);
	snprintf(*f, size, "%s/%s", dir, name);
	return 0;
}

static int read_path(char **f, const char *text, const char *dir, char *why)
{
	if (strncmp(text, credential, sizeof(credential) - 1) == 0)
		return read_credential(f, text + sizeof(credential) - 1, why);
	if (!*text)
		return say(why, "is empty; write a path, or leave the option out");
	size_t n = strlen(text);
	while (n > 1 && text[n - 1] == '/')
		n--;
	if (text[0] == '/' || !*dir) {
		*f = xstrndup(text, n);
		return 0;
	}
	size_t size = strlen(dir) + 1 + n + 1;
	*f = xmalloc(size);
	snprintf(*f, size, "%s/%.*s", dir, (int)n, text);
	return 0;
}

static int read_address(char **f, const char *text, char *why)
{
	unsigned char at[sizeof(struct in6_addr)];
	if (strcmp(text, "localhost") && inet_pton(AF_INET, text, at) != 1 &&
	    inet_pton(AF_INET6, text, at) != 1)
		return say(why,
		           "is no address; write an IPv4 or IPv6 address such as \"127.0.0.1\","
		           " or \"localhost\" (other names are not looked up)");
	return read_string(f, text);
}

static int read_bool(bool *f, const char *text, char *why)
{
	bool yes = !strcmp(text, "true") || !strcmp(text, "yes") || !strcmp(text, "on");
	bool no = !strcmp(text, "false") || !strcmp(text, "no") || !strcmp(text, "off");
	if (!yes && !no)
		return say(why, "is neither; write true or false");
	*f = yes;
	return 0;
}

static int read_enum(const struct row *r, int *f, const char *text, char *why)
{
	size_t at = 0;
	char words[128];
	for (int i = 0; r->words[i]; i++) {
		if (!strcmp(r->words[i], text)) {
			*f = i;
			return 0;
		}
		bool last = !r->words[i + 1];
		at += (size_t)snprintf(words + at, sizeof(words) - at, "%s%s",
		                       i == 0 ? ""
		                       : last ? " or "
		                              : ", ",
		                       r->words[i]);
		assert(at < sizeof(words));
	}
	return say(why, "is not known; write %s", words);
}

static void print_number(const struct row *r, uint64_t v, struct buf *b)
{
	if (r->type == ROW_SECONDS)
		value_print_seconds(v, b);
	else if (r->type == ROW_BYTES)
		value_print_bytes(v, b);
	else
		buf_add_u64(b, v);
}

static int out_of_range(const struct row *r, char *why)
{
	struct buf range;
	buf_init(&range, VALUE_WHY_BYTES / 2);
	print_number(r, r->min, &range);
	buf_add_str(&range, " to ");
	print_number(r, r->max, &range);
	say(why, "is out of range; write %s%s", buf_str(&range),
	    r->flags & ROW_ZERO ? ", or 0 for none" : "");
	buf_done(&range);
	return ERR_CONFIG;
}

static int read_number(const struct row *r, uint64_t *f, const char *text, char *why)
{
	uint64_t v = 0;
	int err = r->type == ROW_SECONDS ? value_seconds(text, &v)
	          : r->type == ROW_BYTES ? value_bytes(text, &v)
	                                 : span_to_u64(span_str(text), &v);
	if (err == ERR_MALFORMED && r->type == ROW_SECONDS)
		return say(why,
		           "is no duration; write a whole number and one unit of s, m, h, d or y,"
		           " such as \"90m\" or \"14d\"");
	if (err == ERR_MALFORMED && r->type == ROW_BYTES)
		return say(why,
		           "is no size; write a whole number and one unit of B, kB, MB, GB, TB,"
		           " KiB, MiB, GiB or TiB, such as \"20GB\"");
	if (err == ERR_MALFORMED)
		return say(why, "is no number; write digits only");
	bool zero = v == 0 && (r->flags & ROW_ZERO);
	if (err || (!zero && (v < r->min || v > r->max)))
		return out_of_range(r, why);
	*f = v;
	return 0;
}

/* ---- items of lists ---- */

static int check_topic(const char *text, char *why)
{
	size_t n = strlen(text);
	const char *hash = strchr(text, '#');
	if (n == 0 || n > LIMIT_TOPIC_BYTES)
		return say(why, "has %zu bytes; a topic has 1 to %d", n, LIMIT_TOPIC_BYTES);
	if (strchr(text, '+'))
		return say(why, "holds '+'; write {thing} where one level may be anything");
	if (hash && (hash[1] || (hash != text && hash[-1] != '/')))
		return say(why, "holds '#' before its end; '#' can only be the last level");
	return 0;
}

static int check_schema(const char *text, char **list, char *why)
{
	const char *what;
	struct span id, other;
	int64_t until;
	if (value_schema(text, &id, &until, &what))
		return say(why, "%s", what);
	for (; list && *list; list++)
		if (!value_schema(*list, &other, &until, &what) && span_eq(id, other))
			return say(why, "stands in the list twice; take one out");
	return 0;
}

/* RFC 6454, 6.2 */
static int check_origin(const char *text, char *why)
{
	const char *host = strstr(text, "://");
	bool good = host &&
	            (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0) &&
	            host[3] && !strpbrk(host + 3, "/ ?#@*");
	return good || strcmp(text, "*") == 0
	           ? 0
	           : say(why,
	                 "is no origin; write https://host, with :port when it is not 443, and "
	                 "no path; or \"*\" for any");
}

static int read_item(const struct row *r, char ***list, const char *text, const char *dir,
                     char *why)
{
	int err = 0;
	size_t n = 0;
	for (; *list && (*list)[n]; n++)
		if (!strcmp((*list)[n], text))
			return say(why, "stands in the list twice; take one out");
	if (n >= LIMIT_CONFIG_LIST)
		return say(why, "is one too many; a list has at most %d", LIMIT_CONFIG_LIST);
	if (r->type == ROW_TOPICS)
		err = check_topic(text, why);
	else if (r->type == ROW_SCHEMAS)
		err = check_schema(text, *list, why);
	else if (r->type == ROW_ORIGINS)
		err = check_origin(text, why);
	if (err)
		return err;
	char *item = NULL;
	err = r->type == ROW_PATHS ? read_path(&item, text, dir, why) : read_string(&item, text);
	if (err)
		return err;
	*list = xrealloc(*list, (n + 2) * sizeof(**list));
	(*list)[n] = item;
	(*list)[n + 1] = NULL;
	return 0;
}

int value_read(const struct row *r, const char *text, const char *dir, void *base,
               char why[VALUE_WHY_BYTES])
{
	assert(r && text && dir && base);
	void *f = field(r, base);
	int err = plain_text(text, why);
	if (err)
		return err;
	switch (r->type) {
	case ROW_WORD:
		if (!only(text, LOWER DIGITS ".-", 1, 64))
			return say(why, "is not allowed; write 1 to 64 of a-z, 0-9, '.' and '-'");
		return read_string(f, text);
	case ROW_NAME:
		if (!value_is_name(text))
			return say(why, "is no name; write 1 to 64 of a-z, 0-9 and '-'");
		return read_string(f, text);
	case ROW_OIN:
		if (!only(text, DIGITS, 20, 20))
			return say(why, "is no OIN; write its 20 digits");
		return read_string(f, text);
	case ROW_TEXT: return read_string(f, text);
	case ROW_PATH:
	case ROW_PATH_NULL: return read_path(f, text, dir, why);
	case ROW_ADDRESS: return read_address(f, text, why);
	case ROW_BOOL: return read_bool(f, text, why);
	case ROW_ENUM: return read_enum(r, f, text, why);
	case ROW_COUNT:
	case ROW_SECONDS:
	case ROW_BYTES: return read_number(r, f, text, why);
	case ROW_PATHS:
	case ROW_TOPICS:
	case ROW_SCHEMAS:
	case ROW_STEPS:
	case ROW_ORIGINS: return read_item(r, f, text, dir, why);
	}
	assert(!"every type is handled");
	return ERR_CONFIG;
}

/* ---- the field's life ---- */

static bool is_string(const struct row *r)
{
	return r->type <= ROW_ADDRESS;
}

void value_default(const struct row *r, void *base)
{
	char why[VALUE_WHY_BYTES];
	if (r->def && !(r->flags & ROW_DYNAMIC)) {
		int err = value_read(r, r->def, "", base, why);
		assert(!err); /* the table's own text */
		(void)err;
	} else if (row_is_list(r)) { /* some of its items may have been read */
		char ***list = field(r, base);
		if (!*list)
			*list = xcalloc(1, sizeof(char *));
	} else if (is_string(r) && r->type != ROW_NAME && r->type != ROW_PATH_NULL) {
		*(char **)field(r, base) = xstrdup("");
	}
}

void value_free(const struct row *r, void *base)
{
	if (row_is_list(r)) {
		char ***list = field(r, base);
		for (char **s = *list; s && *s; s++)
			free(*s);
		free(*list);
		*list = NULL;
	} else if (is_string(r)) {
		char **s = field(r, base);
		free(*s);
		*s = NULL;
	}
}

void value_copy(const struct row *r, const void *from, void *to)
{
	if (row_is_list(r)) {
		char **list = *(char ***)field(r, from), **copy;
		size_t n = 0;
		while (list[n])
			n++;
		copy = xcalloc(n + 1, sizeof(*copy));
		for (size_t i = 0; i < n; i++)
			copy[i] = xstrdup(list[i]);
		*(char ***)field(r, to) = copy;
	} else if (is_string(r)) {
		char *s = *(char **)field(r, from);
		*(char **)field(r, to) = s ? xstrdup(s) : NULL;
	} else if (r->type == ROW_BOOL) {
		*(bool *)field(r, to) = *(bool *)field(r, from);
	} else if (r->type == ROW_ENUM) {
		*(int *)field(r, to) = *(int *)field(r, from);
	} else {
		*(uint64_t *)field(r, to) = *(uint64_t *)field(r, from);
	}
}

/* ---- printing ---- */

/* A double-quoted string that reads back as the same bytes: '$' would begin a variable. */
static void print_string(const char *s, struct buf *b)
{
	buf_add_char(b, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\' || *s == '$')
			buf_add_char(b, '\\');
		buf_add_char(b, *s);
	}
	buf_add_char(b, '"');
}

void value_print(const struct row *r, const void *base, struct buf *b)
{
	assert(r && base && b);
	if (row_is_list(r)) {
		const char *before = "{ ";
		char **list = *(char ***)field(r, base);
		for (char **s = list; *s; s++, before = ", ") {
			buf_add_str(b, before);
			print_string(*s, b);
		}
		buf_add_str(b, *list ? " }" : "{ }");
	} else if (is_string(r)) {
		char *s = *(char **)field(r, base);
		print_string(s ? s : "", b);
	} else if (r->type == ROW_BOOL) {
		buf_add_str(b, *(bool *)field(r, base) ? "true" : "false");
	} else if (r->type == ROW_ENUM) {
		buf_add_str(b, r->words[*(int *)field(r, base)]);
	} else {
		const char *quote = r->type == ROW_COUNT ? "" : "\"";
		buf_add_str(b, quote);
		print_number(r, *(uint64_t *)field(r, base), b);
		buf_add_str(b, quote);
	}
}

bool value_same(const struct row *r, const void *a, const void *b)
{
	if (row_is_list(r)) {
		char **x = *(char ***)field(r, a), **y = *(char ***)field(r, b);
		for (; *x && *y; x++, y++)
			if (strcmp(*x, *y))
				return false;
		return !*x && !*y;
	}
	if (is_string(r)) {
		const char *x = *(char **)field(r, a), *y = *(char **)field(r, b);
		return x && y ? !strcmp(x, y) : x == y;
	}
	if (r->type == ROW_BOOL)
		return *(bool *)field(r, a) == *(bool *)field(r, b);
	if (r->type == ROW_ENUM)
		return *(int *)field(r, a) == *(int *)field(r, b);
	return *(uint64_t *)field(r, a) == *(uint64_t *)field(r, b);
}
