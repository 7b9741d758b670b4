/* diff.c - what a reload changes, in lines for people, and what it cannot. */
#include "base/err.h"
#include "base/mem.h"
#include "config/load.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

struct blocks {
	enum block block;
	const void *at;
	size_t n;
};

static struct blocks blocks_of(const struct config *c, enum block b)
{
	switch (b) {
	case BLOCK_LISTENER: return (struct blocks){b, c->listeners, c->n_listeners};
	case BLOCK_TLS: return (struct blocks){b, c->tls, c->n_tls};
	case BLOCK_ISSUER: return (struct blocks){b, c->issuers, c->n_issuers};
	case BLOCK_FEED: return (struct blocks){b, c->feeds, c->n_feeds};
	default: return (struct blocks){b, c, 1};
	}
}

static const void *nth(const struct blocks *l, size_t i)
{
	assert(i < l->n);
	return (const char *)l->at + i * block_size(l->block);
}

static const char *name_of(const struct blocks *l, size_t i)
{
	char *name; /* the first member */
	memcpy(&name, nth(l, i), sizeof(name));
	return name;
}

static const void *find(const struct blocks *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(name_of(l, i), name))
			return nth(l, i);
	return NULL;
}

static void diff_rows(enum block b, const char *name, const void *from, const void *to,
                      struct buf *changes, struct buf *restart)
{
	size_t at = 0;
	for (const struct row *r; (r = row_next(b, &at));) {
		if (value_same(r, from, to))
			continue;
		struct buf *out = r->flags & ROW_RESTART ? restart : changes;
		if (b != BLOCK_ROOT)
			buf_addf(out, "%s %s: ", block_name(b), name);
		buf_addf(out, "%s ", r->name);
		value_print(r, from, out);
		buf_add_str(out, " -> ");
		value_print(r, to, out);
		buf_add_char(out, '\n');
	}
}

static void diff_blocks(enum block b, const struct config *from, const struct config *to,
                        struct buf *changes, struct buf *restart)
{
	struct blocks old = blocks_of(from, b), new = blocks_of(to, b);
	struct buf *out = b == BLOCK_LISTENER ? restart : changes;
	for (size_t i = 0; i < old.n; i++) {
		const char *name = name_of(&old, i);
		const void *now = find(&new, name);
		if (now)
			diff_rows(b, name, nth(&old, i), now, changes, restart);
		else
			buf_addf(out, "%s %s: removed\n", block_name(b), name);
	}
	for (size_t i = 0; i < new.n; i++)
		if (!find(&old, name_of(&new, i)))
			buf_addf(out, "%s %s: added\n", block_name(b), name_of(&new, i));
}

void config_diff(const struct config *from, const struct config *to, struct buf *changes,
                 struct buf *restart)
{
	assert(from && to && changes && restart);
	diff_rows(BLOCK_ROOT, "", from, to, changes, restart);
	for (enum block b = BLOCK_LISTENER; b < N_BLOCKS; b++)
		diff_blocks(b, from, to, changes, restart);
}

/* ---- keeping ---- */

static void copy_block(enum block b, const void *from, void *to)
{
	size_t at = 0;
	for (const struct row *r; (r = row_next(b, &at));)
		value_copy(r, from, to);
}

static void keep_listeners(const struct config *from, struct config *to)
{
	for (size_t i = 0; i < to->n_listeners; i++)
		block_free(BLOCK_LISTENER, &to->listeners[i]);
	to->listeners = xrealloc(to->listeners, from->n_listeners * sizeof(*to->listeners));
	to->n_listeners = from->n_listeners;
	for (size_t i = 0; i < from->n_listeners; i++) {
		const struct config_listener *old = &from->listeners[i];
		to->listeners[i] =
		    (struct config_listener){.name = xstrdup(old->name), .loopback = old->loopback};
		copy_block(BLOCK_LISTENER, old, &to->listeners[i]);
	}
}

/* A tls block that went away, but that a kept listener names. */
static void keep_tls(const struct config *from, struct config *to)
{
	for (size_t i = 0; i < to->n_listeners; i++) {
		const char *name = to->listeners[i].tls;
		if (!name || config_tls_find(to, name))
			continue;
		const struct config_tls *old = config_tls_find(from, name);
		assert(old);
		to->tls = xrealloc(to->tls, (to->n_tls + 1) * sizeof(*to->tls));
		to->tls[to->n_tls] = (struct config_tls){.name = xstrdup(name)};
		copy_block(BLOCK_TLS, old, &to->tls[to->n_tls++]);
	}
}

void config_keep(const struct config *from, struct config *to)
{
	assert(from && to && from != to && from->n_listeners > 0);
	size_t at = 0;
	for (const struct row *r; (r = row_next(BLOCK_ROOT, &at));) {
		if (!(r->flags & ROW_RESTART))
			continue;
		value_free(r, to);
		value_copy(r, from, to);
	}
	keep_listeners(from, to);
	keep_tls(from, to);
}
