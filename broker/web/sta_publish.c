/* sta_publish.c - an Observation that is published to v1.1/Datastreams(5)/Observations, or to
 * v1.1/Observations with a Datastream in it (18-088, clause 14): as POST has it, it becomes a
 * message of the Datastream's feed. What it names is in memory, so it is decided at once. */
#include "base/err.h"
#include "base/mem.h"
#include "session/session.h"
#include "web/sta_rows.h"

#include <stdlib.h>

struct publishing {
	struct web *w;
	const struct identity *who;
	struct session_observation *to;
	struct sta_query q;
	struct sta_find find;
	struct json_tape body;
	struct post post; /* for its topic */
};

static bool refuse(struct publishing *p, uint8_t verdict, const char *why)
{
	p->to->verdict = verdict;
	p->to->why = why;
	return false;
}

static bool is_stream(enum sta_type t)
{
	return t == STA_DATASTREAM || t == STA_MULTI_DATASTREAM;
}

/* The stream that path or body name. */
static bool find_stream(struct publishing *p, struct span topic, enum sta_type *ret_type,
                        int64_t *ret_id)
{
	struct sta_query *q = &p->q;
	if (!session_question_read(topic, q) || q->what != STA_WHAT_SET ||
	    sta_query_type(q) != STA_OBSERVATION || memchr(topic.p, '?', topic.n))
		return refuse(p, VERDICT_UNROUTED,
		              "publish to v1.1/Datastreams(5)/Observations or v1.1/Observations");
	if (q->n_steps == 2 && is_stream(q->step[0].type) && q->step[0].has_id) {
		*ret_type = q->step[0].type;
		*ret_id = q->step[0].id;
		return true;
	}
	const char *why = q->n_steps == 1 ? rows_stream(&p->body, 0, ret_type, ret_id)
	                                  : "say which: v1.1/Datastreams(5)/Observations";
	return !why || refuse(p, VERDICT_REFUSED, why);
}

static bool parse_body(struct publishing *p, struct span payload)
{
	size_t at;
	const char *why;
	json_tape_init(&p->body, LIMIT_STA_TOKENS);
	return (json_parse(&p->body, payload, &at, &why) == 0 &&
	        p->body.tok[0].type == JSON_OBJECT) ||
	       refuse(p, VERDICT_REFUSED, "the payload is not a JSON object");
}

static bool read_body(struct publishing *p, bool multi, struct sta_observation *o)
{
	const char *why, *code;
	p->to->received_ms = clock_wall_ms(hub_clock(p->w->hub));
	why = sta_observation_read(&p->body, 0, multi, p->to->received_ms, o, &code);
	if (!why && json_member(&p->body, 0, SPAN("FeatureOfInterest")))
		why = "a FeatureOfInterest is given over HTTP: here it is the Datastream's";
	if (o->time)
		p->to->received_ms = 0;
	return !why || refuse(p, VERDICT_REFUSED, why);
}

static bool convert(struct publishing *p, struct span topic, struct span payload)
{
	struct sta_observation o;
	enum sta_type type;
	int64_t id;
	if (!parse_body(p, payload) || !find_stream(p, topic, &type, &id) ||
	    !read_body(p, type == STA_MULTI_DATASTREAM, &o))
		return false;
	sta_find_add(&p->find, type, id);
	sta_find_now(&p->find, p->w, permit_to(ACCESS_PUBLISH, p->who, p->w, "mqtt"));
	const struct sta_found *x = sta_find_of(&p->find, type, id);
	if (!x->there)
		return refuse(p, VERDICT_DENIED,
		              "there is no such Datastream that you may publish to");
	if (strcmp(x->organisation, p->who->organisation) != 0)
		return refuse(p, VERDICT_DENIED, "this Datastream is another organisation's");
	const char *why = sta_observation_fits(&o, x, p->to->text);
	if (why)
		return refuse(p, VERDICT_REFUSED, why);
	struct sta_message message = {&p->to->payload, &p->to->properties, ""};
	why = sta_message(&p->post, p->w, x, &o, &message);
	if (why)
		return refuse(p, VERDICT_REFUSED, why);
	buf_add_str(&p->to->topic, p->post.topic);
	return true;
}

bool web_observation(void *arg, const struct identity *who, struct span topic, struct span payload,
                     struct session_observation *ret)
{
	struct publishing *p = xcalloc(1, sizeof(*p));
	p->w = arg;
	p->who = who;
	p->to = ret;
	bool good = p->w->series && p->w->entities
	                ? convert(p, topic, payload)
	                : refuse(p, VERDICT_UNROUTED, "there is no time series here");
	sta_find_done(&p->find);
	json_tape_done(&p->body);
	free(p);
	return good;
}
