/* template.h - {now}, {now-1h}, {last} in URLs and bodies: RFC 3339, UTC, whole seconds. */
#ifndef HOST_TEMPLATE_H
#define HOST_TEMPLATE_H

#include <jv.h>
#include <stdint.h>

/* {last} is position.last, or now less catch_up_ms. What is in braces and is none of these stays.
 * Allocated; NULL for NULL. */
char *template_expand(const char *text, int64_t now_ms, jv position, int64_t catch_up_ms);

#endif
