/* print_conf.c - what the table of options says, for tests/lint-conf: "sample" prints the text that
 * conf/oudpd.conf must be, "table" one line an option; "check FILE" loads a file and prints what is
 * wrong with it. */
#include "config/config.h"

#include <stdio.h>
#include <string.h>

enum { OUTPUT_BYTES_MAX = 1 << 20 };

int main(int argc, char **argv)
{
	struct buf out;
	buf_init(&out, OUTPUT_BYTES_MAX);
	int rc = 0;
	if (argc == 2 && !strcmp(argv[1], "sample")) {
		config_print_sample(&out);
	} else if (argc == 2 && !strcmp(argv[1], "table")) {
		config_print_table(&out);
	} else if (argc == 3 && !strcmp(argv[1], "check")) {
		struct config *c = NULL;
		rc = config_load(argv[2], &c, &out) ? 1 : 0;
		config_free(c);
	} else {
		fprintf(stderr, "usage: print_conf sample | table | check FILE\n");
		return 2;
	}
	fputs(buf_str(&out), stdout);
	if (out.err)
		rc = 2;
	buf_done(&out);
	return rc;
}
