/* html.h - HTML (and the SVG within it), written element by element, so that escaping cannot be
 * forgotten: no call takes markup. Pure.
 *
 * Names of elements and attributes come from the code (asserted); everything else is text, from
 * wherever it came: '<', '>', '&' and quotes are escaped, control characters and bytes that are not
 * UTF-8 become U+FFFD. An address that leads elsewhere than to http, https, mailto or this server
 * is left out, so that nobody's data becomes a script.
 *
 *     html_open(h, "a");  html_attr(h, "href", "/feeds");  html_text(h, title);  html_close(h,
 * "a");
 *
 * Attributes come before the content of their element. The buffer's error is sticky: look at it
 * once, at the end. An element that is closed out of turn is an assertion. */
#ifndef WEB_HTML_H
#define WEB_HTML_H

#include "base/buf.h"
#include "base/compiler.h"

#include <stdbool.h>

enum { HTML_DEPTH = 32 };

struct html {
	struct buf *b; /* the caller's */
	const char *open[HTML_DEPTH];
	unsigned depth;
	bool in_tag; /* attributes may still come */
};

void html_begin(struct html *h, struct buf *b); /* with the doctype */
void html_end(const struct html *h);            /* everything is closed: asserted */
void html_part(struct html *h, struct buf *b);  /* without a doctype: a piece, or an SVG */

void html_open(struct html *h, const char *name); /* name: static, [a-z][A-Za-z0-9]* */
void html_close(struct html *h, const char *name);
void html_void(struct html *h, const char *name); /* br, input, link: attributes may follow */

void html_attr(struct html *h, const char *name, const char *value);
void html_attr_span(struct html *h, const char *name, struct span value);
void html_attrf(struct html *h, const char *name, const char *fmt, ...) PRINTF(3, 4);
void html_flag(struct html *h, const char *name); /* an attribute without a value */
void html_flag_if(struct html *h, bool yes, const char *name);

void html_text(struct html *h, const char *s);
void html_span(struct html *h, struct span s);
void html_textf(struct html *h, const char *fmt, ...) PRINTF(2, 3);

/* The usual ones: an element with a class (NULL: none), and one with text in it. */
void html_class(struct html *h, const char *name, const char *class);
void html_element(struct html *h, const char *name, const char *class, const char *text);
void html_link(struct html *h, const char *href, const char *text);

/* Percent-encodes into a URL what is no letter, digit or -._~ [RFC 3986, 2.3]. */
void html_percent(struct buf *b, struct span s);

#endif
