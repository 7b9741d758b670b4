/* view.c - see view.h. A walk over the grants of one identity; feeds that a grant names are looked
 * up, patterns are held against all of them. */
#include "access/area.h"
#include "access/book.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/search.h"
#include "register/register.h"

#include <stdio.h>
#include <stdlib.h>

enum { READS = 1 << ACCESS_READ | 1 << ACCESS_SUBSCRIBE };

struct pair { /* one grant (NULL: by the feed's access) says something about one feed */
	uint32_t feed;
	struct grant *grant;
};

struct making {
	struct pair *pairs;
	size_t n, cap;
};

static void pair_add(struct making *m, const struct feed *f, struct grant *g)
{
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 16;
		m->pairs = xrealloc(m->pairs, m->cap * sizeof(*m->pairs));
	}
	m->pairs[m->n++] = (struct pair){f->index, g};
}

bool pattern_fits(const char *pattern, struct span text)
{
	size_t n = strlen(pattern);
	if (n && pattern[n - 1] == '*')
		return text.n >= n - 1 && memcmp(pattern, text.p, n - 1) == 0;
	return text.n == n && memcmp(pattern, text.p, n) == 0;
}

bool grant_in_force(const struct grant *g, int64_t now_ms)
{
	return g->state == GRANT_ACTIVE && g->from_ms <= now_ms &&
	       (!g->until_ms || now_ms < g->until_ms);
}

static void sooner(int64_t *next_ms, int64_t ms, int64_t now_ms)
{
	if (ms > now_ms && ms < *next_ms)
		*next_ms = ms;
}

static void add_grants(struct making *m, struct list *grants, const struct hub *h, int64_t now_ms,
                       int64_t *next_ms)
{
	list_for_each (it, grants) {
		struct grant *g = list_entry(it, struct grant, node);
		if (g->state == GRANT_ACTIVE) {
			sooner(next_ms, g->from_ms, now_ms);
			sooner(next_ms, g->until_ms, now_ms);
		}
		if (!grant_in_force(g, now_ms))
			continue;
		if (!strchr(g->feed, '*')) {
			struct feed *f = hub_feed(h, span_str(g->feed));
			if (f && !f->conf->builtin)
				pair_add(m, f, g);
			continue;
		}
		for (unsigned i = 0; i < hub_feed_count(h); i++) {
			struct feed *f = hub_feed_at(h, i);
			if (!f->ended && !f->conf->builtin && pattern_fits(g->feed, f->name))
				pair_add(m, f, g);
		}
	}
}

/* Internal feeds of its own organisation are read without a grant. */
static void add_own(struct making *m, const struct principal *p, const struct hub *h)
{
	for (unsigned i = 0; i < hub_feed_count(h); i++) {
		const struct feed *f = hub_feed_at(h, i);
		if (!f->ended && !f->conf->builtin && f->conf->access == CONFIG_INTERNAL &&
		    strcmp(f->conf->organisation, p->organisation->name) == 0)
			pair_add(m, f, NULL);
	}
}

static int by_feed(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	if (x->feed != y->feed)
		return x->feed < y->feed ? -1 : 1;
	uint64_t i = x->grant ? x->grant->id : 0, k = y->grant ? y->grant->id : 0;
	return (i > k) - (i < k);
}

static void build(struct rights *v, const struct making *m)
{
	*v = (struct rights){0};
	if (!m->n)
		return;
	v->rows = xcalloc(m->n, sizeof(*v->rows));
	v->grants = xcalloc(m->n, sizeof(struct grant *));
	for (size_t i = 0; i < m->n; i++) {
		struct grant *g = m->pairs[i].grant;
		if (!v->n || v->rows[v->n - 1].feed != m->pairs[i].feed)
			v->rows[v->n++] =
			    (struct rights_row){.feed = m->pairs[i].feed, .first = v->n_grants};
		struct rights_row *r = &v->rows[v->n - 1];
		uint8_t rights = g ? g->rights : READS;
		r->some |= rights;
		r->all |= g && (g->thing[0] || g->area) ? 0 : rights;
		v->some |= rights;
		if (g && r->n < UINT16_MAX) {
			v->grants[v->n_grants++] = g;
			r->n++;
		}
	}
}

static const struct rights_row *row_of(const struct rights *v, uint32_t feed)
{
	size_t at = search_first(i, 0, v->n, v->rows[i].feed < feed);
	return at < v->n && v->rows[at].feed == feed ? &v->rows[at] : NULL;
}

/* Something of old is not in new: a right, or a grant that gave it for some things. */
static bool is_less(const struct rights *old, const struct rights *new)
{
	for (uint32_t i = 0; i < old->n; i++) {
		const struct rights_row *o = &old->rows[i], *n = row_of(new, o->feed);
		if (!n || (o->all & ~n->all) || (o->some & ~n->some))
			return true;
		for (unsigned k = 0; k < o->n; k++) {
			struct grant *g = old->grants[o->first + k];
			bool there = (g->rights & ~n->all) == 0; /* no filter matters any more */
			for (unsigned j = 0; j < n->n && !there; j++)
				there = new->grants[n->first + j] == g;
			if (!there)
				return true;
		}
	}
	return false;
}

void view_done(struct rights *v)
{
	free(v->rows);
	free(v->grants);
	*v = (struct rights){0};
}

bool view_make(struct principal *p, const struct hub *h, int64_t now_ms, int64_t *next_ms)
{
	struct making m = {0};
	struct rights new, old = p->view;
	sooner(next_ms, p->ends_ms, now_ms);
	sooner(next_ms, p->organisation->ends_ms, now_ms);
	if (p->active) {
		add_grants(&m, &p->grants, h, now_ms, next_ms);
		add_grants(&m, &p->organisation->grants, h, now_ms, next_ms);
		add_own(&m, p, h);
	}
	if (m.n)
		qsort(m.pairs, m.n, sizeof(*m.pairs), by_feed);
	build(&new, &m);
	free(m.pairs);
	bool less = is_less(&old, &new);
	view_done(&old);
	p->view = new;
	return less;
}

/* ---- the questions: access.h ---- */

static bool is_reading(enum access_right right)
{
	return right == ACCESS_READ || right == ACCESS_SUBSCRIBE;
}

/* Who is no principal: 0 or ERR_DENIED. */
static int check_other(const struct identity *who, enum access_right right, const struct feed *feed)
{
	if (who->administrator)
		return 0;
	if (right == ACCESS_ADMIN || (feed && feed->conf->builtin))
		return ERR_DENIED;
	if (who->trusted)
		return 0;
	return is_reading(right) && feed && feed->conf->access == CONFIG_PUBLIC ? 0 : ERR_DENIED;
}

/* Where the thing is: as the spot says, else as the register does, else where it was seen. */
static struct thing_place place_of(const struct things *things, struct span thing,
                                   const struct access_spot *spot)
{
	const struct thing *x = NULL;
	if (!spot->known && things && spot->organisation.n)
		x = things_find(things, spot->organisation, thing);
	if (!x)
		return (struct thing_place){spot->known, spot->place};
	const struct thing_place entry = thing_entry_place(x);
	if (entry.known)
		return entry;
	const struct thing_seen *last = thing_told_place(x);
	return last ? (struct thing_place){true, last->place}
	            : (struct thing_place){.known = false};
}

static bool in_area(const struct grant *g, struct span thing, const struct access_spot *spot)
{
	if (!g->area || !spot)
		return !g->area;
	struct thing_place at = place_of(*g->things, thing, spot);
	return at.known && area_holds(g->area, &at.place);
}

static bool thing_fits(const char *pattern, struct span thing)
{
	return !pattern[0] || (thing.n && pattern_fits(pattern, thing));
}

/* places: the areas of grants count too. */
static bool granted(const struct rights *v, const struct rights_row *r, unsigned bit,
                    struct span thing, bool places, const struct access_spot *spot)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct grant *g = v->grants[r->first + i];
		if ((g->rights & bit) && thing_fits(g->thing, thing) &&
		    (!places || in_area(g, thing, spot)))
			return true;
	}
	return false;
}

static int check(const struct identity *who, enum access_right right, const struct feed *feed,
                 struct span thing, bool places, const struct access_spot *spot)
{
	const struct principal *p = who->principal;
	unsigned bit = 1u << right;
	if (right == ACCESS_PUBLISH && feed && feed->conf->alerts && !who->administrator)
		return ERR_DENIED;
	if (!p)
		return check_other(who, right, feed);
	if (!p->active)
		return ERR_DENIED;
	if (!feed) /* a topic that no feed takes: told so, who may publish at all */
		return right == ACCESS_PUBLISH && (p->view.some & bit) ? 0 : ERR_DENIED;
	if (is_reading(right) && feed->conf->access == CONFIG_PUBLIC && !feed->conf->builtin)
		return 0;
	const struct rights_row *r = row_of(&p->view, feed->index);
	if (!r || !(r->some & bit))
		return ERR_DENIED;
	return (!thing.p && !places) || (r->all & bit) ||
	               granted(&p->view, r, bit, thing, places, spot)
	           ? 0
	           : ERR_DENIED;
}

int access_check(const struct identity *who, enum access_right right, const struct feed *feed,
                 struct span thing)
{
	return check(who, right, feed, thing, false, NULL);
}

bool access_sees(const struct identity *who, const struct feed *feed)
{
	for (enum access_right r = ACCESS_PUBLISH; r <= ACCESS_ADMIN; r++)
		if (access_check(who, r, feed, (struct span){0}) == 0)
			return true;
	return false;
}

int access_covers(const struct identity *who, enum access_right right, const struct feed *feed,
                  struct span thing, const struct access_spot *spot)
{
	return check(who, right, feed, thing.p ? thing : SPAN(""), true, spot);
}

static struct access_spot access_spot_of(const struct record *r)
{
	return (struct access_spot){.organisation = r->organisation,
	                            .known = r->flags & RECORD_LOCATION,
	                            .place = r->place};
}

int access_covers_record(const struct identity *who, enum access_right right,
                         const struct feed *feed, const struct record *r)
{
	const struct access_spot spot = access_spot_of(r);
	return access_covers(who, right, feed, r->thing, &spot);
}

bool access_is_partial(const struct identity *who, enum access_right right, const struct feed *feed)
{
	const struct principal *p = who->principal;
	if (!p || (is_reading(right) && feed->conf->access == CONFIG_PUBLIC))
		return false;
	const struct rights_row *r = row_of(&p->view, feed->index);
	return !r || !(r->all & 1u << right);
}

struct access_parts {
	struct things *things; /* NULL: nobody knows where things are */
	unsigned n;
	struct part {
		char thing[FEED_THING_BYTES];
		struct area *area;
	} one[];
};

struct access_parts *access_parts(const struct identity *who, enum access_right right,
                                  const struct feed *feed)
{
	const struct principal *p = who->principal;
	const struct rights_row *r = p ? row_of(&p->view, feed->index) : NULL;
	struct access_parts *all = xcalloc(1, sizeof(*all) + (r ? r->n : 0) * sizeof(all->one[0]));
	for (unsigned i = 0; r && i < r->n; i++) {
		const struct grant *g = p->view.grants[r->first + i];
		if (!(g->rights & 1u << right))
			continue;
		struct part *one = &all->one[all->n++];
		memcpy(one->thing, g->thing, sizeof(one->thing));
		one->area = area_use(g->area);
		all->things = *g->things;
	}
	return all;
}

void access_parts_free(struct access_parts *p)
{
	for (unsigned i = 0; p && i < p->n; i++)
		area_done(p->one[i].area);
	free(p);
}

bool access_parts_cover(const struct access_parts *p, struct span thing,
                        const struct access_spot *spot)
{
	struct thing_place at = {spot->known, spot->place};
	bool asked = spot->known || !p->things || !spot->organisation.n;
	for (unsigned i = 0; i < p->n; i++) {
		const struct area *a = p->one[i].area;
		if (!thing_fits(p->one[i].thing, thing))
			continue;
		if (a && !asked)
			at = things_entry_place(p->things, spot->organisation, thing);
		asked = asked || a;
		if (!a || (at.known && area_holds(a, &at.place)))
			return true;
	}
	return false;
}

enum { DAY_MS = 86400 * 1000 };

/* Whether g takes one more message now; 0 or why not. */
static int grant_room(struct grant *g, size_t bytes, int64_t now_ms)
{
	if (g->size_bytes && bytes > g->size_bytes)
		return ERR_TOO_LARGE;
	if (g->used_day != now_ms / DAY_MS) {
		g->used_day = now_ms / DAY_MS;
		g->used = 0;
	}
	if (g->quota && g->used >= g->quota)
		return ERR_QUOTA;
	if (!g->rate)
		return 0;
	double most = (double)g->rate;
	if (now_ms > g->filled_ms)
		g->tokens += most * (double)(now_ms - g->filled_ms) / 1000;
	if (g->tokens > most)
		g->tokens = most;
	g->filled_ms = now_ms;
	return g->tokens >= 1 ? 0 : ERR_SLOW;
}

static void grant_take(struct grant *g)
{
	if (g->rate)
		g->tokens -= 1;
	if (g->quota) {
		g->used++;
		g->used_changed = true;
	}
}

/* Whether g may allow the message, whose thing may not be named yet; with a spot: whether it does.
 */
static bool may_pay(const struct grant *g, struct span thing, const struct access_spot *spot)
{
	return (g->rights & 1u << ACCESS_PUBLISH) &&
	       (spot ? thing_fits(g->thing, thing) && in_area(g, thing, spot)
	             : !thing.n || thing_fits(g->thing, thing));
}

/* The grant that is charged, or NULL and in *ret_err why none of those that fit has room. */
static struct grant *payer(const struct principal *p, const struct feed *feed, struct span thing,
                           const struct access_spot *spot, size_t bytes, int64_t now_ms,
                           int *ret_err)
{
	const struct rights_row *r = row_of(&p->view, feed->index);
	*ret_err = ERR_DENIED;
	for (unsigned i = 0; r && i < r->n; i++) {
		struct grant *g = p->view.grants[r->first + i];
		if (!may_pay(g, thing, spot))
			continue;
		int why = grant_room(g, bytes, now_ms);
		if (!why)
			return g;
		/* of several, the one that lets it in soonest is told */
		*ret_err = *ret_err == ERR_SLOW ? ERR_SLOW : why;
	}
	return NULL;
}

int access_room(const struct identity *who, const struct feed *feed, struct span thing,
                size_t bytes, int64_t now_ms)
{
	int err;
	return !who->principal || payer(who->principal, feed, thing, NULL, bytes, now_ms, &err)
	           ? 0
	           : err;
}

int access_spend(const struct identity *who, const struct feed *feed, struct span thing,
                 const struct access_spot *spot, size_t bytes, int64_t now_ms)
{
	int err;
	if (!who->principal)
		return 0;
	struct grant *g = payer(who->principal, feed, thing, spot, bytes, now_ms, &err);
	if (!g)
		return err;
	grant_take(g);
	return 0;
}

const char *access_lost(const struct identity *who, bool grants, int64_t now_ms)
{
	const struct principal *p = who->principal;
	if (!p)
		return NULL;
	if (!p->active)
		return "its identity has ended";
	if (p->generation != who->generation)
		return "its credentials were changed";
	if (who->expires_ms && now_ms >= who->expires_ms)
		return "its token has expired";
	if (grants && p->losses != who->losses)
		return "a grant was suspended, revoked or has ended";
	return NULL;
}
