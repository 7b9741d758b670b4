/* sta_entity.h - rows of the series as entities of SensorThings. New references; spans are copied.
 */
#ifndef WEB_STA_ENTITY_H
#define WEB_STA_ENTITY_H

#include "register/register.h"
#include "web/sta.h"

enum { STA_ID_SHIFT = 42 }; /* milliseconds below, the number of the datastream or thing above */

/* -1: it has no id here. */
int64_t sta_timed_id(uint32_t number, int64_t ms);
int64_t sta_property_id(const struct series_stream *s);

/* What the register says of a thing: its entry, a JSON object, n 0: none; and where it stands. */
struct sta_entry {
	struct span text;
	struct thing_place place;
};

json_t *sta_thing(const struct series_thing *t, const struct sta_entry *e);
/* member: location, feature. NULL: it has no place, and none is wanted. */
json_t *sta_place(const struct series_thing *t, const struct sta_entry *e, const char *member,
                  bool wanted);
json_t *sta_sensor(const struct series_thing *t, const char *base_url);
json_t *sta_datastream(const struct series_stream *s, const char *base_url);
json_t *sta_property(const struct series_stream *s);
json_t *sta_observation(const struct points *points, const struct point *p,
                        const struct series_detail *d);
json_t *sta_quality(unsigned flags); /* the words for them; NULL: none is set */
json_t *sta_historical(int64_t ms);

#endif
