/* mem.c - see mem.h. */
#include "base/mem.h"

#include "base/log.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *check(void *p, size_t size)
{
	if (!p)
		fatal("out of memory wanted=%zu", size);
	return p;
}

void *xmalloc(size_t size)
{
	return check(malloc(size ? size : 1), size);
}
void *xcalloc(size_t n, size_t size)
{
	return check(calloc(n ? n : 1, size ? size : 1), n * size);
}
void *xrealloc(void *p, size_t size)
{
	return check(realloc(p, size ? size : 1), size);
}
char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
	char *p = xmalloc(n + 1);
	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

enum { HUGE_PAGE_BYTES = 2 << 20 };

void *xtable(size_t bytes)
{
	size_t room = bytes + HUGE_PAGE_BYTES;
	char *p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		check(NULL, bytes);
	size_t before = -(uintptr_t)p & (HUGE_PAGE_BYTES - 1);
	if (before)
		munmap(p, before);
	munmap(p + before + bytes, room - before - bytes);
	madvise(p + before, bytes, MADV_HUGEPAGE); /* a wish: without it the table is slower */
	return p + before;
}

void xtable_free(void *p, size_t bytes)
{
	munmap(p, bytes);
}

void mem_auto_free(void *pp)
{
	free(*(void **)pp);
}

void mem_auto_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
