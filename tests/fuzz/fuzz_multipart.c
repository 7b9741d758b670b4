/* fuzz_multipart - a batch of SensorThings as multipart/mixed, its media type in the first line:
 * parts are within the body, one after the other, and so are the requests in them. */
#include "sta/multipart.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(struct span s, struct span all)
{
	assert(!s.n || (s.p >= all.p && s.p + s.n <= all.p + all.n));
}

static void check(struct span type, struct span body, unsigned depth)
{
	struct multipart m;
	struct multipart_part p;
	struct http_text h;
	size_t at = 0;
	if (multipart_begin(&m, type, body))
		return;
	while (multipart_next(&m, &p)) {
		within(p.head, body);
		within(p.body, body);
		assert(m.at > at && m.at <= body.n);
		at = m.at;
		struct span inner = multipart_header(p.head, "Content-Type");
		within(inner, p.head);
		if (depth < 3 && multipart_is(inner))
			check(inner, p.body, depth + 1);
		if (!http_text_read(p.body, &h))
			continue;
		within(h.method, p.body);
		within(h.target, p.body);
		within(h.head, p.body);
		within(h.body, p.body);
		assert(h.target.n && !memchr(h.target.p, '\n', h.target.n));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = span_of((const char *)data, size);
	const char *end = size ? memchr(data, '\n', size) : NULL;
	if (!end)
		return 0;
	size_t n = (size_t)(end - all.p);
	check(span_of(all.p, n), span_of(end + 1, size - n - 1), 0);
	return 0;
}
