/* sta_multi.h - MultiDatastreams, for sta_source.c. Numbers of theirs are those of their things;
 * those of their Observations are below zero: -(number of the thing * 2^42 + ms). */
#ifndef WEB_STA_MULTI_H
#define WEB_STA_MULTI_H

#include "web/sta.h"

/* A question about what the request may see, and its way: step while it says so, then the end.
 * false: nothing more comes, or *rc says why not; it is not asked when *rc says so already. */
void sta_ask_init(const struct sta_things *t, struct series_ask *a, enum series_what what);
bool sta_ask_step(const struct sta_things *t, struct series_ask *a, int *rc);
/* The first row of a question that has one at most. ERR_NOT_FOUND: it has none. */
int sta_ask_one(const struct sta_things *t, struct series_ask *a);
/* Done with it: rc, but nothing found is no error of a set. */
int sta_ask_end(struct series_ask *a, int rc);

/* The observation whose number has this time, where it stands now; a is to be done, whatever comes.
 */
int sta_at(const struct sta_things *t, uint32_t stream, int64_t ms, struct series_ask *a);

/* sta_properties.c: derived ObservedProperties, as of struct sta_source. */
void sta_hint(const struct sta_things *t, int64_t property, uint32_t stream);
int sta_property_get(const struct sta_things *t, int64_t id, json_t **ret);
int sta_properties_walk(const struct sta_things *t, const struct sta_list *l, sta_visit *visit,
                        void *arg);

int64_t sta_multi_id(uint32_t thing, int64_t ms); /* 0: it has none */
int64_t sta_multi_thing(int64_t id);              /* of an Observation; 0: it is no such one */
/* As of struct sta_source. ERR_NOT_FOUND: the thing has not from 2 to LIMIT_STA_MULTI datastreams.
 */
int sta_multi_get(const struct sta_things *t, int64_t thing, json_t **ret);
int sta_multi_observation(const struct sta_things *t, int64_t id, json_t **ret);
int sta_multi_observations(const struct sta_things *t, const struct sta_list *l, sta_visit *visit,
                           void *arg);

#endif
