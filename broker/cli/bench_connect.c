/* bench_connect.c - connections of `oudp bench`: opened one after the other, each waited for. */
#include "cli/bench.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_BYTES = 128 << 10, HANDSHAKE_MS = 15000 };

static int open_socket(struct bench *b, const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	if (fd < 0) {
		cli_trouble(b->cli, "no socket: %s (ulimit -n?)", strerror(errno));
		return -1;
	}
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
		cli_trouble(b->cli, "is a broker running? %s:%llu: %s", b->host,
		            (unsigned long long)b->port, strerror(errno));
		close(fd);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

static int write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
		struct pollfd pf = {.fd = fd, .events = POLLOUT};
		if (k < 0 && errno == EAGAIN && poll(&pf, 1, HANDSHAKE_MS) > 0)
			continue;
		if (k <= 0)
			return -errno;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

/* The next packet of the handshake; what follows it stays in c->in. */
static int await(struct bench_conn *c, enum mqtt_type type, struct frame *ret)
{
	for (;;) {
		if (frame_next(c->in, c->in_len, BENCH_PACKET_BYTES, ret) == 0)
			return frame_type(ret) == type ? 0 : ERR_PROTOCOL;
		struct pollfd pf = {.fd = c->fd, .events = POLLIN};
		if (c->in_len == c->in_cap || poll(&pf, 1, HANDSHAKE_MS) <= 0)
			return -ETIMEDOUT;
		ssize_t n = read(c->fd, c->in + c->in_len, c->in_cap - c->in_len);
		if (n <= 0)
			return ERR_CLOSED;
		c->in_len += (size_t)n;
	}
}

void bench_consume(struct bench_conn *c, size_t n)
{
	memmove(c->in, c->in + n, c->in_len - n);
	c->in_len -= n;
}

static int subscribe(struct bench *b, struct bench_conn *c, struct wire *w)
{
	struct frame f;
	struct mqtt_suback_view ack;
	enum mqtt_reason reason;
	const struct mqtt_subscription sub = {.filter = span_str(b->filter),
	                                      .qos = (uint8_t)b->sub_qos};
	w->len = 0;
	mqtt_encode_subscribe(w, (enum mqtt_version)b->version, 1, &sub, 1, NULL);
	int err = write_all(c->fd, w->p, w->len);
	if (!err)
		err = await(c, MQTT_SUBACK, &f);
	if (!err)
		err = mqtt_decode_suback((enum mqtt_version)b->version, &f, &ack, &reason);
	if (err)
		return cli_trouble(b->cli, "no answer to SUBSCRIBE %s: %s", b->filter,
		                   err_text(err));
	if (ack.codes.n != 1 || (uint8_t)ack.codes.p[0] >= 0x80)
		return cli_trouble(b->cli, "the broker refused to subscribe to %s", b->filter);
	bench_consume(c, f.total);
	return 0;
}

static int handshake(struct bench *b, struct bench_conn *c)
{
	char id[128];
	uint8_t packet[1024];
	struct wire w = wire_of(packet, sizeof(packet));
	struct frame f;
	struct mqtt_connack_view ack;
	enum mqtt_reason reason;
	snprintf(id, sizeof(id), "%s-%d-%u", b->client_id, (int)getpid(), c->index);
	struct mqtt_connect_view hello = {.version = (enum mqtt_version)b->version,
	                                  .clean_start = true,
	                                  .keep_alive_s = 300,
	                                  .client_id = span_str(id)};
	hello.props.has = MQTT_HAS(MQTT_PROP_RECEIVE_MAXIMUM);
	hello.props.receive_maximum = 65535;
	mqtt_encode_connect(&w, &hello);
	int err = w.err ? w.err : write_all(c->fd, packet, w.len);
	if (!err)
		err = await(c, MQTT_CONNACK, &f);
	if (!err)
		err = mqtt_decode_connack(hello.version, &f, &ack, &reason);
	if (err)
		return cli_trouble(b->cli, "%s:%llu does not answer in MQTT: %s", b->host,
		                   (unsigned long long)b->port, err_text(err));
	if (ack.code)
		return cli_trouble(b->cli, "the broker refused the connection: 0x%02x", ack.code);
	if (b->version == MQTT_V5)
		c->window = MIN_OF(c->window, mqtt_props_receive_maximum(&ack.props));
	bench_consume(c, f.total);
	return c->subscriber ? subscribe(b, c, &w) : 0;
}

static int connect_one(struct bench *b, uint32_t index, const struct addrinfo *a)
{
	struct bench_conn *c = &b->conn[index];
	*c = (struct bench_conn){.index = index,
	                         .fd = open_socket(b, a),
	                         .subscriber = index >= b->connections,
	                         .window = (uint32_t)b->window,
	                         .in_cap = IN_BYTES};
	if (c->fd < 0)
		return CLI_TROUBLE;
	c->in = xmalloc(c->in_cap);
	int err = handshake(b, c);
	if (err)
		return err;
	c->out = xmalloc(BENCH_OUT_BYTES);
	c->free_ids = xcalloc(c->window, sizeof(*c->free_ids));
	c->since_ns = xcalloc(c->window + 1, sizeof(*c->since_ns));
	for (c->n_free = 0; c->n_free < c->window; c->n_free++)
		c->free_ids[c->n_free] = (uint16_t)(c->window - c->n_free);
	c->next_thing = index;
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = index};
	return epoll_ctl(b->epoll, EPOLL_CTL_ADD, c->fd, &e) < 0
	           ? cli_trouble(b->cli, "epoll: %s", strerror(errno))
	           : 0;
}

int bench_connect(struct bench *b)
{
	struct addrinfo hint = {.ai_socktype = SOCK_STREAM}, *a = NULL;
	char port[8];
	snprintf(port, sizeof(port), "%u", (unsigned)b->port);
	if (getaddrinfo(b->host, port, &hint, &a) != 0)
		return cli_trouble(b->cli, "the host %s is not known", b->host);
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	int err = 0;
	/* subscribers first, so that they see the first message */
	for (uint32_t i = b->n_conn; !err && i-- > 0;)
		err = connect_one(b, i, a);
	freeaddrinfo(a);
	return err;
}
