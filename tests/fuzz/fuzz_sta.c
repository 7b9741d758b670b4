/* fuzz_sta - queries of SensorThings as they reach the server, path?options: what is read is run on
 * a small city; the answer is JSON, its page no longer than asked, and the link to the next page is
 * read again. */
#include "../unit/sta/small.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char ROOT[] = "http://h/sta/v1.1";

static int ask(struct sta_query *q, struct span path, struct span options, struct buf *b)
{
	struct sta_request r = {q, &small_source, ROOT, path, options, SMALL_START_MS};
	const char *type;
	char error[200];
	int err = sta_query_read(q, path, options);
	assert(!err == !q->error[0]);
	if (err || q->what == STA_WHAT_ROOT)
		return ERR_NOT_FOUND;
	err = sta_run(&r, b, &type, error);
	assert(err <= 0);
	return err || strncmp(type, "application/", 12) != 0 ? ERR_NOT_FOUND : 0;
}

static void check(struct sta_query *q, const struct buf *b)
{
	json_error_t at;
	json_t *j = json_loadb(b->p, b->len, JSON_DECODE_ANY, &at);
	assert(j);
	const json_t *value = json_object_get(j, "value");
	if (q->many && q->options.has_top && json_is_array(value) && q->format == STA_JSON)
		assert(json_array_size(value) <= q->options.top);
	const char *next = json_string_value(json_object_get(j, "@iot.nextLink"));
	if (next && q->many && strncmp(next, ROOT, strlen(ROOT)) == 0) {
		struct span all = span_str(next + strlen(ROOT));
		const char *mark = memchr(all.p, '?', all.n);
		assert(mark);
		size_t n = (size_t)(mark - all.p);
		int err = sta_query_read(q, span_of(all.p, n), span_of(mark + 1, all.n - n - 1));
		assert(err == 0 || err == ERR_TOO_LARGE); /* a link is longer than its request */
	}
	json_decref(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = span_of((const char *)data, size), options = {0};
	const char *mark = size ? memchr(data, '?', size) : NULL;
	struct buf b;
	if (size > 2000)
		return 0;
	if (mark) {
		all.n = (size_t)(mark - all.p);
		options = span_of(mark + 1, size - all.n - 1);
	}
	struct sta_query *q = calloc(1, sizeof(*q));
	assert(q);
	buf_init(&b, 8 << 20);
	if (ask(q, all, options, &b) == 0)
		check(q, &b);
	buf_done(&b);
	free(q);
	return 0;
}
