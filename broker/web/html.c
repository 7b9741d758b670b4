/* html.c - see html.h. */
#include "web/html.h"

#include "mqtt/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 1024 };

static bool is_name(const char *s)
{
	if (!(*s >= 'a' && *s <= 'z'))
		return false;
	for (; *s; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
		      (*s >= '0' && *s <= '9') || *s == '-'))
			return false;
	return true;
}

/* ---- text ---- */

/* Bytes of the UTF-8 character at s; 0: none is there. */
static size_t character(struct span s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
	if (n == 1 || n == 0 || n > s.n)
		return n == 1;
	return mqtt_utf8_valid(span_of(s.p, n)) ? n : 0;
}

static const char *escape(char c)
{
	switch (c) {
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '&': return "&amp;";
	case '"': return "&quot;";
	case '\'': return "&#39;";
	default: return NULL;
	}
}

static void add_text(struct buf *b, struct span s)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t plain = 0;
	for (size_t i = 0; i < s.n;) {
		size_t n = character(span_of(s.p + i, s.n - i));
		unsigned char c = (unsigned char)s.p[i];
		const char *e = n == 1 ? escape(s.p[i]) : NULL;
		bool control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
		if (n && !e && !control) {
			i += n;
			continue;
		}
		buf_add(b, s.p + plain, i - plain);
		buf_add_str(b, e ? e : replacement);
		i++;
		plain = i;
	}
	if (s.n)
		buf_add(b, s.p + plain, s.n - plain);
}

static void end_tag(struct html *h)
{
	if (h->in_tag)
		buf_add_char(h->b, '>');
	h->in_tag = false;
}

void html_span(struct html *h, struct span s)
{
	end_tag(h);
	add_text(h->b, s);
}

void html_text(struct html *h, const char *s)
{
	html_span(h, span_str(s));
}

void html_textf(struct html *h, const char *fmt, ...)
{
	char text[TEXT_BYTES];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert(n >= 0);
	html_span(h, span_of(text, MIN_OF((size_t)n, sizeof(text) - 1)));
}

/* ---- elements ---- */

void html_part(struct html *h, struct buf *b)
{
	*h = (struct html){.b = b};
}

void html_begin(struct html *h, struct buf *b)
{
	html_part(h, b);
	buf_add_str(b, "<!DOCTYPE html>\n");
}

void html_end(const struct html *h)
{
	assert(h->depth == 0);
}

void html_void(struct html *h, const char *name)
{
	assert(is_name(name));
	end_tag(h);
	buf_add_char(h->b, '<');
	buf_add_str(h->b, name);
	h->in_tag = true;
}

void html_open(struct html *h, const char *name)
{
	html_void(h, name);
	assert(h->depth < HTML_DEPTH);
	h->open[h->depth++] = name;
}

void html_close(struct html *h, const char *name)
{
	assert(h->depth && strcmp(h->open[h->depth - 1], name) == 0);
	h->depth--;
	end_tag(h);
	buf_add_str(h->b, "</");
	buf_add_str(h->b, name);
	buf_add_char(h->b, '>');
}

/* ---- attributes ---- */

/* Whether an address stays on this server, or says one of the schemes that only show something. */
static bool is_harmless(struct span url)
{
	static const char *const fronts[] = {"http://", "https://", "mailto:", "/", "#", "?"};
	for (unsigned i = 0; i < ARRAY_LEN(fronts); i++) {
		size_t n = strlen(fronts[i]);
		if (url.n >= n && strncasecmp(url.p, fronts[i], n) == 0)
			return true;
	}
	return false;
}

static bool is_address(const char *name)
{
	return strcmp(name, "href") == 0 || strcmp(name, "src") == 0 || strcmp(name, "action") == 0;
}

void html_attr_span(struct html *h, const char *name, struct span value)
{
	assert(h->in_tag && is_name(name) && strncmp(name, "on", 2) != 0 &&
	       strcmp(name, "style") != 0);
	if (is_address(name) && !is_harmless(value))
		return;
	buf_add_char(h->b, ' ');
	buf_add_str(h->b, name);
	buf_add_str(h->b, "=\"");
	add_text(h->b, value);
	buf_add_char(h->b, '"');
}

void html_attr(struct html *h, const char *name, const char *value)
{
	html_attr_span(h, name, span_str(value));
}

void html_attrf(struct html *h, const char *name, const char *fmt, ...)
{
	char text[TEXT_BYTES];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert(n >= 0);
	html_attr_span(h, name, span_of(text, MIN_OF((size_t)n, sizeof(text) - 1)));
}

void html_flag(struct html *h, const char *name)
{
	assert(h->in_tag && is_name(name));
	buf_add_char(h->b, ' ');
	buf_add_str(h->b, name);
}

void html_flag_if(struct html *h, bool yes, const char *name)
{
	if (yes)
		html_flag(h, name);
}

/* ---- the usual ones ---- */

void html_class(struct html *h, const char *name, const char *class)
{
	html_open(h, name);
	if (class)
		html_attr(h, "class", class);
}

void html_element(struct html *h, const char *name, const char *class, const char *text)
{
	html_class(h, name, class);
	html_text(h, text);
	html_close(h, name);
}

void html_link(struct html *h, const char *href, const char *text)
{
	html_open(h, "a");
	html_attr(h, "href", href);
	html_text(h, text);
	html_close(h, "a");
}

void html_percent(struct buf *b, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    (c && strchr("-._~", c)))
			buf_add_char(b, (char)c);
		else
			buf_addf(b, "%%%02X", c);
	}
}
