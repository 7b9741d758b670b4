/* program.h - one jq program, compiled, within a bound of CPU time; knows nothing of what it is
 * for.
 *
 * The bound is the process's: it ends with MAPPING_TOO_LONG, for jq cannot be stopped from outside.
 * A program may run within the callbacks of another one; the time counts for the outer record. */
#ifndef HOST_PROGRAM_H
#define HOST_PROGRAM_H

#include "base/compiler.h"

#include <jq.h>
#include <stdio.h>

enum { MAPPING_TOO_LONG = 75 }; /* exit status */

struct program {
	jq_state *jq;
	const char *name; /* of its file; the caller's, while it compiles */
	FILE *complaints; /* the same */
	char error[512];
	int n_errors;
};

/* Its text, of at most 1 MB; NULL: the file cannot be read. Allocated. */
char *program_read(const char *file);
/* Takes args (an object: names to values) over. lib_dir may be NULL. 0, or ERR_INVALID after what
 * jq said on complaints (may be NULL) with the name; program_done() is called either way. */
int program_init(struct program *p, const char *name, const char *text, const char *lib_dir,
                 jv args, FILE *complaints) MUSTCHECK;
void program_done(struct program *p);

/* Takes input over; what was left of a run before is let go. */
void program_start(struct program *p, jv input);
/* The next result; one that is not valid ends the run, and is program_end()'s to judge. */
jv program_next(struct program *p);
/* Takes last over. 0, or ERR_INVALID with a text in p->error. */
int program_end(struct program *p, jv last) MUSTCHECK;

#endif
