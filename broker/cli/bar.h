/* bar.h - one line on standard error that says how far something is. Nothing for a machine. */
#ifndef CLI_BAR_H
#define CLI_BAR_H

#include "cli/cli.h"

/* Is there somebody to look at it? */
bool bar_wanted(const struct cli *c);
/* part: 0 to 1; what stands behind it follows. */
void bar_draw(double part, const char *fmt, ...) PRINTF(2, 3);
void bar_clear(void);

#endif
