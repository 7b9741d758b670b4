/* bench_load.c - connections under load: fill, flush, read; the run. Writes go out once a turn for
 * each connection, whatever was put into its buffer. */
#include "cli/bench.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	OUT_ENOUGH = 128 << 10, /* QoS 0: no more is put in while this much waits */
	IN_BYTES_MAX = 17 << 20,
	EVENTS = 512,
	TURN_MESSAGES = 256 /* of one connection, so that none starves the others */
};

static uint64_t mono_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int64_t wall_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- at work ---- */

static void drop(struct bench *b, struct bench_conn *c)
{
	if (c->down)
		return;
	c->down = true;
	b->lost++;
	epoll_ctl(b->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	close(c->fd);
}

static bool measured(const struct bench *b, uint64_t now)
{
	return now >= b->from_ns && now < b->until_ns;
}

static void flush(struct bench *b, struct bench_conn *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			drop(b, c);
			return;
		}
		c->out_at += (size_t)n;
	}
	memmove(c->out, c->out + c->out_at, c->out_len - c->out_at);
	c->out_len -= c->out_at;
	c->out_at = 0;
	bool want = c->out_len > 0;
	if (want != c->want_out) {
		c->want_out = want;
		struct epoll_event e = {.events = EPOLLIN | (want ? EPOLLOUT : 0u),
		                        .data.u32 = c->index};
		epoll_ctl(b->epoll, EPOLL_CTL_MOD, c->fd, &e);
	}
}

static bool can_send(const struct bench *b, const struct bench_conn *c)
{
	if (c->down || c->subscriber || b->stopping)
		return false;
	size_t waits = c->out_len - c->out_at;
	return b->qos == 0 ? waits < OUT_ENOUGH : c->n_free > 0 && waits < OUT_ENOUGH;
}

/* Puts one message into c's buffer; since_ns: when it was due. */
static void put(struct bench *b, struct bench_conn *c, uint64_t since_ns, uint64_t now,
                int64_t wall)
{
	struct template_values v = {
	    .n = c->next_thing, .c = c->index, .seq = b->seq++, .ns = now, .time_ms = wall};
	c->next_thing = (c->next_thing + b->connections) % b->things;
	size_t topic = template_write(&b->topic, &v, b->scratch);
	size_t payload = template_write(&b->payload, &v, b->scratch + b->topic_max);
	struct mqtt_publish_out m = {.topic = span_of(b->scratch, topic),
	                             .payload = span_of(b->scratch + b->topic_max, payload),
	                             .qos = (uint8_t)b->qos};
	if (b->qos > 0) {
		m.packet_id = c->free_ids[--c->n_free];
		c->since_ns[m.packet_id] = since_ns;
	}
	struct wire w = {.p = c->out, .len = c->out_len, .cap = BENCH_OUT_BYTES};
	mqtt_encode_publish(&w, (enum mqtt_version)b->version, &m);
	assert(!w.err); /* bench_run() checked that the largest message fits beside OUT_ENOUGH */
	c->out_len = w.len;
	b->sent++;
	b->measured_sent += measured(b, now);
}

/* As fast as the window allows. */
static void fill(struct bench *b, struct bench_conn *c)
{
	uint64_t now = mono_ns();
	int64_t wall = wall_ms();
	for (unsigned i = 0; i < TURN_MESSAGES && can_send(b, c); i++)
		put(b, c, now, now, wall);
	if (!c->down)
		flush(b, c);
}

/* What is due by now, one connection after the other. */
static void pace(struct bench *b)
{
	uint64_t now = mono_ns();
	int64_t wall = wall_ms();
	double gap_ns = 1e9 / (double)b->rate;
	unsigned passed = 0;
	while (!b->stopping && passed < b->connections) {
		uint64_t due = b->begin_ns + (uint64_t)((double)b->sent_paced * gap_ns);
		if (due > now)
			break;
		struct bench_conn *c = &b->conn[b->next_conn++ % b->connections];
		if (!can_send(b, c)) {
			passed++; /* its window is full: the next may; when all are, later */
			continue;
		}
		passed = 0;
		b->sent_paced++;
		put(b, c, due, now, wall);
	}
	for (uint32_t i = 0; i < b->connections; i++)
		if (b->conn[i].out_len > 0 && !b->conn[i].down)
			flush(b, &b->conn[i]);
}

static void note_reason(struct bench *b, struct span text)
{
	if (!b->reason[0])
		snprintf(b->reason, sizeof(b->reason), "%.*s",
		         (int)MIN_OF(text.n, sizeof(b->reason) - 1), text.p ? text.p : "");
}

static void on_puback(struct bench *b, struct bench_conn *c, const struct frame *f, uint64_t now)
{
	struct mqtt_ack_view ack;
	enum mqtt_reason reason;
	if (mqtt_decode_ack((enum mqtt_version)b->version, f, &ack, &reason) < 0 ||
	    ack.packet_id == 0 || ack.packet_id > c->window || c->since_ns[ack.packet_id] == 0) {
		drop(b, c);
		return;
	}
	uint64_t since = c->since_ns[ack.packet_id];
	c->since_ns[ack.packet_id] = 0;
	c->free_ids[c->n_free++] = ack.packet_id;
	b->answered++;
	if (ack.reason >= 0x80) {
		b->refused[ack.reason & 255]++;
		note_reason(b, ack.props.reason_string);
		return;
	}
	b->taken++;
	if (measured(b, now)) {
		b->measured_taken++;
		hist_add(&b->ack, now > since ? now - since : 0);
	}
}

static void on_publish(struct bench *b, struct bench_conn *c, const struct frame *f, uint64_t now)
{
	struct mqtt_publish_view m;
	enum mqtt_reason reason;
	if (mqtt_decode_publish_server((enum mqtt_version)b->version, f, &m, &reason) < 0) {
		drop(b, c);
		return;
	}
	static const char mark[] = "\"_ns\":";
	b->received++;
	if (measured(b, now)) {
		b->measured_received++;
		const char *at =
		    m.payload.n ? memmem(m.payload.p, m.payload.n, mark, sizeof(mark) - 1) : NULL;
		if (at) {
			uint64_t ns = 0;
			const char *end = m.payload.p + m.payload.n;
			for (at += sizeof(mark) - 1; at < end && *at >= '0' && *at <= '9'; at++)
				ns = ns * 10 + (uint64_t)(*at - '0');
			hist_add(&b->deliver, now > ns ? now - ns : 0);
		}
	}
	if (m.qos == 1) {
		struct wire w = {.p = c->out, .len = c->out_len, .cap = BENCH_OUT_BYTES};
		mqtt_encode_ack_ok(&w, MQTT_PUBACK, m.packet_id);
		if (w.err) { /* we acknowledge slower than it sends: send what there is first */
			flush(b, c);
			return;
		}
		c->out_len = w.len;
	}
}

static void on_frame(struct bench *b, struct bench_conn *c, const struct frame *f, uint64_t now)
{
	struct mqtt_disconnect_view bye;
	enum mqtt_reason reason;
	switch (frame_type(f)) {
	case MQTT_PUBACK: on_puback(b, c, f, now); break;
	case MQTT_PUBLISH: on_publish(b, c, f, now); break;
	case MQTT_DISCONNECT:
		if (mqtt_decode_disconnect_server((enum mqtt_version)b->version, f, &bye,
		                                  &reason) == 0) {
			b->refused[bye.reason & 255]++;
			note_reason(b, bye.props.reason_string);
		}
		drop(b, c);
		break;
	default: break;
	}
}

static void grow(struct bench_conn *c)
{
	size_t need = frame_size(c->in, c->in_len);
	if (need <= c->in_cap || need > IN_BYTES_MAX)
		return;
	c->in_cap = need;
	c->in = xrealloc(c->in, need);
}

static void readable(struct bench *b, struct bench_conn *c)
{
	ssize_t n = read(c->fd, c->in + c->in_len, c->in_cap - c->in_len);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		drop(b, c);
		return;
	}
	c->in_len += (size_t)n;
	uint64_t now = mono_ns();
	size_t at = 0;
	int rc = ERR_MORE;
	struct frame f;
	while (!c->down &&
	       (rc = frame_next(c->in + at, c->in_len - at, BENCH_PACKET_BYTES, &f)) == 0) {
		on_frame(b, c, &f, now);
		at += f.total;
	}
	if (c->down)
		return;
	if (rc != ERR_MORE) {
		drop(b, c);
		return;
	}
	bench_consume(c, at);
	grow(c);
}

static void turn(struct bench *b, int timeout_ms)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(b->epoll, events, EVENTS, timeout_ms);
	for (int i = 0; i < n; i++) {
		struct bench_conn *c = &b->conn[events[i].data.u32];
		if (!c->down && (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
			readable(b, c);
		if (c->down)
			continue;
		if (b->rate == 0)
			fill(b, c);
		else
			flush(b, c);
	}
}

/* ---- the run ---- */

static double own_cpu_s(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* utime and stime of another process: fields 14 and 15 of /proc/PID/stat, after the name. */
static double other_cpu_s(uint64_t pid)
{
	char path[64], text[1024] = "";
	snprintf(path, sizeof(path), "/proc/%llu/stat", (unsigned long long)pid);
	FILE *f = pid ? fopen(path, "re") : NULL;
	if (!f)
		return 0;
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	unsigned long long user = 0, sys = 0;
	const char *p = strrchr(text, ')');
	if (!p || sscanf(p + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu", &user,
	                 &sys) != 2)
		return 0;
	return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

static bool outstanding(const struct bench *b)
{
	if (b->qos > 0)
		return b->answered < b->sent;
	for (uint32_t i = 0; i < b->connections; i++)
		if (!b->conn[i].down && b->conn[i].out_len > 0)
			return true;
	return false;
}

static bool all_down(const struct bench *b)
{
	for (uint32_t i = 0; i < b->connections; i++)
		if (!b->conn[i].down)
			return false;
	return true;
}

static void load(struct bench *b)
{
	b->begin_ns = mono_ns();
	b->from_ns = b->begin_ns + b->warm_s * 1000000000u;
	b->until_ns = b->from_ns + b->seconds * 1000000000u;
	bool began = false, ended = false;
	if (b->rate == 0)
		for (uint32_t i = 0; i < b->connections; i++)
			fill(b, &b->conn[i]);
	for (;;) {
		uint64_t now = mono_ns();
		if (!began && now >= b->from_ns) {
			began = true;
			b->cpu_s = own_cpu_s();
			b->server_cpu_s = other_cpu_s(b->pid);
		}
		if (!ended && (now >= b->until_ns || all_down(b) || cli_stop())) {
			ended = true;
			b->stopping = true;
			b->until_ns = MIN_OF(b->until_ns, now);
			b->cpu_s = own_cpu_s() - b->cpu_s;
			b->server_cpu_s = other_cpu_s(b->pid) - b->server_cpu_s;
		}
		if (ended && (!outstanding(b) || all_down(b) ||
		              now > b->until_ns + (uint64_t)BENCH_DRAIN_S * 1000000000u))
			return;
		if (b->rate > 0)
			pace(b);
		/* with QoS 0 nothing comes back that would wake us; a full socket does */
		for (uint32_t i = 0; b->qos == 0 && b->rate == 0 && i < b->connections; i++)
			if (can_send(b, &b->conn[i]))
				fill(b, &b->conn[i]);
		turn(b, b->rate > 0 || b->qos == 0 ? 1 : 50);
	}
}

static void close_all(struct bench *b)
{
	for (uint32_t i = 0; b->conn && i < b->n_conn; i++) {
		struct bench_conn *c = &b->conn[i];
		static const uint8_t bye[] = {0xe0, 0}; /* DISCONNECT, normal */
		if (c->in && !c->down && c->fd >= 0) {
			ssize_t n = send(c->fd, bye, sizeof(bye), MSG_NOSIGNAL);
			(void)n; /* it leaves either way */
			close(c->fd);
		}
		free(c->in);
		free(c->out);
		free(c->free_ids);
		free(c->since_ns);
	}
	free(b->conn);
	free(b->scratch);
}

int bench_run(struct bench *b)
{
	b->n_conn = (uint32_t)(b->connections + b->subs);
	b->topic_max = template_size(&b->topic);
	size_t payload_max = template_size(&b->payload);
	if (b->topic_max > 65535 || b->topic_max + payload_max + 64 > BENCH_OUT_BYTES - OUT_ENOUGH)
		return cli_trouble(b->cli, "topic and payload are too long: at most %d bytes",
		                   BENCH_OUT_BYTES - OUT_ENOUGH);
	b->scratch = xmalloc(b->topic_max + payload_max + 1);
	b->conn = xcalloc(b->n_conn, sizeof(*b->conn));
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	int err =
	    b->epoll < 0 ? cli_trouble(b->cli, "epoll: %s", strerror(errno)) : bench_connect(b);
	if (!err)
		load(b);
	close_all(b);
	close(b->epoll);
	return err;
}
