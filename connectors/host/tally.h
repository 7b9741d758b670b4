/* tally.h - what one connector has done, in memory that its process shares with the parent.
 *
 * The connector's process writes, the parent reads it for metrics and readiness; it outlives the
 * process, so that counters go on after a restart and a record that ended the process twice is
 * known. Numbers only; texts are for the log. */
#ifndef HOST_TALLY_H
#define HOST_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

enum tally_refusal {
	REFUSED_SCHEMA,  /* 0x99 */
	REFUSED_TOPIC,   /* 0x90 */
	REFUSED_DENIED,  /* 0x87 */
	REFUSED_LARGE,   /* 0x95, or larger than the broker takes at all */
	REFUSED_QUOTA,   /* 0x97 */
	REFUSED_MAPPING, /* the mapping said so */
	REFUSED_OTHER,
	REFUSED_KINDS
};

struct tally {
	_Atomic uint64_t documents, bytes, records; /* fetched; decoded */
	_Atomic uint64_t published, stored, duplicates, refused[REFUSED_KINDS];
	_Atomic uint64_t ignored;     /* records that the mapping made nothing of, or said so */
	_Atomic uint64_t unmappable;  /* the mapping ended with an error */
	_Atomic uint64_t undecodable; /* documents or records that are not what the decoder reads */
	_Atomic uint64_t unchanged;   /* polls answered with 304 or the same bytes */
	_Atomic uint64_t source_failures, target_failures;
	_Atomic uint64_t holes;    /* known to be lost: gaps of a feed, polls missed, QoS 0 */
	_Atomic uint64_t restarts; /* of the process */
	_Atomic int64_t last_stored_ms, last_fetched_ms; /* 0: never */
	_Atomic int64_t lag_ms;   /* from receipt to mapping, of the last document */
	_Atomic uint64_t spooled; /* bytes that wait on disk */
	_Atomic int target_up;    /* the broker has answered CONNECT */
	_Atomic int source_ok;    /* the last attempt at the source succeeded */
	_Atomic int in_flight;    /* published and not answered */
	_Atomic int done;         /* ended by itself: --once */
	_Atomic uint64_t work;    /* the record being mapped; 0: none */
	_Atomic uint64_t poison;  /* the record that ended the process last */
	_Atomic int crashes;      /* and how often */
};

#define TALLY_ADD(t, member, n) atomic_fetch_add_explicit(&(t)->member, (n), memory_order_relaxed)
#define TALLY_SET(t, member, v) atomic_store_explicit(&(t)->member, (v), memory_order_relaxed)
#define TALLY_GET(t, member)    atomic_load_explicit(&(t)->member, memory_order_relaxed)

#endif
