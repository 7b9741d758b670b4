/* questions.c - see questions.h. Where nobody asks, a record costs one look at a number. */
#include "session/questions.h"

#include "base/hash.h"
#include "base/mem.h"
#include "session/private.h"
#include "sta/query.h"

#include <stdlib.h>

static const char ROOT[] = "v1.1/";
enum { ROOT_BYTES = sizeof(ROOT) - 1 };

struct question {
	struct list node; /* session->questions */
	uint64_t told;    /* hash of what was told last: the same is not told again */
	size_t n;
	char filter[];
};

bool question_is(const struct session *s, struct span filter)
{
	const struct hub *h = s->table->hub;
	if (likely(filter.n <= ROOT_BYTES || memcmp(filter.p, ROOT, ROOT_BYTES) != 0))
		return false;
	if (memchr(filter.p, '#', filter.n) || memchr(filter.p, '+', filter.n))
		return false;
	for (unsigned i = 0; i < hub_feed_count(h); i++)
		if (!hub_feed_at(h, i)->ended && feed_touches(hub_feed_at(h, i), filter))
			return false;
	return true;
}

bool session_question_read(struct span filter, struct sta_query *q)
{
	const char *mark = memchr(filter.p, '?', filter.n);
	size_t root = ROOT_BYTES - 1, n = mark ? (size_t)(mark - filter.p) : filter.n;
	struct span path = span_of(filter.p + root, n - root), options = {0};
	if (mark)
		options = span_of(mark + 1, filter.n - n - 1);
	if (sta_query_read(q, path, options) || !q->n_steps)
		return false;
	/* What is told are entities one by one: there is no page of them. */
	return !q->options.n_order && !q->options.has_top && !q->options.has_skip &&
	       !q->options.count && !q->options.distinct && !q->cursor.n && q->format == STA_JSON;
}

enum mqtt_reason question_check(const struct session *s, struct span filter)
{
	if (s->table->n_questions >= LIMIT_STA_TOPICS)
		return MQTT_QUOTA_EXCEEDED;
	struct sta_query *q = xcalloc(1, sizeof(*q));
	bool good = session_question_read(filter, q);
	free(q);
	return good ? MQTT_SUCCESS : MQTT_TOPIC_FILTER_INVALID;
}

static struct question *find(const struct session *s, struct span filter)
{
	list_for_each (it, &s->questions) {
		struct question *q = list_entry(it, struct question, node);
		if (span_eq(span_of(q->filter, q->n), filter))
			return q;
	}
	return NULL;
}

void question_subscribed(struct session *s, struct span filter)
{
	struct sessions *t = s->table;
	if (!question_is(s, filter) || find(s, filter))
		return;
	struct question *q = xcalloc(1, sizeof(*q) + filter.n);
	q->n = filter.n;
	memcpy(q->filter, filter.p, filter.n);
	if (list_empty(&s->questions))
		list_append(&t->asking, &s->asking_node);
	list_append(&s->questions, &q->node);
	t->n_questions++;
}

static void drop(struct session *s, struct question *q)
{
	list_remove(&q->node);
	s->table->n_questions--;
	free(q);
	if (list_empty(&s->questions))
		list_remove(&s->asking_node);
}

void question_unsubscribed(struct session *s, struct span filter)
{
	struct question *q = find(s, filter);
	if (q)
		drop(s, q);
}

void questions_let_go(struct session *s)
{
	list_for_each_safe (it, &s->questions)
		drop(s, list_entry(it, struct question, node));
}

/* ---- publishing ---- */

void sessions_set_observe(struct sessions *t, session_observe_fn observe, void *arg)
{
	t->observe = observe;
	t->observe_arg = arg;
}

bool question_takes(const struct session *s, struct span topic)
{
	static const char end[] = "/Observations";
	size_t n = sizeof(end) - 1;
	return question_is(s, topic) && s->table->observe && topic.n > n &&
	       memcmp(topic.p + topic.n - n, end, n) == 0;
}

int question_publish(struct session *s, struct span *ret_topic, struct span *ret_payload)
{
	struct sessions *t = s->table;
	struct session_observation *o = &t->observation;
	buf_clear(&o->topic);
	buf_clear(&o->payload);
	buf_clear(&o->properties);
	if (!t->observe(t->observe_arg, &s->who, *ret_topic, *ret_payload, o))
		return o->again ? ERR_AGAIN : ERR_MALFORMED;
	*ret_topic = span_of(o->topic.p, o->topic.len);
	*ret_payload = span_of(o->payload.p, o->payload.len);
	return 0;
}

/* ---- for who tells ---- */

bool sessions_have_questions(const struct sessions *t)
{
	return t->n_questions > 0;
}

void sessions_each_question(struct sessions *t, session_question_fn each, void *arg)
{
	list_for_each (at, &t->asking) {
		struct session *s = list_entry(at, struct session, asking_node);
		list_for_each (it, &s->questions) {
			struct question *q = list_entry(it, struct question, node);
			each(arg, session_token(s), span_of(q->filter, q->n), &s->who);
		}
	}
}

void sessions_tell(struct sessions *t, uint64_t token, struct span filter, struct span payload,
                   bool changed)
{
	static const struct hash_key key = {0x71756573, 0x74696f6e};
	struct session *s = session_by_token(t, token);
	struct question *q = s ? find(s, filter) : NULL;
	const struct sub *sub = q ? sub_tree_find(t->tree, &s->subs, filter) : NULL;
	uint64_t hash = hash64(&key, payload.p, payload.n);
	if (!sub || s->state != SESSION_CONNECTED || (changed && q->told == hash))
		return;
	struct hit hit = {.session = s};
	if (sub->options.identifier)
		hit.ids[hit.n_ids++] = sub->options.identifier;
	struct record r = {.topic = filter, .payload = payload};
	if (deliver(s, &hit, &r, NULL, false))
		q->told = hash;
	else
		t->stats.own_dropped++;
}
