/* split.c - does not judge the JSON between the records.
 *
 * A value stands at `matched` names of the path (-1: off the path). Arrays do not count: the
 * elements of an array at the path's end are the records. */
#include "host/split.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "host/decode_private.h"

#include <stdlib.h>
#include <string.h>

struct level {
	bool object, elements; /* elements: an array at the end of the path */
	int matched;
};

struct split {
	struct decoder *d;
	const char *path;
	int names;
	struct level levels[LIMIT_JSON_DEPTH];
	int depth;
	bool in_string, escaped; /* within a string */
	bool key;                /* the string is a name */
	bool expect_value;
	int matched;  /* of the value that comes next */
	int capture;  /* 0 no, 1 a record, 2 a text for the head */
	int nested;   /* containers open within what is captured */
	bool scalar;  /* what is captured is a bare word or number */
	bool got_any; /* a whole text was seen */
	bool found;   /* something stood at the path */
	char name[128];
	size_t name_n;
};

static bool path_is_root(const char *path)
{
	return strcmp(path, ".") == 0 || !*path;
}

struct split *split_new(struct decoder *d)
{
	struct split *s = xcalloc(1, sizeof(*s));
	s->d = d;
	s->path = d->conf->records[0];
	if (!path_is_root(s->path)) {
		s->names = 1;
		for (const char *p = s->path; *p; p++)
			s->names += *p == '.';
	}
	s->expect_value = true;
	return s;
}

void split_free(struct split *s)
{
	free(s);
}

static bool name_is(const struct split *s, int i)
{
	const char *p = s->path;
	while (i-- > 0)
		p = strchr(p, '.') + 1;
	size_t n = strcspn(p, ".");
	return n == s->name_n && memcmp(p, s->name, n) == 0;
}

static int bad(struct split *s, const char *why)
{
	return decode_fail(s->d, ERR_MALFORMED, "%s", why);
}

static int captured(struct split *s)
{
	struct buf *b = &s->d->buf;
	int kind = s->capture, err = 0;
	s->capture = 0;
	s->scalar = false;
	if (kind == 1) {
		err = decode_json_text(s->d, buf_str(b), b->len, 0);
	} else {
		const char *p = b->p;
		size_t n = b->len;
		if (n >= 2 && p[0] == '"') {
			p++;
			n -= 2;
		}
		decode_head(s->d, s->name, s->name_n, p, n);
	}
	buf_clear(b);
	return err;
}

static int open_container(struct split *s, char c)
{
	if (s->depth == LIMIT_JSON_DEPTH)
		return bad(s, "nested too deeply");
	s->levels[s->depth++] = (struct level){.object = c == '{',
	                                       .elements = c == '[' && s->matched == s->names,
	                                       .matched = s->matched};
	s->expect_value = c == '[';
	return 0;
}

/* A value begins with c. */
static int value(struct split *s, char c)
{
	bool within = s->depth > 0 && s->levels[s->depth - 1].elements;
	bool along =
	    s->depth > 0 && s->levels[s->depth - 1].object && s->levels[s->depth - 1].matched >= 0;
	s->expect_value = false;
	s->found = s->found || s->matched == s->names;
	if (s->matched == s->names && (within || c != '['))
		s->capture = 1;
	else if (c == '{' || c == '[')
		return open_container(s, c);
	else if (along)
		s->capture = 2;
	s->nested = c == '{' || c == '[';
	s->in_string = c == '"';
	s->scalar = !s->nested && !s->in_string;
	s->key = false;
	return s->capture ? decode_collect(s->d, &c, 1) : 0;
}

static int close_container(struct split *s, char c)
{
	if (s->depth == 0 || s->levels[s->depth - 1].object != (c == '}'))
		return bad(s, "brackets do not match");
	s->depth--;
	s->expect_value = false;
	s->got_any = s->got_any || s->depth == 0;
	return 0;
}

static int structure(struct split *s, char c)
{
	struct level *l = s->depth > 0 ? &s->levels[s->depth - 1] : NULL;
	switch (c) {
	case ' ':
	case '\t':
	case '\r':
	case '\n': return 0;
	case ',':
		if (l && !l->object) {
			s->matched = l->matched;
			s->expect_value = true;
		}
		return 0;
	case ':':
		if (!l || !l->object)
			return bad(s, "a colon outside of an object");
		s->matched = l->matched >= 0 && l->matched < s->names && name_is(s, l->matched)
		                 ? l->matched + 1
		                 : -1;
		s->expect_value = true;
		return 0;
	case ']':
	case '}': return close_container(s, c);
	default: break;
	}
	if (s->expect_value || s->depth == 0)
		return value(s, c);
	if (c != '"' || !l->object)
		return bad(s, "not JSON");
	s->in_string = s->key = true;
	s->name_n = 0;
	return 0;
}

/* Inside a string: only its end matters. */
static int in_string(struct split *s, char c)
{
	int err = s->capture ? decode_collect(s->d, &c, 1) : 0;
	if (s->key && s->name_n < sizeof(s->name) && (c != '"' || s->escaped))
		s->name[s->name_n++] = c;
	if (s->escaped) {
		s->escaped = false;
	} else if (c == '\\') {
		s->escaped = true;
	} else if (c == '"') {
		s->in_string = false;
		if (s->capture && s->nested == 0 && err == 0)
			err = captured(s);
	}
	return err;
}

static int in_capture(struct split *s, char c)
{
	if (s->scalar && strchr(", \t\r\n]}", c)) {
		int err = captured(s);
		return err < 0 ? err : structure(s, c);
	}
	int err = decode_collect(s->d, &c, 1);
	if (c == '"')
		s->in_string = true;
	else if (c == '{' || c == '[')
		s->nested++;
	else if ((c == '}' || c == ']') && --s->nested == 0 && err == 0)
		err = captured(s);
	return err;
}

int split_feed(struct split *s, const char *p, size_t n)
{
	int err = 0;
	for (size_t i = 0; i < n && err >= 0; i++) {
		char c = p[i];
		if (s->in_string)
			err = in_string(s, c);
		else if (s->capture)
			err = in_capture(s, c);
		else if (s->scalar && !strchr(", \t\r\n]}", c))
			continue; /* of a bare value that nobody asked for */
		else {
			s->scalar = false;
			err = structure(s, c);
		}
	}
	return err < 0 ? err : 0;
}

int split_end(struct split *s)
{
	if (s->depth > 0 || s->capture || s->in_string)
		return bad(s, "the text is cut off");
	if (!s->found) /* the source has another shape: that is not the same as no news */
		return decode_fail(s->d, ERR_MALFORMED, "there is nothing at %s in it", s->path);
	return 0;
}
