/* check.c - `oudp check`: a configuration, or schemas with their examples, without a daemon. */
#include "cli/against.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "config/config.h"
#include "schema/catalog.h"
#include "topic/route.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct check {
	struct cli *cli;
	struct schema_dirs dirs; /* --schemas */
	struct schema_scratch scratch;
	unsigned schemas, examples, wrong;
	bool verbose;
	FILE *out; /* what is wrong, for people: stderr with --json */
};

enum { ERRORS_BYTES = 4 << 20 };

static bool there(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

static char *join(const char *dir, const char *name)
{
	char *path = NULL;
	if (asprintf(&path, "%s/%s", dir, name) < 0)
		path = xstrdup(name);
	return path;
}

/* The names in dir, sorted, without those that begin with a dot. */
static int names(const char *dir, struct dirent ***ret)
{
	int n = scandir(dir, ret, NULL, alphasort);
	return n < 0 ? 0 : n;
}

static void free_names(struct dirent **list, int n)
{
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

static bool has_end(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);
	return n > k && strcmp(s + n - k, end) == 0;
}

/* ---- schemas ---- */

static void wrong(struct check *k, const char *path, const char *what)
{
	fprintf(k->out, "%s: %s\n", path, what);
	k->wrong++;
}

/* The verdict a .error file beside an invalid example expects; with or without the schema's name.
 */
static void compare_verdict(struct check *k, const char *path, const struct verdict *v)
{
	struct buf b;
	buf_init(&b, 64 << 10);
	auto_free char *error_path = NULL;
	if (asprintf(&error_path, "%.*s.error", (int)(strlen(path) - strlen(".json")), path) < 0)
		error_path = NULL;
	if (!error_path || !there(error_path)) {
		wrong(k, path, "has no .error beside it that says the verdict");
	} else if (cli_read_file(k->cli, error_path, 64 << 10, &b) == 0) {
		const char *want = buf_str(&b);
		size_t n = strcspn(want, "\n"), skip = strlen(v->schema) + 2;
		bool whole = strlen(v->text) == n && strncmp(v->text, want, n) == 0;
		bool rest = strlen(v->text) > skip && strlen(v->text + skip) == n &&
		            strncmp(v->text + skip, want, n) == 0;
		if (!whole && !rest) {
			fprintf(k->out, "%s: the verdict is\n  %s\nand %s expects\n  %.*s\n", path,
			        v->text, error_path, (int)n, want);
			k->wrong++;
		}
	}
	buf_done(&b);
}

static void check_example(struct check *k, const struct schema *sc, const char *path, bool valid)
{
	struct buf payload, out;
	struct verdict v = {0};
	buf_init(&payload, LIMIT_PACKET_BYTES_MAX);
	buf_init(&out, 64 << 20);
	k->examples++;
	if (cli_read_file(k->cli, path, LIMIT_PACKET_BYTES_MAX, &payload)) {
		k->wrong++;
	} else {
		struct payload_check p = {.schema = sc,
		                          .scratch = &k->scratch,
		                          .name = path,
		                          .payload = span_of(payload.p, payload.len)};
		unsigned errors = payload_check(&p, false, &out, &v);
		if (valid && errors) {
			fwrite(out.p, 1, out.len, k->out);
			k->wrong++;
		} else if (!valid && !errors) {
			wrong(k, path, "fits, and should not");
		} else if (!valid) {
			compare_verdict(k, path, &v);
		}
	}
	buf_done(&payload);
	buf_done(&out);
}

static void check_examples(struct check *k, const struct schema *sc, const char *dir, bool valid)
{
	struct dirent **list = NULL;
	int n = names(dir, &list);
	for (int i = 0; i < n; i++) {
		auto_free char *path = join(dir, list[i]->d_name);
		if (has_end(path, ".json"))
			check_example(k, sc, path, valid);
	}
	free_names(list, n);
}

static void tell_way(const struct check *k, const char *path, const struct schema *sc)
{
	struct buf why;
	buf_init(&why, 4096);
	if (schema_slow(sc, &why))
		fprintf(k->out, "%s: checked the slow way for %s\n", path, buf_str(&why));
	else
		fprintf(k->out, "%s: checked the quick way: each member is looked at once\n", path);
	buf_done(&why);
}

static void check_schema(struct check *k, const char *path)
{
	struct schema_dirs dirs = k->dirs;
	schema_dirs_defaults(&dirs);
	struct schema *sc = NULL;
	k->schemas++;
	if (schema_file_open(k->cli, path, &dirs, &sc)) {
		k->wrong++;
		return;
	}
	if (k->verbose)
		tell_way(k, path, sc);
	auto_free char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');
	if (has_end(path, "/schema.json") && slash) {
		*slash = 0;
		auto_free char *valid = join(dir, "valid"), *invalid = join(dir, "invalid");
		check_examples(k, sc, valid, true);
		check_examples(k, sc, invalid, false);
	}
	schema_free(sc);
}

/* dir/schema.json, dir/<version>/schema.json, dir/<name>/<version>/schema.json. */
static void check_schemas(struct check *k, const char *dir, unsigned depth)
{
	auto_free char *here = join(dir, "schema.json");
	if (there(here)) {
		check_schema(k, here);
		return;
	}
	struct dirent **list = NULL;
	int n = depth > 0 ? names(dir, &list) : 0;
	for (int i = 0; i < n; i++) {
		auto_free char *below = join(dir, list[i]->d_name);
		struct stat st;
		if (list[i]->d_name[0] != '.' && stat(below, &st) == 0 && S_ISDIR(st.st_mode))
			check_schemas(k, below, depth - 1);
	}
	free_names(list, n);
}

/* ---- a configuration ---- */

/* What needs the schemas and the topics of all feeds together. */
static void check_feeds(struct check *k, const struct config *conf, const struct catalog *schemas)
{
	struct route_table *routes = route_new();
	char why[512];
	for (size_t i = 0; i < conf->n_feeds; i++) {
		const struct config_feed *f = &conf->feeds[i];
		for (char **t = f->topics; *t; t++)
			if (route_add(routes, span_str(*t), (uint32_t)i, NULL, why, sizeof(why)) <
			    0) {
				fprintf(k->out, "%s: feed %s: %s\n", conf->path, f->name, why);
				k->wrong++;
			}
		for (char **s = f->schemas; *s; s++) {
			struct span id = config_schema(*s, NULL);
			if (!span_is(id, "any") && !catalog_find(schemas, id)) {
				fprintf(k->out,
				        "%s: feed %s: there is no schema %.*s in the schema-dirs\n",
				        conf->path, f->name, (int)id.n, id.p);
				k->wrong++;
			}
		}
	}
	route_free(routes);
}

static void check_config(struct check *k, const char *path)
{
	struct buf errors;
	buf_init(&errors, ERRORS_BYTES);
	struct config *conf = NULL;
	int err = config_load(path, &conf, &errors);
	fputs(buf_str(&errors), k->out);
	if (err) {
		k->wrong++;
		buf_done(&errors);
		return;
	}
	struct schema_dirs dirs = k->dirs;
	for (char **d = conf->schema_dirs; *d && dirs.n < SCHEMA_DIRS_MAX; d++)
		dirs.dir[dirs.n++] = *d;
	struct catalog *schemas = NULL;
	buf_clear(&errors);
	if (catalog_load(dirs.dir, &schemas, &errors) < 0) {
		fputs(buf_str(&errors), k->out);
		k->wrong++;
	} else {
		unsigned before = k->wrong;
		check_feeds(k, conf, schemas);
		if (k->wrong == before)
			fprintf(k->out, "%s: fine; %zu feed%s, %zu listener%s, %zu schema%s\n",
			        path, conf->n_feeds, conf->n_feeds == 1 ? "" : "s",
			        conf->n_listeners, conf->n_listeners == 1 ? "" : "s",
			        catalog_count(schemas), catalog_count(schemas) == 1 ? "" : "s");
		catalog_free(schemas);
	}
	config_free(conf);
	buf_done(&errors);
}

static int check_path(struct check *k, const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return cli_trouble(k->cli, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode)) {
		if (has_end(path, ".json"))
			check_schema(k, path);
		else
			check_config(k, path);
		return 0;
	}
	auto_free char *conf = join(path, "oudpd.conf");
	if (there(conf)) {
		check_config(k, conf);
		return 0;
	}
	unsigned before = k->schemas;
	check_schemas(k, path, 2);
	if (k->schemas == before)
		return cli_trouble(
		    k->cli, "%s holds neither oudpd.conf nor <name>/<version>/schema.json", path);
	return 0;
}

enum { OPT_SCHEMAS = CLI_OWN, OPT_AGAINST, OPT_LAST };

static const struct option check_options[] = {{"schemas", required_argument, NULL, OPT_SCHEMAS},
                                              {"against", required_argument, NULL, OPT_AGAINST},
                                              {"last", required_argument, NULL, OPT_LAST},
                                              {0}};

/* 0 or CLI_TROUBLE (told). */
static int read_options(struct check *k, int argc, char **argv, struct against *a)
{
	struct cli *c = k->cli;
	a->last = AGAINST_LAST;
	bool last = false;
	for (int o; (o = cli_option(c, argc, argv, "v", check_options)) != CLI_END;) {
		if (o == 'v')
			k->verbose = true;
		else if (o == OPT_AGAINST)
			a->feed = optarg;
		else if (o == OPT_LAST)
			last = true;
		bool bad = o == OPT_LAST
		               ? cli_number(c, "--last", optarg, 1, AGAINST_LAST_MAX, &a->last)
		           : o == OPT_SCHEMAS ? schema_dirs_add(c, &k->dirs, optarg)
		                              : o != 'v' && o != OPT_AGAINST;
		if (bad)
			return CLI_TROUBLE;
	}
	if (last && !a->feed)
		return cli_usage(c, "--last goes with --against");
	return 0;
}

/* The schema.json at path, or in it; the caller frees. */
static char *schema_file(const char *path)
{
	char *inside = join(path, "schema.json");
	if (there(inside))
		return inside;
	free(inside);
	return xstrdup(path);
}

static int check_against(struct check *k, const char *path, const struct against *a)
{
	struct schema_dirs dirs = k->dirs;
	auto_free char *file = schema_file(path);
	schema_dirs_defaults(&dirs);
	return against_check(k->cli, file, &dirs, a);
}

static int compare_files(struct check *k, const char *old_path, const char *path)
{
	struct schema_dirs dirs = k->dirs;
	auto_free char *old_file = schema_file(old_path), *file = schema_file(path);
	schema_dirs_defaults(&dirs);
	return against_compare(k->cli, old_file, file, &dirs);
}

int cmd_check(struct cli *c, int argc, char **argv)
{
	struct check k = {.cli = c, .out = stdout};
	struct against against = {0};
	if (read_options(&k, argc, argv, &against))
		return CLI_TROUBLE;
	if (optind == argc)
		return cli_usage(c, "what? A configuration, a schema, or a directory");
	if (against.feed)
		return optind + 1 == argc ? check_against(&k, argv[optind], &against)
		                          : cli_usage(c, "one schema with --against");
	if (c->json)
		k.out = stderr;
	schema_scratch_init(&k.scratch, LIMIT_PACKET_BYTES_MAX);
	int err = 0;
	for (int i = optind; !err && i < argc; i++)
		err = check_path(&k, argv[i]);
	schema_scratch_done(&k.scratch);
	if (err)
		return err;
	if (c->json)
		printf("{\"schemas\":%u,\"examples\":%u,\"wrong\":%u}\n", k.schemas, k.examples,
		       k.wrong);
	else if (k.schemas > 0)
		printf("%u schema%s, %u example%s: %u wrong\n", k.schemas,
		       k.schemas == 1 ? "" : "s", k.examples, k.examples == 1 ? "" : "s", k.wrong);
	return k.wrong ? CLI_NO : CLI_OK;
}

/* `oudp schema check NEW --against FEED`, `oudp schema compare OLD NEW`. */
int cmd_schema(struct cli *c, int argc, char **argv)
{
	struct check k = {.cli = c, .out = stdout};
	struct against against = {0};
	if (read_options(&k, argc, argv, &against))
		return CLI_TROUBLE;
	const char *verb = optind < argc ? argv[optind] : "";
	if (strcmp(verb, "compare") == 0 && optind + 3 == argc && !against.feed)
		return compare_files(&k, argv[optind + 1], argv[optind + 2]);
	if (strcmp(verb, "check") != 0 || optind + 2 != argc)
		return cli_usage(c, "check SCHEMA --against FEED, or compare OLD NEW");
	if (!against.feed)
		return cli_usage(c, "against which feed? --against FEED");
	return check_against(&k, argv[optind + 1], &against);
}
