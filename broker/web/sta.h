/* sta.h - SensorThings on the time series: which entity is what.
 *
 *   Thing               a thing in one feed (its number in the series); properties.feed,
 *                       properties.thing and properties.organisation say whose it is. What is
 *                       registered has name, description and place of its entry; who may read
 *                       the data of a thing may see its entry
 *   Datastream          a datastream of the series, same number
 *   Observation         number of the datastream * 2^42 + phenomenonTime in ms since 1970; earlier
 *                       ones and those of datastreams above 2^21 are not shown
 *   Location, FeatureOfInterest   where the thing is now, else where the register has it; the
 *                       thing's number
 *   HistoricalLocation  where it was: number of the thing * 2^42 + ms
 *   Sensor              what reports for the thing; the thing's number
 *   MultiDatastream     the datastreams of a thing that has from two to LIMIT_STA_MULTI which
 *                       nobody wrote, side by side; the thing's number
 *   ObservedProperty    by its definition (else the member's name): 53 bits of a hash that never
 *                       changes */
#ifndef WEB_STA_H
#define WEB_STA_H

#include "base/limits.h"
#include "series/series.h"
#include "sta/source.h"
#include "web/permit.h"

#include <stdatomic.h>

struct things;

/* Which datastream had an ObservedProperty last, by its number: looked at before it is believed.
 * Any thread. */
struct sta_hints {
	_Atomic uint32_t stream[LIMIT_STA_HINTS];
};

struct sta_hints *sta_hints_new(void); /* free() */

struct sta_things { /* one for a request, used by one thread */
	struct series *series;
	struct permit *permit;
	struct things *register_; /* NULL: there is none */
	const char *base_url;     /* without a slash at its end */
	struct sta_hints *hints;  /* NULL: none are kept */
	/* Whether a datastream is described by a written one, so that it makes no ObservedProperty
	 * of its own; NULL: none is. */
	bool (*written)(void *arg, uint32_t stream);
	/* Whether its Observations are not shown, or as parts of others; NULL: none. */
	bool (*aside)(void *arg, uint32_t stream);
	void *written_arg; /* of both */
	int64_t feature;   /* of the Observation that a walk visits; 0: its Datastream's */
	struct {           /* the datastream looked up last */
		bool there;
		uint32_t id, thing_id;
		int64_t since_ms;
		int64_t property;
	} last;
};

struct sta_source sta_things_source(struct sta_things *t);

struct req;
void sta_landing_page(struct req *r); /* answers */

#endif
