/* sessions.c - many MQTT sessions for the benchmark: idle connections, sessions that are left
 * behind, and the same coming back for what they are owed.
 *
 *   sessions PORT idle N              connects N clients; "ready", stays until standard input ends
 *   sessions PORT leave N FILTER      N sessions subscribe with QoS 1 and go; {n} in FILTER is
 *                                     their number
 *   sessions PORT return N ALL S      they come back, take ALL messages together and acknowledge
 *                                     them, within S seconds
 *   sessions PORT listen N FILTER S   N clients of QoS 0 count messages for S seconds after
 *                                     "ready"
 *
 * One line of JSON at the end. Sockets of its own, so that it is faster than what it measures. */
#include "base/mem.h"
#include "mqtt/encode.h"
#include "mqtt/frame.h"
#include "mqtt/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { OPENING_MOST = 200, READ_BYTES = 256 << 10, EXPIRY_S = 86400 };

enum mode { IDLE, LEAVE, RETURN, LISTEN };

struct one {
	int fd;
	unsigned n;
	uint8_t *rest; /* of a packet that is not whole */
	size_t rest_n;
	bool up;
};

static struct run {
	enum mode mode;
	int port, ep;
	unsigned n, opening, up, gone, seconds;
	uint64_t owed; /* RETURN: by all of them together; some may be owed more than others */
	const char *filter;
	struct one *all;
	uint64_t got, bytes;
	uint8_t *buf;
} r;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "sessions: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void say(const struct one *o, const struct wire *w)
{
	size_t at = 0;
	if (w->err)
		die("a packet that does not fit");
	while (at < w->len) {
		ssize_t n = write(o->fd, w->p + at, w->len - at);
		struct pollfd p = {.fd = o->fd, .events = POLLOUT};
		if (n < 0 && (errno != EAGAIN || poll(&p, 1, 10000) <= 0))
			die("write");
		at += n > 0 ? (size_t)n : 0;
	}
}

static void begin(struct one *o)
{
	uint8_t mem[128];
	char id[32];
	int yes = 1;
	struct wire w = wire_of(mem, sizeof(mem));
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)r.port)};
	/* One address has no ports for so many, and those of a run before may still be taken. */
	struct sockaddr_in from = {.sin_family = AF_INET};
	from.sin_addr.s_addr =
	    htonl(0x7f000001u | (1 + (uint32_t)getpid() % 200) << 16 | o->n / 5000 << 8);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	o->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (o->fd < 0 || bind(o->fd, (void *)&from, sizeof(from)) ||
	    connect(o->fd, (void *)&to, sizeof(to)))
		die("connect");
	setsockopt(o->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	bool kept = r.mode == LEAVE || r.mode == RETURN;
	snprintf(id, sizeof(id), "%s-%u",
	         kept             ? "kept"
	         : r.mode == IDLE ? "idle"
	                          : "listens",
	         o->n);
	struct mqtt_connect_view c = {
	    .version = MQTT_V5, .clean_start = r.mode != RETURN, .client_id = span_str(id)};
	if (kept) {
		c.props.has = MQTT_HAS(MQTT_PROP_SESSION_EXPIRY);
		c.props.session_expiry_s = EXPIRY_S;
	}
	mqtt_encode_connect(&w, &c);
	say(o, &w);
	fcntl(o->fd, F_SETFL, O_NONBLOCK);
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = o};
	if (epoll_ctl(r.ep, EPOLL_CTL_ADD, o->fd, &e))
		die("epoll");
	r.opening++;
}

static void is_up(struct one *o)
{
	o->up = true;
	r.up++;
	r.opening--;
}

static void subscribe(struct one *o)
{
	uint8_t mem[512];
	char filter[256], *at;
	struct wire w = wire_of(mem, sizeof(mem));
	snprintf(filter, sizeof(filter), "%s", r.filter);
	if ((at = strstr(filter, "{n}")))
		snprintf(at, sizeof(filter) - (size_t)(at - filter), "%u%s", o->n,
		         strstr(r.filter, "{n}") + 3);
	struct mqtt_subscription s = {.filter = span_str(filter), .qos = r.mode == LISTEN ? 0 : 1};
	mqtt_encode_subscribe(&w, MQTT_V5, 1, &s, 1, NULL);
	say(o, &w);
}

static void go(struct one *o)
{
	uint8_t mem[16];
	struct wire w = wire_of(mem, sizeof(mem));
	mqtt_encode_disconnect(&w, MQTT_V5, MQTT_NORMAL_DISCONNECTION, NULL);
	say(o, &w);
	close(o->fd);
	o->fd = -1;
	is_up(o);
	r.gone++;
}

static void takes(const struct frame *f, struct wire *answers)
{
	struct mqtt_publish_view p;
	enum mqtt_reason why;
	r.got++;
	if (r.mode != RETURN)
		return;
	if (mqtt_decode_publish_server(MQTT_V5, f, &p, &why))
		die("a PUBLISH that cannot be read");
	if (p.qos)
		mqtt_encode_ack_ok(answers, MQTT_PUBACK, p.packet_id);
}

/* False: it has gone. */
static bool packet(struct one *o, const struct frame *f, struct wire *answers)
{
	struct mqtt_connack_view c;
	enum mqtt_reason why;
	switch (frame_type(f)) {
	case MQTT_CONNACK:
		if (mqtt_decode_connack(MQTT_V5, f, &c, &why) || c.reason)
			die("CONNACK refuses");
		if (r.mode == RETURN && !c.session_present)
			die("a session is not there");
		if (r.mode == LEAVE || r.mode == LISTEN)
			subscribe(o);
		else
			is_up(o);
		return true;
	case MQTT_SUBACK:
		if (r.mode == LEAVE) {
			go(o);
			return false;
		}
		is_up(o);
		return true;
	case MQTT_PUBLISH: takes(f, answers); return true;
	default: die("a packet that nobody expected");
	}
	return true;
}

static void readable(struct one *o)
{
	static uint8_t mem[READ_BYTES];
	struct wire answers = wire_of(mem, sizeof(mem));
	memcpy(r.buf, o->rest, o->rest_n);
	ssize_t n = read(o->fd, r.buf + o->rest_n, READ_BYTES);
	if (n <= 0) {
		if (n < 0 && errno == EAGAIN)
			return;
		die("a connection was closed");
	}
	size_t have = o->rest_n + (size_t)n, at = 0;
	struct frame f;
	r.bytes += (uint64_t)n;
	while (frame_next(r.buf + at, have - at, 1 << 20, &f) == 0) {
		at += f.total;
		if (!packet(o, &f, &answers))
			return;
	}
	o->rest = xrealloc(o->rest, have - at + 1);
	o->rest_n = have - at;
	memcpy(o->rest, r.buf + at, o->rest_n);
	if (answers.len)
		say(o, &answers);
}

static bool is_over(double until)
{
	switch (r.mode) {
	case LEAVE: return r.gone == r.n;
	case RETURN: return r.got >= r.owed || now() > until;
	case LISTEN: return until > 0 ? now() > until : r.up == r.n;
	default: return r.up == r.n;
	}
}

static void run(double until)
{
	struct epoll_event e[256];
	unsigned begun = r.up + r.opening;
	while (!is_over(until)) {
		while (begun < r.n && r.opening < OPENING_MOST)
			begin(&r.all[begun++]);
		int n = epoll_wait(r.ep, e, 256, 100);
		for (int i = 0; i < n; i++)
			readable(e[i].data.ptr);
	}
}

int main(int argc, char **argv)
{
	static const char *const modes[] = {"idle", "leave", "return", "listen"};
	struct rlimit l;
	char one;
	if (argc < 4)
		return 2;
	r.port = atoi(argv[1]);
	while (r.mode <= LISTEN && strcmp(argv[2], modes[r.mode]) != 0)
		r.mode++;
	r.n = (unsigned)atoi(argv[3]);
	if (r.mode > LISTEN || argc < (int[]){4, 5, 6, 6}[r.mode])
		return 2;
	r.filter = argv[4];
	r.owed = r.mode == RETURN ? strtoull(argv[4], NULL, 10) : 0;
	r.seconds = argc > 5 ? (unsigned)atoi(argv[5]) : 0;
	getrlimit(RLIMIT_NOFILE, &l);
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
	r.ep = epoll_create1(EPOLL_CLOEXEC);
	r.buf = xmalloc(READ_BYTES * 8);
	r.all = xcalloc(r.n, sizeof(*r.all));
	for (unsigned i = 0; i < r.n; i++)
		r.all[i] = (struct one){.fd = -1, .n = i};
	double began = now();
	run(r.mode == RETURN ? began + r.seconds : 0);
	double up = now() - began;
	if (r.mode == IDLE || r.mode == LISTEN) {
		fprintf(stderr, "ready\n");
		r.got = 0;
		began = now();
		if (r.mode == LISTEN)
			run(began + r.seconds);
		else if (read(0, &one, 1) < 0)
			die("standard input");
	}
	double took = now() - began;
	printf("{\"up_s\":%.3f,\"seconds\":%.3f,\"messages\":%llu,\"per_s\":%.0f}\n", up, took,
	       (unsigned long long)r.got, (double)r.got / took);
	return r.mode == RETURN && r.got < r.owed ? 1 : 0;
}
