/* fuzz_decode - one packet: the first byte chooses version and side, the second is the head, the
 * rest the body. Whatever a decoder accepts must keep what the views promise. */
#include "reencode.h"

#include "base/limits.h"
#include "mqtt/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void inside(const struct frame *f, struct span s)
{
	const uint8_t *p = (const uint8_t *)s.p;

	assert(s.n == 0 || (p >= f->body && p + s.n <= f->body + f->body_len));
}

static void check_props(const struct frame *f, const struct mqtt_props *p)
{
	struct span name, value;
	uint32_t users = 0, ids = 0, id;
	size_t at = 0;

	inside(f, p->raw);
	assert(p->raw.n <= LIMIT_USER_PROPERTIES_BYTES);
	assert((p->has != 0) == (p->raw.n != 0));
	while (mqtt_props_next_user(p, &at, &name, &value)) {
		inside(f, name);
		inside(f, value);
		assert(mqtt_string_valid(name) && mqtt_string_valid(value));
		users++;
	}
	for (at = 0; mqtt_props_next_subscription_id(p, &at, &id); ids++)
		assert(id > 0 && (ids > 0 || id == p->subscription_id));
	assert(users == p->n_user && ids == p->n_subscription_ids);
	assert(mqtt_string_valid(p->content_type) && mqtt_string_valid(p->reason_string));
	inside(f, p->correlation_data);
	inside(f, p->auth_data);
}

static void check_publish(const struct frame *f, const struct mqtt_publish_view *v)
{
	inside(f, v->topic);
	inside(f, v->payload);
	check_props(f, &v->props);
	assert(v->qos <= 2 && (v->qos > 0) == (v->packet_id != 0));
	assert(v->topic.n > 0 || v->props.topic_alias > 0);
	assert(mqtt_topic_string_check(v->topic) == 0);
	assert(!v->dup || v->qos > 0);
}

static void check_subscribe(const struct frame *f, const struct mqtt_subscribe_view *v)
{
	struct mqtt_subscription s;
	uint32_t n = 0;

	for (size_t at = 0; mqtt_subscribe_next(v, &at, &s); n++) {
		inside(f, s.filter);
		assert(s.filter.n > 0 && mqtt_string_valid(s.filter));
		assert(s.qos <= 2 && s.retain_handling <= 2);
		assert(v->v5 || (!s.no_local && !s.retain_as_published && !s.retain_handling));
	}
	assert(n > 0 && n == v->n && v->packet_id);
	check_props(f, &v->props);
}

static void check_connect(const struct frame *f, const struct mqtt_connect_view *v)
{
	assert(v->version == mqtt_connect_version(f));
	inside(f, v->client_id);
	inside(f, v->will_payload);
	inside(f, v->password);
	check_props(f, &v->props);
	check_props(f, &v->will_props);
	assert(mqtt_string_valid(v->client_id) && mqtt_string_valid(v->user_name));
	assert(v->has_will == (v->will_topic.n > 0));
	assert(v->has_will || (v->will_qos == 0 && !v->will_retain));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	enum mqtt_version version;
	enum mqtt_reason reason = MQTT_SUCCESS;
	enum side side;
	struct any_view v;
	struct frame f;

	if (n < 2)
		return 0;
	version = p[0] & 1 ? MQTT_V5 : MQTT_V311;
	side = p[0] & 2 ? FROM_SERVER : FROM_CLIENT;
	f = (struct frame){.head = p[1],
	                   .body = p + 2,
	                   .body_len = (uint32_t)(n - 2),
	                   .total = (uint32_t)n,
	                   .minimal = true};
	if (any_decode(version, side, &f, &v, &reason)) {
		assert(mqtt_reason_is_error(reason));
		return 0;
	}
	assert(reason == MQTT_SUCCESS);
	switch (v.type) {
	case MQTT_CONNECT: check_connect(&f, &v.connect); break;
	case MQTT_PUBLISH: check_publish(&f, &v.publish); break;
	case MQTT_SUBSCRIBE: check_subscribe(&f, &v.subscribe); break;
	case MQTT_CONNACK: check_props(&f, &v.connack.props); break;
	case MQTT_SUBACK:
	case MQTT_UNSUBACK: check_props(&f, &v.suback.props); break;
	case MQTT_DISCONNECT: check_props(&f, &v.disconnect.props); break;
	case MQTT_AUTH: check_props(&f, &v.auth.props); break;
	default: break;
	}
	return 0;
}
