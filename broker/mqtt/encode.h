/* encode.h - writes control packets into memory of the caller.
 *
 * struct wire is pointer, length, capacity and a sticky error: encoders are straight lines, the
 * caller looks at w->err once. A packet that does not fit sets ERR_TOO_LARGE and leaves w->len
 * where it was before that packet: whole packets or nothing. Strings over 65,535 bytes are
 * ERR_TOO_LARGE. Encoders trust their caller about content (topics were checked when they came in).
 *
 * On 3.1.1 reasons and properties are left out, reasons are translated; props may be NULL. */
#ifndef MQTT_ENCODE_H
#define MQTT_ENCODE_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/span.h"
#include "mqtt/frame.h"
#include "mqtt/packet.h"
#include "mqtt/props.h"
#include "mqtt/reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wire {
	uint8_t *p;
	size_t len, cap;
	int err; /* 0 or ERR_TOO_LARGE */
};

static inline struct wire wire_of(void *p, size_t cap)
{
	return (struct wire){.p = p, .cap = cap};
}

/* ---- the parts ---- */

/* True when n more bytes fit; else the error is set. */
static inline bool wire_fits(struct wire *w, size_t n)
{
	if (likely(!w->err && w->cap - w->len >= n))
		return true;
	w->err = ERR_TOO_LARGE;
	return false;
}
static inline void wire_u8(struct wire *w, uint8_t v)
{
	if (wire_fits(w, 1))
		w->p[w->len++] = v;
}
static inline void wire_u16(struct wire *w, uint16_t v)
{
	if (!wire_fits(w, 2))
		return;
	w->p[w->len] = (uint8_t)(v >> 8);
	w->p[w->len + 1] = (uint8_t)v;
	w->len += 2;
}
static inline void wire_u32(struct wire *w, uint32_t v)
{
	wire_u16(w, (uint16_t)(v >> 16));
	wire_u16(w, (uint16_t)v);
}
static inline void wire_bytes(struct wire *w, const void *p, size_t n)
{
	if (n == 0 || !wire_fits(w, n))
		return;
	memcpy(w->p + w->len, p, n);
	w->len += n;
}
static inline unsigned wire_varint_size(uint32_t v)
{
	return v < 128 ? 1 : v < 16384 ? 2 : v < 2097152 ? 3 : 4;
}
/* Variable byte integer, minimal [MQTT-1.5.5-1]; v above 268,435,455 is ERR_TOO_LARGE. */
void wire_varint(struct wire *w, uint32_t v);
/* Two bytes of length, then the bytes: strings and binary data. */
void wire_string(struct wire *w, struct span s);
/* A user property as it stands in a property section. */
void wire_user_property(struct wire *w, struct span name, struct span value);
static inline size_t wire_user_property_size(struct span name, struct span value)
{
	return 5 + name.n + value.n;
}

/* ---- hot answers ---- */

/* PUBACK, PUBREC, PUBREL, PUBCOMP with success: the same four bytes in both versions (a reason of
 * 0x00 without properties may be left out, 3.4.2.1). */
static inline void mqtt_encode_ack_ok(struct wire *w, enum mqtt_type type, uint16_t packet_id)
{
	if (!wire_fits(w, 4))
		return;
	/* PUBREL has flags 0010 [MQTT-3.6.1-1] */
	w->p[w->len] = (uint8_t)(type << 4 | (type == MQTT_PUBREL ? 2 : 0));
	w->p[w->len + 1] = 2;
	w->p[w->len + 2] = (uint8_t)(packet_id >> 8);
	w->p[w->len + 3] = (uint8_t)packet_id;
	w->len += 4;
}
static inline void mqtt_encode_pingresp(struct wire *w)
{
	wire_u16(w, MQTT_PINGRESP << 12);
}

/* The same with a reason and, when text is not empty, a reason string. A packet over max_packet (0:
 * no maximum) is not sent with it: the text is cut at a character, or left out [MQTT-3.4.2-2]. On
 * 3.1.1: mqtt_encode_ack_ok(). */
void mqtt_encode_ack_text(struct wire *w, enum mqtt_version version, enum mqtt_type type,
                          uint16_t packet_id, enum mqtt_reason reason, struct span text,
                          uint32_t max_packet);

struct mqtt_publish_out {
	struct span topic;  /* empty only together with topic_alias */
	struct span stored; /* properties as mqtt_props_for_record() left them */
	struct span user; /* further user properties by wire_user_property(), written after them */
	struct span payload;
	const uint32_t *subscription_ids;
	uint32_t n_subscription_ids;
	uint32_t expiry_s; /* written when has_expiry: what is left of it [MQTT-3.3.2-6] */
	uint16_t packet_id;
	uint16_t topic_alias; /* 0: none */
	uint8_t qos;
	bool dup, retain, has_expiry;
};

/* The exact bytes mqtt_encode_publish() would write; 0 when no MQTT packet can hold it. */
size_t mqtt_publish_size(enum mqtt_version version, const struct mqtt_publish_out *m);
void mqtt_encode_publish(struct wire *w, enum mqtt_version version,
                         const struct mqtt_publish_out *m);

/* ---- the other packets of a server ---- */

void mqtt_encode_connack(struct wire *w, enum mqtt_version version, bool session_present,
                         enum mqtt_reason reason, const struct mqtt_props *props);
/* type: PUBACK, PUBREC, PUBREL or PUBCOMP. */
void mqtt_encode_ack(struct wire *w, enum mqtt_version version, enum mqtt_type type,
                     uint16_t packet_id, enum mqtt_reason reason, const struct mqtt_props *props);
/* codes: one enum mqtt_reason per filter as a byte; on 3.1.1 every refusal becomes 0x80. */
void mqtt_encode_suback(struct wire *w, enum mqtt_version version, uint16_t packet_id,
                        struct span codes, const struct mqtt_props *props);
void mqtt_encode_unsuback(struct wire *w, enum mqtt_version version, uint16_t packet_id,
                          struct span codes, const struct mqtt_props *props);
/* On 3.1.1 a server has no DISCONNECT: nothing may be written for it, so do not call. The client's
 * is written without a reason. */
void mqtt_encode_disconnect(struct wire *w, enum mqtt_version version, enum mqtt_reason reason,
                            const struct mqtt_props *props);
void mqtt_encode_auth(struct wire *w, enum mqtt_reason reason, const struct mqtt_props *props);

/* ---- packets of a client ---- */

void mqtt_encode_connect(struct wire *w, const struct mqtt_connect_view *c);
void mqtt_encode_subscribe(struct wire *w, enum mqtt_version version, uint16_t packet_id,
                           const struct mqtt_subscription *subs, size_t n,
                           const struct mqtt_props *props);
void mqtt_encode_unsubscribe(struct wire *w, enum mqtt_version version, uint16_t packet_id,
                             const struct span *filters, size_t n, const struct mqtt_props *props);
static inline void mqtt_encode_pingreq(struct wire *w)
{
	wire_u16(w, MQTT_PINGREQ << 12);
}

#endif
