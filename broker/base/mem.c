/* mem.c - see mem.h. */
#include "base/mem.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>
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

void mem_auto_free(void *pp)
{
	free(*(void **)pp);
}

void mem_auto_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
