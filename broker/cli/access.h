/* access.h - what the commands about organisations, identities and grants share. */
#ifndef CLI_ACCESS_H
#define CLI_ACCESS_H

#include "cli/http.h"
#include "cli/table.h"

/* Asks the administrator's socket and wants JSON: *ret, or NULL when --json has printed it. */
int access_ask(struct cli *c, const char *method, const char *path, const json_t *body,
               json_t **ret) MUSTCHECK;
/* The collection (/v1/NAME, a member NAME of the reply) as a table; row() adds one's cells, or
 * nothing. */
int access_list(struct cli *c, const char *collection, const char *const *headings,
                unsigned columns, void (*row)(struct table *t, const json_t *one, const void *arg),
                const void *arg) MUSTCHECK;
/* "/v1/NAME/ID", percent-encoded; the caller frees. */
char *access_path(const char *collection, const char *id);
/* {"ends": date}, or now. */
json_t *access_end(const char *date);

#endif
