/* source_file.c - files that are there or come: one, or those of a directory by their names. A file
 * that has changed (size, time, inode) is taken again, after what was delivered of it.
 *
 * Position: {"files": {name: {mark, inode, records}}}; done files have the mark of their state. */
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "host/worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct files {
	struct worker *w;
	jv seen; /* of files that are there; becomes position.files */
	char *name;
	jv entry; /* of the file being read */
	bool failed;
};

static int keep(struct files *f)
{
	return worker_keep(f->w, JV_OBJECT(jv_string("files"), jv_copy(f->seen)));
}

static int on_checkpoint(struct worker *w, uint64_t records, uint64_t offset)
{
	struct files *f = w->checkpoint_ctx;
	(void)offset;
	f->entry = jv_object_set(f->entry, jv_string("records"), jv_number((double)records));
	f->seen = jv_object_set(f->seen, jv_string(f->name), jv_copy(f->entry));
	return keep(f);
}

static bool text_is(jv entry, const char *name, const char *text)
{
	jv v = jv_is_valid(entry) ? jv_object_get(jv_copy(entry), jv_string(name)) : jv_invalid();
	bool is = jv_get_kind(v) == JV_KIND_STRING && strcmp(jv_string_value(v), text) == 0;
	jv_free(v);
	return is;
}

static uint64_t delivered_of(jv entry)
{
	jv v = jv_object_get(jv_copy(entry), jv_string("records"));
	uint64_t n = jv_get_kind(v) == JV_KIND_NUMBER ? (uint64_t)jv_number_value(v) : 0;
	jv_free(v);
	return n;
}

static int feed_file(struct files *f, int fd)
{
	char buf[64 << 10];
	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n < 0)
			return -errno;
		int err = n > 0 ? worker_feed(f->w, buf, (size_t)n) : worker_end(f->w);
		if (err < 0 || n == 0)
			return err;
	}
}

/* Rows of a table that grew are taken after those that were; a document that changed is a new one.
 */
static bool grows(const struct connector_conf *k)
{
	return k->decoder == DECODE_NDJSON || k->decoder == DECODE_CSV;
}

static int take_file(struct files *f, const char *path, const char *name)
{
	char mark[80], inode[32];
	struct stat st;
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		f->failed = f->failed || fd < 0;
		return 0;
	}
	snprintf(mark, sizeof(mark), "%lld-%lld.%09ld", (long long)st.st_size,
	         (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	snprintf(inode, sizeof(inode), "%llu", (unsigned long long)st.st_ino);
	jv old = jv_object_get(jv_copy(f->seen), jv_string(name));
	if (jv_get_kind(old) == JV_KIND_OBJECT && text_is(old, "mark", mark) &&
	    text_is(old, "inode", inode)) {
		jv_free(old);
		return 0;
	}
	bool same = jv_get_kind(old) == JV_KIND_OBJECT && text_is(old, "inode", inode) &&
	            (grows(f->w->conf) || text_is(old, "reading", mark));
	uint64_t skip = same ? delivered_of(old) : 0;
	jv_free(old);
	f->entry =
	    JV_OBJECT(jv_string("inode"), jv_string(inode), jv_string("reading"), jv_string(mark));
	f->name = xstrdup(name);
	worker_begin(f->w, JV_OBJECT(jv_string("file"), jv_string(name)), skip, 0);
	f->w->checkpoint = on_checkpoint;
	f->w->checkpoint_ctx = f;
	int err = feed_file(f, fd);
	f->w->checkpoint = NULL;
	if (err == ERR_MALFORMED) {
		f->failed = true;
		err = 0;
	}
	if (err == 0)
		err = worker_deliver(f->w);
	if (err == 0) {
		f->entry = jv_object_set(f->entry, jv_string("mark"), jv_string(mark));
		err = on_checkpoint(f->w, f->w->record, 0);
	}
	jv_free(f->entry);
	free(f->name);
	return err;
}

static int take_directory(struct files *f, const char *path)
{
	struct dirent **list;
	int n = scandir(path, &list, NULL, alphasort), err = 0;
	if (n < 0)
		return -errno;
	if (n > LIMIT_CONNECT_FILES) {
		worker_source_failed(f->w, "%s: more than %d files", path, LIMIT_CONNECT_FILES);
		f->failed = true;
	}
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;
		auto_free char *full = NULL;
		if (err == 0 && n <= LIMIT_CONNECT_FILES && name[0] != '.' &&
		    fnmatch(f->w->conf->pattern, name, 0) == 0 &&
		    asprintf(&full, "%s/%s", path, name) >= 0)
			err = take_file(f, full, name);
		free(list[i]);
	}
	free(list);
	return err;
}

static int round_of(struct files *f)
{
	const char *path = f->w->conf->path;
	struct stat st;
	f->failed = false;
	if (stat(path, &st) < 0) {
		worker_source_failed(f->w, "%s: %s", path, strerror(errno));
		f->failed = true;
		return 0;
	}
	const char *slash = strrchr(path, '/');
	int err = S_ISDIR(st.st_mode) ? take_directory(f, path)
	                              : take_file(f, path, slash ? slash + 1 : path);
	if (err == 0 && !f->failed)
		worker_source_ok(f->w);
	return err;
}

int source_file(struct worker *w)
{
	jv position = worker_position(w);
	struct files f = {.w = w};
	if (!jv_is_valid(position)) {
		worker_source_failed(w, "the position in %s cannot be read", w->config->state_dir);
		jv_free(position);
		return ERR_STORE_DAMAGED;
	}
	f.seen = jv_object_get(position, jv_string("files"));
	if (jv_get_kind(f.seen) != JV_KIND_OBJECT) {
		jv_free(f.seen);
		f.seen = jv_object();
	}
	int err;
	do {
		err = round_of(&f);
		if (err == 0 && w->once)
			break;
		if (err == 0)
			err = worker_sleep(w, w->conf->interval_ms);
	} while (err == 0);
	jv_free(f.seen);
	return err == 0 && f.failed ? -EIO : err;
}
