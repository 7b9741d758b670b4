/* sta_over.h - what was written over what is derived (sta_written.h), between its files:
 * sta_written.c has entities and relations to one, sta_walk.c has sets, sta_over_multi.c
 * MultiDatastreams and what they have in the place of their members. */
#ifndef WEB_STA_OVER_H
#define WEB_STA_OVER_H

#include "web/sta_written.h"

/* Under the lock. */
bool sta_may_see(const struct sta_written *w, const struct entity *x);
/* Its own members; NULL: no memory. */
json_t *sta_written_make(const struct sta_written *w, const struct entity *x, enum sta_type as);
int64_t sta_link_of(const struct entity *x, enum sta_type to); /* 0: none */

/* The number under which a thing or datastream of the series is shown; -1: it is not. */
int64_t sta_shown_as(const struct sta_written *w, enum sta_type t, int64_t number);
/* Of what is derived: it is not shown, or not under this number. */
bool sta_is_hidden(struct sta_written *w, enum sta_type t, int64_t id);
/* What the series knows of it. */
void sta_add_figures(struct sta_written *w, enum sta_type t, int64_t id, uint32_t number,
                     json_t *j);
/* The members of a row over a derived one. */
void sta_lay_over(struct sta_written *w, enum sta_type t, int64_t id, json_t *j);

/* Where a Thing of the series is, as somebody wrote; 0: nobody did. */
int64_t sta_place_of(const struct sta_written *w, int64_t thing);

/* ---- sta_over_multi.c: of written ones ---- */
/* The MultiDatastream that an Observation is of; 0: of none, or none that is shown. */
int64_t sta_over_multi(struct sta_written *w, int64_t observation);
int sta_over_observation(struct sta_written *w, int64_t multi, int64_t id, json_t **ret);
int64_t sta_over_feature(struct sta_written *w, int64_t multi); /* 0: none */
void sta_over_figures(struct sta_written *w, int64_t multi, json_t *j);
/* Names of its members, into properties. Under the lock. */
void sta_over_members(const struct sta_written *w, const struct entity *multi, json_t *properties);
/* Under the lock: whether it has this ObservedProperty. */
bool sta_over_observes(const struct sta_written *w, const struct entity *multi, int64_t property);
/* Sets: its ObservedProperties in the order of its results; Observations of one, of a
 * FeatureOfInterest, of all (l->relation NULL), whose tokens begin with STA_OVER_TOKEN. */
enum { STA_OVER_TOKEN = 'm', STA_OVER_TOKEN_BYTES = 17 };
int sta_over_properties(struct sta_written *w, const struct sta_list *l, sta_visit *visit,
                        void *arg);
int sta_over_walk(struct sta_written *w, const struct sta_list *l, sta_visit *visit, void *arg);
/* The same, counted; false: not known. */
bool sta_over_count(struct sta_written *w, const struct sta_list *l, uint64_t *add);

/* Of struct sta_source; arg: a struct sta_written. */
int sta_written_get(void *arg, enum sta_type t, int64_t id, json_t **ret);
int sta_written_walk(void *arg, const struct sta_list *l, sta_visit *visit, void *visit_arg);
bool sta_written_count(void *arg, const struct sta_list *l, uint64_t *ret);

#endif
