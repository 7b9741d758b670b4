/* event.h - a record as a CloudEvent in JSON (structured mode), NL GOV profile 1.1. Pure.
 *
 * id = feed:epoch:sequence, source = urn:nld:oin:<oin>:systeem:<system>, type =
 * nl.<domain>.<schema>.v<version>, subject = thing, time = storedTime, observedtime =
 * phenomenonTime, sequence (decimal string) with sequencetype Integer, data (the payload as it is
 * when it is JSON) or data_base64. */
#ifndef FEED_EVENT_H
#define FEED_EVENT_H

#include "base/buf.h"
#include "feed/cursor.h"

/* What does not change from record to record. base_url: "http://host:8080", for dataschema; no
 * trailing slash. */
struct event_context {
	struct span oin, system, domain, base_url;
};

void event_write(struct buf *b, const struct event_context *e, const struct feed *f,
                 const struct record *r);
/* The same, and extension attributes topic, the MQTT topic it came on, and of a raw
 * feed identity, who sent it (sender.h). */
void event_write_with_topic(struct buf *b, const struct event_context *e, const struct feed *f,
                            const struct record *r);

/* Control events: with an id, without a sequence. */
void event_write_live(struct buf *b, const struct event_context *e, const struct feed *f,
                      int64_t now_ms);
void event_write_gap(struct buf *b, const struct event_context *e, const struct feed *f,
                     uint64_t from, uint64_t to, enum cursor_gap why, int64_t now_ms);
/* How far a filtered cursor has examined: position = feed:epoch:sequence. */
void event_write_position(struct buf *b, const struct event_context *e, const struct feed *f,
                          uint64_t examined, int64_t now_ms);

/* Of a thing that was erased: so many of its records are tombstones now. thing n == 0: it is not
 * known which, for this is done again after a restore. */
void event_write_erased(struct buf *b, const struct event_context *e, const struct feed *f,
                        struct span organisation, struct span thing, uint64_t records,
                        int64_t now_ms);

/* Observations of a thing in the series were corrected, flagged or rejected. from_ms, to_ms:
 * observed time, half open. member n == 0: all of its properties. */
struct event_corrected {
	const char *what; /* "correct", "flag", "reject" */
	uint64_t id;      /* of the correction */
	struct span organisation, thing, member, reason;
	int64_t from_ms, to_ms;
	double factor, offset; /* correct */
	uint64_t observations;
};
void event_write_corrected(struct buf *b, const struct event_context *e, const struct feed *f,
                           const struct event_corrected *c, int64_t now_ms);

/* Reads "SEQ" or "EPOCH:SEQ" or "feed:EPOCH:SEQ" (an event id). epoch 0: none was given. */
int event_parse_position(struct span s, uint32_t *ret_epoch, uint64_t *ret_sequence) MUSTCHECK;

#endif
