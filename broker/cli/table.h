/* table.h - rows under headings, aligned, for terminals. Cells are collected, then printed; the
 * widest column of words and then the last one are cut to the terminal. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 12 };

struct table {
	unsigned columns;
	unsigned right;  /* bit i: column i stands to the right */
	struct buf text; /* cells, each with a terminating 0 */
	size_t cells;
};

/* headings: columns strings; one that begins with '>' stands to the right. */
void table_init(struct table *t, const char *const *headings, unsigned columns);
void table_done(struct table *t);
/* Cells from left to right, then the next row. Anything may stand in text: it is made one line. */
void table_cell(struct table *t, const char *text);
void table_count(struct table *t, uint64_t n); /* 1,234 */
void table_bytes(struct table *t, uint64_t n); /* 1.2 kB */
/* Appends the whole table to out. width: of the terminal, 0: do not cut. */
void table_write(struct table *t, unsigned width, struct buf *out);
void table_print(struct table *t, unsigned width, FILE *to);

#endif
