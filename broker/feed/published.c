/* published.c - see published.h. Key in STORE_STATE: "schema-digest:name/version". */
#include "feed/published.h"

#include "base/err.h"
#include "base/mem.h"
#include "feed/hub_private.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEY_BYTES = 120 };

enum known { UNKNOWN, SAME, CHANGED };

static struct span make_key(const struct schema *sc, char key[KEY_BYTES])
{
	int n = snprintf(key, KEY_BYTES, "schema-digest:%s", schema_id(sc));
	assert(n > 0 && n < KEY_BYTES);
	return span_of(key, (size_t)n);
}

/* What was put or taken out since the start: the store knows it only after the next commit, and the
 * next reload may come before. As many as the configuration has named schemas. */
struct latest {
	bool there;
	uint8_t digest[SCHEMA_DIGEST_BYTES];
};

static void remember(struct hub *h, const struct schema *sc, const uint8_t *digest)
{
	struct latest *l = xcalloc(1, sizeof(*l));
	l->there = digest != NULL;
	if (digest)
		memcpy(l->digest, digest, sizeof(l->digest));
	free(map_set(&h->published, span_str(schema_id(sc)), l));
}

void published_done(struct hub *h)
{
	size_t at = 0;
	struct latest *l;
	while ((l = map_next(&h->published, &at, NULL)))
		free(l);
	map_done(&h->published);
}

static int look(struct hub *h, const struct schema *sc, enum known *ret)
{
	char key[KEY_BYTES];
	uint8_t now[SCHEMA_DIGEST_BYTES];
	struct buf kept;
	const struct latest *l = map_get(&h->published, span_str(schema_id(sc)));
	if (l) {
		schema_digest(sc, now);
		*ret = !l->there                                  ? UNKNOWN
		       : memcmp(l->digest, now, sizeof(now)) == 0 ? SAME
		                                                  : CHANGED;
		return 0;
	}
	buf_init(&kept, 1024);
	int err = store_get(hub_store(h), STORE_STATE, make_key(sc, key), &kept);
	if (err == ERR_NOT_FOUND) {
		*ret = UNKNOWN;
		err = 0;
	} else if (!err) {
		schema_digest(sc, now);
		bool same = kept.len == sizeof(now) && memcmp(kept.p, now, sizeof(now)) == 0;
		*ret = same ? SAME : CHANGED;
	}
	buf_done(&kept);
	return err;
}

/* Calls fn for each schema that a feed of c takes, until it fails. */
struct each {
	struct hub *h;
	struct buf *why;
	int (*fn)(struct each *e, const struct config_feed *f, const struct schema *sc);
	bool changed;
};

static int each_schema(struct each *e, const struct config *c, const struct catalog *schemas)
{
	for (size_t i = 0; i < c->n_feeds; i++)
		for (char **s = c->feeds[i].schemas; *s; s++) {
			const struct schema *sc = catalog_find(schemas, config_schema(*s, NULL));
			int err = sc ? e->fn(e, &c->feeds[i], sc) : 0; /* "any" is none */
			if (err)
				return err;
		}
	return 0;
}

static int check(struct each *e, const struct config_feed *f, const struct schema *sc)
{
	enum known known = SAME;
	int err = f->draft ? 0 : look(e->h, sc, &known);
	if (err || known != CHANGED)
		return err;
	e->changed = true;
	buf_addf(e->why,
	         "%s: schema %s of feed \"%s\" means something else than when it was taken into "
	         "use; put it back and make the change as a new version, %s/%u, or say draft = "
	         "true in the feed while nobody relies on it\n",
	         schema_path(sc), schema_id(sc), f->name, schema_name(sc), schema_version(sc) + 1);
	return 0;
}

int published_check(struct hub *h, const struct config *c, const struct catalog *schemas,
                    struct buf *why)
{
	struct each e = {.h = h, .why = why, .fn = check};
	int err = each_schema(&e, c, schemas);
	return err ? err : e.changed ? ERR_CONFIG : 0;
}

static int keep(struct each *e, const struct config_feed *f, const struct schema *sc)
{
	char key[KEY_BYTES];
	uint8_t digest[SCHEMA_DIGEST_BYTES];
	enum known known;
	int err = look(e->h, sc, &known);
	if (err)
		return err;
	if (f->draft) {
		if (known == CHANGED) {
			hub_del(e->h, STORE_STATE, make_key(sc, key));
			remember(e->h, sc, NULL);
		}
		return 0;
	}
	if (known != UNKNOWN)
		return 0;
	schema_digest(sc, digest);
	hub_put(e->h, STORE_STATE, make_key(sc, key),
	        span_of((const char *)digest, sizeof(digest)));
	remember(e->h, sc, digest);
	return 0;
}

int published_keep(struct hub *h, const struct config *c, const struct catalog *schemas)
{
	struct each e = {.h = h, .fn = keep};
	return each_schema(&e, c, schemas);
}
