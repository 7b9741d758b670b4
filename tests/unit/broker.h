/* broker.h - a broker without sockets, threads and a clock of its own, for tests: store in a
 * temporary folder, inline runner, fake time, sessions on links whose output is a buffer. Included
 * by one .c per test program. */
#ifndef TESTS_UNIT_BROKER_H
#define TESTS_UNIT_BROKER_H

#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "config/config.h"
#include "feed/hub.h"
#include "ingest/ingest.h"
#include "mqtt/encode.h"
#include "session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct broker {
	char dir[64];
	struct config *config;
	struct catalog *catalog;
	struct clock clock;
	struct store *store;
	struct hub *hub;
	struct ingest *ingest;
	struct sessions *sessions;
	struct job *todo[64]; /* jobs wait here, so that a test decides when the disk answers */
	bool writes[64];      /* of todo: the writer's */
	unsigned n_todo;
	bool hold; /* keep jobs until broker_work() */
	int fatal;
};

struct client {
	struct link link;
	struct broker *broker;
	bool paused, closed;
	size_t sent; /* of link.out: what was not flushed has not arrived */
	unsigned flushes;
};

static void broker_give(void *arg, struct job *j)
{
	struct broker *b = arg;
	assert(b->n_todo < ARRAY_LEN(b->todo));
	b->writes[b->n_todo] = false;
	b->todo[b->n_todo++] = j;
}

static void broker_give_writer(void *arg, struct job *j)
{
	struct broker *b = arg;
	broker_give(b, j);
	b->writes[b->n_todo - 1] = true;
}

static inline void broker_work(struct broker *b)
{
	while (b->n_todo) {
		struct job *j = b->todo[0];
		memmove(b->todo, b->todo + 1, --b->n_todo * sizeof(b->todo[0]));
		memmove(b->writes, b->writes + 1, b->n_todo * sizeof(b->writes[0]));
		j->work(j);
		j->done(j);
	}
}

/* Ends a turn: commits what there is. */
static inline void broker_turn(struct broker *b)
{
	for (int i = 0; i < 50; i++) {
		sessions_flush(b->sessions);
		int ms = hub_turn(b->hub);
		if (ms > 0)
			clock_advance(&b->clock, ms);
		if (ms < 0 && !b->n_todo && hub_idle(b->hub))
			break;
		if (!b->hold)
			broker_work(b);
	}
	sessions_turn(b->sessions);
}

static void broker_record(void *arg, struct feed *f, const struct record *r)
{
	sessions_record(((struct broker *)arg)->sessions, f, r);
}
static void broker_room(void *arg)
{
	sessions_room(((struct broker *)arg)->sessions);
}
static void broker_abandoned(void *arg, struct feed *f, const struct record *r)
{
	ingest_abandoned(((struct broker *)arg)->ingest, f, r);
}
static void broker_fatal(void *arg, int err)
{
	((struct broker *)arg)->fatal = err;
}

static inline void broker_build(struct broker *b)
{
	char why[512] = "";
	struct store_options so = {
	    .dir = b->dir, .map_bytes = 256u << 20, .reserve_bytes = 1 << 20, .feeds_max = 256};
	if (store_open(&so, &b->store, why, sizeof(why))) {
		fprintf(stderr, "store: %s\n", why);
		abort();
	}
	struct hub_options ho = {b->store, &b->clock, {b, broker_give, NULL}};
	struct buf text;
	buf_init(&text, 1 << 16);
	int err = hub_open(&ho, &b->hub);
	err =
	    err ? err : hub_configure(b->hub, b->config, b->catalog, &text); /* opens logs inline */
	err = err ? err : ingest_new(b->hub, &b->ingest);
	err = err ? err : sessions_new(b->hub, b->ingest, &b->sessions);
	if (err) {
		fprintf(stderr, "broker: %s %s\n", err_text(err), buf_str(&text));
		abort();
	}
	buf_done(&text);
	hub_runner_set(b->hub, (struct hub_runner){b, broker_give, broker_give_writer});
	struct hub_hooks hooks = {b,    broker_room, broker_record, broker_abandoned,
	                          NULL, broker_fatal};
	hub_set_hooks(b->hub, &hooks);
}

/* schemas: a directory of more of them, or NULL. */
static inline void broker_open_with(struct broker *b, const char *config_text, const char *schemas)
{
	struct buf errors;
	*b = (struct broker){.clock = clock_fake(1795521600000)}; /* 2026-11-24T12:00:00Z */
	strcpy(b->dir, "/tmp/oudp-test-XXXXXX");
	if (!mkdtemp(b->dir))
		abort();
	buf_init(&errors, 1 << 16);
	int err = config_parse("test.conf", config_text, false, &b->config, &errors);
	const char *dirs[] = {"schemas", schemas, NULL};
	err = err ? err : catalog_load(dirs, &b->catalog, &errors);
	if (err) {
		fprintf(stderr, "%s", buf_str(&errors));
		abort();
	}
	buf_done(&errors);
	broker_build(b);
}

static inline void broker_open(struct broker *b, const char *config_text)
{
	broker_open_with(b, config_text, NULL);
}

static inline void broker_stop(struct broker *b)
{
	b->hold = false;
	broker_turn(b);
	sessions_free(b->sessions);
	broker_work(b);
	ingest_free(b->ingest);
	hub_close(b->hub);
	store_close(b->store);
}

static inline void broker_restart(struct broker *b)
{
	broker_stop(b);
	broker_build(b);
}

/* As by kill -9: what was not committed never happened. A trim must not be under way. */
static inline void broker_kill(struct broker *b)
{
	sessions_free(b->sessions);
	unsigned n = b->n_todo, kept = 0;
	for (unsigned i = 0; i < n; i++)
		if (!b->writes[i])
			b->todo[kept++] = b->todo[i];
	b->n_todo = kept;
	broker_work(b);
	b->n_todo = 0;
	ingest_free(b->ingest);
	hub_close(b->hub);
	store_close(b->store);
	broker_build(b);
}

static inline void broker_close(struct broker *b)
{
	char cmd[128];
	broker_stop(b);
	catalog_free(b->catalog);
	config_free(b->config);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", b->dir);
	if (system(cmd))
		fprintf(stderr, "could not remove %s\n", b->dir);
}

/* ---- clients ---- */

static void client_flush(struct link *l)
{
	struct client *c = container_of(l, struct client, link);
	c->sent = l->out.len;
	c->flushes++;
}
static void client_pause(struct link *l)
{
	container_of(l, struct client, link)->paused = true;
}
static void client_resume(struct link *l)
{
	container_of(l, struct client, link)->paused = false;
}
static void client_close(struct link *l)
{
	container_of(l, struct client, link)->closed = true;
	client_flush(l);
}

static inline void client_open(struct client *c, struct broker *b)
{
	static const struct link_ops ops = {client_flush, client_pause, client_resume,
	                                    client_close};
	*c = (struct client){.broker = b};
	c->link.ops = &ops;
	buf_init(&c->link.out, 64u << 20);
	snprintf(c->link.peer, sizeof(c->link.peer), "test");
	c->link.trusted = true;
	session_open(b->sessions, &c->link);
}

static inline size_t client_send(struct client *c, const struct wire *w)
{
	assert(!w->err);
	return c->link.session ? session_input(c->link.session, w->p, w->len) : 0;
}

/* The next packet the broker sent; false: none. The frame is valid until the next call. */
static inline bool client_next(struct client *c, size_t *at, struct frame *ret)
{
	const uint8_t *p = (const uint8_t *)c->link.out.p + *at;
	if (frame_next(p, c->sent - *at, 16u << 20, ret))
		return false;
	*at += ret->total;
	return true;
}

static inline void client_clear(struct client *c)
{
	buf_clear(&c->link.out);
	c->sent = 0;
}

static inline void client_done(struct client *c)
{
	if (c->link.session)
		session_gone(c->link.session);
	sessions_turn(c->broker->sessions);
	buf_done(&c->link.out);
}

static inline void client_connect(struct client *c, struct broker *b, enum mqtt_version v,
                                  const char *id)
{
	uint8_t mem[512];
	struct wire w = wire_of(mem, sizeof(mem));
	struct mqtt_connect_view cv = {
	    .version = v, .clean_start = true, .client_id = span_str(id)};
	client_open(c, b);
	mqtt_encode_connect(&w, &cv);
	client_send(c, &w);
	client_clear(c);
}

/* A message as from a client, without one. ERR_AGAIN as ingest_publish() has it. */
static inline int broker_put(struct broker *b, const char *topic, const char *payload,
                             void (*done)(const struct answer *a, int err))
{
	struct identity who = access_anonymous(b->config, true);
	struct ingest_message m = {.who = &who,
	                           .publisher = SPAN("p"),
	                           .topic = span_str(topic),
	                           .payload = span_str(payload),
	                           .qos = 1,
	                           .answer = {.done = done}};
	return ingest_publish(b->ingest, &m);
}

static inline size_t client_publish_as(struct client *c, enum mqtt_version v, const char *topic,
                                       const char *payload, unsigned qos, uint16_t id, bool dup)
{
	uint8_t mem[4096];
	struct wire w = wire_of(mem, sizeof(mem));
	struct mqtt_publish_out m = {.topic = span_str(topic),
	                             .payload = span_str(payload),
	                             .qos = (uint8_t)qos,
	                             .packet_id = id,
	                             .dup = dup};
	mqtt_encode_publish(&w, v, &m);
	return client_send(c, &w);
}

static inline size_t client_publish(struct client *c, const char *topic, const char *payload,
                                    unsigned qos, uint16_t id)
{
	return client_publish_as(c, MQTT_V5, topic, payload, qos, id, false);
}

static inline void client_subscribe(struct client *c, enum mqtt_version v, const char *filter,
                                    unsigned qos)
{
	uint8_t mem[512];
	struct wire w = wire_of(mem, sizeof(mem));
	struct mqtt_subscription s = {.filter = span_str(filter), .qos = (uint8_t)qos};
	mqtt_encode_subscribe(&w, v, 1, &s, 1, NULL);
	client_send(c, &w);
	client_clear(c);
}

#endif
