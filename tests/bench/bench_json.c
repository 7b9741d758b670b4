/* bench_json.c - how fast the reader is on messages as sensors send them, jansson beside it.
 *
 * Parse only, one core, the tape reused; the best of several rounds, because the machine is shared.
 */
#include "../unit/json/peer.h"

#include "base/buf.h"
#include "base/clock.h"
#include "json/json.h"
#include "json/write.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 15, ROUND_NS = 8000000, TOKENS_MAX = 1 << 16 };

static void add_time(struct buf *b, unsigned minute)
{
	json_write_name(b, "dateObserved");
	buf_addf(b, "\"2026-11-24T%02u:%02u:00Z\"", minute / 60 % 24, minute % 60);
}

static void add_reading(struct buf *b, unsigned i)
{
	buf_add_str(b, "{");
	add_time(b, 10 * i);
	json_write_name(b, "pm25");
	json_write_double(b, 7.4 + i * 0.3);
	json_write_name(b, "pm10");
	json_write_double(b, 14.0 + i * 0.7);
	json_write_name(b, "no2");
	json_write_double(b, 21 + i % 9);
	json_write_name(b, "temperature");
	json_write_double(b, -1.25 + i * 0.11);
	json_write_name(b, "relativeHumidity");
	json_write_double(b, 0.81);
	buf_add_str(b, "}");
}

/* One flat measurement: 117 bytes. */
static void build_small(struct buf *b)
{
	buf_add_str(b, "{\"id\":\"NL10938\",\"dateObserved\":\"2026-11-24T12:30:00Z\","
	               "\"pm25\":12.4,\"pm10\":18.9,\"no2\":31.7,\"o3\":22,\"temperature\":9.25}");
}

/* A device that buffers: an envelope with so many readings. */
static void build_buffered(struct buf *b, unsigned readings)
{
	buf_add_str(b, "{");
	json_write_name(b, "id");
	json_write_string(b, SPAN("urn:ngsi-ld:AirQualityObserved:NL10938"));
	json_write_name(b, "type");
	json_write_string(b, SPAN("AirQualityObserved"));
	json_write_name(b, "address");
	buf_add_str(b,
	            "{\"streetAddress\":\"Stadhouderskade 75\",\"addressLocality\":\"Amsterdam\"}");
	json_write_name(b, "location");
	buf_add_str(b, "{\"type\":\"Point\",\"coordinates\":[4.899431,52.358039]}");
	json_write_name(b, "readings");
	buf_add_str(b, "[");
	for (unsigned i = 0; i < readings; i++) {
		if (i)
			buf_add_char(b, ',');
		add_reading(b, i);
	}
	buf_add_str(b, "]}");
}

/* Register-like: much text, some of it not ASCII, and indented. */
static void build_text(struct buf *b)
{
	buf_add_str(b, "{\n  \"features\": [");
	for (unsigned i = 0; i < 9; i++)
		buf_addf(b,
		         "%s\n    {\n      \"name\": \"Parkeergarage Caf\xc3\xa9 \xc3\xa9\xc3\xa9n "
		         "%u\",\n"
		         "      \"description\": \"Open dag en nacht; ingang aan de achterzijde, "
		         "niet bereikbaar vanaf de brug\",\n      \"spaces\": %u,\n      \"open\": "
		         "true\n"
		         "    }",
		         i ? "," : "", i, 100 * i);
	buf_add_str(b, "\n  ]\n}\n");
}

static double ours_us(struct json_tape *t, struct span text)
{
	struct clock c = clock_system();
	double best = 1e9;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t from = clock_mono_ns(&c), now;
		unsigned long n = 0;
		do {
			for (int i = 0; i < 64; i++) {
				size_t at;
				const char *why;
				if (json_parse(t, text, &at, &why)) {
					fprintf(stderr, "byte %zu: %s\n", at, why);
					exit(1);
				}
			}
			n += 64;
			now = clock_mono_ns(&c);
		} while (now - from < ROUND_NS);
		double us = (double)(now - from) / 1e3 / (double)n;
		best = us < best ? us : best;
	}
	return best;
}

static double jansson_us(struct span text)
{
	struct clock c = clock_system();
	double best = 1e9;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t from = clock_mono_ns(&c), now;
		unsigned long n = 0;
		do {
			json_t *j = json_loadb(text.p, text.n, 0, NULL);
			if (!j)
				exit(1);
			json_decref(j);
			n++;
			now = clock_mono_ns(&c);
		} while (now - from < ROUND_NS);
		double us = (double)(now - from) / 1e3 / (double)n;
		best = us < best ? us : best;
	}
	return best;
}

static void report(struct json_tape *t, struct buf *b, const char *what)
{
	struct span text = {b->p, b->len};
	double us = ours_us(t, text), peer = jansson_us(text);
	printf("json parse %zuB %s: %.3f us, %.0f MB/s (jansson %.1f us)\n", text.n, what, us,
	       (double)text.n / us, peer);
	buf_clear(b);
}

int main(void)
{
	struct json_tape t;
	struct buf b;
	json_tape_init(&t, TOKENS_MAX);
	buf_init(&b, 1 << 20);
	build_small(&b);
	report(&t, &b, "flat");
	build_buffered(&b, 15);
	report(&t, &b, "buffered");
	build_buffered(&b, 32);
	report(&t, &b, "buffered");
	build_text(&b);
	report(&t, &b, "text");
	buf_done(&b);
	json_tape_done(&t);
	return 0;
}
