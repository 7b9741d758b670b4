/* validate.h - a schema from the daemon, for `oudp validate name/version`. Apart from validate.c
 * because jansson.h and json/json.h do not go into one file. */
#ifndef CLI_VALIDATE_H
#define CLI_VALIDATE_H

#include "cli/cli.h"

/* The bytes of the schema with this id: appended to ret. 0 or CLI_TROUBLE (told). */
int validate_fetch_source(struct cli *c, const char *id, struct buf *ret) MUSTCHECK;

#endif
