/* alias.c - see alias.h. Outbound, the first topics get the aliases and keep them: a subscriber
 * that sees few topics gains by every message, one that sees many loses nothing. */
#include "session/alias.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>

struct aliases {
	struct span in[LIMIT_TOPIC_ALIASES + 1]; /* by alias; p is ours */
	struct map out;                          /* topic -> alias */
};

static struct aliases *made(struct aliases **a)
{
	if (!*a) {
		*a = xcalloc(1, sizeof(**a));
		map_init(&(*a)->out);
	}
	return *a;
}

void aliases_free(struct aliases *a)
{
	if (!a)
		return;
	for (unsigned i = 0; i <= LIMIT_TOPIC_ALIASES; i++)
		free((char *)a->in[i].p);
	map_done(&a->out);
	free(a);
}

int aliases_in(struct aliases **a, uint16_t alias, struct span *topic)
{
	assert(alias != 0);              /* [MQTT-3.3.2-8]: the decoder saw to it */
	if (alias > LIMIT_TOPIC_ALIASES) /* [MQTT-3.3.2-9] */
		return ERR_TOO_LARGE;
	if (!topic->n) {
		if (!*a || !(*a)->in[alias].n)
			return ERR_NOT_FOUND;
		*topic = (*a)->in[alias];
		return 0;
	}
	struct span *one = &made(a)->in[alias];
	if (!span_eq(*one, *topic)) {
		free((char *)one->p);
		*one = span_of(xstrndup(topic->p, topic->n), topic->n);
	}
	return 0;
}

uint16_t aliases_out(struct aliases **a, uint16_t max, struct span topic, bool *ret_known)
{
	struct map *m = &made(a)->out;
	uint16_t alias = (uint16_t)(uintptr_t)map_get(m, topic);
	*ret_known = alias != 0;
	if (alias)
		return alias;
	/* [MQTT-3.3.2-11], [MQTT-3.1.2-26] */
	unsigned most = MIN_OF((unsigned)max, (unsigned)LIMIT_TOPIC_ALIASES_OUT);
	return m->n < most ? (uint16_t)(m->n + 1) : 0;
}

void aliases_sent(struct aliases *a, uint16_t alias, struct span topic)
{
	assert(a && alias == a->out.n + 1);
	map_set(&a->out, topic, (void *)(uintptr_t)alias);
}
