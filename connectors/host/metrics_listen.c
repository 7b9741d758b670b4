/* metrics_listen.c - the HTTP of it, with libmicrohttpd; does not know what a metric is. */
#include "base/limits.h"
#include "base/mem.h"
#include "host/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct metrics {
	struct MHD_Daemon *daemon;
	const struct metrics_row *rows;
	size_t n;
};

static enum MHD_Result send_text(struct MHD_Connection *c, unsigned status, const char *type,
                                 struct buf *b)
{
	static char wrong[] = "too much to say\n";
	struct MHD_Response *r =
	    b->err
	        ? MHD_create_response_from_buffer(sizeof(wrong) - 1, wrong, MHD_RESPMEM_PERSISTENT)
	        : MHD_create_response_from_buffer(b->len, b->p, MHD_RESPMEM_MUST_COPY);
	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	enum MHD_Result done =
	    MHD_queue_response(c, b->err ? MHD_HTTP_INTERNAL_SERVER_ERROR : status, r);
	MHD_destroy_response(r);
	return done;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_n, void **state)
{
	struct metrics *m = ctx;
	const char *type = "text/plain; charset=utf-8";
	unsigned status = MHD_HTTP_OK;
	struct buf b;
	(void)version, (void)body;
	if (!*state || *body_n > 0) { /* answered when it is complete; a body is not looked at */
		*state = m;
		*body_n = 0;
		return MHD_YES;
	}
	buf_init(&b, LIMIT_CONNECT_METRICS_BYTES);
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		status = MHD_HTTP_METHOD_NOT_ALLOWED;
	} else if (strcmp(path, "/metrics") == 0) {
		type = "text/plain; version=0.0.4; charset=utf-8";
		metrics_render(&b, m->rows, m->n);
	} else if (strcmp(path, "/readyz") == 0) {
		if (!metrics_ready(&b, m->rows, m->n))
			status = MHD_HTTP_SERVICE_UNAVAILABLE;
	} else if (strcmp(path, "/livez") == 0) {
		buf_add_str(&b, "ok\n");
	} else {
		status = MHD_HTTP_NOT_FOUND;
		buf_add_str(&b, "/metrics, /readyz and /livez are here\n");
	}
	enum MHD_Result done = send_text(c, status, type, &b);
	buf_done(&b);
	return done;
}

struct metrics *metrics_listen(const char *listen, const struct metrics_row *rows, size_t n)
{
	struct metrics *m = xcalloc(1, sizeof(*m));
	const uint16_t port = (uint16_t)atoi(strrchr(listen, ':') + 1);
	struct sockaddr_in v4 = {.sin_family = AF_INET,
	                         .sin_port = htons(port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {
	    .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	bool six = listen[0] == '[';
	m->rows = rows;
	m->n = n;
	m->daemon = MHD_start_daemon(
	    six ? MHD_USE_IPv6 : MHD_NO_FLAG, port, NULL, NULL, on_request, m, MHD_OPTION_SOCK_ADDR,
	    six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)LIMIT_CONNECT_METRICS_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)LIMIT_CONNECT_OPEN_S, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
	if (!m->daemon) {
		fprintf(stderr, "oudp-connect: listen = \"%s\": %s\n", listen, strerror(errno));
		free(m);
		return NULL;
	}
	return m;
}

void metrics_serve(struct metrics *m, int ms)
{
	if (m)
		MHD_run_wait(m->daemon, ms);
	else
		poll(NULL, 0, ms);
}

void metrics_close(struct metrics *m)
{
	if (m)
		MHD_stop_daemon(m->daemon);
	free(m);
}
