/* text.c - see text.h. What is escaped: C0, DEL and C1 controls and non-characters, which MQTT
 * strings should not carry (MQTT-1.5.4). */
#include "schema/text.h"

#include <stdarg.h>
#include <stdio.h>

struct text text_in(char *p, size_t size)
{
	assert(p && size >= 8);
	p[0] = '\0';
	return (struct text){p, 0, size, false};
}

/* One code point or escape, whole or not at all; room for "..." is kept. */
static void put(struct text *t, const char *s, size_t n)
{
	if (t->cut)
		return;
	if (t->n + n + 4 > t->size) {
		memcpy(t->p + t->n, "...", 4);
		t->n += 3;
		t->cut = true;
		return;
	}
	memcpy(t->p + t->n, s, n);
	t->n += n;
	t->p[t->n] = '\0';
}

void text_add(struct text *t, const char *s)
{
	for (; *s; s++)
		put(t, s, 1);
}

void text_addf(struct text *t, const char *fmt, ...)
{
	char line[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	text_add(t, line);
}

/* Bytes of the code point at s, and its value. */
static size_t code_point(struct span s, uint32_t *ret)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t v = n == 1 ? c : c & (0x7fu >> n);
	n = MIN_OF(n, s.n);
	for (size_t i = 1; i < n; i++)
		v = v << 6 | ((unsigned char)s.p[i] & 0x3f);
	*ret = v;
	return n;
}

static bool is_odd(uint32_t v)
{
	return v < 0x20 || (v >= 0x7f && v < 0xa0) || (v >= 0xfdd0 && v <= 0xfdef) ||
	       (v & 0xfffe) == 0xfffe;
}

void text_add_safe(struct text *t, struct span s, size_t max_bytes)
{
	size_t used = 0;
	while (s.n > 0 && !t->cut) {
		uint32_t v;
		size_t n = code_point(s, &v);
		if (used + n > max_bytes) {
			put(t, "...", 3);
			return;
		}
		if (is_odd(v)) {
			char escape[16];
			int k = snprintf(escape, sizeof(escape), "\\u%04x", v);
			put(t, escape, (size_t)k);
		} else {
			put(t, s.p, n);
		}
		used += n;
		s = span_of(s.p + n, s.n - n);
	}
}

void text_add_token(struct text *t, struct span name)
{
	put(t, "/", 1);
	while (name.n > 0 && !t->cut) {
		size_t n = 0;
		while (n < name.n && name.p[n] != '~' && name.p[n] != '/')
			n++;
		text_add_safe(t, span_of(name.p, n), n);
		if (n < name.n)
			put(t, name.p[n] == '~' ? "~0" : "~1", 2);
		n += n < name.n;
		name = span_of(name.p + n, name.n - n);
	}
}
