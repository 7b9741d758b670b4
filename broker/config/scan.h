/* scan.h - the words of a configuration text, as libConfuse's lexer cuts them. libConfuse parses;
 * this scanner prepares: its line numbers drift on comments, it takes no comment inside a list,
 * and it accepts a file that ends inside a block. So comments are blanked and broken structure is
 * found here, with the line where it began. Inside the room only. */
#ifndef CONFIG_SCAN_H
#define CONFIG_SCAN_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

/* Blanks all comments and checks that strings, comments and braces end. Fills lines[] with the line
 * of each block at the top, in order, as many as max; *ret_n counts them all. 0, or ERR_CONFIG with
 * *ret_line and *ret_why. */
int scan_prepare(char *text, int *lines, size_t max, size_t *ret_n, int *ret_line,
                 const char **ret_why) MUSTCHECK;

/* Blanks the statement that begins with the word name on that line, so that the rest can be read.
 * False when there is none. */
bool scan_blank(char *text, const char *name, int line);

#endif
