/* ingest.c - the order of admission; see ingest.h. Does not know MQTT packets or HTTP. */
#include "ingest/private.h"

#include "base/err.h"
#include "base/mem.h"
#include "ingest/behalf.h"
#include "ingest/preload.h"

#include <stdlib.h>

enum {
	RECORD_OVERHEAD_BYTES = 1024
}; /* head, names and typical results, for the question "is there room" */

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

static const char denied_text[] = "this identity may not publish to this topic";

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
		way_deny(in, w, why);
		return ERR_DENIED;
	}
	if (m->spent)
		return 0;
	int err = access_spend(m->who, w->feed, w->thing, &spot, m->payload.n, w->now_ms);
	if (!err || err == ERR_SLOW)
		return err;
	way_no_room(in, w, err);
	return ERR_DENIED;
}

/* topic_thing: what the topic names, as it came. 0: it is answered; ERR_SLOW: nothing happened. */
static int admit(struct ingest *in, struct way *w, struct span topic_thing)
{
	const struct ingest_message *m = w->m;
	struct span kept = w->thing; /* as it is called where it is kept */
	w->thing = topic_thing;
	bool clears = m->payload.n == 0 && m->retain; /* whatever the schema says */
	if (!clears && !way_read(in, w)) {
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
		way_keep(in, w);
		return 0;
	}
	if (!way_is_registered(in, w) || !way_find_time(in, w))
		return 0;
	if (topic_thing.n)
		w->thing = kept;
	if (way_reduce(in, w, topic_thing))
		way_keep(in, w);
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
		way_deny(in, &w, denied_text);
	} else if (err) {
		way_no_room(in, &w, err);
	} else if (!w.feed) {
		way_unrouted(in, &w);
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
	const struct fit t = way_fitting(in);
	return fit_errors(&t, f, payload, now_ms, ret, max);
}
