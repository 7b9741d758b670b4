/* schemafile.h - schemas and payloads as files: for `oudp check` and `oudp validate`. */
#ifndef CLI_SCHEMAFILE_H
#define CLI_SCHEMAFILE_H

#include "base/buf.h"
#include "cli/cli.h"
#include "schema/schema.h"

enum { SCHEMA_DIRS_MAX = 16, SCHEMA_BYTES_MAX = 4 << 20 };

/* Where schemas are looked up, first one wins; NULL-terminated. */
struct schema_dirs {
	const char *dir[SCHEMA_DIRS_MAX + 1];
	unsigned n;
};
/* 0 or CLI_TROUBLE (told). */
int schema_dirs_add(const struct cli *c, struct schema_dirs *d, const char *dir) MUSTCHECK;
/* schemas/ here when there is one, then where packages put them. */
void schema_dirs_defaults(struct schema_dirs *d);

/* Compiles the schema.json at path. Name and version come from .../<name>/<version>/schema.json,
 * else from the file's name; $ref looks beside it, then in d. 0 or CLI_TROUBLE (told). The schema
 * lives until the process ends, or schema_free(). */
int schema_file_open(const struct cli *c, const char *path, const struct schema_dirs *d,
                     struct schema **ret) MUSTCHECK;

/* One payload against one schema. errors: how many violations, 0: it fits. Appends to out the
 * violations with their places, or with --json one line {"file":..,"fits":..,"errors":[..]}.
 * ret_first: the most telling violation; may be NULL. */
enum { PAYLOAD_ERRORS_MAX = 100 };
struct payload_check {
	const struct schema *schema;
	struct schema_scratch *scratch;
	const char *name; /* of the payload, for people */
	struct span payload;
};
unsigned payload_check(const struct payload_check *p, bool json, struct buf *out,
                       struct verdict *ret_first);

#endif
