/* http.h - one request, polite and bounded; the target is served while it runs.
 *
 * gzip is asked for and unpacked; redirects followed three times, to http and https only;
 * certificates checked; a transfer that stalls or exceeds body-max is given up; proxies as the
 * environment says. A body that is cut off is a failure. */
#ifndef HOST_HTTP_H
#define HOST_HTTP_H

#include "host/worker.h"

struct http_request {
	const char *url, *method, *body, *etag, *modified, *accept;
	int64_t timeout_ms;
	long stall_s; /* without a byte; 0: LIMIT_CONNECT_STALL_S */
	uint64_t body_max;
	int fd; /* where the body goes */
};

struct http_answer {
	long status;
	char etag[256], modified[64], type[128];
	int64_t retry_after_s; /* 0: not said */
	uint64_t bytes;
	char error[256]; /* when http_fetch() failed */
};

/* 0 when there was an answer, whatever its status; ERR_CLOSED when stopped; else negative. */
int http_fetch(struct worker *w, const struct http_request *r, struct http_answer *ret) MUSTCHECK;

#endif
