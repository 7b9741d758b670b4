/* rows.h - rows of a CSV file as JSON objects. Pure.
 *
 * A name with slashes, "location/lat", makes an object within the object. A cell that is empty is
 * left out; one that is a JSON number, true or false becomes that, as it is written; anything else
 * is a text. */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include "cli/csv.h"

struct rows {
	unsigned n;
	char *name[CSV_CELLS_MAX];
	unsigned order[CSV_CELLS_MAX]; /* names with the same beginning stand together */
	bool text[CSV_CELLS_MAX];      /* never a number */
	bool skip[CSV_CELLS_MAX];
	bool decimal_comma; /* 21,5 is a number */
};

/* From the row of names. 0; ERR_MALFORMED: a name is empty, given twice, or is an object and a
 * value
 * ("a" beside "a/b"); *ret_at is its column. */
int rows_init(struct rows *r, const struct csv *names, unsigned *ret_at) MUSTCHECK;
void rows_done(struct rows *r); /* accepts a zeroed one */
/* Index of the column of that name, or -1. */
int rows_find(const struct rows *r, struct span name);
/* The row that csv has read, appended to b as one object. It may have fewer cells, not more. */
void rows_write(struct buf *b, const struct rows *r, const struct csv *csv);

#endif
