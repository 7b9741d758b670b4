/* mem.h - small fixed allocations that may not fail. Allocation whose size a peer controls uses
 * malloc and is checked, so that it costs that peer and not the process. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/compiler.h"

#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull)); /* zeroed */
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));

/* Zeroed, and in huge pages where the kernel has them: for a table of megabytes that is hit at
 * random, where each page of its own costs a walk of the page table. The size is given back to
 * xtable_free(). */
void *xtable(size_t bytes) __attribute__((returns_nonnull));
void xtable_free(void *p, size_t bytes);

/* auto_free: frees the pointer when the scope ends; for loaders, not for hot paths. */
void mem_auto_free(void *pp);
void mem_auto_close(int *fd);
#define auto_free  __attribute__((cleanup(mem_auto_free)))
#define auto_close __attribute__((cleanup(mem_auto_close)))

#endif
