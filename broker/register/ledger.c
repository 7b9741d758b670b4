/* ledger.c - see ledger.h. */
#include "register/ledger.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "privacy/privacy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum { SUBJECT_BYTES = ERASURE_SALT_BYTES + 64 + 1 + LIMIT_TOPIC_BYTES };

static void hash_of(const uint8_t *salt, struct span organisation, struct span thing,
                    uint8_t ret[ERASURE_HASH_BYTES])
{
	char all[SUBJECT_BYTES];
	size_t n = ERASURE_SALT_BYTES;
	memcpy(all, salt, n);
	memcpy(all + n, organisation.p, organisation.n);
	n += organisation.n;
	all[n++] = '\0';
	memcpy(all + n, thing.p, thing.n);
	privacy_digest(span_of(all, n + thing.n), ret);
}

static void hex(const uint8_t *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static bool unhex(struct span s, uint8_t *out, size_t n)
{
	if (s.n != 2 * n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		const char *digits = "0123456789abcdef", *at = strchr(digits, s.p[i]);
		if (!at || !s.p[i])
			return false;
		out[i / 2] = (uint8_t)(out[i / 2] << 4 | (at - digits));
	}
	return true;
}

static void set_id(struct erasure *e)
{
	struct buf line;
	uint8_t digest[PRIVACY_DIGEST_BYTES];
	buf_init(&line, 1024);
	erasure_write(e, &line);
	privacy_digest(span_of(line.p, line.len), digest);
	hex(digest, (sizeof(e->id) - 1) / 2, e->id);
	buf_done(&line);
}

void erasure_make(struct erasure *e, int64_t until_ms, struct span organisation, struct span thing,
                  struct span reason)
{
	*e = (struct erasure){.until_ms = until_ms};
	assert(organisation.n < sizeof(e->organisation) && thing.n <= LIMIT_TOPIC_BYTES);
	if (getrandom(e->salt, sizeof(e->salt), 0) != (ssize_t)sizeof(e->salt))
		fatal("There is no randomness for the ledger of what was erased.");
	memcpy(e->organisation, organisation.p, organisation.n);
	for (size_t i = 0; i < MIN_OF(reason.n, sizeof(e->reason) - 1); i++)
		e->reason[i] = (unsigned char)reason.p[i] < 0x20 ? ' ' : reason.p[i];
	hash_of(e->salt, organisation, thing, e->hash);
	set_id(e);
}

bool erasure_matches(const struct erasure *e, struct span organisation, struct span thing)
{
	uint8_t hash[ERASURE_HASH_BYTES];
	if (!thing.n || thing.n > LIMIT_TOPIC_BYTES || !span_is(organisation, e->organisation))
		return false;
	hash_of(e->salt, organisation, thing, hash);
	return memcmp(hash, e->hash, sizeof(hash)) == 0;
}

void erasure_write(const struct erasure *e, struct buf *line)
{
	char time[RFC3339_BYTES], salt[2 * ERASURE_SALT_BYTES + 1],
	    hash[2 * ERASURE_HASH_BYTES + 1];
	rfc3339_format(e->until_ms, time);
	hex(e->salt, sizeof(e->salt), salt);
	hex(e->hash, sizeof(e->hash), hash);
	buf_addf(line, "%.*s %s %s %s %s\n", RFC3339_BYTES, time, salt, hash, e->organisation,
	         e->reason);
}

/* The next word; *rest is what stands after the space. */
static struct span word(struct span *rest)
{
	const char *space = rest->n ? memchr(rest->p, ' ', rest->n) : NULL;
	size_t n = space ? (size_t)(space - rest->p) : rest->n;
	struct span w = span_of(rest->p, n);
	n += space ? 1 : 0;
	*rest = span_of(rest->p + n, rest->n - n);
	return w;
}

int erasure_read(struct span line, struct erasure *ret)
{
	struct span rest = line, organisation;
	*ret = (struct erasure){0};
	if (line.n > 8 && memcmp(line.p, "again ", 6) == 0) { /* of a restore: its time */
		(void)word(&rest);
		(void)word(&rest);
	}
	if (rfc3339_parse(word(&rest), &ret->until_ms) ||
	    !unhex(word(&rest), ret->salt, sizeof(ret->salt)) ||
	    !unhex(word(&rest), ret->hash, sizeof(ret->hash)))
		return ERR_MALFORMED;
	organisation = word(&rest);
	if (!organisation.n || organisation.n >= sizeof(ret->organisation) ||
	    rest.n >= sizeof(ret->reason))
		return ERR_MALFORMED;
	memcpy(ret->organisation, organisation.p, organisation.n);
	if (rest.n)
		memcpy(ret->reason, rest.p, rest.n);
	/* the whole line with its end, so that the time of a restore makes another one of it */
	struct buf b;
	uint8_t digest[PRIVACY_DIGEST_BYTES];
	buf_init(&b, 4096);
	buf_add_span(&b, line);
	buf_add_char(&b, '\n');
	privacy_digest(span_of(b.p, b.len), digest);
	hex(digest, (sizeof(ret->id) - 1) / 2, ret->id);
	buf_done(&b);
	return 0;
}

static int sync_directory(const char *path)
{
	auto_free char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	auto_close int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) ? -errno : 0;
}

int ledger_append(const char *path, struct span line)
{
	auto_close int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	char last;
	off_t end = lseek(fd, 0, SEEK_END);
	/* what was cut short by a death is ended first, so that it spoils its own line only */
	if (end > 0 && pread(fd, &last, 1, end - 1) == 1 && last != '\n' && write(fd, "\n", 1) != 1)
		return -errno;
	ssize_t n = write(fd, line.p, line.n);
	if (n < 0 || (size_t)n != line.n)
		return n < 0 ? -errno : -ENOSPC;
	return fsync(fd) ? -errno : sync_directory(path);
}

int ledger_each(const char *path, int (*each)(void *arg, const struct erasure *e), void *arg)
{
	FILE *f = fopen(path, "re");
	char line[1024];
	int err = f ? 0 : errno == ENOENT ? 0 : -errno;
	unsigned n = 0;
	while (!err && f && fgets(line, sizeof(line), f)) {
		struct erasure e;
		size_t len = strlen(line);
		n++;
		if (!len || line[len - 1] != '\n')
			break;
		if (erasure_read(span_of(line, len - 1), &e) == 0)
			err = each(arg, &e);
		else
			log_warn("A line of the ledger of what was erased cannot be read and is "
			         "passed over. file=%s line=%u",
			         path, n);
	}
	if (f)
		fclose(f);
	return err;
}
