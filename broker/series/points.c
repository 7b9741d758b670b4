/* points.c - see points.h. */
#include "series/points.h"

#include "base/err.h"
#include "base/limits.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST = 64 };

const struct point_flag point_flags[POINT_FLAG_WORDS] = {{POINT_FUTURE, "future"},
                                                         {POINT_LATE, "late"},
                                                         {POINT_RECEIVED, "received"},
                                                         {POINT_CUT, "cut"},
                                                         {POINT_IMPLAUSIBLE, "implausible"},
                                                         {POINT_STUCK, "stuck"},
                                                         {POINT_SPIKE, "spike"},
                                                         {POINT_DUPLICATE, "duplicate"},
                                                         {POINT_SKEWED, "skewed"},
                                                         {POINT_CORRECTED, "corrected"},
                                                         {POINT_REJECTED, "rejected"},
                                                         {POINT_DOUBTED, "doubted"}};

void points_init(struct points *s, size_t max)
{
	*s = (struct points){.max = max};
	buf_init(&s->texts, LIMIT_SERIES_TEXTS_BYTES);
}

void points_done(struct points *s)
{
	free(s->p);
	buf_done(&s->texts);
	*s = (struct points){0};
}

void points_clear(struct points *s)
{
	s->n = 0;
	buf_clear(&s->texts);
}

void points_drop(struct points *s, size_t n)
{
	assert(n <= s->n);
	if (n == 0)
		return;
	s->n -= n;
	memmove(s->p, s->p + n, s->n * sizeof(*s->p));
}

void points_reverse(struct points *s)
{
	for (size_t i = 0, k = s->n; i + 1 < k; i++) {
		struct point one = s->p[i];
		s->p[i] = s->p[--k];
		s->p[k] = one;
	}
}

struct point *points_add_many(struct points *s, size_t n)
{
	if (n > s->max - s->n)
		return NULL;
	if (s->n + n > s->cap) {
		size_t cap = s->cap ? 2 * s->cap : FIRST;
		cap = MAX_OF(cap, s->n + n);
		struct point *p = realloc(s->p, cap * sizeof(*p));
		if (!p)
			return NULL;
		s->p = p;
		s->cap = cap;
	}
	struct point *p = &s->p[s->n];
	s->n += n;
	return p;
}

struct point *points_add(struct points *s)
{
	struct point *p = points_add_many(s, 1);
	if (p)
		*p = (struct point){0};
	return p;
}

int points_text(struct points *s, struct span text, uint32_t *ret)
{
	assert(text.n <= LIMIT_SERIES_TEXT_BYTES);
	uint16_t n = (uint16_t)text.n;
	char *to = buf_room(&s->texts, sizeof(n) + text.n);
	if (!to)
		return s->texts.err;
	memcpy(to, &n, sizeof(n));
	if (n)
		memcpy(to + sizeof(n), text.p, n);
	*ret = (uint32_t)s->texts.len;
	s->texts.len += sizeof(n) + text.n;
	return 0;
}

struct span point_text(const struct points *s, const struct point *p)
{
	uint16_t n;
	assert(p->kind == POINT_TEXT);
	if (p->text == POINT_NO_TEXT)
		return (struct span){0};
	assert(p->text + sizeof(n) <= s->texts.len);
	memcpy(&n, s->texts.p + p->text, sizeof(n));
	return span_of(s->texts.p + p->text + sizeof(n), n);
}

int points_copy(struct points *to, const struct points *from, const struct point *p)
{
	uint32_t text = 0;
	int err = p->kind == POINT_TEXT ? points_text(to, point_text(from, p), &text) : 0;
	if (err)
		return err;
	struct point one = *p, *q = points_add(to);
	if (!q)
		return ERR_TOO_LARGE;
	*q = one;
	if (one.kind == POINT_TEXT)
		q->text = text;
	return 0;
}
