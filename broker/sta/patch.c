/* patch.c - see patch.h. */
#include "sta/patch.h"

#include "base/err.h"
#include "base/limits.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TOKEN_BYTES = 256, DOCUMENT_BYTES = 2 * LIMIT_ENTITY_BYTES };

struct patching {
	json_t *doc;
	bool loose;
	char *why; /* of 200 */
	unsigned at;
};

bool sta_patch_is(const char *type)
{
	static const char name[] = "application/json-patch+json";
	size_t n = sizeof(name) - 1;
	return strncasecmp(type, name, n) == 0 && (!type[n] || strchr("; \t", type[n]));
}

static PRINTF(2, 3) int fail(const struct patching *p, const char *fmt, ...)
{
	char text[160];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(p->why, 200, "operation %u: %s", p->at, text);
	return ERR_INVALID;
}

/* ---- pointers (RFC 6901) ---- */

/* The next token behind a '/', unescaped; false: it is none. */
static bool next_token(const char **at, char out[TOKEN_BYTES])
{
	const char *s = *at + 1;
	size_t n = 0;
	for (; *s && *s != '/'; s++) {
		char c = *s;
		if (c == '~') {
			if (s[1] != '0' && s[1] != '1')
				return false;
			c = *++s == '0' ? '~' : '/';
		}
		if (n + 1 == TOKEN_BYTES)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	*at = s;
	return true;
}

/* -1: no index; the size for "-". */
static long index_of(const json_t *array, const char *token)
{
	size_t n = json_array_size(array);
	if (strcmp(token, "-") == 0)
		return (long)n;
	size_t digits = strspn(token, "0123456789");
	if (!digits || token[digits] || digits > 9 || (token[0] == '0' && digits > 1))
		return -1;
	return strtol(token, NULL, 10);
}

static json_t *child(json_t *of, const char *token)
{
	if (json_is_object(of))
		return json_object_get(of, token);
	long i = json_is_array(of) ? index_of(of, token) : -1;
	return i < 0 ? NULL : json_array_get(of, (size_t)i);
}

/* What holds the place, and its last token; the whole document has none and is not changed. */
static json_t *parent_of(const struct patching *p, const char *path, char last[TOKEN_BYTES])
{
	json_t *at = p->doc;
	if (*path != '/' || !next_token(&path, last))
		return NULL;
	while (at && *path) {
		at = child(at, last);
		if (!next_token(&path, last))
			return NULL;
	}
	return at;
}

static json_t *value_at(const struct patching *p, const char *path)
{
	char last[TOKEN_BYTES];
	if (!*path)
		return p->doc;
	json_t *of = parent_of(p, path, last);
	return of ? child(of, last) : NULL;
}

/* ---- operations ---- */

static size_t size_of(const json_t *v)
{
	return json_dumpb(v, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
}

static int add(const struct patching *p, const char *path, json_t *value)
{
	char last[TOKEN_BYTES];
	json_t *of = parent_of(p, path, last);
	if (!of)
		return fail(p, "there is nothing that could hold %.60s", path);
	if (size_of(p->doc) + size_of(value) > DOCUMENT_BYTES)
		return fail(p, "the entity becomes larger than %d bytes", DOCUMENT_BYTES);
	json_t *copy = json_deep_copy(value);
	int rc = -1;
	if (json_is_object(of)) {
		rc = json_object_set_new(of, last, copy);
	} else if (json_is_array(of)) {
		long i = index_of(of, last);
		if (i >= 0 && (size_t)i <= json_array_size(of))
			rc = json_array_insert_new(of, (size_t)i, copy);
		else
			json_decref(copy);
	} else {
		json_decref(copy);
	}
	return rc ? fail(p, "%.60s is no place for a value", path) : 0;
}

static int take_out(const struct patching *p, const char *path)
{
	char last[TOKEN_BYTES];
	json_t *of = parent_of(p, path, last);
	if (!of || !child(of, last))
		return fail(p, "there is no %.60s", path);
	int rc = json_is_object(of) ? json_object_del(of, last)
	                            : json_array_remove(of, (size_t)index_of(of, last));
	return rc ? fail(p, "%.60s cannot be taken out", path) : 0;
}

static int replace(const struct patching *p, const char *path, json_t *value)
{
	int err = value_at(p, path) || !p->loose ? take_out(p, path) : 0;
	return err ? err : add(p, path, value);
}

static bool is_within(const char *path, const char *from)
{
	size_t n = strlen(from);
	return strncmp(path, from, n) == 0 && path[n] == '/';
}

/* move and copy. */
static int transfer(const struct patching *p, const char *path, const json_t *op, bool moves)
{
	const char *from = json_string_value(json_object_get(op, "from"));
	json_t *value = from ? value_at(p, from) : NULL;
	if (!from || !value)
		return fail(p, "there is no from: %.60s", from ? from : "");
	if (moves && is_within(path, from))
		return fail(p, "a value does not move into itself");
	if (moves && strcmp(path, from) == 0)
		return 0;
	json_incref(value);
	int err = moves ? take_out(p, from) : 0;
	err = err ? err : add(p, path, value);
	json_decref(value);
	return err;
}

static int apply(const struct patching *p, const json_t *op)
{
	const char *what = json_string_value(json_object_get(op, "op")),
	           *path = json_string_value(json_object_get(op, "path"));
	json_t *value = json_object_get(op, "value");
	if (!what || !path || (*path && *path != '/'))
		return fail(p, "it has op, and path such as \"/properties/a\"");
	if (strcmp(what, "remove") == 0)
		return take_out(p, path);
	if (strcmp(what, "move") == 0 || strcmp(what, "copy") == 0)
		return transfer(p, path, op, *what == 'm');
	bool known =
	    strcmp(what, "add") == 0 || strcmp(what, "replace") == 0 || strcmp(what, "test") == 0;
	if (!known || !value)
		return fail(p, known ? "it has no value"
		                     : "op is add, remove, replace, move, copy or test");
	if (*what == 'a')
		return add(p, path, value);
	if (*what == 'r')
		return replace(p, path, value);
	const json_t *is = value_at(p, path);
	return is && json_equal(is, value) ? 0 : fail(p, "%.60s is another one", path);
}

static int apply_all(struct patching *p, const json_t *all)
{
	size_t n = json_array_size(all);
	if (!json_is_array(all) || n > LIMIT_STA_PATCH) {
		snprintf(p->why, 200, "a JSON Patch is an array of at most %d operations",
		         LIMIT_STA_PATCH);
		return ERR_INVALID;
	}
	for (size_t i = 0; i < n; i++) {
		p->at = (unsigned)i;
		int err = apply(p, json_array_get(all, i));
		if (err)
			return err;
	}
	return 0;
}

int sta_patch(struct span doc, struct span patch, bool loose, char **ret, char why[200])
{
	json_error_t at;
	struct patching p = {.loose = loose, .why = why};
	json_t *all = patch.n ? json_loadb(patch.p, patch.n, 0, &at) : NULL;
	int err = ERR_INVALID;
	p.doc = json_loadb(doc.n ? doc.p : "{}", doc.n ? doc.n : 2, 0, &at);
	if (!all)
		snprintf(why, 200, "the body is not JSON");
	else if (!json_is_object(p.doc))
		snprintf(why, 200, "there is nothing to be patched");
	else
		err = apply_all(&p, all);
	*ret = err ? NULL : json_dumps(p.doc, JSON_COMPACT | JSON_REAL_PRECISION(17));
	json_decref(p.doc);
	json_decref(all);
	return err ? err : *ret ? 0 : ERR_INVALID;
}
