/* ingest.c - the order of admission; see ingest.h. Does not know MQTT packets or HTTP. */
#include "ingest/ingest.h"

#include "access/audit.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "feed/record_build.h"
#include "ingest/behalf.h"
#include "ingest/duplicates.h"
#include "ingest/fit.h"
#include "ingest/preload.h"
#include "ingest/reduce.h"
#include "ingest/refusals.h"
#include "ingest/window.h"
#include "mqtt/utf8.h"
#include "schema/senml.h"
#include "json/write.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	RECORD_OVERHEAD_BYTES = 1024
}; /* head, names and typical results, for the question "is there room" */

struct ingest {
	struct hub *hub;
	struct audit *audit;         /* NULL: nothing is told */
	const struct access *access; /* NULL: nobody has a name */
	uint8_t marked[LIMIT_USER_PROPERTIES_BYTES];
	struct schema_scratch scratch;
	struct privacy_scratch reduced;
	char reduced_topic[REDUCED_TOPIC_BYTES];
	struct extract extract;
	struct verdict verdict;
	struct duplicates *duplicates;
	const struct things *things; /* NULL: nothing is registered */
	struct refusals *refusals;
	struct ingest_stats stats;
};

int ingest_new(struct hub *h, struct ingest **ret)
{
	struct ingest *in = xcalloc(1, sizeof(*in));
	in->hub = h;
	schema_scratch_init(&in->scratch, 2 * LIMIT_PACKET_BYTES_MAX + LIMIT_PRIVACY_GROWTH_BYTES);
	privacy_scratch_init(&in->reduced, LIMIT_PACKET_BYTES_MAX);
	in->refusals = refusals_new();
	in->duplicates = duplicates_new(LIMIT_DUPLICATES);
	int err = ingest_preload(h, in->duplicates, LIMIT_DUPLICATES);
	if (err) {
		ingest_free(in);
		return err;
	}
	*ret = in;
	return 0;
}

void ingest_free(struct ingest *in)
{
	if (!in)
		return;
	schema_scratch_done(&in->scratch);
	privacy_scratch_done(&in->reduced);
	duplicates_free(in->duplicates);
	refusals_free(in->refusals);
	free(in);
}

void ingest_set_things(struct ingest *in, const struct things *t)
{
	in->things = t;
}

void ingest_set_access(struct ingest *in, const struct access *a)
{
	in->access = a;
}

void ingest_set_audit(struct ingest *in, struct audit *a)
{
	in->audit = a;
}

struct refusals *ingest_refusals(struct ingest *in)
{
	return in->refusals;
}

void ingest_erased(struct ingest *in, const struct erasure *e)
{
	refusals_erased(in->refusals, e);
}

const struct ingest_stats *ingest_stats(const struct ingest *in)
{
	return &in->stats;
}

/* What is known of the message on its way. */
struct way {
	const struct ingest_message *m;
	struct feed *feed;
	struct span thing;
	struct span topic, payload, properties; /* as they are kept: less than came, where the
	                                           feed has privacy steps */
	int64_t now_ms, received_ms, time_ms;
	const struct schema *schema; /* that it fits; NULL: none asked */
	const struct extract *extract;
	uint8_t flags;
};

/* Schema, pointer and rule of in->verdict, each terminated. */
static const char *parts_text(struct ingest *in)
{
	const struct verdict *v = &in->verdict;
	char all[sizeof(v->schema) + sizeof(v->pointer) + sizeof(v->rule)];
	const char *const part[] = {v->schema, v->pointer, v->rule};
	size_t n = 0;
	for (unsigned i = 0; i < ARRAY_LEN(part); i++) {
		size_t len = strlen(part[i]) + 1;
		memcpy(all + n, part[i], len);
		n += len;
	}
	return hub_text(in->hub, span_of(all, n));
}

/* The topic and the origin, each terminated. */
static const char *topic_text(struct ingest *in, const struct ingest_message *m)
{
	char all[LIMIT_TOPIC_BYTES + 1 + LIMIT_ORIGIN_BYTES];
	size_t topic = MIN_OF(m->topic.n, (size_t)LIMIT_TOPIC_BYTES), origin = m->origin.n;
	if (origin > LIMIT_ORIGIN_BYTES)
		origin = 0;
	memcpy(all, m->topic.p, topic);
	all[topic] = '\0';
	if (origin)
		memcpy(all + topic + 1, m->origin.p, origin);
	return hub_text(in->hub, span_of(all, topic + 1 + origin));
}

static void answer(struct ingest *in, const struct way *w, enum verdict_code verdict,
                   uint64_t sequence, const char *reason)
{
	if (w->m->ret_verdict)
		*w->m->ret_verdict = (uint8_t)verdict;
	if (w->m->no_answer || !w->m->answer.done)
		return;
	struct answer a = w->m->answer;
	a.verdict = (uint8_t)verdict;
	a.sequence = sequence;
	a.feed = w->feed ? w->feed->index : UINT32_MAX;
	a.reason = reason ? hub_text(in->hub, span_str(reason)) : NULL;
	if (verdict == VERDICT_REFUSED)
		a.parts = parts_text(in);
	if (w->m->tell_topic && verdict != VERDICT_STORED && verdict != VERDICT_CLEARED)
		a.topic = topic_text(in, w->m);
	hub_answer(in->hub, &a);
}

/* ---- refusals ---- */

static void count(struct ingest *in, const struct way *w, enum refusal_kind kind, const char *rule,
                  const char *reason)
{
	refusals_count(in->refusals, w->m->who, w->feed, w->thing, kind, rule, reason, w->now_ms);
}

static void to_quarantine(struct ingest *in, const struct way *w, const struct verdict *v)
{
	const struct ingest_message *m = w->m;
	if (m->quarantine_id)
		return; /* a retry: the row is there already */
	struct quarantine_row row = {.received_ms = w->received_ms,
	                             .protocol = m->protocol,
	                             .qos = m->qos,
	                             .retain = m->retain,
	                             .utf8 = m->utf8,
	                             .expiry_s = m->expiry_s,
	                             .topic = w->topic,
	                             .publisher = m->publisher,
	                             .properties = w->properties,
	                             .reason = span_str(v->text),
	                             .schema = span_str(v->schema),
	                             .pointer = span_str(v->pointer),
	                             .rule = span_str(v->rule),
	                             .payload = m->payload};
	char mem[QUARANTINE_REDUCED_BYTES];
	if (w->feed && w->feed->privacy) {
		row.reduced = true;
		row.payload = quarantine_reduce(m->payload, mem);
	}
	quarantine_add(in->hub, w->feed, &row);
}

static void refuse(struct ingest *in, const struct way *w, struct verdict *v)
{
	if (w->feed->privacy)
		privacy_plain_verdict(w->feed->privacy, v);
	in->stats.refused++;
	w->feed->count.quarantined++;
	versions_refused(w->feed, v->schema);
	count(in, w, REFUSAL_UNFIT, v->rule, v->text);
	to_quarantine(in, w, v);
	answer(in, w, VERDICT_REFUSED, 0, v->text);
}

/* pointer: RFC 6901, "" for the whole. */
static void refuse_text(struct ingest *in, const struct way *w, const char *rule,
                        const char *pointer, const char *text)
{
	struct verdict *v = &in->verdict;
	*v = (struct verdict){0};
	snprintf(v->pointer, sizeof(v->pointer), "%s", pointer);
	const char *id = w->schema ? schema_id(w->schema) : "";
	snprintf(v->schema, sizeof(v->schema), "%s", id);
	snprintf(v->rule, sizeof(v->rule), "%s", rule);
	snprintf(v->text, sizeof(v->text), "%s%s%s%s%s", id, *id ? ": " : "", pointer,
	         *pointer ? ": " : "", text);
	refuse(in, w, v);
}

static const char denied_text[] = "this identity may not publish to this topic";

static void deny(struct ingest *in, const struct way *w, const char *why)
{
	const struct identity *who = w->m->who;
	in->stats.denied++;
	audit_seldom(in->audit, "publish", w->feed ? w->feed->conf->name : "", "refused", NULL,
	             who->name, span_str(who->organisation));
	count(in, w, REFUSAL_DENIED, "grant", why);
	answer(in, w, VERDICT_DENIED, 0, why);
}

static void unrouted(struct ingest *in, const struct way *w)
{
	struct verdict *v = &in->verdict;
	*v = (struct verdict){.rule = "topic"};
	snprintf(v->text, sizeof(v->text), "no feed takes topic %.*s",
	         (int)MIN_OF(w->m->topic.n, (size_t)200), w->m->topic.p);
	in->stats.unrouted++;
	to_quarantine(in, w, v);
	count(in, w, REFUSAL_UNROUTED, v->rule, "no feed takes this topic");
	answer(in, w, VERDICT_UNROUTED, 0, v->text);
}

/* ---- the schema ---- */

static struct fit fitting(struct ingest *in)
{
	return (struct fit){&in->scratch, &in->extract, &in->verdict};
}

static int fit_schema(struct ingest *in, struct way *w)
{
	const struct fit t = fitting(in);
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
			refuse_text(in, w, "thing", "", "the thing's id is longer than 1024 bytes");
			return false;
		}
		if (!named.n && w->schema) {
			refuse_text(in, w, "thing", "",
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
		refuse_text(in, w, "thing", "", text);
		return false;
	}
	return true;
}

/* registration = required: only of things with an entry that is valid now. */
static bool is_registered(struct ingest *in, struct way *w)
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
	refuse_text(in, w, "registration", "", text);
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
		refuse_text(in, w, "time", pointer, text);
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

static bool find_time(struct ingest *in, struct way *w)
{
	const struct ingest_message *m = w->m;
	bool own = w->extract && w->extract->has_time && !m->time_received;
	w->time_ms = own ? w->extract->time_ms : w->received_ms;
	if (!own)
		w->flags |= RECORD_TIME_RECEIVED;
	return !w->extract || m->time_received || in_window(in, w);
}

/* ---- keeping ---- */

/* The index of retained messages: topic -> where its last one stands in the log. */
static void keep_retained(struct ingest *in, const struct way *w, uint64_t sequence)
{
	uint8_t key[RETAINED_KEY_BYTES], value[12];
	struct span k = retained_key(w->topic, key);
	if (w->m->payload.n == 0) {
		hub_del(in->hub, STORE_RETAINED, k);
		return;
	}
	memcpy(value, &w->feed->id, 4);
	memcpy(value + 4, &sequence, 8);
	hub_put(in->hub, STORE_RETAINED, k, span_of((const char *)value, sizeof(value)));
}

/* The record is in the log already: says which, and keeps nothing. */
static void refer(struct ingest *in, const struct way *w, uint64_t former)
{
	char text[48];
	snprintf(text, sizeof(text), "duplicate of %llu", (unsigned long long)former);
	in->stats.duplicates++;
	w->feed->count.duplicates++;
	if (w->m->quarantine_id)
		quarantine_remove(in->hub, w->m->quarantine_feed, w->m->quarantine_id);
	answer(in, w, VERDICT_DUPLICATE, former, text);
}

/* The single copy. */
static uint8_t *build(struct ingest *in, const struct way *w, size_t *ret_n)
{
	const struct ingest_message *m = w->m;
	struct record_parts p = {.topic = w->topic,
	                         .thing = w->thing,
	                         .publisher = m->publisher,
	                         .organisation = span_str(m->who->organisation),
	                         .properties = w->properties,
	                         .payload = w->payload,
	                         .extract = w->extract,
	                         .phenomenon_ms = w->time_ms,
	                         .expiry_s = window_deadline(w->received_ms, w->m->expiry_s)};
	p.flags = (uint8_t)(w->flags | m->qos << RECORD_QOS_SHIFT |
	                    (m->retain ? RECORD_RETAIN : 0) | (m->utf8 ? RECORD_UTF8 : 0));
	if (w->schema) {
		p.schema = span_str(schema_name(w->schema));
		p.schema_version = (uint16_t)schema_version(w->schema);
	}
	*ret_n = record_size(&p);
	assert(*ret_n); /* the parts were bounded before */
	uint8_t *bytes = hub_alloc(in->hub, *ret_n);
	record_build(&p, bytes);
	return bytes;
}

static void keep(struct ingest *in, struct way *w)
{
	const struct ingest_message *m = w->m;
	if (m->trial) {
		*m->ret_verdict = VERDICT_STORED;
		return;
	}
	struct feed *f = w->feed;
	struct duplicates *d = w->flags & RECORD_TIME_RECEIVED ? NULL : in->duplicates;
	struct duplicate_key k = {0};
	if (d) {
		k = duplicates_key(d, f->id, w->thing, w->time_ms, w->payload);
		duplicates_expect(d, k);
	}
	size_t n;
	uint8_t *bytes = build(in, w, &n); /* most are new: the copy hides the wait for the index */
	uint64_t former =
	    d && f->conf->duplicates != CONFIG_KEEP ? duplicates_find(d, k, f->id) : 0;
	if (former) {
		hub_alloc_undo(in->hub, bytes, n);
		refer(in, w, former);
		return;
	}
	uint64_t seq = hub_record(in->hub, f, bytes, n);
	if (d)
		duplicates_add(d, k, f->id, seq);
	if (m->retain)
		keep_retained(in, w, seq);
	if (m->quarantine_id)
		quarantine_remove(in->hub, m->quarantine_feed, m->quarantine_id);
	answer(in, w, m->payload.n || !m->retain ? VERDICT_STORED : VERDICT_CLEARED, seq, NULL);
}

/* ---- less than came ---- */

/* Everything was checked of what came; this is what is kept of it. */
static bool reduce(struct ingest *in, struct way *w, struct span topic_thing)
{
	char pointer[160] = "";
	if (!w->feed->privacy)
		return true;
	if (w->extract && w->extract->has_time)
		privacy_pointer(&in->scratch.tape, w->extract->time_at, pointer, sizeof(pointer));
	struct reduction r = {.feed = w->feed,
	                      .schema = w->schema,
	                      .topic_thing = topic_thing,
	                      .time_pointer = span_str(pointer),
	                      .received_ms = w->received_ms,
	                      .payload = w->payload,
	                      .extract = w->extract ? &in->extract : NULL};
	if (reduce_message(&r, &in->reduced, &in->scratch, &in->verdict)) {
		refuse(in, w, &in->verdict);
		return false;
	}
	w->payload = r.payload;
	w->flags |= RECORD_JSON;
	if (!topic_thing.n)
		w->thing = r.thing;
	if (w->flags & RECORD_TIME_RECEIVED)
		w->time_ms = privacy_time(w->feed->privacy, w->time_ms);
	else if (in->extract.has_time)
		w->time_ms = in->extract.time_ms;
	return true;
}

/* ---- the way ---- */

/* Refused before a grant could be found that allows it. */
static void charge_refusal(const struct way *w, struct span topic_thing)
{
	const struct ingest_message *m = w->m;
	if (m->spent)
		return;
	int err = access_spend(m->who, w->feed, topic_thing, NULL, m->payload.n, w->now_ms);
	assert(!err || err == ERR_DENIED); /* there was room a moment ago */
}

/* No grant that fits has room; err is not ERR_SLOW. */
static void no_room(struct ingest *in, const struct way *w, int err)
{
	count(in, w, REFUSAL_LIMIT, err == ERR_TOO_LARGE ? "size" : "quota",
	      err == ERR_TOO_LARGE ? "larger than the grant allows"
	                           : "the messages granted for today are used up");
	if (err == ERR_TOO_LARGE)
		answer(in, w, VERDICT_TOO_LARGE, 0, "larger than the grant allows");
	else
		answer(in, w, VERDICT_QUOTA, 0, "the messages granted for today are used up");
}

/* Which thing it is about, and where, is known only now. 0: go on, and it is charged; ERR_SLOW:
 * nothing happened; ERR_DENIED: it is answered. */
static int is_granted(struct ingest *in, const struct way *w, struct span topic_thing)
{
	const struct ingest_message *m = w->m;
	const struct extract *e = w->extract;
	struct access_spot spot = {.organisation = span_str(m->who->organisation)};
	if (e && e->has_location) {
		spot.known = true;
		spot.place = e->place;
	}
	const char *why = NULL;
	if (access_covers(m->who, ACCESS_PUBLISH, w->feed, w->thing, &spot))
		why = denied_text;
	else if (m->behalf.n &&
	         !behalf_may(in->access, in->hub, m->behalf, m->origin, w->feed, w->thing, &spot))
		why = "who sent what this was mapped from may not publish about this thing";
	if (why) {
		charge_refusal(w, topic_thing);
		deny(in, w, why);
		return ERR_DENIED;
	}
	if (m->spent)
		return 0;
	int err = access_spend(m->who, w->feed, w->thing, &spot, m->payload.n, w->now_ms);
	if (!err || err == ERR_SLOW)
		return err;
	no_room(in, w, err);
	return ERR_DENIED;
}

/* Does it fit, and which thing is it about? false: it was refused. */
static bool read_message(struct ingest *in, struct way *w)
{
	const struct ingest_message *m = w->m;
	if (m->utf8 && !mqtt_utf8_valid(m->payload)) { /* [MQTT-3.3.2-4] lets a server check it */
		refuse_text(in, w, "utf-8", "",
		            "the payload is not UTF-8 although its format indicator says so");
		return false;
	}
	if (w->feed->conf->decode == CONFIG_SENML) {
		if (decode_senml(in, w)) {
			refuse(in, w, &in->verdict);
			return false;
		}
	} else if (w->feed->any_schema && !w->feed->n_schemas) {
		if (m->payload.n && schema_parse(&in->scratch, m->payload, &in->verdict) == 0)
			w->flags |= RECORD_JSON;
	} else if (fit_schema(in, w)) {
		if (!w->feed->any_schema) {
			refuse(in, w, &in->verdict);
			return false;
		}
	}
	return find_thing(in, w);
}

/* topic_thing: what the topic names, as it came. 0: it is answered; ERR_SLOW: nothing happened. */
static int admit(struct ingest *in, struct way *w, struct span topic_thing)
{
	const struct ingest_message *m = w->m;
	struct span kept = w->thing; /* as it is called where it is kept */
	w->thing = topic_thing;
	bool clears = m->payload.n == 0 && m->retain; /* whatever the schema says */
	if (!clears && !read_message(in, w)) {
		charge_refusal(w, topic_thing);
		return 0;
	}
	int err = is_granted(in, w, topic_thing);
	if (err)
		return err == ERR_SLOW ? err : 0;
	if (clears) {
		w->thing = kept;
		w->time_ms = w->received_ms;
		w->flags |= RECORD_TIME_RECEIVED;
		keep(in, w);
		return 0;
	}
	if (!is_registered(in, w) || !find_time(in, w))
		return 0;
	if (topic_thing.n)
		w->thing = kept;
	if (reduce(in, w, topic_thing))
		keep(in, w);
	return 0;
}

int ingest_publish(struct ingest *in, const struct ingest_message *m)
{
	struct way w = {
	    .m = m, .topic = m->topic, .payload = m->payload, .properties = m->properties};
	struct span thing;
	int err = 0;
	w.feed = hub_route(in->hub, m->topic, &thing);
	w.thing = thing;
	enum config_priority priority =
	    w.feed ? (enum config_priority)w.feed->conf->priority : CONFIG_BULK;
	bool reduced = w.feed && w.feed->privacy;
	size_t grows = reduced ? m->payload.n + LIMIT_PRIVACY_GROWTH_BYTES : 0;
	if (!hub_has_room(in->hub, priority,
	                  m->payload.n + m->properties.n + m->topic.n + RECORD_OVERHEAD_BYTES +
	                      grows))
		return ERR_AGAIN;
	w.now_ms = clock_wall_ms(hub_clock(in->hub));
	w.received_ms = m->received_ms ? m->received_ms : w.now_ms;
	bool denied = access_check(m->who, ACCESS_PUBLISH, w.feed,
	                           w.thing.n ? w.thing : (struct span){0}) != 0;
	if (!denied && w.feed && !m->spent)
		err = access_room(m->who, w.feed, w.thing, m->payload.n, w.now_ms);
	if (err == ERR_SLOW)
		return err;
	if (denied || err == ERR_DENIED) {
		deny(in, &w, denied_text);
	} else if (err) {
		no_room(in, &w, err);
	} else if (!w.feed) {
		unrouted(in, &w);
	} else {
		if (reduced) {
			w.properties = (struct span){0}; /* may say anything again */
			w.topic = reduce_topic(w.feed, &in->reduced, m->topic, &w.thing,
			                       w.received_ms, in->reduced_topic);
		} else if (w.feed->any_schema && !m->quarantine_id) {
			w.properties = behalf_mark(m->who, m->properties, in->marked);
		}
		if (admit(in, &w, thing) == ERR_SLOW)
			return ERR_SLOW;
	}
	if (m->spent) /* its trial was counted */
		return 0;
	in->stats.received++;
	in->stats.bytes += m->payload.n;
	return 0;
}

void ingest_abandoned(struct ingest *in, struct feed *f, const struct record *r)
{
	if (r->flags & RECORD_TIME_RECEIVED)
		return;
	struct duplicate_key k =
	    duplicates_key(in->duplicates, f->id, r->thing, r->phenomenon_ms, r->payload);
	duplicates_remove(in->duplicates, k, f->id, r->sequence);
}

unsigned ingest_explain(struct ingest *in, const struct feed *f, struct span payload,
                        struct verdict *ret, unsigned max)
{
	int64_t now_ms = clock_wall_ms(hub_clock(in->hub));
	if (!max || !f->n_schemas || f->privacy) /* their verdicts name no value */
		return 0;
	const struct fit t = fitting(in);
	return fit_errors(&t, f, payload, now_ms, ret, max);
}
