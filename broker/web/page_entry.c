/* page_entry.c - what the register says of a thing, for the pages. */
#include "register/register.h"
#include "web/pages.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

enum { ENTRY_TOKENS = 4096, PATH_TEXT_BYTES = 80 };

/* The token at a path of member names with dots; 0: none. */
static uint32_t walk(const struct json_tape *t, const char *path)
{
	uint32_t at = 0;
	while (*path) {
		size_t n = strcspn(path, ".");
		if (t->tok[at].type != JSON_OBJECT)
			return 0;
		at = json_member(t, at, span_of(path, n));
		if (!at)
			return 0;
		path += n + (path[n] == '.');
	}
	return at;
}

static bool take(const struct json_tape *t, const char *path, struct buf *ret)
{
	uint32_t i = walk(t, path);
	if (!i || t->tok[i].type < JSON_NUMBER || t->tok[i].type > JSON_STRING)
		return false;
	struct span raw = json_text(t, i);
	char *to = buf_room(ret, raw.n + 1);
	if (!to || raw.n == 0)
		return false;
	ret->len += json_unescape(raw, to);
	return true;
}

bool page_entry_text(struct page *p, const struct thing *x, const char *path, struct buf *ret)
{
	struct json_tape t;
	char full[PATH_TEXT_BYTES];
	size_t at, n = strlen(path);
	const char *why;
	if (!x || !x->registered || !thing_entry_is_seen(p->r, x))
		return false;
	json_tape_init(&t, ENTRY_TOKENS);
	bool found = json_parse(&t, span_of(x->entry.text, x->entry.n), &at, &why) == 0;
	if (found && path[n - 1] != '.') {
		found = take(&t, path, ret);
	} else if (found) {
		snprintf(full, sizeof(full), "%s%s", path, language_code(p->lang));
		found = take(&t, full, ret);
		snprintf(full, sizeof(full), "%s%s", path, p->lang == DUTCH ? "en" : "nl");
		found = found || take(&t, full, ret);
	}
	json_tape_done(&t);
	return found;
}
