/* against.c - see against.h. What the schema changes is judged by schema/compare.h. */
#include "cli/against.h"
#include "cli/replay.h"
#include "cli/text.h"
#include "cli/validate.h"

#include "base/mem.h"
#include "schema/compare.h"
#include "json/json.h"
#include "json/write.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHANGES_MAX = 500, FEED_BYTES = 1 << 20 };

struct feed_facts {
	uint64_t first, last;
	char base[160]; /* id of the schema to compare with; "": it takes any */
};

struct findings {
	struct cli *cli;
	const struct schema *schema;
	struct feed_facts feed;
	struct replay *replay;
	struct schema_change *changes;
	unsigned n_changes, n_breaking;
};

static uint64_t number_member(const struct json_tape *t, const char *name)
{
	uint32_t i = json_member(t, 0, span_str(name));
	int64_t n;
	return i && t->tok[i].type == JSON_NUMBER && json_int64(json_text(t, i), &n) == 0 && n > 0
	           ? (uint64_t)n
	           : 0;
}

/* Of the feed's schemas the first with the new one's name, else the first. */
static void choose_base(const struct json_tape *t, const char *name, struct feed_facts *f)
{
	uint32_t list = json_member(t, 0, SPAN("schemas"));
	if (!list || t->tok[list].type != JSON_ARRAY)
		return;
	for (uint32_t i = list + 1; i < t->tok[list].next; i = t->tok[i].next) {
		struct span id = json_text(t, i);
		const char *slash = memchr(id.p, '/', id.n);
		bool same = slash && span_is(span_of(id.p, (size_t)(slash - id.p)), name);
		if (!slash || id.n >= sizeof(f->base) || (f->base[0] && !same))
			continue;
		snprintf(f->base, sizeof(f->base), "%.*s", (int)id.n, id.p);
		if (same)
			return;
	}
}

static int read_feed(struct cli *c, const char *feed, const char *name, struct feed_facts *f)
{
	struct buf path, body;
	struct json_tape t;
	size_t at;
	const char *why;
	buf_init(&path, 16 << 10);
	buf_init(&body, FEED_BYTES);
	json_tape_init(&t, FEED_BYTES / 2);
	buf_add_str(&path, "/v1/feeds/");
	text_percent(&path, span_str(feed));
	int err = fetch_body(c, buf_str(&path), &body);
	if (!err &&
	    (json_parse(&t, span_of(body.p, body.len), &at, &why) || t.tok[0].type != JSON_OBJECT))
		err = cli_trouble(c, "feed %s cannot be read: is that oudpd?", feed);
	if (!err) {
		f->first = number_member(&t, "first");
		f->last = number_member(&t, "last");
		choose_base(&t, name, f);
	}
	json_tape_done(&t);
	buf_done(&body);
	buf_done(&path);
	return err;
}

static int compare(struct findings *f, const struct schema_dirs *dirs)
{
	struct schema *base = NULL;
	if (!f->feed.base[0])
		return 0;
	int err = validate_fetch(f->cli, f->feed.base, dirs, &base);
	if (err)
		return err;
	f->n_changes = schema_compare(base, f->schema, f->changes, CHANGES_MAX, &f->n_breaking);
	schema_free(base);
	return 0;
}

/* ---- telling ---- */

static void print_group(const struct replay_group *g)
{
	struct buf b;
	buf_init(&b, 64 << 10);
	text_count(&b, g->count);
	buf_addf(&b, " by %s at %s, of %u thing%s", g->rule, g->pointer[0] ? g->pointer : "/",
	         g->n_things, g->n_things == 1 ? "" : "s");
	for (unsigned i = 0; i < REPLAY_NAMES && g->names[i]; i++) {
		buf_add_str(&b, i ? ", " : ": ");
		text_line(&b, span_str(g->names[i]), 60);
	}
	if (g->n_things > REPLAY_NAMES)
		buf_add_str(&b, ", ...");
	printf("  %s\n      %llu: %s\n", buf_str(&b), (unsigned long long)g->sequence, g->text);
	buf_done(&b);
}

static void print_changes(const struct findings *f, const char *base)
{
	printf("compared with %s: %s\n", base,
	       !f->n_changes   ? "nothing changes"
	       : f->n_breaking ? "not compatible; make it a new version"
	                       : "compatible");
	for (unsigned i = 0; i < MIN_OF(f->n_changes, (unsigned)CHANGES_MAX); i++) {
		const struct schema_change *ch = &f->changes[i];
		printf("  %-12s  %s: %s: %s\n", ch->breaks ? "incompatible" : "compatible",
		       ch->pointer[0] ? ch->pointer : "/", ch->rule, ch->text);
	}
	if (f->n_changes > CHANGES_MAX)
		printf("  and %u more\n", f->n_changes - CHANGES_MAX);
}

static void print_people(const struct findings *f)
{
	const struct replay *r = f->replay;
	printf("%s: of %llu messages (%llu to %llu) %s would refuse %llu\n", r->feed,
	       (unsigned long long)r->messages, (unsigned long long)r->first,
	       (unsigned long long)r->last, schema_id(f->schema), (unsigned long long)r->refused);
	for (unsigned i = 0; i < r->n_groups; i++)
		print_group(&r->groups[i]);
	if (r->ungrouped)
		printf("  %llu in other ways\n", (unsigned long long)r->ungrouped);
	if (f->feed.base[0])
		print_changes(f, f->feed.base);
	else
		printf("%s takes any message: there is no schema to compare with\n", r->feed);
}

static void text_of(struct buf *b, const char *name, const char *value)
{
	json_write_name(b, name);
	json_write_string(b, span_str(value));
}

static void write_changes(struct buf *b, const struct findings *f, const char *base)
{
	buf_addf(b, ",\"compatible\":%s", f->n_breaking ? "false" : "true");
	if (base[0])
		text_of(b, "comparedWith", base);
	buf_add_str(b, ",\"changes\":[");
	for (unsigned i = 0; i < MIN_OF(f->n_changes, (unsigned)CHANGES_MAX); i++) {
		const struct schema_change *ch = &f->changes[i];
		buf_addf(b, "%s{\"compatible\":%s", i ? "," : "", ch->breaks ? "false" : "true");
		text_of(b, "pointer", ch->pointer);
		text_of(b, "rule", ch->rule);
		text_of(b, "detail", ch->text);
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
}

static void print_machine(const struct findings *f)
{
	const struct replay *r = f->replay;
	struct buf b;
	buf_init(&b, 16 << 20);
	buf_add_str(&b, "{\"feed\":");
	json_write_string(&b, span_str(r->feed));
	text_of(&b, "schema", schema_id(f->schema));
	buf_addf(&b,
	         ",\"messages\":%llu,\"first\":%llu,\"last\":%llu,\"refused\":%llu,\"refusals\":[",
	         (unsigned long long)r->messages, (unsigned long long)r->first,
	         (unsigned long long)r->last, (unsigned long long)r->refused);
	for (unsigned i = 0; i < r->n_groups; i++) {
		const struct replay_group *g = &r->groups[i];
		buf_addf(&b, "%s{\"count\":%llu,\"sequence\":%llu,\"things\":%u,\"examples\":[",
		         i ? "," : "", (unsigned long long)g->count,
		         (unsigned long long)g->sequence, g->n_things);
		for (unsigned k = 0; k < REPLAY_NAMES && g->names[k]; k++) {
			buf_add_str(&b, k ? "," : "");
			json_write_string(&b, span_str(g->names[k]));
		}
		buf_add_char(&b, ']');
		text_of(&b, "rule", g->rule);
		text_of(&b, "pointer", g->pointer);
		text_of(&b, "detail", g->text);
		buf_add_char(&b, '}');
	}
	buf_add_char(&b, ']');
	write_changes(&b, f, f->feed.base);
	buf_add_str(&b, "}\n");
	fwrite(b.p, 1, b.len, stdout);
	buf_done(&b);
}

int against_check(struct cli *c, const char *path, const struct schema_dirs *dirs,
                  const struct against *a)
{
	struct schema *sc = NULL;
	auto_free struct replay *r = xcalloc(1, sizeof(*r));
	auto_free struct schema_change *changes = xcalloc(CHANGES_MAX, sizeof(*changes));
	int err = schema_file_open(c, path, dirs, &sc);
	if (err)
		return err;
	struct findings f = {.cli = c, .schema = sc, .replay = r, .changes = changes};
	r->cli = c;
	r->feed = a->feed;
	r->schema = sc;
	err = read_feed(c, a->feed, schema_name(sc), &f.feed);
	err = err ? err : compare(&f, dirs);
	if (!err) {
		uint64_t before = f.feed.last > a->last ? f.feed.last - a->last : 0;
		before = f.feed.first > before + 1 ? f.feed.first - 1 : before;
		err = replay_run(r, before, f.feed.last);
	}
	if (!err)
		(c->json ? print_machine : print_people)(&f);
	bool no = r->refused || f.n_breaking;
	replay_done(r);
	schema_free(sc);
	return err ? err : no ? CLI_NO : CLI_OK;
}

int against_compare(struct cli *c, const char *old_path, const char *path,
                    const struct schema_dirs *dirs)
{
	struct schema *old = NULL, *sc = NULL;
	auto_free struct schema_change *changes = xcalloc(CHANGES_MAX, sizeof(*changes));
	struct findings f = {.cli = c, .changes = changes};
	int err = schema_file_open(c, old_path, dirs, &old);
	err = err ? err : schema_file_open(c, path, dirs, &sc);
	if (!err) {
		f.schema = sc;
		f.n_changes = schema_compare(old, sc, changes, CHANGES_MAX, &f.n_breaking);
	}
	if (!err && c->json) {
		struct buf b;
		buf_init(&b, 16 << 20);
		buf_add_str(&b, "{\"schema\":");
		json_write_string(&b, span_str(schema_id(sc)));
		write_changes(&b, &f, schema_id(old));
		buf_add_str(&b, "}\n");
		fwrite(b.p, 1, b.len, stdout);
		buf_done(&b);
	} else if (!err) {
		print_changes(&f, schema_id(old));
	}
	schema_free(old);
	schema_free(sc);
	return err ? err : f.n_breaking ? CLI_NO : CLI_OK;
}
