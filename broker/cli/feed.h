/* feed.h - the table of feeds, for `oudp feed list` and `oudp status`. */
#ifndef CLI_FEED_H
#define CLI_FEED_H

#include "cli/cli.h"

struct json_t;
void feed_print_table(const struct cli *c, const struct json_t *feeds); /* array of /v1/feeds */
/* A line for each schema version that ends soon or has ended. */
void feed_print_ending(const struct json_t *feeds);

/* `oudp feed report FEED --privacy`; report.c. */
int feed_report(struct cli *c, const char *feed);

#endif
