/* sta_over.h - what was written over what is derived (sta_written.h), between its files:
 * sta_written.c has entities and relations to one, sta_walk.c has sets. */
#ifndef WEB_STA_OVER_H
#define WEB_STA_OVER_H

#include "web/sta_written.h"

/* Under the lock. */
bool sta_may_see(const struct sta_written *w, const struct entity *x);
json_t *sta_written_make(const struct entity *x,
                         enum sta_type as); /* its own members; NULL: no memory */
int64_t sta_link_of(const struct entity *x, enum sta_type to); /* 0: none */

/* The number under which a thing or datastream of the series is shown; -1: it is not. */
int64_t sta_shown_as(const struct sta_written *w, enum sta_type t, int64_t number);
/* Of what is derived: it is not shown, or not under this number. */
bool sta_is_hidden(struct sta_written *w, enum sta_type t, int64_t id);
/* What the series knows of it. */
void sta_add_figures(struct sta_written *w, enum sta_type t, uint32_t number, json_t *j);
/* The members of a row over a derived one. */
void sta_lay_over(struct sta_written *w, enum sta_type t, int64_t id, json_t *j);

/* Of struct sta_source; arg: a struct sta_written. */
int sta_written_get(void *arg, enum sta_type t, int64_t id, json_t **ret);
int sta_written_walk(void *arg, const struct sta_list *l, sta_visit *visit, void *visit_arg);
bool sta_written_count(void *arg, const struct sta_list *l, uint64_t *ret);

#endif
