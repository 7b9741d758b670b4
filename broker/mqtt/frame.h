/* frame.h - finds one MQTT control packet in a stream of bytes: fixed header, body, total length.
 *
 * Knows types and lengths only; what the body says is packet.h's. Pure, allocates nothing, inline:
 * it runs once per packet on the hot path. The frame is a view into the caller's buffer. */
#ifndef MQTT_FRAME_H
#define MQTT_FRAME_H

#include "base/compiler.h"
#include "base/err.h"
#include "mqtt/reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mqtt_type { /* MQTT 5.0, table 2-1 */
	         MQTT_CONNECT = 1,
	         MQTT_CONNACK = 2,
	         MQTT_PUBLISH = 3,
	         MQTT_PUBACK = 4,
	         MQTT_PUBREC = 5,
	         MQTT_PUBREL = 6,
	         MQTT_PUBCOMP = 7,
	         MQTT_SUBSCRIBE = 8,
	         MQTT_SUBACK = 9,
	         MQTT_UNSUBSCRIBE = 10,
	         MQTT_UNSUBACK = 11,
	         MQTT_PINGREQ = 12,
	         MQTT_PINGRESP = 13,
	         MQTT_DISCONNECT = 14,
	         MQTT_AUTH = 15 /* MQTT 5 only; 0 is reserved in both */
};

struct frame {
	const uint8_t *body; /* after the fixed header; not to be read when body_len is 0 */
	uint32_t body_len;
	uint32_t total; /* fixed header and body: how far to advance */
	uint8_t head;   /* first byte: type and flags */
	bool minimal;   /* the length has no needless bytes [MQTT-1.5.5-1]; 3.1.1 does not ask */
};

static inline enum mqtt_type frame_type(const struct frame *f)
{
	return (enum mqtt_type)(f->head >> 4);
}
static inline uint8_t frame_flags(const struct frame *f)
{
	return f->head & 15;
}

/* Looks for one packet at p. max_packet bounds the whole packet, fixed header included.
 * 0, ERR_MORE (read on), ERR_MALFORMED (a length of more than four bytes), or ERR_TOO_LARGE, which
 * is said as soon as the length is known and not when the body has come. */
static inline int MUSTCHECK frame_next(const uint8_t *p, size_t n, uint32_t max_packet,
                                       struct frame *ret)
{
	uint32_t len = 0;
	unsigned i = 1;

	for (;; i++) {
		if (i > 4)
			return ERR_MALFORMED;
		if (unlikely(i >= n))
			return ERR_MORE;
		len |= (uint32_t)(p[i] & 127) << (7 * (i - 1));
		if (!(p[i] & 128))
			break;
	}
	if (unlikely(len + i + 1 > max_packet))
		return ERR_TOO_LARGE;
	if (n < (size_t)len + i + 1)
		return ERR_MORE;
	ret->head = p[0];
	ret->minimal = i == 1 || p[i] != 0;
	ret->body = p + i + 1;
	ret->body_len = len;
	ret->total = len + i + 1;
	return 0;
}

/* Bytes the packet that begins at p will have, or 0 while that cannot be said (too few bytes, or
 * malformed): how far a receive buffer should grow. */
static inline size_t frame_size(const uint8_t *p, size_t n)
{
	uint32_t len = 0;

	for (unsigned i = 1; i <= 4 && i < n; i++) {
		len |= (uint32_t)(p[i] & 127) << (7 * (i - 1));
		if (!(p[i] & 128))
			return (size_t)len + i + 1;
	}
	return 0;
}

/* Whether a client of that version may send this type at all (once connected: CONNECT included,
 * since a second one is the session's affair). */
static inline bool frame_from_client(enum mqtt_version version, enum mqtt_type type)
{
	unsigned allowed = 1u << MQTT_CONNECT | 1u << MQTT_PUBLISH | 1u << MQTT_PUBACK |
	                   1u << MQTT_PUBREC | 1u << MQTT_PUBREL | 1u << MQTT_PUBCOMP |
	                   1u << MQTT_SUBSCRIBE | 1u << MQTT_UNSUBSCRIBE | 1u << MQTT_PINGREQ |
	                   1u << MQTT_DISCONNECT;

	if (version == MQTT_V5)
		allowed |= 1u << MQTT_AUTH;
	return allowed >> type & 1;
}

/* "PUBLISH"; "RESERVED" for 0. Static storage. */
const char *mqtt_type_name(enum mqtt_type type);

#endif
