/* noticed.h - tells what the series noticed about a sensor (series/news.h): many values out of
 * range, or a level that jumped. Becomes a message in the feed oudp-alerts, when there is one, and
 * a run of alert-command:
 *
 *    {"thing": "ams-01", "feed": "air", "property": "pm25", "quality": "implausible",
 *     "share": 0.25, "time": "2026-11-24T12:00:00.000Z", "message": "..."}
 *
 * quality: implausible, plausible (it is over), jump (with "value"). What the journal held before
 * the start was told then. */
#ifndef STATUS_NOTICED_H
#define STATUS_NOTICED_H

#include "status/alert.h"

struct series;
struct noticed;

struct noticed *noticed_new(struct alerts *a, struct series *s);
void noticed_tick(struct noticed *n); /* once a second */
void noticed_free(struct noticed *n); /* accepts NULL */

#endif
