/* ticket.c - see ticket.h. A table of fixed size, looked through: a ticket is rare. */
#include "access/ticket.h"

#include "access/secret.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

#include <stdlib.h>

static const char begin[] = "oudp-ticket.";

struct ticket {
	uint8_t hash[32];
	int64_t until_ms; /* 0: free */
	struct identity who;
};

struct tickets {
	struct ticket all[LIMIT_TICKETS];
};

struct tickets *tickets_new(void)
{
	return xcalloc(1, sizeof(struct tickets));
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
	for (unsigned i = 0; i < LIMIT_TICKETS; i++) {
		struct ticket *one = &t->all[i];
		if (!is_open(one, now_ms))
			place = one;
		else
			own += one->who.principal == who->principal;
	}
	if (!place || own >= LIMIT_TICKETS_EACH)
		return ERR_AGAIN;
	secret_key_new(key);
	const char *chance = strchr(key, '_') + 1;
	assert(sizeof(begin) + strlen(chance) == TICKET_BYTES);
	memcpy(out, begin, sizeof(begin) - 1);
	memcpy(out + sizeof(begin) - 1, chance, strlen(chance) + 1);
	secret_wipe(key, sizeof(key));
	secret_sha256(span_str(out), place->hash);
	place->until_ms = now_ms + LIMIT_TICKET_S * 1000;
	place->who = *who;
	return 0;
}

bool ticket_looks_like(struct span text)
{
	return text.n > sizeof(begin) - 1 && memcmp(text.p, begin, sizeof(begin) - 1) == 0;
}

bool ticket_take(struct tickets *t, struct span text, int64_t now_ms, struct identity *ret)
{
	uint8_t hash[32];
	if (text.n != TICKET_BYTES - 1 || !ticket_looks_like(text))
		return false;
	secret_sha256(text, hash);
	for (unsigned i = 0; i < LIMIT_TICKETS; i++) {
		struct ticket *one = &t->all[i];
		if (!is_open(one, now_ms) || !secret_same(one->hash, hash, sizeof(hash)))
			continue;
		one->until_ms = 0;
		*ret = one->who;
		return !access_lost(ret, false, now_ms);
	}
	return false;
}
