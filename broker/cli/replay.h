/* replay.h - stored messages tried against a schema, the refusals in groups by rule and place. */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

#include "base/hash.h"
#include "cli/cli.h"
#include "schema/schema.h"

enum {
	REPLAY_GROUPS_MAX = 100,
	REPLAY_NAMES = 3
}; /* more groups are counted as one; nobody reads them */

struct replay_group {
	char rule[32], pointer[160]; /* an item's index is "*" */
	uint64_t count, sequence;    /* of the first one */
	char text[400];              /* its verdict */
	struct map things;           /* all of them */
	unsigned n_things;
	char *names[REPLAY_NAMES]; /* the first of them */
};

struct replay {
	struct cli *cli;
	const char *feed;
	const struct schema *schema;
	uint64_t messages, refused, first, last, ungrouped;
	struct replay_group groups[REPLAY_GROUPS_MAX];
	unsigned n_groups;
	/* private */
	struct schema_scratch scratch;
	struct extract *extract;
};

/* Fetches the messages after sequence `after` up to `last` and tries them. The groups come out with
 * the largest first. 0 or CLI_TROUBLE (told). */
int replay_run(struct replay *r, uint64_t after, uint64_t last) MUSTCHECK;
void replay_done(struct replay *r);

#endif
