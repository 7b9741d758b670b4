/* book.c - organisations, identities and grants in memory: loaded, taken, found. See book.h. */
#include "access/book_private.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t now_of(const struct access *a)
{
	return clock_wall_ms(hub_clock(a->hub));
}

/* ---- what somebody may do ---- */

static bool is_over(int64_t ends_ms, int64_t now_ms)
{
	return ends_ms && now_ms >= ends_ms;
}

static void remake(struct access *a, struct principal *p)
{
	int64_t now_ms = now_of(a);
	bool active = !is_over(p->ends_ms, now_ms) && !is_over(p->organisation->ends_ms, now_ms);
	if (p->active && !active) {
		p->generation++;
		a->changed = true;
	}
	p->active = active;
	if (view_make(p, a->hub, now_ms, &a->next_ms)) {
		p->losses++;
		a->changed = true;
	}
}

static void remake_all(struct access *a)
{
	a->next_ms = INT64_MAX;
	for (size_t i = 0; i < a->n_principals; i++)
		remake(a, a->principal_list[i]);
}

static void remake_members(struct access *a, struct organisation *o)
{
	list_for_each (it, &o->members)
		remake(a, list_entry(it, struct principal, node));
}

/* ---- rows ---- */

#define APPEND(list, n, one)                                                                       \
	do {                                                                                       \
		(list) = xrealloc((list), ((n) + 1) * sizeof(*(list)));                            \
		(list)[(n)++] = (one);                                                             \
	} while (0)

static void take_text(char **to, char **from)
{
	free(*to);
	*to = *from ? *from : xstrdup("");
	*from = NULL;
}

static int take_organisation(struct access *a, struct organisation_form *f)
{
	struct organisation *o = access_organisation(a, span_str(f->name));
	if (!*f->name)
		return ERR_INVALID;
	if (!o) {
		o = xcalloc(1, sizeof(*o));
		memcpy(o->name, f->name, sizeof(o->name));
		list_init(&o->members);
		list_init(&o->grants);
		map_set(&a->organisations, span_str(o->name), o);
		APPEND(a->organisation_list, a->n_organisations, o);
	}
	take_text(&o->title, &f->title);
	o->ends_ms = f->ends_ms;
	remake_members(a, o);
	return 0;
}

/* The map in which a principal is found by what it shows; NULL: it is by its name. */
static struct map *map_of(struct access *a, const struct principal *p, const char **ret)
{
	*ret = p->kind == IDENTITY_KEY ? p->secret : p->match;
	return p->kind == IDENTITY_KEY        ? &a->keys
	       : p->kind == IDENTITY_PASSWORD ? NULL
	                                      : &a->matches;
}

static void unlist(struct access *a, struct principal *p)
{
	const char *shown;
	struct map *m = map_of(a, p, &shown);
	if (m && *shown && map_get(m, span_str(shown)) == p)
		map_remove(m, span_str(shown));
}

static void enlist(struct access *a, struct principal *p)
{
	const char *shown;
	struct map *m = map_of(a, p, &shown);
	if (m && *shown)
		map_set(m, span_str(shown), p);
}

static int take_identity(struct access *a, struct identity_form *f)
{
	struct principal *p = access_principal(a, span_str(f->name));
	struct organisation *o = access_organisation(a, span_str(f->organisation));
	if (!o || !*f->name || (p && p->organisation != o))
		return ERR_INVALID;
	bool new = !p;
	if (new) {
		p = xcalloc(1, sizeof(*p));
		memcpy(p->name, f->name, sizeof(p->name));
		p->organisation = o;
		p->secret = xstrdup("");
		p->match = xstrdup("");
		list_init(&p->grants);
		list_append(&o->members, &p->node);
		map_set(&a->principals, span_str(p->name), p);
		APPEND(a->principal_list, a->n_principals, p);
	}
	unlist(a, p);
	if (!new && (strcmp(p->secret, f->secret ? f->secret : "") ||
	             strcmp(p->match, f->match ? f->match : ""))) {
		p->generation++; /* whoever came with the former ones leaves */
		p->has_proven = false;
		a->changed = true;
	}
	p->kind = f->kind;
	take_text(&p->secret, &f->secret);
	take_text(&p->match, &f->match);
	p->ends_ms = f->ends_ms;
	enlist(a, p);
	remake(a, p);
	return 0;
}

static struct span id_span(const uint64_t *id)
{
	return span_of((const char *)id, sizeof(*id));
}

static void remake_grantee(struct access *a, const struct grant *g)
{
	if (g->identity)
		remake(a, g->identity);
	else
		remake_members(a, g->organisation);
}

static int take_grant(struct access *a, struct grant_form *f)
{
	struct organisation *o = access_organisation(a, span_str(f->organisation));
	struct principal *p = *f->identity ? access_principal(a, span_str(f->identity)) : NULL;
	struct grant *g = access_grant(a, f->id);
	struct area *area = NULL;
	const char *why;
	if (!f->id || !o || (*f->identity && (!p || p->organisation != o)) ||
	    (g && (g->organisation != o || g->identity != p)))
		return ERR_INVALID;
	if (f->area && *f->area &&
	    area_read(span_str(f->area), f->area_crs == AREA_RD, &area, &why))
		return ERR_INVALID;
	if (!g) {
		g = xcalloc(1, sizeof(*g));
		g->id = f->id;
		g->things = &a->things;
		g->organisation = o;
		g->identity = p;
		list_append(p ? &p->grants : &o->grants, &g->node);
		map_set(&a->grants, id_span(&g->id), g);
		APPEND(a->grant_list, a->n_grants, g);
	}
	memcpy(g->feed, f->feed, sizeof(g->feed));
	memcpy(g->thing, f->thing, sizeof(g->thing));
	area_done(g->area);
	g->area = area;
	g->area_rd = f->area_crs == AREA_RD;
	take_text(&g->area_text, &f->area);
	g->rights = (uint8_t)f->rights;
	g->state = f->state;
	g->tokens = g->rate == f->rate ? g->tokens : (double)f->rate;
	g->rate = f->rate;
	g->size_bytes = f->size_bytes;
	g->quota = f->quota;
	g->from_ms = f->from_ms;
	g->until_ms = f->until_ms;
	g->made_ms = f->made_ms;
	take_text(&g->purpose, &f->purpose);
	take_text(&g->contract, &f->contract);
	a->last_grant = MAX_OF(a->last_grant, g->id);
	remake_grantee(a, g);
	return 0;
}

/* "DAY USED", under the grant's id. */
static int take_use(struct access *a, struct span id, struct span row)
{
	uint64_t n, day, used;
	const char *blank = memchr(row.p, ' ', row.n);
	if (span_to_u64(id, &n) || !blank ||
	    span_to_u64(span_of(row.p, (size_t)(blank - row.p)), &day) ||
	    span_to_u64(span_of(blank + 1, row.n - (size_t)(blank + 1 - row.p)), &used))
		return ERR_INVALID;
	struct grant *g = access_grant(a, n);
	if (g) {
		g->used_day = (int64_t)day;
		g->used = used;
	}
	return 0;
}

static bool begins(struct span key, const char *with)
{
	size_t n = strlen(with);
	return key.n > n && memcmp(key.p, with, n) == 0;
}

int book_take(struct access *a, struct span key, struct span row)
{
	struct form f;
	struct buf why;
	int err = ERR_INVALID;
	if (begins(key, ROW_USE))
		return take_use(a, span_of(key.p + strlen(ROW_USE), key.n - strlen(ROW_USE)), row);
	buf_init(&why, 4096);
	bool good = form_open(&f, row, &why);
	if (begins(key, ROW_ORGANISATION)) {
		struct organisation_form o = {0};
		organisation_form_read(&f, &o);
		if (form_done(&f) && good)
			err = take_organisation(a, &o);
		organisation_form_done(&o);
	} else if (begins(key, ROW_IDENTITY)) {
		struct identity_form i = {0};
		identity_form_read(&f, &i, true);
		if (form_done(&f) && good)
			err = take_identity(a, &i);
		identity_form_done(&i);
	} else {
		struct grant_form g = {0};
		grant_form_read(&f, &g, true);
		if (form_done(&f) && good)
			err = take_grant(a, &g);
		grant_form_done(&g);
	}
	buf_done(&why);
	return err;
}

/* ---- life ---- */

static int take_one(void *arg, struct span key, struct span row)
{
	if (book_take(arg, key, row))
		log_error("A row about access says what cannot be and is left out. key=%.*s",
		          (int)key.n, key.p);
	return 0;
}

int access_new(struct hub *h, struct access **ret)
{
	/* in this order: each names those before it */
	static const char *const rows[] = {ROW_ORGANISATION, ROW_IDENTITY, ROW_GRANT, ROW_USE};
	struct access *a = xcalloc(1, sizeof(*a));
	a->hub = h;
	int err = audit_new(h, &a->audit);
	a->next_ms = a->watch_ms = INT64_MAX;
	list_init(&a->changes);
	map_init(&a->organisations);
	map_init(&a->principals);
	map_init(&a->keys);
	map_init(&a->matches);
	map_init(&a->grants);
	a->login = login_new(a);
	a->issuers = issuers_new(h);
	a->tickets = tickets_new(&ticket_rule);
	a->signins = tickets_new(&signin_rule);
	for (unsigned i = 0; !err && i < ARRAY_LEN(rows); i++)
		err = store_scan(hub_store(h), STORE_STATE, span_str(rows[i]), span_str(rows[i]),
		                 SIZE_MAX, take_one, a);
	if (err) {
		access_free(a);
		return err;
	}
	remake_all(a);
	*ret = a;
	return 0;
}

static void principal_free(struct principal *p)
{
	view_done(&p->view);
	free(p->secret);
	free(p->match);
	free(p);
}

void access_stop(struct access *a)
{
	login_stop(a->login);
	issuers_stop(a->issuers);
	changes_stop(a);
}

void access_free(struct access *a)
{
	if (!a)
		return;
	login_free(a->login);
	issuers_free(a->issuers);
	tickets_free(a->tickets);
	tickets_free(a->signins);
	audit_free(a->audit);
	changes_free(a);
	for (size_t i = 0; i < a->n_grants; i++) {
		free(a->grant_list[i]->purpose);
		free(a->grant_list[i]->contract);
		free(a->grant_list[i]->area_text);
		area_done(a->grant_list[i]->area);
		free(a->grant_list[i]);
	}
	for (size_t i = 0; i < a->n_principals; i++)
		principal_free(a->principal_list[i]);
	for (size_t i = 0; i < a->n_organisations; i++) {
		free(a->organisation_list[i]->title);
		free(a->organisation_list[i]);
	}
	free(a->grant_list);
	free(a->principal_list);
	free(a->organisation_list);
	map_done(&a->organisations);
	map_done(&a->principals);
	map_done(&a->keys);
	map_done(&a->matches);
	map_done(&a->grants);
	free(a);
}

void access_reconfigured(struct access *a)
{
	issuers_reconfigured(a->issuers);
	a->changed = true; /* a feed may have become less public, for anonymous too */
	remake_all(a);
}

static void write_use(struct access *a)
{
	char key[40], row[48];
	for (size_t i = 0; i < a->n_grants; i++) {
		struct grant *g = a->grant_list[i];
		if (!g->used_changed || !hub_has_state_room(a->hub, sizeof(key) + sizeof(row)))
			continue;
		int k = snprintf(key, sizeof(key), ROW_USE "%" PRIu64, g->id),
		    r = snprintf(row, sizeof(row), "%" PRId64 " %" PRIu64, g->used_day, g->used);
		hub_put(a->hub, STORE_STATE, span_of(key, (size_t)k), span_of(row, (size_t)r));
		g->used_changed = false;
	}
}

bool access_second(struct access *a)
{
	int64_t now_ms = now_of(a);
	if (now_ms >= a->next_ms)
		remake_all(a);
	write_use(a);
	issuers_second(a->issuers);
	bool changed = a->changed || now_ms >= a->watch_ms;
	a->changed = false;
	if (now_ms >= a->watch_ms)
		a->watch_ms = INT64_MAX; /* who looks at the connections watches them anew */
	return changed;
}

void access_watch(struct access *a, const struct identity *who)
{
	if (who->expires_ms)
		a->watch_ms = MIN_OF(a->watch_ms, who->expires_ms);
}

struct access_certificates access_certificates(const struct access *a)
{
	struct access_certificates c = {0};
	int64_t soon_ms = now_of(a) + (int64_t)LIMIT_TLS_WARN_DAYS * 86400 * 1000;
	for (size_t i = 0; i < a->n_principals; i++) {
		const struct principal *p = a->principal_list[i];
		if (!p->certificate_ends_ms || !p->active)
			continue;
		c.known++;
		c.ending += p->certificate_ends_ms < soon_ms;
		if (!c.soonest || p->certificate_ends_ms < c.soonest->certificate_ends_ms)
			c.soonest = p;
	}
	return c;
}

struct audit *access_audit(const struct access *a)
{
	return a->audit;
}

struct tickets *access_tickets(const struct access *a)
{
	return a->tickets;
}

struct tickets *access_signins(const struct access *a)
{
	return a->signins;
}

void access_set_things(struct access *a, struct things *t)
{
	a->things = t;
}

struct hub *access_hub(const struct access *a)
{
	return a->hub;
}

/* ---- finding ---- */

struct principal *access_principal(const struct access *a, struct span name)
{
	return map_get(&a->principals, name);
}

struct principal *access_by_key(const struct access *a, const char *sha256_hex)
{
	return map_get(&a->keys, span_str(sha256_hex));
}

struct principal *access_by_match(const struct access *a, enum identity_kind kind,
                                  struct span match)
{
	struct principal *p = map_get(&a->matches, match);
	return p && p->kind == kind ? p : NULL;
}

struct organisation *access_organisation(const struct access *a, struct span name)
{
	return map_get(&a->organisations, name);
}

struct grant *access_grant(const struct access *a, uint64_t id)
{
	return map_get(&a->grants, id_span(&id));
}

struct identity access_identity(const struct principal *p)
{
	struct identity i = {.name = span_str(p->name),
	                     .principal = (struct principal *)p,
	                     .generation = p->generation,
	                     .losses = p->losses};
	memcpy(i.organisation, p->organisation->name, sizeof(i.organisation));
	return i;
}

struct organisation *access_next_organisation(const struct access *a, size_t *at)
{
	return *at < a->n_organisations ? a->organisation_list[(*at)++] : NULL;
}

struct principal *access_next_principal(const struct access *a, size_t *at)
{
	return *at < a->n_principals ? a->principal_list[(*at)++] : NULL;
}

struct grant *access_next_grant(const struct access *a, size_t *at)
{
	return *at < a->n_grants ? a->grant_list[(*at)++] : NULL;
}
