/* keep.c - a message becomes a record: whole, or what privacy steps leave of it. */
#include "feed/record_build.h"
#include "ingest/preload.h"
#include "ingest/private.h"
#include "ingest/window.h"

#include <stdio.h>

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
	way_answer(in, w, VERDICT_DUPLICATE, former, text);
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

void way_keep(struct ingest *in, struct way *w)
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
	way_answer(in, w, m->payload.n || !m->retain ? VERDICT_STORED : VERDICT_CLEARED, seq, NULL);
}

/* ---- less than came ---- */

bool way_reduce(struct ingest *in, struct way *w, struct span topic_thing)
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
		way_refuse(in, w, &in->verdict);
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
