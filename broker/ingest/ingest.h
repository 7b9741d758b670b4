/* ingest.h - admission: one message, whoever brings it, becomes a record, a quarantine row, or an
 * answer.
 *
 *   which feed? -> may this identity? -> size -> JSON and schema -> time window -> duplicate? ->
 * record -> batch
 *
 * The verdict is never given at once: an answer joins the batch, so that it leaves after the commit
 * and in the order of its connection. Loop thread only. No allocation per message. */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "access/access.h"
#include "feed/hub.h"
#include "feed/quarantine.h"
#include "register/register.h"
#include "schema/schema.h"

enum verdict_code { /* what became of a message; design 3.2 */
	            VERDICT_STORED = 1,
	            VERDICT_DUPLICATE, /* answer.sequence: of the record it repeats */
	            VERDICT_REFUSED,   /* does not fit: in the feed's quarantine, reason says why */
	            VERDICT_UNROUTED,  /* no feed takes the topic: in the unrouted quarantine */
	            VERDICT_DENIED,
	            VERDICT_TOO_LARGE, /* for its grant */
	            VERDICT_QUOTA,     /* the grant's messages of today are used up */
	            VERDICT_CLEARED    /* empty retained payload */
};

struct ingest;

struct ingest_message {
	const struct identity *who;
	struct span publisher; /* client id, or "http" */
	struct span topic, payload;
	struct span properties; /* MQTT 5 publish properties as a record keeps them, or empty */
	uint32_t expiry_s;      /* message expiry interval from now; 0: none */
	uint8_t qos;
	uint8_t protocol; /* enum quarantine_protocol */
	bool retain, utf8;
	bool no_answer;       /* QoS 0: no answer joins the batch */
	bool tell_topic;      /* an answer other than stored carries the topic */
	struct span origin;   /* and this: the record it was mapped from, or empty */
	struct span behalf;   /* identity on whose behalf it is published, or empty: behalf.h */
	uint8_t *ret_verdict; /* NULL, or where the verdict is put at once (enum verdict_code): not
	                         true before the commit */
	/* Messages that are kept together or not at all are tried first: a trial that fits says
	 * VERDICT_STORED in *ret_verdict and leaves nothing behind, no answer either; one that does
	 * not is refused as ever. Spent: a trial has charged the grant. */
	bool trial, spent;
	/* retry of a quarantined message */
	uint64_t quarantine_id; /* != 0: the row to remove when it is stored; when refused again it
	                           stays */
	uint32_t quarantine_feed;
	int64_t received_ms;  /* != 0: when it first came */
	bool time_received;   /* take received_ms as phenomenonTime */
	struct answer answer; /* done, owner, token, packet_id, qos of the caller */
};

int ingest_new(struct hub *h, struct ingest **ret) MUSTCHECK;
void ingest_free(struct ingest *in);
struct audit;
void ingest_set_audit(struct ingest *in, struct audit *a); /* who is refused is told there */
struct access;
void ingest_set_access(struct ingest *in, const struct access *a); /* of those with a name */
/* The register that feeds with registration = required ask; without it they refuse everything. */
void ingest_set_things(struct ingest *in, const struct things *t);

/* 0: it is in the batch and the answer will come. ERR_AGAIN: no room now; nothing happened, ask
 * again when the hub's room hook has called. ERR_SLOW: faster than its grant; nothing happened, ask
 * again in a second. Never anything else. */
int ingest_publish(struct ingest *in, const struct ingest_message *m) MUSTCHECK;

/* For faces that list all violations at once: validates without storing; fills at most max verdicts
 * and returns how many (0: it fits, or the feed takes anything). feed is where the topic leads. */
unsigned ingest_explain(struct ingest *in, const struct feed *f, struct span payload,
                        struct verdict *ret, unsigned max);

/* For the hub's abandoned hook: the record never happened. */
void ingest_abandoned(struct ingest *in, struct feed *f, const struct record *r);

struct refusals;
struct refusals *ingest_refusals(struct ingest *in); /* refusals.h */

struct erasure;
void ingest_erased(struct ingest *in, const struct erasure *e); /* a thing was erased */

struct ingest_stats {
	uint64_t received, duplicates, refused, unrouted, denied, cleared, bytes;
};
const struct ingest_stats *ingest_stats(const struct ingest *in);

#endif
