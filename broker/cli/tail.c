/* tail.c - `oudp tail`: a feed as it comes. Remembers where it is, so that a connection that comes
 * back goes on after the last event that was printed. */
#include "cli/event.h"
#include "cli/http.h"
#include "cli/text.h"
#include "cli/ws.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct tail {
	struct cli *cli;
	const char *feed, *thing;
	char *after; /* as given, or EPOCH:SEQUENCE of the last event; NULL: none yet */
	char *since; /* RFC 3339; no longer used once after is known */
	uint64_t limit, printed;
	bool exit_on_live;
	bool broken; /* the output cannot be written */
	struct buf line, painted;
	unsigned subject_wide, sequence_wide; /* columns grow with what comes */
	int day;                              /* of the last line on a terminal; 0: none yet */
};

enum { SUBJECT_MIN = 12, SUBJECT_MAX = 32, SEQUENCE_MIN = 4, DATA_MIN = 10 };

enum { OPT_AFTER = CLI_OWN, OPT_SINCE, OPT_THING, OPT_LIMIT, OPT_EXIT_ON_LIVE };

static const struct option options[] = {{"after", required_argument, NULL, OPT_AFTER},
                                        {"since", required_argument, NULL, OPT_SINCE},
                                        {"thing", required_argument, NULL, OPT_THING},
                                        {"limit", required_argument, NULL, OPT_LIMIT},
                                        {"exit-on-live", no_argument, NULL, OPT_EXIT_ON_LIVE},
                                        {0}};

static void query(struct buf *b, char *separator, const char *name, const char *value)
{
	if (!value)
		return;
	buf_add_char(b, *separator);
	*separator = '&';
	buf_addf(b, "%s=", name);
	text_percent(b, span_str(value));
}

static void path(void *arg, struct buf *b)
{
	struct tail *t = arg;
	auto_free char *base = http_feed_path(t->feed, "/events");
	buf_add_str(b, base);
	char separator = '?';
	query(b, &separator, "after", t->after);
	query(b, &separator, "since", t->after ? NULL : t->since);
	query(b, &separator, "thing", t->thing);
}

static void remember(struct tail *t, struct span id)
{
	struct text_position at;
	if (text_event_position(id, &at) < 0)
		return;
	char *after = NULL;
	if (asprintf(&after, "%llu:%llu", (unsigned long long)at.epoch,
	             (unsigned long long)at.sequence) < 0)
		return;
	free(t->after);
	t->after = after;
}

/* One line whatever stands in it: raw line ends in JSON are white space. */
static void print_json(struct tail *t, struct span text)
{
	buf_clear(&t->line);
	buf_add_span(&t->line, text);
	for (size_t i = 0; i < t->line.len; i++)
		if (t->line.p[i] == '\n' || t->line.p[i] == '\r')
			t->line.p[i] = ' ';
	buf_add_char(&t->line, '\n');
	fwrite(t->line.p, 1, t->line.len, stdout);
}

/* For who reads along: the time of day here and how long ago that was; the day stands above. */
static bool put_clock(struct tail *t, struct buf *b, struct span stored)
{
	int64_t ms, now_ms = (int64_t)time(NULL) * 1000;
	struct tm tm;
	char day[64];
	if (text_time(stored, now_ms, &ms) < 0)
		return false;
	time_t s = (time_t)(ms / 1000);
	if (!localtime_r(&s, &tm))
		return false;
	int number = (tm.tm_year + 1900) * 366 + tm.tm_yday + 1;
	if (number != t->day && strftime(day, sizeof(day), "-- %F, %Z", &tm) > 0) {
		text_weighted(&t->painted, t->cli->colour, TEXT_FAINT, span_str(day));
		buf_add_char(&t->painted, '\n');
	}
	t->day = number;
	buf_addf(b, "%02d:%02d:%02d  ", tm.tm_hour, tm.tm_min, tm.tm_sec);
	size_t from = b->len;
	text_age(b, now_ms / 1000 - s);
	for (size_t n = b->len - from; n < sizeof("just now") - 1; n++)
		buf_add_char(b, ' ');
	return true;
}

static void put_time(struct tail *t, struct buf *b, struct span stored)
{
	if (t->cli->terminal && put_clock(t, b, stored))
		return;
	/* 2026-11-24T12:34:56.789Z without the milliseconds and with the Z */
	if (stored.n > 20 && stored.p[19] == '.')
		buf_addf(b, "%.19sZ", stored.p);
	else
		text_line(b, stored, 0);
}

static void print_line(struct tail *t, const struct event_view *e)
{
	struct buf *b = &t->line;
	buf_clear(b);
	buf_clear(&t->painted);
	put_time(t, b, e->time);
	buf_addf(b, "  ");
	size_t time_end = b->len, before = b->len;
	text_line(b, e->subject, SUBJECT_MAX);
	size_t subject_end = b->len;
	unsigned subject = text_columns(span_of(b->p + before, b->len - before));
	t->subject_wide = MAX_OF(t->subject_wide, MAX_OF(subject, (unsigned)SUBJECT_MIN));
	for (; subject < t->subject_wide; subject++)
		buf_add_char(b, ' ');
	unsigned digits = MIN_OF((unsigned)e->sequence.n, 20u);
	t->sequence_wide = MAX_OF(t->sequence_wide, MAX_OF(digits, (unsigned)SEQUENCE_MIN));
	buf_addf(b, "  %*.*s  ", (int)t->sequence_wide, (int)digits,
	         e->sequence.p ? e->sequence.p : "");
	size_t sequence_end = b->len;
	unsigned used = text_columns(span_of(b->p, b->len)), columns = t->cli->columns;
	text_line(b, e->data,
	          columns > used + DATA_MIN ? columns - used
	          : columns                 ? (unsigned)DATA_MIN
	                                    : 0);
	buf_add_char(b, '\n');
	struct buf *out = &t->painted;
	bool colour = t->cli->colour;
	text_weighted(out, colour, TEXT_FAINT, span_of(b->p, time_end));
	text_weighted(out, colour, TEXT_BOLD, span_of(b->p + time_end, subject_end - time_end));
	text_weighted(out, colour, TEXT_FAINT,
	              span_of(b->p + subject_end, sequence_end - subject_end));
	buf_add(out, b->p + sequence_end, b->len - sequence_end);
	fwrite(out->p, 1, out->len, stdout);
}

/* What a person must know besides the records. */
static void tell_control(struct tail *t, const struct event_view *e)
{
	fflush(stdout);
	if (event_is(e, "gap")) {
		struct span from = event_member(e->data, "from"), to = event_member(e->data, "to"),
		            why = event_member(e->data, "reason");
		buf_clear(&t->line);
		buf_add_str(&t->line, "GAP: records ");
		text_line(&t->line, from, 24);
		buf_add_str(&t->line, " to ");
		text_line(&t->line, to, 24);
		buf_addf(&t->line, " of %s are gone (", t->feed);
		text_line(&t->line, why, 40);
		buf_add_str(&t->line, ")");
		cli_trouble(t->cli, "%s", buf_str(&t->line));
	} else if (event_is(e, "live")) {
		if (t->cli->terminal)
			fprintf(stderr, "-- live: from here on as it happens\n");
	} else if (!event_is(e, "position")) {
		buf_clear(&t->line);
		text_line(&t->line, e->type, 80);
		buf_add_char(&t->line, ' ');
		text_line(&t->line, e->data, 0);
		cli_trouble(t->cli, "%s", buf_str(&t->line));
	}
}

static bool message(void *arg, struct span text)
{
	struct tail *t = arg;
	struct event_view e;
	if (event_view(text, &e) < 0) {
		cli_trouble(t->cli, "the broker sent something that is no CloudEvent");
		return false;
	}
	bool control = event_is_control(&e);
	if (t->cli->json)
		print_json(t, text);
	else if (!control)
		print_line(t, &e);
	if (control && !(t->cli->json && event_is(&e, "live")))
		tell_control(t, &e);
	/* After a gap the next record says where we are; the other events stand at a position. */
	if (!event_is(&e, "gap"))
		remember(t, e.id);
	t->printed += !control;
	bool live = event_is(&e, "live");
	if (fflush(stdout) != 0) {
		t->broken = true; /* `tail | head`: nobody reads on */
		return true;
	}
	return (t->limit && t->printed >= t->limit) || (live && t->exit_on_live);
}

static int read_options(struct tail *t, int argc, char **argv)
{
	struct cli *c = t->cli;
	int64_t since;
	for (int o; (o = cli_option(c, argc, argv, "", options)) != CLI_END;) {
		switch (o) {
		case OPT_AFTER:
			t->after = xstrdup(optarg);
			remember(t, span_str(optarg)); /* an event's id */
			break;
		case OPT_SINCE:
			if (text_time(span_str(optarg), (int64_t)time(NULL) * 1000, &since) < 0)
				return cli_trouble(
				    c, "--since: '%s' is no time; 2026-11-24T12:00:00Z and 10m are",
				    optarg);
			t->since = text_rfc3339(since);
			break;
		case OPT_THING: t->thing = optarg; break;
		case OPT_LIMIT:
			if (cli_number(c, "--limit", optarg, 1, INT64_MAX, &t->limit))
				return CLI_TROUBLE;
			break;
		case OPT_EXIT_ON_LIVE: t->exit_on_live = true; break;
		default: return CLI_TROUBLE;
		}
	}
	if (argc - optind != 1)
		return cli_usage(c, "one feed, please");
	if (t->after && t->since)
		return cli_usage(c, "--after or --since, not both");
	t->feed = argv[optind];
	return 0;
}

/* What is wrong with the feed or the query is better told by the API than by a refused upgrade. It
 * goes where the events come from. */
static int ask_first(struct tail *t)
{
	struct cli *c = t->cli;
	c->url_asked = true;
	c->socket_asked = false;
	struct buf b;
	buf_init(&b, 64 << 10);
	path(t, &b);
	buf_add_str(&b, strchr(buf_str(&b), '?') ? "&limit=1" : "?limit=1");
	struct http_reply r;
	int err = http_ask(c, HTTP_READ, "GET", buf_str(&b), NULL, &r);
	buf_done(&b);
	if (err)
		return err;
	if (r.status / 100 != 2)
		err = http_problem(c, &r);
	http_reply_done(&r);
	return err;
}

int cmd_tail(struct cli *c, int argc, char **argv)
{
	struct tail t = {.cli = c};
	int err = read_options(&t, argc, argv);
	if (err)
		return err;
	err = ask_first(&t);
	if (err)
		return err;
	cli_stop_init();
	buf_init(&t.line, 64 << 20);
	buf_init(&t.painted, 64 << 20);
	const struct ws_user user = {.arg = &t, .path = path, .message = message};
	int status = ws_run(c, "cloudevents.json", &user);
	buf_done(&t.line);
	buf_done(&t.painted);
	free(t.after);
	free(t.since);
	return t.broken ? CLI_OK : status;
}
