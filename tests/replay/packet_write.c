/* packet_write.c - words to bytes. Checks the words, never the packet. */
#include "replay/packet.h"
#include "replay/props.h"

#include <stdio.h>
#include <string.h>

enum { BODY_BYTES = 17 << 20 };

struct writer {
	const struct words *w;
	const struct variables *v;
	char *why;
	struct buf body, props, will_props;
	unsigned version;
	unsigned flags; /* low half of the first byte */
	bool flags_given, bad;
};

static void bad(struct writer *o, const char *what, struct span s)
{
	if (!o->bad)
		snprintf(o->why, WHY_BYTES, "%s: %.*s", what, (int)s.n, s.p);
	o->bad = true;
}

static void put(struct buf *b, uint64_t v, unsigned bytes)
{
	while (bytes--)
		buf_add_char(b, (char)(v >> 8 * bytes));
}

static void put_varint(struct buf *b, uint64_t v)
{
	do {
		buf_add_char(b, (char)((v & 127) | (v > 127 ? 128 : 0)));
		v >>= 7;
	} while (v);
}

static void put_string(struct buf *b, struct span s)
{
	put(b, s.n, 2);
	buf_add_span(b, s);
}

static uint64_t number(struct writer *o, struct span s)
{
	uint64_t v = 0;
	if (s.n && s.p[0] == '$') {
		if (!variable_get(o->v, span_of(s.p + 1, s.n - 1), &v))
			bad(o, "no such variable", s);
	} else if (!words_number(s, &v)) {
		bad(o, "not a number", s);
	}
	return v;
}

static void put_hex(struct writer *o, struct buf *b, struct span s)
{
	int high = -1;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		int d = c >= '0' && c <= '9'   ? c - '0'
		        : c >= 'a' && c <= 'f' ? c - 'a' + 10
		        : c >= 'A' && c <= 'F' ? c - 'A' + 10
		                               : -1;
		if (d < 0) {
			bad(o, "not hexadecimal", s);
			return;
		}
		if (high >= 0) {
			buf_add_char(b, (char)(high << 4 | d));
			high = -1;
		} else {
			high = d;
		}
	}
	if (high >= 0)
		bad(o, "half a byte", s);
}

/* True: the key is a property's, and it is written. */
static bool property(struct writer *o, struct buf *b, struct span key, struct span value)
{
	if (span_is(key, "raw")) {
		put_hex(o, b, value);
		return true;
	}
	if (key.n > 5 && memcmp(key.p, "user:", 5) == 0) {
		buf_add_char(b, 0x26);
		put_string(b, span_of(key.p + 5, key.n - 5));
		put_string(b, value);
		return true;
	}
	for (unsigned i = 0; i < PROPS; i++) {
		const struct prop *p = &props[i];
		if (!span_is(key, p->name))
			continue;
		buf_add_char(b, (char)p->id);
		switch (p->kind) {
		case KIND_U8: put(b, number(o, value), 1); break;
		case KIND_U16: put(b, number(o, value), 2); break;
		case KIND_U32: put(b, number(o, value), 4); break;
		case KIND_VARINT: put_varint(b, number(o, value)); break;
		case KIND_STRING:
		case KIND_PAIR: put_string(b, value); break;
		}
		return true;
	}
	return false;
}

/* What every packet may have: flags=N, and properties. False: the word is something else. */
static bool common(struct writer *o, const struct word *w)
{
	if (span_is(w->key, "flags")) {
		o->flags = (unsigned)number(o, w->value);
		o->flags_given = true;
		return true;
	}
	return w->key.n && property(o, &o->props, w->key, w->value);
}

static void set_flags(struct writer *o, unsigned flags)
{
	if (!o->flags_given)
		o->flags = flags;
}

static void put_props(struct writer *o, const struct buf *p)
{
	if (o->version != 5)
		return;
	put_varint(&o->body, p->len);
	buf_add(&o->body, p->p, p->len);
}

/* ---- one function per packet ---- */

struct connect {
	struct span name, id, will, will_payload, user, password;
	uint64_t level, keep_alive, flags;
	bool has_will, has_user, has_password, flags_given, clean, will_retain;
	uint64_t will_qos;
};

static bool connect_word(struct writer *o, struct connect *c, const struct word *w)
{
	struct span k = w->key, v = w->value;
	if (!k.n) {
		if (span_is(v, "v4") || span_is(v, "v5"))
			o->version = (unsigned)(v.p[1] - '0');
		else if (span_is(v, "clean"))
			c->clean = true;
		else if (span_is(v, "will-retain"))
			c->will_retain = true;
		else
			return false;
	} else if (span_is(k, "id")) {
		c->id = v;
	} else if (span_is(k, "name")) {
		c->name = v;
	} else if (span_is(k, "level")) {
		c->level = number(o, v);
	} else if (span_is(k, "keepalive")) {
		c->keep_alive = number(o, v);
	} else if (span_is(k, "connect-flags")) {
		c->flags = number(o, v);
		c->flags_given = true;
	} else if (span_is(k, "will")) {
		c->will = v;
		c->has_will = true;
	} else if (span_is(k, "will-payload")) {
		c->will_payload = v;
	} else if (span_is(k, "will-qos")) {
		c->will_qos = number(o, v);
	} else if (span_is(k, "user-name")) {
		c->user = v;
		c->has_user = true;
	} else if (span_is(k, "password")) {
		c->password = v;
		c->has_password = true;
	} else if (k.n > 5 && memcmp(k.p, "will.", 5) == 0) {
		return property(o, &o->will_props, span_of(k.p + 5, k.n - 5), v);
	} else if (span_is(k, "will-delay")) {
		return property(o, &o->will_props, k, v);
	} else {
		return common(o, w);
	}
	return true;
}

static void write_connect(struct writer *o, unsigned from)
{
	struct connect c = {.name = SPAN("MQTT")};
	o->version = 5;
	for (unsigned i = from; i < o->w->n; i++)
		if (!connect_word(o, &c, &o->w->word[i]))
			bad(o, "not a word of CONNECT", o->w->word[i].text);
	if (!c.flags_given)
		c.flags = (uint64_t)c.clean << 1 | (uint64_t)c.has_will << 2 | c.will_qos << 3 |
		          (uint64_t)c.will_retain << 5 | (uint64_t)c.has_password << 6 |
		          (uint64_t)c.has_user << 7;
	put_string(&o->body, c.name);
	put(&o->body, c.level ? c.level : o->version, 1);
	put(&o->body, c.flags, 1);
	put(&o->body, c.keep_alive, 2);
	put_props(o, &o->props);
	put_string(&o->body, c.id);
	if (c.has_will) {
		put_props(o, &o->will_props);
		put_string(&o->body, c.will);
		put_string(&o->body, c.will_payload);
	}
	if (c.has_user)
		put_string(&o->body, c.user);
	if (c.has_password)
		put_string(&o->body, c.password);
}

static void write_publish(struct writer *o, unsigned from)
{
	struct span topic = {0}, payload = {0};
	uint64_t id = 0, qos = 0, times = 0;
	unsigned n = 0;
	bool dup = false, retain = false, has_id = false;
	for (unsigned i = from; i < o->w->n; i++) {
		const struct word *w = &o->w->word[i];
		struct span v = w->value;
		if (w->key.n && span_is(w->key, "id")) {
			id = number(o, v);
			has_id = true;
		} else if (w->key.n && span_is(w->key, "fill")) {
			times = number(o, v);
		} else if (w->key.n) {
			if (!common(o, w))
				bad(o, "not a word of PUBLISH (quote a topic or payload with =)",
				    w->text);
		} else if (v.n == 2 && v.p[0] == 'q' && v.p[1] >= '0' && v.p[1] <= '3') {
			qos = (uint64_t)(v.p[1] - '0');
		} else if (span_is(v, "dup")) {
			dup = true;
		} else if (span_is(v, "retain")) {
			retain = true;
		} else if (n < 2) {
			*(n ? &payload : &topic) = v;
			n++;
		} else {
			bad(o, "one word too many", w->text);
		}
	}
	set_flags(o, (unsigned)(qos << 1) | (unsigned)dup << 3 | (unsigned)retain);
	put_string(&o->body, topic);
	if (qos || has_id)
		put(&o->body, id, 2);
	put_props(o, &o->props);
	buf_add_span(&o->body, payload);
	while (times--)
		buf_add_char(&o->body, 'x');
}

/* PUBACK 7 0x10, SUBSCRIBE-like ids, DISCONNECT 0x04, AUTH 0x18. */
static void write_ack(struct writer *o, unsigned from, bool has_id, unsigned flags)
{
	uint64_t got[2] = {0};
	unsigned n = 0;
	for (unsigned i = from; i < o->w->n; i++) {
		const struct word *w = &o->w->word[i];
		if (common(o, w))
			continue;
		if (n < 2)
			got[n++] = number(o, w->text);
		else
			bad(o, "one word too many", w->text);
	}
	set_flags(o, flags);
	unsigned at = 0;
	if (has_id)
		put(&o->body, got[at++], 2);
	if (n > at || o->props.len) {
		put(&o->body, got[at], 1);
		if (o->props.len)
			put_props(o, &o->props);
	}
}

static bool option(uint8_t *options, struct span v)
{
	if (v.n == 2 && v.p[0] == 'q' && v.p[1] >= '0' && v.p[1] <= '3')
		*options |= (uint8_t)(v.p[1] - '0');
	else if (span_is(v, "nl"))
		*options |= 4;
	else if (span_is(v, "rap"))
		*options |= 8;
	else if (v.n == 3 && memcmp(v.p, "rh", 2) == 0 && v.p[2] >= '0' && v.p[2] <= '3')
		*options |= (uint8_t)((v.p[2] - '0') << 4);
	else if (span_is(v, "reserved"))
		*options |= 0x40;
	else
		return false;
	return true;
}

static void write_filters(struct writer *o, unsigned from, bool with_options)
{
	struct buf filters;
	buf_init(&filters, BODY_BYTES);
	uint64_t id = 1;
	for (unsigned i = from; i < o->w->n; i++) {
		const struct word *w = &o->w->word[i];
		if (w->key.n && span_is(w->key, "id")) {
			id = number(o, w->value);
		} else if (w->key.n && span_is(w->key, "filter")) {
			put_string(&filters, w->value);
			if (with_options)
				put(&filters, 0, 1);
		} else if (w->key.n) {
			if (!common(o, w))
				bad(o, "not a word of this packet", w->text);
		} else if (!with_options ||
		           !(filters.len &&
		             option((uint8_t *)filters.p + filters.len - 1, w->value))) {
			put_string(&filters, w->value);
			if (with_options)
				put(&filters, 0, 1);
		}
	}
	set_flags(o, 2);
	put(&o->body, id, 2);
	put_props(o, &o->props);
	buf_add(&o->body, filters.p, filters.len);
	buf_done(&filters);
}

static void write_bare(struct writer *o, unsigned from)
{
	for (unsigned i = from; i < o->w->n; i++)
		if (!common(o, &o->w->word[i]))
			bad(o, "not a word of this packet", o->w->word[i].text);
}

/* The type, 0 when there is none of that name. */
static unsigned write_body(struct writer *o, struct span name, unsigned from)
{
	if (span_is(name, "CONNECT"))
		return write_connect(o, from), 1;
	if (span_is(name, "PUBLISH"))
		return write_publish(o, from), 3;
	if (span_is(name, "PUBACK"))
		return write_ack(o, from, true, 0), 4;
	if (span_is(name, "PUBREC"))
		return write_ack(o, from, true, 0), 5;
	if (span_is(name, "PUBREL"))
		return write_ack(o, from, true, 2), 6;
	if (span_is(name, "PUBCOMP"))
		return write_ack(o, from, true, 0), 7;
	if (span_is(name, "SUBSCRIBE"))
		return write_filters(o, from, true), 8;
	if (span_is(name, "UNSUBSCRIBE"))
		return write_filters(o, from, false), 10;
	if (span_is(name, "PINGREQ"))
		return write_bare(o, from), 12;
	if (span_is(name, "DISCONNECT"))
		return write_ack(o, from, false, 0), 14;
	if (span_is(name, "AUTH"))
		return write_ack(o, from, false, 0), 15;
	return 0;
}

bool packet_write(const struct words *w, unsigned from, const struct variables *v,
                  unsigned *version, struct buf *out, char why[WHY_BYTES])
{
	struct writer o = {.w = w, .v = v, .why = why, .version = *version};
	buf_init(&o.body, BODY_BYTES);
	buf_init(&o.props, BODY_BYTES);
	buf_init(&o.will_props, BODY_BYTES);
	struct span name = w->word[from].text;
	if (span_is(name, "HEX")) {
		for (unsigned i = from + 1; i < w->n; i++)
			put_hex(&o, out, w->word[i].text);
	} else {
		unsigned type = write_body(&o, name, from + 1);
		if (!type)
			bad(&o, "no packet of a client", name);
		put(out, type << 4 | o.flags, 1);
		put_varint(out, o.body.len);
		buf_add(out, o.body.p, o.body.len);
	}
	*version = o.version;
	if (out->err || o.body.err || o.props.err)
		bad(&o, "the packet is too large", name);
	buf_done(&o.body);
	buf_done(&o.props);
	buf_done(&o.will_props);
	return !o.bad;
}
