/* alert_command.h - runs the administrator's program for alerts, for who has no alert manager.
 *
 * One at a time, at most LIMIT_ALERT_COMMANDS in a minute, no longer than LIMIT_ALERT_COMMAND_S; at
 * most LIMIT_ALERTS_WAITING wait, what comes on top is only counted, and the next run is told how
 * many. Started on the pool, because a large process forks slowly; the loop never waits for it.
 *
 * The program gets: WORD FEED THING TIME MESSAGE (WORD: silent, back, implausible, plausible, jump;
 * TIME: when the last message was stored, or of the observation), and OUDP_ALERTS_MORE, how many
 * alerts were left out before this one. Its standard input is empty, its output goes to the log. */
#ifndef STATUS_ALERT_COMMAND_H
#define STATUS_ALERT_COMMAND_H

#include "feed/hub.h"

struct alert_command;

struct alert_command *alert_command_new(struct hub *h);
void alert_command_free(struct alert_command *a); /* accepts NULL; a program that runs is ended */
/* Whether nothing is being started on the pool: only then it may be freed. */
bool alert_command_idle(const struct alert_command *a);
/* path: of the program, looked at now; "" or NULL: nothing is run. */
void alert_command_put(struct alert_command *a, const char *path, const char *word,
                       struct span feed, struct span thing, const char *time, const char *message);
void alert_command_tick(struct alert_command *a); /* once a second */

struct alert_command_stats {
	uint64_t run, failed, left_out;
};
const struct alert_command_stats *alert_command_stats(const struct alert_command *a);

#endif
