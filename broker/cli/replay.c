/* replay.c - see replay.h. Pages are read with the json room, so that each payload is checked as
 * the bytes it was sent as. */
#include "cli/replay.h"
#include "cli/text.h"
#include "cli/validate.h"

#include "base/limits.h"
#include "base/mem.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAGE_BYTES = 80 << 20, PAGE_TOKENS = 1 << 22 };

/* "/d/1/T" becomes "/d/" "*" "/T": readings of an array that fail alike are one group. */
static void general_pointer(const char *p, char *out, size_t size)
{
	size_t n = 0;
	while (*p && n + 1 < size) {
		size_t digits = *p == '/' ? strspn(p + 1, "0123456789") : 0;
		bool index = digits && (p[1 + digits] == '/' || !p[1 + digits]);
		out[n++] = *p++;
		if (index && n + 1 < size) {
			out[n++] = '*';
			p += digits;
		}
	}
	out[n] = '\0';
}

static struct replay_group *group_of(struct replay *r, const struct verdict *v)
{
	char pointer[sizeof(r->groups[0].pointer)];
	general_pointer(v->pointer, pointer, sizeof(pointer));
	for (unsigned i = 0; i < r->n_groups; i++)
		if (!strcmp(r->groups[i].rule, v->rule) && !strcmp(r->groups[i].pointer, pointer))
			return &r->groups[i];
	if (r->n_groups == REPLAY_GROUPS_MAX)
		return NULL;
	struct replay_group *g = &r->groups[r->n_groups++];
	*g = (struct replay_group){0};
	snprintf(g->rule, sizeof(g->rule), "%s", v->rule);
	snprintf(g->pointer, sizeof(g->pointer), "%s", pointer);
	map_init(&g->things);
	return g;
}

static void add_thing(struct replay_group *g, struct span thing)
{
	if (thing.n == 0 || map_get(&g->things, thing))
		return;
	map_set(&g->things, thing, g);
	if (g->n_things < REPLAY_NAMES)
		g->names[g->n_things] = xstrndup(thing.p, thing.n);
	g->n_things++;
}

static void refuse(struct replay *r, const struct verdict *v, uint64_t sequence, struct span thing)
{
	struct replay_group *g = group_of(r, v);
	r->refused++;
	if (!g) {
		r->ungrouped++;
		return;
	}
	if (g->count++ == 0) {
		g->sequence = sequence;
		snprintf(g->text, sizeof(g->text), "%s", v->text);
	}
	add_thing(g, thing);
}

/* The text of a string member of an event, unescaped into room (as long as the raw one). */
static struct span text_member(const struct json_tape *t, uint32_t event, const char *name,
                               struct buf *room)
{
	uint32_t i = json_member(t, event, span_str(name));
	if (!i || t->tok[i].type != JSON_STRING)
		return (struct span){0};
	struct span raw = json_text(t, i);
	buf_clear(room);
	char *p = buf_room(room, raw.n + 1);
	return p ? span_of(p, json_unescape(raw, p)) : raw;
}

/* false: a control event. */
static bool try_event(struct replay *r, const struct json_tape *t, uint32_t event,
                      uint64_t *ret_sequence)
{
	struct buf room;
	struct verdict v = {.rule = "json"};
	buf_init(&room, PAGE_BYTES);
	struct span text = text_member(t, event, "sequence", &room);
	bool is_record = text.n && span_to_u64(text, ret_sequence) == 0;
	if (is_record) {
		uint32_t data = json_member(t, event, SPAN("data"));
		int err = -1;
		if (data) {
			struct span raw = json_text(t, data);
			if (t->tok[data].type == JSON_STRING)
				raw = span_of(raw.p - 1, raw.n + 2);
			err = schema_parse(&r->scratch, raw, &v);
			err = err ? err : schema_check(r->schema, &r->scratch, r->extract, &v);
		} else {
			snprintf(v.text, sizeof(v.text), "payload: it is not JSON");
		}
		r->messages++;
		r->first = r->first ? r->first : *ret_sequence;
		r->last = *ret_sequence;
		if (err)
			refuse(r, &v, *ret_sequence, text_member(t, event, "subject", &room));
	}
	buf_done(&room);
	return is_record;
}

/* One page; *after moves. 0, 1 when there was no record in it, or CLI_TROUBLE (told). */
static int page(struct replay *r, uint64_t *after, uint64_t last)
{
	struct buf path, body;
	struct json_tape t;
	size_t at;
	const char *why = "";
	buf_init(&path, 16 << 10);
	buf_init(&body, PAGE_BYTES);
	buf_add_str(&path, "/v1/feeds/");
	text_percent(&path, span_str(r->feed));
	buf_addf(&path, "/events?after=%llu&limit=%d", (unsigned long long)*after,
	         LIMIT_PAGE_RECORDS);
	json_tape_init(&t, PAGE_TOKENS);
	int err = fetch_body(r->cli, buf_str(&path), &body);
	if (!err && json_parse(&t, span_of(body.p, body.len), &at, &why))
		err = cli_trouble(r->cli, "the events of %s cannot be read: byte %zu: %s", r->feed,
		                  at, why);
	if (!err && t.tok[0].type != JSON_ARRAY)
		err = cli_trouble(r->cli, "the events of %s are no list: is that oudpd?", r->feed);
	bool any = false;
	uint64_t sequence = 0;
	for (uint32_t i = 1; !err && i < t.n && sequence < last; i = t.tok[i].next)
		any |= t.tok[i].type == JSON_OBJECT && try_event(r, &t, i, &sequence);
	if (!err && any)
		*after = sequence;
	json_tape_done(&t);
	buf_done(&body);
	buf_done(&path);
	return err ? err : !any;
}

static int by_count(const void *a, const void *b)
{
	const struct replay_group *x = a, *y = b;
	return (x->count < y->count) - (x->count > y->count);
}

int replay_run(struct replay *r, uint64_t after, uint64_t last)
{
	int err = 0;
	schema_scratch_init(&r->scratch, LIMIT_PACKET_BYTES_MAX);
	r->extract = xmalloc(sizeof(*r->extract));
	while (!err && after < last)
		err = page(r, &after, last);
	if (r->n_groups)
		qsort(r->groups, r->n_groups, sizeof(r->groups[0]), by_count);
	return err == CLI_TROUBLE ? err : 0;
}

void replay_done(struct replay *r)
{
	for (unsigned i = 0; i < r->n_groups; i++) {
		map_done(&r->groups[i].things);
		for (unsigned k = 0; k < REPLAY_NAMES; k++)
			free(r->groups[i].names[k]);
	}
	schema_scratch_done(&r->scratch);
	free(r->extract);
}
