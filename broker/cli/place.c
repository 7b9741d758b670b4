/* place.c - finds and marks a place in a payload. Pure; prints nothing. */
#include "cli/place.h"

#include "base/err.h"
#include "cli/text.h"

#include <string.h>

/* One step: the member or element of container i that token (still with ~0 and ~1) names; 0: none.
 */
static uint32_t step(const struct json_tape *t, uint32_t i, struct span token)
{
	char name[512];
	size_t n = 0;
	for (size_t k = 0; k < token.n; k++) {
		if (n == sizeof(name))
			return 0;
		bool escape = token.p[k] == '~' && k + 1 < token.n;
		name[n++] = !escape ? token.p[k] : token.p[++k] == '1' ? '/' : '~';
	}
	if (t->tok[i].type == JSON_OBJECT)
		return json_member(t, i, span_of(name, n));
	uint64_t want;
	if (t->tok[i].type != JSON_ARRAY || span_to_u64(span_of(name, n), &want) < 0)
		return 0;
	uint32_t at = i + 1;
	for (uint64_t k = 0; k < t->tok[i].size; k++, at = t->tok[at].next)
		if (k == want)
			return at;
	return 0;
}

int place_of_pointer(const struct json_tape *t, struct span pointer, uint32_t *ret)
{
	assert(t->src != NULL && t->n > 0);
	uint32_t at = 0;
	while (pointer.n > 0) {
		if (pointer.p[0] != '/')
			return ERR_MALFORMED;
		pointer = span_of(pointer.p + 1, pointer.n - 1);
		const char *end = pointer.n ? memchr(pointer.p, '/', pointer.n) : NULL;
		size_t n = end ? (size_t)(end - pointer.p) : pointer.n;
		uint32_t next = step(t, at, span_of(pointer.p, n));
		*ret = at;
		if (next == 0)
			return ERR_NOT_FOUND;
		at = next;
		pointer = span_of(pointer.p + n, pointer.n - n);
	}
	*ret = at;
	return 0;
}

struct place place_find(struct span text, size_t at)
{
	at = MIN_OF(at, text.n);
	struct place r = {.line = 1};
	size_t begin = 0;
	for (size_t i = 0; i < at; i++)
		if (text.p[i] == '\n') {
			r.line++;
			begin = i + 1;
		}
	size_t end = begin;
	while (end < text.n && text.p[end] != '\n')
		end++;
	if (end > begin && text.p[end - 1] == '\r')
		end--;
	r.in_line = at - begin;
	r.line_text = span_of(text.p + begin, end - begin);
	r.column = text_columns(span_of(text.p + begin, MIN_OF(r.in_line, r.line_text.n))) + 1;
	return r;
}

static size_t back_to_character(struct span s, size_t at)
{
	while (at > 0 && at < s.n && ((unsigned char)s.p[at] & 0xc0) == 0x80)
		at--;
	return at;
}

void place_mark(struct buf *b, struct span text, size_t at, size_t n)
{
	enum { BEFORE = 40, AFTER = 36 };
	struct place w = place_find(text, at);
	size_t in = MIN_OF(w.in_line, w.line_text.n);
	size_t from = in > BEFORE ? back_to_character(w.line_text, in - BEFORE) : 0;
	size_t to = back_to_character(w.line_text, MIN_OF(w.line_text.n, in + AFTER));
	buf_add_str(b, "    ");
	text_line(b, span_of(w.line_text.p + from, to - from), 0);
	buf_add_str(b, "\n    ");
	for (unsigned i = text_columns(span_of(w.line_text.p + from, in - from)); i > 0; i--)
		buf_add_char(b, ' ');
	buf_add_char(b, '^');
	size_t shown = MIN_OF(n, to - in);
	unsigned wide = shown ? text_columns(span_of(w.line_text.p + in, shown)) : 1;
	for (unsigned i = 1; i < wide; i++)
		buf_add_char(b, '~');
	buf_add_char(b, '\n');
}
