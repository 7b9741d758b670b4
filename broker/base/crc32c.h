/* crc32c.h - CRC-32C (Castagnoli, RFC 3720 B.4), reflected, as in iSCSI. Uses SSE4.2 where there
 * is. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc: 0 to start, or the result so far to go on. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n); /* the oracle of the test */

#endif
