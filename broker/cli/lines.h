/* lines.h - the events of a page as lines, byte for byte as they came. Pure.
 *
 * A number keeps its digits (9.40 stays 9.40), members keep their order; line ends within an event,
 * which stand between its parts only, become blanks. */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include "cli/text.h"

struct lines {
	uint64_t n;                /* events with a sequence so far: a gap is none */
	struct text_position last; /* of the last event seen */
	bool ended;                /* the page had none */
};

/* page: a JSON array of CloudEvents. Appends to b. 0; ERR_MALFORMED: it is none, or its last has no
 * position; what came before is in b then. */
int lines_of_page(struct buf *b, struct span page, struct lines *l) MUSTCHECK;

#endif
