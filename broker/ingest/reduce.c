/* reduce.c - see reduce.h. */
#include "ingest/reduce.h"

#include "base/err.h"
#include "schema/senml.h"

#include <stdio.h>

static int refuse(struct verdict *v, const char *why)
{
	*v = (struct verdict){.rule = "privacy"};
	snprintf(v->text, sizeof(v->text), "%s", why);
	return ERR_INVALID;
}

/* A payload may name the topic's thing with a URN in front. */
static bool names(struct span payload, struct span topic)
{
	if (span_eq(topic, payload))
		return true;
	return payload.n > topic.n && payload.p[payload.n - topic.n - 1] == ':' &&
	       memcmp(payload.p + payload.n - topic.n, topic.p, topic.n) == 0;
}

static int extract_again(struct reduction *r, struct schema_scratch *ss, struct verdict *v)
{
	int err = schema_parse(ss, r->payload, v);
	if (err || !r->extract)
		return err;
	if (r->schema)
		return schema_check(r->schema, ss, r->extract, v);
	return senml_extract(ss, r->topic_thing, r->received_ms, r->extract, v);
}

int reduce_message(struct reduction *r, struct privacy_scratch *ps, struct schema_scratch *ss,
                   struct verdict *v)
{
	struct privacy *p = r->feed->privacy;
	bool named = r->extract && r->extract->thing.n && r->topic_thing.n;
	int err = privacy_apply(p, ps, r->payload, r->time_pointer, r->received_ms, &r->payload, v);
	if (err)
		return err;
	if (extract_again(r, ss, v)) {
		char rule[sizeof(v->rule)], text[300];
		snprintf(rule, sizeof(rule), "%s", v->rule);
		snprintf(text, sizeof(text),
		         "what the privacy steps leave does not fit the schema (%s): mend the "
		         "feed's steps",
		         rule);
		return refuse(v, text);
	}
	const struct extract *e = r->extract;
	const char *fine = e ? privacy_too_fine(p, e) : NULL;
	if (fine)
		return refuse(v, fine);
	r->thing = e ? e->thing : (struct span){0};
	bool still = r->thing.n && names(r->thing, r->topic_thing);
	if (privacy_renames_thing(p) && r->topic_thing.n && still)
		return refuse(v, "the payload still names the thing: add a pseudonymise step for "
		                 "that member");
	if (!privacy_renames_thing(p) && named && !still)
		return refuse(v, "the topic still names the thing: add pseudonymise {thing}");
	return 0;
}

struct span reduce_topic(const struct feed *f, struct privacy_scratch *ps, struct span topic,
                         struct span *thing, int64_t received_ms, char out[REDUCED_TOPIC_BYTES])
{
	if (!thing->n || !privacy_renames_thing(f->privacy))
		return topic;
	assert(thing->p >= topic.p && thing->p + thing->n <= topic.p + topic.n);
	size_t before = (size_t)(thing->p - topic.p), after = topic.n - before - thing->n;
	struct span name = privacy_thing(f->privacy, ps, *thing, received_ms);
	assert(before + name.n + after <= REDUCED_TOPIC_BYTES);
	memcpy(out, topic.p, before);
	memcpy(out + before, name.p, name.n);
	memcpy(out + before + name.n, topic.p + before + thing->n, after);
	*thing = span_of(out + before, name.n);
	return span_of(out, before + name.n + after);
}
