/* arguments.c - see arguments.h. */
#include "config/arguments.h"

#include "base/log.h"
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void usage(FILE *to)
{
	fputs("usage: oudpd [-f FILE] [-n] [-d] [-v] [--verify] [--test-echo]\n"
	      "  -f FILE      configuration (default: " CONFIG_PATH
	      ", else a built-in one for this machine only)\n"
	      "  -n           check the configuration and the schemas, print all errors, and exit\n"
	      "  -d           stay in the foreground\n"
	      "  -v           say more (debug)\n"
	      "  --verify     walk the whole store before starting\n"
	      "  --test-echo  serve a WebSocket echo at /test/echo, for test suites\n",
	      to);
}

void arguments_read(struct arguments *ret, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i];
		if (strcmp(a, "-f") == 0 && i + 1 < argc)
			ret->config_path = argv[++i];
		else if (strcmp(a, "-n") == 0)
			ret->check_only = true;
		else if (strcmp(a, "-d") == 0)
			ret->foreground = true;
		else if (strcmp(a, "-v") == 0)
			log_set_level(LOG_LEVEL_DEBUG);
		else if (strcmp(a, "--verify") == 0)
			ret->verify = true;
		else if (strcmp(a, "--test-echo") == 0)
			ret->test_echo = true;
		else if (strcmp(a, "-h") == 0 || strcmp(a, "--help") == 0) {
			usage(stdout);
			exit(0);
		} else if (strcmp(a, "--version") == 0) {
			puts("oudpd " OUDP_VERSION);
			exit(0);
		} else {
			fprintf(stderr, "oudpd: unknown argument %s\n", a);
			usage(stderr);
			exit(2);
		}
	}
}
