/* form.c - see form.h. */
#include "access/form.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TOKENS = 512, TIME_BYTES = 64 };

bool form_open(struct form *f, struct span text, struct buf *why)
{
	size_t at;
	const char *wrong = "is no object";
	*f = (struct form){.why = why};
	json_tape_init(&f->tape, TOKENS);
	if (json_parse(&f->tape, text, &at, &wrong) == 0 && f->tape.tok[0].type == JSON_OBJECT &&
	    !(f->tape.tok[0].flags & JSON_DUPLICATE))
		return true;
	f->wrong = true;
	f->tape.n = 0;
	buf_addf(why, "the body is no JSON object with each member once: %s\n", wrong);
	return false;
}

static bool is_asked(const struct form *f, uint32_t i)
{
	for (unsigned k = 0; k < f->n_asked; k++)
		if (f->asked[k] == i)
			return true;
	return false;
}

bool form_done(struct form *f)
{
	for (uint32_t i = 1, n = 0; f->tape.n && n < f->tape.tok[0].size; n++) {
		struct span name = json_text(&f->tape, i);
		if (!is_asked(f, i + 1)) {
			buf_addf(f->why, "%.*s: there is no such member here\n",
			         (int)MIN_OF(name.n, (size_t)64), name.p);
			f->wrong = true;
		}
		i = f->tape.tok[i + 1].next;
	}
	json_tape_done(&f->tape);
	return !f->wrong;
}

void form_fault(struct form *f, const char *name, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_addf(f->why, "%s: %s\n", name, text);
	f->wrong = true;
}

/* The value's token, or 0. */
static uint32_t find(struct form *f, const char *name)
{
	if (!f->tape.n)
		return 0;
	uint32_t i = json_member(&f->tape, 0, span_str(name));
	if (i && !is_asked(f, i)) {
		assert(f->n_asked < FORM_MEMBERS);
		f->asked[f->n_asked++] = i;
	}
	return i;
}

static bool is_null(const struct form *f, uint32_t i)
{
	return f->tape.tok[i].type == JSON_NULL;
}

bool form_has(struct form *f, const char *name)
{
	uint32_t i = find(f, name);
	return i && !is_null(f, i);
}

/* The unescaped text at i into a fresh string of at most max bytes, or NULL after a fault. */
static char *take(struct form *f, const char *name, uint32_t i, size_t max)
{
	struct span raw = json_text(&f->tape, i);
	if (f->tape.tok[i].type != JSON_STRING) {
		form_fault(f, name, "is no string");
		return NULL;
	}
	if (raw.n > 6 * max) { /* an escape is six bytes at most */
		form_fault(f, name, "is longer than %zu bytes", max);
		return NULL;
	}
	char *s = xmalloc(raw.n + 1);
	size_t n = json_unescape(raw, s);
	s[n] = '\0';
	for (size_t k = 0; k < n; k++)
		if ((unsigned char)s[k] < 0x20 || s[k] == 0x7f) {
			form_fault(f, name, "holds a control character");
			free(s);
			return NULL;
		}
	if (n <= max)
		return s;
	form_fault(f, name, "is longer than %zu bytes", max);
	free(s);
	return NULL;
}

bool form_long_text(struct form *f, const char *name, char **ret, size_t max)
{
	uint32_t i = find(f, name);
	if (!i)
		return false;
	char *s = is_null(f, i) ? xstrdup("") : take(f, name, i, max);
	if (!s)
		return false;
	free(*ret);
	*ret = s;
	return true;
}

bool form_text(struct form *f, const char *name, char *ret, size_t size)
{
	char *s = NULL;
	if (!form_long_text(f, name, &s, size - 1))
		return false;
	memcpy(ret, s, strlen(s) + 1);
	free(s);
	return true;
}

bool form_name(struct form *f, const char *name, const char *set, char *ret, size_t size)
{
	char text[256] = "";
	assert(size <= sizeof(text));
	if (!form_text(f, name, text, size))
		return false;
	if (!*text || strspn(text, set) != strlen(text)) {
		form_fault(f, name, "is no name; write 1 to %zu of %s", size - 1,
		           strchr(set, '@') ? "a-z, 0-9, '.', '_', '@' and '-'"
		                            : "a-z, 0-9, '.' and '-'");
		return false;
	}
	memcpy(ret, text, strlen(text) + 1);
	return true;
}

bool form_count(struct form *f, const char *name, uint64_t most, uint64_t *ret)
{
	uint32_t i = find(f, name);
	int64_t n = 0;
	if (!i)
		return false;
	if (!is_null(f, i) &&
	    (f->tape.tok[i].type != JSON_NUMBER || json_int64(json_text(&f->tape, i), &n) ||
	     n < 0 || (uint64_t)n > most)) {
		form_fault(f, name, "is no whole number up to %llu", (unsigned long long)most);
		return false;
	}
	*ret = (uint64_t)n;
	return true;
}

bool form_time(struct form *f, const char *name, int64_t *ret_ms)
{
	uint32_t i = find(f, name);
	char text[TIME_BYTES + 16];
	int64_t ms = 0;
	if (!i)
		return false;
	struct span raw = json_text(&f->tape, i);
	bool good = is_null(f, i);
	if (!good && f->tape.tok[i].type == JSON_STRING && raw.n < TIME_BYTES) {
		int n = snprintf(text, sizeof(text), "%.*s%s", (int)raw.n, raw.p,
		                 raw.n == 10 ? "T00:00:00Z" : "");
		good = rfc3339_parse(span_of(text, (size_t)n), &ms) == 0 && ms > 0;
	}
	if (!good) {
		form_fault(f, name, "is no time; write 2027-03-01 or 2027-03-01T12:00:00+01:00");
		return false;
	}
	*ret_ms = ms;
	return true;
}

static int word_at(struct form *f, uint32_t i, const char *const *words)
{
	for (int k = 0; words[k]; k++)
		if (f->tape.tok[i].type == JSON_STRING &&
		    json_string_is(&f->tape, i, span_str(words[k])))
			return k;
	return -1;
}

static void fault_words(struct form *f, const char *name, const char *const *words)
{
	char all[160] = "";
	size_t n = 0;
	for (int k = 0; words[k]; k++)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", k ? ", " : "", words[k]);
	form_fault(f, name, "is none of %s", all);
}

bool form_word(struct form *f, const char *name, const char *const *words, unsigned *ret)
{
	uint32_t i = find(f, name);
	if (!i)
		return false;
	int k = word_at(f, i, words);
	if (k < 0) {
		fault_words(f, name, words);
		return false;
	}
	*ret = (unsigned)k;
	return true;
}

bool form_words(struct form *f, const char *name, const char *const *words, unsigned *ret)
{
	uint32_t i = find(f, name);
	unsigned bits = 0;
	if (!i)
		return false;
	if (f->tape.tok[i].type != JSON_ARRAY) {
		form_fault(f, name, "is no list");
		return false;
	}
	for (uint32_t e = i + 1, n = 0; n < f->tape.tok[i].size; n++, e = f->tape.tok[e].next) {
		int k = word_at(f, e, words);
		if (k < 0) {
			fault_words(f, name, words);
			return false;
		}
		bits |= 1u << k;
	}
	*ret = bits;
	return true;
}
