/* state.h - what a connector keeps on disk: one small JSON file, replaced whole and synced. */
#ifndef HOST_STATE_H
#define HOST_STATE_H

#include "base/compiler.h"

#include <jv.h>

/* The object in <dir>/<name>.json; an empty object when there is none. Invalid when it cannot be
 * read or is damaged: then nobody may begin anew by accident. */
jv state_load(const char *dir, const char *name) MUSTCHECK;

/* Takes value over. On return 0 it is on the disk, or the former one still is. */
int state_save(const char *dir, const char *name, jv value) MUSTCHECK;

#endif
