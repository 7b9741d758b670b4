/* ledger.h - what was erased, so that it is erased again from a backup that still has it. Pure but
 * for the file.
 *
 * DATA-DIR/erased, a line each, only ever longer:
 *
 *   TIME SALT HASH ORGANISATION REASON
 *
 * TIME: what was stored up to then goes. HASH: SHA-256 of SALT, organisation, 0, thing: the ledger
 * does not name what it made to be forgotten. A restore puts the time of the restore in front of
 * the lines, which makes them new ones, so that they are worked off again. */
#ifndef REGISTER_LEDGER_H
#define REGISTER_LEDGER_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum { ERASURE_SALT_BYTES = 16, ERASURE_HASH_BYTES = 32, ERASURE_REASON_BYTES = 200 };

struct erasure {
	int64_t until_ms;
	uint8_t salt[ERASURE_SALT_BYTES], hash[ERASURE_HASH_BYTES];
	char organisation[65];
	char reason[ERASURE_REASON_BYTES + 1];
	char id[17]; /* of the line: hexadecimal, for the row that says how far it is */
};

/* A new one, with a salt of its own. reason: no line end; cut. */
void erasure_make(struct erasure *e, int64_t until_ms, struct span organisation, struct span thing,
                  struct span reason);
bool erasure_matches(const struct erasure *e, struct span organisation, struct span thing);

void erasure_write(const struct erasure *e, struct buf *line);     /* with its line end */
int erasure_read(struct span line, struct erasure *ret) MUSTCHECK; /* without; ERR_MALFORMED */

/* Appends a line to path and syncs it; the file is made (0600) when it is not there. -errno. */
int ledger_append(const char *path, struct span line) MUSTCHECK;
/* Calls each for every line. A last line without its end was not written whole, and is passed over:
 * its erasure was not begun. 0, -errno (no file is 0), ERR_MALFORMED, or what each returned. */
int ledger_each(const char *path, int (*each)(void *arg, const struct erasure *e),
                void *arg) MUSTCHECK;

#endif
