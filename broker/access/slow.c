/* slow.c - see slow.h. Buckets of a few slots; the one that failed longest ago makes place. */
#include "access/slow.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stdlib.h>

enum { WAYS = 4, BUCKETS = LIMIT_LOGIN_SLOTS / WAYS, FORGET_S = 900 };
enum about { ABOUT_BOTH, ABOUT_ADDRESS, ABOUT_NAME };

struct slot {
	uint64_t hash; /* 0: free */
	int64_t last_ms, until_ms;
	uint32_t failures;
};

struct slow {
	struct hash_key key;
	struct slot slots[LIMIT_LOGIN_SLOTS];
};

struct slow *slow_new(struct hash_key key)
{
	struct slow *s = xcalloc(1, sizeof(*s));
	s->key = key;
	return s;
}

void slow_free(struct slow *s)
{
	free(s);
}

static bool is_loopback(struct span address)
{
	return (address.n >= 4 && memcmp(address.p, "127.", 4) == 0) || span_is(address, "::1") ||
	       span_is(address, "::ffff:127.0.0.1");
}

/* 0: this is not counted. */
static uint64_t hash_of(const struct slow *s, enum about about, struct span address,
                        struct span name)
{
	char text[400];
	size_t a = about == ABOUT_NAME ? 0 : MIN_OF(address.n, (size_t)80),
	       n = about == ABOUT_ADDRESS ? 0 : MIN_OF(name.n, (size_t)300);
	if ((about == ABOUT_ADDRESS && is_loopback(address)) || (about == ABOUT_NAME && !n))
		return 0;
	text[0] = (char)('0' + about);
	if (a)
		memcpy(text + 1, address.p, a);
	text[1 + a] = '\n';
	if (n)
		memcpy(text + 2 + a, name.p, n);
	return hash64(&s->key, text, 2 + a + n) | 1;
}

static struct slot *find(const struct slow *s, uint64_t hash)
{
	struct slot *b = (struct slot *)&s->slots[(hash >> 8) % BUCKETS * WAYS];
	for (unsigned i = 0; i < WAYS; i++)
		if (b[i].hash == hash)
			return &b[i];
	return NULL;
}

static struct slot *find_or_make(struct slow *s, uint64_t hash)
{
	struct slot *b = &s->slots[(hash >> 8) % BUCKETS * WAYS], *oldest = b,
	            *found = find(s, hash);
	if (found)
		return found;
	for (unsigned i = 0; i < WAYS; i++)
		if (b[i].hash == 0 || b[i].last_ms < oldest->last_ms)
			oldest = &b[i];
	*oldest = (struct slot){.hash = hash};
	return oldest;
}

unsigned slow_wait(const struct slow *s, struct span address, struct span name, int64_t now_ms)
{
	unsigned wait = 0;
	for (enum about k = ABOUT_BOTH; k <= ABOUT_NAME; k++) {
		uint64_t hash = hash_of(s, k, address, name);
		const struct slot *t = hash ? find(s, hash) : NULL;
		if (t && t->until_ms > now_ms)
			wait = MAX_OF(wait, (unsigned)((t->until_ms - now_ms + 999) / 1000));
	}
	return wait;
}

void slow_failed(struct slow *s, struct span address, struct span name, int64_t now_ms)
{
	static const uint32_t free_of[] = {LIMIT_LOGIN_FAILURES, LIMIT_LOGIN_FAILURES_ADDRESS,
	                                   LIMIT_LOGIN_FAILURES_NAME};
	for (enum about k = ABOUT_BOTH; k <= ABOUT_NAME; k++) {
		uint64_t hash = hash_of(s, k, address, name);
		if (!hash)
			continue;
		struct slot *t = find_or_make(s, hash);
		if (now_ms - t->last_ms > FORGET_S * 1000)
			t->failures = 0;
		t->last_ms = now_ms;
		t->failures++;
		if (t->failures < free_of[k])
			continue;
		uint32_t doubled = MIN_OF(t->failures - free_of[k], 10u);
		t->until_ms =
		    now_ms + 1000 * (int64_t)MIN_OF(1u << doubled, (unsigned)LIMIT_LOGIN_WAIT_S);
	}
}

void slow_succeeded(struct slow *s, struct span address, struct span name)
{
	uint64_t hash = hash_of(s, ABOUT_BOTH, address, name);
	struct slot *t = find(s, hash);
	if (t)
		*t = (struct slot){0};
}
