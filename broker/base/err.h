/* err.h - one vocabulary for "it did not work".
 *
 * Every function that can fail returns 0 (or a count) or a negative code. Codes are -errno, or one
 * of ours below -1000. MQTT reason codes and HTTP statuses are types of their own (mqtt/reason.h,
 * web/http.h) and never travel in such an int. Outputs (ret_*) are untouched on failure. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/compiler.h"

enum {
	ERR_MALFORMED = -1001,     /* bytes break the grammar of their format */
	ERR_PROTOCOL = -1002,      /* well-formed, but not allowed here and now */
	ERR_TOO_LARGE = -1003,     /* over a named limit */
	ERR_MORE = -1004,          /* not an error: the packet is not complete yet */
	ERR_NOT_FOUND = -1005,     /* no such feed, record, key */
	ERR_STORE_FULL = -1006,    /* disk or map is full; room may be made, try again */
	ERR_STORE_IO = -1007,      /* the device failed: the process must end */
	ERR_STORE_DAMAGED = -1008, /* a file is cut short, overwritten, or fails its checksum */
	ERR_STORE_FORMAT = -1009,  /* written by a newer version, or belongs to another store */
	ERR_CONFIG =
	    -1010, /* configuration or schema says something wrong; text is with the caller */
	ERR_DENIED = -1011,   /* the identity may not */
	ERR_INVALID = -1012,  /* does not fit its schema */
	ERR_AGAIN = -1013,    /* not now: ask again when told */
	ERR_GAP = -1014,      /* the cursor met records that are gone */
	ERR_CLOSED = -1015,   /* the other side is gone */
	ERR_SLOW = -1016,     /* too fast or too often: later */
	ERR_QUOTA = -1017,    /* what was granted is used up */
	ERR_CONFLICT = -1018, /* it is there already, or is being changed */
};

/* A sentence for the code; never NULL; static storage. */
const char *err_text(int err);

#endif
