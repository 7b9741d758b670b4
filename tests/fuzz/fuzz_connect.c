/* fuzz_connect.c - any bytes as a document of oudp-connect. The first byte chooses the decoder and
 * how it is set, the second into which pieces the bytes are cut: whole and in pieces they give the
 * same records, up to where the document is found to be none. */
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "host/config.h"
#include "host/decode.h"
#include "host/frames.h"
#include "schema_check.h"

#include <stdlib.h>
#include <string.h>

enum { RECORDS_MAX = 1 << 24, BODY_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/* jq 1.6 loses the number of {"n":2"... when the text turns out to be no JSON: 34 bytes each, which
 * the process's bound on memory ends. Its frames are not to be told from ours. */
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static int on_record(void *ctx, jv record, uint64_t offset)
{
	struct buf *b = ctx;
	(void)offset;
	if (!jv_is_valid(record)) {
		jv_free(record);
		buf_add_str(b, "?\n");
		return 0;
	}
	jv text = jv_dump_string(record, JV_PRINT_SORTED);
	buf_add(b, jv_string_value(text), (size_t)jv_string_length_bytes(jv_copy(text)));
	buf_add_char(b, '\n');
	jv_free(text);
	return 0;
}

static int decode(const struct connector_conf *k, const uint8_t *p, size_t n, size_t piece,
                  struct buf *out)
{
	struct decoder *d = decoder_new(k, on_record, out);
	int err = 0;
	decoder_begin(d, 0, 1795521600000);
	for (size_t at = 0; at < n && err == 0; at += piece)
		err = decoder_feed(d, p + at, n - at < piece ? n - at : piece);
	if (err == 0)
		err = decoder_end(d);
	check_that(err == 0 || decoder_error(d)[0], "what is no document is said");
	jv head = decoder_head(d);
	check_that(jv_get_kind(head) == JV_KIND_OBJECT, "the head is an object");
	jv_free(head);
	decoder_free(d);
	return err;
}

/* A frame of a device: what is read are its bytes, as many as the digits say. */
static void frame(const char *text, size_t n, bool hex)
{
	size_t digits = n;
	jv bytes = frames_bytes(text, n, hex);
	while (!hex && digits > 0 && text[digits - 1] == '=')
		digits--;
	if (jv_is_valid(bytes)) {
		check_that((size_t)jv_array_length(jv_copy(bytes)) == digits * (hex ? 4 : 6) / 8,
		           "as many bytes as there are digits for");
		jv_array_foreach(bytes, i, b)
		{
			double v = jv_number_value(b);
			check_that(v >= 0 && v <= 255 && v == (double)(int)v, "a byte");
			jv_free(b);
		}
	}
	jv_free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char d[] = "d", items[] = "d.items", root[] = ".";
	char *paths[] = {d, items, root};
	static char utf8[] = "utf-8", latin1[] = "latin-1", comma[] = ",", semicolon[] = ";";
	struct buf whole, pieces;
	if (size < 2)
		return 0;
	frame((const char *)data + 2, size - 2, true);
	frame((const char *)data + 2, size - 2, false);
	unsigned how = data[0], cut = data[1] % 64 + 1u;
	struct connector_conf k = {.decoder = (enum decoder_kind)(how % 6),
	                           .charset = how & 64 ? latin1 : utf8,
	                           .separator = how & 128 ? semicolon : comma,
	                           .header_row = (how & 32) != 0,
	                           .body_max = BODY_MAX};
	k.records = &paths[how / 6 % 3];
	k.n_records = k.decoder == DECODE_XML || (how & 16);
	buf_init(&whole, RECORDS_MAX);
	buf_init(&pieces, RECORDS_MAX);
	int a = decode(&k, data + 2, size - 2, size, &whole);
	int b = decode(&k, data + 2, size - 2, cut, &pieces);
	check_that((a == 0) == (b == 0), "whole and in pieces are both a document or both none");
	if (a == 0)
		check_that(whole.len == pieces.len &&
		               memcmp(buf_str(&whole), buf_str(&pieces), whole.len) == 0,
		           "whole and in pieces give the same records");
	buf_done(&whole);
	buf_done(&pieces);
	return 0;
}
