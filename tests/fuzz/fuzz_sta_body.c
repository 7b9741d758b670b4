/* fuzz_sta_body - the body of a POST to SensorThings behind a byte that says of what: what is taken
 * is a JSON object, and taken again says the same; as a patch of itself too, but for null. And a
 * row of an entity that is read is written and read again. */
#include "base/err.h"
#include "register/entity.h"
#include "sta/draft.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct sta_draft *d, struct span old)
{
	struct sta_draft *again = NULL;
	struct sta_faults f;
	int err = sta_draft_read(d->type, span_str(d->text), old, false, &again, &f);
	assert(err == 0 && strcmp(d->name, again->name) == 0);
	assert(strcmp(d->text, again->text) == 0);
	sta_draft_free(again);
}

static void check_row(struct span s)
{
	struct entity x, y;
	struct buf b;
	if (entity_row_read(s, &x))
		return;
	buf_init(&b, 1 << 20);
	entity_row_write(&x, &b);
	if (!b.err) {
		int err = entity_row_read(span_of(b.p, b.len), &y);
		assert(err == 0 && strcmp(x.text, y.text) == 0 && x.deleted == y.deleted);
		entity_done(&y);
	}
	buf_done(&b);
	entity_done(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sta_draft *d = NULL;
	struct sta_faults f;
	if (size < 1 || size > 20000)
		return 0;
	struct span body = span_of((const char *)data + 1, size - 1);
	enum sta_type t = (enum sta_type)(data[0] % STA_TYPES);
	check_row(body);
	int err = sta_draft_read(t, body, (struct span){0}, data[0] & 128, &d, &f);
	assert(err == 0 ? d != NULL : f.n > 0);
	if (err == 0 && !(data[0] & 128)) {
		check_again(d, (struct span){0});
		if (!strstr(d->text, "null")) /* which a patch takes out */
			check_again(d, span_str(d->text));
	}
	sta_draft_free(d);
	return 0;
}
