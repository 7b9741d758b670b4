/* accept.c - see accept.h. */
#include "web/accept.h"

#include <strings.h>

static struct span trim(struct span s)
{
	while (s.n && (*s.p == ' ' || *s.p == '\t'))
		s = span_of(s.p + 1, s.n - 1);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* Takes what stands before the next c off *s. */
static struct span cut(struct span *s, char c)
{
	const char *at = s->n ? memchr(s->p, c, s->n) : NULL;
	size_t n = at ? (size_t)(at - s->p) : s->n;
	struct span piece = trim(span_of(s->p, n));
	n += at ? 1 : 0;
	*s = span_of(s->p + n, s->n - n);
	return piece;
}

/* "q=0.5" in thousandths; 1000 for any other parameter. */
static int weight(struct span s)
{
	if (s.n < 3 || (s.p[0] != 'q' && s.p[0] != 'Q') || s.p[1] != '=')
		return 1000;
	int v = 0, scale = 1000;
	for (size_t i = 2; i < s.n && scale; i++) {
		if (s.p[i] == '.')
			continue;
		if (s.p[i] < '0' || s.p[i] > '9')
			return 1000;
		v += (s.p[i] - '0') * scale;
		scale /= 10;
	}
	return v > 1000 ? 1000 : v;
}

/* How specific the range is about type: 0: not at all about it, 3: it is the type. */
static int matches(struct span range, const char *type)
{
	size_t n = strlen(type), major = (size_t)(strchr(type, '/') - type) + 1;
	if (range.n == n && strncasecmp(range.p, type, n) == 0)
		return 3;
	if (range.n == major + 1 && range.p[major] == '*' && strncasecmp(range.p, type, major) == 0)
		return 2;
	return span_eq(range, SPAN("*/*"));
}

static int weight_of(struct span header, const char *type)
{
	int best = 0, q = 0;
	while (header.n) {
		struct span one = cut(&header, ','), range = cut(&one, ';');
		int w = 1000, how = matches(range, type);
		while (one.n) {
			int v = weight(cut(&one, ';'));
			w = v < w ? v : w;
		}
		if (how > best) {
			best = how;
			q = w;
		}
	}
	return q;
}

int accept_choose(struct span header, const char *const *types, unsigned n)
{
	int best = -1, q = 0;
	if (trim(header).n == 0)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		int w = weight_of(header, types[i]);
		if (w > q) {
			q = w;
			best = (int)i;
		}
	}
	return best;
}
