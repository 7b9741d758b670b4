/* versions.c - see versions.h. The table has buckets of a cache line: eight entries, newest first.
 * An entry is 50 bits of the thing's hash, then feed and slot, so that a thing that is pushed out
 * can be taken off its count. */
#include "feed/versions.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "feed/hub_private.h"

#include <stdlib.h>

enum { WAYS = 8, SLOT_BITS = 4, FEED_BITS = 11, TAG_SHIFT = SLOT_BITS + FEED_BITS };
enum { BUCKETS = LIMIT_VERSION_THINGS / WAYS };
_Static_assert((BUCKETS & (BUCKETS - 1)) == 0, "a mask chooses the bucket");
_Static_assert(FEED_VERSIONS_MAX <= 1 << SLOT_BITS, "a slot fits its bits");
_Static_assert(2 * LIMIT_FEEDS <= 1 << FEED_BITS, "a feed's index fits its bits");

struct versions {
	struct hash_key key;
	uint64_t entry[BUCKETS][WAYS] __attribute__((aligned(64))); /* 0: free */
};

struct versions *versions_new(void)
{
	struct versions *v = aligned_alloc(64, sizeof(*v));
	assert(v); /* half a megabyte, at start */
	memset(v, 0, sizeof(*v));
	v->key = hash_key_random();
	return v;
}

void versions_free(struct versions *v)
{
	free(v);
}

static void forget_slot(struct versions *v, const struct feed *f, unsigned slot)
{
	uint64_t who = (uint64_t)f->index << SLOT_BITS | slot;
	for (unsigned b = 0; b < BUCKETS; b++)
		for (unsigned i = 0; i < WAYS; i++)
			if (v->entry[b][i] && (v->entry[b][i] & ((1u << TAG_SHIFT) - 1)) == who)
				v->entry[b][i] = 0;
}

unsigned versions_slot(struct versions *v, struct feed *f, struct span id)
{
	unsigned room = FEED_VERSIONS_MAX;
	for (unsigned i = 0; i < FEED_VERSIONS_MAX; i++) {
		if (span_is(id, f->versions[i].id))
			return i;
		bool better =
		    room == FEED_VERSIONS_MAX || (f->versions[room].id[0] && !f->versions[i].id[0]);
		if (!f->versions[i].taken && better)
			room = i;
	}
	assert(room < FEED_VERSIONS_MAX); /* at most FEED_SCHEMAS_MAX are taken */
	if (f->versions[room].id[0])
		forget_slot(v, f, room);
	f->versions[room] = (struct feed_version){0};
	assert(id.n < sizeof(f->versions[room].id));
	memcpy(f->versions[room].id, id.p, id.n);
	return room;
}

/* The slot of the record's schema, or FEED_VERSIONS_MAX. */
static unsigned find(const struct feed *f, const struct record *r)
{
	for (unsigned i = 0; i < f->n_schemas; i++)
		if (schema_version(f->schemas[i]) == r->schema_version &&
		    span_is(r->schema, schema_name(f->schemas[i])))
			return f->slot[i];
	return FEED_VERSIONS_MAX;
}

static void leave(struct feed *f, unsigned slot)
{
	assert(f->versions[slot].things > 0);
	f->versions[slot].things--;
}

/* The bucket of the record's thing, and in *ret_at where it stands there or would. */
static uint64_t *look(struct versions *v, const struct feed *f, const struct record *r,
                      unsigned *ret_at, uint64_t *ret_tag)
{
	struct hash_key key = {v->key.k0 ^ f->index, v->key.k1};
	uint64_t hash = hash64(&key, r->thing.p, r->thing.n);
	uint64_t *bucket = v->entry[hash & (BUCKETS - 1)];
	unsigned at = 0;
	*ret_tag = hash >> TAG_SHIFT | 1; /* never 0, so that an entry is not */
	while (at < WAYS - 1 && bucket[at] && bucket[at] >> TAG_SHIFT != *ret_tag)
		at++;
	*ret_at = at;
	return bucket;
}

static uint64_t make_entry(uint64_t tag, const struct feed *f, unsigned slot)
{
	return tag << TAG_SHIFT | (uint64_t)f->index << SLOT_BITS | slot;
}

void versions_seen(struct versions *v, struct hub *h, struct feed *f, const struct record *r)
{
	unsigned slot = find(f, r), at;
	uint64_t tag;
	if (slot == FEED_VERSIONS_MAX)
		return;
	f->versions[slot].messages++;
	uint64_t *bucket = look(v, f, r, &at, &tag), former = bucket[at];
	if (former) {
		struct feed *of = h->feeds[former >> SLOT_BITS & ((1u << FEED_BITS) - 1)];
		leave(of, former & ((1u << SLOT_BITS) - 1));
	}
	memmove(bucket + 1, bucket, at * sizeof(*bucket));
	bucket[0] = make_entry(tag, f, slot);
	f->versions[slot].things++;
}

void versions_seen_before(struct versions *v, struct feed *f, const struct record *r)
{
	unsigned slot = find(f, r), at;
	uint64_t tag;
	if (slot == FEED_VERSIONS_MAX)
		return;
	uint64_t *bucket = look(v, f, r, &at, &tag);
	if (bucket[at])
		return;
	bucket[at] = make_entry(tag, f, slot);
	f->versions[slot].things++;
}

void versions_refused(struct feed *f, const char *id)
{
	for (unsigned i = 0; i < f->n_schemas; i++)
		if (strcmp(schema_id(f->schemas[i]), id) == 0)
			f->versions[f->slot[i]].refused++;
}

enum version_state version_state(const struct feed_version *v, int64_t now_ms)
{
	if (!v->taken)
		return VERSION_FORMER;
	if (!v->until_ms)
		return VERSION_TAKEN;
	if (now_ms >= v->until_ms)
		return VERSION_ENDED;
	return v->until_ms - now_ms <= (int64_t)LIMIT_UNTIL_WARN_DAYS * 86400000 ? VERSION_ENDING
	                                                                         : VERSION_TAKEN;
}

const char *version_state_text(enum version_state s)
{
	static const char *const TEXTS[] = {"taken", "ending", "ended", "former"};
	assert((size_t)s < ARRAY_LEN(TEXTS));
	return TEXTS[s];
}

static void tell(const struct feed *f, const struct feed_version *v, enum version_state s)
{
	char when[RFC3339_BYTES];
	rfc3339_format(v->until_ms, when);
	log_warn("%s feed=%s schema=%s until=%.*s things=%u",
	         s == VERSION_ENDED
	             ? "A schema version has ended and is refused."
	             : "A schema version ends soon: what still sends it will be refused.",
	         f->conf->name, v->id, RFC3339_BYTES, when, v->things);
}

void versions_tell(struct hub *h)
{
	int64_t now_ms = clock_wall_ms(hub_clock(h));
	for (unsigned i = 0; i < hub_feed_count(h); i++) {
		const struct feed *f = hub_feed_at(h, i);
		for (unsigned k = 0; k < FEED_VERSIONS_MAX && !f->ended; k++) {
			enum version_state s = version_state(&f->versions[k], now_ms);
			if (s == VERSION_ENDING || s == VERSION_ENDED)
				tell(f, &f->versions[k], s);
		}
	}
}
