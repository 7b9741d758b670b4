/* value.h - one value: text to field, field to text, free, compare. Pure but for the allocations.
 * Inside the room only. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/table.h"

enum { VALUE_WHY_BYTES = 512 };

/* Reads text as the row's type into its field of base (a list: appends one item). dir is where a
 * relative path starts. 0, or ERR_CONFIG with what to do about it in why; base is then unchanged.
 */
int value_read(const struct row *r, const char *text, const char *dir, void *base,
               char why[VALUE_WHY_BYTES]) MUSTCHECK;
/* Fills a field that nothing was read into: the row's default, or "" / NULL / an empty list. A list
 * that has items stays. */
void value_default(const struct row *r, void *base);
void value_free(const struct row *r, void *base);                      /* the field is zeroed */
void value_copy(const struct row *r, const void *from, void *to);      /* to's field is free */
void value_print(const struct row *r, const void *base, struct buf *); /* as in the file */
bool value_same(const struct row *r, const void *a, const void *b);

/* An item of ROW_SCHEMAS; see config_schema(). 0, or ERR_CONFIG with a static *ret_why. */
int value_schema(const char *item, struct span *ret_id, int64_t *ret_until_ms,
                 const char **ret_why) MUSTCHECK;

/* "14d" and "20GB". 0 or ERR_MALFORMED / ERR_TOO_LARGE. */
int value_seconds(const char *text, uint64_t *ret) MUSTCHECK;
int value_bytes(const char *text, uint64_t *ret) MUSTCHECK;
void value_print_seconds(uint64_t v, struct buf *); /* the largest unit that divides it */
void value_print_bytes(uint64_t v, struct buf *);

/* Bytes of the character at s (terminated), 0 when it is not UTF-8 or a control character. */
unsigned value_plain_char(const unsigned char *s);

bool value_is_name(const char *s); /* [a-z0-9-], 1 to 64: block titles */

#endif
