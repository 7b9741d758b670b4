/* merge.h - a merge patch (RFC 7396, section 2), for SensorThings and for the register. Pure. */
#ifndef STA_MERGE_H
#define STA_MERGE_H

#include <jansson.h>

/* Takes target over, NULL as if it were no object; gives what it is now, the caller's. Nothing of
 * patch is shared. */
json_t *sta_merge(json_t *target, const json_t *patch);

#endif
