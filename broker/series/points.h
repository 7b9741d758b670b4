/* points.h - observations in memory, on their way into or out of chunks. Pure.
 *
 * A number is the double that the payload meant: 21.5 stays 21.5. Texts live in one buffer that all
 * points of a struct points share. Nulls are no observations and never become points. */
#ifndef SERIES_POINTS_H
#define SERIES_POINTS_H

#include "base/buf.h"

enum point_kind { POINT_NUMBER, POINT_BOOL, POINT_TEXT, POINT_KINDS };

enum {                     /* quality, a bit each. Those in POINT_FLAGS are kept with the point, */
       POINT_FUTURE = 1,   /* dated beyond max-future of its feed */
       POINT_LATE = 2,     /* older than max-age of its feed */
       POINT_RECEIVED = 4, /* the payload named no time: it is the time of receipt */
       POINT_CUT = 8,      /* a text over LIMIT_SERIES_TEXT_BYTES: its beginning */
       POINT_IMPLAUSIBLE = 16, /* outside of what its schema calls plausible */
       POINT_STUCK = 32,       /* the same value for longer than its feed's stuck-after */
       POINT_SPIKE = 64,       /* a single value far from those before it */
       POINT_DUPLICATE = 128,  /* not the first of its time; duplicates = keep */
       POINT_SKEWED = 256,     /* its thing's clock is far from ours */
       POINT_FLAGS = 511,
       /* these come from corrections, when it is read: */
       POINT_CORRECTED = 512,
       POINT_REJECTED = 1024,
       POINT_DOUBTED = 2048 /* flagged by a person */
};

/* The word for each bit, as every face has it. */
struct point_flag {
	uint16_t bit;
	const char *word;
};
enum { POINT_FLAG_WORDS = 12 };
extern const struct point_flag point_flags[POINT_FLAG_WORDS];

#define POINT_NO_TEXT UINT32_MAX /* of a text that is nowhere here: it reads as empty */

struct point {
	int64_t time_ms;
	union {
		double number; /* POINT_NUMBER; POINT_BOOL: 0 or 1 */
		uint32_t text; /* POINT_TEXT: where it stands in points.texts */
	};
	uint32_t stored_s; /* the second in which it was stored; 0: not known, or not asked for */
	uint16_t flags;
	uint8_t kind;
};

struct points {
	struct point *p;
	size_t n, cap, max; /* max: points_add() refuses more */
	struct buf texts;   /* each u16 length, bytes */
};

void points_init(struct points *s, size_t max);
void points_done(struct points *s);
void points_clear(struct points *s);
void points_drop(struct points *s, size_t n); /* the first n */
void points_reverse(struct points *s);
/* Room for one more at the end, zeroed; NULL when there are max. */
struct point *points_add(struct points *s) MUSTCHECK;
/* The same for n at once, not zeroed: every member is to be set. */
struct point *points_add_many(struct points *s, size_t n) MUSTCHECK;
/* Keeps a copy of text; *ret is for point.text. 0 or ERR_TOO_LARGE, -ENOMEM. */
int points_text(struct points *s, struct span text, uint32_t *ret) MUSTCHECK;
struct span point_text(const struct points *s, const struct point *p);
/* A copy of p, which belongs to from, at the end of to. 0 or ERR_TOO_LARGE, -ENOMEM. */
int points_copy(struct points *to, const struct points *from, const struct point *p) MUSTCHECK;

#endif
