/* search.h - a place in what is sorted. */
#ifndef BASE_SEARCH_H
#define BASE_SEARCH_H

#include <stddef.h>

/* The first i in from..to for which `before`, an expression of i, does not hold: it holds for all
 * ahead of that place and for none from there on. to: it holds for all. i is a name of its own. */
#define search_first(i, from, to, before)                                                          \
	({                                                                                         \
		size_t i##_low = (from), i##_high = (to);                                          \
		while (i##_low < i##_high) {                                                       \
			size_t i = i##_low + (i##_high - i##_low) / 2;                             \
			if (before)                                                                \
				i##_low = i + 1;                                                   \
			else                                                                       \
				i##_high = i;                                                      \
		}                                                                                  \
		i##_low;                                                                           \
	})

#endif
