/* catalog.h - the schemas found in the schema directories: <dir>/<name>/<version>/schema.json, the
 * first directory that has a name/version wins. Loaded at start and on reload; a catalog is
 * immutable, a reload makes a new one. Owns its schemas: they live until catalog_free(). */
#ifndef SCHEMA_CATALOG_H
#define SCHEMA_CATALOG_H

#include "schema/schema.h"

struct catalog;

/* Reads every schema. Errors (all of them, not only the first) are appended to why, one line each:
 * "<dir>/<name>/<version>/schema.json: <what>". 0 or ERR_CONFIG. A directory that does not exist is
 * skipped. */
int catalog_load(const char *const *dirs, struct catalog **ret, struct buf *why) MUSTCHECK;
void catalog_free(struct catalog *c);

const struct schema *catalog_find(const struct catalog *c,
                                  struct span id); /* "name/version"; NULL if absent */
size_t catalog_count(const struct catalog *c);
const struct schema *catalog_at(const struct catalog *c,
                                size_t i); /* sorted by name, then version */

#endif
