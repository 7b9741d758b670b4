/* feed.c - `oudp feed`: what the feeds hold, and making room. */
#include "cli/feed.h"
#include "cli/export.h"
#include "cli/http.h"
#include "cli/import.h"
#include "cli/table.h"
#include "cli/text.h"

#include "base/mem.h"
#include "base/rfc3339.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void write_age(struct buf *b, const char *rfc3339)
{
	int64_t ms;
	if (!rfc3339 || rfc3339_parse(span_str(rfc3339), &ms) < 0)
		buf_add_str(b, "-");
	else
		text_age(b, (int64_t)time(NULL) - ms / 1000);
}

static void print_buf(struct buf *b)
{
	fwrite(b->p ? b->p : "", 1, b->len, stdout);
	buf_done(b);
}

void feed_print_table(const struct cli *c, const json_t *feeds)
{
	static const char *const headings[] = {"FEED",    ">FIRST",       ">LAST",       ">RECORDS",
	                                       ">STORED", ">LAST STORED", ">QUARANTINE", "TITLE"};
	struct table t;
	table_init(&t, headings, ARRAY_LEN(headings));
	struct buf age;
	buf_init(&age, 256);
	size_t i;
	json_t *f;
	json_array_foreach(feeds, i, f)
	{
		table_cell(&t, reply_text(f, "name", "?"));
		table_count(&t, reply_count(f, "first"));
		table_count(&t, reply_count(f, "last"));
		table_count(&t, reply_count(f, "records"));
		table_bytes(&t, reply_count(f, "bytes"));
		buf_clear(&age);
		write_age(&age, reply_text(f, "lastStored", NULL));
		table_cell(&t, buf_str(&age));
		table_count(&t, reply_count(f, "quarantined"));
		table_cell(&t, reply_text(f, "title", ""));
	}
	table_print(&t, c->columns, stdout);
	buf_done(&age);
	table_done(&t);
}

/* The reply; or none, when an error was told or --json has printed it: the status says which. */
static int ask(struct cli *c, enum http_way way, const char *method, const char *path,
               const json_t *body, json_t **ret)
{
	json_t *r = NULL;
	int err = http_json(c, way, method, path, body, &r);
	if (err)
		return err;
	if (c->json)
		cli_print_json(r);
	else
		*ret = r;
	return CLI_OK;
}

static int list(struct cli *c)
{
	json_t *r = NULL;
	int status = ask(c, HTTP_READ, "GET", "/v1/feeds", NULL, &r);
	if (!r)
		return status;
	feed_print_table(c, json_object_get(r, "feeds"));
	json_decref(r);
	return CLI_OK;
}

static void print_strings(const char *label, const json_t *array)
{
	size_t i;
	json_t *s;
	json_array_foreach(array, i, s) printf("%-13s %s\n", i == 0 ? label : "",
	                                       json_is_string(s) ? json_string_value(s) : "?");
}

/* Each version, what came of it, and when it ends; the last of them take no more. */
static void print_versions(const struct cli *c, const json_t *versions)
{
	static const char *const headings[] = {"SCHEMA",    "STATE",   "UNTIL",
	                                       ">MESSAGES", ">THINGS", ">REFUSED"};
	struct table t;
	size_t i;
	json_t *v;
	if (json_array_size(versions) == 0)
		return;
	table_init(&t, headings, ARRAY_LEN(headings));
	json_array_foreach(versions, i, v)
	{
		table_cell(&t, reply_text(v, "schema", "?"));
		table_cell(&t, reply_text(v, "state", "?"));
		table_cell(&t, reply_text(v, "until", "-"));
		table_count(&t, reply_count(v, "messages"));
		table_count(&t, reply_count(v, "things"));
		table_count(&t, reply_count(v, "refused"));
	}
	putchar('\n');
	table_print(&t, c->columns, stdout);
	table_done(&t);
}

void feed_print_ending(const json_t *feeds)
{
	size_t i, k;
	json_t *f, *v;
	json_array_foreach(feeds, i, f) json_array_foreach(json_object_get(f, "versions"), k, v)
	{
		const char *state = reply_text(v, "state", "");
		bool ended = strcmp(state, "ended") == 0;
		if (!ended && strcmp(state, "ending") != 0)
			continue;
		printf("%s: %s %s %s; %llu things send it\n", reply_text(f, "name", "?"),
		       reply_text(v, "schema", "?"), ended ? "is refused since" : "ends at",
		       reply_text(v, "until", "?"), (unsigned long long)reply_count(v, "things"));
	}
}

/* What differs from what most feeds say. */
static void print_contract(const json_t *r)
{
	static const struct {
		const char *label, *name, *usual;
	} rows[] = {{"decode", "decode", "json"},       {"duplicates", "duplicates", "ignore"},
	            {"bad time", "badTime", "refuse"},  {"licence", "licence", ""},
	            {"contact", "contact", ""},         {"purpose", "purpose", ""},
	            {"legal ground", "legalGround", ""}};
	struct buf b;
	buf_init(&b, 64 << 10);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *v = reply_text(r, rows[i].name, "");
		if (strcmp(v, rows[i].usual) != 0)
			buf_addf(&b, "%-13s %s\n", rows[i].label, v);
	}
	if (json_is_true(json_object_get(r, "draft")))
		buf_addf(&b, "%-13s %s\n", "draft", "its schemas may still change in place");
	if (json_is_true(json_object_get(r, "personalData")))
		buf_addf(&b, "%-13s yes; DPIA %s\n", "personal data",
		         reply_text(r, "dpia", "not stated"));
	print_buf(&b);
}

static int show(struct cli *c, const char *feed)
{
	json_t *r = NULL;
	auto_free char *path = http_feed_path(feed, "");
	int status = ask(c, HTTP_READ, "GET", path, NULL, &r);
	if (!r)
		return status;
	struct buf b;
	buf_init(&b, 64 << 10);
	buf_addf(&b, "%-13s %s\n%-13s %s\n", "feed", reply_text(r, "name", feed), "title",
	         reply_text(r, "title", ""));
	buf_addf(&b, "%-13s %s\n%-13s %s\n", "access", reply_text(r, "access", ""), "priority",
	         reply_text(r, "priority", ""));
	print_buf(&b);
	print_strings("topics", json_object_get(r, "topics"));
	print_strings("schemas", json_object_get(r, "schemas"));
	print_contract(r);
	buf_init(&b, 64 << 10);
	uint64_t records = reply_count(r, "records");
	buf_addf(&b, "%-13s ", "records");
	text_count(&b, records);
	if (records > 0)
		buf_addf(&b, " (%llu to %llu)", (unsigned long long)reply_count(r, "first"),
		         (unsigned long long)reply_count(r, "last"));
	buf_addf(&b, "\n%-13s %llu\n%-13s ", "epoch", (unsigned long long)reply_count(r, "epoch"),
	         "stored");
	text_bytes(&b, reply_count(r, "bytes"));
	buf_addf(&b, "\n%-13s ", "last stored");
	buf_addf(&b, "%s (", reply_text(r, "lastStored", "never"));
	write_age(&b, reply_text(r, "lastStored", NULL));
	buf_addf(&b, ")\n%-13s ", "quarantine");
	text_count(&b, reply_count(r, "quarantined"));
	buf_add_char(&b, '\n');
	print_buf(&b);
	print_versions(c, json_object_get(r, "versions"));
	json_decref(r);
	return CLI_OK;
}

static int trim(struct cli *c, const char *feed, const json_t *body)
{
	json_t *r = NULL;
	auto_free char *path = http_feed_path(feed, "/_trim");
	int status = ask(c, HTTP_ADMIN, "POST", path, body, &r);
	if (!r)
		return status;
	struct buf b;
	buf_init(&b, 1024);
	buf_add_str(&b, "deleted ");
	text_count(&b, reply_count(r, "deleted"));
	buf_addf(&b, " records; %s begins at %llu now\n", feed,
	         (unsigned long long)reply_count(r, "first"));
	print_buf(&b);
	json_decref(r);
	return CLI_OK;
}

enum {
	OPT_BEFORE = CLI_OWN,
	OPT_KEEP,
	OPT_THING,
	OPT_THING_COLUMN,
	OPT_TEXT,
	OPT_FORMAT,
	OPT_SEPARATOR,
	OPT_DECIMAL_COMMA,
	OPT_KEEP_COLUMN,
	OPT_PRIVACY
};

static const struct option options[] = {{"before", required_argument, NULL, OPT_BEFORE},
                                        {"keep", required_argument, NULL, OPT_KEEP},
                                        {"thing", required_argument, NULL, OPT_THING},
                                        {"thing-column", required_argument, NULL, OPT_THING_COLUMN},
                                        {"text", required_argument, NULL, OPT_TEXT},
                                        {"format", required_argument, NULL, OPT_FORMAT},
                                        {"separator", required_argument, NULL, OPT_SEPARATOR},
                                        {"decimal-comma", no_argument, NULL, OPT_DECIMAL_COMMA},
                                        {"keep-column", no_argument, NULL, OPT_KEEP_COLUMN},
                                        {"privacy", no_argument, NULL, OPT_PRIVACY},
                                        {0}};

struct given {
	json_t *trim;
	struct import_options import;
	bool of_import, privacy;
};

static int take_trim(struct cli *c, int o, struct given *g)
{
	uint64_t n;
	bool before = o == OPT_BEFORE;
	if (cli_number(c, before ? "--before" : "--keep", optarg, before, INT64_MAX, &n))
		return CLI_TROUBLE;
	if (g->trim)
		return cli_usage(c, "--before or --keep, and once");
	g->trim = json_pack("{s:I}", before ? "before" : "keep", (json_int_t)n);
	return 0;
}

static int take_option(struct cli *c, int o, struct given *g)
{
	struct import_options *i = &g->import;
	if (o == OPT_BEFORE || o == OPT_KEEP)
		return take_trim(c, o, g);
	g->of_import |= o != OPT_PRIVACY;
	switch (o) {
	case OPT_THING: i->thing = optarg; break;
	case OPT_THING_COLUMN: i->column = optarg; break;
	case OPT_TEXT: i->texts = optarg; break;
	case OPT_DECIMAL_COMMA: i->decimal_comma = true; break;
	case OPT_PRIVACY: g->privacy = true; return 0;
	case OPT_KEEP_COLUMN: i->keep_column = true; break;
	case OPT_SEPARATOR: i->separator = strcmp(optarg, "tab") == 0 ? "\t" : optarg; break;
	case OPT_FORMAT: i->format = optarg; break;
	default: return CLI_TROUBLE;
	}
	if (i->separator && strlen(i->separator) != 1)
		return cli_usage(c, "--separator is one character, or tab");
	if (i->format && strcmp(i->format, "csv") != 0 && strcmp(i->format, "ndjson") != 0)
		return cli_usage(c, "--format is csv or ndjson");
	return 0;
}

static int run(struct cli *c, int argc, char **argv, const struct given *g)
{
	const char *verb = optind < argc ? argv[optind] : "";
	const char *feed = optind + 1 < argc ? argv[optind + 1] : NULL;
	const char *file = optind + 2 < argc ? argv[optind + 2] : NULL;
	int given = argc - optind;
	if (g->trim && strcmp(verb, "trim") != 0)
		return cli_usage(c, "--before and --keep go with trim");
	if (g->of_import && strcmp(verb, "import") != 0)
		return cli_usage(c, "these options go with import");
	if (strcmp(verb, "list") == 0 && given == 1)
		return list(c);
	if (strcmp(verb, "show") == 0 && given == 2)
		return show(c, feed);
	if (strcmp(verb, "report") == 0 && given == 2 && g->privacy)
		return feed_report(c, feed);
	if (strcmp(verb, "import") == 0 && given == 3)
		return feed_import(c, feed, file, &g->import);
	if (strcmp(verb, "export") == 0 && given == 3)
		return feed_export(c, feed, file);
	if (strcmp(verb, "trim") != 0 || given != 2)
		return cli_usage(c, "list, show FEED, trim FEED, report FEED --privacy, import "
		                    "FEED FILE, or export FEED DIR");
	if (!g->trim)
		return cli_usage(c, "how far? --before SEQUENCE or --keep N");
	return trim(c, feed, g->trim);
}

int cmd_feed(struct cli *c, int argc, char **argv)
{
	struct given g = {0};
	int status = 0;
	for (int o; !status && (o = cli_option(c, argc, argv, "", options)) != CLI_END;)
		status = o < CLI_OWN ? CLI_TROUBLE : take_option(c, o, &g);
	if (!status)
		status = run(c, argc, argv, &g);
	json_decref(g.trim);
	return status;
}
