/* tcp.h - MQTT over TCP: listeners and connections on libuv streams. A connection owns a receive
 * buffer only while a packet is incomplete or reading is paused, and a send buffer; what was not
 * taken by the kernel at once is written later. With TLS the session's bytes become ciphertext at
 * the flush, once a turn; handshakes take turns, so that a herd of them does not hold up messages.
 * The time a session has for its CONNECT is that of the handshake too. */
#ifndef NET_TCP_H
#define NET_TCP_H

#include "access/addresses.h"
#include "access/tls.h"
#include "config/config.h"
#include "net/loop.h"
#include "session/session.h"

struct tcp;

/* h: whose configuration says how many connections one address may have. */
int tcp_new(struct loop *l, const struct hub *h, struct sessions *sessions,
            struct addresses *addresses, unsigned connections_max, struct tcp **ret) MUSTCHECK;
/* 0, or -errno with a sentence in why. tls: NULL for a plain listener; else it outlives t. */
int tcp_listen(struct tcp *t, const struct config_listener *c, struct tls *tls,
               struct buf *why) MUSTCHECK;
void tcp_turn(struct tcp *t); /* end of a turn: writes what sessions left, resumes who was paused */
void tcp_second(struct tcp *t); /* cuts peers that do not take their goodbye */
void tcp_stop_listening(struct tcp *t);
bool tcp_busy(const struct tcp *t); /* handshakes wait for the next turn: do not sleep */
bool tcp_idle(const struct tcp *t); /* no connection is open */
/* Closes what is open. The loop must run once more before tcp_free(), which loop_free() sees to. */
void tcp_close(struct tcp *t);
void tcp_free(struct tcp *t); /* after loop_free() */

struct tcp_stats {
	uint64_t open, accepted, refused, bytes_in, bytes_out;
	uint64_t tls_open;   /* of those open */
	uint64_t tls_failed; /* handshakes that did not come about, and broken TLS later on */
};
const struct tcp_stats *tcp_stats(const struct tcp *t);

#endif
