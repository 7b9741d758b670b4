/* sys.c - the values of $SYS: Mosquitto's names where they mean the same, ours below $SYS/oudp. */
#include "status/private.h"

#include <stdio.h>

enum { TOPIC_BYTES = 160, VALUE_BYTES = 64 };

struct say {
	void *arg;
	void (*emit)(void *arg, const char *topic, const char *value);
};

static void number(const struct say *say, const char *topic, uint64_t v)
{
	char value[VALUE_BYTES];
	snprintf(value, sizeof(value), "%llu", (unsigned long long)v);
	say->emit(say->arg, topic, value);
}

static void as_mosquitto(struct status *s, const struct status_outside *o, const struct say *say)
{
	char value[VALUE_BYTES];
	uint64_t up = (clock_mono_ns(hub_clock(s->o.hub)) - s->started_ns) / 1000000000u;
	say->emit(say->arg, "$SYS/broker/version", "oudpd version " OUDP_VERSION);
	snprintf(value, sizeof(value), "%llu seconds", (unsigned long long)up);
	say->emit(say->arg, "$SYS/broker/uptime", value);
	number(say, "$SYS/broker/clients/connected", o->sessions);
	number(say, "$SYS/broker/clients/maximum", o->sessions_most);
	number(say, "$SYS/broker/subscriptions/count", o->subscriptions);
	number(say, "$SYS/broker/shared_subscriptions/count", o->shared_subscriptions);
	number(say, "$SYS/broker/bytes/received", o->mqtt_bytes_in);
	number(say, "$SYS/broker/bytes/sent", o->mqtt_bytes_out);
	number(say, "$SYS/broker/publish/messages/received", o->mqtt_published);
	number(say, "$SYS/broker/publish/messages/sent", o->mqtt_delivered);
	number(say, "$SYS/broker/publish/messages/dropped", o->mqtt_dropped);
	number(say, "$SYS/broker/publish/bytes/received", o->mqtt_published_bytes);
	number(say, "$SYS/broker/publish/bytes/sent", o->mqtt_delivered_bytes);
}

static void feeds(struct status *s, const struct say *say)
{
	char topic[TOPIC_BYTES];
	for (unsigned i = 0; i < hub_feed_count(s->o.hub); i++) {
		const struct feed *f = hub_feed_at(s->o.hub, i);
		if (f->ended)
			continue;
		const struct {
			const char *name;
			uint64_t value;
		} one[] = {{"last", f->last},
		           {"stored", f->count.stored},
		           {"duplicates", f->count.duplicates},
		           {"refused", f->count.quarantined}};
		for (unsigned k = 0; k < sizeof(one) / sizeof(one[0]); k++) {
			snprintf(topic, sizeof(topic), "$SYS/oudp/feeds/%.*s/%s", (int)f->name.n,
			         f->name.p, one[k].name);
			number(say, topic, one[k].value);
		}
	}
}

void status_each_sys(struct status *s, void *arg,
                     void (*emit)(void *arg, const char *topic, const char *value))
{
	struct say say = {arg, emit};
	struct status_outside o = {0};
	const struct ingest_stats *in = ingest_stats(s->o.ingest);
	const char *why = "";
	s->o.outside(s->o.arg, &o);
	as_mosquitto(s, &o, &say);
	emit(arg, "$SYS/oudp/ready", status_ready(s, &why) && !o.draining ? "true" : "false");
	number(&say, "$SYS/oudp/commit", hub_last_commit(s->o.hub));
	number(&say, "$SYS/oudp/messages/stored", status_stored(s));
	number(&say, "$SYS/oudp/messages/duplicates", in->duplicates);
	number(&say, "$SYS/oudp/messages/refused", in->refused);
	number(&say, "$SYS/oudp/messages/unrouted", in->unrouted);
	number(&say, "$SYS/oudp/messages/denied", in->denied);
	number(&say, "$SYS/oudp/store/used-bytes", s->usage.used_bytes);
	number(&say, "$SYS/oudp/store/disk-free-bytes", s->usage.disk_free_bytes);
	feeds(s, &say);
}
