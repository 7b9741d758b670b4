/* detail.h - what an Observation has beside its result and the instant that it is known by:
 * resultTime, validTime, parameters, resultQuality (SensorThings 1.1, 8.2.7), a phenomenonTime that
 * is an interval, a result that the series cannot keep (an object or array, a long text, a whole
 * number that is no double), and a FeatureOfInterest that is not its Datastream's. One JSON object
 * with those that it has, none of them null: as it goes with the message, as it is kept, as it is
 * changed. Pure. */
#ifndef STA_DETAIL_H
#define STA_DETAIL_H

#include "sta/source.h"

enum sta_detail_member {
	STA_D_RESULT_TIME,
	STA_D_VALID_TIME,
	STA_D_PARAMETERS,
	STA_D_RESULT_QUALITY,
	STA_D_PHENOMENON_TIME,
	STA_D_RESULT,
	STA_D_FEATURE, /* {"@iot.id": 5} */
	STA_DETAIL_MEMBERS
};
extern const char *const sta_detail_names[STA_DETAIL_MEMBERS];

/* A time of an Observation: RFC 3339, or with an offset as ISO 8601 has it in short, -0700. 0 or
 * ERR_MALFORMED. */
int sta_detail_time(struct span s, int64_t *ret_ms) MUSTCHECK;
/* NULL, or what is wrong with it; static. */
const char *sta_detail_check(struct span text);
/* The same of one member, its value as JSON. */
const char *sta_detail_check_member(enum sta_detail_member m, struct span value);
bool sta_detail_has(struct span text, enum sta_detail_member m);
/* The number of its FeatureOfInterest; 0: that of its Datastream. */
int64_t sta_detail_feature(struct span text);
/* Whether they say the same, but for the feature; n 0: nothing. */
bool sta_detail_equal(struct span a, struct span b);
/* The members that text has are set in an Observation, but not the feature, which is a relation.
 * resultQuality: before the words for the flags, where there are both. */
void sta_detail_show(json_t *observation, struct span text);

/* PATCH (RFC 7396) or PUT (whole) of an Observation: now is the Observation as it stands, with its
 * result and phenomenonTime (an instant) and the members of its detail. The result is a whole body
 * for the same Observation, or NULL with *ret_code and *ret_why, static. The caller frees. */
char *sta_detail_change(struct span now, struct span body, bool whole, const char **ret_code,
                        const char **ret_why);

#endif
