/* write.c - see write.h. */
#include "json/write.h"

#include "base/err.h"
#include "base/rfc3339.h"
#include "json/json.h"
#include "json/scan.h"

static const char REPLACEMENT[] = "\xef\xbf\xbd"; /* U+FFFD */

static void write_escape(struct buf *b, char c)
{
	static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt", hex[] = "0123456789abcdef";
	for (const char *s = short_forms; *s; s += 2)
		if (*s == c) {
			buf_add(b, (char[]){'\\', s[1]}, 2);
			return;
		}
	buf_add(b, (char[]){'\\', 'u', '0', '0', hex[c >> 4 & 15], hex[c & 15]}, 6);
}

void json_write_string(struct buf *b, struct span s)
{
	size_t before = b->len, at = 0, from = 0; /* [from, at) is still to be copied */
	buf_add_char(b, '"');
	while (at < s.n) {
		while (s.n - at >= 16) {
			unsigned n = scan_special(s.p + at);
			at += n;
			if (n < 16)
				break;
		}
		while (at < s.n && !scan_is_special(s.p[at]))
			at++;
		if (at == s.n)
			break;
		unsigned char c = (unsigned char)s.p[at];
		unsigned n = c < 0x80 ? 0 : scan_utf8(s.p + at, s.p + s.n);
		if (n) {
			at += n;
			continue;
		}
		buf_add(b, s.p + from, at - from);
		if (c < 0x80)
			write_escape(b, (char)c);
		else
			buf_add_str(b, REPLACEMENT);
		from = ++at;
	}
	if (at > from)
		buf_add(b, s.p + from, at - from);
	buf_add_char(b, '"');
	if (b->err)
		b->len = before;
}

void json_write_i64(struct buf *b, int64_t v)
{
	char d[24];
	size_t at = sizeof(d);
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
	do {
		d[--at] = (char)('0' + u % 10);
	} while (u /= 10);
	if (v < 0)
		d[--at] = '-';
	buf_add(b, d + at, sizeof(d) - at);
}

void json_write_time(struct buf *b, int64_t ms)
{
	char quoted[RFC3339_BYTES + 2];
	quoted[0] = quoted[RFC3339_BYTES + 1] = '"';
	rfc3339_format(ms, quoted + 1);
	buf_add(b, quoted, sizeof(quoted));
}

void json_write_name(struct buf *b, const char *name)
{
	size_t n = strlen(name), comma = b->len > 0 && b->p[b->len - 1] != '{';
	for (size_t i = 0; i < n; i++)
		assert(!scan_is_special(name[i]));
	char *p = buf_room(b, n + 3 + comma);
	if (!p)
		return;
	if (comma)
		*p++ = ',';
	*p++ = '"';
	memcpy(p, name, n);
	p += n;
	*p++ = '"';
	*p = ':';
	b->len += n + 3 + comma;
}

void json_write_time_member(struct buf *b, const char *name, int64_t ms)
{
	json_write_name(b, name);
	json_write_time(b, ms);
}

void json_write_base64(struct buf *b, struct span bytes)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	if (bytes.n > SIZE_MAX / 4) { /* the length below would wrap */
		b->err = b->err ? b->err : ERR_TOO_LARGE;
		return;
	}
	size_t len = (bytes.n + 2) / 3 * 4 + 2;
	char *p = buf_room(b, len);
	if (!p)
		return;
	*p++ = '"';
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t left = bytes.n - i;
		uint32_t v = (uint32_t)(unsigned char)bytes.p[i] << 16;
		v |= left > 1 ? (uint32_t)(unsigned char)bytes.p[i + 1] << 8 : 0;
		v |= left > 2 ? (unsigned char)bytes.p[i + 2] : 0;
		*p++ = letters[v >> 18];
		*p++ = letters[v >> 12 & 63];
		*p++ = left > 1 ? letters[v >> 6 & 63] : '=';
		*p++ = left > 2 ? letters[v & 63] : '=';
	}
	*p = '"';
	b->len += len;
}

void json_write_pointer_token(struct buf *b, struct span token)
{
	size_t before = b->len, from = 0;
	buf_add_char(b, '/');
	for (size_t i = 0; i < token.n; i++) {
		if (token.p[i] != '~' && token.p[i] != '/')
			continue;
		buf_add(b, token.p + from, i - from);
		buf_add(b, token.p[i] == '~' ? "~0" : "~1", 2);
		from = i + 1;
	}
	if (token.n > from)
		buf_add(b, token.p + from, token.n - from);
	if (b->err)
		b->len = before;
}
