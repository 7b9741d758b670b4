/* fuzz_config.c - any bytes as a configuration: scanner, libConfuse, values, checks, and what is
 * done with one that loads. No file is opened. What loads must differ from itself in nothing and
 * must be kept from itself without a change. */
#include "config/config.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const char *text, struct config *c)
{
	struct config *again = NULL;
	struct buf errors, changes, restart;
	buf_init(&errors, 1 << 20);
	buf_init(&changes, 1 << 20);
	buf_init(&restart, 1 << 20);
	int err = config_parse("fuzz", text, false, &again, &errors);
	assert(!err && again);
	for (int i = 0; i < 2; i++) {
		config_diff(c, again, &changes, &restart);
		assert(changes.len == 0 && restart.len == 0);
		config_keep(c, again);
	}
	/* Against the default there may be anything to say, and nothing is left for a restart once
	 * it was kept. */
	config_free(again);
	again = NULL;
	err = config_parse("default", config_embedded(), false, &again, &errors);
	assert(!err && again);
	config_diff(again, c, &changes, &restart);
	config_keep(again, c);
	buf_clear(&restart);
	config_diff(again, c, &changes, &restart);
	assert(restart.len == 0);
	config_free(again);
	buf_done(&errors);
	buf_done(&changes);
	buf_done(&restart);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 1 << 16)
		return 0;
	char *text = malloc(size + 1);
	assert(text);
	memcpy(text, data, size);
	text[size] = 0; /* a text ends at its first zero byte: files that hold one are refused */
	struct buf errors;
	buf_init(&errors, 1 << 20);
	struct config *c = NULL;
	int err = config_parse("fuzz", text, false, &c, &errors);
	assert((err == 0) == (c != NULL));
	assert(err == 0 || errors.len > 0); /* a refusal says why */
	if (c)
		use(text, c);
	config_free(c);
	buf_done(&errors);
	free(text);
	return 0;
}
