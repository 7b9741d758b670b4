/* zones.c - time zones by name, each read from the system's database once and kept. Names that are
 * not in it are looked for again each time, and cost nothing to remember. */
#include "base/zone.h"
#include "web/private.h"

static const char folder[] = "/usr/share/zoneinfo";

const struct zone *web_zone(void *web, struct span name)
{
	struct web *w = web;
	struct zone *z = map_get(&w->zones, name);
	if (z || zone_load(folder, name, &z))
		return z;
	if (w->zones.n >= LIMIT_ZONES) {
		zone_free(z);
		return NULL;
	}
	map_set(&w->zones, name, z);
	return z;
}

void web_zones_free(struct web *w)
{
	struct zone *z;
	for (size_t at = 0; (z = map_next(&w->zones, &at, NULL));)
		zone_free(z);
	map_done(&w->zones);
}
