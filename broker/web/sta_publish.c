/* sta_publish.c - an Observation that is published to v1.1/Datastreams(5)/Observations, or to
 * v1.1/Observations or v1.1/FeaturesOfInterest(6)/Observations with a Datastream in it (18-088,
 * clause 14): as POST has it, it becomes a message of the Datastream's feed. What it names is in
 * memory, so it is decided at once; a FeatureOfInterest that is made with it goes into the same
 * commit. */
#include "base/err.h"
#include "base/mem.h"
#include "session/session.h"
#include "web/sta_feature.h"
#include "web/sta_rows.h"

#include <stdlib.h>

enum { RECORD_BYTES = 4096 }; /* of a record, beside its payload */

struct publishing {
	struct web *w;
	const struct identity *who;
	struct session_observation *to;
	struct sta_query q;
	struct sta_find find;
	struct json_tape body;
	struct sta_draft *draft; /* of its FeatureOfInterest; NULL: it is linked, or not said */
	int64_t feature;         /* 0: not said */
	struct entities_change *change;
	struct post post; /* for its topic */
};

static bool refuse(struct publishing *p, uint8_t verdict, const char *why)
{
	p->to->verdict = verdict;
	p->to->why = why;
	return false;
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
	bool below = q->n_steps == 2 && q->step[0].has_id;
	if (below && sta_is_stream(q->step[0].type)) {
		*ret_type = q->step[0].type;
		*ret_id = q->step[0].id;
		return true;
	}
	if (below && q->step[0].type == STA_FEATURE)
		p->feature = q->step[0].id;
	const char *why = q->n_steps == 1 || p->feature
	                      ? rows_stream(&p->body, 0, ret_type, ret_id)
	                      : "say which: v1.1/Datastreams(5)/Observations";
	return !why || refuse(p, VERDICT_REFUSED, why);
}

static bool read_feature(struct publishing *p)
{
	struct sta_faults faults;
	uint32_t at = json_member(&p->body, 0, SPAN("FeatureOfInterest"));
	if (!at || p->body.tok[at].type == JSON_NULL || rows_read_id(&p->body, at, &p->feature))
		return true;
	return sta_draft_read(STA_FEATURE, json_text(&p->body, at), (struct span){0}, false,
	                      &p->draft, &faults) == 0 ||
	       refuse(p, VERDICT_REFUSED,
	              "the FeatureOfInterest is neither a link nor complete: name, description, "
	              "encodingType, feature");
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
	if (o->time)
		p->to->received_ms = 0;
	return !why || refuse(p, VERDICT_REFUSED, why);
}

static struct entities_change *begin_change(void *arg)
{
	struct publishing *p = arg;
	return entities_begin(p->w->entities, p->who->name);
}

/* It is in the same commit as the message, which is answered then. */
static void changed(void *arg UNUSED, int err UNUSED) {}

static bool take_feature(struct publishing *p, struct sta_found *x, struct sta_observation *o)
{
	struct sta_featuring f = {.web = p->w, .begin = begin_change, .arg = p};
	struct sta_feature_refusal why;
	const struct sta_found *y =
	    p->feature ? sta_find_of(&p->find, STA_FEATURE, p->feature) : NULL;
	if (p->feature && !y->there)
		return refuse(p, VERDICT_REFUSED, "there is no such FeatureOfInterest");
	bool good = sta_feature_take(&f, x, p->feature, p->draft, o, &why);
	p->change = f.change;
	if (!good)
		return refuse(p, VERDICT_REFUSED, why.why);
	return true;
}

/* False: there is no room in the batch now, for it and the message. */
static bool commit(struct publishing *p)
{
	size_t bytes = p->to->payload.len + p->to->properties.len + RECORD_BYTES;
	if (!p->change)
		return true;
	p->to->again =
	    !hub_has_room_for(p->w->hub, CONFIG_BULK, 1, bytes + entities_bytes(p->change)) ||
	    entities_commit(p->change, changed, NULL);
	if (!p->to->again)
		p->change = NULL;
	return !p->to->again;
}

static bool convert(struct publishing *p, struct span topic, struct span payload)
{
	struct sta_observation o;
	enum sta_type type;
	int64_t id;
	if (!parse_body(p, payload) || !read_feature(p) || !find_stream(p, topic, &type, &id) ||
	    !read_body(p, type == STA_MULTI_DATASTREAM, &o))
		return false;
	sta_find_add(&p->find, type, id);
	if (p->feature)
		sta_find_add(&p->find, STA_FEATURE, p->feature);
	sta_find_now(&p->find, p->w, permit_to(ACCESS_PUBLISH, p->who, p->w, "mqtt"));
	struct sta_found *x = sta_find_of(&p->find, type, id);
	if (!x->there)
		return refuse(p, VERDICT_DENIED,
		              "there is no such Datastream that you may publish to");
	if (strcmp(x->organisation, p->who->organisation) != 0)
		return refuse(p, VERDICT_DENIED, "this Datastream is another organisation's");
	const char *why = sta_observation_fits(&o, x, p->to->text);
	if (why)
		return refuse(p, VERDICT_REFUSED, why);
	if (!take_feature(p, x, &o))
		return false;
	struct sta_message message = {&p->to->payload, &p->to->properties, ""};
	why = sta_message(&p->post, p->w, x, &o, &message);
	if (why)
		return refuse(p, VERDICT_REFUSED, why);
	buf_add_str(&p->to->topic, p->post.topic);
	return commit(p);
}

bool web_observation(void *arg, const struct identity *who, struct span topic, struct span payload,
                     struct session_observation *ret)
{
	struct publishing *p = xcalloc(1, sizeof(*p));
	p->w = arg;
	p->who = who;
	p->to = ret;
	ret->again = false;
	bool good = p->w->series && p->w->entities
	                ? convert(p, topic, payload)
	                : refuse(p, VERDICT_UNROUTED, "there is no time series here");
	if (p->change)
		entities_abort(p->change);
	sta_find_done(&p->find);
	sta_draft_free(p->draft);
	json_tape_done(&p->body);
	free(p);
	return good;
}
