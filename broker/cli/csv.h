/* csv.h - rows of a CSV file (RFC 4180; ';' or a tab instead of ',' too, as spreadsheets here write
 * them; with or without a byte order mark). Pure. */
#ifndef CLI_CSV_H
#define CLI_CSV_H

#include "base/buf.h"

#include <stdbool.h>

enum { CSV_CELLS_MAX = 200 };

struct csv {
	struct span rest;
	char separator;
	unsigned line;      /* where the row last read begins, from 1 */
	unsigned next_line; /* private */
	struct buf text;    /* cells, each with a terminating 0 */
	unsigned n;
	const char *cell[CSV_CELLS_MAX];
};

/* Takes the separator from the first line: the one it holds most of. */
void csv_init(struct csv *c, struct span text);
void csv_done(struct csv *c);
/* The next row that is not empty: its cells are valid until the next call. 1; 0 at the end;
 * ERR_MALFORMED (a quote that is not closed, text after one) or ERR_TOO_LARGE with *ret_why. */
int csv_next(struct csv *c, const char **ret_why) MUSTCHECK;

#endif
