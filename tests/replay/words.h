/* words.h - a line of a scenario, word by word. A word may be quoted in whole or in part; inside
 * quotes \xNN, \n, \" and \\ are read. A word that begins with '{' goes to its closing brace, so
 * that JSON needs no quotes. */
#ifndef TESTS_REPLAY_WORDS_H
#define TESTS_REPLAY_WORDS_H

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WORDS_MAX = 400, WORDS_BYTES = 128 << 10 };

struct word {
	struct span text;  /* all of it */
	struct span key;   /* before the first '=' outside quotes; empty: there is none */
	struct span value; /* after it; the whole word when there is no key */
};

struct words {
	char bytes[WORDS_BYTES];
	size_t used;
	struct word word[WORDS_MAX];
	unsigned n;
};

/* False: *ret_why says what is wrong with the line. */
bool words_read(struct words *w, const char *line, const char **ret_why);

/* Decimal or 0x.. ; false when it is no number. */
bool words_number(struct span s, uint64_t *ret);

#endif
