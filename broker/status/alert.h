/* alert.h - a message into the feed oudp-alerts, and a run of alert-command with it. */
#ifndef STATUS_ALERT_H
#define STATUS_ALERT_H

#include "feed/hub.h"
#include "ingest/ingest.h"
#include "status/alert_command.h"

#define ALERT_FEED "oudp-alerts"

struct alerts {
	struct hub *hub;
	struct ingest *ingest;
	struct alert_command *command;
	unsigned in_flight; /* messages that wait for their commit */
	uint64_t told;
};

struct alert {
	const char *word; /* "silent", "implausible", ...: for alert-command; NULL: not for it */
	struct span feed, thing;
	const char *time;    /* RFC 3339, what the sentence is about */
	const char *message; /* the sentence */
	struct span body;    /* the JSON object */
};

/* false: there is no room now; try again. A thing whose topic would be too long is left out. */
bool alert_send(struct alerts *a, const struct alert *x);

#endif
