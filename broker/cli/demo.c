/* demo.c - `oudp demo`: the simulated city publishes through real MQTT, as a city's sensors do. */
#include "cli/city.h"
#include "cli/mqtt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TURN_MS = 50, TELL_EVERY_S = 30, TOPIC_BYTES = 128, PAYLOAD_BYTES = 4096 };

struct demo {
	struct cli *cli;
	const char *host;
	uint64_t port, things;
	bool verbose;
	struct city city;
	struct mqtt *mqtt;
	uint64_t refused;
	int64_t told_ms; /* when a refusal was last told */
};

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Every message should fit: when one does not, that is worth a line, but not a thousand. */
static void verdict(void *arg, const struct mqtt_verdict *v)
{
	struct demo *d = arg;
	if (v->code < 0x80)
		return;
	d->refused++;
	int64_t now = now_ms();
	if (now - d->told_ms < TELL_EVERY_S * 1000 && !d->verbose)
		return;
	d->told_ms = now;
	cli_trouble(d->cli, "%s was refused: 0x%02x %s (%" PRIu64 " refused so far)",
	            d->city.things[v->tag].name, (unsigned)v->code,
	            v->reason[0] ? v->reason : mqtt_code_text(v->code), d->refused);
}

static int report(struct demo *d, struct city_thing *t, int64_t now, struct buf *payload)
{
	char topic[TOPIC_BYTES];
	snprintf(topic, sizeof(topic), "%s%s", city_prefix(t->kind), t->name);
	buf_clear(payload);
	city_measure(t, now, payload);
	assert(!payload->err);
	if (d->verbose)
		printf("%s %s\n", topic, buf_str(payload));
	return mqtt_send(d->mqtt, topic, span_of(payload->p, payload->len), 1, false,
	                 (uint64_t)(t - d->city.things));
}

static int run(struct demo *d)
{
	struct buf payload;
	buf_init(&payload, PAYLOAD_BYTES);
	int err = 0;
	while (!err && !cli_stop()) {
		int64_t now = now_ms();
		/* Away from the broker, or without verdicts (its disk is full), things skip a beat:
		 * a demo queues nothing. */
		for (uint32_t i = 0; !err && i < d->city.n; i++) {
			struct city_thing *t = &d->city.things[i];
			if (t->next_ms > now)
				continue;
			city_next(t, now);
			if (mqtt_connected(d->mqtt) && mqtt_waiting(d->mqtt) < MQTT_WINDOW)
				err = report(d, t, now, &payload);
		}
		if (!err)
			err = mqtt_turn(d->mqtt, TURN_MS);
	}
	buf_done(&payload);
	return err;
}

int cmd_demo(struct cli *c, int argc, char **argv)
{
	static const struct option options[] = {{"things", required_argument, NULL, CLI_OWN}, {0}};
	struct demo d = {.cli = c, .host = "127.0.0.1", .port = 1883, .things = 300};
	for (int o; (o = cli_option(c, argc, argv, "h:p:v", options)) != CLI_END;) {
		int err = 0;
		switch (o) {
		case CLI_OWN:
			err = cli_number(c, "--things", optarg, 1, CITY_THINGS_MAX, &d.things);
			break;
		case 'h': d.host = optarg; break;
		case 'p': err = cli_number(c, "-p", optarg, 1, 65535, &d.port); break;
		case 'v': d.verbose = true; break;
		default: return CLI_TROUBLE;
		}
		if (err)
			return err;
	}
	if (optind < argc)
		return cli_usage(c, "there is nothing to name here");
	cli_stop_init();
	const struct mqtt_options o = {.host = d.host,
	                               .port = (uint16_t)d.port,
	                               .persistent = true,
	                               .arg = &d,
	                               .verdict = verdict};
	int err = mqtt_open(c, &o, &d.mqtt);
	if (err)
		return err;
	city_init(&d.city, (uint32_t)d.things, 20, now_ms());
	err = run(&d);
	for (int i = 0; !err && i < 20 && mqtt_connected(d.mqtt) && mqtt_waiting(d.mqtt); i++)
		err = mqtt_turn(d.mqtt, TURN_MS); /* what is under way */
	mqtt_close(d.mqtt);
	city_done(&d.city);
	return err;
}
