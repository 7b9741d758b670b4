/* validate.h - what comes as bytes from the daemon: a schema from the daemon, for `oudp validate
 * name/version`. Apart from validate.c because jansson.h and json/json.h do not go into one file.
 */
#ifndef CLI_VALIDATE_H
#define CLI_VALIDATE_H

#include "cli/cli.h"

struct schema;
struct schema_dirs;

/* The bytes of the schema with this id: appended to ret. 0 or CLI_TROUBLE (told). */
int validate_fetch_source(struct cli *c, const char *id, struct buf *ret) MUSTCHECK;
/* The body of GET path, which must be 200: appended to ret. 0 or CLI_TROUBLE (told). */
int fetch_body(struct cli *c, const char *path, struct buf *ret) MUSTCHECK;
/* POSTs body. 0 with *ret_status 200 (the answer appended to ret), 503 or 507: it may pass; else
 * CLI_TROUBLE (told). */
int fetch_post(struct cli *c, const char *path, const char *type, struct span body,
               long *ret_status, struct buf *ret) MUSTCHECK;

/* The schema with this id from the daemon, compiled. 0 or CLI_TROUBLE (told). */
int validate_fetch(struct cli *c, const char *id, const struct schema_dirs *dirs,
                   struct schema **ret) MUSTCHECK;

#endif
