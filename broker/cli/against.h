/* against.h - a new schema against what a feed holds: would its stored messages still be taken, and
 * does the schema change what the feed's present one promises? For `oudp schema check` and
 * `oudp check --against`. */
#ifndef CLI_AGAINST_H
#define CLI_AGAINST_H

#include "cli/schemafile.h"

enum {
	AGAINST_LAST = 1000,
	AGAINST_LAST_MAX = 10000000
}; /* of the newest messages: some seconds */

struct against {
	const char *feed; /* NULL: not asked for */
	uint64_t last;    /* how many of the newest messages are tried */
};

/* Prints what would be refused, and the changes. CLI_OK, CLI_NO or CLI_TROUBLE (told). */
int against_check(struct cli *c, const char *path, const struct schema_dirs *dirs,
                  const struct against *a) MUSTCHECK;

/* Two files compared, without a daemon: prints the changes. CLI_OK, CLI_NO (one breaks) or
 * CLI_TROUBLE (told). */
int against_compare(struct cli *c, const char *old_path, const char *path,
                    const struct schema_dirs *dirs) MUSTCHECK;

#endif
