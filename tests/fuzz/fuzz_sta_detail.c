/* fuzz_sta_detail - what an Observation has beside time and result, and the body of a PATCH or PUT
 * of it behind a byte that says which: a second time changes nothing more, and what was checked can
 * be shown. */
#include "sta/build.h"
#include "sta/detail.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void show(struct span text)
{
	json_t *o = sta_object();
	sta_detail_show(o, text);
	sta_drop(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span now =
	    SPAN("{\"phenomenonTime\":\"2026-11-24T12:00:00.000Z\",\"result\":1.5,"
	         "\"parameters\":{\"a\":{\"b\":1}},\"resultTime\":null}");
	const char *code, *why;
	if (size < 1 || size > 20000)
		return 0;
	bool whole = data[0] & 1;
	struct span body = span_of((const char *)data + 1, size - 1);
	if (!sta_detail_check(body))
		assert(sta_detail_equal(body, body));
	show(body);
	char *once = sta_detail_change(now, body, whole, &code, &why);
	assert(once ? !why : why && *code);
	if (!once)
		return 0;
	char *twice = sta_detail_change(span_str(once), body, whole, &code, &why);
	assert(twice && sta_detail_equal(span_str(once), span_str(twice)));
	free(once);
	free(twice);
	return 0;
}
