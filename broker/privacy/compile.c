/* compile.c - reads steps. See privacy.h for the syntax. */
#include "privacy/private.h"

#include "base/err.h"
#include "base/mem.h"
#include "config/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORDS_MAX = 6, TEXT_BYTES = 4096, DIGITS_MAX = 9, GRID_M_MIN = 10 };

struct words {
	unsigned n;
	char *word[WORDS_MAX];
};

static int wrong(char *why, size_t size, const char *step, const char *fmt, ...) PRINTF(4, 5);

static int wrong(char *why, size_t size, const char *step, const char *fmt, ...)
{
	char text[600];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(why, size, "\"%.200s\": %s", step, text);
	return ERR_CONFIG;
}

/* Cuts text, in place. false: too many words. */
static bool split(char *text, struct words *w)
{
	w->n = 0;
	for (char *save = NULL, *word = strtok_r(text, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		if (w->n == WORDS_MAX)
			return false;
		w->word[w->n++] = word;
	}
	return true;
}

/* RFC 6901: ~1 is /, ~0 is ~. */
static bool read_level(const char *from, size_t n, char **ret)
{
	char *to = xmalloc(n + 1);
	size_t k = 0;
	for (size_t i = 0; i < n; i++) {
		if (from[i] != '~') {
			to[k++] = from[i];
			continue;
		}
		if (++i == n || (from[i] != '0' && from[i] != '1')) {
			free(to);
			return false;
		}
		to[k++] = from[i] == '0' ? '~' : '/';
	}
	to[k] = '\0';
	*ret = to;
	return true;
}

static bool read_pointer(const char *text, struct step *s)
{
	if (*text != '/')
		return false;
	s->has_pointer = true;
	while (*text == '/') {
		size_t n = strcspn(++text, "/");
		if (s->n_levels == LIMIT_PRIVACY_LEVELS ||
		    !read_level(text, n, &s->level[s->n_levels]))
			return false;
		s->n_levels++;
		text += n;
	}
	return true;
}

/* "0.25": 25 in hundredths. */
static bool read_decimal(const char *text, int64_t *ret, unsigned *ret_digits)
{
	int64_t v = 0;
	unsigned digits = 0, n = 0;
	bool point = false;
	for (; *text; text++, n++) {
		if (*text == '.' && !point && n) {
			point = true;
			continue;
		}
		if (*text < '0' || *text > '9' || v > 100000000000000)
			return false;
		v = v * 10 + (*text - '0');
		digits += point;
	}
	*ret = v;
	*ret_digits = digits;
	return v > 0 && digits <= DIGITS_MAX;
}

static bool read_span(const char *text, int64_t *ret_ms)
{
	uint64_t s;
	if (config_seconds(text, &s) || s == 0 || s > 100ull * 365 * 86400)
		return false;
	*ret_ms = (int64_t)s * 1000;
	return true;
}

static bool read_metres(const char *text, int64_t *ret)
{
	uint64_t m;
	size_t n = strlen(text);
	if (n < 2 || text[n - 1] != 'm' || span_to_u64(span_of(text, n - 1), &m) ||
	    m < GRID_M_MIN || m > LIMIT_PRIVACY_GRID_M)
		return false;
	*ret = (int64_t)m;
	return true;
}

static int read_pseudonym(const char *text, const struct words *w, struct step *s, char *why,
                          size_t size)
{
	s->kind = STEP_PSEUDONYM;
	s->thing = w->n > 1 && strcmp(w->word[1], "{thing}") == 0;
	bool good = w->n > 2 && (s->thing || read_pointer(w->word[1], s)) && *w->word[2] == '/' &&
	            (w->n == 3 || (w->n == 5 && strcmp(w->word[3], "rotate") == 0 &&
	                           read_span(w->word[4], &s->span_ms)));
	char because[500];
	if (!good)
		return wrong(why, size, text,
		             "write it such as pseudonymise /id /etc/oudp/id.key, or pseudonymise "
		             "{thing} /etc/oudp/id.key rotate 30d");
	if (key_read(w->word[2], s->span_ms, &s->key, because, sizeof(because)))
		return wrong(why, size, text, "%s", because);
	return 0;
}

static int read_step(const char *text, const struct words *w, struct step *s, char *why,
                     size_t size)
{
	const char *verb = w->n ? w->word[0] : "", *one = w->n > 1 ? w->word[1] : "",
	           *two = w->n > 2 ? w->word[2] : "";
	unsigned whole;
	if (strcmp(verb, "drop") == 0) {
		s->kind = STEP_DROP;
		if (w->n == 2 && read_pointer(one, s))
			return 0;
		return wrong(why, size, text, "write it such as drop /owner/name");
	}
	if (strcmp(verb, "round") == 0) {
		s->kind = STEP_ROUND;
		if (w->n == 3 && read_pointer(one, s) && read_decimal(two, &s->number, &s->digits))
			return 0;
		return wrong(why, size, text, "write it such as round /weight 0.5");
	}
	if (strcmp(verb, "suppress-below") == 0) {
		s->kind = STEP_SUPPRESS;
		if (w->n == 3 && read_pointer(one, s) && read_decimal(two, &s->number, &whole) &&
		    whole == 0)
			return 0;
		return wrong(why, size, text, "write it such as suppress-below /count 5");
	}
	if (strcmp(verb, "coarsen-time") == 0) {
		s->kind = STEP_COARSEN;
		if ((w->n == 2 && read_span(one, &s->span_ms)) ||
		    (w->n == 3 && read_pointer(one, s) && read_span(two, &s->span_ms)))
			return 0;
		return wrong(why, size, text,
		             "write it such as coarsen-time 15m, or coarsen-time /seen 1h");
	}
	if (strcmp(verb, "blur") == 0) {
		s->kind = STEP_BLUR;
		if ((w->n == 2 && read_metres(one, &s->number)) ||
		    (w->n == 3 && read_pointer(one, s) && read_metres(two, &s->number)))
			return 0;
		return wrong(why, size, text,
		             "write it such as blur 100m, or blur /place 500m: 10m to %dm",
		             LIMIT_PRIVACY_GRID_M);
	}
	if (strcmp(verb, "pseudonymise") == 0)
		return read_pseudonym(text, w, s, why, size);
	return wrong(
	    why, size, text,
	    "there is no such step; there are drop, round, coarsen-time, blur, pseudonymise "
	    "and suppress-below");
}

static int add_step(struct privacy *p, const char *text, char *why, size_t size)
{
	char copy[TEXT_BYTES + 1];
	struct words w;
	if (p->n == LIMIT_PRIVACY_STEPS)
		return wrong(why, size, text, "is one step too many; there can be %d",
		             LIMIT_PRIVACY_STEPS);
	snprintf(copy, sizeof(copy), "%s", text);
	struct step *s = &p->step[p->n++];
	if (strlen(text) > TEXT_BYTES || !split(copy, &w))
		return wrong(why, size, text, "has too many words");
	int err = read_step(text, &w, s, why, size);
	if (!err && s->kind == STEP_BLUR && !p->grid && grid_new(&p->grid))
		return wrong(why, size, text,
		             "PROJ does not know the Dutch grid: install proj-data");
	return err;
}

int privacy_compile(char *const *steps, struct privacy **ret, char *why, size_t why_size)
{
	*ret = NULL;
	if (!steps || !*steps)
		return 0;
	struct privacy *p = xcalloc(1, sizeof(*p));
	int err = 0;
	for (; *steps && !err; steps++)
		err = add_step(p, *steps, why, why_size);
	if (err) {
		privacy_free(p);
		return err;
	}
	*ret = p;
	return 0;
}

void privacy_free(struct privacy *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->n; i++) {
		key_free(p->step[i].key);
		while (p->step[i].n_levels)
			free(p->step[i].level[--p->step[i].n_levels]);
	}
	grid_free(p->grid);
	free(p);
}

bool privacy_renames_thing(const struct privacy *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->step[i].thing)
			return true;
	return false;
}
