/* tcp.h - MQTT over TCP: listeners and connections on libuv streams. A connection owns a receive
 * buffer only while a packet is incomplete or reading is paused, and a send buffer; what was not
 * taken by the kernel at once is written later. TLS comes in between here. */
#ifndef NET_TCP_H
#define NET_TCP_H

#include "config/config.h"
#include "net/loop.h"
#include "session/session.h"

struct tcp;

int tcp_new(struct loop *l, struct sessions *sessions, unsigned connections_max,
            struct tcp **ret) MUSTCHECK;
/* 0, or -errno with a sentence in why. */
int tcp_listen(struct tcp *t, const struct config_listener *c, struct buf *why) MUSTCHECK;
void tcp_turn(struct tcp *t); /* end of a turn: writes what sessions left, resumes who was paused */
void tcp_second(struct tcp *t); /* cuts peers that do not take their goodbye */
void tcp_stop_listening(struct tcp *t);
bool tcp_idle(const struct tcp *t); /* no connection is open */
/* Closes what is open. The loop must run once more before tcp_free(), which loop_free() sees to. */
void tcp_close(struct tcp *t);
void tcp_free(struct tcp *t); /* after loop_free() */

struct tcp_stats {
	uint64_t open, accepted, refused, bytes_in, bytes_out;
};
const struct tcp_stats *tcp_stats(const struct tcp *t);

#endif
