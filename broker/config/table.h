/* table.h - every option is one row here, and nowhere else. The arrays libConfuse wants, defaults,
 * checks of single values, the sample, the lint of the manual and the comparison at reload are all
 * walks over these rows. Inside the room only. */
#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include "config/config.h"

enum block { BLOCK_ROOT, BLOCK_LISTENER, BLOCK_TLS, BLOCK_ISSUER, BLOCK_FEED, N_BLOCKS };
enum { BLOCK_ROWS_MAX = 32 }; /* rows in one block; asserted when the table is walked */

enum row_type {           /* the type of the field */
	        ROW_TEXT, /* char *: UTF-8 without control characters */
	        ROW_WORD, /* char *: [a-z0-9.-], 1 to 64 */
	        ROW_NAME, /* char *: [a-z0-9-], 1 to 64: names another block; NULL when not given */
	        ROW_OIN,  /* char *: 20 digits */
	        ROW_PATH, /* char *: made absolute by the directory of the file that says it */
	        ROW_PATH_NULL, /* the same; NULL when not given */
	        ROW_ADDRESS,   /* char *: IPv4, IPv6, localhost */
	        ROW_BOOL,      /* bool */
	        ROW_ENUM,      /* int: index into words */
	        ROW_COUNT,     /* uint64_t, min to max */
	        ROW_SECONDS,   /* uint64_t: "14d" */
	        ROW_BYTES,     /* uint64_t: "20GB" */
	        ROW_PATHS,     /* char **, NULL-terminated, as ROW_PATH */
	        ROW_TOPICS,    /* char **: topic templates */
	        ROW_SCHEMAS,   /* char **: name/version, or any */
	        ROW_STEPS,     /* char **: privacy steps */
	        ROW_ORIGINS,   /* char **: scheme://host[:port], or * */
};

enum {
	ROW_REQUIRED = 1, /* no default: the block must say it */
	ROW_RESTART = 2,  /* a reload keeps the old value */
	ROW_DYNAMIC = 4,  /* the default is worked out; def says how, for people */
	ROW_ZERO = 8,     /* 0 is allowed beside min to max, and means "none" */
};

struct row {
	enum block block;
	const char *name;
	enum row_type type;
	const char *def; /* as in the file; NULL: nothing */
	unsigned flags;
	size_t offset; /* of the field in its struct */
	uint64_t min, max;
	const char *const *words; /* ROW_ENUM, NULL-terminated */
	const char *example;      /* for the sample, where there is no fixed default */
	const char *help;         /* for the sample: one line */
};

extern const struct row config_rows[];
extern const size_t config_n_rows;

static inline bool row_is_list(const struct row *r)
{
	return r->type >= ROW_PATHS;
}

/* Row of a block by name, or NULL. ret_index (may be NULL): its place within the block. */
const struct row *row_find(enum block b, const char *name, unsigned *ret_index);
/* The rows of a block in order: start with *at = 0; NULL at the end. */
const struct row *row_next(enum block b, size_t *at);
const char *block_name(enum block b); /* "listener", "tls", "feed"; "" for the root */

/* What the reader of "no such option NAME" can do, after a semicolon; "" when nothing is near. */
void row_advice(enum block b, const char *name, char *out, size_t size);

#endif
