/* quarantine.c - `oudp quarantine`: what was refused, and trying it again. */
#include "cli/http.h"
#include "cli/table.h"
#include "cli/text.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct quarantine {
	struct cli *cli;
	bool unrouted, payload, received;
	uint64_t after, limit;
	char **args; /* after the verb */
	int n_args;
};

enum { OPT_UNROUTED = CLI_OWN, OPT_PAYLOAD, OPT_AFTER, OPT_LIMIT, OPT_TIME };

static const struct option options[] = {
    {"unrouted", no_argument, NULL, OPT_UNROUTED}, {"payload", no_argument, NULL, OPT_PAYLOAD},
    {"after", required_argument, NULL, OPT_AFTER}, {"limit", required_argument, NULL, OPT_LIMIT},
    {"time", required_argument, NULL, OPT_TIME},   {0}};

/* The rows of one quarantine; feed NULL: the unrouted. */
static int fetch(struct cli *c, const char *feed, uint64_t after, uint64_t limit, json_t **ret)
{
	char query[96];
	snprintf(query, sizeof(query), "%s?after=%llu&limit=%llu", feed ? "/quarantine" : "",
	         (unsigned long long)after, (unsigned long long)limit);
	auto_free char *of_feed = feed ? http_feed_path(feed, query) : NULL, *unrouted = NULL;
	if (asprintf(&unrouted, "/v1/unrouted%s", query) < 0)
		unrouted = NULL;
	return http_json(c, HTTP_READ, "GET", feed ? of_feed : unrouted, NULL, ret);
}

/* Calls each for the quarantines asked for: of one feed, of the unrouted, or of all that may hold
 * rows. Stops at the first non-zero. */
typedef int (*each_fn)(void *arg, const char *feed);
static int each_quarantine(struct cli *c, each_fn each, void *arg)
{
	json_t *r = NULL, *f;
	int err = http_json(c, HTTP_READ, "GET", "/v1/feeds", NULL, &r);
	if (err)
		return err;
	size_t i;
	json_array_foreach(json_object_get(r, "feeds"), i, f)
	{
		const char *name = reply_text(f, "name", NULL);
		if (!err && name && reply_count(f, "quarantined") > 0)
			err = each(arg, name);
	}
	json_decref(r);
	return err ? err : each(arg, NULL);
}

/* ---- list ---- */

struct listing {
	struct quarantine *q;
	struct table table; /* one line a row, when it is not for a terminal */
	struct buf entries; /* three lines a row, for one */
	json_t *rows;       /* with --json */
	uint64_t n;
	bool more;
};

static const char *payload_text(const json_t *row)
{
	return reply_text(row, "payload",
	                  json_object_get(row, "sha256") ? "(not kept: privacy)" : "(not text)");
}

/* ID, when and where; why; the bytes. */
static void add_entry(struct listing *l, const json_t *row)
{
	static const char indent[] = "       ";
	struct buf *b = &l->entries;
	unsigned columns = l->q->cli->columns, left = columns > 20 ? columns - 8 : 0;
	struct span topic = span_str(reply_text(row, "topic", "")),
	            reason = span_str(reply_text(row, "reason", "")),
	            payload = span_str(payload_text(row));
	buf_addf(b, "%6llu %.19sZ  ", (unsigned long long)reply_count(row, "id"),
	         reply_text(row, "time", ""));
	text_line(b, topic, left > 22 ? left - 22 : left);
	buf_addf(b, "\n%s", indent);
	text_line(b, reason, 0);
	buf_addf(b, "\n%s", indent);
	text_line(b, payload, left);
	buf_add_char(b, '\n');
}

static void add_row(struct listing *l, const char *feed, const json_t *row)
{
	if (l->rows) {
		json_t *copy = json_copy((json_t *)row);
		json_object_set_new(copy, "feed", feed ? json_string(feed) : json_null());
		json_array_append_new(l->rows, copy);
		return;
	}
	if (l->q->cli->terminal) {
		add_entry(l, row);
		return;
	}
	char id[24];
	snprintf(id, sizeof(id), "%llu", (unsigned long long)reply_count(row, "id"));
	table_cell(&l->table, id);
	/* 2026-11-24T12:34:56.789Z to the second */
	const char *time = reply_text(row, "time", "");
	auto_free char *second = xstrndup(time, strlen(time) > 19 ? 19 : strlen(time));
	table_cell(&l->table, second);
	table_cell(&l->table, reply_text(row, "topic", ""));
	table_cell(&l->table, reply_text(row, "reason", ""));
	table_cell(&l->table, payload_text(row));
}

static int list_one(void *arg, const char *feed)
{
	struct listing *l = arg;
	json_t *r = NULL, *row;
	int err = fetch(l->q->cli, feed, l->q->after, l->q->limit, &r);
	if (err)
		return err;
	size_t i;
	json_array_foreach(json_object_get(r, "rows"), i, row)
	{
		add_row(l, feed, row);
		l->n++;
	}
	l->more |= json_is_integer(json_object_get(r, "next"));
	json_decref(r);
	return 0;
}

static int print_listing(struct listing *l)
{
	struct cli *c = l->q->cli;
	if (c->json) {
		cli_print_json(json_pack("{s:o, s:b}", "rows", l->rows, "more", l->more));
		return l->n ? CLI_OK : CLI_NO;
	}
	if (l->n == 0) {
		fprintf(stderr, "nothing is in quarantine\n");
		return CLI_NO;
	}
	if (c->terminal)
		fwrite(l->entries.p, 1, l->entries.len, stdout);
	else
		table_print(&l->table, 0, stdout);
	if (l->more)
		fprintf(stderr, "there are more: --after ID, or --limit\n");
	return CLI_OK;
}

static int list(struct quarantine *q)
{
	static const char *const headings[] = {">ID", "RECEIVED (UTC)", "TOPIC", "REASON",
	                                       "PAYLOAD"};
	struct listing l = {.q = q, .rows = q->cli->json ? json_array() : NULL};
	if (q->n_args > (q->unrouted ? 0 : 1))
		return cli_usage(q->cli, "list takes one feed, or --unrouted, or nothing");
	table_init(&l.table, headings, ARRAY_LEN(headings));
	buf_init(&l.entries, 64 << 20);
	int err = q->unrouted || q->n_args == 1 ? list_one(&l, q->unrouted ? NULL : q->args[0])
	                                        : each_quarantine(q->cli, list_one, &l);
	int status = err ? err : print_listing(&l);
	table_done(&l.table);
	buf_done(&l.entries);
	return status;
}

/* ---- show ---- */

struct search {
	struct quarantine *q;
	uint64_t id;
	json_t *row;
	char *feed;
};

static int search_one(void *arg, const char *feed)
{
	struct search *s = arg;
	json_t *r = NULL;
	if (s->row)
		return 0;
	int err = fetch(s->q->cli, feed, s->id - 1, 1, &r);
	if (err)
		return err;
	json_t *row = json_array_get(json_object_get(r, "rows"), 0);
	if (row && reply_count(row, "id") == s->id) {
		s->row = json_incref(row);
		s->feed = feed ? xstrdup(feed) : NULL;
	}
	json_decref(r);
	return 0;
}

/* RFC 4648 section 4, as the API writes it; what is not of the alphabet ends it. */
static void print_decoded(const char *base64)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0;
	unsigned n = 0;
	for (const char *at; *base64 && (at = strchr(alphabet, *base64)); base64++) {
		bits = bits << 6 | (uint32_t)(at - alphabet);
		n += 6;
		if (n >= 8) {
			n -= 8;
			putchar((int)(bits >> n & 255));
		}
	}
}

static void print_payload(const json_t *row, bool as_it_is)
{
	const json_t *text = json_object_get(row, "payload");
	if (text) {
		fwrite(json_string_value(text), 1, json_string_length(text), stdout);
		if (!as_it_is)
			putchar('\n');
		return;
	}
	const char *base64 = reply_text(row, "payloadBase64", "");
	if (as_it_is)
		print_decoded(base64);
	else
		puts(base64);
}

static void print_row(const struct search *s)
{
	static const char *const members[] = {
	    "time", "topic", "publisher", "protocol", "reason", "schema", "pointer", "rule", NULL};
	printf("%-10s %llu\n%-10s %s\n", "id", (unsigned long long)s->id, "feed",
	       s->feed ? s->feed : "none takes this topic");
	for (size_t i = 0; members[i]; i++) {
		const char *v = reply_text(s->row, members[i], "");
		if (*v)
			printf("%-10s %s\n", members[i], v);
	}
	bool retain = json_is_true(json_object_get(s->row, "retain"));
	printf("%-10s %llu%s\n%-10s %llu bytes%s\n\n", "qos",
	       (unsigned long long)reply_count(s->row, "qos"), retain ? ", retained" : "", "size",
	       (unsigned long long)reply_count(s->row, "size"),
	       json_object_get(s->row, "payload") || json_object_get(s->row, "sha256")
	           ? ""
	           : ", not text: base64 below");
	const char *sha256 = reply_text(s->row, "sha256", NULL);
	if (sha256)
		printf("not kept: its feed has privacy steps; SHA-256 %s\n", sha256);
	else
		print_payload(s->row, false);
}

static int show(struct quarantine *q)
{
	struct search s = {.q = q};
	if (q->n_args != 1)
		return cli_usage(q->cli, "show takes one ID");
	int err = cli_number(q->cli, "the ID", q->args[0], 1, INT64_MAX, &s.id);
	if (!err)
		err = q->unrouted ? search_one(&s, NULL) : each_quarantine(q->cli, search_one, &s);
	if (err)
		return err;
	if (!s.row) {
		cli_trouble(q->cli, "there is no row %llu; see: oudp quarantine list",
		            (unsigned long long)s.id);
		return CLI_NO;
	}
	if (q->cli->json) {
		json_object_set_new(s.row, "feed", s.feed ? json_string(s.feed) : json_null());
		cli_print_json(json_incref(s.row));
	} else if (q->payload) {
		print_payload(s.row, true);
	} else {
		print_row(&s);
	}
	json_decref(s.row);
	free(s.feed);
	return CLI_OK;
}

/* ---- retry ---- */

static json_t *retry_body(struct quarantine *q, int first)
{
	json_t *body = json_object();
	if (q->received)
		json_object_set_new(body, "time", json_string("received"));
	if (first >= q->n_args)
		return body;
	json_t *ids = json_array();
	json_object_set_new(body, "ids", ids);
	for (int i = first; i < q->n_args; i++) {
		uint64_t id;
		if (cli_number(q->cli, "an ID", q->args[i], 1, INT64_MAX, &id)) {
			json_decref(body);
			return NULL;
		}
		json_array_append_new(ids, json_integer((json_int_t)id));
	}
	return body;
}

static void print_results(const json_t *r)
{
	size_t i;
	json_t *row;
	json_array_foreach(json_object_get(r, "results"), i, row)
	{
		const char *verdict = reply_text(row, "verdict", "?");
		printf("%llu: %s", (unsigned long long)reply_count(row, "id"), verdict);
		if (json_object_get(row, "sequence"))
			printf(" as %llu", (unsigned long long)reply_count(row, "sequence"));
		if (reply_text(row, "reason", NULL))
			printf(" %s", reply_text(row, "reason", ""));
		putchar('\n');
	}
	printf("stored %llu, refused again %llu, left %llu\n",
	       (unsigned long long)reply_count(r, "stored"),
	       (unsigned long long)reply_count(r, "refused"),
	       (unsigned long long)reply_count(r, "left"));
}

static int retry(struct quarantine *q)
{
	int first = q->unrouted ? 0 : 1;
	if (q->n_args < first)
		return cli_usage(q->cli, "retry takes a feed, or --unrouted");
	json_t *body = retry_body(q, first), *r = NULL;
	if (!body)
		return CLI_TROUBLE;
	auto_free char *path = q->unrouted ? xstrdup("/v1/unrouted/_retry")
	                                   : http_feed_path(q->args[0], "/quarantine/_retry");
	int err = http_json(q->cli, HTTP_ADMIN, "POST", path, body, &r);
	json_decref(body);
	if (err)
		return err;
	uint64_t refused = reply_count(r, "refused");
	if (q->cli->json) {
		cli_print_json(r);
	} else {
		print_results(r);
		json_decref(r);
	}
	return refused ? CLI_NO : CLI_OK;
}

int cmd_quarantine(struct cli *c, int argc, char **argv)
{
	struct quarantine q = {.cli = c, .limit = 100};
	for (int o; (o = cli_option(c, argc, argv, "", options)) != CLI_END;) {
		int err = 0;
		switch (o) {
		case OPT_UNROUTED: q.unrouted = true; break;
		case OPT_PAYLOAD: q.payload = true; break;
		case OPT_AFTER:
			err = cli_number(c, "--after", optarg, 0, INT64_MAX, &q.after);
			break;
		case OPT_LIMIT: err = cli_number(c, "--limit", optarg, 1, 1000, &q.limit); break;
		case OPT_TIME:
			if (strcmp(optarg, "received") != 0)
				return cli_trouble(c, "--time=received is the one choice, not '%s'",
				                   optarg);
			q.received = true;
			break;
		default: return CLI_TROUBLE;
		}
		if (err)
			return err;
	}
	const char *verb = optind < argc ? argv[optind] : "";
	q.args = argv + optind + 1;
	q.n_args = argc - optind - 1;
	if (strcmp(verb, "list") == 0)
		return list(&q);
	if (strcmp(verb, "show") == 0)
		return show(&q);
	if (strcmp(verb, "retry") == 0)
		return retry(&q);
	return cli_usage(c, "list, show or retry");
}
