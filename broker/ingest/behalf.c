/* behalf.c - does not know what a mapping does; see behalf.h. */
#include "ingest/behalf.h"

#include "base/limits.h"
#include "feed/sender.h"
#include "mqtt/encode.h"
#include "mqtt/props.h"

#include <string.h>

struct span behalf_mark(const struct identity *who, struct span properties, uint8_t *mem)
{
	struct mqtt_props p;
	enum mqtt_reason reason;
	size_t n = 0;
	if (properties.n && mqtt_props_decode(properties, MQTT_PROPS_PUBLISH, &p, &reason) == 0)
		n = mqtt_props_without_user(&p, SENDER_PROPERTY, mem);
	if (who->principal) {
		if (n + BEHALF_BYTES > LIMIT_USER_PROPERTIES_BYTES)
			n = 0; /* no room beside them: who it was matters more */
		struct wire w = wire_of(mem + n, BEHALF_BYTES);
		wire_user_property(&w, span_str(SENDER_PROPERTY), who->name);
		n += w.len;
	}
	return span_of((const char *)mem, n);
}

bool behalf_may(const struct access *a, const struct hub *h, struct span name, struct span origin,
                const struct feed *to, struct span thing, const struct access_spot *spot)
{
	const struct principal *p = a ? access_principal(a, name) : NULL;
	if (!p || !p->active)
		return false;
	struct identity who = access_identity(p);
	const char *colon = origin.n ? memchr(origin.p, ':', origin.n) : NULL;
	const struct feed *raw =
	    colon ? hub_feed(h, span_of(origin.p, (size_t)(colon - origin.p))) : NULL;
	return access_covers(&who, ACCESS_PUBLISH, to, thing, spot) == 0 ||
	       (raw && access_covers(&who, ACCESS_PUBLISH, raw, thing, spot) == 0);
}
