/* issuers.c - see issuers.h. libcurl fetches. */
#include "access/issuers.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct issuer {
	struct issuers *issuers;
	char *name, *iss, *audience, *jwks;
	struct jwks *keys; /* NULL: none yet */
	bool url, there;   /* there: in the configuration in force */
	uint64_t due_s,
	    asked_s; /* on the clock that never goes back; of the next, the last fetch */
	struct timespec mtime;
	off_t size;
	bool fetching;
	struct job job;
	struct buf body; /* of the job while it runs */
	char failure[160];
};

struct issuers {
	struct hub *hub;
	struct issuer **all; /* those that are gone too, until nothing of theirs runs */
	size_t n;
	bool stopped;
};

static uint64_t now_s(const struct issuers *s)
{
	return clock_mono_ns(hub_clock(s->hub)) / 1000000000u;
}

struct issuers *issuers_new(struct hub *h)
{
	struct issuers *s = xcalloc(1, sizeof(*s));
	s->hub = h;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	issuers_reconfigured(s);
	return s;
}

static void issuer_free(struct issuer *i)
{
	jwks_free(i->keys);
	buf_done(&i->body);
	free(i->name);
	free(i->iss);
	free(i->audience);
	free(i->jwks);
	free(i);
}

void issuers_stop(struct issuers *s)
{
	s->stopped = true;
}

void issuers_free(struct issuers *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		issuer_free(s->all[i]);
	free(s->all);
	free(s);
}

/* ---- keys that came ---- */

static void failed(struct issuer *i, const char *why)
{
	if (i->there)
		log_warn("The keys of an issuer could not be had%s. issuer=%s from=%s why=\"%s\"",
		         i->keys ? "; the former ones stay" : ", so its tokens are refused",
		         i->name, i->jwks, why);
}

static void take(struct issuer *i, struct span json)
{
	struct jwks *keys;
	const char *why;
	if (jwks_read(json, &keys, &why)) {
		failed(i, why);
		return;
	}
	if (!i->keys)
		log_info("The keys of an issuer are there. issuer=%s keys=%u", i->name,
		         jwks_count(keys));
	jwks_free(i->keys);
	i->keys = keys;
}

static void read_file(struct issuer *i)
{
	struct stat st;
	struct buf b;
	FILE *f = fopen(i->jwks, "re");
	if (!f || fstat(fileno(f), &st)) {
		if (i->size != -1)
			failed(i, strerror(errno));
		i->size = -1; /* said once */
		if (f)
			fclose(f);
		return;
	}
	if (st.st_size != i->size || st.st_mtim.tv_sec != i->mtime.tv_sec ||
	    st.st_mtim.tv_nsec != i->mtime.tv_nsec) {
		i->size = st.st_size;
		i->mtime = st.st_mtim;
		buf_init(&b, LIMIT_JWKS_BYTES);
		char *p = buf_room(&b, LIMIT_JWKS_BYTES);
		if (p) {
			b.len = fread(p, 1, LIMIT_JWKS_BYTES, f);
			take(i, span_of(b.p, b.len));
		}
		buf_done(&b);
	}
	fclose(f);
}

/* ---- fetching ---- */

static size_t on_bytes(char *p, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;
	buf_add(b, p, size * n);
	return b->err ? 0 : size * n;
}

static void fetch(struct job *j)
{
	struct issuer *i = container_of(j, struct issuer, job);
	CURL *c = curl_easy_init();
	CURLcode rc = CURLE_FAILED_INIT;
	long status = 0;
	if (c) {
		curl_easy_setopt(c, CURLOPT_URL, i->jwks);
		curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
		curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)LIMIT_JWKS_FETCH_S / 2);
		curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)LIMIT_JWKS_FETCH_S);
		curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
		curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes);
		curl_easy_setopt(c, CURLOPT_WRITEDATA, &i->body);
		rc = curl_easy_perform(c);
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_cleanup(c);
	}
	i->failure[0] = '\0';
	if (rc)
		snprintf(i->failure, sizeof(i->failure), "%s", curl_easy_strerror(rc));
	else if (status != 200)
		snprintf(i->failure, sizeof(i->failure), "the answer was HTTP %ld", status);
}

static void drop(struct issuers *s, struct issuer *i)
{
	for (size_t k = 0; k < s->n; k++)
		if (s->all[k] == i)
			s->all[k--] = s->all[--s->n];
	issuer_free(i);
}

static void fetched(struct job *j)
{
	struct issuer *i = container_of(j, struct issuer, job);
	i->fetching = false;
	if (i->issuers->stopped)
		return;
	if (!i->there) {
		drop(i->issuers, i);
		return;
	}
	if (i->failure[0])
		failed(i, i->failure);
	else
		take(i, span_of(i->body.p, i->body.len));
	i->due_s = now_s(i->issuers) +
	           (i->failure[0] || !i->keys ? LIMIT_JWKS_RETRY_S : LIMIT_JWKS_FRESH_S);
	buf_done(&i->body);
}

static void start(struct issuer *i)
{
	struct issuers *s = i->issuers;
	i->asked_s = now_s(s);
	if (!i->url) {
		read_file(i);
		i->due_s = i->asked_s + LIMIT_TLS_LOOK_S;
		return;
	}
	i->fetching = true;
	buf_init(&i->body, LIMIT_JWKS_BYTES);
	i->job = (struct job){.work = fetch, .done = fetched};
	hub_pool(s->hub, &i->job);
}

void issuers_second(struct issuers *s)
{
	for (size_t k = 0; k < s->n; k++)
		if (s->all[k]->there && !s->all[k]->fetching && now_s(s) >= s->all[k]->due_s)
			start(s->all[k]);
}

/* ---- the configuration ---- */

static bool is_same(const struct issuer *i, const struct config_issuer *c)
{
	return strcmp(i->name, c->name) == 0 && strcmp(i->iss, c->iss) == 0 &&
	       strcmp(i->audience, c->audience) == 0 && strcmp(i->jwks, c->jwks) == 0;
}

void issuers_reconfigured(struct issuers *s)
{
	const struct config *c = hub_config(s->hub);
	for (size_t k = 0; k < s->n; k++)
		s->all[k]->there = false;
	for (size_t n = 0; n < c->n_issuers; n++) {
		struct issuer *i = NULL;
		for (size_t k = 0; k < s->n && !i; k++)
			i = is_same(s->all[k], &c->issuers[n]) ? s->all[k] : NULL;
		if (!i) {
			i = xcalloc(1, sizeof(*i));
			i->issuers = s;
			i->name = xstrdup(c->issuers[n].name);
			i->iss = xstrdup(c->issuers[n].iss);
			i->audience = xstrdup(c->issuers[n].audience);
			i->jwks = xstrdup(c->issuers[n].jwks);
			i->url = i->jwks[0] != '/';
			s->all = xrealloc(s->all, (s->n + 1) * sizeof(struct issuer *));
			s->all[s->n++] = i;
		}
		i->there = true;
	}
	for (size_t k = s->n; k-- > 0;)
		if (!s->all[k]->there && !s->all[k]->fetching)
			drop(s, s->all[k]);
	issuers_second(s);
}

/* ---- tokens ---- */

static struct issuer *find(const struct issuers *s, const char *iss)
{
	for (size_t k = 0; k < s->n; k++)
		if (s->all[k]->there && strcmp(s->all[k]->iss, iss) == 0)
			return s->all[k];
	return NULL;
}

int issuers_verify(struct issuers *s, struct span text, char *mem, struct jwt *t,
                   const char **ret_issuer, const char **ret_why)
{
	int64_t now = clock_wall_ms(hub_clock(s->hub)) / 1000;
	bool unknown;
	if (jwt_read(text, mem, t, ret_why))
		return ERR_DENIED;
	struct issuer *i = find(s, t->issuer);
	*ret_why = NULL;
	if (!i)
		*ret_why = "no issuer block has its iss";
	else if (!jwt_is_for(t, i->audience))
		*ret_why = "it is for another audience";
	else if (now >= t->expires_s + LIMIT_TOKEN_LEEWAY_S)
		*ret_why = "it has expired";
	else if (now + LIMIT_TOKEN_LEEWAY_S < t->not_before_s)
		*ret_why = "it is not valid yet";
	if (*ret_why)
		return ERR_DENIED;
	if (!i->keys)
		return ERR_AGAIN;
	if (jwks_verify(i->keys, t, &unknown)) {
		*ret_issuer = i->name;
		return 0;
	}
	*ret_why = unknown ? "its issuer has no such key" : "its signature is wrong";
	if (unknown && i->url && !i->fetching && now_s(s) >= i->asked_s + LIMIT_JWKS_RETRY_S)
		start(i); /* a new key may have come */
	return ERR_DENIED;
}
