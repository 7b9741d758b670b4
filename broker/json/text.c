/* text.c - strings after the parse: escapes, comparison, length, hash. See json.h and scan.h. */
#include "json/json.h"
#include "json/scan.h"

static int hex_digit(char c)
{
	if (scan_is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value of the four hexadecimal digits at p; -1 when they are not. */
static int scan_hex4(const char *p)
{
	int v = 0;
	for (int i = 0; i < 4; i++) {
		int d = hex_digit(p[i]);
		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

unsigned scan_escape(const char *p, const char *end)
{
	assert(p < end && *p == '\\');
	if (end - p < 2)
		return 0;
	if (p[1] != 'u')
		return p[1] && strchr("\"\\/bfnrt", p[1]) ? 2 : 0;
	int high = end - p < 6 ? -1 : scan_hex4(p + 2);
	if (high < 0)
		return 0;
	if (high < 0xd800 || high > 0xdfff)
		return 6;
	if (high > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u')
		return 0; /* half of a pair */
	int low = scan_hex4(p + 8);
	return low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
}

static unsigned utf8_put(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* Resolves the escape at p; returns its length in the text and sets *ret_n to what it gives. */
static unsigned resolve(const char *p, const char *end, char out[4], unsigned *ret_n)
{
	unsigned len = scan_escape(p, end);
	assert(len);
	*ret_n = 1;
	switch (p[1]) {
	case 'b': out[0] = '\b'; break;
	case 'f': out[0] = '\f'; break;
	case 'n': out[0] = '\n'; break;
	case 'r': out[0] = '\r'; break;
	case 't': out[0] = '\t'; break;
	case 'u': {
		uint32_t c = (uint32_t)scan_hex4(p + 2);
		if (len == 12)
			c = 0x10000 + ((c & 0x3ff) << 10 | ((uint32_t)scan_hex4(p + 8) & 0x3ff));
		*ret_n = utf8_put(out, c);
		break;
	}
	default: out[0] = p[1];
	}
	return len;
}

int scan_text_next(struct scan_text *t)
{
	if (t->at < t->n)
		return (unsigned char)t->unit[t->at++];
	if (t->p == t->end)
		return -1;
	if (*t->p != '\\')
		return (unsigned char)*t->p++;
	t->p += resolve(t->p, t->end, t->unit, &t->n);
	t->at = 1;
	return (unsigned char)t->unit[0];
}

bool scan_text_eq(struct span raw_a, struct span raw_b)
{
	struct scan_text a = scan_text(raw_a), b = scan_text(raw_b);
	int c;
	do {
		c = scan_text_next(&a);
		if (c != scan_text_next(&b))
			return false;
	} while (c >= 0);
	return true;
}

size_t json_unescape(struct span raw, char *out)
{
	const char *p = raw.p, *end = raw.p + raw.n;
	char *to = out;
	while (p < end) {
		const char *slash = memchr(p, '\\', (size_t)(end - p));
		size_t plain = (size_t)((slash ? slash : end) - p);
		memmove(to, p, plain);
		to += plain;
		p += plain;
		if (slash) {
			unsigned n;
			char unit[4]; /* out may be the source itself */
			p += resolve(p, end, unit, &n);
			memcpy(to, unit, n);
			to += n;
		}
	}
	assert((size_t)(to - out) <= raw.n);
	return (size_t)(to - out);
}

bool json_string_is(const struct json_tape *t, uint32_t i, struct span text)
{
	assert(i < t->n && t->tok[i].type == JSON_STRING);
	struct span raw = json_text(t, i);
	if (likely(!(t->tok[i].flags & JSON_ESCAPED)))
		return span_eq(raw, text);
	struct scan_text a = scan_text(raw);
	for (size_t k = 0; k < text.n; k++)
		if (scan_text_next(&a) != (unsigned char)text.p[k])
			return false;
	return scan_text_next(&a) < 0;
}

size_t json_codepoints(struct span raw)
{
	const char *p = raw.p, *end = raw.p + raw.n;
	size_t n = 0;
	while (p < end) {
		unsigned skip = 1;
		if (*p == '\\') {
			skip = scan_escape(p, end);
			assert(skip);
		}
		n += ((unsigned char)*p & 0xc0) != 0x80; /* continuation bytes do not count */
		p += skip;
	}
	return n;
}

uint32_t json_member(const struct json_tape *t, uint32_t i, struct span name)
{
	assert(i < t->n && t->tok[i].type == JSON_OBJECT);
	const struct json_token *object = &t->tok[i];
	uint16_t h = json_name_hash(name);
	uint32_t found = 0;
	for (uint32_t k = i + 1; k < object->next; k = t->tok[k + 1].next) {
		if (likely(t->tok[k].hash != h) || !json_string_is(t, k, name))
			continue;
		found = k + 1;
		if (!(object->flags & JSON_DUPLICATE))
			break;
	}
	return found;
}
