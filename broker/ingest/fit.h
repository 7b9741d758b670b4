/* fit.h - which of a feed's schemas a payload fits; where it fits none that is taken now, the
 * verdict that tells its sender most. No allocation, but in fit_errors(). */
#ifndef INGEST_FIT_H
#define INGEST_FIT_H

#include "feed/hub.h"
#include "schema/schema.h"

struct fit { /* what it works with; the caller's */
	struct schema_scratch *scratch;
	struct extract *extract;
	struct verdict *verdict;
};

/* Of a feed that has schemas. 0 with *ret and the extract, or ERR_MALFORMED, ERR_TOO_LARGE,
 * ERR_INVALID with the verdict of the schema that was meant. */
int fit(const struct fit *t, const struct feed *f, struct span payload, int64_t now_ms,
        const struct schema **ret) MUSTCHECK;
/* All that is wrong, for people: fills at most max (> 0) verdicts, returns how many. 0: it fits. */
unsigned fit_errors(const struct fit *t, const struct feed *f, struct span payload, int64_t now_ms,
                    struct verdict *ret, unsigned max);

#endif
