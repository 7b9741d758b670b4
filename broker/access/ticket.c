/* ticket.c - see ticket.h. A table of fixed size, looked through: a ticket is rare. */
#include "access/ticket.h"

#include "access/secret.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

const struct ticket_rule ticket_rule = {"oudp-ticket.", LIMIT_TICKET_S, LIMIT_TICKETS,
                                        LIMIT_TICKETS_EACH, true};
const struct ticket_rule signin_rule = {"oudp-signin.", LIMIT_SIGNIN_S, LIMIT_SIGNINS,
                                        LIMIT_SIGNINS_EACH, false};

struct ticket {
	uint8_t hash[32];
	int64_t until_ms; /* 0: free */
	struct identity who;
};

struct tickets {
	const struct ticket_rule *rule;
	struct ticket all[];
};

struct tickets *tickets_new(const struct ticket_rule *rule)
{
	struct tickets *t = xcalloc(1, sizeof(*t) + rule->all * sizeof(t->all[0]));
	t->rule = rule;
	return t;
}

void tickets_free(struct tickets *t)
{
	free(t);
}

static bool is_open(const struct ticket *t, int64_t now_ms)
{
	return t->until_ms && now_ms < t->until_ms;
}

int ticket_new(struct tickets *t, const struct identity *who, int64_t now_ms,
               char out[TICKET_BYTES])
{
	char key[SECRET_KEY_BYTES];
	struct ticket *place = NULL;
	unsigned own = 0;
	for (unsigned i = 0; i < t->rule->all; i++) {
		struct ticket *one = &t->all[i];
		if (!is_open(one, now_ms))
			place = one;
		else
			own += one->who.principal == who->principal;
	}
	if (!place || own >= t->rule->each)
		return ERR_AGAIN;
	secret_key_new(key);
	const char *chance = strchr(key, '_') + 1;
	int n = snprintf(out, TICKET_BYTES, "%s%s", t->rule->begin, chance);
	assert(n == TICKET_BYTES - 1);
	secret_wipe(key, sizeof(key));
	secret_sha256(span_str(out), place->hash);
	place->until_ms = now_ms + t->rule->seconds * 1000;
	place->who = *who;
	return 0;
}

static bool begins_as(const struct ticket_rule *rule, struct span text)
{
	size_t n = strlen(rule->begin);
	return text.n > n && memcmp(text.p, rule->begin, n) == 0;
}

bool ticket_looks_like(struct span text)
{
	return begins_as(&ticket_rule, text);
}

static struct ticket *find(struct tickets *t, struct span text)
{
	uint8_t hash[32];
	if (text.n != TICKET_BYTES - 1 || !begins_as(t->rule, text))
		return NULL;
	secret_sha256(text, hash);
	for (unsigned i = 0; i < t->rule->all; i++)
		if (t->all[i].until_ms && secret_same(t->all[i].hash, hash, sizeof(hash)))
			return &t->all[i];
	return NULL;
}

bool ticket_take(struct tickets *t, struct span text, int64_t now_ms, struct identity *ret)
{
	struct ticket *one = find(t, text);
	if (!one || !is_open(one, now_ms))
		return false;
	*ret = one->who;
	bool lost = access_lost(ret, false, now_ms) != NULL;
	if (t->rule->once || lost)
		one->until_ms = 0;
	return !lost;
}

void ticket_end(struct tickets *t, struct span text)
{
	struct ticket *one = find(t, text);
	if (one)
		one->until_ms = 0;
}
