/* read.c - what a message says: schema, thing and time, and whether its feed takes that. */
#include "base/err.h"
#include "ingest/private.h"
#include "ingest/window.h"
#include "mqtt/utf8.h"
#include "schema/senml.h"

#include <stdio.h>

static int fit_schema(struct ingest *in, struct way *w)
{
	const struct fit t = way_fitting(in);
	int err = fit(&t, w->feed, w->m->payload, w->received_ms, &w->schema);
	if (err)
		return err;
	w->extract = &in->extract;
	w->flags |= RECORD_JSON;
	return 0;
}

static int decode_senml(struct ingest *in, struct way *w)
{
	int err = schema_parse(&in->scratch, w->m->payload, &in->verdict);
	err =
	    err ? err
	        : senml_extract(&in->scratch, w->thing, w->received_ms, &in->extract, &in->verdict);
	if (err)
		return err;
	w->extract = &in->extract;
	w->flags |= RECORD_JSON;
	return 0;
}

/* ---- thing and time ---- */

/* The topic's thing wins; a payload that names another one is contradicting itself. A payload may
 * name it with a URN in front: "urn:ngsi-ld:Device:17" agrees with "17". */
static bool same_thing(struct span topic, struct span payload)
{
	if (span_eq(topic, payload))
		return true;
	return payload.n > topic.n && payload.p[payload.n - topic.n - 1] == ':' &&
	       memcmp(payload.p + payload.n - topic.n, topic.p, topic.n) == 0;
}

static bool find_thing(struct ingest *in, struct way *w)
{
	struct span named = w->extract ? w->extract->thing : (struct span){0};
	if (!w->thing.n) {
		w->thing = named;
		if (named.n > LIMIT_TOPIC_BYTES) {
			way_refuse_text(in, w, "thing", "",
			                "the thing's id is longer than 1024 bytes");
			return false;
		}
		if (!named.n && w->schema) {
			way_refuse_text(in, w, "thing", "",
			                "neither the topic nor the payload names a thing");
			return false;
		}
		return true;
	}
	if (named.n && !same_thing(w->thing, named)) {
		char text[256];
		snprintf(text, sizeof(text), "the payload names thing %.*s, the topic %.*s",
		         (int)MIN_OF(named.n, (size_t)80), named.p,
		         (int)MIN_OF(w->thing.n, (size_t)80), w->thing.p);
		way_refuse_text(in, w, "thing", "", text);
		return false;
	}
	return true;
}

bool way_is_registered(struct ingest *in, struct way *w)
{
	if (w->feed->conf->registration != CONFIG_REQUIRED)
		return true;
	struct span organisation = span_str(w->m->who->organisation);
	int64_t now_ms = clock_wall_ms(hub_clock(in->hub));
	const char *why = !w->thing.n  ? "is not named"
	                  : in->things ? things_refuse(in->things, organisation, w->thing, now_ms)
	                               : "is not in the register";
	if (!why)
		return true;
	char text[256];
	snprintf(text, sizeof(text), "thing %.*s of %s %s; this feed takes registered things only",
	         (int)MIN_OF(w->thing.n, (size_t)80), w->thing.p, w->m->who->organisation, why);
	way_refuse_text(in, w, "registration", "", text);
	return false;
}

/* What bad-time says. false: refused. */
static bool bad_time(struct ingest *in, struct way *w, int64_t *time_ms, struct span of)
{
	if (w->feed->conf->bad_time == CONFIG_REFUSE) {
		char text[WINDOW_TEXT_BYTES], pointer[160] = "";
		window_text(w->feed->conf, w->received_ms, *time_ms, of, text);
		if (!of.n)
			privacy_pointer(&in->scratch.tape, w->extract->time_at, pointer,
			                sizeof(pointer));
		way_refuse_text(in, w, "time", pointer, text);
		return false;
	}
	if (w->feed->conf->bad_time == CONFIG_RECEIVED)
		*time_ms = w->received_ms;
	if (!(w->flags & RECORD_TIME_FLAGGED))
		w->feed->count.flagged++;
	w->flags |= RECORD_TIME_FLAGGED;
	return true;
}

/* The message's time, and those of its readings: some were kept before a clock was set. */
static bool in_window(struct ingest *in, struct way *w)
{
	const struct config_feed *c = w->feed->conf;
	if (!window_holds(c, w->received_ms, w->time_ms)) {
		if (!bad_time(in, w, &w->time_ms, SPAN("")))
			return false;
		if (c->bad_time == CONFIG_RECEIVED)
			w->flags |= RECORD_TIME_RECEIVED;
	}
	for (unsigned i = 0; i < in->extract.n_results; i++) {
		struct extract_result *r = &in->extract.results[i];
		if (r->has_time && !window_holds(c, w->received_ms, r->time_ms) &&
		    !bad_time(in, w, &r->time_ms, r->member))
			return false;
	}
	return true;
}

bool way_find_time(struct ingest *in, struct way *w)
{
	const struct ingest_message *m = w->m;
	bool own = w->extract && w->extract->has_time && !m->time_received;
	w->time_ms = own ? w->extract->time_ms : w->received_ms;
	if (!own)
		w->flags |= RECORD_TIME_RECEIVED;
	return !w->extract || m->time_received || in_window(in, w);
}

/* ---- all of it ---- */

bool way_read(struct ingest *in, struct way *w)
{
	const struct ingest_message *m = w->m;
	if (m->utf8 && !mqtt_utf8_valid(m->payload)) { /* [MQTT-3.3.2-4] lets a server check it */
		way_refuse_text(in, w, "utf-8", "",
		                "the payload is not UTF-8 although its format indicator says so");
		return false;
	}
	if (w->feed->conf->decode == CONFIG_SENML) {
		if (decode_senml(in, w)) {
			way_refuse(in, w, &in->verdict);
			return false;
		}
	} else if (w->feed->any_schema && !w->feed->n_schemas) {
		if (m->payload.n && schema_parse(&in->scratch, m->payload, &in->verdict) == 0)
			w->flags |= RECORD_JSON;
	} else if (fit_schema(in, w)) {
		if (!w->feed->any_schema) {
			way_refuse(in, w, &in->verdict);
			return false;
		}
	}
	return find_thing(in, w);
}
