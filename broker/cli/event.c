/* event.c - walks the members of one JSON object. Checks no more than it must: the server wrote it.
 */
#include "cli/event.h"

#include "base/err.h"

#include <stddef.h>
#include <string.h>

struct walk {
	struct span text;
	size_t at;
};

static void blank(struct walk *w)
{
	while (w->at < w->text.n && memchr(" \t\r\n", w->text.p[w->at], 4))
		w->at++;
}

static bool character(struct walk *w, char c)
{
	blank(w);
	if (w->at >= w->text.n || w->text.p[w->at] != c)
		return false;
	w->at++;
	return true;
}

/* A string from its first quote to its last. */
static bool string(struct walk *w, struct span *ret)
{
	if (!character(w, '"'))
		return false;
	size_t from = w->at;
	for (; w->at < w->text.n; w->at++) {
		if (w->text.p[w->at] == '\\')
			w->at++;
		else if (w->text.p[w->at] == '"') {
			*ret = span_of(w->text.p + from, w->at++ - from);
			return true;
		}
	}
	return false;
}

/* Any value; nesting is counted, not recursed into. */
static bool value(struct walk *w, struct span *ret)
{
	blank(w);
	size_t from = w->at, depth = 0;
	struct span skipped;
	while (w->at < w->text.n) {
		char c = w->text.p[w->at];
		if (depth == 0 && (c == ',' || c == '}' || c == ']'))
			break;
		if (c == '"') {
			if (!string(w, &skipped))
				return false;
			continue;
		}
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		w->at++;
	}
	size_t to = w->at;
	while (to > from && memchr(" \t\r\n", w->text.p[to - 1], 4))
		to--;
	*ret = span_of(w->text.p + from, to - from);
	return to > from && depth == 0;
}

static struct span unquoted(struct span v)
{
	bool quoted = v.n >= 2 && v.p[0] == '"';
	return quoted ? span_of(v.p + 1, v.n - 2) : v;
}

/* The next member of an object; false at its end or where it is broken. */
static bool member(struct walk *w, bool *first, struct span *name, struct span *ret)
{
	if (!(*first ? character(w, '{') : character(w, ',')))
		return false;
	*first = false;
	return string(w, name) && character(w, ':') && value(w, ret);
}

int event_view(struct span text, struct event_view *ret)
{
	struct event_view e = {0};
	const struct {
		const char *name;
		size_t at;
		bool whole;
	} wanted[] = {
	    {"id", offsetof(struct event_view, id), false},
	    {"type", offsetof(struct event_view, type), false},
	    {"time", offsetof(struct event_view, time), false},
	    {"observedtime", offsetof(struct event_view, observed), false},
	    {"subject", offsetof(struct event_view, subject), false},
	    {"sequence", offsetof(struct event_view, sequence), false},
	    {"data", offsetof(struct event_view, data), true},
	    {"data_base64", offsetof(struct event_view, data), true},
	};
	struct walk w = {.text = text};
	struct span name, v;
	bool first = true;
	while (member(&w, &first, &name, &v))
		for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
			if (span_is(name, wanted[i].name))
				*(struct span *)((char *)&e + wanted[i].at) =
				    wanted[i].whole ? v : unquoted(v);
	if (!character(&w, '}') || e.id.n == 0 || e.type.n == 0)
		return ERR_MALFORMED;
	*ret = e;
	return 0;
}

struct span event_member(struct span object, const char *name)
{
	struct walk w = {.text = object};
	struct span found, v;
	bool first = true;
	while (member(&w, &first, &found, &v))
		if (span_is(found, name))
			return unquoted(v);
	return span_of(NULL, 0);
}

bool event_is(const struct event_view *e, const char *word)
{
	static const char head[] = "nl.oudp.feed.";
	size_t n = sizeof(head) - 1, k = strlen(word);
	return e->type.n > n + k + 1 && memcmp(e->type.p, head, n) == 0 &&
	       memcmp(e->type.p + n, word, k) == 0 && e->type.p[n + k] == '.';
}
