/* fit.c - see fit.h. Versions that have ended are tried only for the words of a refusal. */
#include "ingest/fit.h"

#include "base/err.h"
#include "base/rfc3339.h"

#include <assert.h>
#include <stdio.h>

enum { NO_SCHEMA = FEED_SCHEMAS_MAX };

/* The schema whose version is named, when the feed has it. */
static unsigned with_version(const struct feed *f, uint64_t n)
{
	for (unsigned i = 0; i < f->n_schemas; i++)
		if (schema_version(f->schemas[i]) == n && schema_has_role_version(f->schemas[i]))
			return i;
	return NO_SCHEMA;
}

static unsigned own_version(const struct feed *f, struct span version)
{
	uint64_t n;
	return version.n == 0 || span_to_u64(version, &n) ? NO_SCHEMA : with_version(f, n);
}

/* The same of a payload that fits none: which one was meant? */
static unsigned meant_version(const struct feed *f, const struct schema_scratch *s)
{
	uint64_t n;
	for (unsigned i = 0; i < f->n_schemas; i++)
		if (schema_own_version(f->schemas[i], s, &n) && with_version(f, n) == i)
			return i;
	return NO_SCHEMA;
}

/* It fits a version that is no longer taken: says until when, and what is taken. */
static int say_ended(struct verdict *v, const struct feed *f, unsigned i, int64_t now_ms)
{
	char when[RFC3339_BYTES];
	const char *id = schema_id(f->schemas[i]);
	unsigned next = 0;
	while (next < f->n_schemas && hub_version_ended(f, next, now_ms))
		next++;
	*v = (struct verdict){.rule = "until"};
	snprintf(v->schema, sizeof(v->schema), "%s", id);
	rfc3339_format(f->versions[f->slot[i]].until_ms, when);
	snprintf(v->text, sizeof(v->text), "%s: /: this version was taken until %.*s; %s%s", id,
	         RFC3339_BYTES, when, next < f->n_schemas ? "send " : "none is taken now",
	         next < f->n_schemas ? schema_id(f->schemas[next]) : "");
	return ERR_INVALID;
}

/* Which schema's verdict tells most of a payload that fits none that is taken: the version that it
 * names, else one that it fits and that has ended, else the first that is taken. */
static unsigned most_telling(const struct fit *t, const struct feed *f, int64_t now_ms)
{
	struct verdict v;
	unsigned first = NO_SCHEMA, meant = meant_version(f, t->scratch);
	if (meant != NO_SCHEMA)
		return meant;
	for (unsigned i = f->n_schemas; i-- > 0;) {
		if (!hub_version_ended(f, i, now_ms))
			first = i;
		else if (schema_check(f->schemas[i], t->scratch, NULL, &v) == 0)
			return i;
	}
	return first == NO_SCHEMA ? 0 : first;
}

static int unfit(const struct fit *t, const struct feed *f, int64_t now_ms)
{
	unsigned i = most_telling(t, f, now_ms);
	if (hub_version_ended(f, i, now_ms))
		return say_ended(t->verdict, f, i, now_ms);
	int err = schema_check(f->schemas[i], t->scratch, t->extract, t->verdict);
	assert(err); /* it was tried before */
	return err;
}

int fit(const struct fit *t, const struct feed *f, struct span payload, int64_t now_ms,
        const struct schema **ret)
{
	int err = schema_parse(t->scratch, payload, t->verdict);
	if (err)
		return err;
	for (unsigned i = 0; i < f->n_schemas; i++) {
		if (hub_version_ended(f, i, now_ms) ||
		    schema_check(f->schemas[i], t->scratch, t->extract, t->verdict))
			continue;
		unsigned own = own_version(f, t->extract->version);
		if (own == NO_SCHEMA)
			own = i;
		if (own != i && hub_version_ended(f, own, now_ms))
			return say_ended(t->verdict, f, own, now_ms);
		if (own != i && schema_check(f->schemas[own], t->scratch, t->extract, t->verdict))
			return ERR_INVALID;
		*ret = f->schemas[own];
		return 0;
	}
	return unfit(t, f, now_ms);
}

unsigned fit_errors(const struct fit *t, const struct feed *f, struct span payload, int64_t now_ms,
                    struct verdict *ret, unsigned max)
{
	if (schema_parse(t->scratch, payload, &ret[0]))
		return 1;
	for (unsigned i = 0; i < f->n_schemas; i++)
		if (!hub_version_ended(f, i, now_ms) &&
		    schema_check(f->schemas[i], t->scratch, NULL, t->verdict) == 0)
			return 0;
	unsigned i = most_telling(t, f, now_ms);
	if (!hub_version_ended(f, i, now_ms))
		return schema_errors(f->schemas[i], t->scratch, ret, max);
	(void)say_ended(&ret[0], f, i, now_ms);
	return 1;
}
