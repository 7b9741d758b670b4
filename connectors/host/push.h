/* push.h - sources that send by themselves (mqtt, websocket): batches, held until delivered.
 *
 * A source's serve() waits and takes what has come with push_take(); push_run() maps the batch,
 * publishes it, waits for all answers, and only then calls accept(): there the source acknowledges.
 * When the broker does not answer in LIMIT_CONNECT_HOLD_MS the batch goes to the spool on disk, is
 * synced, and is then accepted; it is published from there, before anything newer. When the spool
 * is full, a source that holds what is not acknowledged is left alone (leave()) until there is
 * room, and of one that does not hold, what comes is counted as lost. */
#ifndef HOST_PUSH_H
#define HOST_PUSH_H

#include "host/worker.h"

struct push;

struct push_source {
	/* Connects where needed, waits up to ms, takes what has come. 0, or negative to end. */
	int (*serve)(void *ctx, struct push *p, int ms);
	void (*accept)(void *ctx);
	void (*leave)(void *ctx);
	bool holds;
};

/* Takes envelope over, copies the bytes. */
void push_take(struct push *p, jv envelope, const void *bytes, size_t n);
bool push_full(const struct push *p); /* serve() takes no more now, if it can do so */

/* Until stopped; with w->once until the source was silent for LIMIT_CONNECT_SILENT_MS. */
int push_run(struct worker *w, const struct push_source *source, void *ctx) MUSTCHECK;

#endif
