/* load.h - a configuration on its way in: what was read so far, where it stood, what is wrong with
 * it. Four steps: load.c finds the files and includes, parse.c reads one of them with libConfuse,
 * check.c looks across options, problems.c sorts and prints what they all found. Inside the room
 * only. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/table.h"

#include <sys/types.h>

struct place { /* where a block and each of its options stand */
	unsigned file;
	int line;
	int row_line[BLOCK_ROWS_MAX]; /* by row_find()'s index; 0: not given */
	unsigned row_file[BLOCK_ROWS_MAX];
};

struct problem {
	unsigned file;
	int line; /* 0: the file as a whole */
	bool warning;
	char *text;
};

struct source {     /* a file that was read, in that order */
	char *name; /* as messages show it */
	dev_t dev;
	ino_t ino;
};

struct include {
	char *pattern;
	int line;
};

union block_value {
	struct config_listener listener;
	struct config_tls tls;
	struct config_issuer issuer;
	struct config_feed feed;
};

struct loader {
	struct config *config;
	bool files; /* files may be opened and looked at */
	bool cut;   /* a file was not read to its end: what is missing may stand there */

	struct place root, *listeners, *tls, *issuers, *feeds; /* beside the arrays of config */

	struct source *sources;
	size_t n_sources;
	struct problem *problems;
	size_t n_problems, n_errors, n_unshown;

	/* the file being read: parse.c */
	unsigned file;
	const char *dir; /* of that file */
	bool dry;        /* looking for unknown options only */
	bool said_why;   /* a message came with the failure */
	char *unknown;   /* the name that ended a parse, or NULL */
	enum block unknown_block;
	int unknown_line;
	union block_value value; /* the block being read, of kind value_block */
	enum block value_block;
	struct place place;
	int *block_lines;
	size_t n_block_lines, block_at;
	struct include *includes;
	size_t n_includes;
};

/* Reads one text into ld; problems are noted. text is scribbled on. */
void parse_text(struct loader *ld, char *text);
/* Defaults for what was not given in a block; the required that is missing is noted. */
void finish_rows(struct loader *ld, enum block b, const struct place *place, void *base);
/* After all files: the defaults of what was not given, then everything that needs two options. */
void check_all(struct loader *ld);
/* What the pages and the catalogue need: addresses that are addresses, and of each public feed what
 * DCAT-AP-NL asks for. */
void check_public(struct loader *ld);

void problem_add(struct loader *ld, unsigned file, int line, bool warning, const char *fmt, ...)
    PRINTF(5, 6);
void problems_print(struct loader *ld, struct buf *out); /* sorted by place */
void problems_done(struct loader *ld);

size_t block_size(enum block b);
void block_free(enum block b, void *value);

#endif
