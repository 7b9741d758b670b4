/* numbers.h - a set of numbers, as a sorted array. Pure. */
#ifndef BASE_NUMBERS_H
#define BASE_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* Sorts them, keeps each once, and returns how many are left. p may be NULL when n is 0. */
size_t numbers_once(uint32_t *p, size_t n);

#endif
