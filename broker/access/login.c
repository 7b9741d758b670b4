/* login.c - see login.h. */
#include "access/login.h"

#include "access/book_private.h"
#include "access/secret.h"
#include "access/slow.h"
#include "access/tls.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

/* A password that waits to be verified, or is being. */
struct proof {
	struct list node; /* login.waiting; on no list while it runs */
	struct job job;
	struct login *login;
	char *hash;                  /* a copy: the identity may change meanwhile */
	struct principal *principal; /* NULL: there is none of that name, which takes as long */
	uint32_t generation;
	char name[ACCESS_NAME_BYTES], address[64], password[LIMIT_PASSWORD_BYTES];
	size_t password_n;
	bool right;
	login_fn done;
	void *owner;
	uint64_t token;
};

struct wrong { /* found a moment ago */
	uint8_t hash[32];
	const struct principal *principal;
	uint32_t generation;
	bool active;
	int64_t until_ms;
};

struct login {
	struct access *access;
	struct slow *slow;
	uint8_t key[32]; /* of what is known again; drawn at start, so worth nothing elsewhere */
	struct list waiting;
	unsigned n;
	bool running, stopped;
	struct wrong wrong[LIMIT_LOGIN_WRONG]; /* a ring */
	unsigned next_wrong;
	char nobody[SECRET_HASH_BYTES]; /* what the password of a name that is not there is held to
	                                 */
	struct login_stats stats;
};

struct login *login_new(struct access *a)
{
	struct login *l = xcalloc(1, sizeof(*l));
	struct hash_key k[2] = {hash_key_random(), hash_key_random()};
	l->access = a;
	l->slow = slow_new(hash_key_random());
	memcpy(l->key, k, sizeof(l->key));
	list_init(&l->waiting);
	snprintf(l->nobody, sizeof(l->nobody), "scrypt:%d:8:1:%032d:%064d", LIMIT_SCRYPT_LOG_N, 0,
	         0);
	return l;
}

static void proof_free(struct proof *p)
{
	secret_wipe(p->password, sizeof(p->password));
	free(p->hash);
	free(p);
}

void login_stop(struct login *l)
{
	l->stopped = true;
	list_for_each_safe (it, &l->waiting) {
		struct proof *p = list_entry(it, struct proof, node);
		list_remove(&p->node);
		proof_free(p);
	}
}

void login_free(struct login *l)
{
	if (!l)
		return;
	login_stop(l);
	slow_free(l->slow);
	secret_wipe(l->key, sizeof(l->key));
	free(l);
}

const struct login_stats *login_stats(const struct access *a)
{
	return &a->login->stats;
}

/* Without its port: "127.0.0.1", "::1". */
static struct span address_of(const char *peer)
{
	const char *colon = strrchr(peer, ':');
	if (peer[0] == '[')
		return span_of(peer + 1, strcspn(peer + 1, "]"));
	bool port = colon && strchr(peer, ':') == colon;
	return span_of(peer, port ? (size_t)(colon - peer) : strlen(peer));
}

static int64_t now_of(const struct login *l)
{
	return clock_wall_ms(hub_clock(l->access->hub));
}

static int fail(struct login *l, struct span address, struct span name, const char *why)
{
	char shown[160];
	l->stats.failed++;
	log_info("Somebody was not let in. why=\"%s\" name=\"%s\" address=%.*s", why,
	         log_escape(shown, sizeof(shown), name.p, name.n), (int)address.n, address.p);
	snprintf(shown, sizeof(shown), "%.*s", (int)MIN_OF(address.n, (size_t)64), address.p);
	audit_seldom(l->access->audit, "login", why, "refused", shown, name, (struct span){0});
	return ERR_DENIED;
}

/* Keys and tokens cannot be guessed, and are not slowed. */
static int fail_password(struct login *l, struct span address, struct span name)
{
	slow_failed(l->slow, address, name, now_of(l));
	return fail(l, address, name, "name or password are wrong");
}

/* ---- passwords ---- */

static void known_hash(const struct login *l, const char name[ACCESS_NAME_BYTES],
                       struct span password, uint8_t out[32])
{
	uint8_t text[32 + ACCESS_NAME_BYTES + LIMIT_PASSWORD_BYTES] = {0};
	memcpy(text, l->key, 32);
	memcpy(text + 32, name, strlen(name));
	memcpy(text + 32 + ACCESS_NAME_BYTES, password.p, password.n);
	secret_sha256(span_of((char *)text, 32 + ACCESS_NAME_BYTES + password.n), out);
	secret_wipe(text, sizeof(text));
}

/* An upgrade to WebSocket is not answered before its password is verified: it is asked to come
 * again, and what was found then is known. */
static void remember_wrong(struct login *l, const struct proof *f)
{
	struct wrong *w = &l->wrong[l->next_wrong++ % LIMIT_LOGIN_WRONG];
	known_hash(l, f->name, span_of(f->password, f->password_n), w->hash);
	w->principal = f->principal;
	w->generation = f->generation;
	w->active = f->principal && f->principal->active;
	w->until_ms = now_of(l) + LIMIT_LOGIN_WAIT_S * 1000;
}

/* This password was found wrong for this name a moment ago, and nothing has changed since. */
static bool is_wrong(const struct login *l, const struct principal *p, struct span name,
                     struct span password)
{
	char text[ACCESS_NAME_BYTES] = "";
	uint8_t hash[32];
	if (password.n > LIMIT_PASSWORD_BYTES || name.n >= sizeof(text))
		return false;
	memcpy(text, name.p, name.n);
	known_hash(l, text, password, hash);
	for (unsigned i = 0; i < LIMIT_LOGIN_WRONG; i++) {
		const struct wrong *w = &l->wrong[i];
		if (now_of(l) < w->until_ms && w->principal == p &&
		    (!p || (w->generation == p->generation && w->active == p->active)) &&
		    secret_same(hash, w->hash, sizeof(hash)))
			return true;
	}
	return false;
}

static void run_next(struct login *l);

static void proof_work(struct job *j)
{
	struct proof *p = container_of(j, struct proof, job);
	p->right = secret_is(p->hash, span_of(p->password, p->password_n));
}

static void proof_done(struct job *j)
{
	struct proof *f = container_of(j, struct proof, job);
	struct login *l = f->login;
	struct principal *p = f->principal;
	struct span address = span_str(f->address), name = span_str(f->name);
	bool right = f->right && p && p->active && p->generation == f->generation;
	struct identity who;
	l->running = false;
	l->n--;
	if (right) {
		known_hash(l, p->name, span_of(f->password, f->password_n), p->proven);
		p->has_proven = true;
		slow_succeeded(l->slow, address, name);
		who = access_identity(p);
	} else {
		remember_wrong(l, f);
		fail_password(l, address, name);
	}
	if (!l->stopped)
		f->done(f->owner, f->token, right ? 0 : ERR_DENIED, right ? &who : NULL);
	proof_free(f);
	run_next(l);
}

/* The same password was right a moment ago: those who wait behind the first need not be verified.
 */
static bool is_known(const struct login *l, const struct principal *p, struct span password)
{
	uint8_t known[32];
	if (!p || !p->has_proven || !p->active)
		return false;
	known_hash(l, p->name, password, known);
	return secret_same(known, p->proven, sizeof(known));
}

/* True: what waits is answered without work: known by now, right or wrong, or guessed too often
 * meanwhile. */
static bool answer_at_once(struct login *l, struct proof *f)
{
	struct identity who;
	struct span name = span_str(f->name), password = span_of(f->password, f->password_n);
	bool known = is_known(l, f->principal, password);
	bool wrong = !known && is_wrong(l, f->principal, name, password);
	if (!known && !wrong && !slow_wait(l->slow, span_str(f->address), name, now_of(l)))
		return false;
	l->n--;
	l->stats.slowed += !known && !wrong;
	if (known)
		who = access_identity(f->principal);
	f->done(f->owner, f->token, known ? 0 : wrong ? ERR_DENIED : ERR_SLOW, known ? &who : NULL);
	proof_free(f);
	return true;
}

static void run_next(struct login *l)
{
	while (!l->running && !list_empty(&l->waiting)) {
		struct proof *p = list_entry(l->waiting.next, struct proof, node);
		list_remove(&p->node);
		if (answer_at_once(l, p))
			continue;
		l->running = true;
		p->job = (struct job){.work = proof_work, .done = proof_done};
		hub_pool(l->access->hub, &p->job);
	}
}

/* One address may not have all the places. */
static bool has_place(const struct login *l, struct span address)
{
	unsigned n = 0;
	list_for_each (it, &l->waiting)
		n += span_eq(span_str(list_entry(it, struct proof, node)->address), address);
	return l->n < LIMIT_LOGINS && n < LIMIT_LOGINS / 2;
}

static int by_password(struct login *l, const struct login_request *q, login_fn done, void *owner,
                       uint64_t token)
{
	struct span address = address_of(q->address);
	struct principal *p = access_principal(l->access, q->name);
	if (q->password.n > LIMIT_PASSWORD_BYTES || q->name.n >= ACCESS_NAME_BYTES)
		return fail_password(l, address, q->name);
	if (p && p->kind != IDENTITY_PASSWORD)
		p = NULL;
	if (!has_place(l, address)) {
		l->stats.busy++;
		return ERR_AGAIN;
	}
	struct proof *f = xcalloc(1, sizeof(*f));
	f->login = l;
	f->principal = p;
	f->generation = p ? p->generation : 0;
	f->hash = xstrdup(p ? p->secret : l->nobody);
	memcpy(f->name, q->name.p, q->name.n);
	memcpy(f->address, address.p, MIN_OF(address.n, sizeof(f->address) - 1));
	memcpy(f->password, q->password.p, q->password.n);
	f->password_n = q->password.n;
	f->done = done;
	f->owner = owner;
	f->token = token;
	list_init(&f->node);
	list_append(&l->waiting, &f->node);
	l->n++;
	run_next(l);
	return 1;
}

/* ---- what is known at once ---- */

static int by_key(struct login *l, const struct login_request *q, struct identity *ret)
{
	char hash[SHA256_HEX_BYTES];
	secret_sha256_hex(q->password, hash);
	struct principal *p = access_by_key(l->access, hash);
	if (!p || !p->active || (q->name.n && !span_is(q->name, p->name)))
		return fail(l, address_of(q->address), q->name, "there is no such key");
	*ret = access_identity(p);
	return 0;
}

/* The header of every token begins with {" */
static bool is_token(struct span s)
{
	return s.n > 3 && memcmp(s.p, "eyJ", 3) == 0 && jwt_looks_like(s);
}

static int by_token(struct login *l, const struct login_request *q, struct identity *ret)
{
	struct span address = address_of(q->address);
	struct jwt t;
	const char *issuer, *why = "it is no token";
	char match[2 * JWT_TEXT_BYTES];
	if (!jwt_looks_like(q->password))
		return fail(l, address, q->name, why);
	char *mem = xmalloc(q->password.n);
	int err = issuers_verify(l->access->issuers, q->password, mem, &t, &issuer, &why);
	free(mem); /* of t only texts of its own are looked at below */
	if (err)
		return err == ERR_AGAIN ? err : fail(l, address, q->name, why);
	int n = snprintf(match, sizeof(match), "%s\n%s", issuer, t.subject);
	struct principal *p = access_by_match(l->access, IDENTITY_TOKEN, span_of(match, (size_t)n));
	if (!p || !p->active || (q->name.n && !span_is(q->name, p->name)))
		return fail(l, address, span_str(t.subject),
		            "no identity has its issuer and subject");
	*ret = access_identity(p);
	ret->expires_ms = t.expires_s * 1000;
	return 0;
}

struct match {
	struct access *access;
	struct principal *found;
};

static int match_name(void *arg, struct span name)
{
	struct match *m = arg;
	m->found = access_by_match(m->access, IDENTITY_CERTIFICATE, name);
	return m->found != NULL;
}

static struct principal *by_certificate(const struct login *l, const struct ssl_st *ssl)
{
	struct match m = {.access = l->access};
	(void)tls_client_names(ssl, match_name, &m);
	return m.found;
}

/* Its owner hears of the end in time, and the administrator too. */
static void note_certificate(const struct login *l, struct principal *p, const struct ssl_st *ssl)
{
	int64_t now_ms = now_of(l), day_ms = 86400 * 1000;
	p->certificate_ends_ms = tls_client_not_after_s(ssl) * 1000;
	if (p->certificate_ends_ms - now_ms >= LIMIT_TLS_WARN_DAYS * day_ms ||
	    now_ms < p->certificate_warned_ms + day_ms)
		return;
	p->certificate_warned_ms = now_ms;
	log_warn("The certificate of a client ends soon: its owner has to put a new one in its "
	         "place. identity=%s organisation=%s days=%lld",
	         p->name, p->organisation->name,
	         (long long)((p->certificate_ends_ms - now_ms) / day_ms));
}

static int by_nothing(struct login *l, const struct login_request *q, struct identity *ret)
{
	struct principal *p = by_certificate(l, q->ssl);
	if (p && !p->active)
		return fail(l, address_of(q->address), span_str(p->name), "it has ended");
	if (!p && q->known_only)
		return ERR_NOT_FOUND; /* nothing was tried: no failure */
	if (p)
		note_certificate(l, p, q->ssl);
	*ret = p ? access_identity(p) : access_anonymous(hub_config(l->access->hub), q->trusted);
	return 0;
}

int access_login(struct access *a, const struct login_request *q, login_fn done, void *owner,
                 uint64_t token, struct identity *ret, unsigned *ret_wait_s)
{
	struct login *l = a->login;
	if (!q->has_password && !q->name.n)
		return by_nothing(l, q, ret);
	struct principal *p = q->has_password ? access_principal(a, q->name) : NULL;
	if (p && q->password.n <= LIMIT_PASSWORD_BYTES && is_known(l, p, q->password)) {
		slow_succeeded(l->slow, address_of(q->address), q->name);
		*ret = access_identity(p); /* also while somebody else is guessing */
		return 0;
	}
	if (secret_looks_like_key(q->password))
		return by_key(l, q, ret);
	if (q->bearer || is_token(q->password))
		return by_token(l, q, ret);
	*ret_wait_s = slow_wait(l->slow, address_of(q->address), q->name, now_of(l));
	if (*ret_wait_s) {
		l->stats.slowed++;
		return ERR_SLOW;
	}
	if (!q->has_password)
		return fail_password(l, address_of(q->address), q->name);
	if (is_wrong(l, p && p->kind == IDENTITY_PASSWORD ? p : NULL, q->name, q->password))
		return fail(l, address_of(q->address), q->name, "name or password are wrong");
	return by_password(l, q, done, owner, token);
}
