/* check.c - tries a schema's own valid examples, so that steps that no message would survive are
 * found at a start and not by the first sensor. */
#include "privacy/private.h"

#include "base/err.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXAMPLE_BYTES = 1 << 20 };

struct trial {
	struct privacy *p;
	const struct schema *sc;
	struct schema_scratch schema;
	struct privacy_scratch privacy;
	struct extract *extract;
	struct buf file;
};

static bool read_example(struct trial *t, const char *path)
{
	FILE *f = fopen(path, "re");
	char chunk[4096];
	size_t n;
	buf_clear(&t->file);
	while (f && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&t->file, chunk, n);
	if (f)
		fclose(f);
	return f && !t->file.err;
}

/* false with v: it fits before and not after. */
static bool survives(struct trial *t, struct verdict *v)
{
	struct span payload = span_of(t->file.p, t->file.len), reduced;
	struct verdict ignored;
	if (schema_parse(&t->schema, payload, &ignored) ||
	    schema_check(t->sc, &t->schema, t->extract, &ignored))
		return true; /* no good example of anything */
	char pointer[160];
	snprintf(pointer, sizeof(pointer), "%s", "");
	if (t->extract->has_time)
		privacy_pointer(&t->schema.tape, t->extract->time_at, pointer, sizeof(pointer));
	return privacy_apply(t->p, &t->privacy, payload, span_str(pointer), 0, &reduced, v) == 0 &&
	       schema_parse(&t->schema, reduced, v) == 0 &&
	       schema_check(t->sc, &t->schema, t->extract, v) == 0;
}

void privacy_check_schema(struct privacy *p, const struct schema *sc, const char *prefix,
                          struct buf *why)
{
	auto_free char *dir = NULL;
	const char *path = schema_path(sc), *slash = strrchr(path, '/');
	struct dirent *e;
	unsigned n = 0;
	if (!slash || asprintf(&dir, "%.*s/valid", (int)(slash - path), path) < 0)
		return;
	DIR *d = opendir(dir);
	if (!d)
		return;
	struct trial t = {.p = p, .sc = sc, .extract = xcalloc(1, sizeof(struct extract))};
	schema_scratch_init(&t.schema, 4 * EXAMPLE_BYTES);
	privacy_scratch_init(&t.privacy, EXAMPLE_BYTES);
	buf_init(&t.file, EXAMPLE_BYTES);
	while ((e = readdir(d)) && n < LIMIT_PRIVACY_EXAMPLES) {
		struct verdict v;
		auto_free char *file = NULL;
		const char *dot = strrchr(e->d_name, '.');
		if (!dot || strcmp(dot, ".json") != 0 ||
		    asprintf(&file, "%s/%s", dir, e->d_name) < 0 || !read_example(&t, file))
			continue;
		n++;
		if (survives(&t, &v))
			continue;
		buf_addf(why,
		         "%safter its privacy steps valid/%s of %s does not fit any more: %s\n",
		         prefix, e->d_name, schema_id(sc), v.text);
		break; /* one is enough to see what is wrong */
	}
	closedir(d);
	schema_scratch_done(&t.schema);
	privacy_scratch_done(&t.privacy);
	buf_done(&t.file);
	free(t.extract);
}
