/* noticed.c - see noticed.h. */
#include "status/noticed.h"

#include "base/mem.h"
#include "base/rfc3339.h"
#include "series/news.h"
#include "series/series.h"
#include "json/write.h"

#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_BYTES = 4096, OF_HISTORY = 32, TAKE = 32 };

struct noticed {
	struct alerts *alerts;
	struct series *series;
	int64_t started_ms;
	struct news waits[TAKE]; /* taken and not told yet */
	size_t n;
	struct buf text;
};

struct noticed *noticed_new(struct alerts *a, struct series *s)
{
	struct noticed *n = xcalloc(1, sizeof(*n));
	n->alerts = a;
	n->series = s;
	n->started_ms = clock_wall_ms(hub_clock(a->hub));
	buf_init(&n->text, MESSAGE_BYTES);
	return n;
}

void noticed_free(struct noticed *n)
{
	if (!n)
		return;
	buf_done(&n->text);
	free(n);
}

static const char *word(const struct news *x)
{
	switch (x->kind) {
	case NEWS_IMPLAUSIBLE: return "implausible";
	case NEWS_PLAUSIBLE: return "plausible";
	case NEWS_JUMP: return "jump";
	}
	return "";
}

static void write_message(char *out, size_t size, const struct news *x,
                          const struct series_stream *st)
{
	int thing = (int)MIN_OF(st->thing.n, (size_t)150),
	    member = (int)MIN_OF(st->member.n, (size_t)80);
	switch (x->kind) {
	case NEWS_IMPLAUSIBLE:
		snprintf(out, size,
		         "Of the last %d values of %.*s from %.*s in %.*s %u are out of the "
		         "plausible range: look at the sensor.",
		         OF_HISTORY, member, st->member.p, thing, st->thing.p, (int)st->feed.n,
		         st->feed.p, x->share);
		break;
	case NEWS_PLAUSIBLE:
		snprintf(out, size, "The values of %.*s from %.*s in %.*s are plausible again.",
		         member, st->member.p, thing, st->thing.p, (int)st->feed.n, st->feed.p);
		break;
	case NEWS_JUMP:
		snprintf(out, size,
		         "The level of %.*s from %.*s in %.*s jumped by more than %g, to %g: was "
		         "the sensor swapped, moved, or set to another unit?",
		         member, st->member.p, thing, st->thing.p, (int)st->feed.n, st->feed.p,
		         x->spike, x->to);
		break;
	}
}

static void write_body(struct buf *b, const struct news *x, const struct series_stream *st,
                       const char *time, const char *message)
{
	buf_clear(b);
	buf_add_str(b, "{\"thing\":");
	json_write_string(b, st->thing);
	json_write_name(b, "feed");
	json_write_string(b, st->feed);
	json_write_name(b, "property");
	json_write_string(b, st->member);
	buf_addf(b, ",\"quality\":\"%s\",\"time\":\"%s\"", word(x), time);
	if (x->kind == NEWS_JUMP) {
		json_write_name(b, "value");
		json_write_double(b, x->to);
	} else {
		json_write_name(b, "share");
		json_write_double(b, (double)x->share / OF_HISTORY);
	}
	json_write_name(b, "message");
	json_write_string(b, span_str(message));
	buf_add_char(b, '}');
}

/* False: no room now. */
static bool tell(struct noticed *n, const struct news *x)
{
	char time[RFC3339_BYTES + 1] = "", message[600];
	struct series_ask a = {.what = SERIES_STREAMS, .filter = {.stream_id = x->stream}};
	bool told = true;
	if (series_step(n->series, &a) == 0 && a.n == 1) {
		const struct series_stream *st = &a.streams[0];
		rfc3339_format(x->time_ms, time);
		write_message(message, sizeof(message), x, st);
		write_body(&n->text, x, st, time, message);
		const struct alert alert = {.word = word(x),
		                            .feed = st->feed,
		                            .thing = st->thing,
		                            .time = time,
		                            .message = message,
		                            .body = span_of(n->text.p, n->text.len)};
		told = alert_send(n->alerts, &alert);
	}
	series_ask_done(&a);
	return told;
}

void noticed_tick(struct noticed *n)
{
	bool wanted = hub_feed(n->alerts->hub, SPAN(ALERT_FEED)) != NULL;
	if (!n->n)
		n->n = series_news(n->series, n->waits, TAKE);
	while (n->n) {
		const struct news *x = &n->waits[n->n - 1];
		if (wanted && x->stored_ms >= n->started_ms && !tell(n, x))
			return;
		n->n--;
	}
}
