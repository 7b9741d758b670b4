/* system.c - see system.h. Nobody listens most of the time: that is one look at a number. */
#include "session/system.h"

#include "base/rfc3339.h"
#include "session/private.h"
#include "json/write.h"

#include <stdio.h>

enum { DOCUMENT_BYTES = 16 << 10, TOPIC_BYTES = 32 + 3 * LIMIT_CLIENT_ID_BYTES };

static bool begins(struct span s, const char *with)
{
	size_t n = strlen(with);
	return s.n >= n && memcmp(s.p, with, n) == 0;
}

/* A filter that can take topics of $SYS begins with it, for no wildcard takes the '$'. */
static bool is_system(struct span filter)
{
	return begins(filter, "$SYS/") || span_is(filter, "$SYS");
}

bool system_is_bridge_state(struct span topic)
{
	return begins(topic, "$SYS/broker/connection/");
}

/* ---- who listens ---- */

bool system_may_subscribe(const struct session *s, struct span filter)
{
	return !is_system(filter) ||
	       access_check(&s->who, ACCESS_READ, NULL, (struct span){0}) == 0;
}

void system_subscribed(struct session *s, struct span filter, bool retained)
{
	struct sessions *t = s->table;
	if (is_system(filter)) {
		t->n_hear_system += !s->hears_system;
		s->hears_system = true;
		s->system_fresh |= retained;
		t->system_fresh |= retained;
	} else if (begins(filter, "$oudp/")) {
		t->n_hear_verdicts += !s->hears_verdicts;
		s->hears_verdicts = true;
	}
}

void system_let_go(struct session *s)
{
	s->table->n_hear_system -= s->hears_system;
	s->table->n_hear_verdicts -= s->hears_verdicts;
	s->hears_system = s->hears_verdicts = s->system_fresh = false;
}

/* ---- $SYS ---- */

bool sessions_system_due(struct sessions *t)
{
	if (!t->n_hear_system)
		return false;
	t->system_round = t->now_s >= t->system_next_s;
	if (t->system_round)
		t->system_next_s = t->now_s + LIMIT_SYSTEM_S;
	return t->system_round || t->system_fresh;
}

static bool is_fresh(const struct session *s, const void *arg UNUSED)
{
	return s->system_fresh;
}

static bool is_not_fresh(const struct session *s, const void *arg UNUSED)
{
	return !s->system_fresh;
}

void sessions_system(struct sessions *t, const char *topic, const char *value)
{
	struct own_message m = {.topic = span_str(topic), .payload = span_str(value)};
	m.wants = is_fresh;
	m.retain = true; /* as if it had been retained when they came */
	if (t->system_fresh)
		deliver_own(t, &m);
	m.wants = is_not_fresh;
	m.retain = false;
	if (t->system_round)
		deliver_own(t, &m);
}

void sessions_system_end(struct sessions *t)
{
	if (!t->system_fresh)
		return;
	t->system_fresh = false;
	for (uint32_t i = 0; i < t->n_slots; i++)
		if (t->slots[i])
			t->slots[i]->system_fresh = false;
}

/* ---- what became of a thing ---- */

struct concerned {
	const struct feed *feed;
	struct span thing;
};

static bool may_know(const struct session *s, const void *arg)
{
	const struct concerned *e = arg;
	if (!e->thing.n)
		return access_check(&s->who, ACCESS_SUBSCRIBE, e->feed, e->thing) == 0;
	return access_covers(&s->who, ACCESS_SUBSCRIBE, e->feed, e->thing, NULL) == 0;
}

void sessions_notice(struct sessions *t, const char *what, const struct feed *f, struct span thing,
                     struct span event)
{
	char topic[TOPIC_BYTES];
	struct concerned one = {f, thing};
	if (!t->n_hear_verdicts)
		return;
	int n = snprintf(topic, sizeof(topic), "$oudp/%s/%.*s", what, (int)f->name.n, f->name.p);
	struct own_message m = {
	    .topic = span_of(topic, (size_t)n), .payload = event, .wants = may_know, .arg = &one};
	deliver_own(t, &m);
}

/* ---- verdicts ---- */

static const char *verdict_text(uint8_t v)
{
	switch ((enum verdict_code)v) {
	case VERDICT_DUPLICATE: return "duplicate";
	case VERDICT_REFUSED: return "refused";
	case VERDICT_UNROUTED: return "unrouted";
	case VERDICT_DENIED: return "denied";
	case VERDICT_QUOTA: return "quota";
	case VERDICT_TOO_LARGE: return "too-large";
	case VERDICT_STORED:
	case VERDICT_CLEARED: break;
	}
	return NULL;
}

static void member(struct buf *b, const char *name, struct span value)
{
	if (!value.n)
		return;
	json_write_name(b, name);
	json_write_string(b, value);
}

static void document(struct buf *b, const struct session *s, const struct answer *a,
                     const char *origin)
{
	const struct hub *h = s->table->hub;
	char when[RFC3339_BYTES];
	buf_add_char(b, '{');
	member(b, "client", s->client_id);
	member(b, "topic", span_str(a->topic));
	member(b, "origin", span_str(origin));
	member(b, "verdict", span_str(verdict_text(a->verdict)));
	member(b, "reason", span_str(a->reason));
	if (a->feed != UINT32_MAX)
		member(b, "feed", hub_feed_at(h, a->feed)->name);
	if (a->parts) { /* schema, pointer, rule */
		static const char *const names[] = {"schema", "pointer", "rule"};
		const char *p = a->parts;
		for (unsigned i = 0; i < 3; i++, p += strlen(p) + 1)
			member(b, names[i], span_str(p));
	}
	if (a->verdict == VERDICT_DUPLICATE)
		buf_addf(b, ",\"sequence\":%llu", (unsigned long long)a->sequence);
	buf_addf(b, ",\"qos\":%u", a->qos);
	if (a->qos)
		buf_addf(b, ",\"packetId\":%u", a->packet_id);
	rfc3339_format(clock_wall_ms(hub_clock(h)), when);
	member(b, "time", span_of(when, RFC3339_BYTES));
	buf_add_char(b, '}');
}

/* Whose message it was. */
struct sender {
	const struct session *itself; /* NULL: none that is here */
	struct span client, name, organisation;
};

static bool is_itself(const struct session *s, const void *arg)
{
	return s == ((const struct sender *)arg)->itself;
}

static bool is_of_its_identity(const struct session *s, const void *arg)
{
	const struct sender *of = arg;
	if (access_is_stranger(&s->who))
		return is_itself(s, arg);
	return span_eq(s->who.name, of->name) && span_is(of->organisation, s->who.organisation);
}

/* "$oudp/verdicts/" and the client id, in which what means something in topics is written %XX. */
static struct span topic_of(struct span client, char out[TOPIC_BYTES])
{
	size_t n = (size_t)snprintf(out, TOPIC_BYTES, "$oudp/verdicts/");
	for (size_t i = 0; i < client.n; i++) {
		char c = client.p[i];
		if (strchr("/+#%", c))
			n += (size_t)snprintf(out + n, TOPIC_BYTES - n, "%%%02X", (unsigned char)c);
		else
			out[n++] = c;
	}
	assert(n < TOPIC_BYTES);
	return span_of(out, n);
}

/* To the session that sent it, and to who hears all of its identity's. */
static void tell(struct sessions *t, const struct sender *of, struct span payload)
{
	char topic[TOPIC_BYTES];
	struct own_message m = {
	    .topic = SPAN("$oudp/verdicts"), .payload = payload, .wants = is_itself, .arg = of};
	if (of->itself && of->itself->hears_verdicts)
		deliver_own(t, &m);
	m.topic = topic_of(of->client, topic);
	m.wants = is_of_its_identity;
	deliver_own(t, &m);
}

static struct sender sender_from(const struct session *s)
{
	return (struct sender){s, s->client_id, s->who.name, span_str(s->who.organisation)};
}

/* Who sent what the message was mapped from. */
static void tell_origin(struct session *s, const char *origin, struct span payload)
{
	struct origin o;
	if (!*origin || !origin_find(s, origin, &o) || o.session == s)
		return;
	struct sender of = {NULL, o.client, o.identity, o.organisation};
	if (o.session && (!o.identity.n || span_eq(o.session->who.name, o.identity)))
		of = sender_from(o.session);
	if (of.name.n)
		tell(s->table, &of, payload);
}

void system_verdict(struct session *s, const struct answer *a)
{
	if (!s->table->n_hear_verdicts || !verdict_text(a->verdict) || !a->topic)
		return;
	const char *origin = a->topic + strlen(a->topic) + 1;
	struct buf b;
	buf_init(&b, DOCUMENT_BYTES);
	document(&b, s, a, origin);
	if (!b.err) {
		struct sender of = sender_from(s);
		tell(s->table, &of, span_of(b.p, b.len));
		tell_origin(s, origin, span_of(b.p, b.len));
	}
	buf_done(&b);
}
