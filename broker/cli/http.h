/* http.h - asks the daemon's HTTP API, over TCP or its administration socket.
 *
 * Where a request goes: what only an administrator may do goes to the socket. Reading goes to what
 * was asked for by option, then by environment; when nothing was, to the socket if this user may
 * open it, else to the web listener. Every failure is told on stderr with what to do. */
#ifndef CLI_HTTP_H
#define CLI_HTTP_H

#include "cli/cli.h"

#include <jansson.h>
#include <stdio.h>

struct http_reply {
	long status;
	struct buf body;
	json_t *json; /* the body, when it is JSON; NULL */
};
void http_reply_done(struct http_reply *r);

enum http_way { HTTP_READ, HTTP_ADMIN };

/* Asks once. 0 with r filled whatever the status, or CLI_TROUBLE (told) when no answer came.
 * body: sent as application/json unless NULL; borrowed. */
int http_ask(struct cli *c, enum http_way way, const char *method, const char *path,
             const json_t *body, struct http_reply *r) MUSTCHECK;

/* The same with a body of any type; type NULL: no body. */
int http_send(struct cli *c, enum http_way way, const char *method, const char *path,
              const char *type, struct span body, struct http_reply *r) MUSTCHECK;
/* GET of what may be large: the body of a 200 goes to the file, that of another status into r. */
int http_save(struct cli *c, const char *path, const char *accept, FILE *to,
              struct http_reply *r) MUSTCHECK;

/* Asks and wants 2xx with JSON: *ret is the caller's. Else CLI_TROUBLE, the problem told. */
int http_json(struct cli *c, enum http_way way, const char *method, const char *path,
              const json_t *body, json_t **ret) MUSTCHECK;

void http_end(struct cli *c); /* closes the connection that was kept */

/* Tells the problem+json (or the bare status) of a reply. Returns CLI_TROUBLE. */
int http_problem(const struct cli *c, const struct http_reply *r);

/* "/v1/feeds/{name}" and suffix, encoded; the caller frees. */
char *http_feed_path(const char *feed, const char *suffix);

/* Members of replies, with what stands there when they are absent or of another type. */
const char *reply_text(const json_t *object, const char *name, const char *otherwise);
uint64_t reply_count(const json_t *object, const char *name);
double reply_real(const json_t *object, const char *name);

#endif
