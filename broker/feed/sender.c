/* sender.c - reads what ingest/behalf.c wrote. */
#include "feed/sender.h"

#include "mqtt/props.h"

struct span sender_of(const struct feed *f, const struct record *r)
{
	struct mqtt_props p;
	enum mqtt_reason reason;
	struct span name = {0};
	if (f->any_schema && r->properties.n &&
	    mqtt_props_decode(r->properties, MQTT_PROPS_PUBLISH, &p, &reason) == 0)
		mqtt_props_find_user(&p, SENDER_PROPERTY, &name);
	return name;
}
