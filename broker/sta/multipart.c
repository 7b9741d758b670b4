/* multipart.c - see multipart.h. */
#include "sta/multipart.h"

#include "base/err.h"

#include <string.h>
#include <strings.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
	while (s.n && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && (is_space(s.p[s.n - 1]) || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

/* The line at *at without its end; false: there is none. */
static bool next_line(struct span all, size_t *at, struct span *ret)
{
	if (*at >= all.n)
		return false;
	const char *p = all.p + *at, *end = memchr(p, '\n', all.n - *at);
	size_t n = end ? (size_t)(end - p) : all.n - *at;
	*at += n + (end != NULL);
	*ret = span_of(p, n && p[n - 1] == '\r' ? n - 1 : n);
	return true;
}

static bool starts(struct span s, const char *word)
{
	size_t n = strlen(word);
	return s.n >= n && strncasecmp(s.p, word, n) == 0;
}

bool multipart_is(struct span type)
{
	static const char name[] = "multipart/mixed";
	type = trim(type);
	return starts(type, name) &&
	       (type.n == sizeof(name) - 1 || strchr("; \t", type.p[sizeof(name) - 1]));
}

/* Of "multipart/mixed; boundary=x" or boundary="x y". */
static struct span find_boundary(struct span type)
{
	for (size_t i = 0; i < type.n; i++) {
		if (type.p[i] != ';')
			continue;
		struct span s = trim(span_of(type.p + i + 1, type.n - i - 1));
		if (!starts(s, "boundary="))
			continue;
		s = span_of(s.p + 9, s.n - 9);
		bool quoted = s.n && s.p[0] == '"';
		if (quoted)
			s = span_of(s.p + 1, s.n - 1);
		size_t n = 0;
		while (n < s.n && s.p[n] != (quoted ? '"' : ';'))
			n++;
		return quoted ? span_of(s.p, n) : trim(span_of(s.p, n));
	}
	return (struct span){0};
}

int multipart_begin(struct multipart *m, struct span type, struct span body)
{
	struct span b = find_boundary(type);
	*m = (struct multipart){.body = body};
	if (!b.n || b.n >= sizeof(m->boundary) || memchr(b.p, '\0', b.n))
		return ERR_MALFORMED;
	memcpy(m->boundary, b.p, b.n);
	return 0;
}

/* A delimiter stands at the beginning of a line. */
static bool is_delimiter(const struct multipart *m, struct span line, bool *ret_last)
{
	size_t n = strlen(m->boundary);
	if (line.n < n + 2 || memcmp(line.p, "--", 2) != 0 ||
	    memcmp(line.p + 2, m->boundary, n) != 0)
		return false;
	struct span rest = trim(span_of(line.p + n + 2, line.n - n - 2));
	*ret_last = rest.n == 2 && memcmp(rest.p, "--", 2) == 0;
	return *ret_last || !rest.n;
}

/* The line break before a delimiter belongs to the delimiter. */
static size_t without_break(const char *p, size_t n)
{
	if (n && p[n - 1] == '\n')
		n--;
	if (n && p[n - 1] == '\r')
		n--;
	return n;
}

static void split(struct span all, struct multipart_part *ret)
{
	struct span line;
	size_t at = 0, from = 0;
	while (next_line(all, &at, &line) && line.n)
		from = at;
	ret->head = span_of(all.p, from);
	ret->body = span_of(all.p + at, all.n - at);
}

bool multipart_next(struct multipart *m, struct multipart_part *ret)
{
	struct span line;
	size_t at = m->at, before = at;
	bool last;
	if (m->ended)
		return false;
	if (at == 0) { /* what stands in front of the first one is passed over */
		while (before = at, next_line(m->body, &at, &line))
			if (is_delimiter(m, line, &last))
				break;
		if (before == at)
			return false;
		m->ended = last;
		m->at = at;
		if (last)
			return false;
	}
	size_t from = m->at;
	at = from;
	while (before = at, next_line(m->body, &at, &line))
		if (is_delimiter(m, line, &last)) {
			const char *p = m->body.p + from;
			split(span_of(p, without_break(p, before - from)), ret);
			m->at = at;
			m->ended = last;
			return true;
		}
	return false;
}

struct span multipart_header(struct span head, const char *name)
{
	struct span line;
	size_t n = strlen(name);
	for (size_t at = 0; next_line(head, &at, &line);)
		if (line.n > n && line.p[n] == ':' && starts(line, name))
			return trim(span_of(line.p + n + 1, line.n - n - 1));
	return (struct span){0};
}

bool http_text_read(struct span text, struct http_text *ret)
{
	struct span line = {0};
	size_t at = 0;
	uint64_t length;
	while (next_line(text, &at, &line) && !line.n) /* RFC 9112, 2.2 */
		;
	const char *end = line.p ? line.p + line.n : NULL,
	           *a = line.n ? memchr(line.p, ' ', line.n) : NULL,
	           *b = a ? memchr(a + 1, ' ', (size_t)(end - a - 1)) : NULL;
	/* targets with spaces in them are seen: the last word is the version */
	for (const char *p = b; p && p < end; p++)
		if (*p == ' ')
			b = p;
	if (!b || b == a + 1 || !starts(span_of(b + 1, (size_t)(end - b - 1)), "HTTP/1."))
		return false;
	struct multipart_part part;
	ret->method = span_of(line.p, (size_t)(a - line.p));
	ret->target = trim(span_of(a + 1, (size_t)(b - a - 1)));
	split(span_of(text.p + at, text.n - at), &part);
	ret->head = part.head;
	ret->body = part.body;
	struct span said = multipart_header(ret->head, "Content-Length");
	if (said.n && span_to_u64(said, &length) == 0 && length < ret->body.n)
		ret->body.n = (size_t)length;
	return ret->target.n > 0;
}
