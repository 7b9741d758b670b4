/* bench.h - the load generator's insides, between bench.c (options, report) and bench_load.c
 * (work).
 *
 * One thread, epoll, plain sockets, our own codec. Publishers keep a window of messages in flight;
 * at a given rate messages are due at fixed times and latency counts from there, so that a stall is
 * not hidden by not sending. Subscribers count what comes and, where the payload has "_ns":N,
 * how long it took. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "cli/cli.h"
#include "cli/hist.h"
#include "cli/template.h"
#include "mqtt/encode.h"
#include "mqtt/packet.h"

enum {
	BENCH_CONNECTIONS_MAX = 20000,
	BENCH_WINDOW_MAX = 65535,
	BENCH_DRAIN_S = 10,
	BENCH_OUT_BYTES = 512 << 10,
	BENCH_PACKET_BYTES = 16 << 20
};

struct bench_conn {
	int fd;
	uint32_t index;
	bool subscriber, want_out, down;
	uint32_t window, n_free;
	uint16_t *free_ids; /* a stack of n_free */
	uint64_t *since_ns; /* by packet id: sent, or due */
	uint64_t next_thing;
	uint8_t *out, *in;
	size_t out_len, out_at, in_len, in_cap;
};

struct bench {
	struct cli *cli;
	/* options */
	const char *host, *filter, *client_id;
	uint64_t port, connections, window, qos, seconds, warm_s, rate, version, subs, sub_qos,
	    things, pid;
	struct template topic, payload;
	/* at work */
	int epoll;
	struct bench_conn *conn; /* publishers, then subscribers */
	uint32_t n_conn, next_conn;
	uint64_t begin_ns, from_ns, until_ns; /* measured: from .. until */
	uint64_t seq, sent_paced;
	bool stopping;
	char *scratch; /* topic and payload of one message */
	size_t topic_max;
	/* results; "measured" ones within from .. until */
	uint64_t sent, answered, taken, lost, received;
	uint64_t measured_sent, measured_taken, measured_received;
	uint64_t refused[256];
	struct hist ack, deliver;
	double cpu_s, server_cpu_s; /* within the measured time; server: of pid */
	char reason[160];           /* the first refusal in words */
};

/* Publishers and subscribers, up to their CONNACK and SUBACK; on b->epoll. 0 or CLI_TROUBLE (told).
 */
int bench_connect(struct bench *b) MUSTCHECK;
/* Takes n bytes from the front of what was read. */
void bench_consume(struct bench_conn *c, size_t n);

/* Connects everything, loads, waits for answers that are out. 0 or CLI_TROUBLE (told). */
int bench_run(struct bench *b) MUSTCHECK;

#endif
