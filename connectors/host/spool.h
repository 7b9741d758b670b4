/* spool.h - what was received and cannot be published now: a bounded file, first in, first out.
 *
 * Entries are an envelope and bytes, each with a CRC. spool_add() is not on the disk before
 * spool_sync(); what was cut off by a power cut is dropped when the file is opened. The reading
 * position is the caller's, who keeps it beside the rest of the source's position: entries before
 * it are delivered. When all are, spool_reset() gives the room back. */
#ifndef HOST_SPOOL_H
#define HOST_SPOOL_H

#include "base/buf.h"
#include "base/compiler.h"

#include <jv.h>
#include <stdbool.h>
#include <stdint.h>

struct spool {
	int fd;
	uint64_t max, end; /* bytes it may have; where the next entry goes */
	struct buf scratch;
};

/* Opens or makes the file. at: where the caller stands; beyond the end it becomes the end. 0 or
 * -errno. */
int spool_open(struct spool *s, const char *path, uint64_t max_bytes, uint64_t *at) MUSTCHECK;
void spool_close(struct spool *s);

/* 0, ERR_STORE_FULL (bound or disk; nothing is changed) or -errno. Does not take envelope over. */
int spool_add(struct spool *s, jv envelope, const void *p, size_t n) MUSTCHECK;
int spool_sync(struct spool *s) MUSTCHECK;
/* Takes back what was added since end was the given one. */
void spool_cut(struct spool *s, uint64_t end);

/* The entry at *at; p is valid until the next call. 1, or 0 at the end; moves *at on.
 * ERR_STORE_DAMAGED for bytes that are none: *at is then the end. The envelope is to be freed. */
int spool_next(struct spool *s, uint64_t *at, jv *ret_envelope, const char **ret_p,
               size_t *ret_n) MUSTCHECK;
int spool_reset(struct spool *s) MUSTCHECK; /* empties it */

#endif
