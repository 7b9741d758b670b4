/* rows.h - rows of the series as they stand on disk, but for chunks (chunk.h). Pure.
 *
 * Integers little endian. Each row: u8 version, u8 flags, u16 reserved, u32 CRC-32C of the other
 * bytes and of the key, then what row_*_write() puts; so a row that was written to a wrong place is
 * not taken for its own. Keys are big endian: they sort as numbers.
 *
 *   thing   key u32 id       stream  key u32 id
 *   chunk   key u32 stream, u8 column, i64 first time (sign bit flipped), u16 part
 *           value u32 newest stored time in s, chunk; part tells apart what begins at one time
 *   place   key u32 thing, i64 time       value i32 longitude, i32 latitude, and when it is not a
 *           point those of the north-east corner, the first being the south-west one
 *   amend   key u32 stream, u64 id        what is corrected, see struct row_amend
 *   detail  key u32 stream, i64 time, u32 mark of the value, u64 id: 0 as it came, else of the
 *           correction                    see struct row_detail
 *   promise is a row of the journal's state: promise.h; see struct row_promise */
#ifndef SERIES_ROWS_H
#define SERIES_ROWS_H

#include "base/box.h"
#include "base/buf.h"
#include "base/limits.h"

#include <stdbool.h>

enum {
	ROW_VERSION = 1,
	ROW_HEAD_BYTES = 8,
	CHUNK_KEY_BYTES = 15,
	DETAIL_KEY_BYTES = 24,
	CHUNK_ROW_HEAD_BYTES = 4
};

/* Columns of a datastream: its observations, and the figures of hours whose observations are gone.
 */
enum row_column {
	COLUMN_POINTS,
	COLUMN_COUNT,
	COLUMN_MIN,
	COLUMN_MAX,
	COLUMN_SUM,
	COLUMN_FIRST,
	COLUMN_LAST,
	COLUMNS
};

struct row_thing {
	uint32_t feed; /* id of its log in the store */
	bool has_place;
	struct box place; /* zero when it has none */
	int64_t place_ms, first_stored_ms, last_observed_ms, last_stored_ms;
	struct span organisation, thing;
};

struct row_value {
	int64_t time_ms, stored_ms;
	double number;
	uint16_t flags;
	uint8_t kind;
	struct span text;
};

struct row_stream {
	uint32_t thing;
	uint64_t sequence; /* of its feed; all up to here is in its chunks */
	uint64_t count;
	int64_t first_ms, last_ms, since_ms, stored_ms;
	bool has_latest, has_future;
	bool has_changed; /* since when it has the value of latest, when that is not its time */
	bool told;        /* that too many are implausible */
	int64_t changed_ms;
	uint32_t implausible; /* the last 32, a bit each */
	struct row_value latest, future;
	struct span member, property, unit, schema;
};

struct row_amend {
	uint8_t what; /* enum series_amend */
	uint16_t flags;
	int64_t from_ms, to_ms, at_ms;
	int64_t rolled_ms; /* hours before it were made without this one; INT64_MIN: none were */
	double factor, offset;
	struct span who, reason;
};

/* What belongs to one observation beside its time and result, or where it went. */
enum row_detail_kind {
	DETAIL_TEXT,  /* text: a JSON object (sta/detail.h) */
	DETAIL_MOVED, /* the observation of this time stands at other_ms now */
	DETAIL_NUMBER /* the one here has the number of other_ms, where it stood first */
};
struct row_detail {
	uint8_t kind;
	int64_t other_ms, at_ms; /* at_ms: when it was corrected; 0: it came so */
	struct span who, text;
};

/* A correction that a commit of the journal has promised (promise.h): of one thing, in parts. */
struct row_promise_part {
	uint32_t stream;
	uint8_t what, becomes; /* enum series_amend; as of struct series_part */
	double offset;
};
struct row_promise {
	uint32_t thing;
	int64_t from_ms, to_ms, moved_ms;
	bool has_detail;
	struct span detail, who, reason;
	unsigned n_parts;
	struct row_promise_part part[LIMIT_STA_MULTI];
};

/* Appends the row for this key to out. */
void row_thing_write(struct span key, const struct row_thing *r, struct buf *out);
void row_stream_write(struct span key, const struct row_stream *r, struct buf *out);
void row_amend_write(struct span key, const struct row_amend *r, struct buf *out);
void row_place_write(struct span key, const struct box *place, struct buf *out);
void row_detail_write(struct span key, const struct row_detail *r, struct buf *out);
void row_promise_write(struct span key, const struct row_promise *r, struct buf *out);
/* 0, ERR_STORE_FORMAT (newer) or ERR_STORE_DAMAGED; spans are views into value. */
int row_thing_read(struct span key, struct span value, struct row_thing *ret) MUSTCHECK;
int row_stream_read(struct span key, struct span value, struct row_stream *ret) MUSTCHECK;
int row_amend_read(struct span key, struct span value, struct row_amend *ret) MUSTCHECK;
int row_detail_read(struct span key, struct span value, struct row_detail *ret) MUSTCHECK;
int row_promise_read(struct span key, struct span value, struct row_promise *ret) MUSTCHECK;
int row_place_read(struct span key, struct span value, struct box *ret) MUSTCHECK;

/* Keys. out has room for CHUNK_KEY_BYTES, of details for DETAIL_KEY_BYTES. */
struct span key_id(uint8_t *out, uint32_t id);
struct span key_chunk(uint8_t *out, uint32_t stream, enum row_column c, int64_t first_ms,
                      uint16_t part);
struct span key_place(uint8_t *out, uint32_t thing, int64_t time_ms);
struct span key_amend(uint8_t *out, uint32_t stream, uint64_t id);
struct key_of_detail {
	uint32_t stream, mark;
	int64_t time_ms;
	uint64_t id;
};
struct span key_detail(uint8_t *out, const struct key_of_detail *k);
bool key_detail_read(struct span key, struct key_of_detail *ret);
bool key_id_read(struct span key, uint32_t *ret);
/* false: of another datastream or column. */
bool key_chunk_read(struct span key, uint32_t stream, enum row_column c, int64_t *ret_first_ms,
                    uint16_t *ret_part);
bool key_place_read(struct span key, uint32_t thing, int64_t *ret_time_ms);
bool key_amend_read(struct span key, uint32_t *ret_stream, uint64_t *ret_id);

#endif
