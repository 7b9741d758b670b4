/* fuzz_form - what a visitor's browser sends to the pages: a form, an Accept-Language header, and
 * any text that is shown. Decoded bytes are no more than were sent; what is shown is markup without
 * a '<' of the visitor's. */
#include "base/mem.h"
#include "web/form.h"
#include "web/html.h"
#include "web/words.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of((const char *)data, size);
	struct buf value, out;
	struct html h;
	size_t open = 0;
	buf_init(&value, 1 << 20);
	buf_init(&out, 8 << 20);
	if (form_value(s, "payload", &value) == 0)
		assert(value.len <= size);
	html_part(&h, &out);
	html_open(&h, "p");
	html_attr_span(&h, "href", s);
	html_span(&h, span_of(value.p, value.len));
	html_span(&h, s);
	html_close(&h, "p");
	html_end(&h);
	for (size_t i = 0; !out.err && i < out.len; i++)
		open += out.p[i] == '<';
	assert(out.err || open == 2);
	char *text = xstrndup(s.n ? s.p : "", s.n);
	enum language l = language_of(text);
	assert(l == DUTCH || l == ENGLISH);
	buf_clear(&out);
	words_member(&out, l, s);
	words_unit(&out, s);
	free(text);
	buf_done(&value);
	buf_done(&out);
	return 0;
}
