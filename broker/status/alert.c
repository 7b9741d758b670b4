/* alert.c - see alert.h. */
#include "status/alert.h"

#include "base/limits.h"
#include "base/log.h"

#include <stdio.h>

static void answered(const struct answer *a, int err)
{
	struct alerts *s = a->owner;
	s->in_flight--;
	if (err)
		log_warn("An alert could not be stored. err=%d", err);
	else if (a->verdict != VERDICT_STORED && a->verdict != VERDICT_DUPLICATE)
		log_warn("An alert was refused by its feed: is there a feed " ALERT_FEED
		         " with a topic oudp/alerts/{thing}? reason=\"%s\"",
		         a->reason ? a->reason : "");
}

bool alert_send(struct alerts *a, const struct alert *x)
{
	char topic[LIMIT_TOPIC_BYTES + 1];
	struct identity who = access_administrator(hub_config(a->hub));
	int n = snprintf(topic, sizeof(topic), "oudp/alerts/%.*s", (int)x->thing.n, x->thing.p);
	if (n < 0 || (size_t)n >= sizeof(topic))
		return true;
	const struct ingest_message m = {.who = &who,
	                                 .publisher = SPAN("oudpd"),
	                                 .topic = span_of(topic, (size_t)n),
	                                 .payload = x->body,
	                                 .qos = 1,
	                                 .protocol = QUARANTINE_HTTP,
	                                 .answer = {.done = answered, .owner = a, .qos = 1}};
	if (ingest_publish(a->ingest, &m))
		return false;
	a->in_flight++;
	a->told++;
	if (x->word)
		alert_command_put(a->command, hub_config(a->hub)->alert_command, x->word, x->feed,
		                  x->thing, x->time, x->message);
	return true;
}
