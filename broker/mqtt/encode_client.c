/* encode_client.c - the packets only a client writes: CONNECT, SUBSCRIBE, UNSUBSCRIBE. */
#include "mqtt/encode.h"
#include "mqtt/writer.h"

static uint8_t connect_flags(const struct mqtt_connect_view *c)
{
	return (uint8_t)(c->clean_start << 1 | c->has_will << 2 | c->will_qos << 3 |
	                 c->will_retain << 5 | c->has_password << 6 | c->has_user_name << 7);
}

static size_t connect_size(const struct mqtt_connect_view *c)
{
	size_t n = 10 + props_field_size(c->version, &c->props) + 2 + c->client_id.n;

	if (c->has_will)
		n += props_field_size(c->version, &c->will_props) + 4 + c->will_topic.n +
		     c->will_payload.n;
	if (c->has_user_name)
		n += 2 + c->user_name.n;
	if (c->has_password)
		n += 2 + c->password.n;
	return n;
}

void mqtt_encode_connect(struct wire *w, const struct mqtt_connect_view *c)
{
	size_t start = w->len;

	assert(c->version == MQTT_V311 || c->version == MQTT_V5);
	assert(c->has_will || (c->will_qos == 0 && !c->will_retain));
	if (!wire_begin(w, MQTT_CONNECT << 4, connect_size(c)))
		return;
	wire_string(w, SPAN("MQTT"));
	wire_u8(w, (uint8_t)c->version);
	wire_u8(w, connect_flags(c));
	wire_u16(w, c->keep_alive_s);
	props_field(w, c->version, &c->props);
	wire_string(w, c->client_id);
	if (c->has_will) {
		props_field(w, c->version, &c->will_props);
		wire_string(w, c->will_topic);
		wire_string(w, c->will_payload);
	}
	if (c->has_user_name)
		wire_string(w, c->user_name);
	if (c->has_password)
		wire_string(w, c->password);
	wire_end(w, start);
}

void mqtt_encode_subscribe(struct wire *w, enum mqtt_version version, uint16_t packet_id,
                           const struct mqtt_subscription *subs, size_t n,
                           const struct mqtt_props *props)
{
	size_t start = w->len, body = 2 + props_field_size(version, props);

	assert(n > 0 && packet_id != 0);
	for (size_t i = 0; i < n; i++)
		body += 3 + subs[i].filter.n;
	if (!wire_begin(w, MQTT_SUBSCRIBE << 4 | 2, body))
		return;
	wire_u16(w, packet_id);
	props_field(w, version, props);
	for (size_t i = 0; i < n; i++) {
		const struct mqtt_subscription *s = &subs[i];
		uint8_t options = s->qos;

		if (version == MQTT_V5)
			options = (uint8_t)(s->qos | s->no_local << 2 |
			                    s->retain_as_published << 3 | s->retain_handling << 4);
		wire_string(w, s->filter);
		wire_u8(w, options);
	}
	wire_end(w, start);
}

void mqtt_encode_unsubscribe(struct wire *w, enum mqtt_version version, uint16_t packet_id,
                             const struct span *filters, size_t n, const struct mqtt_props *props)
{
	size_t start = w->len, body = 2 + props_field_size(version, props);

	assert(n > 0 && packet_id != 0);
	for (size_t i = 0; i < n; i++)
		body += 2 + filters[i].n;
	if (!wire_begin(w, MQTT_UNSUBSCRIBE << 4 | 2, body))
		return;
	wire_u16(w, packet_id);
	props_field(w, version, props);
	for (size_t i = 0; i < n; i++)
		wire_string(w, filters[i]);
	wire_end(w, start);
}
