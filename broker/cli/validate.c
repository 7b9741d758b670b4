/* validate.c - `oudp validate`: do payloads fit a schema? Asks the daemon only for a schema that is
 * not on this machine. */
#include "cli/validate.h"
#include "cli/schemafile.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct validate {
	struct cli *cli;
	struct schema_dirs dirs;
	struct schema *schema;
	struct schema_scratch scratch;
	struct buf out;
	bool lines;
	uint64_t fits, unfit;
};

int validate_fetch(struct cli *c, const char *id, const struct schema_dirs *dirs,
                   struct schema **ret)
{
	struct buf source;
	buf_init(&source, SCHEMA_BYTES_MAX);
	int err = validate_fetch_source(c, id, &source);
	if (!err) {
		const char *slash = strrchr(id, '/');
		uint64_t version = 1;
		if (span_to_u64(span_str(slash + 1), &version) < 0)
			version = 1;
		auto_free char *name = xstrndup(id, (size_t)(slash - id));
		char why[1024] = "";
		if (schema_compile(span_of(source.p, source.len), name, (unsigned)version,
		                   dirs->dir, ret, why, sizeof(why)) < 0)
			err = cli_trouble(c, "%s: %s", id, why);
	}
	buf_done(&source);
	return err;
}

static int find_schema(struct validate *v, const char *name)
{
	struct stat st;
	bool file_there = stat(name, &st) == 0 && S_ISREG(st.st_mode);
	if (!file_there && strchr(name, '/')) { /* name/version, or a directory */
		for (unsigned i = 0; i < v->dirs.n; i++) {
			auto_free char *path = NULL;
			if (asprintf(&path, "%s/%s/schema.json", v->dirs.dir[i], name) < 0)
				path = NULL;
			if (path && access(path, R_OK) == 0)
				return schema_file_open(v->cli, path, &v->dirs, &v->schema);
		}
		auto_free char *inside = NULL;
		if (asprintf(&inside, "%s/schema.json", name) < 0)
			inside = NULL;
		if (inside && access(inside, R_OK) == 0)
			return schema_file_open(v->cli, inside, &v->dirs, &v->schema);
		return validate_fetch(v->cli, name, &v->dirs, &v->schema);
	}
	return schema_file_open(v->cli, name, &v->dirs, &v->schema);
}

static void one(struct validate *v, const char *name, struct span payload)
{
	struct payload_check p = {
	    .schema = v->schema, .scratch = &v->scratch, .name = name, .payload = payload};
	buf_clear(&v->out);
	unsigned errors = payload_check(&p, v->cli->json, &v->out, NULL);
	*(errors ? &v->unfit : &v->fits) += 1;
	fwrite(v->out.p ? v->out.p : "", 1, v->out.len, stdout);
	if (!errors && !v->cli->json && !v->lines)
		printf("%s: fits %s\n", name, schema_id(v->schema));
}

static int file(struct validate *v, const char *path)
{
	struct buf b;
	buf_init(&b, LIMIT_PACKET_BYTES_MAX * (v->lines ? 16u : 1u));
	int err = cli_read_file(v->cli, path, b.max, &b);
	const char *name = strcmp(path, "-") == 0 ? "(standard input)" : path;
	if (!err && !v->lines)
		one(v, name, span_of(b.p, b.len));
	size_t at = 0;
	for (unsigned line = 1; !err && v->lines && at < b.len; line++) {
		const char *end = memchr(b.p + at, '\n', b.len - at);
		size_t n = end ? (size_t)(end - b.p) - at : b.len - at;
		char label[64];
		snprintf(label, sizeof(label), "line %u", line);
		if (n > 0)
			one(v, label, span_of(b.p + at, n));
		at += n + 1;
	}
	buf_done(&b);
	return err;
}

int cmd_validate(struct cli *c, int argc, char **argv)
{
	static const struct option options[] = {{"schemas", required_argument, NULL, CLI_OWN}, {0}};
	struct validate v = {.cli = c};
	for (int o; (o = cli_option(c, argc, argv, "l", options)) != CLI_END;) {
		if (o == 'l')
			v.lines = true;
		else if (o != CLI_OWN || schema_dirs_add(c, &v.dirs, optarg))
			return CLI_TROUBLE;
	}
	if (optind >= argc)
		return cli_usage(c, "which schema?");
	schema_dirs_defaults(&v.dirs);
	int err = find_schema(&v, argv[optind++]);
	if (err)
		return err;
	schema_scratch_init(&v.scratch, LIMIT_PACKET_BYTES_MAX);
	buf_init(&v.out, 64 << 20);
	if (optind == argc)
		err = file(&v, "-");
	for (int i = optind; !err && i < argc; i++)
		err = file(&v, argv[i]);
	if (!err && v.lines && !c->json)
		printf("%llu fit, %llu do not\n", (unsigned long long)v.fits,
		       (unsigned long long)v.unfit);
	buf_done(&v.out);
	schema_scratch_done(&v.scratch);
	schema_free(v.schema);
	return err ? err : v.unfit ? CLI_NO : CLI_OK;
}
