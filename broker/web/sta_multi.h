/* sta_multi.h - MultiDatastreams on the time series. One that is derived has the number of its
 * thing, and its Observations have numbers below zero: -(number of the thing * 2^42 + ms). One that
 * somebody wrote (sta_written.h) has datastreams of its own that are not shown by themselves: its
 * Observations have the numbers that those of the first of them would have. */
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
bool sta_is_described(const struct sta_things *t, uint32_t stream); /* by a written one */
int sta_property_get(const struct sta_things *t, int64_t id, json_t **ret);
int sta_properties_walk(const struct sta_things *t, const struct sta_list *l, sta_visit *visit,
                        void *arg);

/* ---- derived ones ---- */
int64_t sta_multi_id(uint32_t thing, int64_t ms); /* 0: it has none */
int64_t sta_multi_thing(int64_t id);              /* of an Observation; 0: it is no such one */
/* As of struct sta_source. ERR_NOT_FOUND: the thing has not from 2 to LIMIT_STA_MULTI datastreams
 * that nobody described. */
int sta_multi_get(const struct sta_things *t, int64_t thing, json_t **ret);

/* ---- datastreams whose observations of one time are one Observation ---- */
struct sta_sides {
	/* Its Observations have the number of * 2^42 + ms; below zero: of a derived one; 0: there
	 * are none. */
	int64_t of;
	unsigned n;
	uint32_t stream[LIMIT_STA_MULTI]; /* in the order of its results; 0: no data yet */
};
/* Of a derived one. */
int sta_multi_sides(const struct sta_things *t, int64_t thing, struct sta_sides *ret);
int64_t sta_sides_id(const struct sta_sides *s, int64_t ms); /* 0: it has none */
/* The Observation whose number has this time, where it stands now; ret_ms may be NULL. plain:
 * without words for flags. */
int sta_sides_get(const struct sta_things *t, const struct sta_sides *s, int64_t ms, bool plain,
                  json_t **ret, int64_t *ret_ms);
/* Its Observations, of which list the times, the direction and the token count. */
int sta_sides_walk(const struct sta_things *t, const struct sta_sides *s, const struct sta_list *l,
                   sta_visit *visit, void *arg);
int sta_sides_count(const struct sta_things *t, const struct sta_sides *s, const struct sta_list *l,
                    uint64_t *add);
/* What the series knows of it into the MultiDatastream: its times, where it is. */
void sta_sides_figures(const struct sta_things *t, const struct sta_sides *s, json_t *multi);

#endif
