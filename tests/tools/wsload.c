/* wsload.c - WebSocket subscribers that count: how many frames came, how old they were, how long
 * catching up took. For tests/bench/run. It looks at frame heads, and for the age into each 16th
 * frame: a payload member "_ns" holds the publisher's monotonic clock.
 *
 *   wsload -P PORT -u PATH [-N CLIENTS] [-d SECONDS] [-W SECONDS of warm-up] [-L]
 *
 * -L: ends when every client has seen the live event; then the rate is that of catching up.
 * Prints "ready" on stderr when all are connected, and one line of JSON at the end. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 20, AGES_MAX = 1 << 20, EVENTS = 64, SAMPLE = 16 };
#define LIVE "\"nl.oudp.feed.live.v1\""

struct client {
	int fd;
	bool up, live;
	size_t len;
	uint8_t *in;
};

struct load {
	const char *path;
	int port, clients;
	double seconds, warm;
	bool until_live;

	struct client *all;
	int poll, n_live, n_up;
	uint64_t start, from, until, last_record;
	uint64_t frames, frames_in_time, bytes;
	uint32_t *ages_us;
	size_t n_ages;
};

static void die(const char *what)
{
	fprintf(stderr, "wsload: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void client_open(struct load *l, struct client *c)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	                        .sin_port = htons((uint16_t)l->port),
	                        .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int one = 1, room = 4 << 20;
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0)
		die("socket");
	setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("connect");
	c->in = malloc(BUFFER_BYTES);
	assert(c->in != NULL);
	char ask[1024];
	int n = snprintf(ask, sizeof(ask),
	                 "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
	                 "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	                 "Sec-WebSocket-Version: 13\r\n"
	                 "Sec-WebSocket-Protocol: cloudevents.json\r\n\r\n",
	                 l->path, l->port);
	if (n >= (int)sizeof(ask) || write(c->fd, ask, (size_t)n) != n)
		die("handshake");
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
	if (epoll_ctl(l->poll, EPOLL_CTL_ADD, c->fd, &e) < 0)
		die("epoll_ctl");
}

/* Length of the answer's head, or 0 when it is not whole yet. */
static size_t handshake(struct load *l, struct client *c)
{
	static const char ok[] = "HTTP/1.1 101 ";
	uint8_t *end = memmem(c->in, c->len, "\r\n\r\n", 4);
	if (!end)
		return 0;
	if (memcmp(c->in, ok, sizeof(ok) - 1) != 0) {
		fprintf(stderr, "wsload: refused: %.*s\n", (int)c->len, (const char *)c->in);
		exit(3);
	}
	c->up = true;
	if (++l->n_up == l->clients)
		fprintf(stderr, "ready\n");
	return (size_t)(end - c->in) + 4;
}

static void age(struct load *l, const uint8_t *text, size_t n, uint64_t now)
{
	const char *m = memmem(text, n, "\"_ns\":", 6);
	if (!m || l->n_ages == AGES_MAX)
		return;
	uint64_t sent = strtoull(m + 6, NULL, 10);
	if (sent < now)
		l->ages_us[l->n_ages++] = (uint32_t)((now - sent) / 1000);
}

static void pong(struct client *c, const uint8_t *data, size_t n)
{
	uint8_t out[6 + 125] = {0x8a, (uint8_t)(0x80 | n)};
	assert(n <= 125);
	memcpy(out + 6, data, n); /* the mask is zero */
	if (write(c->fd, out, 6 + n) < 0)
		return;
}

static void frame(struct load *l, struct client *c, uint8_t opcode, const uint8_t *data, size_t n,
                  uint64_t now)
{
	if (opcode == 9)
		pong(c, data, n);
	if (opcode == 8) {
		fprintf(stderr, "wsload: closed by the server\n");
		exit(4);
	}
	if (opcode != 1)
		return;
	if (n < 1000 && !c->live && memmem(data, n, LIVE, sizeof(LIVE) - 1)) {
		c->live = true;
		l->n_live++;
		return;
	}
	l->frames++;
	l->last_record = now;
	if (now < l->from || now >= l->until)
		return;
	l->frames_in_time++;
	l->bytes += n;
	if (l->frames % SAMPLE == 0)
		age(l, data, n, now);
}

static void client_read(struct load *l, struct client *c)
{
	ssize_t k = read(c->fd, c->in + c->len, BUFFER_BYTES - c->len);
	if (k < 0 && errno == EAGAIN)
		return;
	if (k <= 0)
		die("the server closed the connection");
	c->len += (size_t)k;
	uint64_t now = now_ns();
	size_t at = c->up ? 0 : handshake(l, c);
	while (c->up && c->len - at >= 2) {
		const uint8_t *p = c->in + at;
		size_t head = 2, n = p[1] & 127;
		if (n == 126)
			head = 4;
		else if (n == 127)
			head = 10;
		if (c->len - at < head)
			break;
		if (head > 2) {
			n = 0;
			for (size_t i = 2; i < head; i++)
				n = n << 8 | p[i];
		}
		if (n > BUFFER_BYTES - 16) {
			fprintf(stderr, "wsload: a frame of %zu bytes\n", n);
			exit(5);
		}
		if (c->len - at < head + n)
			break;
		frame(l, c, p[0] & 15, p + head, n, now);
		at += head + n;
	}
	memmove(c->in, c->in + at, c->len - at);
	c->len -= at;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static double percentile_ms(const struct load *l, double p)
{
	if (l->n_ages == 0)
		return -1;
	return l->ages_us[(size_t)(p * (double)(l->n_ages - 1))] / 1000.0;
}

static void report(struct load *l)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	double cpu = (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
	             (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
	uint64_t end = l->until_live ? l->last_record : l->until;
	double seconds = end > l->from ? (double)(end - l->from) / 1e9 : 0;
	qsort(l->ages_us, l->n_ages, sizeof(*l->ages_us), compare);
	printf("{\"clients\":%d,\"frames\":%llu,\"seconds\":%.3f,\"frames_per_s\":%.0f,"
	       "\"bytes\":%llu,\"ages\":%zu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,"
	       "\"live\":%d,\"cpu_s\":%.2f}\n",
	       l->clients, (unsigned long long)l->frames_in_time, seconds,
	       seconds > 0 ? (double)l->frames_in_time / seconds : 0.0,
	       (unsigned long long)l->bytes, l->n_ages, percentile_ms(l, .5), percentile_ms(l, .99),
	       percentile_ms(l, 1), l->n_live, cpu);
}

static int options(struct load *l, int argc, char **argv)
{
	int o;
	while ((o = getopt(argc, argv, "P:u:N:d:W:L")) != -1)
		switch (o) {
		case 'P': l->port = atoi(optarg); break;
		case 'u': l->path = optarg; break;
		case 'N': l->clients = atoi(optarg); break;
		case 'd': l->seconds = atof(optarg); break;
		case 'W': l->warm = atof(optarg); break;
		case 'L': l->until_live = true; break;
		default: return -1;
		}
	return l->port > 0 && l->path && l->clients > 0 && l->seconds > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct load l = {.clients = 1, .seconds = 10};
	if (options(&l, argc, argv) < 0) {
		fprintf(stderr, "usage: wsload -P PORT -u PATH [-N CLIENTS] [-d SECONDS] [-W "
		                "SECONDS] [-L]\n");
		return 2;
	}
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	l.poll = epoll_create1(0);
	l.all = calloc((size_t)l.clients, sizeof(*l.all));
	l.ages_us = malloc(AGES_MAX * sizeof(*l.ages_us));
	if (l.poll < 0 || !l.all || !l.ages_us)
		die("start");
	l.start = now_ns();
	l.from = l.start + (uint64_t)(l.warm * 1e9);
	l.until = l.start + (uint64_t)(l.seconds * 1e9);
	for (int i = 0; i < l.clients; i++)
		client_open(&l, &l.all[i]);
	while (now_ns() < l.until && !(l.until_live && l.n_live == l.clients)) {
		struct epoll_event e[EVENTS];
		int n = epoll_wait(l.poll, e, EVENTS, 20);
		for (int i = 0; i < n; i++)
			client_read(&l, e[i].data.ptr);
	}
	report(&l);
	return 0;
}
