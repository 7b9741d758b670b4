/* mapping.h - one jq program: a record in, zero or more results out.
 *
 * The program sees $settings (an object of the block's settings), $tables (tables.h), and through
 * lib/oudp.jq the envelope of the record (`source`). A result is an object with topic and payload,
 * with `ignored` or with `refused`; an array, also of arrays, is several. It may ask
 * the host (words.h). Bounds: CPU time per record (program.h),
 * number of results; memory is bounded by the process's own limit. */
#ifndef HOST_MAPPING_H
#define HOST_MAPPING_H

#include "base/compiler.h"

#include <jv.h>
#include <stdio.h>

struct connector_conf;
struct mapping;

enum result_kind { RESULT_MESSAGE, RESULT_IGNORED, RESULT_REFUSED };

struct result {
	enum result_kind kind;
	const char *topic; /* messages */
	const char *text;  /* the payload; or why it was ignored or refused */
	int text_len;
	int retain;
};

/* 0, or negative to stop: what it returns mapping_run() returns. The result is valid during it. */
typedef int (*mapping_cb)(void *ctx, const struct result *r);

/* Compiles. NULL after having said on complaints what jq said, with the file's name. */
struct mapping *mapping_new(const struct connector_conf *k, const char *lib_dir, FILE *complaints);
void mapping_free(struct mapping *m);

/* The envelope of the records that follow; takes it over. */
void mapping_set_source(struct mapping *m, jv envelope);

/* Takes record over. The number of results, what cb returned, or ERR_INVALID with a text in
 * mapping_error() when the program failed or gave something that is no result. */
int mapping_run(struct mapping *m, jv record, mapping_cb cb, void *ctx) MUSTCHECK;
const char *mapping_error(const struct mapping *m);

/* The URL that the expression gives for a document, or NULL: the next page. Allocated. */
char *mapping_next_url(const char *expression, jv document, const char *url);

#endif
