/* load.c - files and includes; the life of a struct config.
 *
 * include() is not libConfuse's, which takes one file and no pattern: a file's includes are noted
 * while it is parsed and read after it, sorted by name. As an option may be given once, the order
 * decides nothing but the order of blocks. */
#include "config/load.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "config/value.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ---- */

/* The whole file as a string to free, or NULL with a problem noted at the place that named it. */
static char *read_whole(struct loader *ld, const char *path, unsigned file, int line,
                        struct stat *ret_st)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ld->cut = true; /* until it is read */
	if (fd < 0 || fstat(fd, ret_st)) {
		problem_add(ld, file, line, false, "cannot open %s: %s", path, strerror(errno));
		return NULL;
	}
	char *text = NULL;
	size_t n = 0, cap = 0;
	for (ssize_t got = 1; got > 0;) {
		if (cap - n < 2) {
			cap = cap ? cap * 2 : 16384;
			text = xrealloc(text, cap);
		}
		got = read(fd, text + n, cap - n - 1);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got > 0)
			n += (size_t)got;
		else if (got < 0)
			problem_add(ld, file, line, false, "cannot read %s: %s", path,
			            strerror(errno));
		if (got < 0 || n > LIMIT_CONFIG_BYTES) {
			if (got >= 0)
				problem_add(ld, file, line, false,
				            "%s is larger than %d bytes; split it with include()",
				            path, LIMIT_CONFIG_BYTES);
			free(text);
			return NULL;
		}
	}
	text[n] = 0;
	if (strlen(text) < n) {
		problem_add(ld, file, line, false, "%s holds a zero byte; it must be a text file",
		            path);
		free(text);
		return NULL;
	}
	return text;
}

static unsigned add_source(struct loader *ld, const char *name)
{
	ld->sources = xrealloc(ld->sources, (ld->n_sources + 1) * sizeof(*ld->sources));
	ld->sources[ld->n_sources] = (struct source){.name = xstrdup(name)};
	return (unsigned)ld->n_sources++;
}

/* The directory of a file, absolute, to free. */
static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	auto_free char *dir =
	    slash ? xstrndup(path, slash == path ? 1 : (size_t)(slash - path)) : xstrdup(".");
	char *real = realpath(dir, NULL);
	return real ? real : xstrdup(dir);
}

static void read_file(struct loader *ld, const char *path, unsigned by, int line, int depth);

/* Names are in order: glob() sorts. A pattern that matches nothing is fine, a file that is not
 * there is not. */
static void read_include(struct loader *ld, const struct include *in, const char *dir, unsigned by,
                         int depth)
{
	char pattern[PATH_MAX];
	bool absolute = in->pattern[0] == '/';
	int n = snprintf(pattern, sizeof(pattern), "%s%s%s", absolute ? "" : dir,
	                 absolute ? "" : "/", in->pattern);
	if (n < 0 || n >= (int)sizeof(pattern)) {
		problem_add(ld, by, in->line, false, "include: this path is too long");
		return;
	}
	glob_t found = {0};
	int rc = glob(pattern, 0, NULL, &found);
	if (rc == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			read_file(ld, found.gl_pathv[i], by, in->line, depth);
	} else if (rc != GLOB_NOMATCH) {
		problem_add(ld, by, in->line, false, "include: cannot look for %s", pattern);
	} else if (!strpbrk(in->pattern, "*?[")) {
		problem_add(ld, by, in->line, false, "include: there is no file %s", pattern);
	}
	globfree(&found);
}

/* text is scribbled on. */
static void read_text(struct loader *ld, char *text, unsigned file, const char *dir, int depth)
{
	ld->file = file;
	ld->dir = dir;
	parse_text(ld, text);
	struct include *includes = ld->includes;
	size_t n = ld->n_includes;
	ld->includes = NULL;
	ld->n_includes = 0;
	for (size_t i = 0; i < n; i++) {
		if (!ld->files)
			problem_add(ld, file, includes[i].line, false,
			            "include() cannot be used in this text");
		else
			read_include(ld, &includes[i], dir, file, depth + 1);
		free(includes[i].pattern);
	}
	free(includes);
}

/* by, line: the include() that asks for it. */
static void read_file(struct loader *ld, const char *path, unsigned by, int line, int depth)
{
	if (ld->n_sources >= LIMIT_CONFIG_FILES || depth > LIMIT_CONFIG_DEPTH) {
		problem_add(ld, by, line, false,
		            "include: at most %d files, %d deep; put some of them together",
		            LIMIT_CONFIG_FILES, LIMIT_CONFIG_DEPTH);
		return;
	}
	struct stat st;
	bool cut = ld->cut;
	auto_free char *text = read_whole(ld, path, by, line, &st);
	if (!text)
		return;
	ld->cut = cut;
	for (size_t i = 0; i < ld->n_sources; i++)
		if (ld->sources[i].ino == st.st_ino && ld->sources[i].dev == st.st_dev) {
			problem_add(ld, by, line, false,
			            "include: %s is read already; include a file once", path);
			return;
		}
	unsigned file = depth ? add_source(ld, path) : by;
	ld->sources[file].dev = st.st_dev;
	ld->sources[file].ino = st.st_ino;
	auto_free char *dir = dir_of(path);
	read_text(ld, text, file, dir, depth);
}

/* ---- a whole configuration ---- */

static void loader_init(struct loader *ld, const char *name, bool files)
{
	*ld = (struct loader){.config = xcalloc(1, sizeof(struct config)), .files = files};
	add_source(ld, name);
}

/* Where it is told what people should hear of. Who declares a feed of this name has their own. */
static void add_alerts_feed(struct loader *ld)
{
	static const char text[] =
	    "feed \"oudp-alerts\" { title = \"Alerts\" description = \"Things that fall silent, "
	    "that are back, and whose values are odd; organisations that end.\" topics = { "
	    "\"oudp/alerts/{thing}\" } "
	    "schemas = { \"any\" } access = restricted keep-messages-max = 100MB }\n";
	struct config *c = ld->config;
	bool cadence = false;
	for (size_t i = 0; i < c->n_feeds; i++) {
		cadence |= c->feeds[i].cadence_s > 0;
		if (strcmp(c->feeds[i].name, "oudp-alerts") == 0)
			return;
	}
	if (c->n_feeds == 0 || (c->n_feeds == LIMIT_FEEDS && !cadence))
		return; /* nothing to tell of, or little, and no place to tell it */
	auto_free char *copy = xstrdup(text);
	read_text(ld, copy, add_source(ld, "(built in)"), "", 0);
	for (size_t i = 0; i < c->n_feeds; i++)
		c->feeds[i].alerts |= strcmp(c->feeds[i].name, "oudp-alerts") == 0;
}

/* Checks, prints, and gives the configuration away when there is no error. */
static int loader_finish(struct loader *ld, struct config **ret, struct buf *errors)
{
	add_alerts_feed(ld);
	check_all(ld);
	problems_print(ld, errors);
	int err = ld->n_errors ? ERR_CONFIG : 0;
	if (err)
		config_free(ld->config);
	else
		*ret = ld->config;
	for (size_t i = 0; i < ld->n_sources; i++)
		free(ld->sources[i].name);
	free(ld->sources);
	free(ld->listeners);
	free(ld->tls);
	free(ld->issuers);
	free(ld->feeds);
	problems_done(ld);
	return err;
}

int config_parse(const char *name, const char *text, bool files, struct config **ret,
                 struct buf *errors)
{
	assert(name && text && ret && errors);
	struct loader ld;
	loader_init(&ld, name, files);
	auto_free char *copy = xstrdup(text);
	read_text(&ld, copy, 0, "", 0);
	return loader_finish(&ld, ret, errors);
}

int config_load(const char *path, struct config **ret, struct buf *errors)
{
	assert(ret && errors);
	if (!path && access(CONFIG_PATH, F_OK) && errno == ENOENT)
		return config_parse("(embedded default)", config_embedded(), false, ret, errors);
	if (!path)
		path = CONFIG_PATH;
	struct loader ld;
	loader_init(&ld, path, true);
	ld.config->path = realpath(path, NULL);
	if (!ld.config->path)
		ld.config->path = xstrdup(path);
	read_file(&ld, path, 0, 0, 0);
	return loader_finish(&ld, ret, errors);
}

static void free_blocks(enum block b, void *blocks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		block_free(b, (char *)blocks + i * block_size(b));
	free(blocks);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	free_blocks(BLOCK_LISTENER, c->listeners, c->n_listeners);
	free_blocks(BLOCK_TLS, c->tls, c->n_tls);
	free_blocks(BLOCK_ISSUER, c->issuers, c->n_issuers);
	free_blocks(BLOCK_FEED, c->feeds, c->n_feeds);
	block_free(BLOCK_ROOT, c);
	free(c->path);
	free(c);
}

/* ---- finding ---- */

const struct config_feed *config_feed_find(const struct config *c, struct span name)
{
	for (size_t i = 0; i < c->n_feeds; i++)
		if (span_is(name, c->feeds[i].name))
			return &c->feeds[i];
	return NULL;
}

const struct config_tls *config_tls_find(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_tls; i++)
		if (!strcmp(c->tls[i].name, name))
			return &c->tls[i];
	return NULL;
}

const char *config_feed_word(const char *option, int v)
{
	const struct row *r = row_find(BLOCK_FEED, option, NULL);
	assert(r && r->words && v >= 0);
	return r->words[v];
}

const char *config_access_text(enum config_access v)
{
	assert(v <= CONFIG_INTERNAL);
	return config_feed_word("access", (int)v);
}

const char *config_priority_text(enum config_priority v)
{
	assert(v <= CONFIG_BULK);
	return config_feed_word("priority", (int)v);
}
