/* silence.c - see silence.h. */
#include "status/silence.h"

#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "feed/cursor.h"
#include "series/series.h"
#include "status/alert.h"
#include "status/noticed.h"
#include "json/json.h"
#include "json/write.h"

#include <stdio.h>
#include <stdlib.h>

enum state { UNKNOWN, FRESH, SILENT };
enum { KEY_BYTES = 512, MESSAGE_BYTES = 4096, TOKENS = 64 };

struct silence {
	struct hub *hub;
	struct series *series;
	struct alerts alerts;
	struct noticed *noticed;
	uint8_t *state; /* enum state by the number of a thing */
	size_t n_state;
	uint64_t started_ms;
	/* what was told before the start: "feed/thing" -> itself when silent */
	struct map told;
	struct cursor cursor;
	bool reading, read, pass_done;
	/* the walk */
	struct series_ask ask;
	unsigned feed; /* index of the feed looked at */
	char
	    feed_name[65]; /* a copy: a reload must not take it away while the engine looks at it */
	unsigned steps;
	bool asking, stopping;
	struct buf text;
	struct silence_stats stats;
};

static uint64_t mono_ms(const struct silence *s)
{
	return clock_mono_ns(hub_clock(s->hub)) / 1000000;
}

struct silence *silence_new(struct hub *h, struct ingest *in, struct series *series)
{
	struct silence *s = xcalloc(1, sizeof(*s));
	s->hub = h;
	s->series = series;
	s->alerts = (struct alerts){.hub = h, .ingest = in, .command = alert_command_new(h)};
	s->noticed = noticed_new(&s->alerts, series);
	s->started_ms = mono_ms(s);
	map_init(&s->told);
	buf_init(&s->text, MESSAGE_BYTES);
	return s;
}

void silence_free(struct silence *s)
{
	if (!s)
		return;
	series_ask_done(&s->ask);
	cursor_close(&s->cursor);
	noticed_free(s->noticed);
	alert_command_free(s->alerts.command);
	map_done(&s->told);
	buf_done(&s->text);
	free(s->state);
	free(s);
}

bool silence_idle(struct silence *s)
{
	s->stopping = true;
	return !s->alerts.in_flight && alert_command_idle(s->alerts.command);
}

struct silence_stats silence_stats(const struct silence *s)
{
	const struct alert_command_stats *c = alert_command_stats(s->alerts.command);
	struct silence_stats all = s->stats;
	all.told = s->alerts.told;
	all.commands = c->run;
	all.command_failures = c->failed;
	all.commands_left_out = c->left_out;
	return all;
}

/* ---- what was told before the start ---- */

static struct span key_of(char out[KEY_BYTES], struct span feed, struct span thing)
{
	int n = snprintf(out, KEY_BYTES, "%.*s/%.*s", (int)feed.n, feed.p, (int)thing.n, thing.p);
	return span_of(out, MIN_OF((size_t)n, (size_t)KEY_BYTES - 1));
}

static void remember(struct silence *s, const struct record *r)
{
	struct json_tape t;
	size_t at;
	const char *why;
	char key[KEY_BYTES], text[KEY_BYTES];
	json_tape_init(&t, TOKENS);
	if (json_parse(&t, r->payload, &at, &why) == 0 && t.tok[0].type == JSON_OBJECT) {
		uint32_t feed = json_member(&t, 0, SPAN("feed")),
		         thing = json_member(&t, 0, SPAN("thing")),
		         silent = json_member(&t, 0, SPAN("silent"));
		bool good = feed && thing && silent && t.tok[feed].type == JSON_STRING &&
		            t.tok[thing].type == JSON_STRING && t.tok[thing].len < sizeof(text);
		if (good) {
			struct span k =
			    key_of(key, json_text(&t, feed),
			           span_of(text, json_unescape(json_text(&t, thing), text)));
			if (t.tok[silent].type == JSON_TRUE && s->told.n < LIMIT_SILENT_TOLD)
				map_set(&s->told, k, s);
			else
				map_remove(&s->told, k);
		}
	}
	json_tape_done(&t);
}

static void no_wake(struct cursor *c UNUSED) {}

/* Reads on; true when all was read, or there is no such feed. */
static bool read_told(struct silence *s)
{
	struct record r;
	if (s->read)
		return true;
	if (!s->reading) {
		struct feed *f = hub_feed(s->hub, SPAN(ALERT_FEED));
		if (!f) {
			s->read = true;
			return true;
		}
		cursor_open_after(&s->cursor, s->hub, f, 0, 0);
		s->cursor.wake = no_wake;
		s->reading = true;
	}
	for (unsigned i = 0; i < LIMIT_SILENCE_READ; i++)
		switch (cursor_next(&s->cursor, &r)) {
		case CURSOR_RECORD: remember(s, &r); break;
		case CURSOR_GAP: break;
		case CURSOR_WAIT: return false;
		default: /* the head, or it cannot be read */
			cursor_close(&s->cursor);
			s->read = true;
			return true;
		}
	return false;
}

/* ---- telling ---- */

static void write_message(char *out, size_t size, const struct series_thing *t, bool silent,
                          const char *last)
{
	char cadence[32];
	unsigned long long c = t->cadence_s;
	snprintf(cadence, sizeof(cadence),
	         c % 3600 == 0 ? "%llu h"
	         : c % 60 == 0 ? "%llu min"
	                       : "%llu s",
	         c % 3600 == 0 ? c / 3600
	         : c % 60 == 0 ? c / 60
	                       : c);
	if (silent)
		snprintf(out, size,
		         "Nothing came from %.*s in %.*s since %.19sZ; it reports every %s.",
		         (int)MIN_OF(t->thing.n, (size_t)200), t->thing.p, (int)t->feed.n,
		         t->feed.p, last, cadence);
	else
		snprintf(out, size, "%.*s in %.*s is back.", (int)MIN_OF(t->thing.n, (size_t)200),
		         t->thing.p, (int)t->feed.n, t->feed.p);
}

bool silence_ended(struct silence *s, struct span organisation, int64_t ends_ms, unsigned things)
{
	char now[RFC3339_BYTES + 1] = "", ends[RFC3339_BYTES + 1] = "", about[80];
	if (s->stopping)
		return false;
	if (!hub_feed(s->hub, SPAN(ALERT_FEED)))
		return true; /* there is no room for one beside the others */
	rfc3339_format(clock_wall_ms(hub_clock(s->hub)), now);
	rfc3339_format(ends_ms, ends);
	struct buf *b = &s->text;
	buf_clear(b);
	buf_add_str(b, "{\"organisation\":");
	json_write_string(b, organisation);
	buf_addf(b,
	         ",\"ended\":true,\"time\":\"%s\",\"ends\":\"%s\",\"things\":%u,"
	         "\"message\":\"The organisation %.*s has ended; its data stays.\"}",
	         now, ends, things, (int)organisation.n, organisation.p);
	int n = snprintf(about, sizeof(about), "organisation:%.*s", (int)organisation.n,
	                 organisation.p);
	const struct alert alert = {.thing = span_of(about, MIN_OF((size_t)n, sizeof(about) - 1)),
	                            .body = span_of(b->p, b->len)};
	return alert_send(&s->alerts, &alert);
}

/* False: no room now; it is told at the next pass. */
static bool tell(struct silence *s, const struct series_thing *t, bool silent)
{
	char now[RFC3339_BYTES + 1] = "", last[RFC3339_BYTES + 1] = "", message[400];
	rfc3339_format(clock_wall_ms(hub_clock(s->hub)), now);
	rfc3339_format(t->last_stored_ms, last);
	write_message(message, sizeof(message), t, silent, last);
	struct buf *b = &s->text;
	buf_clear(b);
	buf_add_str(b, "{\"thing\":");
	json_write_string(b, t->thing);
	json_write_name(b, "feed");
	json_write_string(b, t->feed);
	buf_addf(b, ",\"silent\":%s,\"time\":\"%s\",\"lastStored\":\"%s\",\"cadence\":%llu",
	         silent ? "true" : "false", now, last, (unsigned long long)t->cadence_s);
	json_write_name(b, "message");
	json_write_string(b, span_str(message));
	buf_add_char(b, '}');
	const struct alert alert = {.word = silent ? "silent" : "back",
	                            .feed = t->feed,
	                            .thing = t->thing,
	                            .time = last,
	                            .message = message,
	                            .body = span_of(b->p, b->len)};
	return alert_send(&s->alerts, &alert);
}

/* ---- looking ---- */

static uint8_t *state_of(struct silence *s, uint32_t id)
{
	if (id >= s->n_state) {
		size_t n = MAX_OF((size_t)id + 1, s->n_state + s->n_state / 2);
		s->state = xrealloc(s->state, n);
		memset(s->state + s->n_state, UNKNOWN, n - s->n_state);
		s->n_state = n;
	}
	return &s->state[id];
}

static void look(struct silence *s, const struct series_thing *t, int64_t now)
{
	char key[KEY_BYTES];
	if (!t->cadence_s || !t->last_stored_ms || t->id >= LIMIT_SILENT_THINGS)
		return;
	uint8_t *state = state_of(s, t->id);
	bool silent = now - t->last_stored_ms > (int64_t)(t->cadence_s * 10 * LIMIT_FRESH_PERCENT);
	if (*state == UNKNOWN && map_get(&s->told, key_of(key, t->feed, t->thing))) {
		*state = SILENT;
		s->stats.silent++;
	}
	/* devices come back with the broker; they get their time before they are missed */
	bool early = mono_ms(s) - s->started_ms < t->cadence_s * 10 * LIMIT_FRESH_PERCENT;
	if (silent == (*state == SILENT)) {
		if (*state == UNKNOWN)
			*state = FRESH;
		return;
	}
	if ((silent && early) || !tell(s, t, silent))
		return;
	*state = silent ? SILENT : FRESH;
	s->stats.silent += silent ? 1 : -1;
}

static void next_feed(struct silence *s)
{
	s->ask = (struct series_ask){0};
	if (++s->feed >= hub_feed_count(s->hub)) {
		s->feed = 0;
		s->pass_done = true;
	}
}

static void step(struct silence *s);

static void answered_step(struct series_ask *a)
{
	struct silence *s = a->arg;
	int64_t now = clock_wall_ms(hub_clock(s->hub));
	s->asking = false;
	for (size_t i = 0; !a->err && i < a->n; i++)
		look(s, &a->things[i], now);
	if (a->err || !a->more) {
		series_ask_done(a);
		next_feed(s);
	}
	if (!s->stopping && s->steps && !s->pass_done)
		step(s);
}

static void step(struct silence *s)
{
	struct feed *f = NULL;
	while (!s->pass_done) {
		f = s->feed < hub_feed_count(s->hub) ? hub_feed_at(s->hub, s->feed) : NULL;
		if (f && !f->ended && f->conf->cadence_s)
			break;
		series_ask_done(&s->ask);
		next_feed(s);
	}
	if (s->pass_done)
		return;
	s->steps--;
	s->asking = true;
	s->ask.what = SERIES_THINGS;
	snprintf(s->feed_name, sizeof(s->feed_name), "%.*s", (int)f->name.n, f->name.p);
	s->ask.filter.feed = span_str(s->feed_name);
	s->ask.done = answered_step;
	s->ask.arg = s;
	series_ask(s->series, &s->ask);
}

void silence_tick(struct silence *s)
{
	alert_command_tick(s->alerts.command);
	if (!s->stopping)
		noticed_tick(s->noticed);
	if (s->stopping || s->asking || !read_told(s))
		return;
	s->steps = LIMIT_SILENCE_STEPS;
	s->pass_done = false; /* a pass that has ended begins anew */
	step(s);
}
