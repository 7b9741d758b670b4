/* rows.c - the JSON of the book: what stands in the store, and what the API shows. */
#include "access/book_private.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "json/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const kinds[] = {"password", "key", "certificate", "token", NULL};
static const char *const states[] = {"active", "suspended", "revoked", NULL};
static const char *const systems[] = {"", "CRS84", "EPSG:28992", NULL};
static const char *const rights[] = {"", "publish", "subscribe", "read", "admin", NULL};

/* ---- done ---- */

static void free_secret(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void organisation_form_done(struct organisation_form *o)
{
	free(o->title);
}

void identity_form_done(struct identity_form *i)
{
	free(i->secret);
	free(i->match);
	free_secret(i->password);
}

void grant_form_done(struct grant_form *g)
{
	free(g->purpose);
	free(g->contract);
	free(g->area);
}

/* ---- reading ---- */

void organisation_form_read(struct form *f, struct organisation_form *o)
{
	form_name(f, "name", NAME_SET, o->name, sizeof(o->name));
	form_long_text(f, "title", &o->title, TITLE_BYTES);
	form_time(f, "ends", &o->ends_ms);
}

void identity_form_read(struct form *f, struct identity_form *i, bool row)
{
	form_name(f, "name", IDENTITY_SET, i->name, sizeof(i->name));
	form_name(f, "organisation", NAME_SET, i->organisation, sizeof(i->organisation));
	form_word(f, "kind", kinds, &i->kind);
	form_time(f, "ends", &i->ends_ms);
	char issuer[65] = "", subject[257] = "";
	if (form_long_text(f, "certificate", &i->match, MATCH_BYTES) && *i->match &&
	    !strchr(i->match, ':'))
		form_fault(f, "certificate",
		           "names no kind of name; write subject:CN=..., DNS:..., URI:... or "
		           "email:...");
	bool has_issuer = form_text(f, "issuer", issuer, sizeof(issuer)),
	     has_subject = form_text(f, "subject", subject, sizeof(subject));
	if (has_issuer != has_subject)
		form_fault(f, "issuer", "and subject go together");
	else if (has_issuer && *issuer && *subject) {
		free(i->match);
		i->match = xmalloc(sizeof(issuer) + sizeof(subject));
		sprintf(i->match, "%s\n%s", issuer, subject);
	}
	if (row)
		form_long_text(f, "secret", &i->secret, 128);
	else
		form_long_text(f, "password", &i->password, LIMIT_PASSWORD_BYTES);
}

static bool is_pattern(const char *s)
{
	const char *star = strchr(s, '*');
	return *s && (!star || !star[1]);
}

static void read_area(struct form *f, struct grant_form *g)
{
	struct area *area;
	const char *why;
	form_long_text(f, "area", &g->area, LIMIT_AREA_BYTES);
	form_word(f, "areaCrs", systems, &g->area_crs);
	if (!g->area || !*g->area) {
		g->area_crs = AREA_UNSAID;
	} else if (g->area_crs == AREA_UNSAID) {
		form_fault(f, "areaCrs",
		           "is needed beside area: CRS84 (longitude and latitude in "
		           "degrees) or EPSG:28992 (RD, metres)");
	} else if (area_read(span_str(g->area), g->area_crs == AREA_RD, &area, &why)) {
		form_fault(f, "area", "%s", why);
	} else {
		area_done(area);
	}
}

void grant_form_read(struct form *f, struct grant_form *g, bool row)
{
	if (row) {
		form_count(f, "id", INT64_MAX, &g->id);
		form_time(f, "made", &g->made_ms);
	}
	form_name(f, "organisation", NAME_SET, g->organisation, sizeof(g->organisation));
	if (form_has(f, "identity"))
		form_name(f, "identity", IDENTITY_SET, g->identity, sizeof(g->identity));
	form_text(f, "feed", g->feed, sizeof(g->feed));
	if (!is_pattern(g->feed))
		form_fault(f, "feed", "is no feed; write its name, or a beginning and '*'");
	form_text(f, "thing", g->thing, sizeof(g->thing));
	if (*g->thing && !is_pattern(g->thing))
		form_fault(f, "thing", "is no thing; write its id, or a beginning and '*'");
	read_area(f, g);
	form_words(f, "rights", rights, &g->rights);
	if (!(g->rights & ~1u))
		form_fault(f, "rights",
		           "is empty; write a list of publish, subscribe, read, admin");
	g->rights &= ~1u;
	form_word(f, "state", states, &g->state);
	form_count(f, "rate", 1000000000, &g->rate);
	form_count(f, "size", LIMIT_PACKET_BYTES_MAX, &g->size_bytes);
	form_count(f, "quota", INT64_MAX, &g->quota);
	form_time(f, "from", &g->from_ms);
	form_time(f, "until", &g->until_ms);
	if (g->until_ms && g->until_ms <= g->from_ms)
		form_fault(f, "until", "is not after from");
	form_long_text(f, "purpose", &g->purpose, PURPOSE_BYTES);
	form_long_text(f, "contract", &g->contract, CONTRACT_BYTES);
}

/* ---- writing ---- */

static void write_text(struct buf *b, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	json_write_name(b, name);
	json_write_string(b, span_str(text));
}

/* 0: left out. */
static void write_time(struct buf *b, const char *name, int64_t ms)
{
	if (ms)
		json_write_time_member(b, name, ms);
}

static void write_count(struct buf *b, const char *name, uint64_t n)
{
	if (!n)
		return;
	json_write_name(b, name);
	buf_add_u64(b, n);
}

void organisation_form_write(struct buf *b, const struct organisation_form *o)
{
	buf_add_char(b, '{');
	write_text(b, "name", o->name);
	write_text(b, "title", o->title);
	write_time(b, "ends", o->ends_ms);
	buf_add_char(b, '}');
}

void identity_form_write(struct buf *b, const struct identity_form *i, bool row)
{
	buf_add_char(b, '{');
	write_text(b, "name", i->name);
	write_text(b, "organisation", i->organisation);
	write_text(b, "kind", kinds[i->kind]);
	if (i->kind == IDENTITY_CERTIFICATE)
		write_text(b, "certificate", i->match);
	const char *nl = i->match ? strchr(i->match, '\n') : NULL;
	if (i->kind == IDENTITY_TOKEN && nl) {
		json_write_name(b, "issuer");
		json_write_string(b, span_of(i->match, (size_t)(nl - i->match)));
		write_text(b, "subject", nl + 1);
	}
	if (row)
		write_text(b, "secret", i->secret);
	write_time(b, "ends", i->ends_ms);
	buf_add_char(b, '}');
}

void grant_form_write(struct buf *b, const struct grant_form *g)
{
	bool first = true;
	buf_addf(b, "{\"id\":%" PRIu64, g->id);
	write_text(b, "organisation", g->organisation);
	write_text(b, "identity", g->identity);
	write_text(b, "feed", g->feed);
	write_text(b, "thing", g->thing);
	write_text(b, "area", g->area);
	if (g->area && *g->area)
		write_text(b, "areaCrs", systems[g->area_crs]);
	buf_add_str(b, ",\"rights\":[");
	for (unsigned i = 1; rights[i]; i++)
		if (g->rights & 1u << i) {
			buf_addf(b, "%s\"%s\"", first ? "" : ",", rights[i]);
			first = false;
		}
	buf_add_char(b, ']');
	write_text(b, "state", states[g->state]);
	write_count(b, "rate", g->rate);
	write_count(b, "size", g->size_bytes);
	write_count(b, "quota", g->quota);
	write_time(b, "from", g->from_ms);
	write_time(b, "until", g->until_ms);
	write_text(b, "purpose", g->purpose);
	write_text(b, "contract", g->contract);
	write_time(b, "made", g->made_ms);
	buf_add_char(b, '}');
}

/* ---- of what is in memory ---- */

static void copy_name(char *to, const char *from)
{
	memcpy(to, from, strlen(from) + 1);
}

struct organisation_form organisation_form_of(const struct organisation *o)
{
	struct organisation_form f = {.title = xstrdup(o->title), .ends_ms = o->ends_ms};
	copy_name(f.name, o->name);
	return f;
}

struct identity_form identity_form_of(const struct principal *p)
{
	struct identity_form f = {.kind = p->kind,
	                          .secret = xstrdup(p->secret),
	                          .match = xstrdup(p->match),
	                          .ends_ms = p->ends_ms};
	copy_name(f.name, p->name);
	copy_name(f.organisation, p->organisation->name);
	return f;
}

struct grant_form grant_form_of(const struct grant *g)
{
	struct grant_form f = {.id = g->id,
	                       .rights = g->rights,
	                       .state = g->state,
	                       .rate = g->rate,
	                       .size_bytes = g->size_bytes,
	                       .quota = g->quota,
	                       .from_ms = g->from_ms,
	                       .until_ms = g->until_ms,
	                       .made_ms = g->made_ms,
	                       .purpose = xstrdup(g->purpose),
	                       .contract = xstrdup(g->contract),
	                       .area = xstrdup(g->area_text),
	                       .area_crs = !g->area     ? AREA_UNSAID
	                                   : g->area_rd ? AREA_RD
	                                                : AREA_CRS84};
	copy_name(f.organisation, g->organisation->name);
	copy_name(f.identity, g->identity ? g->identity->name : "");
	copy_name(f.feed, g->feed);
	copy_name(f.thing, g->thing);
	return f;
}

void organisation_write(struct buf *b, const struct organisation *o)
{
	struct organisation_form f = organisation_form_of(o);
	organisation_form_write(b, &f);
	organisation_form_done(&f);
}

void identity_write(struct buf *b, const struct principal *p)
{
	struct identity_form f = identity_form_of(p);
	identity_form_write(b, &f, false);
	b->len -= !b->err; /* the closing brace: whether it may come in now is told too */
	write_time(b, "certificateEnds", p->certificate_ends_ms);
	buf_addf(b, ",\"active\":%s}", p->active ? "true" : "false");
	identity_form_done(&f);
}

void grant_write(struct buf *b, const struct grant *g, int64_t now_ms)
{
	struct grant_form f = grant_form_of(g);
	bool in_force =
	    grant_in_force(g, now_ms) &&
	    (g->identity ? g->identity->active
	                 : !g->organisation->ends_ms || now_ms < g->organisation->ends_ms);
	grant_form_write(b, &f);
	b->len -= !b->err;
	if (g->quota)
		buf_addf(b, ",\"used\":%" PRIu64,
		         g->used_day == now_ms / (86400 * 1000) ? g->used : 0);
	buf_addf(b, ",\"inForce\":%s}", in_force ? "true" : "false");
	grant_form_done(&f);
}
