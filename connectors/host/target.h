/* target.h - publishing to the broker: MQTT 5, QoS 1, with a window.
 *
 * Delivered means PUBACK below 0x80. What is answered 0x80 or more is refused: counted, logged with
 * the reason, and not sent again (MQTT-4.4.0-2). What is not answered when the connection breaks is
 * sent again, in order, on the next one; the broker knows duplicates. The window (messages and
 * bytes) is all that is held; when it is full, target_publish() waits, and so does the source.
 * Connecting again: back-off with jitter, for ever, until stopped.
 *
 * One thread. All waiting is in target_pump(). */
#ifndef HOST_TARGET_H
#define HOST_TARGET_H

#include "base/compiler.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct config;
struct connector_conf;
struct tally;
struct target;

/* print: not NULL for a dry run; messages are printed there, one JSON object a line, and nothing is
 * connected. stopping: looked at while waiting. */
struct target *target_new(const struct config *c, const struct connector_conf *k,
                          struct tally *tally, const volatile sig_atomic_t *stopping, FILE *print);
void target_free(struct target *t); /* DISCONNECT; what is in the window is given up */

struct target_message {
	const char *topic, *payload;
	size_t n;
	bool retain;
	const char *origin; /* the record of a feed that it was mapped from, or NULL */
	const char *behalf; /* and the identity that had sent it, or NULL */
};

/* Takes a copy. 0 when it is in the window (waits for room), ERR_CLOSED when stopped, ERR_TOO_LARGE
 * and ERR_INVALID when no broker could take it: counted as refused. */
int target_publish(struct target *t, const struct target_message *m) MUSTCHECK;

/* Waits until everything in the window is answered: 0, or ERR_CLOSED when stopped before. */
int target_flush(struct target *t) MUSTCHECK;

/* From now on waiting lasts ms at most, all together: ERR_AGAIN. 0: as long as it takes. */
void target_hurry(struct target *t, int64_t ms);
bool target_is_up(const struct target *t);
/* Gives up what is in the window, for the caller has it elsewhere, and the connection with it. */
void target_forget(struct target *t);

/* Serves the connection and waits up to ms for it or for one of n descriptors (revents filled). */
void target_pump(struct target *t, int ms, struct pollfd *more, size_t n);

/* The descriptor to be polled beside others, and what for; fd -1 while not connected. */
struct pollfd target_pollfd(const struct target *t);

#endif
