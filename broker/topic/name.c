/* name.c - topics and filters as strings of levels; knows no feeds and no subscribers. */
#include "topic/name.h"

#include <endian.h>

bool topic_next_level(struct span s, size_t *at, struct span *ret)
{
	const char *p, *slash;
	size_t left;

	if (*at > s.n) /* one past the end: the last level was given */
		return false;
	if (s.n == 0) {
		*ret = s;
		*at = 1;
		return true;
	}
	p = s.p + *at;
	left = s.n - *at;
	slash = left ? memchr(p, '/', left) : NULL;
	*ret = span_of(p, slash ? (size_t)(slash - p) : left);
	*at += ret->n + 1;
	return true;
}

/* 0x80 in exactly those bytes of v that are c. */
static inline uint64_t bytes_equal(uint64_t v, char c)
{
	const uint64_t low = 0x7F7F7F7F7F7F7F7Full;
	uint64_t x = v ^ 0x0101010101010101ull * (uint8_t)c;

	return ~(((x & low) + low) | x | low);
}

/* Up to eight bytes from i < s.n on, the first one lowest; filled up with 'x', which is nothing
 * special. The last ones come from a load that ends with the string. */
static inline uint64_t load(struct span s, size_t i)
{
	size_t n = s.n - i;
	uint64_t v = 0;

	if (n >= 8) {
		memcpy(&v, s.p + i, 8);
		return le64toh(v);
	}
	if (s.n >= 8) {
		memcpy(&v, s.p + s.n - 8, 8);
		v = le64toh(v) >> (64 - 8 * n);
	} else {
		for (size_t k = 0; k < n; k++)
			v |= (uint64_t)(uint8_t)s.p[i + k] << 8 * k;
	}
	return v | 0x7878787878787878ull << 8 * n;
}

unsigned topic_split(struct span s, struct span out[LIMIT_TOPIC_LEVELS])
{
	size_t start = 0;
	unsigned n = 0;

	for (size_t i = 0; i < s.n; i += 8) {
		uint64_t slashes = bytes_equal(load(s, i), '/');

		for (; slashes; slashes &= slashes - 1) {
			size_t at = i + (unsigned)__builtin_ctzll(slashes) / 8;

			if (n == LIMIT_TOPIC_LEVELS - 1)
				return 0;
			out[n++] = span_of(s.p + start, at - start);
			start = at + 1;
		}
	}
	out[n++] = span_of(s.p + start, s.n - start);
	return n;
}

static int check_size(struct span s)
{
	if (s.n == 0) /* [MQTT-4.7.3-1] */
		return ERR_MALFORMED;
	if (s.n > LIMIT_TOPIC_BYTES)
		return ERR_TOO_LARGE;
	return 0;
}

int topic_name_check(struct span topic)
{
	uint64_t special = 0;
	unsigned levels = 1;
	int err = check_size(topic);

	if (err)
		return err;
	for (size_t i = 0; i < topic.n; i += 8) {
		uint64_t v = load(topic, i);

		/* [MQTT-3.3.2-2] no wildcards, [MQTT-4.7.3-2] no U+0000 */
		special |= bytes_equal(v, '+') | bytes_equal(v, '#') | bytes_equal(v, 0);
		levels += (unsigned)__builtin_popcountll(bytes_equal(v, '/'));
	}
	if (special)
		return ERR_MALFORMED;
	return levels > LIMIT_TOPIC_LEVELS ? ERR_TOO_LARGE : 0;
}

/* Takes $share/{group}/ off the front. */
static int split_shared(struct span *s, struct span *ret_group)
{
	enum { PREFIX = 7 };
	struct span rest, group;
	const char *slash;

	if (s->n < PREFIX || memcmp(s->p, "$share/", PREFIX) != 0)
		/* "$share" alone names no group */
		return span_is(*s, "$share") ? ERR_MALFORMED : 0;
	rest = span_of(s->p + PREFIX, s->n - PREFIX);
	slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
	if (!slash || slash == rest.p) /* [MQTT-4.8.2-1]; [MQTT-4.8.2-2] a filter follows */
		return ERR_MALFORMED;
	group = span_of(rest.p, (size_t)(slash - rest.p));
	if (memchr(group.p, '+', group.n) || memchr(group.p, '#', group.n)) /* [MQTT-4.8.2-2] */
		return ERR_MALFORMED;
	*ret_group = group;
	*s = span_of(slash + 1, rest.n - group.n - 1);
	return 0;
}

int topic_filter_check(struct span s, bool allow_shared, struct topic_filter *ret)
{
	struct topic_filter f = {0};
	struct span level;
	unsigned levels = 0;
	size_t at = 0;
	int err = check_size(s);

	if (!err && allow_shared)
		err = split_shared(&s, &f.group);
	if (!err)
		err = check_size(s);
	if (err)
		return err;
	if (memchr(s.p, 0, s.n)) /* [MQTT-4.7.3-2] */
		return ERR_MALFORMED;
	while (topic_next_level(s, &at, &level)) {
		bool plus = level.n && memchr(level.p, '+', level.n);
		bool hash = level.n && memchr(level.p, '#', level.n);

		if ((plus || hash) && level.n != 1) /* [MQTT-4.7.1-1], [MQTT-4.7.1-2] */
			return ERR_MALFORMED;
		if (hash && at <= s.n) /* [MQTT-4.7.1-1] the last */
			return ERR_MALFORMED;
		f.wildcards |= plus || hash;
		levels++;
	}
	if (levels > LIMIT_TOPIC_LEVELS)
		return ERR_TOO_LARGE;
	f.filter = s;
	*ret = f;
	return 0;
}

static bool is_level(struct span level, char c)
{
	return level.n == 1 && level.p[0] == c;
}

bool topic_matches(struct span filter, struct span topic)
{
	struct span f, t;
	size_t at_f = 0, at_t = 0;

	/* [MQTT-4.7.2-1] */
	if (topic.n && topic.p[0] == '$' && filter.n && (filter.p[0] == '+' || filter.p[0] == '#'))
		return false;
	while (topic_next_level(filter, &at_f, &f)) {
		if (is_level(f, '#')) /* the parent level and everything below it */
			return true;
		if (!topic_next_level(topic, &at_t, &t))
			return false;
		if (!is_level(f, '+') && !span_eq(f, t))
			return false;
	}
	return !topic_next_level(topic, &at_t, &t);
}

bool topic_filters_intersect(struct span a, struct span b)
{
	struct span la, lb;
	size_t at_a = 0, at_b = 0;
	bool more_a, more_b;

	/* a leading wildcard takes nothing that a leading literal with '$' takes [MQTT-4.7.2-1] */
	if (a.n && b.n &&
	    ((a.p[0] == '$' && (b.p[0] == '+' || b.p[0] == '#')) ||
	     (b.p[0] == '$' && (a.p[0] == '+' || a.p[0] == '#'))))
		return false;
	for (;;) {
		more_a = topic_next_level(a, &at_a, &la);
		more_b = topic_next_level(b, &at_b, &lb);
		if ((more_a && is_level(la, '#')) || (more_b && is_level(lb, '#')))
			return true;
		if (!more_a || !more_b)
			return more_a == more_b;
		if (!is_level(la, '+') && !is_level(lb, '+') && !span_eq(la, lb))
			return false;
	}
}
