/* cli.h - what the commands of `oudp` share: options, exit status, words for people.
 *
 * One process, one command, then it ends: small allocations are not given back on the way out of an
 * error. A command prints its result on stdout (for machines when --json was given) and everything
 * else on stderr. Nothing here is called by the daemon. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/buf.h"
#include "base/compiler.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

enum { /* exit status, as grep has it */
       CLI_OK = 0,
       CLI_NO = 1,     /* it worked and the answer is no: refused, does not fit, none found */
       CLI_TROUBLE = 2 /* it could not be done; a line on stderr says what to do */
};

struct json_t; /* jansson's; a file that includes json/json.h cannot include jansson.h */

struct cli {
	const struct command *command;
	bool json;                    /* --json: for machines */
	bool terminal;                /* stdout is one */
	bool colour;                  /* and takes colour: not with NO_COLOR, not TERM=dumb */
	unsigned columns;             /* of the terminal; 0: do not cut */
	const char *url;              /* http://127.0.0.1:8080, without the last slash */
	const char *socket;           /* administration */
	const char *data_dir;         /* of the daemon */
	bool url_asked, socket_asked; /* by option or environment, not the default */
	void *curl;                   /* of http.c, from request to request; NULL at first */
};

struct command {
	const char *name;
	int (*run)(struct cli *c, int argc, char **argv); /* argv[0] is the command's name */
	const char *arguments;                            /* for the synopsis */
	const char *what;                                 /* one line */
	const char *help;                                 /* the options, a line each */
};

/* Fills c from the environment: OUDP_URL, OUDP_SOCKET, STATE_DIRECTORY. */
void cli_init(struct cli *c);

enum { /* values of long options that have no letter; own ones of a command start at CLI_OWN */
       CLI_OWN = 1000,
       CLI_END = -1,   /* no more options: arguments start at optind */
       CLI_WRONG = -2, /* said so on stderr: return CLI_TROUBLE */
       CLI_HELP = -3   /* --help where there is no command yet */
};
/* The next option of the command, as getopt_long gives it; takes --json, --url, --socket and
 * --data-dir itself. letters: as for getopt, may be "". own: zero-terminated, may be NULL. */
int cli_option(struct cli *c, int argc, char **argv, const char *letters, const struct option *own);

/* "oudp pub: " and the text on stderr. Returns CLI_TROUBLE, so: return cli_trouble(c, ...). */
int cli_trouble(const struct cli *c, const char *fmt, ...) PRINTF(2, 3);
/* The same, and how the command is used. */
int cli_usage(const struct cli *c, const char *fmt, ...) PRINTF(2, 3);
/* A whole number low..high in ret; says on stderr what is wrong with it. 0 or CLI_TROUBLE. */
int cli_number(const struct cli *c, const char *option, const char *text, uint64_t low,
               uint64_t high, uint64_t *ret) MUSTCHECK;

/* One line of JSON on stdout; takes the reference. */
void cli_print_json(struct json_t *value);
/* Flushes stdout; a full disk or a closed pipe is told. Returns status, or CLI_TROUBLE. */
int cli_finish(const struct cli *c, int status);

/* Reads a file, or stdin for "-", at most max bytes. 0 or CLI_TROUBLE after a line on stderr. */
int cli_read_file(const struct cli *c, const char *path, size_t max, struct buf *ret) MUSTCHECK;

/* SIGINT and SIGTERM are held back from here on; cli_stop() says whether one came. */
void cli_stop_init(void);
bool cli_stop(void);

/* ---- commands, one file per group ---- */
int cmd_check(struct cli *c, int argc, char **argv);
int cmd_schema(struct cli *c, int argc, char **argv);
int cmd_validate(struct cli *c, int argc, char **argv);
int cmd_pub(struct cli *c, int argc, char **argv);
int cmd_tail(struct cli *c, int argc, char **argv);
int cmd_feed(struct cli *c, int argc, char **argv);
int cmd_thing(struct cli *c, int argc, char **argv);
int cmd_series(struct cli *c, int argc, char **argv);
int cmd_quarantine(struct cli *c, int argc, char **argv);
int cmd_refusals(struct cli *c, int argc, char **argv);
int cmd_status(struct cli *c, int argc, char **argv);
int cmd_reload(struct cli *c, int argc, char **argv);
int cmd_bench(struct cli *c, int argc, char **argv);
int cmd_backup(struct cli *c, int argc, char **argv);
int cmd_restore(struct cli *c, int argc, char **argv);
int cmd_rebuild(struct cli *c, int argc, char **argv);
int cmd_compact(struct cli *c, int argc, char **argv);
int cmd_demo(struct cli *c, int argc, char **argv);
int cmd_organisation(struct cli *c, int argc, char **argv);
int cmd_identity(struct cli *c, int argc, char **argv);
int cmd_grant(struct cli *c, int argc, char **argv);
int cmd_audit(struct cli *c, int argc, char **argv);

#endif
