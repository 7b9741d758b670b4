/* number.h - what JSON numbers are, exactly, whatever their size: no doubles here. Pure. */
#ifndef SCHEMA_NUMBER_H
#define SCHEMA_NUMBER_H

#include "schema/node.h"

bool number_is_integer(struct span text); /* 1, 1.0 and 10e-1 are */
/* 0 or ERR_TOO_LARGE when it has more than 18 significant digits. text is a JSON number > 0. */
int decimal_read(struct span text, struct decimal *ret) MUSTCHECK;
/* Is text a multiple of m? */
bool decimal_divides(const struct decimal *m, struct span text);

#endif
