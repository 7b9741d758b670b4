/* loop.h - one event loop (libuv) with what stands around it: the writer thread, the reader pool,
 * the end of a turn, the second. Owns no product logic: it calls the functions it is given. Several
 * loops may exist.
 *
 * A turn ends twice: after the sockets were read (check) and before the loop sleeps (prepare), so
 * that whatever a timer or another thread's result left behind is done before sleeping. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/compiler.h"
#include "feed/hub.h"

#include <uv.h>

struct loop;

struct loop_calls {
	void *arg;
	int (*turn)(void *arg); /* returns how long to sleep at most: ms, -1: no bound */
	void (*second)(void *arg);
	void (*signal)(void *arg, int signum); /* SIGHUP, SIGTERM, SIGINT */
};

int loop_new(struct loop **ret) MUSTCHECK;
int loop_start(struct loop *l,
               const struct loop_calls *calls) MUSTCHECK; /* timers, signals, writer thread */
uv_loop_t *loop_uv(struct loop *l);
uint64_t loop_turns(const struct loop *l); /* since the start */
struct hub_runner loop_runner(struct loop *l);
void loop_run(struct loop *l); /* until loop_stop() */
void loop_stop(struct loop *l);
/* Ends the writer (which finishes what it has) and runs the loop until all handles are closed. */
void loop_free(struct loop *l);

#endif
