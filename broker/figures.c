/* figures.c - what the faces show of the whole: gathered from the rooms when somebody asks. */
#include "daemon.h"

#include "access/audit.h"
#include "access/book.h"
#include "access/login.h"
#include "net/loop.h"
#include "net/tcp.h"
#include "session/session.h"
#include "status/silence.h"
#include "web/web.h"

void figures_outside(void *arg, struct status_outside *o)
{
	struct daemon *d = arg;
	const struct sessions_stats *s = sessions_stats(d->sessions);
	const struct web_stats *w = web_stats(d->web);
	o->mqtt_connections = tcp_stats(d->tcp)->open + w->mqtt_connections;
	o->tls_connections = tcp_stats(d->tcp)->tls_open;
	struct access_certificates k = access_certificates(d->access);
	o->client_certificates = k.known;
	o->client_certificates_ending = k.ending;
	o->client_ends_ms = k.soonest ? k.soonest->certificate_ends_ms : 0;
	o->client_identity = k.soonest ? k.soonest->name : NULL;
	o->tls_failed = tcp_stats(d->tcp)->tls_failed;
	o->sessions = s->connected;
	o->sessions_most = s->connected_most;
	o->subscriptions = s->subscriptions;
	o->shared_subscriptions = s->shared_subscriptions;
	o->shares = s->shares;
	o->mqtt_bytes_in = tcp_stats(d->tcp)->bytes_in + w->mqtt_bytes_in;
	o->mqtt_bytes_out = tcp_stats(d->tcp)->bytes_out + w->mqtt_bytes_out;
	o->mqtt_published = s->published;
	o->mqtt_published_bytes = s->published_bytes;
	o->mqtt_delivered_bytes = s->delivered_bytes;
	o->mqtt_dropped = s->dropped_large + s->own_dropped;
	o->sessions_away = s->away;
	o->backlog = sessions_backlog(d->sessions);
	o->mqtt_delivered = s->delivered;
	o->refused_connections = tcp_stats(d->tcp)->refused + w->refused_connections;
	const struct login_stats *l = login_stats(d->access);
	o->logins_failed = l->failed;
	o->logins_slowed = l->slowed;
	o->logins_busy = l->busy;
	o->audit_lines = audit_stats(access_audit(d->access))->written;
	o->audit_dropped = audit_stats(access_audit(d->access))->dropped;
	o->http_connections = w->http_connections;
	o->websocket_connections = w->websockets;
	o->stream_connections = w->streams;
	o->web_delivered = w->events_sent;
	o->http_requests = w->requests;
	o->http_4xx = w->responses_4xx;
	o->http_5xx = w->responses_5xx;
	o->web_frame_bytes = w->frame_bytes;
	o->slow_closed = w->slow_closed;
	const struct silence_stats a = silence_stats(d->silence);
	o->things_silent = a.silent;
	o->alerts = a.told;
	o->alert_commands = a.commands;
	o->alert_failures = a.command_failures;
	o->alerts_left_out = a.commands_left_out;
	o->loop_turns = loop_turns(d->loop);
	o->draining = d->phase != RUNNING;
}

bool figures_ready(void *arg, const char **ret_why)
{
	struct daemon *d = arg;
	if (d->phase != RUNNING) {
		*ret_why = "the server stops";
		return false;
	}
	return status_ready(d->status, ret_why);
}

void figures_metrics(void *arg, struct buf *b)
{
	status_write_metrics(((struct daemon *)arg)->status, b);
}
void figures_status(void *arg, struct buf *b)
{
	status_write_json(((struct daemon *)arg)->status, b);
}
void figures_feed(void *arg, const struct feed *f, struct buf *b)
{
	status_write_feed(((struct daemon *)arg)->status, f, b);
}
