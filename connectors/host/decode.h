/* decode.h - bytes in, records out: json, ndjson, csv, senml, xml, text.
 *
 * Bytes are pushed in pieces of any size; each complete record is handed to the callback at once,
 * so that a document of 70 MB costs the memory of one record. What begins as gzip does is unpacked
 * first, whatever it is called; at most conf->body_max bytes come out. A byte order mark is
 * dropped, latin-1 made UTF-8 where the block says so.
 *
 *   json    each JSON text of a concatenation; with records, the elements of the arrays (or the
 *           values) at that path: "data", "data.items", "." for the outermost. Arrays on the way
 *           are gone through.
 *   ndjson  one JSON text a line; empty lines are nothing
 *   csv     RFC 4180; an object by the names of the first row (a second one of a name gets _2), or
 *           an array without header-row; all values are texts
 *   senml   RFC 8428: the pack as an array of resolved records, times absolute
 *   xml     each element whose name is in records, without prefixes: attributes are "@name", text
 *           is "#text" where there is more than text; what repeats is an array
 *   text    the document as one text */
#ifndef HOST_DECODE_H
#define HOST_DECODE_H

#include "base/compiler.h"

#include <jv.h>
#include <stddef.h>
#include <stdint.h>

struct connector_conf;
struct decoder;

/* Takes record over; jv_invalid() stands for a record that could not be read (decode_error says
 * why). offset: of the document's byte after it, where the next can begin (ndjson), else 0.
 * Negative stops the decoder, which then returns the same. */
typedef int (*record_cb)(void *ctx, jv record, uint64_t offset);

struct decoder *decoder_new(const struct connector_conf *k, record_cb cb, void *ctx);
void decoder_free(struct decoder *d);

/* Begins a document. offset: where its first byte stands in it; received_ms: what SenML takes for
 * now. */
void decoder_begin(struct decoder *d, uint64_t offset, int64_t received_ms);
/* 0, what the callback returned, or ERR_MALFORMED / ERR_TOO_LARGE for the document. */
int decoder_feed(struct decoder *d, const void *p, size_t n) MUSTCHECK;
int decoder_end(struct decoder *d) MUSTCHECK;
const char *decoder_error(const struct decoder *d);
/* Texts that stood before and between the records: an object, to be freed. */
jv decoder_head(const struct decoder *d);

#endif
