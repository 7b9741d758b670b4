/* daemon.h - all rooms of one oudpd, for main.c, which puts them together, and figures.c. */
#ifndef DAEMON_H
#define DAEMON_H

#include "base/clock.h"
#include "base/compiler.h"
#include "config/arguments.h"
#include "status/status.h"

struct daemon {
	struct arguments arguments;
	struct config *config;
	struct catalog *catalog;
	struct tls_set *tls;
	struct clock clock;
	struct store *store;
	struct side *side;
	struct loop *loop;
	struct hub *hub;
	struct things *things;
	struct entities *entities;
	struct eraser *eraser;
	struct series *series;
	struct promises *promises;
	struct access *access;
	struct ending *ending;
	struct silence *silence;
	struct ingest *ingest;
	struct sessions *sessions;
	struct tcp *tcp;
	struct addresses *addresses;
	struct web *web;
	struct status *status;
	enum { RUNNING, ANSWERING, CLOSING } phase;
	uint64_t phase_until_ns, versions_told_ns;
	int ready_fd; /* tells the parent; -1 in the foreground */
};

/* ---- figures.c; arg: struct daemon ---- */
void figures_outside(void *arg, struct status_outside *ret); /* what status does not see itself */
bool figures_ready(void *arg, const char **ret_why);
void figures_metrics(void *arg, struct buf *b);
void figures_status(void *arg, struct buf *b);
void figures_feed(void *arg, const struct feed *f, struct buf *b);

#endif
