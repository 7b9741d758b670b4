/* mqtt.h - an MQTT 5 client that publishes and hears the verdicts. libmosquitto lives behind it.
 *
 * One connection, one thread: everything happens inside mqtt_turn() and mqtt_drain(). A verdict
 * comes once per message with QoS 1 or 2, in the order they were sent (QoS 2 refusals may
 * overtake); QoS 0 is told when it was written out. */
#ifndef CLI_MQTT_H
#define CLI_MQTT_H

#include "base/span.h"
#include "cli/cli.h"

enum { MQTT_WINDOW = 100 }; /* messages without a verdict, at most */

struct mqtt;

struct mqtt_verdict {
	uint64_t tag;       /* of mqtt_send() */
	int code;           /* MQTT 5 reason code; < 0x80: taken */
	const char *reason; /* reason string, "" when none came; valid during the call */
};

struct mqtt_options {
	const char *host;
	uint16_t port;
	const char *client_id; /* NULL: one is made up */
	bool persistent; /* connects again by itself and sends again what had no verdict; says so
	                    once */
	void *arg;
	void (*verdict)(void *arg, const struct mqtt_verdict *v);
};

/* Connects and waits for the server's word. 0 or CLI_TROUBLE (told). A persistent one waits for a
 * server that is not there yet only once it had been connected. */
int mqtt_open(struct cli *c, const struct mqtt_options *o, struct mqtt **ret) MUSTCHECK;
void mqtt_close(struct mqtt *m); /* says DISCONNECT; accepts NULL */

/* 0 or CLI_TROUBLE (told: a topic that cannot be published to, a payload that is too large). */
int mqtt_send(struct mqtt *m, const char *topic, struct span payload, int qos, bool retain,
              uint64_t tag) MUSTCHECK;
unsigned mqtt_waiting(const struct mqtt *m); /* sent, without a verdict */
bool mqtt_connected(const struct mqtt *m);

/* Handles what is to be handled, at most timeout_ms. 0, or CLI_TROUBLE (told) when the connection
 * is gone and not persistent. */
int mqtt_turn(struct mqtt *m, int timeout_ms) MUSTCHECK;
/* Turns until at most so many wait. CLI_TROUBLE (told) also after timeout_s without any verdict. */
int mqtt_drain(struct mqtt *m, unsigned waiting, unsigned timeout_s) MUSTCHECK;

/* "Payload format invalid." for 0x99. Static storage. */
const char *mqtt_code_text(int code);

#endif
