/* metrics.h - what the connectors do, for Prometheus and for who asks whether all is well.
 *
 * Rendering is pure. The listener is served by metrics_serve() alone: no thread, no state of the
 * process. It listens on this machine only (config_check.h) and knows nothing secret. */
#ifndef HOST_METRICS_H
#define HOST_METRICS_H

#include "base/buf.h"
#include "host/tally.h"

#include <stddef.h>

struct metrics_row {
	const char *name, *source;
	const struct tally *tally;
};

/* Prometheus text format. */
void metrics_render(struct buf *b, const struct metrics_row *rows, size_t n);
/* A line per connector; true when each has its broker and its source. */
bool metrics_ready(struct buf *b, const struct metrics_row *rows, size_t n);

struct metrics;

/* listen: "127.0.0.1:9884". rows must stay. NULL after saying on stderr what is wrong. */
struct metrics *metrics_listen(const char *listen, const struct metrics_row *rows, size_t n);
void metrics_serve(struct metrics *m, int ms); /* waits up to ms; m may be NULL */
void metrics_close(struct metrics *m);

#endif
