/* report.c - `oudp feed report FEED --privacy`: one page for who has to answer for a feed. */
#include "cli/feed.h"
#include "cli/http.h"
#include "cli/text.h"

#include "base/mem.h"

#include <stdio.h>

static void line(const char *label, const char *text)
{
	printf("%-18s %s\n", label, text);
}

static const char *or_missing(const json_t *feed, const char *name)
{
	const char *v = reply_text(feed, name, "");
	return *v ? v : "NOT STATED";
}

static void print_keeps(const char *label, uint64_t seconds, const char *what)
{
	struct buf b;
	buf_init(&b, 256);
	if (seconds)
		text_age(&b, (int64_t)seconds);
	else
		buf_add_str(&b, "no bound by age");
	printf("%-18s %s (%s)\n", label, buf_str(&b), what);
	buf_done(&b);
}

static void print_steps(const json_t *steps)
{
	size_t i;
	json_t *s;
	if (json_array_size(steps) == 0)
		line("taken out", "nothing: messages are stored as they come");
	json_array_foreach(steps, i, s) line(i ? "" : "taken out", json_string_value(s));
}

static void print_deleted(const json_t *d)
{
	unsigned long long messages = reply_count(d, "messages"),
	                   n = reply_count(d, "observations");
	printf("%-18s %llu messages, %llu observations", "deleted so far", messages, n);
	if (n)
		printf(" (the last %s)", reply_text(d, "last", "?"));
	printf("\n");
}

static void print_things(const json_t *things)
{
	printf("%-18s %llu published here lately; %llu are registered, %llu of them valid today, "
	       "%llu with personal data\n",
	       "things", (unsigned long long)reply_count(things, "seen"),
	       (unsigned long long)reply_count(things, "registered"),
	       (unsigned long long)reply_count(things, "valid"),
	       (unsigned long long)reply_count(things, "personalData"));
}

static void print(const json_t *r)
{
	const json_t *f = json_object_get(r, "feed"), *q = json_object_get(r, "quarantine");
	bool personal = json_is_true(json_object_get(f, "personalData"));
	line("feed", reply_text(f, "name", "?"));
	line("title", reply_text(f, "title", ""));
	line("personal data", personal ? "yes" : "no, the configuration says");
	line("purpose", or_missing(f, "purpose"));
	line("legal ground", or_missing(f, "legalGround"));
	line("DPIA", or_missing(f, "dpia"));
	line("contact", or_missing(f, "contact"));
	line("who may read", reply_text(f, "access", "?"));
	print_keeps("messages kept", reply_count(f, "keepMessagesSeconds"), "the log");
	print_keeps("series kept", reply_count(f, "keepSeriesSeconds"), "what is made of it");
	print_deleted(json_object_get(r, "deleted"));
	print_steps(json_object_get(r, "steps"));
	printf("%-18s %llu refused messages, at most %llu; %s\n", "quarantine",
	       (unsigned long long)reply_count(q, "rows"),
	       (unsigned long long)reply_count(q, "rowsMax"),
	       json_is_true(json_object_get(q, "keepsPayload")) ? "WITH what was sent"
	                                                        : "without what was sent");
	line("registration", reply_text(f, "registration", "?"));
	print_things(json_object_get(r, "things"));
	printf("%-18s %llu now, the last %s\n", "messages",
	       (unsigned long long)reply_count(f, "records"), reply_text(f, "lastStored", "never"));
}

int feed_report(struct cli *c, const char *feed)
{
	json_t *r = NULL;
	auto_free char *path = http_feed_path(feed, "/privacy");
	int err = http_json(c, HTTP_ADMIN, "GET", path, NULL, &r);
	if (err)
		return err;
	if (c->json) {
		cli_print_json(r);
		return CLI_OK;
	}
	print(r);
	json_decref(r);
	return CLI_OK;
}
