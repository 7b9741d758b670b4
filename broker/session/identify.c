/* identify.c - who a CONNECT says it is, and what becomes of connections when that changes.
 *
 *   PROOF_NONE --session_identify--> PROOF_DONE (at once), or
 *              PROOF_WAITS --proven--> PROOF_DONE: the CONNECT is read again
 *
 * While it waits nothing is read; the time-out of CONNECT runs on. */
#include "session/private.h"

static enum mqtt_reason reason_of(int err, const char **ret_why)
{
	switch (err) {
	case ERR_SLOW:
		*ret_why = "too many failures: wait a minute";
		return MQTT_CONNECTION_RATE_EXCEEDED;
	case ERR_AGAIN:
		*ret_why = "too many log in at this moment: try again";
		return MQTT_SERVER_BUSY;
	case ERR_NOT_FOUND:
		*ret_why = "who are you? this listener wants a name and a password, a key, a token "
		           "or a certificate";
		return MQTT_NOT_AUTHORIZED;
	default:
		*ret_why = "the name or what proves it is wrong";
		return MQTT_BAD_USER_NAME_OR_PASSWORD;
	}
}

static void proven(void *owner, uint64_t token, int err, const struct identity *who)
{
	struct session *s = session_by_token(owner, token);
	if (!s || s->proof != PROOF_WAITS)
		return; /* it did not wait for it */
	s->proof = PROOF_DONE;
	s->proof_err = err;
	if (!err)
		s->who = *who;
	s->link->ops->resume(s->link);
}

static int begin(struct session *s, const struct mqtt_connect_view *c)
{
	struct sessions *t = s->table;
	const struct link *l = s->link;
	unsigned wait_s;
	struct login_request q = {.address = l->peer,
	                          .name = c->user_name,
	                          .password = c->password,
	                          .has_password = c->has_password,
	                          .ssl = l->ssl,
	                          .trusted = l->trusted,
	                          .known_only = l->known_only};
	return access_login(t->access, &q, proven, t, session_token(s), &s->who, &wait_s);
}

int session_identify(struct session *s, const struct mqtt_connect_view *c)
{
	const char *why;
	if (s->link->shown) {
		s->who = *s->link->shown;
	} else if (s->table->access && s->proof == PROOF_NONE) {
		int err = begin(s, c);
		if (err == 1) {
			s->proof = PROOF_WAITS;
			return ERR_AGAIN;
		}
		s->proof = PROOF_DONE;
		s->proof_err = err;
	}
	if (!s->proof_err) {
		if (s->table->access)
			access_watch(s->table->access, &s->who);
		return 0;
	}
	enum mqtt_reason reason = reason_of(s->proof_err, &why);
	s->table->stats.connects++;
	connect_refuse(s, c->version, reason, why);
	return 1;
}

void sessions_set_access(struct sessions *t, struct access *a)
{
	t->access = a;
}

void sessions_judge(struct sessions *t)
{
	int64_t now_ms = clock_wall_ms(hub_clock(t->hub));
	for (uint32_t i = 0; i < t->n_slots; i++) {
		struct session *s = t->slots[i];
		if (!s || !s->link || s->state == SESSION_NEW)
			continue;
		const char *why = access_lost(&s->who, true, now_ms);
		if (why)
			session_close(s, MQTT_NOT_AUTHORIZED, "%s", why);
		else
			access_watch(t->access, &s->who);
	}
}
