/* load.h - files of the schema directories. A path is relative to a directory, the first that has
 * it wins, and nothing outside the directories is read, not by ".." and not by a symbolic link. */
#ifndef SCHEMA_LOAD_H
#define SCHEMA_LOAD_H

#include "base/buf.h"
#include "base/span.h"

/* What a schema's own URI starts with: "oudp:///name/version/schema.json". */
#define SCHEMA_URI_ROOT "oudp:///"

/* Appends the file's bytes to out. 0, ERR_NOT_FOUND, ERR_TOO_LARGE or -errno. */
int load_file(const char *dir, struct span path, struct buf *out) MUSTCHECK;

#endif
