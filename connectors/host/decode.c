/* decode.c - knows no format; does unpack, strip and convert before one gets the bytes. */
#include "host/decode.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "host/decode_private.h"
#include "host/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int decode_fail(struct decoder *d, int err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(d->error, sizeof(d->error), fmt, ap);
	va_end(ap);
	return err;
}

void decode_head(struct decoder *d, const char *name, size_t name_n, const char *p, size_t n)
{
	if (d->head_bytes + name_n + n > LIMIT_CONNECT_HEAD_BYTES)
		return;
	d->head_bytes += name_n + n;
	d->head =
	    jv_object_set(d->head, jv_string_sized(name, (int)name_n), jv_string_sized(p, (int)n));
}

int decode_collect(struct decoder *d, const char *p, size_t n)
{
	buf_add(&d->buf, p, n);
	return d->buf.err ? decode_fail(d, ERR_TOO_LARGE, "a record is larger than %d bytes",
	                                LIMIT_CONNECT_RECORD_BYTES)
	                  : 0;
}

int decode_json_text(struct decoder *d, const char *p, size_t n, uint64_t offset)
{
	jv v = text_read(&d->tape, p, n);
	if (!jv_is_valid(v)) {
		jv msg = jv_invalid_get_msg(v);
		decode_fail(d, 0, "%s",
		            jv_get_kind(msg) == JV_KIND_STRING ? jv_string_value(msg) : "not JSON");
		jv_free(msg);
		v = jv_invalid();
	}
	return d->cb(d->ctx, v, offset);
}

struct decoder *decoder_new(const struct connector_conf *k, record_cb cb, void *ctx)
{
	static const struct format *formats[] = {
	    [DECODE_JSON] = &format_json, [DECODE_NDJSON] = &format_ndjson,
	    [DECODE_CSV] = &format_csv,   [DECODE_SENML] = &format_senml,
	    [DECODE_XML] = &format_xml,   [DECODE_TEXT] = &format_text};
	struct decoder *d = xcalloc(1, sizeof(*d));
	d->conf = k;
	d->cb = cb;
	d->ctx = ctx;
	d->format = formats[k->decoder];
	d->state = xcalloc(1, d->format->state_size + 1);
	d->head = jv_object();
	buf_init(&d->buf, LIMIT_CONNECT_RECORD_BYTES);
	json_tape_init(&d->tape, LIMIT_CONNECT_RECORD_BYTES / 2);
	return d;
}

static void finish(struct decoder *d)
{
	if (d->started && d->format->done)
		d->format->done(d);
	if (d->gzip)
		inflateEnd(&d->z);
	d->started = d->gzip = d->gzip_ended = 0;
	d->n_first = 0;
}

void decoder_free(struct decoder *d)
{
	if (!d)
		return;
	finish(d);
	jv_free(d->head);
	buf_done(&d->buf);
	json_tape_done(&d->tape);
	free(d->state);
	free(d);
}

void decoder_begin(struct decoder *d, uint64_t offset, int64_t received_ms)
{
	finish(d);
	memset(d->state, 0, d->format->state_size + 1);
	d->offset = offset;
	d->out = 0;
	d->received_ms = received_ms;
	d->error[0] = '\0';
	jv_free(d->head);
	d->head = jv_object();
	d->head_bytes = 0;
	buf_clear(&d->buf);
}

/* Latin-1 is the first 256 code points; pieces of a fixed size keep it off the heap. */
static int give_latin1(struct decoder *d, const unsigned char *p, size_t n)
{
	char out[2048];
	int err = 0;
	while (n > 0 && err == 0) {
		size_t m = 0, i = 0;
		for (; i < n && m + 2 <= sizeof(out); i++) {
			if (p[i] < 0x80) {
				out[m++] = (char)p[i];
			} else {
				out[m++] = (char)(0xC0 | p[i] >> 6);
				out[m++] = (char)(0x80 | (p[i] & 0x3F));
			}
		}
		err = d->format->feed(d, out, m);
		p += i;
		n -= i;
	}
	return err;
}

static int give(struct decoder *d, const char *p, size_t n)
{
	d->out += n;
	if (d->out > d->conf->body_max)
		return decode_fail(d, ERR_TOO_LARGE, "the document is larger than body-max");
	if (strcmp(d->conf->charset, "latin-1") == 0)
		return give_latin1(d, (const unsigned char *)p, n);
	return d->format->feed(d, p, n);
}

static int give_packed(struct decoder *d, const char *p, size_t n)
{
	unsigned char out[64 << 10];
	d->z.next_in = (unsigned char *)(uintptr_t)p;
	d->z.avail_in = (uInt)n;
	while (d->z.avail_in > 0) {
		if (d->gzip_ended && inflateReset(&d->z) != Z_OK) /* members one after another */
			return decode_fail(d, ERR_MALFORMED, "not gzip");
		d->gzip_ended = 0;
		d->z.next_out = out;
		d->z.avail_out = sizeof(out);
		int r = inflate(&d->z, Z_NO_FLUSH);
		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			return decode_fail(d, ERR_MALFORMED, "damaged gzip");
		size_t got = sizeof(out) - d->z.avail_out;
		int err = got > 0 ? give(d, (char *)out, got) : 0;
		if (err < 0)
			return err;
		d->gzip_ended = r == Z_STREAM_END;
		if (r == Z_BUF_ERROR && got == 0)
			break;
	}
	return 0;
}

/* What the first bytes say: gzip, a mark to drop, or nothing. */
static int start(struct decoder *d)
{
	const char *p = d->first;
	size_t n = d->n_first;
	d->started = 1;
	if (d->format->begin)
		d->format->begin(d);
	if (n >= 2 && p[0] == '\x1f' && p[1] == '\x8b') {
		if (inflateInit2(&d->z, 16 + MAX_WBITS) != Z_OK)
			return decode_fail(d, -ENOMEM, "no memory to unpack");
		d->gzip = 1;
		return give_packed(d, p, n);
	}
	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		d->offset += 3;
		return 0;
	}
	return n > 0 ? give(d, p, n) : 0;
}

int decoder_feed(struct decoder *d, const void *bytes, size_t n)
{
	const char *p = bytes;
	int err = 0;
	while (!d->started && n > 0) {
		d->first[d->n_first++] = *p++;
		n--;
		if (d->n_first == sizeof(d->first))
			err = start(d);
	}
	if (err < 0 || n == 0)
		return err;
	return d->gzip ? give_packed(d, p, n) : give(d, p, n);
}

int decoder_end(struct decoder *d)
{
	int err = d->started ? 0 : start(d);
	if (err == 0 && d->gzip && !d->gzip_ended)
		err = decode_fail(d, ERR_MALFORMED, "gzip is cut off");
	if (err == 0)
		err = d->format->end(d);
	finish(d);
	return err;
}

const char *decoder_error(const struct decoder *d)
{
	return d->error;
}

jv decoder_head(const struct decoder *d)
{
	return jv_copy(d->head);
}
