/* sta_feature.h - what Observations are about (18-088, 8.2.8).
 *
 * A Datastream has a feature of its own: the one that its row names, else the Location of its Thing
 * (a Location is a FeatureOfInterest of the same number), else where the Thing says it is. An
 * Observation about another one says so in its detail (sta/detail.h). Then the row of its
 * Datastream says that it is mixed, and the row of the other feature names the Datastream, so that
 * both ways can be gone. */
#ifndef WEB_STA_FEATURE_H
#define WEB_STA_FEATURE_H

#include "register/entities.h"
#include "web/sta_write.h"

/* The Location of a Thing that is its feature; 0: it has none. Under the lock, or on the loop. */
int64_t sta_feature_at(const struct entities *e, const struct entity *thing);

/* ---- reading, on any thread ---- */

/* The feature of a datastream of the series, by its number there. */
int sta_feature_of_stream(struct sta_written *w, uint32_t stream, int64_t *ret);
/* That of one Observation. */
int sta_feature_of(struct sta_written *w, int64_t observation, int64_t *ret);

/* Whether where a thing of the series says it is, is anybody's feature: it says so, or has
 * Observations that are about nothing else. */
bool sta_feature_is_used(struct sta_written *w, uint32_t thing);

/* Datastreams of the series with Observations about a written FeatureOfInterest or a Location, by
 * number, of those that the request may see. 0 with *ret the caller's to free (NULL: none), or an
 * error. */
int sta_feature_streams(struct sta_written *w, int64_t feature, uint32_t **ret, size_t *ret_n);

/* Where those Observations stand: spans of time of one datastream in which all are about it. */
struct sta_span {
	uint32_t thing, stream;
	int64_t from_ms, to_ms; /* half open */
};
/* As above. ERR_TOO_LARGE: more than max. */
int sta_feature_spans(struct sta_written *w, int64_t feature, size_t max, struct sta_span **ret,
                      size_t *ret_n);

/* ---- writing, on the loop ---- */

struct sta_featuring { /* one request's */
	struct web *web;
	const struct req
	    *r; /* whose changes count, when it is one of a group; NULL: there is none */
	struct entities_change *change; /* NULL: nothing is changed yet */
	struct entities_change *(*begin)(void *arg);
	void *arg;
};
struct sta_feature_refusal {
	int status;
	const char *code, *why; /* static */
};
/* What an Observation of x is about: feature, or the one that draft makes, or with neither what the
 * standard says: the Location of its Thing. o->feature is set, and what has to change for it is
 * added to f->change. False: it is refused. */
bool sta_feature_take(struct sta_featuring *f, struct sta_found *x, int64_t feature,
                      const struct sta_draft *draft, struct sta_observation *o,
                      struct sta_feature_refusal *ret);

#endif
