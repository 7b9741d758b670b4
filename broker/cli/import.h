/* import.h - `oudp feed import`: a file's rows through full admission, with a verdict for each. */
#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

#include "cli/cli.h"

#include <stdint.h>

struct import_options {
	const char *thing;  /* all rows are about this one; NULL */
	const char *column; /* of the thing: a column, or a member of the payload; NULL: "thing" */
	const char *texts;  /* columns that are never numbers, with commas; NULL */
	const char *format; /* "csv", "ndjson"; NULL: as the file's name says */
	const char *separator; /* of CSV; NULL: the most frequent of the first line */
	bool decimal_comma;
	bool keep_column; /* the thing's column stays in the payload */
};
int feed_import(struct cli *c, const char *feed, const char *path, const struct import_options *o);

#endif
