/* private.h - the inside of privacy/: compile.c reads steps, apply.c rewrites payloads, key.c and
 * grid.c make pseudonyms and squares, check.c tries examples. */
#ifndef PRIVACY_PRIVATE_H
#define PRIVACY_PRIVATE_H

#include "base/limits.h"
#include "privacy/grid.h"
#include "privacy/privacy.h"

enum step_kind { STEP_DROP, STEP_ROUND, STEP_COARSEN, STEP_BLUR, STEP_PSEUDONYM, STEP_SUPPRESS };

struct step {
	enum step_kind kind;
	bool has_pointer, thing; /* thing: {thing} */
	unsigned n_levels;
	char *level[LIMIT_PRIVACY_LEVELS]; /* unescaped; "*": each */
	int64_t number;                    /* round: the step in 10^-digits; suppress: N; blur: m */
	unsigned digits;                   /* round */
	int64_t span_ms;                   /* coarsen, rotate (0: never) */
	struct key *key;
};

struct privacy {
	unsigned n;
	struct step step[LIMIT_PRIVACY_STEPS];
	struct grid *grid; /* when a step blurs */
};

/* key.c */
struct key;
/* 0, or ERR_CONFIG with why. rotate_ms 0: one key for ever. */
int key_read(const char *path, int64_t rotate_ms, struct key **ret, char *why,
             size_t why_size) MUSTCHECK;
void key_free(struct key *k); /* wipes it */
void key_pseudonym(struct key *k, struct span text, int64_t now_ms,
                   char ret[PRIVACY_PSEUDONYM_BYTES]);

#endif
