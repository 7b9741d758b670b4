/* key.c - pseudonyms: HMAC-SHA-256 (RFC 2104) by the key of a file.
 *
 * The inner and outer states are computed once a period, so that a message costs two compressions
 * and no allocation. OpenSSL 3's own contexts allocate with each use; its older functions do not,
 * hence the word below. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "privacy/private.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_BYTES_MIN = 32, BLOCK_BYTES = 64 };

struct hmac {
	SHA256_CTX inner, outer;
};

struct key {
	struct hmac master, now;
	int64_t rotate_ms, period; /* period: whose key now is */
};

static void hmac_init(struct hmac *h, const uint8_t *key, size_t n)
{
	uint8_t block[BLOCK_BYTES] = {0}, pad[BLOCK_BYTES];
	if (n > BLOCK_BYTES)
		SHA256(key, n, block);
	else
		memcpy(block, key, n);
	for (unsigned i = 0; i < BLOCK_BYTES; i++)
		pad[i] = block[i] ^ 0x36;
	SHA256_Init(&h->inner);
	SHA256_Update(&h->inner, pad, sizeof(pad));
	for (unsigned i = 0; i < BLOCK_BYTES; i++)
		pad[i] = block[i] ^ 0x5c;
	SHA256_Init(&h->outer);
	SHA256_Update(&h->outer, pad, sizeof(pad));
	OPENSSL_cleanse(block, sizeof(block));
	OPENSSL_cleanse(pad, sizeof(pad));
}

static void hmac(const struct hmac *h, struct span text, uint8_t ret[SHA256_DIGEST_LENGTH])
{
	SHA256_CTX c = h->inner;
	SHA256_Update(&c, text.p, text.n);
	SHA256_Final(ret, &c);
	c = h->outer;
	SHA256_Update(&c, ret, SHA256_DIGEST_LENGTH);
	SHA256_Final(ret, &c);
}

/* The key of a period is made from the file's; who has the file has them all. */
static void take_period(struct key *k, int64_t period)
{
	char text[40];
	uint8_t derived[SHA256_DIGEST_LENGTH];
	int n = snprintf(text, sizeof(text), "oudp pseudonym %lld", (long long)period);
	hmac(&k->master, span_of(text, (size_t)n), derived);
	hmac_init(&k->now, derived, sizeof(derived));
	OPENSSL_cleanse(derived, sizeof(derived));
	k->period = period;
}

void key_pseudonym(struct key *k, struct span text, int64_t now_ms,
                   char ret[PRIVACY_PSEUDONYM_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t mac[SHA256_DIGEST_LENGTH];
	int64_t period = k->rotate_ms ? now_ms / k->rotate_ms : 0;
	if (period != k->period)
		take_period(k, period);
	hmac(&k->now, text, mac);
	for (unsigned i = 0; i < PRIVACY_PSEUDONYM_BYTES / 2; i++) {
		ret[2 * i] = digits[mac[i] >> 4];
		ret[2 * i + 1] = digits[mac[i] & 15];
	}
}

static int read_file(const char *path, uint8_t *mem, size_t *ret_n, char *why, size_t why_size)
{
	struct stat st;
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		snprintf(why, why_size, "cannot read the key file %s: %s", path, strerror(errno));
		return ERR_CONFIG;
	}
	if (st.st_mode & (S_IWGRP | S_IRWXO)) {
		snprintf(why, why_size, "others can read the key file %s: chmod 400 it", path);
		return ERR_CONFIG;
	}
	ssize_t n = read(fd, mem, LIMIT_PRIVACY_KEY_BYTES + 1);
	if (n < KEY_BYTES_MIN || n > LIMIT_PRIVACY_KEY_BYTES) {
		snprintf(why, why_size,
		         "the key file %s must have %d to %d bytes: head -c 32 /dev/urandom > %s",
		         path, KEY_BYTES_MIN, LIMIT_PRIVACY_KEY_BYTES, path);
		return ERR_CONFIG;
	}
	*ret_n = (size_t)n;
	return 0;
}

int key_read(const char *path, int64_t rotate_ms, struct key **ret, char *why, size_t why_size)
{
	uint8_t mem[LIMIT_PRIVACY_KEY_BYTES + 1];
	size_t n = 0;
	int err = read_file(path, mem, &n, why, why_size);
	if (!err) {
		struct key *k = xcalloc(1, sizeof(*k));
		hmac_init(&k->master, mem, n);
		k->rotate_ms = rotate_ms;
		take_period(k, 0);
		*ret = k;
	}
	OPENSSL_cleanse(mem, sizeof(mem));
	return err;
}

void key_free(struct key *k)
{
	if (!k)
		return;
	OPENSSL_cleanse(k, sizeof(*k));
	free(k);
}

void privacy_digest(struct span bytes, uint8_t ret[PRIVACY_DIGEST_BYTES])
{
	SHA256((const unsigned char *)(bytes.n ? bytes.p : ""), bytes.n, ret);
}
