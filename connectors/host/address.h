/* address.h - scheme://host[:port][/path] in its parts. Pure. */
#ifndef HOST_ADDRESS_H
#define HOST_ADDRESS_H

#include "base/compiler.h"

#include <stdbool.h>

struct address {
	bool tls; /* the scheme ends in s */
	char host[256];
	int port;
	const char *path; /* within the text given; "" when there is none */
};

/* 0 or ERR_MALFORMED. plain and secure: the ports when none is named. */
int address_parse(const char *url, int plain, int secure, struct address *ret) MUSTCHECK;

#endif
