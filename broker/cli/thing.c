/* thing.c - `oudp thing`: the register, and what published without standing in it. */
#include "cli/http.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/thingfile.h"

#include "base/mem.h"
#include "register/entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES = 256 << 20, SHOWN_FAULTS = 200 };

struct thing_command {
	struct cli *cli;
	const char *organisation, *feed, *state, *date, *reason;
	bool dry, skip, history, registered;
	uint64_t limit;
	char **args; /* after the verb */
	int n_args;
};

enum {
	OPT_ORGANISATION = CLI_OWN,
	OPT_FEED,
	OPT_STATE,
	OPT_DATE,
	OPT_DRY,
	OPT_SKIP,
	OPT_HISTORY,
	OPT_REGISTERED,
	OPT_LIMIT,
	OPT_REASON
};

static const struct option options[] = {{"organisation", required_argument, NULL, OPT_ORGANISATION},
                                        {"feed", required_argument, NULL, OPT_FEED},
                                        {"state", required_argument, NULL, OPT_STATE},
                                        {"date", required_argument, NULL, OPT_DATE},
                                        {"dry-run", no_argument, NULL, OPT_DRY},
                                        {"skip-faulty", no_argument, NULL, OPT_SKIP},
                                        {"history", no_argument, NULL, OPT_HISTORY},
                                        {"registered", no_argument, NULL, OPT_REGISTERED},
                                        {"limit", required_argument, NULL, OPT_LIMIT},
                                        {"reason", required_argument, NULL, OPT_REASON},
                                        {0}};

static void add_query(struct buf *b, const char *name, const char *value)
{
	if (!value)
		return;
	buf_add_char(b, memchr(b->p, '?', b->len) ? '&' : '?');
	buf_addf(b, "%s=", name);
	text_percent(b, span_str(value));
}

/* /v1/things/{id}, suffix, organisation; the caller frees. */
static char *path_of(const struct thing_command *t, const char *id, const char *suffix)
{
	struct buf b;
	buf_init(&b, 16 << 10);
	buf_add_str(&b, "/v1/things/");
	text_percent(&b, span_str(id));
	buf_add_str(&b, suffix);
	add_query(&b, "organisation", t->organisation);
	if (t->dry)
		add_query(&b, "dryRun", "true");
	char *path = xstrdup(buf_str(&b));
	buf_done(&b);
	return path;
}

/* ---- list ---- */

static int fetch_page(const struct thing_command *t, const char *after, uint64_t limit,
                      json_t **ret)
{
	struct buf b;
	char number[24];
	buf_init(&b, 16 << 10);
	buf_add_str(&b, "/v1/things");
	snprintf(number, sizeof(number), "%llu",
	         (unsigned long long)MIN_OF(limit, (uint64_t)LIMIT_THINGS_PAGE));
	add_query(&b, "limit", number);
	add_query(&b, "after", after);
	add_query(&b, "feed", t->feed);
	add_query(&b, "state", t->state);
	add_query(&b, "organisation", t->organisation);
	add_query(&b, "registered", t->registered ? "true" : NULL);
	int err = http_json(t->cli, HTTP_READ, "GET", buf_str(&b), NULL, ret);
	buf_done(&b);
	return err;
}

/* 2026-11-24T12:34:56.789Z to the minute; "" stays. */
static void cell_minute(struct table *table, const char *time)
{
	auto_free char *minute = xstrndup(time, strlen(time) > 16 ? 16 : strlen(time));
	table_cell(table, minute);
}

static void add_row(struct table *table, const json_t *x)
{
	const json_t *seen = json_object_get(x, "seen"), *feeds = json_object_get(seen, "feeds");
	bool registered = json_is_true(json_object_get(x, "registered"));
	struct buf names;
	buf_init(&names, 4096);
	for (size_t i = 0; i < json_array_size(feeds); i++)
		buf_addf(&names, "%s%s", i ? " " : "", json_string_value(json_array_get(feeds, i)));
	table_cell(table, reply_text(x, "id", ""));
	table_cell(table, registered ? reply_text(x, "state", "active") : "-");
	table_cell(table, !registered                                 ? ""
	                  : json_is_true(json_object_get(x, "valid")) ? "yes"
	                                                              : "no");
	cell_minute(table, reply_text(seen, "last", ""));
	table_cell(table, buf_str(&names));
	table_cell(table, reply_text(json_object_get(x, "name"), "nl", ""));
	buf_done(&names);
}

static int list(struct thing_command *t)
{
	static const char *const headings[] = {"THING",           "STATE", "VALID",
	                                       "LAST SEEN (UTC)", "FEEDS", "NAME"};
	struct table table;
	json_t *all = json_array(), *page = NULL, *x;
	auto_free char *after = NULL;
	size_t i;
	int err = 0;
	if (t->n_args)
		return cli_usage(t->cli, "list takes options only");
	table_init(&table, headings, ARRAY_LEN(headings));
	do {
		json_decref(page);
		page = NULL;
		err = fetch_page(t, after, t->limit - json_array_size(all), &page);
		free(after);
		after = NULL;
		if (err)
			break;
		json_array_foreach(json_object_get(page, "things"), i, x)
		{
			json_array_append(all, x);
			add_row(&table, x);
		}
		const char *next = reply_text(page, "next", NULL);
		after = next ? xstrdup(next) : NULL;
	} while (after && json_array_size(all) < t->limit);
	json_decref(page);
	size_t n = json_array_size(all);
	if (!err && t->cli->json) {
		cli_print_json(json_pack("{s:O, s:b}", "things", all, "more", after != NULL));
	} else if (!err && n) {
		table_print(&table, t->cli->columns, stdout);
		if (after)
			fprintf(stderr, "there are more: --limit\n");
	} else if (!err) {
		fprintf(stderr, "there are no such things\n");
	}
	json_decref(all);
	table_done(&table);
	return err ? err : n ? CLI_OK : CLI_NO;
}

/* ---- show ---- */

static int show(struct thing_command *t)
{
	json_t *r = NULL;
	if (t->n_args != 1)
		return cli_usage(t->cli, "show takes one THING");
	auto_free char *path = path_of(t, t->args[0], t->history ? "/versions" : "");
	int err = http_json(t->cli, t->history ? HTTP_ADMIN : HTTP_READ, "GET", path, NULL, &r);
	if (err)
		return err;
	if (t->cli->json) {
		cli_print_json(r);
		return CLI_OK;
	}
	json_dumpf(r, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	putchar('\n');
	json_decref(r);
	return CLI_OK;
}

/* ---- add, end ---- */

static int tell_done(struct thing_command *t, json_t *r)
{
	if (t->cli->json) {
		cli_print_json(r);
		return CLI_OK;
	}
	if (t->dry)
		puts("it can be registered; nothing was changed");
	else
		printf("%s is registered: version %llu, page /t/%s\n", reply_text(r, "id", "?"),
		       (unsigned long long)reply_count(r, "version"), reply_text(r, "code", "?"));
	json_decref(r);
	return CLI_OK;
}

static int add(struct thing_command *t)
{
	json_t *entry = json_object(), *r = NULL;
	json_error_t e;
	if (t->n_args < 2)
		return cli_usage(t->cli, "add takes a THING, then a FILE or MEMBER=VALUE...");
	for (int i = 1; i < t->n_args; i++) {
		char *eq = strchr(t->args[i], '=');
		if (!eq && t->n_args == 2) {
			struct buf text;
			buf_init(&text, 1 << 20);
			int err = cli_read_file(t->cli, t->args[i], 1 << 20, &text);
			if (err)
				return err;
			json_decref(entry);
			entry =
			    json_loadb(text.p ? text.p : "", text.len, JSON_REJECT_DUPLICATES, &e);
			buf_done(&text);
			if (!entry)
				return cli_trouble(t->cli, "%s: line %d: %s", t->args[i], e.line,
				                   e.text);
			continue;
		}
		auto_free char *name = xstrndup(t->args[i], strcspn(t->args[i], "="));
		if (!eq || !thingfile_set(entry, name, eq + 1))
			return cli_trouble(
			    t->cli, "there is no member '%s'; oudp-register(7) lists them", name);
	}
	auto_free char *path = path_of(t, t->args[0], "");
	int err = http_json(t->cli, HTTP_ADMIN, "PUT", path, entry, &r);
	json_decref(entry);
	return err ? err : tell_done(t, r);
}

static int end(struct thing_command *t)
{
	json_t *r = NULL;
	if (t->n_args != 1)
		return cli_usage(t->cli, "end takes one THING");
	/* with a date it stays active until then */
	json_t *patch = t->date ? json_pack("{s:s}", "activeUntil", t->date)
	                        : json_pack("{s:s}", "state", "ended");
	auto_free char *path = path_of(t, t->args[0], "");
	int err = http_json(t->cli, HTTP_ADMIN, "PATCH", path, patch, &r);
	json_decref(patch);
	return err ? err : tell_done(t, r);
}

/* ---- erase ---- */

static int erase(struct thing_command *t)
{
	json_t *r = NULL;
	if (t->n_args != 1 || !t->reason)
		return cli_usage(t->cli, "erase takes one THING and --reason TEXT");
	json_t *body = json_pack("{s:s}", "reason", t->reason);
	auto_free char *path = path_of(t, t->args[0], "/_erase");
	int err = http_json(t->cli, HTTP_ADMIN, "POST", path, body, &r);
	json_decref(body);
	if (err)
		return err;
	if (t->cli->json) {
		cli_print_json(r);
		return CLI_OK;
	}
	printf(
	    "erased: %llu records, %llu observations, %llu refused messages, %llu versions of its "
	    "entry\n"
	    "Subscribers of the moment were told. Backups made before still have it: a restore "
	    "erases it again,\nwith the file erased of the data directory. The store's free pages "
	    "have it until: oudp compact\n",
	    (unsigned long long)reply_count(r, "records"),
	    (unsigned long long)reply_count(r, "observations"),
	    (unsigned long long)reply_count(r, "quarantined"),
	    (unsigned long long)reply_count(r, "versions"));
	json_decref(r);
	return CLI_OK;
}

/* ---- import ---- */

struct import {
	struct thing_command *t;
	const char *path;
	bool check; /* the first walk: nothing is sent */
	unsigned good, faulty, sent;
	json_t *faults; /* with --json */
};

static void tell_fault(struct import *m, const char *place, const char *id, const char *pointer,
                       const char *detail)
{
	if (m->faults)
		json_array_append_new(m->faults,
		                      json_pack("{s:s, s:s*, s:s, s:s}", "place", place, "thing",
		                                id, "pointer", pointer, "detail", detail));
	else if (m->faulty < SHOWN_FAULTS)
		fprintf(stderr, "%s: %s: %s%s%s%s%s\n", m->path, place, id ? id : "",
		        id ? ": " : "", pointer, *pointer ? ": " : "", detail);
}

static bool is_good(struct import *m, const char *place, const char *id, const json_t *entry)
{
	struct entry e;
	struct entry_faults f = {0};
	auto_free char *text = json_dumps(entry, JSON_COMPACT);
	if (!id || !entry_is_id(span_str(id))) {
		tell_fault(m, place, id, "",
		           id ? "this is no id: no '/', '+' or '#', 255 bytes" : "it has no id");
		return false;
	}
	if (entry_read(span_str(text), &e, &f) == 0) {
		entry_done(&e);
		return true;
	}
	for (unsigned i = 0; i < f.n; i++)
		tell_fault(m, place, id, f.one[i].pointer, f.one[i].detail);
	return false;
}

static int import_one(void *arg, const char *place, const char *id, json_t *entry)
{
	struct import *m = arg;
	if (m->check) {
		bool good = is_good(m, place, id, entry);
		m->good += good;
		m->faulty += !good;
		return 0;
	}
	struct import quiet = {.faults = json_array()}; /* the first walk has told */
	bool good = is_good(&quiet, place, id, entry);
	json_decref(quiet.faults);
	if (!good)
		return 0;
	json_t *r = NULL;
	auto_free char *path = path_of(m->t, id, "");
	int err = http_json(m->t->cli, HTTP_ADMIN, "PUT", path, entry, &r);
	if (err)
		fprintf(stderr, "%s: %s: %s: not registered; those before it are\n", m->path, place,
		        id);
	m->sent += !err;
	json_decref(r);
	return err;
}

static int import_done(const struct import *m, int err)
{
	const struct cli *c = m->t->cli;
	if (c->json)
		cli_print_json(json_pack("{s:i, s:i, s:i, s:O}", "registered", (int)m->sent, "good",
		                         (int)m->good, "faulty", (int)m->faulty, "faults",
		                         m->faults));
	else if (m->t->dry)
		printf("%u can be registered, %u have faults; nothing was changed\n", m->good,
		       m->faulty);
	else if (m->faulty && !m->t->skip)
		fprintf(stderr,
		        "%u have faults, so nothing was registered; mend them, or --skip-faulty\n",
		        m->faulty);
	else
		printf("%u registered, %u passed over\n", m->sent, m->good + m->faulty - m->sent);
	return err ? err : m->faulty ? CLI_NO : CLI_OK;
}

static int import(struct thing_command *t)
{
	struct buf text;
	if (t->n_args != 1)
		return cli_usage(t->cli, "import takes one FILE");
	buf_init(&text, FILE_BYTES);
	int err = cli_read_file(t->cli, t->args[0], FILE_BYTES, &text);
	if (err)
		return err;
	struct import m = {.t = t,
	                   .path = t->args[0],
	                   .check = true,
	                   .faults = t->cli->json ? json_array() : NULL};
	struct span all = span_of(text.p, text.len);
	err = thingfile_each(t->cli, m.path, all, import_one, &m);
	m.check = false;
	if (!err && !t->dry && (!m.faulty || t->skip))
		err = thingfile_each(t->cli, m.path, all, import_one, &m);
	int status = import_done(&m, err);
	json_decref(m.faults);
	buf_done(&text);
	return status;
}

/* ---- the command ---- */

static int take_option(struct thing_command *t, int o)
{
	switch (o) {
	case OPT_ORGANISATION: t->organisation = optarg; return 0;
	case OPT_FEED: t->feed = optarg; return 0;
	case OPT_STATE: t->state = optarg; return 0;
	case OPT_REASON: t->reason = optarg; return 0;
	case OPT_DATE: t->date = optarg; return 0;
	case OPT_DRY: t->dry = true; return 0;
	case OPT_SKIP: t->skip = true; return 0;
	case OPT_HISTORY: t->history = true; return 0;
	case OPT_REGISTERED: t->registered = true; return 0;
	case OPT_LIMIT: return cli_number(t->cli, "--limit", optarg, 1, 1000000, &t->limit);
	default: return CLI_TROUBLE;
	}
}

int cmd_thing(struct cli *c, int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(struct thing_command *t);
	} verbs[] = {{"list", list}, {"show", show},     {"add", add},
	             {"end", end},   {"import", import}, {"erase", erase}};
	struct thing_command t = {.cli = c, .limit = 1000};
	for (int o; (o = cli_option(c, argc, argv, "", options)) != CLI_END;) {
		int err = take_option(&t, o);
		if (err)
			return err;
	}
	const char *verb = optind < argc ? argv[optind] : "";
	t.args = argv + optind + 1;
	t.n_args = argc - optind - 1;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verb, verbs[i].name) == 0)
			return verbs[i].run(&t);
	return cli_usage(c, "list, show, add, end, import or erase");
}
