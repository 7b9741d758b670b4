/* Shared frames: every member gets every record once and in order, whatever the window's size, who
 * is fast and who is slow; and the table of slow=latest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/broker.h"

#include "base/limits.h"
#include "web/frames.h"
#include "web/latest.h"

static const char conf[] = "oin = \"00000001234567890000\"\n"
                           "feed \"a\" { topics = { \"a/{thing}\" } schemas = { \"any\" } }\n";

static const struct event_context context = {SPAN("00000001234567890000"), SPAN("oudp"),
                                             SPAN("stad"), SPAN("http://h")};

static void ignore(const struct answer *a UNUSED, int err UNUSED) {}

static void put(struct broker *b, unsigned from, unsigned n, unsigned bytes, uint32_t expiry_s)
{
	char *payload = malloc(bytes + 64);
	struct identity who = access_anonymous(b->config, true);
	for (unsigned i = from; i < from + n; i++) {
		int len = sprintf(payload, "{\"n\":%u,\"x\":\"", i);
		memset(payload + len, 'x', bytes);
		strcpy(payload + len + bytes, "\"}");
		struct ingest_message m = {.who = &who,
		                           .publisher = SPAN("p"),
		                           .topic = SPAN("a/t"),
		                           .payload = span_str(payload),
		                           .expiry_s = expiry_s,
		                           .qos = 1,
		                           .answer = {.done = ignore}};
		while (ingest_publish(b->ingest, &m) == ERR_AGAIN)
			broker_turn(b);
	}
	broker_turn(b);
	free(payload);
}

struct reader {
	struct frames_member member;
	uint64_t seen; /* the last sequence */
	unsigned woken, out, writes;
};

static void on_wake(struct frames_member *m, bool out)
{
	struct reader *r = container_of(m, struct reader, member);
	r->woken++;
	r->out += out;
}

/* Walks frames as a client would; the sequences must follow one another. */
static void check(struct reader *r, struct span s, bool may_skip)
{
	r->writes++;
	while (s.n) {
		const uint8_t *p = (const uint8_t *)s.p;
		assert_int_equal(p[0], 0x81);
		size_t head = p[1] < 126 ? 2 : p[1] == 126 ? 4 : 10, n = p[1];
		if (head > 2)
			n = 0;
		for (size_t i = 2; i < head; i++)
			n = n << 8 | p[i];
		assert_true(head + n <= s.n);
		assert_true(head == 2 ? n < 126 : head == 4 ? n >= 126 && n < 65536 : n >= 65536);
		char *at = memmem(p + head, n, "\"sequence\":\"", 12);
		assert_non_null(at);
		assert_int_equal(p[head], '{');
		assert_int_equal(p[head + n - 1], '}');
		uint64_t seq = strtoull(at + 12, NULL, 10);
		if (may_skip)
			assert_true(seq > r->seen);
		else
			assert_int_equal(seq, r->seen + 1);
		r->seen = seq;
		s = span_of(s.p + head + n, s.n - head - n);
	}
}

static bool take(struct reader *r)
{
	struct span s;
	unsigned n;
	if (frames_take(&r->member, &s, &n) != FRAMES_SOME)
		return false;
	uint64_t before = r->seen;
	check(r, s, false);
	assert_int_equal(r->seen - before, n);
	assert_int_equal(r->member.next, r->seen + 1);
	return true;
}

static void join(struct frames_set *set, struct reader *r, struct feed *f)
{
	*r = (struct reader){.member.wake = on_wake, .seen = f->last};
	assert_true(frames_join(set, &r->member, f, f->last + 1, true));
}

static void members_see_everything_once(void **state UNUSED)
{
	struct broker b;
	struct frames_set set;
	struct reader r[3];
	broker_open(&b, conf);
	frames_init(&set, b.hub, &context);
	struct feed *f = hub_feed(b.hub, SPAN("a"));
	put(&b, 0, 10, 10, 0);
	for (int i = 0; i < 3; i++)
		join(&set, &r[i], f);
	assert_false(take(&r[0]));
	assert_true(r[0].member.waiting);
	put(&b, 10, 1000, 200, 0);
	assert_int_equal(r[0].woken, 1);
	assert_int_equal(r[1].woken, 0); /* it did not ask to be */
	for (int i = 0; i < 3; i++) {
		while (take(&r[i]))
			;
		assert_int_equal(r[i].seen, 1010);
		assert_true(r[i].writes < 20); /* many frames in one write */
	}
	assert_int_equal(set.rendered, 1000); /* once, not three times */
	assert_true(set.bytes > 0 && set.bytes <= LIMIT_WEB_FRAMES_BYTES);
	frames_tick(&set);
	assert_int_equal(set.bytes, 0); /* all have passed it */
	for (int i = 0; i < 3; i++)
		frames_leave(&r[i].member);
	assert_null(set.by_feed[f->index]);
	frames_done(&set);
	broker_close(&b);
}

static void sizes_of_heads(void **state UNUSED)
{
	struct broker b;
	struct frames_set set;
	struct reader r;
	broker_open(&b, conf);
	frames_init(&set, b.hub, &context);
	struct feed *f = hub_feed(b.hub, SPAN("a"));
	join(&set, &r, f);
	for (unsigned i = 0; i < 40; i++) /* across 64 KB, where the head and the block change */
		put(&b, i, 1, i < 30 ? 65000 + i * 25 : i * 20000, 0);
	while (take(&r))
		;
	assert_int_equal(r.seen, 40);
	frames_leave(&r.member);
	frames_done(&set);
	broker_close(&b);
}

static void a_slow_member_falls_out(void **state UNUSED)
{
	struct broker b;
	struct frames_set set;
	struct reader fast, slow;
	struct span s;
	unsigned n;
	broker_open(&b, conf);
	frames_init(&set, b.hub, &context);
	struct feed *f = hub_feed(b.hub, SPAN("a"));
	join(&set, &fast, f);
	join(&set, &slow, f);
	for (unsigned i = 0; i < 10; i++) {
		put(&b, i * 1000, 1000, 400, 0);
		while (take(&fast))
			;
		assert_true(set.bytes <= LIMIT_WEB_FRAMES_BYTES);
	}
	assert_int_equal(fast.seen, 10000);
	assert_int_equal(frames_take(&slow.member, &s, &n), FRAMES_BEHIND);
	assert_null(slow.member.frames);
	assert_int_equal(slow.member.next, 1); /* where it goes on by itself */
	/* it may come back only where the window still is */
	assert_false(frames_join(&set, &slow.member, f, 1, false));
	assert_true(frames_join(&set, &slow.member, f, 9990, false));
	slow.seen = 9989;
	while (take(&slow))
		;
	assert_int_equal(slow.seen, 10000);
	frames_leave(&slow.member);
	frames_leave(&fast.member);
	frames_done(&set);
	broker_close(&b);
}

static void a_small_window_loses_nothing(void **state UNUSED)
{
	struct broker b;
	struct frames_set set;
	struct reader r[4];
	broker_open(&b, conf);
	frames_init(&set, b.hub, &context);
	set.window_max = set.bytes_max = 1; /* one block at a time */
	struct feed *f = hub_feed(b.hub, SPAN("a"));
	for (int i = 0; i < 4; i++)
		join(&set, &r[i], f);
	unsigned seed = 7, behind = 0;
	for (unsigned i = 0; i < 40; i++) {
		put(&b, i * 300, 300, i * 40, 0);
		for (unsigned k = 0; k < 40; k++) {
			seed = seed * 1103515245 + 12345;
			struct reader *one = &r[seed >> 16 & 3];
			if (!one->member.frames)
				continue;
			take(one);
			behind += !one->member.frames;
		}
	}
	assert_true(behind > 0);
	for (int i = 0; i < 4; i++) {
		while (r[i].member.frames && take(&r[i]))
			;
		/* out of the window it still knows the next one it wants */
		assert_true(r[i].member.frames ? r[i].seen == 12000
		                               : r[i].member.next == r[i].seen + 1);
		frames_leave(&r[i].member);
	}
	frames_done(&set);
	broker_close(&b);
}

static void expired_records_are_passed_over(void **state UNUSED)
{
	struct broker b;
	struct frames_set set;
	struct reader r;
	struct span s;
	unsigned n;
	broker_open(&b, conf);
	frames_init(&set, b.hub, &context);
	struct feed *f = hub_feed(b.hub, SPAN("a"));
	join(&set, &r, f);
	put(&b, 0, 1, 10, 0);
	put(&b, 1, 5, 10, 2);
	put(&b, 6, 1, 10, 0);
	put(&b, 7, 1, 10, 1);
	clock_advance(&b.clock, 5000);
	while (frames_take(&r.member, &s, &n) == FRAMES_SOME)
		check(&r, s, true);
	assert_int_equal(r.seen, 7);
	assert_int_equal(r.member.next, 9);
	struct span one;
	assert_true(frames_find(&set, f, 7, &one) && one.n > 100);
	assert_true(frames_find(&set, f, 3, &one) && one.n == 0);
	assert_false(frames_find(&set, f, 9, &one));
	frames_leave(&r.member);
	frames_done(&set);
	broker_close(&b);
}

static void trimmed(void *arg, int64_t deleted)
{
	*(int64_t *)arg = deleted;
}

static void a_gap_dissolves_the_window(void **state UNUSED)
{
	struct broker b;
	struct frames_set set;
	struct reader r[2];
	struct span s;
	unsigned n;
	int64_t deleted = 0;
	broker_open(&b, conf);
	frames_init(&set, b.hub, &context);
	struct feed *f = hub_feed(b.hub, SPAN("a"));
	join(&set, &r[0], f);
	join(&set, &r[1], f);
	put(&b, 0, 100, 10, 0);
	hub_trim(b.hub, f, 60, trimmed, &deleted);
	broker_turn(&b);
	assert_int_equal(deleted, 59);
	assert_int_equal(frames_take(&r[0].member, &s, &n), FRAMES_BEHIND);
	assert_int_equal(r[1].out, 1);
	assert_null(r[0].member.frames);
	assert_null(r[1].member.frames);
	assert_int_equal(r[1].member.next, 1);
	frames_done(&set);
	broker_close(&b);
}

/* ---- slow=latest ---- */

static void latest_keeps_the_newest_of_each(void **state UNUSED)
{
	struct latest *l = latest_new(1000);
	struct buf b;
	buf_init(&b, 1000);
	assert_true(latest_empty(l));
	latest_put(l, SPAN("a"), SPAN("a1 "));
	latest_put(l, SPAN("b"), SPAN("b1 "));
	latest_put(l, SPAN("a"), SPAN("a2 "));
	latest_put(l, SPAN("c"), SPAN("c1 "));
	assert_int_equal(latest_take(l, &b, 6), 2);
	assert_string_equal(buf_str(&b), "b1 a2 "); /* in the order of their sequences */
	latest_put(l, SPAN("a"), SPAN("a3 "));
	buf_clear(&b);
	assert_int_equal(latest_take(l, &b, 1000), 2);
	assert_string_equal(buf_str(&b), "c1 a3 ");
	assert_true(latest_empty(l));
	assert_int_equal(latest_take(l, &b, 1000), 0);
	latest_put(l, SPAN("big"), span_of(buf_str(&b), 6));
	buf_clear(&b);
	assert_int_equal(latest_take(l, &b, 1), 1); /* at least one */
	latest_free(l);
	buf_done(&b);
}

static void latest_is_bounded(void **state UNUSED)
{
	char thing[16], frame[100] = "";
	struct latest *l = latest_new(4096);
	unsigned n = 0;
	while (!latest_full(l)) {
		snprintf(thing, sizeof(thing), "t%u", n++);
		latest_put(l, span_str(thing), span_of(frame, sizeof(frame)));
	}
	assert_true(n >= 10 && n <= 40);
	for (int i = 0; i < 1000; i++) /* one thing, again and again, takes no more */
		latest_put(l, SPAN("t0"), span_of(frame, sizeof(frame)));
	struct buf b;
	buf_init(&b, 1 << 20);
	assert_int_equal(latest_take(l, &b, 1 << 20), n);
	assert_false(latest_full(l));
	buf_done(&b);
	latest_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(members_see_everything_once),
	    cmocka_unit_test(sizes_of_heads),
	    cmocka_unit_test(a_slow_member_falls_out),
	    cmocka_unit_test(a_small_window_loses_nothing),
	    cmocka_unit_test(expired_records_are_passed_over),
	    cmocka_unit_test(a_gap_dissolves_the_window),
	    cmocka_unit_test(latest_keeps_the_newest_of_each),
	    cmocka_unit_test(latest_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
