/* writer.h - for the encoders of this room only: whole packets or nothing. */
#ifndef MQTT_WRITER_H
#define MQTT_WRITER_H

#include "mqtt/encode.h"

enum { MQTT_VARINT_MAX = 268435455 }; /* four bytes of seven bits */

/* Writes the fixed header when the whole packet fits; else the error is set and nothing written. */
bool wire_begin(struct wire *w, uint8_t head, size_t body);
/* Takes the packet that began at start back when it met an error. */
static inline void wire_end(struct wire *w, size_t start)
{
	if (unlikely(w->err))
		w->len = start;
}
/* Property section with its length field: none on 3.1.1. */
size_t props_field_size(enum mqtt_version version, const struct mqtt_props *p);
void props_field(struct wire *w, enum mqtt_version version, const struct mqtt_props *p);

#endif
