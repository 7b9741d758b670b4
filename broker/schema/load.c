/* load.c - reads schema files. */
#include "schema/load.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "schema/build.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, struct buf *out)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return ERR_NOT_FOUND;
	for (;;) {
		char *p = buf_room(out, 16384);
		if (!p)
			return out->err;
		ssize_t n = read(fd, p, 16384);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		out->len += (size_t)n;
	}
}

/* The file's real path if it is inside the directory, else NULL. */
static char *real_path_inside(const char *dir, struct span path)
{
	auto_free char *root = realpath(dir, NULL);
	if (!root || path.n > PATH_MAX || memchr(path.p, '\0', path.n))
		return NULL;
	size_t n = strlen(root);
	auto_free char *joined = xmalloc(n + path.n + 2);
	snprintf(joined, n + path.n + 2, "%s/%.*s", root, (int)path.n, path.p);
	char *real = realpath(joined, NULL);
	if (real && (strncmp(real, root, n) != 0 || (real[n] != '/' && n > 1))) {
		free(real);
		return NULL;
	}
	return real;
}

int load_file(const char *dir, struct span path, struct buf *out)
{
	assert(dir && out);
	auto_free char *real = real_path_inside(dir, path);
	if (!real)
		return ERR_NOT_FOUND;
	auto_close int fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : -errno;
	return read_all(fd, out);
}

/* A schema_loader over a NULL-terminated array of directories. */
static int load_from_dirs(void *dirs, struct span uri, struct buf *out)
{
	const char *const *dir = dirs;
	size_t n = sizeof(SCHEMA_URI_ROOT) - 1;
	if (uri.n <= n || memcmp(uri.p, SCHEMA_URI_ROOT, n) != 0)
		return ERR_NOT_FOUND;
	struct span path = span_of(uri.p + n, uri.n - n);
	int err = ERR_NOT_FOUND;
	for (; dir && *dir && err == ERR_NOT_FOUND; dir++)
		err = load_file(*dir, path, out);
	return err;
}

int schema_compile(struct span source, const char *name, unsigned version, const char *const *dirs,
                   struct schema **ret, char *why, size_t why_size)
{
	char uri[160];
	assert(name && ret);
	snprintf(uri, sizeof(uri), SCHEMA_URI_ROOT "%s/%u/schema.json", name, version);
	struct schema_options opt = {
	    .load = load_from_dirs,
	    .ctx = (void *)dirs,
	    .uri = uri,
	};
	return schema_build(source, name, version, &opt, ret, why, why_size);
}
