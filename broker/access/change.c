/* change.c - what administrators change: read, checked against what there is, written, and taken
 * into memory when it is committed. */
#include "access/book_private.h"
#include "access/secret.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* One change on its way: hashed on the pool when it brings a password, then in the batch. */
struct change {
	struct list node; /* access.changes */
	struct access *access;
	struct job job;
	char key[96], id[ACCESS_NAME_BYTES];
	struct buf row;
	struct identity_form identity; /* of one that waits for its hash */
	bool hashing;
	char hash[SECRET_HASH_BYTES], shown[SECRET_KEY_BYTES];
	int err;
	struct access_done done;
	char actor[ACCESS_NAME_BYTES], organisation[ACCESS_NAME_BYTES], origin[64];
};

static void change_free(struct change *c)
{
	list_remove(&c->node);
	c->access->n_changes--;
	secret_wipe(c->shown, sizeof(c->shown));
	identity_form_done(&c->identity);
	buf_done(&c->row);
	free(c);
}

void changes_free(struct access *a)
{
	list_for_each_safe (it, &a->changes)
		change_free(list_entry(it, struct change, node));
}

static void nobody(void *arg UNUSED, int err UNUSED, const char *id UNUSED, const char *key UNUSED)
{
}

void changes_stop(struct access *a)
{
	list_for_each (it, &a->changes)
		list_entry(it, struct change, node)->done.fn = nobody;
}

static void committed(const struct answer *answer, int err)
{
	struct change *c = answer->owner;
	char object[128];
	snprintf(object, sizeof(object), "%s", c->key + sizeof("access/") - 1);
	audit_line(c->access->audit, "access.change", object, err ? "failed" : "done", c->origin,
	           span_str(c->actor), span_str(c->organisation));
	if (!err)
		(void)book_take(c->access, span_str(c->key), span_of(c->row.p, c->row.len));
	c->done.fn(c->done.arg, err, c->id, c->shown[0] ? c->shown : NULL);
	change_free(c);
}

static void write_row(struct change *c)
{
	struct answer answer = {.done = committed, .owner = c, .feed = UINT32_MAX};
	struct hub *h = c->access->hub;
	if (c->row.err)
		fatal("out of memory for a row about access");
	hub_put(h, STORE_STATE, span_str(c->key), span_of(c->row.p, c->row.len));
	hub_answer(h, &answer);
}

/* ---- may it begin? ---- */

static int say(struct buf *why, int err, const char *text)
{
	buf_addf(why, "%s\n", text);
	return err;
}

/* A change of the row at prefix and id, or NULL with *ret_err set and why filled. */
static struct change *begin(struct access *a, const char *prefix, const char *id,
                            struct access_done done, struct buf *why, int *ret_err)
{
	char key[96];
	int n = snprintf(key, sizeof(key), "%s%s", prefix, id);
	assert(n > 0 && (size_t)n < sizeof(key));
	list_for_each (it, &a->changes)
		if (strcmp(list_entry(it, struct change, node)->key, key) == 0) {
			*ret_err = say(why, ERR_CONFLICT, "it is being changed: try again");
			return NULL;
		}
	if (a->n_changes >= LIMIT_ACCESS_CHANGES ||
	    !hub_has_state_room(a->hub, LIMIT_ACCESS_ROW_BYTES)) {
		*ret_err = say(why, ERR_AGAIN, "too much is being changed: try again");
		return NULL;
	}
	struct change *c = xcalloc(1, sizeof(*c));
	c->access = a;
	c->done = done;
	if (done.who) {
		snprintf(c->actor, sizeof(c->actor), "%.*s", (int)done.who->name.n,
		         done.who->name.p);
		snprintf(c->organisation, sizeof(c->organisation), "%s", done.who->organisation);
	}
	snprintf(c->origin, sizeof(c->origin), "%s", done.origin ? done.origin : "");
	c->done.who = NULL;
	c->done.origin = NULL;
	memcpy(c->key, key, sizeof(key));
	snprintf(c->id, sizeof(c->id), "%s", id);
	buf_init(&c->row, LIMIT_ACCESS_ROW_BYTES);
	list_init(&c->node);
	list_append(&a->changes, &c->node);
	a->n_changes++;
	return c;
}

/* ---- organisations ---- */

static int put_organisation(struct access *a, const struct organisation_form *o,
                            struct access_done d, struct buf *why)
{
	int err = 0;
	struct change *c = begin(a, ROW_ORGANISATION, o->name, d, why, &err);
	if (!c)
		return err;
	organisation_form_write(&c->row, o);
	write_row(c);
	return 0;
}

int organisation_add(struct access *a, struct span json, struct access_done d, struct buf *why)
{
	struct form f;
	struct organisation_form o = {0};
	int err = 0;
	bool good = form_open(&f, json, why);
	organisation_form_read(&f, &o);
	if (good && !*o.name)
		form_fault(&f, "name", "is needed");
	if (!form_done(&f))
		err = ERR_INVALID;
	else if (access_organisation(a, span_str(o.name)))
		err = say(why, ERR_CONFLICT, "there is an organisation of this name");
	else if (a->n_organisations + a->n_changes >= LIMIT_ORGANISATIONS)
		err = say(why, ERR_TOO_LARGE, "there are as many organisations as may be");
	else
		err = put_organisation(a, &o, d, why);
	organisation_form_done(&o);
	return err;
}

int organisation_change(struct access *a, struct span name, struct span json, struct access_done d,
                        struct buf *why)
{
	struct organisation *was = access_organisation(a, name);
	struct form f;
	int err = 0;
	if (!was)
		return say(why, ERR_NOT_FOUND, "there is no such organisation");
	struct organisation_form o = organisation_form_of(was);
	form_open(&f, json, why);
	organisation_form_read(&f, &o);
	if (strcmp(o.name, was->name))
		form_fault(&f, "name", "cannot be changed");
	if (!form_done(&f))
		err = ERR_INVALID;
	else
		err = put_organisation(a, &o, d, why);
	organisation_form_done(&o);
	return err;
}

/* ---- identities ---- */

static void hash_work(struct job *j)
{
	struct change *c = container_of(j, struct change, job);
	c->err = secret_hash(span_str(c->identity.password), c->hash);
}

static void hash_done(struct job *j)
{
	struct change *c = container_of(j, struct change, job);
	c->hashing = false;
	free(c->identity.secret);
	c->identity.secret = xstrdup(c->hash);
	if (!c->err && !hub_has_state_room(c->access->hub, LIMIT_ACCESS_ROW_BYTES))
		c->err = ERR_STORE_FULL;
	if (c->err) {
		c->done.fn(c->done.arg, ERR_STORE_FULL, c->id, NULL);
		change_free(c);
		return;
	}
	identity_form_write(&c->row, &c->identity, true);
	write_row(c);
}

/* What each kind must bring, and what it must not. */
static void check_identity(struct form *f, const struct access *a, struct identity_form *i,
                           bool new)
{
	static const char *const shows[] = {"password", "key", "certificate", "issuer"};
	static const char *const kinds[] = {"password", "key", "certificate", "token"};
	size_t n = i->password ? strlen(i->password) : 0;
	bool certificate = form_has(f, "certificate"), token = form_has(f, "issuer");
	if (i->password && n < LIMIT_PASSWORD_BYTES_MIN)
		form_fault(f, "password", "is shorter than %d bytes", LIMIT_PASSWORD_BYTES_MIN);
	if ((i->password && i->kind != IDENTITY_PASSWORD) ||
	    (certificate && i->kind != IDENTITY_CERTIFICATE) ||
	    (token && i->kind != IDENTITY_TOKEN))
		form_fault(f, "kind", "is %s, and what belongs to another kind is given",
		           kinds[i->kind]);
	if (new && ((i->kind == IDENTITY_PASSWORD && !i->password) ||
	            (i->kind >= IDENTITY_CERTIFICATE && (!i->match || !*i->match))))
		form_fault(f, shows[i->kind], "is needed");
	if (!i->match || !*i->match)
		return;
	const struct config *c = hub_config(a->hub);
	size_t issuer = strcspn(i->match, "\n"), k = 0;
	while (k < c->n_issuers && !span_is(span_of(i->match, issuer), c->issuers[k].name))
		k++;
	if (token && k == c->n_issuers)
		form_fault(f, "issuer", "there is no such issuer block in the configuration");
	const struct principal *other = map_get(&a->matches, span_str(i->match));
	if (other && strcmp(other->name, i->name))
		form_fault(f, shows[i->kind], "is that of identity %s", other->name);
}

static int put_identity(struct access *a, struct identity_form *i, struct access_done d,
                        struct buf *why)
{
	int err = 0;
	struct change *c = begin(a, ROW_IDENTITY, i->name, d, why, &err);
	if (!c)
		return err;
	c->identity = *i;
	memset(i, 0, sizeof(*i)); /* it owns the texts now */
	i = &c->identity;
	if (i->key) {
		char hash[SHA256_HEX_BYTES];
		secret_key_new(c->shown);
		secret_sha256_hex(span_str(c->shown), hash);
		free(i->secret);
		i->secret = xstrdup(hash);
	}
	if (i->password) {
		c->hashing = true;
		c->job = (struct job){.work = hash_work, .done = hash_done};
		hub_pool(a->hub, &c->job);
		return 0;
	}
	identity_form_write(&c->row, i, true);
	write_row(c);
	return 0;
}

int identity_add(struct access *a, struct span json, struct access_done d, struct buf *why)
{
	struct form f;
	struct identity_form i = {.kind = UINT32_MAX};
	int err = 0;
	bool good = form_open(&f, json, why);
	identity_form_read(&f, &i, false);
	if (good && !*i.name)
		form_fault(&f, "name", "is needed");
	if (good && (!*i.organisation || !access_organisation(a, span_str(i.organisation))))
		form_fault(&f, "organisation", "there is no such organisation: add it first");
	if (i.kind == UINT32_MAX) {
		if (good)
			form_fault(&f, "kind", "is needed: password, key, certificate or token");
		i.kind = IDENTITY_PASSWORD;
	} else {
		check_identity(&f, a, &i, true);
	}
	i.key = i.kind == IDENTITY_KEY;
	if (!form_done(&f))
		err = ERR_INVALID;
	else if (access_principal(a, span_str(i.name)))
		err = say(why, ERR_CONFLICT, "there is an identity of this name");
	else if (a->n_principals + a->n_changes >= LIMIT_IDENTITIES)
		err = say(why, ERR_TOO_LARGE, "there are as many identities as may be");
	else
		err = put_identity(a, &i, d, why);
	identity_form_done(&i);
	return err;
}

int identity_change(struct access *a, struct span name, struct span json, struct access_done d,
                    struct buf *why)
{
	struct principal *was = access_principal(a, name);
	struct form f;
	int err = 0;
	if (!was)
		return say(why, ERR_NOT_FOUND, "there is no such identity");
	struct identity_form i = identity_form_of(was);
	form_open(&f, json, why);
	identity_form_read(&f, &i, false);
	uint64_t again = 0;
	if (form_count(&f, "newKey", 1, &again) && again) {
		i.key = true;
		if (i.kind != IDENTITY_KEY)
			form_fault(&f, "newKey", "is for identities of kind key");
	}
	if (strcmp(i.name, was->name) || strcmp(i.organisation, was->organisation->name) ||
	    i.kind != was->kind)
		form_fault(&f, "name", "organisation and kind cannot be changed: add another");
	check_identity(&f, a, &i, false);
	if (!form_done(&f))
		err = ERR_INVALID;
	else
		err = put_identity(a, &i, d, why);
	identity_form_done(&i);
	return err;
}

/* ---- grants ---- */

static int put_grant(struct access *a, const struct grant_form *g, struct access_done d,
                     struct buf *why)
{
	char id[24];
	int err = 0;
	snprintf(id, sizeof(id), "%020" PRIu64, g->id);
	struct change *c = begin(a, ROW_GRANT, id, d, why, &err);
	if (!c)
		return err;
	snprintf(c->id, sizeof(c->id), "%" PRIu64, g->id);
	grant_form_write(&c->row, g);
	write_row(c);
	return 0;
}

/* A grant of a feed that is internal to another organisation is most likely a mistake, and one of a
 * feed that there is not is one. */
static void check_grant(struct form *f, const struct access *a, const struct grant_form *g)
{
	const struct principal *p =
	    *g->identity ? access_principal(a, span_str(g->identity)) : NULL;
	if (!*g->organisation || !access_organisation(a, span_str(g->organisation)))
		form_fault(f, "organisation", "there is no such organisation: add it first");
	else if (*g->identity && (!p || strcmp(p->organisation->name, g->organisation)))
		form_fault(f, "identity", "there is no such identity of this organisation");
	if (*g->feed && !strchr(g->feed, '*') && !hub_feed(a->hub, span_str(g->feed)))
		form_fault(f, "feed", "there is no feed of this name");
}

int grant_add(struct access *a, struct span json, struct access_done d, struct buf *why)
{
	struct form f;
	struct grant_form g = {.made_ms = clock_wall_ms(hub_clock(a->hub))};
	int err = 0;
	bool good = form_open(&f, json, why);
	if (good && form_has(&f, "identity") && !form_has(&f, "organisation")) {
		/* the identity's own is meant */
		char name[ACCESS_NAME_BYTES] = "";
		form_name(&f, "identity", IDENTITY_SET, name, sizeof(name));
		const struct principal *p = access_principal(a, span_str(name));
		if (p)
			memcpy(g.organisation, p->organisation->name, sizeof(g.organisation));
	}
	grant_form_read(&f, &g, false);
	if (good)
		check_grant(&f, a, &g);
	g.id = a->last_grant + 1;
	if (!form_done(&f))
		err = ERR_INVALID;
	else if (a->n_grants + a->n_changes >= LIMIT_GRANTS)
		err = say(why, ERR_TOO_LARGE, "there are as many grants as may be");
	else
		err = put_grant(a, &g, d, why);
	if (!err)
		a->last_grant = g.id;
	grant_form_done(&g);
	return err;
}

int grant_change(struct access *a, uint64_t id, struct span json, struct access_done d,
                 struct buf *why)
{
	struct grant *was = access_grant(a, id);
	struct form f;
	int err = 0;
	if (!was)
		return say(why, ERR_NOT_FOUND, "there is no such grant");
	struct grant_form g = grant_form_of(was);
	form_open(&f, json, why);
	grant_form_read(&f, &g, false);
	if (strcmp(g.organisation, was->organisation->name) ||
	    strcmp(g.identity, was->identity ? was->identity->name : ""))
		form_fault(&f, "organisation", "and identity cannot be changed: add another grant");
	if (was->state == GRANT_REVOKED)
		form_fault(&f, "state", "is revoked, for good: add another grant");
	if (!form_done(&f))
		err = ERR_INVALID;
	else
		err = put_grant(a, &g, d, why);
	grant_form_done(&g);
	return err;
}
