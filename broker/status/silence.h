/* silence.h - tells when a thing falls silent, and when it is back.
 *
 * A thing of a feed with a cadence is silent when nothing of it was stored for LIMIT_FRESH_PERCENT
 * of that. Each second a bounded number of things is looked at. What changes becomes a message in
 * the feed oudp-alerts (topic oudp/alerts/THING) and a run of alert-command:
 *
 *    {"thing": "ams-01", "feed": "air", "silent": true, "time": "2026-11-24T12:00:00.000Z",
 *     "lastStored": "2026-11-24T11:40:00.000Z", "cadence": 600, "message": "..."}
 *
 * What was told before a restart is read from that feed, so nothing is told twice. In the first
 * moments after a start nothing is called silent: devices are still connecting again. */
#ifndef STATUS_SILENCE_H
#define STATUS_SILENCE_H

#include "feed/hub.h"
#include "ingest/ingest.h"

struct series;
struct silence;

struct silence *silence_new(struct hub *h, struct ingest *in, struct series *s);
/* The same feed hears that an organisation has ended (topic oudp/alerts/organisation:NAME, members
 * organisation, ended, time, ends, things, message). False: no room now. Without
 * that feed nobody is told. */
bool silence_ended(struct silence *s, struct span organisation, int64_t ends_ms,
                   unsigned things) MUSTCHECK;
void silence_tick(struct silence *s); /* once a second */
/* Nothing new is begun; true when all that was under way has ended. */
bool silence_idle(struct silence *s);
void silence_free(struct silence *s); /* accepts NULL */

struct silence_stats {
	uint64_t silent; /* things, now */
	uint64_t told;   /* alerts of all kinds */
	uint64_t commands, command_failures, commands_left_out;
};
struct silence_stats silence_stats(const struct silence *s);

#endif
