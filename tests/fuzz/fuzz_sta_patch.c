/* fuzz_sta_patch - a JSON Patch of an entity: a byte that says whether the document is a part of
 * what the client sees, the document, a line's end, the patch. What comes out is a document that is
 * read again and not larger than it may be, an empty patch leaves it as it is, and a refusal has
 * words. */
#include "base/err.h"
#include "base/limits.h"
#include "sta/detail.h"
#include "sta/patch.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *end = size > 1 ? memchr(data + 1, '\n', size - 1) : NULL;
	char *once = NULL, *twice = NULL, why[200] = "";
	if (!end || size > 20000)
		return 0;
	struct span doc = span_of((const char *)data + 1, (size_t)(end - (const char *)data) - 1),
	            patch = span_of(end + 1, size - doc.n - 2);
	int err = sta_patch(doc, patch, data[0] & 1, &once, why);
	assert(err == 0 || (err == ERR_INVALID && !once && why[0]));
	if (err)
		return 0;
	/* numbers are written in up to 24 bytes, however short they came */
	assert(strlen(once) <= 24 * (size_t)(2 * LIMIT_ENTITY_BYTES + 20000));
	err = sta_patch(span_str(once), SPAN("[]"), false, &twice, why);
	assert(err == 0 && sta_detail_equal(span_str(once), span_str(twice)));
	free(once);
	free(twice);
	return 0;
}
