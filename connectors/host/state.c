/* state.c - does not know what a position means; does write it so that a power cut leaves the old
 * or the new one. */
#include "host/state.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path_of(const char *dir, const char *name, const char *end)
{
	char *p = NULL;
	if (asprintf(&p, "%s/%s%s", dir, name, end) < 0)
		abort();
	return p;
}

jv state_load(const char *dir, const char *name)
{
	auto_free char *path = path_of(dir, name, ".json");
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0)
		return errno == ENOENT ? jv_object() : jv_invalid();
	if (fstat(fd, &st) < 0 || st.st_size > LIMIT_CONNECT_STATE_BYTES)
		return jv_invalid();
	auto_free char *text = xmalloc((size_t)st.st_size + 1);
	ssize_t n = read(fd, text, (size_t)st.st_size);
	if (n != st.st_size)
		return jv_invalid();
	jv v = jv_parse_sized(text, (int)n);
	if (jv_get_kind(v) != JV_KIND_OBJECT) {
		jv_free(v);
		return jv_invalid();
	}
	return v;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int state_save(const char *dir, const char *name, jv value)
{
	auto_free char *path = path_of(dir, name, ".json");
	auto_free char *temporary = path_of(dir, name, ".json.new");
	jv text = jv_dump_string(value, JV_PRINT_SORTED);
	int err = 0;
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		err = -errno;
	else
		err = write_all(fd, jv_string_value(text),
		                (size_t)jv_string_length_bytes(jv_copy(text)));
	if (err == 0 && fsync(fd) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	if (err == 0 && rename(temporary, path) < 0)
		err = -errno;
	if (err == 0) {
		auto_close int d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (d < 0 || fsync(d) < 0)
			err = -errno;
	}
	jv_free(text);
	return err;
}
