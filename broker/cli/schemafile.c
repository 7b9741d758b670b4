/* schemafile.c - reads and compiles schema.json, checks payloads, shows where they do not fit. */
#include "cli/schemafile.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli/place.h"
#include "json/write.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int schema_dirs_add(const struct cli *c, struct schema_dirs *d, const char *dir)
{
	if (d->n == SCHEMA_DIRS_MAX)
		return cli_trouble(c, "at most %d --schemas", SCHEMA_DIRS_MAX);
	d->dir[d->n++] = dir;
	return 0;
}

void schema_dirs_defaults(struct schema_dirs *d)
{
	static const char *const usual[] = {"schemas", "/etc/oudp/schemas",
	                                    "/usr/local/share/oudp/schemas",
	                                    "/usr/share/oudp/schemas"};
	for (size_t i = 0; i < ARRAY_LEN(usual) && d->n < SCHEMA_DIRS_MAX; i++)
		if (access(usual[i], R_OK | X_OK) == 0)
			d->dir[d->n++] = usual[i];
}

/* Cuts the last part off path and returns it; path becomes "" when nothing is left. */
static char *cut_last(char *path)
{
	char *slash = strrchr(path, '/');
	if (!slash)
		return NULL;
	*slash = 0;
	return slash + 1;
}

int schema_file_open(const struct cli *c, const char *path, const struct schema_dirs *d,
                     struct schema **ret)
{
	auto_free char *whole = realpath(path, NULL);
	if (!whole)
		return cli_trouble(c, "%s: %s", path, strerror(errno));
	struct buf source;
	buf_init(&source, SCHEMA_BYTES_MAX);
	int err = cli_read_file(c, whole, SCHEMA_BYTES_MAX, &source);
	if (err) {
		buf_done(&source);
		return err;
	}
	struct schema_dirs beside = {0};
	const char *file = cut_last(whole), *version = cut_last(whole), *name = NULL;
	uint64_t number = 1;
	if (version && span_to_u64(span_str(version), &number) == 0 && number <= UINT16_MAX) {
		name = cut_last(whole);
		beside.dir[beside.n++] = whole;
	}
	auto_free char *plain = xstrndup(file, strcspn(file, "."));
	if (!name || !*name) {
		name = plain;
		number = 1;
	}
	for (unsigned i = 0; i < d->n && beside.n < SCHEMA_DIRS_MAX; i++)
		beside.dir[beside.n++] = d->dir[i];
	char why[1024] = "";
	int rc = schema_compile(span_of(source.p, source.len), name, (unsigned)number, beside.dir,
	                        ret, why, sizeof(why));
	buf_done(&source);
	if (rc < 0)
		return cli_trouble(c, "%s: %s", path, why[0] ? why : err_text(rc));
	return 0;
}

/* ---- payloads ---- */

/* The verdict's text without the schema's name before it: a person named the schema. */
static const char *detail(const struct verdict *v)
{
	size_t n = strlen(v->schema);
	bool prefixed = n > 0 && strncmp(v->text, v->schema, n) == 0 && v->text[n] == ':';
	const char *s = prefixed ? v->text + n + 1 : v->text;
	return *s == ' ' ? s + 1 : s;
}

/* Where it is: offset and length in the payload. */
static void locate(const struct payload_check *p, const struct verdict *v, size_t *at, size_t *n)
{
	*at = 0;
	*n = 0;
	const struct json_tape *t = &p->scratch->tape;
	if (!t->src) { /* not JSON: where reading stopped */
		struct json_tape again;
		json_tape_init(&again, UINT32_MAX / 64);
		const char *why;
		size_t stop;
		if (json_parse(&again, p->payload, &stop, &why) < 0)
			*at = stop;
		json_tape_done(&again);
		return;
	}
	uint32_t token = 0;
	int rc = place_of_pointer(t, span_str(v->pointer), &token);
	if (rc == ERR_MALFORMED)
		return;
	const struct json_token *k = &t->tok[token];
	bool string = k->type == JSON_STRING;
	*at = k->pos - string;
	bool container = k->type == JSON_OBJECT || k->type == JSON_ARRAY;
	*n = container ? 1 : k->len + 2u * string;
}

static void write_people(const struct payload_check *p, const struct verdict *v, struct buf *out)
{
	size_t at, n;
	locate(p, v, &at, &n);
	struct place w = place_find(p->payload, at);
	buf_addf(out, "%s:%u:%u: %s\n", p->name, w.line, w.column, detail(v));
	if (p->payload.n > 0)
		place_mark(out, p->payload, at, n);
}

static void write_machine(const struct payload_check *p, const struct verdict *v, struct buf *out)
{
	size_t at, n;
	locate(p, v, &at, &n);
	struct place w = place_find(p->payload, at);
	const char *const members[][2] = {{"detail", detail(v)},
	                                  {"pointer", v->pointer},
	                                  {"rule", v->rule},
	                                  {"schema", v->schema}};
	buf_add_char(out, '{');
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		json_write_name(out, members[i][0]);
		json_write_string(out, span_str(members[i][1]));
	}
	buf_addf(out, ",\"line\":%u,\"column\":%u}", w.line, w.column);
}

unsigned payload_check(const struct payload_check *p, bool json, struct buf *out,
                       struct verdict *ret_first)
{
	auto_free struct verdict *all = xcalloc(PAYLOAD_ERRORS_MAX, sizeof(*all));
	unsigned n = 0;
	if (schema_parse(p->scratch, p->payload, &all[0]) < 0)
		n = 1;
	else if (schema_check(p->schema, p->scratch, NULL, &all[0]) < 0) {
		if (ret_first)
			*ret_first = all[0];
		struct verdict first = all[0];
		n = schema_errors(p->schema, p->scratch, all, PAYLOAD_ERRORS_MAX);
		if (n == 0) { /* what only the check sees */
			all[0] = first;
			n = 1;
		}
	}
	if (n > 0 && ret_first && !p->scratch->tape.src)
		*ret_first = all[0];
	if (!json) {
		for (unsigned i = 0; i < n; i++)
			write_people(p, &all[i], out);
		return n;
	}
	buf_add_str(out, "{\"file\":");
	json_write_string(out, span_str(p->name));
	buf_addf(out, ",\"fits\":%s,\"errors\":[", n ? "false" : "true");
	for (unsigned i = 0; i < n; i++) {
		buf_add_str(out, i ? "," : "");
		write_machine(p, &all[i], out);
	}
	buf_add_str(out, "]}\n");
	return n;
}
