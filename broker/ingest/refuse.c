/* refuse.c - what a message's sender is told, and what the quarantine keeps of a refused one. */
#include "access/audit.h"
#include "base/err.h"
#include "ingest/private.h"

#include <stdio.h>

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

void way_answer(struct ingest *in, const struct way *w, enum verdict_code verdict,
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

void way_refuse(struct ingest *in, const struct way *w, struct verdict *v)
{
	if (w->feed->privacy)
		privacy_plain_verdict(w->feed->privacy, v);
	in->stats.refused++;
	w->feed->count.quarantined++;
	versions_refused(w->feed, v->schema);
	count(in, w, REFUSAL_UNFIT, v->rule, v->text);
	to_quarantine(in, w, v);
	way_answer(in, w, VERDICT_REFUSED, 0, v->text);
}

void way_refuse_text(struct ingest *in, const struct way *w, const char *rule, const char *pointer,
                     const char *text)
{
	struct verdict *v = &in->verdict;
	*v = (struct verdict){0};
	snprintf(v->pointer, sizeof(v->pointer), "%s", pointer);
	const char *id = w->schema ? schema_id(w->schema) : "";
	snprintf(v->schema, sizeof(v->schema), "%s", id);
	snprintf(v->rule, sizeof(v->rule), "%s", rule);
	snprintf(v->text, sizeof(v->text), "%s%s%s%s%s", id, *id ? ": " : "", pointer,
	         *pointer ? ": " : "", text);
	way_refuse(in, w, v);
}

void way_deny(struct ingest *in, const struct way *w, const char *why)
{
	const struct identity *who = w->m->who;
	in->stats.denied++;
	audit_seldom(in->audit, "publish", w->feed ? w->feed->conf->name : "", "refused", NULL,
	             who->name, span_str(who->organisation));
	count(in, w, REFUSAL_DENIED, "grant", why);
	way_answer(in, w, VERDICT_DENIED, 0, why);
}

void way_unrouted(struct ingest *in, const struct way *w)
{
	struct verdict *v = &in->verdict;
	*v = (struct verdict){.rule = "topic"};
	snprintf(v->text, sizeof(v->text), "no feed takes topic %.*s",
	         (int)MIN_OF(w->m->topic.n, (size_t)200), w->m->topic.p);
	in->stats.unrouted++;
	to_quarantine(in, w, v);
	count(in, w, REFUSAL_UNROUTED, v->rule, "no feed takes this topic");
	way_answer(in, w, VERDICT_UNROUTED, 0, v->text);
}

void way_no_room(struct ingest *in, const struct way *w, int err)
{
	count(in, w, REFUSAL_LIMIT, err == ERR_TOO_LARGE ? "size" : "quota",
	      err == ERR_TOO_LARGE ? "larger than the grant allows"
	                           : "the messages granted for today are used up");
	if (err == ERR_TOO_LARGE)
		way_answer(in, w, VERDICT_TOO_LARGE, 0, "larger than the grant allows");
	else
		way_answer(in, w, VERDICT_QUOTA, 0, "the messages granted for today are used up");
}
