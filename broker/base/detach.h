/* detach.h - a daemon goes to the background. */
#ifndef BASE_DETACH_H
#define BASE_DETACH_H

#include "base/compiler.h"

/* The parent stays until the child is ready, so that its exit status tells: 0 when the child writes
 * a byte to what this returns, 1 when it ends without. The child closes it. Ends the process when
 * it cannot fork. */
int detach(void) MUSTCHECK;

#endif
