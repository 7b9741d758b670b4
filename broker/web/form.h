/* form.h - what a form sends: application/x-www-form-urlencoded [URL Standard, 5.1]. Pure. */
#ifndef WEB_FORM_H
#define WEB_FORM_H

#include "base/buf.h"
#include "base/compiler.h"

/* The value of the first field of this name, decoded, appended to ret. 0; ERR_MALFORMED: there is
 * none, or a '%' without two digits; the buffer's error. */
int form_value(struct span body, const char *name, struct buf *ret) MUSTCHECK;

#endif
