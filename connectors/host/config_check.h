/* config_check.h - what is asked of one connector block, each complaint with file and line. */
#ifndef HOST_CONFIG_CHECK_H
#define HOST_CONFIG_CHECK_H

#include "host/config.h"

#include <confuse.h>

/* A number and ms, s, m, h, d; a number and B, kB, MB, GB, KiB, MiB, GiB. 0 or ERR_MALFORMED. */
int check_duration(const char *s, int64_t *ret_ms) MUSTCHECK;
int check_size(const char *s, uint64_t *ret_bytes) MUSTCHECK;

/* listen is an address of this machine alone and a port. */
void check_listen(struct config *c, cfg_t *cfg);

/* Fills kind of source and decoder, target and mapping; complains through cfg_error(). */
void check_connector(struct config *c, struct connector_conf *k, cfg_t *s);

#endif
