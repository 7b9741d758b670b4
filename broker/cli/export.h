/* export.h - `oudp feed export`: all there is of a feed, in files that need no broker to be read:
 * feed.json (its contract), events.ndjson (the log, CloudEvents), observations.csv and
 * datastreams.csv (the series), things.ndjson (the register). */
#ifndef CLI_EXPORT_H
#define CLI_EXPORT_H

#include "cli/cli.h"

/* dir must not exist yet. */
int feed_export(struct cli *c, const char *feed, const char *dir);

#endif
