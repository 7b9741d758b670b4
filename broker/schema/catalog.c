/* catalog.c - walks the schema directories, compiles what is there, tells everything that is wrong.
 */
#include "schema/catalog.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"
#include "schema/load.h"
#include "schema/node.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { VERSION_MAX = 65535, NAME_BYTES_MAX = 63 }; /* a record keeps the version in 16 bits */

struct catalog {
	struct schema **schemas;
	size_t n, cap;
	struct map by_id;
};

struct loading {
	struct catalog *c;
	const char *const *dirs;
	struct buf *why;
	struct map seen; /* name/version of earlier directories, also of those that failed */
	bool failed;
};

static void complain(struct loading *l, const char *dir, const char *path, const char *what)
{
	l->failed = true;
	buf_addf(l->why, "%s/%s: %s\n", dir, path, what);
}

static bool name_valid(const char *s)
{
	size_t n = strlen(s);
	for (size_t i = 0; i < n; i++) {
		char c = s[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		             (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
		if (!plain)
			return false;
	}
	return n > 0 && n <= NAME_BYTES_MAX;
}

static void add_schema(struct catalog *c, struct schema *sc)
{
	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 32;
		c->schemas = xrealloc(c->schemas, c->cap * sizeof(*c->schemas));
	}
	c->schemas[c->n++] = sc;
	map_set(&c->by_id, span_str(schema_id(sc)), sc);
}

static void load_version(struct loading *l, const char *dir, const char *name, unsigned version)
{
	char path[128], why[600] = "";
	struct schema *sc = NULL;
	struct buf source;
	snprintf(path, sizeof(path), "%.63s/%u", name, version);
	if (map_set(&l->seen, span_str(path), l))
		return; /* an earlier directory has it */
	snprintf(path, sizeof(path), "%.63s/%u/schema.json", name, version);
	buf_init(&source, LIMIT_SCHEMA_BYTES + 16384);
	int err = load_file(dir, span_str(path), &source);
	if (err)
		complain(l, dir, path, err == ERR_NOT_FOUND ? "is missing" : err_text(err));
	else if (l->c->n == LIMIT_SCHEMAS)
		complain(l, dir, path, "too many schemas");
	else if (schema_compile(span_of(source.p, source.len), name, version, l->dirs, &sc, why,
	                        sizeof(why)) != 0)
		complain(l, dir, path, why);
	else {
		schema_set_path(sc, dir, path);
		schema_keep_digest(sc); /* a reload asks for it once for each feed */
		add_schema(l->c, sc);
	}
	buf_done(&source);
}

static int visible_directory(const struct dirent *d)
{
	return d->d_name[0] != '.' &&
	       (d->d_type == DT_DIR || d->d_type == DT_LNK || d->d_type == DT_UNKNOWN);
}

/* The entries of a directory in the order of their names; -1 when it is none. */
static int list(const char *path, struct dirent ***ret)
{
	return scandir(path, ret, visible_directory, alphasort);
}

static void load_name(struct loading *l, const char *dir, const char *name)
{
	struct dirent **entries = NULL;
	auto_free char *path = xmalloc(strlen(dir) + strlen(name) + 2);
	sprintf(path, "%s/%s", dir, name);
	int n = list(path, &entries);
	if (n > 0 && !name_valid(name))
		complain(l, dir, name, "a schema's name has letters, digits, '-', '_' and '.'");
	for (int i = 0; i < n; i++) {
		const char *text = entries[i]->d_name;
		uint64_t version = 0;
		if (!name_valid(name)) {
			/* told once */
		} else if (span_to_u64(span_str(text), &version) != 0 || version == 0 ||
		           version > VERSION_MAX || text[0] == '0') {
			char which[NAME_BYTES_MAX + 260];
			snprintf(which, sizeof(which), "%.63s/%s", name, text);
			complain(l, dir, which, "a version is a number from 1 to 65535");
		} else {
			load_version(l, dir, name, (unsigned)version);
		}
		free(entries[i]);
	}
	free(entries);
}

static int by_name_and_version(const void *a, const void *b)
{
	const struct schema *x = *(struct schema *const *)a, *y = *(struct schema *const *)b;
	int order = strcmp(schema_name(x), schema_name(y));
	if (order)
		return order;
	return (schema_version(x) > schema_version(y)) - (schema_version(x) < schema_version(y));
}

static void load_dir(struct loading *l, const char *dir)
{
	struct dirent **entries = NULL;
	int n = list(dir, &entries);
	if (n < 0 && errno != ENOENT)
		complain(l, dir, ".", err_text(-errno));
	for (int i = 0; i < n; i++) {
		load_name(l, dir, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

int catalog_load(const char *const *dirs, struct catalog **ret, struct buf *why)
{
	assert(dirs && ret && why);
	struct catalog *c = xcalloc(1, sizeof(*c));
	struct loading l = {.c = c, .dirs = dirs, .why = why};
	map_init(&c->by_id);
	map_init(&l.seen);
	for (const char *const *dir = dirs; *dir; dir++)
		load_dir(&l, *dir);
	map_done(&l.seen);
	if (c->n > 0)
		qsort(c->schemas, c->n, sizeof(*c->schemas), by_name_and_version);
	if (l.failed) {
		catalog_free(c);
		return ERR_CONFIG;
	}
	*ret = c;
	return 0;
}

void catalog_free(struct catalog *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		schema_free(c->schemas[i]);
	free(c->schemas);
	map_done(&c->by_id);
	free(c);
}

const struct schema *catalog_find(const struct catalog *c, struct span id)
{
	return map_get(&c->by_id, id);
}

size_t catalog_count(const struct catalog *c)
{
	return c->n;
}

const struct schema *catalog_at(const struct catalog *c, size_t i)
{
	assert(i < c->n);
	return c->schemas[i];
}
