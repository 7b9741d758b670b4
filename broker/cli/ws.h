/* ws.h - a WebSocket client that comes back by itself: for `oudp tail`. libwebsockets lives behind
 * it.
 *
 * Each connection asks its user where to go on, so that a broken one costs nothing. A first
 * connection that fails ends the run; a later one is tried again with growing pauses. */
#ifndef CLI_WS_H
#define CLI_WS_H

#include "base/buf.h"
#include "base/span.h"
#include "cli/cli.h"

struct ws_user {
	void *arg;
	/* Appends path and query of the next connection. */
	void (*path)(void *arg, struct buf *b);
	/* A whole text message, valid during the call. true: that was all, end the run. */
	bool (*message)(void *arg, struct span text);
};

/* Runs until message() says so, a signal comes (CLI_OK), or it cannot go on (CLI_TROUBLE, told).
 * subprotocol: what the server must speak. */
int ws_run(struct cli *c, const char *subprotocol, const struct ws_user *user) MUSTCHECK;

/* Takes scheme://host[:port][/prefix] apart; for ws_run(), and to be tested. */
struct ws_address {
	bool tls;
	int port;
	char host[256];   /* without the brackets of IPv6 */
	char prefix[256]; /* "" or "/..." */
};

#endif
