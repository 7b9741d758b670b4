/* words.c - see words.h. */
#include "replay/words.h"

#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                              : -1;
}

/* The character after a backslash at p; *p is left behind it. */
static bool escape(const char **p, char *ret)
{
	int high, low;
	switch (**p) {
	case 'n': *ret = '\n'; break;
	case '"':
	case '\\': *ret = **p; break;
	case 'x':
		high = hex_digit((*p)[1]);
		low = high < 0 ? -1 : hex_digit((*p)[2]);
		if (low < 0)
			return false;
		*ret = (char)(high << 4 | low);
		*p += 2;
		break;
	default: return false;
	}
	(*p)++;
	return true;
}

static const char *braces(const char *p)
{
	int depth = 0;
	bool quoted = false;
	for (; *p; p++) {
		if (quoted && *p == '\\' && p[1])
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && *p == '{')
			depth++;
		else if (!quoted && *p == '}' && --depth == 0)
			return p + 1;
	}
	return NULL;
}

static const char *one_word(struct words *w, const char *p, const char **ret_why)
{
	char *start = w->bytes + w->used, *to = start, *eq = NULL, c;
	if (*p == '{') {
		const char *end = braces(p);
		if (!end) {
			*ret_why = "a brace is not closed";
			return NULL;
		}
		memcpy(to, p, (size_t)(end - p));
		to += end - p;
		p = end;
	}
	bool quoted = false;
	while (*p && (quoted || (*p != ' ' && *p != '\t'))) {
		if (*p == '"') {
			quoted = !quoted;
			p++;
			continue;
		}
		if (quoted && *p == '\\') {
			p++;
			if (!escape(&p, &c)) {
				*ret_why = "a backslash is followed by none of x n \" \\";
				return NULL;
			}
			*to++ = c;
			continue;
		}
		if (*p == '=' && !quoted && !eq && to > start)
			eq = to;
		*to++ = *p++;
	}
	if (quoted) {
		*ret_why = "a quote is not closed";
		return NULL;
	}
	struct word *word = &w->word[w->n++];
	word->text = word->value = span_of(start, (size_t)(to - start));
	word->key = span_of(start, eq ? (size_t)(eq - start) : 0);
	if (eq)
		word->value = span_of(eq + 1, (size_t)(to - eq) - 1);
	w->used += (size_t)(to - start);
	return p;
}

bool words_read(struct words *w, const char *line, const char **ret_why)
{
	w->n = 0;
	w->used = 0;
	if (strlen(line) >= sizeof(w->bytes)) {
		*ret_why = "the line is too long";
		return false;
	}
	for (const char *p = line;;) {
		p += strspn(p, " \t");
		if (!*p)
			return true;
		if (w->n == WORDS_MAX) {
			*ret_why = "the line has too many words";
			return false;
		}
		p = one_word(w, p, ret_why);
		if (!p)
			return false;
	}
}

bool words_number(struct span s, uint64_t *ret)
{
	char text[24], *end;
	if (s.n == 0 || s.n >= sizeof(text) || s.p[0] < '0' || s.p[0] > '9')
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	*ret = strtoull(text, &end, 0);
	return *end == '\0';
}
