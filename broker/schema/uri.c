/* uri.c - split, resolve, check. */
#include "schema/uri.h"

#include "schema/format.h"

static size_t find_any(struct span s, const char *stops)
{
	size_t n = 0;
	while (n < s.n && !(s.p[n] && strchr(stops, s.p[n])))
		n++;
	return n;
}

static struct span cut(struct span *s, size_t n)
{
	struct span head = span_of(s->p, n);
	s->p += n;
	s->n -= n;
	return head;
}

struct uri uri_split(struct span s)
{
	struct uri u = {0};
	size_t n = find_any(s, ":/?#");
	if (n > 0 && n < s.n && s.p[n] == ':') {
		u.scheme = cut(&s, n);
		u.has_scheme = true;
		cut(&s, 1);
	}
	if (s.n >= 2 && s.p[0] == '/' && s.p[1] == '/') {
		cut(&s, 2);
		u.authority = cut(&s, find_any(s, "/?#"));
		u.has_authority = true;
	}
	u.path = cut(&s, find_any(s, "?#"));
	if (s.n > 0 && s.p[0] == '?') {
		cut(&s, 1);
		u.query = cut(&s, find_any(s, "#"));
		u.has_query = true;
	}
	if (s.n > 0) {
		cut(&s, 1);
		u.fragment = s;
		u.has_fragment = true;
	}
	return u;
}

/* Appends path less its dot segments (RFC 3986 5.2.4). */
static void add_path(struct buf *out, struct span path)
{
	size_t start = out->len;
	while (path.n > 0 && !out->err) {
		bool slash = path.p[0] == '/';
		if (slash)
			cut(&path, 1);
		struct span seg = cut(&path, find_any(path, "/"));
		if (span_is(seg, "..")) {
			while (out->len > start && out->p[--out->len] != '/')
				;
		}
		if (span_is(seg, "..") || span_is(seg, ".")) {
			if (path.n == 0 && (slash || out->len > start))
				buf_add_char(out, '/');
			continue;
		}
		if (slash)
			buf_add_char(out, '/');
		buf_add_span(out, seg);
	}
}

static void add_head(struct buf *out, const struct uri *scheme, const struct uri *authority)
{
	if (scheme->has_scheme) {
		buf_add_span(out, scheme->scheme);
		buf_add_char(out, ':');
	}
	if (authority->has_authority) {
		buf_add(out, "//", 2);
		buf_add_span(out, authority->authority);
	}
}

static void add_query(struct buf *out, const struct uri *u)
{
	if (!u->has_query)
		return;
	buf_add_char(out, '?');
	buf_add_span(out, u->query);
}

/* The reference's path behind the base's last slash (RFC 3986 5.2.3). */
static void add_merged(struct buf *out, const struct uri *b, struct span path)
{
	struct buf merged;
	buf_init(&merged, b->path.n + path.n + 2);
	size_t n = b->path.n;
	while (n > 0 && b->path.p[n - 1] != '/')
		n--;
	if (n == 0 && b->has_authority)
		buf_add_char(&merged, '/');
	buf_add(&merged, b->path.p, n);
	buf_add_span(&merged, path);
	add_path(out, span_of(merged.p, merged.len));
	buf_done(&merged);
}

void uri_resolve(struct span base, struct span ref, struct buf *out)
{
	struct uri b = uri_split(base), r = uri_split(ref);
	if (r.has_scheme || r.has_authority) {
		add_head(out, r.has_scheme ? &r : &b, &r);
		add_path(out, r.path);
		add_query(out, &r);
		return;
	}
	add_head(out, &b, &b);
	if (r.path.n == 0) {
		buf_add_span(out, b.path);
		add_query(out, r.has_query ? &r : &b);
		return;
	}
	if (r.path.p[0] == '/')
		add_path(out, r.path);
	else
		add_merged(out, &b, r.path);
	add_query(out, &r);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool uri_decode(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '%') {
			buf_add_char(out, s.p[i]);
			continue;
		}
		if (i + 2 >= s.n || hex_value(s.p[i + 1]) < 0 || hex_value(s.p[i + 2]) < 0)
			return false;
		buf_add_char(out, (char)(hex_value(s.p[i + 1]) << 4 | hex_value(s.p[i + 2])));
		i += 2;
	}
	return true;
}

/* Letters, digits, "-._~", sub-delims, %XX and what extra names. */
static bool chars_valid(struct span s, const char *extra)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '%') {
			if (i + 2 >= s.n || hex_value(s.p[i + 1]) < 0 || hex_value(s.p[i + 2]) < 0)
				return false;
			i += 2;
			continue;
		}
		bool letter =
		    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!letter && (c == 0 || (!strchr("-._~!$&'()*+,;=", c) && !strchr(extra, c))))
			return false;
	}
	return true;
}

static bool scheme_valid(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!letter &&
		    (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
			return false;
	}
	return s.n > 0;
}

/* [userinfo@]host[:port]; host may be an IP literal in brackets. */
static bool authority_valid(struct span a)
{
	size_t at = find_any(a, "@");
	if (at < a.n) {
		if (!chars_valid(cut(&a, at), ":"))
			return false;
		cut(&a, 1);
	}
	if (a.n > 0 && a.p[0] == '[') {
		cut(&a, 1);
		size_t end = find_any(a, "]");
		if (end == a.n)
			return false;
		struct span literal = cut(&a, end);
		cut(&a, 1);
		bool future = literal.n > 1 && (literal.p[0] == 'v' || literal.p[0] == 'V');
		if (future ? !chars_valid(literal, ":") : !format_valid(FORMAT_IPV6, literal, NULL))
			return false;
	} else if (!chars_valid(cut(&a, find_any(a, ":")), "")) {
		return false;
	}
	if (a.n > 0 && a.p[0] != ':')
		return false;
	for (size_t i = 1; i < a.n; i++)
		if (a.p[i] < '0' || a.p[i] > '9')
			return false;
	return true;
}

bool uri_valid(struct span text, bool needs_scheme)
{
	struct uri u = uri_split(text);
	if (u.has_scheme ? !scheme_valid(u.scheme) : needs_scheme)
		return false;
	if (text.n > 0 && text.p[0] == ':')
		return false;
	/* RFC 3986 4.2: a relative path's first segment holds no colon */
	if (!u.has_scheme && !u.has_authority) {
		size_t colon = find_any(u.path, ":"), slash = find_any(u.path, "/");
		if (colon < slash)
			return false;
	}
	return (!u.has_authority || authority_valid(u.authority)) && chars_valid(u.path, ":@/") &&
	       chars_valid(u.query, ":@/?") && chars_valid(u.fragment, ":@/?");
}
