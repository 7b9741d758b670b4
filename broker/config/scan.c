/* scan.c - see scan.h. */
#include "config/scan.h"

#include "base/err.h"

#include <string.h>

enum { SCAN_END = 0, SCAN_ERROR = -1, SCAN_WORD = 'w', SCAN_STRING = '"' };

struct scan {
	char *text; /* comments are overwritten with spaces as they are passed */
	size_t at;
	int line;
	size_t begin; /* of the last token; a string's begin is its quote */
	int token_line;
	const char *why; /* after SCAN_ERROR: what to do about it */
};

#define NOT_IN_WORDS " #\"'\t\n\r={}()+,*"

static void scan_init(struct scan *s, char *text)
{
	assert(text);
	*s = (struct scan){.text = text, .line = 1, .token_line = 1};
}

static void blank(char *from, const char *end)
{
	for (; from < end; from++)
		if (*from != '\n')
			*from = ' ';
}

/* Moves to `to`, counting lines. */
static void pass(struct scan *s, size_t to)
{
	for (; s->at < to; s->at++)
		s->line += s->text[s->at] == '\n';
}

static int broken(struct scan *s, const char *why)
{
	s->line = s->token_line; /* where it began is where to look */
	s->why = why;
	return SCAN_ERROR;
}

/* At '#', or '/' with another '/' or '*': blanks the comment. False when it does not end. */
static bool pass_comment(struct scan *s)
{
	char *from = s->text + s->at, *end;
	if (from[0] == '/' && from[1] == '*') {
		end = strstr(from + 2, "*/");
		if (!end)
			return false;
		end += 2;
	} else {
		end = from + strcspn(from, "\n");
	}
	blank(from, end);
	pass(s, (size_t)(end - s->text));
	return true;
}

/* At a quote. In double quotes ${...} is a variable, which may hold a quote itself. */
static int pass_string(struct scan *s)
{
	char quote = s->text[s->at];
	const char *p = s->text + s->at + 1;
	for (; *p && *p != quote; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (quote == '"' && p[0] == '$' && p[1] == '{' && strchr(p, '}'))
			p = strchr(p, '}');
	}
	if (!*p)
		return broken(s, "a string begins here and does not end; close its quote");
	pass(s, (size_t)(p + 1 - s->text));
	return SCAN_STRING;
}

static int pass_word(struct scan *s)
{
	const char *p = s->text + s->at;
	if (p[0] == '$' && p[1] == '{' && strchr(p, '}')) {
		pass(s, (size_t)(strchr(p, '}') + 1 - s->text));
		return SCAN_WORD;
	}
	size_t n = strcspn(p, NOT_IN_WORDS);
	assert(n > 0);
	pass(s, s->at + n);
	return SCAN_WORD;
}

/* SCAN_*, or one of { } ( ) = , as itself; '+' is "+=". */
static int scan_next(struct scan *s)
{
	for (;;) {
		char c = s->text[s->at], next = c ? s->text[s->at + 1] : 0;
		s->begin = s->at;
		s->token_line = s->line;
		if (!c)
			return SCAN_END;
		if (c == '#' || (c == '/' && (next == '/' || next == '*'))) {
			if (!pass_comment(s))
				return broken(s, "a comment begins here and does not end;"
				                 " close it with */");
			continue;
		}
		if (c == '"' || c == '\'')
			return pass_string(s);
		if (c == '+' && next == '=') {
			s->at += 2;
			return '+';
		}
		if (strchr("{}()=,", c)) {
			s->at++;
			return c;
		}
		if (strchr(NOT_IN_WORDS, c)) /* white space; '+' and '*' the lexer passes over */
			pass(s, s->at + 1);
		else
			return pass_word(s);
	}
}

/* ---- the whole text ---- */

/* After '(': one word or string and ')'. libConfuse would take more, and leaks them on an error. */
static int pass_argument(struct scan *s)
{
	int line = s->token_line, t = scan_next(s);
	if (t == SCAN_ERROR)
		return t;
	bool one = t == SCAN_WORD || (t == SCAN_STRING && s->at - s->begin > 2);
	if (one)
		t = scan_next(s);
	if (t == SCAN_ERROR || (one && t == ')'))
		return t;
	s->token_line = line;
	return broken(s, "write one file or pattern in parentheses, as in"
	                 " include(\"feeds.d/*.conf\")");
}

enum { DEPTH_MAX = 3 }; /* a list within a block within nothing, and one to spare */

int scan_prepare(char *text, int *lines, size_t max, size_t *ret_n, int *ret_line,
                 const char **ret_why)
{
	struct scan s;
	scan_init(&s, text);
	int open[DEPTH_MAX], former[2] = {0, 0}, former_line[2] = {1, 1};
	size_t depth = 0, n = 0;
	for (int t; (t = scan_next(&s)) != SCAN_END;) {
		if (t == '{' && depth == DEPTH_MAX)
			t = broken(&s,
			           "blocks do not go this deep; is a brace missing before here?");
		else if (t == '}' && depth == 0)
			t = broken(&s, "a closing brace without an opening one; take it out, or"
			               " look for the brace that is missing before it");
		else if (t == ')')
			t = broken(&s, "a closing parenthesis without an opening one; take it out");
		else if (t == '(')
			t = pass_argument(&s);
		if (t == SCAN_ERROR) {
			*ret_line = s.line;
			*ret_why = s.why;
			return ERR_CONFIG;
		}
		if (t == '{') {
			if (depth == 0 && former[0] != '=' && former[0] != '+' && n++ < max)
				lines[n - 1] = former_line[former[0] == SCAN_STRING];
			open[depth++] = s.token_line;
		} else if (t == '}') {
			depth--;
		}
		former[1] = former[0], former_line[1] = former_line[0];
		former[0] = t, former_line[0] = s.token_line;
	}
	if (depth > 0) {
		*ret_line = open[depth - 1];
		*ret_why = "this brace is not closed; write the '}' that ends its block or list";
		return ERR_CONFIG;
	}
	*ret_n = n;
	return 0;
}

/* ---- one statement ---- */

/* After an opening brace: to the closing one. */
static void pass_group(struct scan *s)
{
	for (int depth = 1, t; depth > 0 && (t = scan_next(s)) > SCAN_END;)
		depth += (t == '{') - (t == '}');
}

/* After its name: passes the rest of a statement. False when it is none. */
static bool pass_statement(struct scan *s)
{
	int t = scan_next(s);
	if (t == '=' || t == '+') {
		struct scan value = *s;
		t = scan_next(&value);
		if (t == '{' || t == SCAN_WORD || t == SCAN_STRING)
			*s = value;
		if (t == '{')
			pass_group(s);
		return true;
	}
	if (t == SCAN_STRING || t == SCAN_WORD)
		t = scan_next(s);
	if (t == '{')
		pass_group(s);
	return t == '{' || (t == '(' && pass_argument(s) == ')');
}

bool scan_blank(char *text, const char *name, int line)
{
	struct scan s;
	scan_init(&s, text);
	size_t n = strlen(name);
	for (int t, former = 0; (t = scan_next(&s)) > SCAN_END; former = t) {
		if (s.token_line != line || former == '=' || former == ',' || t != SCAN_WORD ||
		    s.at - s.begin != n || memcmp(text + s.begin, name, n))
			continue;
		struct scan rest = s;
		if (!pass_statement(&rest))
			rest = s; /* the name alone */
		blank(text + s.begin, text + rest.at);
		return true;
	}
	return false;
}
