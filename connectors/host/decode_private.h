/* decode_private.h - what decode.c and the formats share. */
#ifndef HOST_DECODE_PRIVATE_H
#define HOST_DECODE_PRIVATE_H

#include "base/buf.h"
#include "host/config.h"
#include "host/decode.h"
#include "json/json.h"

#include <zlib.h>

struct format {
	size_t state_size; /* zeroed at begin() */
	void (*begin)(struct decoder *d);
	int (*feed)(struct decoder *d, const char *p, size_t n);
	int (*end)(struct decoder *d);
	void (*done)(struct decoder *d);
};

struct decoder {
	const struct connector_conf *conf;
	const struct format *format;
	record_cb cb;
	void *ctx;
	void *state;
	int64_t received_ms;
	uint64_t offset; /* of the next byte that the format is given */
	uint64_t out;    /* bytes given, of this document */
	jv head;
	size_t head_bytes;
	struct buf buf; /* the piece that is not complete */
	struct json_tape tape;
	char error[256];
	char first[3]; /* bytes of the start, until gzip and mark are known */
	size_t n_first;
	int started, gzip, gzip_ended;
	z_stream z;
};

extern const struct format format_json, format_ndjson, format_csv, format_senml, format_xml,
    format_text;

int decode_fail(struct decoder *d, int err, const char *fmt, ...) PRINTF(3, 4);
/* Hands over a JSON text, or an invalid one with the parser's words. */
int decode_json_text(struct decoder *d, const char *p, size_t n, uint64_t offset) MUSTCHECK;
/* The whole document in d->buf; for formats that need it. */
int decode_collect(struct decoder *d, const char *p, size_t n) MUSTCHECK;
void decode_head(struct decoder *d, const char *name, size_t name_n, const char *p, size_t n);

#endif
