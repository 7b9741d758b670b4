/* Query strings: what is read stays within its bounds, and reading it again by name finds it. */
#include "web/query.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct query *q = malloc(sizeof(*q));
	if (!q)
		return 0;
	if (query_parse(span_of((const char *)data, size), q) == 0) {
		assert(q->n <= QUERY_PAIRS);
		for (unsigned i = 0; i < q->n; i++) {
			struct span name = q->pair[i].name, value;
			char text[QUERY_BYTES + 1];
			assert(name.n > 0 && name.p >= q->text &&
			       name.p + name.n <= q->text + QUERY_BYTES);
			if (memchr(name.p, 0, name.n))
				continue; /* names are asked for as C strings */
			memcpy(text, name.p, name.n);
			text[name.n] = 0;
			bool found = query_get(q, text, &value);
			assert(found && span_eq(value, q->pair[i].value));
		}
		assert(query_unknown(q, "") == (q->n ? &q->pair[0].name : NULL));
	}
	free(q);
	return 0;
}
