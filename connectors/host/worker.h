/* worker.h - one connector: its source drives it, record by record, to the target.
 *
 * A source is one function that runs until it is told to stop: it begins documents, feeds bytes,
 * ends them, waits until all is delivered, and only then keeps its position. Whatever happens to a
 * record (stored, refused, not decodable, not mappable) it is counted, and the flow goes on. */
#ifndef HOST_WORKER_H
#define HOST_WORKER_H

#include "base/buf.h"
#include "base/limits.h"
#include "host/config.h"
#include "host/quiet.h"
#include "host/tally.h"

#include <jv.h>
#include <signal.h>

struct worker {
	const struct config *config;
	const struct connector_conf *conf;
	struct tally *tally;
	struct target *target;
	struct mapping *mapping;
	struct decoder *decoder;
	const volatile sig_atomic_t *stopping;
	int lock;       /* of the state, while it runs; -1: none */
	bool once, dry; /* dry: nothing is published and no position kept */
	struct quiet log_record, log_source;

	/* the document */
	jv envelope;
	char origin[LIMIT_ORIGIN_BYTES]; /* of an event of a feed: its id; else empty */
	char behalf[80];                 /* the identity that had sent it; else empty */
	uint64_t record, skip;           /* records seen; how many were delivered before */
	uint32_t crc;                    /* of its bytes: names a record that ends the process */
	/* called after each LIMIT_CONNECT_CHECKPOINT records, all delivered; may be NULL */
	int (*checkpoint)(struct worker *w, uint64_t records, uint64_t offset);
	void *checkpoint_ctx;
};

/* 0, or negative when the mapping does not compile (said on stderr). print: see target.h. */
int worker_init(struct worker *w, const struct config *c, const struct connector_conf *k,
                struct tally *tally, const volatile sig_atomic_t *stopping, FILE *print) MUSTCHECK;
void worker_done(struct worker *w);
/* Runs the source until stopped; with w->once, one round. 0 or negative. */
int worker_run(struct worker *w) MUSTCHECK;

/* Takes envelope over; connector and received are added. skip: records that were delivered. */
void worker_begin(struct worker *w, jv envelope, uint64_t skip, uint64_t offset);
/* 0 or ERR_CLOSED: stopped. What is wrong with the document is counted and ends it. */
int worker_feed(struct worker *w, const void *p, size_t n) MUSTCHECK;
int worker_end(struct worker *w) MUSTCHECK;
/* Begin, feed and end of bytes in memory. */
int worker_document(struct worker *w, jv envelope, const void *p, size_t n) MUSTCHECK;
int worker_deliver(struct worker *w) MUSTCHECK; /* waits until all is answered */

bool worker_stopping(const struct worker *w);
/* Serves the target meanwhile. ERR_CLOSED when stopped. */
int worker_sleep(struct worker *w, int64_t ms) MUSTCHECK;
/* The source failed, in words; or works. */
void worker_source_failed(struct worker *w, const char *fmt, ...) PRINTF(2, 3);
void worker_source_ok(struct worker *w);
/* n records are known to be lost. */
void worker_hole(struct worker *w, uint64_t n, const char *fmt, ...) PRINTF(3, 4);

jv worker_position(struct worker *w) MUSTCHECK; /* an object; invalid: the file is damaged */
int worker_keep(struct worker *w, jv position) MUSTCHECK; /* takes it over; nothing in a dry run */
/* Changes one member of what is kept; takes value over. */
int worker_keep_member(struct worker *w, const char *name, jv value) MUSTCHECK;
char *worker_file(const struct worker *w, const char *end); /* <state-dir>/<name><end>, allocated */

int source_http(struct worker *w) MUSTCHECK;
int source_file(struct worker *w) MUSTCHECK;
int source_mqtt(struct worker *w) MUSTCHECK;
int source_websocket(struct worker *w) MUSTCHECK;
int source_feed(struct worker *w) MUSTCHECK;

#endif
