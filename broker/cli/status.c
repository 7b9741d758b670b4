/* status.c - `oudp status` and `oudp reload`. */
#include "cli/feed.h"
#include "cli/http.h"
#include "cli/table.h"
#include "cli/text.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OPT_WATCH = CLI_OWN, PAGE_BYTES = 256 << 10, LABEL = 13 };

static void write_uptime(struct buf *b, uint64_t s)
{
	if (s >= 86400)
		buf_addf(b, "%llu d ", (unsigned long long)(s / 86400));
	buf_addf(b, "%02llu:%02llu:%02llu", (unsigned long long)(s / 3600 % 24),
	         (unsigned long long)(s / 60 % 60), (unsigned long long)(s % 60));
}

/* On more lines where the terminal is too narrow for one. */
static void counts(const struct cli *c, struct buf *b, const char *label, const json_t *object,
                   const char *const *names)
{
	buf_addf(b, "%-12s ", label);
	size_t line = b->len - LABEL;
	for (size_t i = 0; names[i]; i += 2) {
		size_t from = b->len;
		buf_add_str(b, i ? "   " : "");
		text_count(b, reply_count(object, names[i]));
		buf_addf(b, " %s", names[i + 1]);
		if (i == 0 || !c->columns || b->len - line <= c->columns)
			continue;
		b->len = from;
		line = b->len + 1;
		buf_addf(b, "\n%-12s ", "");
		text_count(b, reply_count(object, names[i]));
		buf_addf(b, " %s", names[i + 1]);
	}
	buf_add_char(b, '\n');
}

static void certificates(const struct cli *c, struct buf *b, const json_t *all)
{
	size_t i;
	json_t *one;
	json_array_foreach(all, i, one)
	{
		long long days = json_integer_value(json_object_get(one, "daysLeft"));
		buf_addf(b, "%-12s %s: the certificate ", i ? "" : "tls",
		         reply_text(one, "name", "?"));
		if (days < 0)
			text_weighted(b, c->colour, TEXT_BAD, SPAN("HAS EXPIRED\n"));
		else
			buf_addf(b, "has %lld day%s left\n", days, days == 1 ? "" : "s");
	}
}

static void client_certificates(struct buf *b, const json_t *of)
{
	if (!of)
		return;
	buf_addf(b, "%-12s %llu of %llu certificates end within 30 days; first %s, in %lld days\n",
	         "clients", (unsigned long long)reply_count(of, "ending"),
	         (unsigned long long)reply_count(of, "known"), reply_text(of, "soonest", "?"),
	         (long long)json_integer_value(json_object_get(of, "daysLeft")));
}

static void series(struct buf *b, const json_t *s)
{
	if (!s)
		return;
	buf_addf(b, "%-12s ", "series");
	text_count(b, reply_count(s, "datastreams"));
	buf_add_str(b, " datastreams of ");
	text_count(b, reply_count(s, "things"));
	buf_add_str(b, " things   ");
	text_bytes(b, reply_count(s, "bytes"));
	if (reply_count(s, "lagRecords")) {
		buf_add_str(b, "   ");
		text_count(b, reply_count(s, "lagRecords"));
		buf_add_str(b, " records behind");
	}
	if (reply_count(s, "damaged"))
		buf_addf(b, "   DAMAGED rows: %llu", (unsigned long long)reply_count(s, "damaged"));
	if (!json_is_true(json_object_get(s, "writable")))
		buf_add_str(b, "   CANNOT BE WRITTEN: is the disk full?");
	buf_add_char(b, '\n');
}

static void page(const struct cli *c, const json_t *r)
{
	static const char *const connections[] = {"mqtt",      "MQTT",      "http", "HTTP",
	                                          "websocket", "WebSocket", NULL};
	static const char *const counters[] = {
	    "stored",     "stored",    "quarantined", "quarantined", "duplicates",
	    "duplicates", "unrouted",  "unrouted",    "refused",     "refused",
	    "delivered",  "delivered", NULL};
	struct buf b;
	buf_init(&b, 64 << 10);
	buf_addf(&b, "oudpd %s   %s   up ", reply_text(r, "version", "?"),
	         reply_text(r, "organisation", ""));
	write_uptime(&b, reply_count(r, "uptime"));
	bool ready = json_is_true(json_object_get(r, "ready"));
	buf_add_str(&b, "   ");
	text_weighted(&b, c->colour, ready ? TEXT_GOOD : TEXT_BAD,
	              span_str(ready ? "ready" : "NOT READY: publishers wait; is the disk full?"));
	buf_add_str(&b, "\n\n");
	counts(c, &b, "connections", json_object_get(r, "connections"), connections);
	counts(c, &b, "since start", json_object_get(r, "counters"), counters);
	buf_addf(&b, "%-12s %.1f stored a second   commit ", "now",
	         reply_real(json_object_get(r, "rates"), "storedPerSecond"));
	text_count(&b, reply_count(r, "commit"));
	const json_t *store = json_object_get(r, "store");
	uint64_t used = reply_count(store, "usedBytes"), map = reply_count(store, "mapBytes");
	buf_addf(&b, "\n%-12s ", "store");
	text_bytes(&b, used);
	buf_add_str(&b, " used of ");
	text_bytes(&b, map);
	buf_addf(&b, " (%.0f%%)   ", map ? 100.0 * (double)used / (double)map : 0.0);
	text_bytes(&b, reply_count(store, "diskFreeBytes"));
	buf_add_str(&b, " free on the disk\n");
	series(&b, json_object_get(r, "series"));
	certificates(c, &b, json_object_get(r, "tls"));
	client_certificates(&b, json_object_get(r, "clientCertificates"));
	buf_add_char(&b, '\n');
	fwrite(b.p, 1, b.len, stdout);
	buf_done(&b);
	feed_print_table(c, json_object_get(r, "feeds"));
	feed_print_ending(json_object_get(r, "feeds"));
}

/* Who is behind: the administrator's to see, so only for who may open the socket. */
static void print_behind(struct cli *c)
{
	static const char *const headings[] = {"BEHIND ON", "WHO",      "CLIENT",
	                                       "WAY",       ">RECORDS", ">DAYS LEFT"};
	struct http_reply reply;
	struct table t;
	size_t i;
	json_t *s;
	if (access(c->socket, R_OK | W_OK) ||
	    http_ask(c, HTTP_ADMIN, "GET", "/v1/subscribers", NULL, &reply))
		return;
	const json_t *all = json_object_get(reply.json, "subscribers");
	table_init(&t, headings, ARRAY_LEN(headings));
	json_array_foreach(all, i, s)
	{
		char days[32] = "-", who[160];
		if (json_object_get(s, "daysLeft"))
			snprintf(days, sizeof(days), "%.1f", reply_real(s, "daysLeft"));
		snprintf(who, sizeof(who), "%.64s/%.64s", reply_text(s, "organisation", ""),
		         reply_text(s, "identity", ""));
		table_cell(&t, reply_text(s, "feed", "?"));
		table_cell(&t, who);
		table_cell(&t, reply_text(s, "client", "-"));
		table_cell(&t, json_is_true(json_object_get(s, "connected"))
		                   ? reply_text(s, "way", "?")
		                   : "away");
		table_count(&t, reply_count(s, "behind"));
		table_cell(&t, days);
	}
	if (json_array_size(all) > 0) {
		putchar('\n');
		table_print(&t, c->columns, stdout);
	}
	table_done(&t);
	http_reply_done(&reply);
}

static int once(struct cli *c, bool clear)
{
	json_t *r = NULL;
	int err = http_json(c, HTTP_READ, "GET", "/v1/status", NULL, &r);
	if (err)
		return err;
	if (c->json) {
		cli_print_json(r);
		return CLI_OK;
	}
	if (clear)
		fputs("\033[H\033[J", stdout);
	page(c, r);
	print_behind(c);
	if (clear)
		puts("\nagain each second; Ctrl-C ends");
	json_decref(r);
	return CLI_OK;
}

int cmd_status(struct cli *c, int argc, char **argv)
{
	static const struct option options[] = {{"watch", no_argument, NULL, OPT_WATCH}, {0}};
	bool watch = false;
	for (int o; (o = cli_option(c, argc, argv, "", options)) != CLI_END;) {
		if (o != OPT_WATCH)
			return CLI_TROUBLE;
		watch = true;
	}
	if (optind < argc)
		return cli_usage(c, "there is nothing to name here");
	if (!watch)
		return once(c, false);
	cli_stop_init();
	if (c->terminal) /* a page is written at once, so that nothing flickers */
		setvbuf(stdout, NULL, _IOFBF, PAGE_BYTES);
	for (;;) {
		int status = once(c, c->terminal);
		if (cli_finish(c, CLI_OK))
			return CLI_OK; /* nobody looks any more */
		(void)status; /* a broker that is away comes back: said on stderr, asked again */
		for (int i = 0; i < 10; i++) {
			if (cli_stop())
				return CLI_OK;
			poll(NULL, 0, 100);
		}
	}
}

int cmd_reload(struct cli *c, int argc, char **argv)
{
	if (cli_option(c, argc, argv, "", NULL) != CLI_END)
		return CLI_TROUBLE;
	if (optind < argc)
		return cli_usage(c, "there is nothing to name here");
	json_t *body = json_object(), *r = NULL;
	int err = http_json(c, HTTP_ADMIN, "POST", "/v1/_reload", body, &r);
	json_decref(body);
	if (err)
		return err;
	if (c->json) {
		cli_print_json(r);
		return CLI_OK;
	}
	size_t i;
	json_t *line, *changed = json_object_get(r, "changed");
	json_array_foreach(changed, i, line)
	    puts(json_is_string(line) ? json_string_value(line) : "?");
	if (json_array_size(changed) == 0)
		puts("reloaded; nothing has changed");
	json_decref(r);
	return CLI_OK;
}
