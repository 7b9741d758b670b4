/* bench_mqtt.c - what a message costs in the codec: frame and decode of a PUBLISH, its PUBACK, and
 * the PUBLISH to a subscriber. One core; the best of several rounds, because the machine is shared.
 */
#include "base/clock.h"
#include "mqtt/encode.h"
#include "mqtt/packet.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 7, PACKETS = 2000, PASSES = 200 };

static uint8_t stream[1 << 20], out[1 << 20];

static uint64_t now(void)
{
	struct clock c = clock_system();

	return clock_mono_ns(&c);
}

static void build(enum mqtt_version version, bool props, struct wire *w)
{
	static char payload[200];
	uint8_t user[64];
	struct wire u = wire_of(user, sizeof(user));
	struct mqtt_publish_out m = {.topic = SPAN("city/air/north/sensor-1234"),
	                             .payload = {payload, sizeof(payload)},
	                             .qos = 1};

	*w = wire_of(stream, sizeof(stream));
	wire_user_property(&u, SPAN("traceparent"), SPAN("00-0af7651916cd43dd8448eb211c80319c"));
	if (props) {
		m.stored = SPAN("\x01\x01");
		m.user = span_of((char *)user, u.len);
		m.has_expiry = true;
		m.expiry_s = 3600;
	}
	for (unsigned i = 0; i < PACKETS; i++) {
		m.packet_id = (uint16_t)(i + 1);
		mqtt_encode_publish(w, version, &m);
	}
	assert(w->err == 0);
}

static void bench_in(enum mqtt_version version, bool props)
{
	struct wire w, answers;
	double best = 1e9;
	enum mqtt_reason reason;

	build(version, props, &w);
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t from = now();

		for (unsigned pass = 0; pass < PASSES; pass++) {
			struct mqtt_publish_view v;
			struct frame f;

			answers = wire_of(out, sizeof(out));
			for (size_t at = 0; at < w.len; at += f.total) {
				if (frame_next(w.p + at, w.len - at, 1 << 20, &f) ||
				    mqtt_decode_publish(version, &f, &v, &reason))
					abort();
				mqtt_encode_ack_ok(&answers, MQTT_PUBACK, v.packet_id);
			}
		}
		best = MIN_OF(best, (double)(now() - from) / (PASSES * PACKETS));
	}
	printf("MQTT %d%s: frame + PUBLISH + PUBACK %.1f ns\n", version,
	       props ? ", three properties" : "", best);
}

static void bench_out(enum mqtt_version version)
{
	struct wire w;
	double best = 1e9;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t from = now();

		for (unsigned pass = 0; pass < PASSES; pass++)
			build(version, version == MQTT_V5, &w);
		best = MIN_OF(best, (double)(now() - from) / (PASSES * PACKETS));
	}
	printf("MQTT %d: PUBLISH out %.1f ns (%zu bytes)\n", version, best, w.len / PACKETS);
}

int main(void)
{
	bench_in(MQTT_V311, false);
	bench_in(MQTT_V5, false);
	bench_in(MQTT_V5, true);
	bench_out(MQTT_V311);
	bench_out(MQTT_V5);
	return 0;
}
