/* arguments.h - the command line of oudpd: oudpd(8). */
#ifndef CONFIG_ARGUMENTS_H
#define CONFIG_ARGUMENTS_H

#include <stdbool.h>

struct arguments {
	const char *config_path; /* NULL: not given */
	bool check_only, foreground, verify, test_echo;
};

/* Ends the process after --help and --version (0), and what is not known (2). -v sets the log's
 * level at once. ret: zeroed by the caller. */
void arguments_read(struct arguments *ret, int argc, char **argv);

#endif
