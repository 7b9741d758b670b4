/* spool.c - does not know what the bytes are; does keep them in order, within its bound.
 *
 * Entry: u32 bytes of the envelope, u32 bytes of the payload, u32 CRC-32C of both and the lengths,
 * then both. Numbers are the machine's: the file never leaves it. */
#include "host/spool.h"

#include "base/crc32c.h"
#include "base/err.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct head {
	uint32_t envelope, payload, crc;
};

static uint32_t crc_of(const struct head *h, const char *both)
{
	return crc32c(crc32c(0, h, 2 * sizeof(uint32_t)), both,
	              (size_t)h->envelope + (size_t)h->payload);
}

/* The entry at `at` into scratch. Its bytes, 0 at the end, or ERR_STORE_DAMAGED. */
static int64_t read_entry(struct spool *s, uint64_t at, struct head *h)
{
	ssize_t n = pread(s->fd, h, sizeof(*h), (off_t)at);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	uint64_t body = (uint64_t)h->envelope + h->payload;
	buf_clear(&s->scratch);
	char *to =
	    n == sizeof(*h) && body <= s->scratch.max ? buf_room(&s->scratch, body + 1) : NULL;
	if (!to || pread(s->fd, to, body, (off_t)(at + sizeof(*h))) != (ssize_t)body ||
	    crc_of(h, to) != h->crc)
		return ERR_STORE_DAMAGED;
	s->scratch.len = body;
	return (int64_t)(sizeof(*h) + body);
}

int spool_open(struct spool *s, const char *path, uint64_t max_bytes, uint64_t *at)
{
	struct head h;
	struct stat st;
	*s = (struct spool){.max = max_bytes, .fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		return -errno;
	buf_init(&s->scratch, LIMIT_CONNECT_RECORD_BYTES + LIMIT_CONNECT_HEAD_BYTES);
	*at = MIN_OF(*at, (uint64_t)st.st_size);
	int64_t n;
	for (s->end = *at; (n = read_entry(s, s->end, &h)) > 0;)
		s->end += (uint64_t)n;
	if (s->end < (uint64_t)st.st_size && ftruncate(s->fd, (off_t)s->end) < 0)
		return -errno;
	return 0;
}

void spool_close(struct spool *s)
{
	if (s->fd >= 0)
		close(s->fd);
	buf_done(&s->scratch);
	s->fd = -1;
}

int spool_add(struct spool *s, jv envelope, const void *p, size_t n)
{
	jv text = jv_dump_string(jv_copy(envelope), 0);
	struct head h = {(uint32_t)jv_string_length_bytes(jv_copy(text)), (uint32_t)n, 0};
	struct buf *b = &s->scratch;
	int err = ERR_STORE_FULL;
	buf_clear(b);
	buf_add(b, jv_string_value(text), h.envelope);
	buf_add(b, p, n);
	jv_free(text);
	if (b->err || s->end + sizeof(h) + b->len > s->max)
		return b->err ? b->err : ERR_STORE_FULL;
	h.crc = crc_of(&h, b->p);
	if (pwrite(s->fd, &h, sizeof(h), (off_t)s->end) == sizeof(h) &&
	    pwrite(s->fd, b->p, b->len, (off_t)(s->end + sizeof(h))) == (ssize_t)b->len) {
		s->end += sizeof(h) + b->len;
		return 0;
	}
	if (errno != ENOSPC && errno != EDQUOT)
		err = -errno;
	spool_cut(s, s->end);
	return err;
}

int spool_sync(struct spool *s)
{
	return fdatasync(s->fd) < 0 ? -errno : 0;
}

void spool_cut(struct spool *s, uint64_t end)
{
	if (ftruncate(s->fd, (off_t)end) == 0 || end < s->end)
		s->end = end;
}

int spool_next(struct spool *s, uint64_t *at, jv *ret_envelope, const char **ret_p, size_t *ret_n)
{
	struct head h;
	if (*at >= s->end)
		return 0;
	int64_t n = read_entry(s, *at, &h);
	jv envelope = n > 0 ? jv_parse_sized(s->scratch.p, (int)h.envelope) : jv_invalid();
	if (n <= 0 || jv_get_kind(envelope) != JV_KIND_OBJECT) {
		jv_free(envelope);
		*at = s->end;
		return n < 0 && n > ERR_MALFORMED ? (int)n : ERR_STORE_DAMAGED;
	}
	*ret_envelope = envelope;
	*ret_p = s->scratch.p + h.envelope;
	*ret_n = h.payload;
	*at += (uint64_t)n;
	return 1;
}

int spool_reset(struct spool *s)
{
	if (ftruncate(s->fd, 0) < 0)
		return -errno;
	s->end = 0;
	return fdatasync(s->fd) < 0 ? -errno : 0;
}
