/* ask.h - what a reader of events asks for: the query of /v1/feeds/{feed}/events, checked. Pure.
 *
 * Everything that is wrong is told at once, each with the parameter's name. */
#ifndef WEB_ASK_H
#define WEB_ASK_H

#include "feed/hub.h"
#include "web/filter.h"

enum { FAULTS_MAX = 12, FAULT_BYTES = 160 };

struct faults {
	unsigned n;
	struct {
		char parameter[32];
		char detail[FAULT_BYTES];
	} one[FAULTS_MAX];
};
void fault(struct faults *f, struct span parameter, const char *fmt, ...) PRINTF(3, 4);

enum ask_way { ASK_PAGE = 1, ASK_STREAM };
enum ask_slow { SLOW_DISK, SLOW_LATEST, SLOW_CLOSE }; /* a slow subscriber reads from disk later */

struct ask {
	enum { FROM_DEFAULT, FROM_AFTER, FROM_SINCE } from;
	uint32_t epoch; /* of after; 0: none given */
	uint64_t after;
	int64_t since_ms;
	uint64_t limit, wait_s; /* pages */
	bool topic;             /* pages: events say it */
	enum ask_slow slow;     /* streams */
	struct filter filter;
};

/* resume: Last-Event-ID, which goes before after= and since=; n == 0: none. faults->n says whether
 * it is all right. */
void ask_read(const struct query *q, const struct feed *f, enum ask_way way, struct span resume,
              struct ask *ret, struct faults *faults);

#endif
