/* compiler.h - the few compiler words the house uses. Knows nothing of the product. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <assert.h> /* asserts stay in release builds: NDEBUG is never defined */

#define MUSTCHECK                       __attribute__((warn_unused_result))
#define PRINTF(fmt, arg)                __attribute__((format(printf, fmt, arg)))
#define NORETURN                        __attribute__((noreturn))
#define UNUSED                          __attribute__((unused))
#define likely(x)                       __builtin_expect(!!(x), 1)
#define unlikely(x)                     __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MIN_OF(a, b)                    ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b)                    ((a) > (b) ? (a) : (b))

#endif
