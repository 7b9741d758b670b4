/* tlsload - publishes over MQTT with TLS or without, or does nothing but handshakes; for
 * tests/bench/tls.
 *
 *   tlsload [-t CA] -p PORT [-c CONNECTIONS] [-w WINDOW] [-d SECONDS] TOPIC PAYLOAD
 *   tlsload -t CA -p PORT [-d SECONDS] full|resumed
 *
 * A thread each: WINDOW messages of QoS 1 go out in one write, then their PUBACKs come. "%d" in
 * TOPIC is the number of the connection, in PAYLOAD that of the message. Prints messages, or
 * handshakes, a second. Loopback only. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW_MAX = 1000, MESSAGE_MAX = 2000, CONNECTIONS_MAX = 500 };

static struct {
	int port, connections, window;
	double seconds;
	const char *topic, *payload;
	SSL_CTX *ctx;
	atomic_ulong done, failed, numbers;
	atomic_bool stop;
} load = {.connections = 20, .window = 100, .seconds = 5};

struct way {
	int fd;
	SSL *ssl;
};

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool way_open(struct way *w, SSL_SESSION *session)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)load.port)};
	int one = 1;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*w = (struct way){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	if (w->fd < 0 || connect(w->fd, (struct sockaddr *)&a, sizeof(a)))
		return false;
	setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!load.ctx)
		return true;
	w->ssl = SSL_new(load.ctx);
	if (!w->ssl || SSL_set_fd(w->ssl, w->fd) != 1)
		return false;
	if (session)
		SSL_set_session(w->ssl, session);
	return SSL_connect(w->ssl) == 1;
}

static void way_close(struct way *w)
{
	if (w->ssl)
		SSL_free(w->ssl);
	if (w->fd >= 0)
		close(w->fd);
}

static bool way_write(struct way *w, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t k = w->ssl ? SSL_write(w->ssl, p, (int)n) : write(w->fd, p, n);
		if (k <= 0)
			return false;
		p += k;
		n -= (size_t)k;
	}
	return true;
}

static ssize_t way_read(struct way *w, uint8_t *p, size_t n)
{
	return w->ssl ? SSL_read(w->ssl, p, (int)n) : read(w->fd, p, n);
}

/* ---- messages ---- */

/* Text with n in the place of its "%d". */
static size_t fill(char *out, size_t size, const char *text, int n)
{
	const char *at = strstr(text, "%d");
	size_t front = at ? (size_t)(at - text) : strlen(text);
	int len = snprintf(out, size, "%.*s", (int)front, text);
	if (at)
		len += snprintf(out + len, size - (size_t)len, "%d%s", n, at + 2);
	return (size_t)len;
}

static size_t put_publish(uint8_t *to, int connection, unsigned id)
{
	char topic[200], payload[MESSAGE_MAX];
	int number = (int)atomic_fetch_add(&load.numbers, 1);
	size_t t = fill(topic, sizeof(topic), load.topic, connection),
	       p = fill(payload, sizeof(payload), load.payload, number), left = 2 + t + 2 + p,
	       n = 0;
	to[n++] = 0x32; /* PUBLISH, QoS 1 */
	do {
		to[n++] = (uint8_t)((left & 127) | (left > 127 ? 128 : 0));
		left >>= 7;
	} while (left);
	to[n++] = (uint8_t)(t >> 8);
	to[n++] = (uint8_t)t;
	memcpy(to + n, topic, t);
	n += t;
	to[n++] = (uint8_t)(id >> 8);
	to[n++] = (uint8_t)id;
	memcpy(to + n, payload, p);
	return n + p;
}

static bool begin(struct way *w, int connection)
{
	uint8_t out[64] = {0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60}, in[4];
	int n = snprintf((char *)out + 14, sizeof(out) - 14, "tlsload-%d", connection);
	out[13] = (uint8_t)n;
	out[1] = (uint8_t)(12 + n);
	if (!way_write(w, out, 14 + (size_t)n))
		return false;
	for (size_t got = 0; got < sizeof(in);) {
		ssize_t k = way_read(w, in + got, sizeof(in) - got);
		if (k <= 0)
			return false;
		got += (size_t)k;
	}
	return in[0] == 0x20 && in[3] == 0;
}

/* One window: false when the connection failed. PUBACK of 3.1.1 has four bytes. */
static bool round_trip(struct way *w, int connection, uint8_t *out)
{
	uint8_t in[4 * WINDOW_MAX];
	size_t n = 0, want = 4 * (size_t)load.window;
	for (int i = 0; i < load.window; i++)
		n += put_publish(out + n, connection, (unsigned)i + 1);
	if (!way_write(w, out, n))
		return false;
	for (size_t got = 0; got < want;) {
		ssize_t k = way_read(w, in + got, want - got);
		if (k <= 0)
			return false;
		got += (size_t)k;
	}
	atomic_fetch_add(&load.done, (unsigned long)load.window);
	return true;
}

static void *publisher(void *arg)
{
	int connection = (int)(intptr_t)arg;
	struct way w;
	uint8_t *out = malloc((size_t)load.window * (MESSAGE_MAX + 300));
	bool good = out && way_open(&w, NULL) && begin(&w, connection);
	while (good && !atomic_load(&load.stop))
		good = round_trip(&w, connection, out);
	if (!good)
		atomic_fetch_add(&load.failed, 1);
	way_close(&w);
	free(out);
	return NULL;
}

static int publish(void)
{
	pthread_t threads[CONNECTIONS_MAX];
	for (int i = 0; i < load.connections; i++)
		if (pthread_create(&threads[i], NULL, publisher, (void *)(intptr_t)i))
			return 1;
	usleep(1000000); /* connected, and warm */
	double start = now_s();
	unsigned long before = atomic_load(&load.done);
	usleep((useconds_t)(load.seconds * 1e6));
	unsigned long after = atomic_load(&load.done);
	double took = now_s() - start;
	atomic_store(&load.stop, true);
	for (int i = 0; i < load.connections; i++)
		pthread_join(threads[i], NULL);
	printf("%.0f\n", (double)(after - before) / took);
	if (atomic_load(&load.failed))
		fprintf(stderr, "tlsload: %lu connections failed\n", atomic_load(&load.failed));
	return atomic_load(&load.failed) != 0;
}

/* ---- handshakes ---- */

static SSL_SESSION *kept;

static int keep(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	SSL_SESSION_free(kept);
	kept = s;
	return 1;
}

static int handshakes(bool resumed)
{
	struct way w;
	unsigned long n = 0, reused = 0;
	double start = now_s();
	SSL_CTX_set_session_cache_mode(load.ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(load.ctx, keep);
	while (now_s() - start < load.seconds) {
		SSL_SESSION *s = resumed ? kept : NULL;
		if (s)
			SSL_SESSION_up_ref(s);
		/* the answer to CONNECT brings the tickets of 1.3 along */
		if (!way_open(&w, s) || !begin(&w, 0)) {
			fprintf(stderr, "tlsload: a handshake failed\n");
			return 1;
		}
		reused += SSL_session_reused(w.ssl);
		n++;
		SSL_set_shutdown(w.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		way_close(&w);
		SSL_SESSION_free(s);
	}
	printf("%.0f\n", (double)n / (now_s() - start));
	if (resumed && reused + 1 < n)
		fprintf(stderr, "tlsload: %lu of %lu were resumed\n", reused, n);
	return resumed && reused + 1 < n;
}

int main(int argc, char **argv)
{
	for (int o; (o = getopt(argc, argv, "t:p:c:w:d:")) != -1;) {
		switch (o) {
		case 't':
			load.ctx = SSL_CTX_new(TLS_client_method());
			if (!load.ctx || SSL_CTX_load_verify_locations(load.ctx, optarg, NULL) != 1)
				return 2;
			SSL_CTX_set_verify(load.ctx, SSL_VERIFY_PEER, NULL);
			break;
		case 'p': load.port = atoi(optarg); break;
		case 'c': load.connections = atoi(optarg); break;
		case 'w': load.window = atoi(optarg); break;
		case 'd': load.seconds = atof(optarg); break;
		default: return 2;
		}
	}
	if (load.connections > CONNECTIONS_MAX || load.window > WINDOW_MAX || optind >= argc)
		return 2;
	load.topic = argv[optind];
	load.payload = optind + 1 < argc ? argv[optind + 1] : NULL;
	if (load.payload)
		return publish();
	return load.ctx ? handshakes(strcmp(load.topic, "resumed") == 0) : 2;
}
