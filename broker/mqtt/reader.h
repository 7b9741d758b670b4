/* reader.h - for the decoders of this room only: takes values off a packet's body. Reading past the
 * end, or a string that is none, sets `bad` once; values read after that are zero, so that a
 * decoder is a straight line with one look at the end. */
#ifndef MQTT_READER_H
#define MQTT_READER_H

#include "base/err.h"
#include "base/span.h"
#include "mqtt/frame.h"
#include "mqtt/props.h"
#include "mqtt/utf8.h"

struct reader {
	const uint8_t *p, *end;
	bool bad;
};

static inline struct reader reader_of(const uint8_t *p, size_t n)
{
	return (struct reader){p, n ? p + n : p, false};
}
static inline struct reader reader_of_span(struct span s)
{
	return reader_of((const uint8_t *)s.p, s.n);
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->p);
}
/* Makes everything after it fail. */
static inline void reader_fail(struct reader *r)
{
	r->bad = true;
	r->p = r->end;
}

static inline uint8_t read_u8(struct reader *r)
{
	if (unlikely(reader_left(r) < 1)) {
		reader_fail(r);
		return 0;
	}
	return *r->p++;
}
static inline uint16_t read_u16(struct reader *r)
{
	if (unlikely(reader_left(r) < 2)) {
		reader_fail(r);
		return 0;
	}
	r->p += 2;
	return (uint16_t)(r->p[-2] << 8 | r->p[-1]);
}
static inline uint32_t read_u32(struct reader *r)
{
	if (unlikely(reader_left(r) < 4)) {
		reader_fail(r);
		return 0;
	}
	r->p += 4;
	return (uint32_t)r->p[-4] << 24 | (uint32_t)r->p[-3] << 16 | (uint32_t)r->p[-2] << 8 |
	       r->p[-1];
}

/* Variable byte integer: at most four bytes, and no needless ones [MQTT-1.5.5-1]. */
static inline uint32_t read_varint(struct reader *r)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 4; i++) {
		uint8_t c = read_u8(r);

		v |= (uint32_t)(c & 127) << (7 * i);
		if (!(c & 128)) {
			if (unlikely(i > 0 && c == 0))
				reader_fail(r);
			return r->bad ? 0 : v;
		}
	}
	reader_fail(r);
	return 0;
}

static inline struct span read_bytes(struct reader *r, size_t n)
{
	if (unlikely(reader_left(r) < n)) {
		reader_fail(r);
		return (struct span){0};
	}
	r->p += n;
	return span_of((const char *)r->p - n, n);
}
static inline struct span read_rest(struct reader *r)
{
	return read_bytes(r, reader_left(r));
}
static inline struct span read_binary(struct reader *r)
{
	return read_bytes(r, read_u16(r));
}
/* A UTF-8 string [MQTT-1.5.4-1] [MQTT-1.5.4-2]; 3.1.1: [MQTT-1.5.3-1] [MQTT-1.5.3-2]. */
static inline struct span read_string(struct reader *r)
{
	struct span s = read_binary(r);

	if (unlikely(!mqtt_string_valid(s)))
		reader_fail(r);
	return s;
}

static inline int malformed(enum mqtt_reason *ret_reason)
{
	*ret_reason = MQTT_MALFORMED_PACKET;
	return ERR_MALFORMED;
}
static inline int refuse(enum mqtt_reason reason, enum mqtt_reason *ret_reason)
{
	*ret_reason = reason;
	return ERR_PROTOCOL;
}

/* All properties absent. In three pieces, because gcc makes "rep stos" of the whole, which takes
 * longer to start than all of PUBLISH takes to decode. */
static inline void no_props(struct mqtt_props *p)
{
	enum {
		SPANS = offsetof(struct mqtt_props, content_type),
		HALF = SPANS + 5 * sizeof(struct span)
	};
	char *at = (char *)p;

	_Static_assert(sizeof(*p) == SPANS + 10 * sizeof(struct span), "ten spans at the end");
	memset(at, 0, SPANS);
	memset(at + SPANS, 0, HALF - SPANS);
	memset(at + HALF, 0, sizeof(*p) - HALF);
}

int read_props_section(struct reader *r, enum mqtt_props_of of, struct mqtt_props *ret,
                       enum mqtt_reason *ret_reason) MUSTCHECK;

/* Length and section; leaves the reader after it. Most sections are empty. */
static inline int MUSTCHECK read_props(struct reader *r, enum mqtt_props_of of,
                                       struct mqtt_props *ret, enum mqtt_reason *ret_reason)
{
	if (likely(r->p < r->end && *r->p == 0)) {
		r->p++;
		no_props(ret);
		return 0;
	}
	return read_props_section(r, of, ret, ret_reason);
}

/* What every packet but PUBLISH has at its front: fixed flags [MQTT-2.1.3-1] and, in MQTT 5, a
 * minimal length [MQTT-1.5.5-1]. */
static inline int MUSTCHECK check_head(enum mqtt_version version, const struct frame *f,
                                       uint8_t flags, enum mqtt_reason *ret_reason)
{
	if (unlikely(frame_flags(f) != flags || (version == MQTT_V5 && !f->minimal)))
		return malformed(ret_reason);
	return 0;
}

/* Whether a reason code may stand in a packet; the lists are the tables of the standard. */
#define code_in(codes, code) (memchr((codes), (code), sizeof(codes)) != NULL)

/* The row of a property: its type on the wire, what its value may be, where it lies in struct
 * mqtt_props, and whose it may be. */
enum prop_type {
	PROP_NONE,
	PROP_U8,
	PROP_U16,
	PROP_U32,
	PROP_VARINT,
	PROP_STRING,
	PROP_BINARY,
	PROP_PAIR
};
struct prop_row {
	uint8_t type; /* enum prop_type */
	uint8_t rule; /* see props.c */
	uint16_t of;  /* 1 << enum mqtt_props_of */
	uint16_t at;  /* offset in struct mqtt_props */
};
enum { PROP_IDS = MQTT_PROP_SHARED_AVAILABLE + 1 };
extern const struct prop_row prop_rows[PROP_IDS];

#endif
