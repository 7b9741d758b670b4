/* places.c - where each subscriber is, for who looks after the broker. */
#include "session/private.h"

static bool tell(const struct session *s, const struct feed *f, uint64_t next,
                 session_place_fn each, void *arg)
{
	if (f->ended || next > f->last)
		return true;
	struct session_place p = {.client_id = s->client_id,
	                          .identity = s->who.name,
	                          .organisation = span_str(s->who.organisation),
	                          .feed = f,
	                          .next = next,
	                          .connected = s->link != NULL};
	return each(arg, &p);
}

static bool tell_session(const struct session *s, session_place_fn each, void *arg)
{
	const struct hub *h = s->table->hub;
	list_for_each (it, &s->lags) {
		const struct lag *l = list_entry(it, struct lag, node);
		if (!tell(s, l->cursor.feed, lag_next(l), each, arg))
			return false;
	}
	for (unsigned i = 0; i < s->n_places; i++)
		for (unsigned k = 0; k < hub_feed_count(h); k++) {
			const struct feed *f = hub_feed_at(h, k);
			if (f->id == s->places[i].feed_id &&
			    !tell(s, f, s->places[i].next, each, arg))
				return false;
		}
	return true;
}

void sessions_each_place(const struct sessions *t, session_place_fn each, void *arg)
{
	for (uint32_t i = 0; i < t->n_slots; i++)
		if (t->slots[i] && t->slots[i]->state != SESSION_DEAD &&
		    !tell_session(t->slots[i], each, arg))
			return;
}
